//! Events in; who of its neighbours answers them.

use std::sync::{Arc, OnceLock};

use serenity::all::{
    ApplicationId, ChannelId, Context, EventHandler, GuildId, Interaction, Message, MessageId, Ready, UserId,
};
use serenity::async_trait;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::DiscordOptions;
use super::body::{Body, Dress};
use super::commands;
use super::memory::Memory;
use super::photos::Photos;
use super::rest::{Rest, RestError, Ticket};
use crate::bot::{Answer, Bot};
use crate::photo::Hosts;

/// Replies that are remembered, a few dozen bytes each; the photos of answered commands, with their
/// links of some 300 bytes; and channels.
const REPLIES: usize = 10_000;
const PHOTOS: usize = 5_000;
const CHANNELS: usize = 10_000;

/// Where an answer goes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    ReplyTo(&'a Message),
    /// In place of one that was posted.
    Edit(ChannelId, MessageId),
    /// In place of an interaction's deferred answer.
    Original(&'a Ticket),
    /// Beside it; `alone`: for the one who pressed.
    FollowUp {
        on: &'a Ticket,
        alone: bool,
    },
}

/// What all events share.
pub(super) struct Handler {
    pub bot: Arc<Bot>,
    pub rest: Rest,
    pub hosts: Hosts,
    /// Channels in which every picture is answered, as the host wishes.
    pub channels: Vec<ChannelId>,
    /// Whether messages that do not speak to the bot arrive with their pictures.
    pub sees_messages: bool,
    replies: TaskTracker,
    /// The bot's own user, once Discord has told.
    pub me: OnceLock<UserId>,
    /// The reply to a message.
    pub replied: Memory<MessageId, (ChannelId, MessageId)>,
    /// Messages that were deleted lately, perhaps while their photos were looked at.
    pub deleted: Memory<MessageId, ()>,
    /// The photo that an answer to a command is about: no message holds it.
    pub photos: Memory<MessageId, Photos>,
    /// The channels of threads, and that other channels are none.
    pub parents: Memory<ChannelId, Option<ChannelId>>,
}

impl Handler {
    pub(super) fn new(bot: Arc<Bot>, rest: Rest, options: &DiscordOptions, replies: TaskTracker) -> Self {
        Self {
            bot,
            rest,
            hosts: options.hosts(),
            channels: options.channels.clone(),
            sees_messages: options.sees_messages(),
            replies,
            me: OnceLock::new(),
            replied: Memory::of(REPLIES),
            deleted: Memory::of(REPLIES),
            photos: Memory::of(PHOTOS),
            parents: Memory::of(CHANNELS),
        }
    }

    /// Tells Discord the commands, if what it knows of them is something else: whoever registers
    /// them needlessly at every start is refused on some days.
    async fn register(&self, application: ApplicationId) -> Result<(), RestError> {
        let wanted = commands::all();
        if commands::same(&self.rest.commands(application).await?, &wanted) {
            return Ok(());
        }
        self.rest.set_commands(application, &wanted).await?;
        info!("Discord was told the commands");
        Ok(())
    }

    /// Deletes the reply to a message that is gone.
    async fn follow(&self, message: MessageId) {
        self.deleted.keep(message, ());
        if let Some((channel, reply)) = self.replied.get(message) {
            self.take_back(channel, reply).await;
        }
    }

    /// Sends an answer in its best dress, or in what the permissions there leave of it.
    pub(super) async fn send(&self, answer: &Answer, place: Place<'_>) -> Result<MessageId, RestError> {
        let best = Body::of(answer);
        let mut refused = best.json.clone();
        let mut sent = self.send_once(best, place).await;
        for dress in [Dress::Files, Dress::Words] {
            if !sent.as_ref().is_err_and(RestError::is_forbidden) {
                break;
            }
            let plainer = Body::dressed(answer, dress);
            if plainer.json != refused {
                refused = plainer.json.clone();
                sent = self.send_once(plainer, place).await;
            }
        }
        sent
    }

    async fn send_once(&self, body: Body, place: Place<'_>) -> Result<MessageId, RestError> {
        match place {
            Place::ReplyTo(message) => {
                self.rest.post(message.channel_id, &body.reply_to(message.id), message.id.get()).await
            }
            Place::Edit(channel, message) => self.rest.edit(channel, message, &body).await,
            Place::Original(interaction) => self.rest.edit_original(interaction, &body).await,
            Place::FollowUp { on, alone } => self.rest.follow_up(on, &body.seen_by_one(alone)).await,
        }
    }

    /// Deletes a reply; it may be gone already.
    pub(super) async fn take_back(&self, channel: ChannelId, reply: MessageId) {
        match self.rest.delete(channel, reply).await {
            Err(error) if !error.is_gone() => warn!(%error, "a reply could not be deleted on Discord"),
            _ => {}
        }
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, context: Context, ready: Ready) {
        let shard = context.shard_id;
        self.me.get_or_init(|| ready.user.id);
        info!(%shard, guilds = ready.guilds.len(), "Discord is connected");
        if shard.get() == 0
            && let Err(error) = self.register(ready.application.id).await
        {
            warn!(%error, "the commands could not be registered with Discord");
        }
    }

    async fn message(&self, _: Context, message: Message) {
        let _under_way = self.replies.token();
        self.hear(&message).await;
    }

    async fn message_delete(&self, _: Context, _: ChannelId, message: MessageId, _: Option<GuildId>) {
        let _under_way = self.replies.token();
        self.follow(message).await;
    }

    async fn message_delete_bulk(&self, _: Context, _: ChannelId, messages: Vec<MessageId>, _: Option<GuildId>) {
        let _under_way = self.replies.token();
        for message in messages {
            self.follow(message).await;
        }
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        let _under_way = self.replies.token();
        let (answered, what) = match &interaction {
            Interaction::Command(command) => (self.command(command).await, "a command"),
            Interaction::Component(pressed) => (self.press(pressed).await, "a button"),
            _ => return,
        };
        if let Err(error) = answered {
            warn!(%error, "{what} could not be answered on Discord");
        }
    }
}
