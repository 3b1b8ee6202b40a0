//! Messages and commands in, replies out.
//!
//! A message is answered in a direct message, when it mentions the bot, and in the configured
//! channels when it holds a picture. Nobody is pinged by a reply.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use serenity::all::{
    Attachment, ChannelId, CommandInteraction, Context, CreateAttachment, CreateInteractionResponse,
    CreateInteractionResponseMessage, EventHandler, Interaction, Message, Ready, Typing, UserId,
};
use serenity::async_trait;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use url::Url;

use super::{DiscordOptions, commands};
use crate::bot::commands::{Command, Standing};
use crate::bot::people::{Asker, ChatId, PersonId, Platform};
use crate::bot::{Answer, Bot, Card, CardWhen, PhotoSource, Problem, ReplyOptions};
use crate::photo::Hosts;

/// Discord's limits of one message.
const MAX_CHARACTERS: usize = 2000;
const MAX_ATTACHMENTS: usize = 10;
/// The most characters of a file's alternative text.
const MAX_DESCRIPTION: usize = 1024;

const REPLY: ReplyOptions =
    ReplyOptions { max_characters: MAX_CHARACTERS, card: CardWhen::SeveralFaces, max_cards: MAX_ATTACHMENTS };

pub(super) struct Handler {
    bot: Arc<Bot>,
    channels: Vec<ChannelId>,
    hosts: Hosts,
    replies: TaskTracker,
    /// The bot's own user, once Discord has told.
    me: OnceLock<UserId>,
}

impl Handler {
    pub(super) fn new(bot: Arc<Bot>, options: &DiscordOptions, replies: TaskTracker) -> Self {
        Self { bot, channels: options.channels.clone(), hosts: options.hosts(), replies, me: OnceLock::new() }
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, context: Context, ready: Ready) {
        let shard = context.shard_id;
        self.me.get_or_init(|| ready.user.id);
        info!(%shard, guilds = ready.guilds.len(), "Discord is connected");
        if shard.get() == 0
            && let Err(error) = context.http.create_global_commands(&commands::all()).await
        {
            warn!(%error, "the commands could not be registered with Discord");
        }
    }

    async fn message(&self, context: Context, message: Message) {
        let _under_way = self.replies.token();
        if message.author.bot || message.webhook_id.is_some() {
            return;
        }
        if let Some(answer) = self.answer(&context, &message).await
            && let Err(error) = send(&context, &message, answer).await
        {
            warn!(%error, "a reply could not be sent to Discord");
        }
    }

    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let _under_way = self.replies.token();
        let Interaction::Command(command) = interaction else { return };
        if let Err(error) = self.command(&context, &command).await {
            warn!(%error, command = command.data.name, "a command could not be answered on Discord");
        }
    }
}

impl Handler {
    /// What to say to a message: nothing, unless it holds a picture for the bot or speaks to it.
    async fn answer(&self, context: &Context, message: &Message) -> Option<Answer> {
        let me = self.me.get().copied();
        let direct = message.guild_id.is_none();
        let photos = if direct || message.mentions.iter().any(|user| Some(user.id) == me) {
            addressed_photos(message, me)
        } else if self.channels.contains(&message.channel_id) {
            message.attachments.iter().filter(|one| is_picture(one)).collect()
        } else {
            return None;
        };
        if !photos.is_empty() {
            let _typing = Typing::start(context.http.clone(), message.channel_id);
            let asker = asker(message.author.id, message.channel_id);
            let manners = self.bot.manners(&asker).await;
            return Some(self.bot.answer(self.sources(&photos), asker.person, &manners, REPLY).await);
        }
        // A reply to the bot mentions it too, but "thanks" wants no lecture.
        let by_name = me.is_some_and(|me| message.content.contains(&format!("<@{me}>")));
        match (direct, by_name) {
            (true, _) => {
                Some(self.bot.command(Command::Help, &asker(message.author.id, message.channel_id), &standing()).await)
            }
            (false, true) => {
                let language = self.bot.manners(&asker(message.author.id, message.channel_id)).await.language;
                Some(format!("{} {}", Problem::NoPhoto.told(language), language.say("how-discord")).into())
            }
            (false, false) => None,
        }
    }

    fn sources(&self, photos: &[&Attachment]) -> Vec<PhotoSource> {
        let links = photos.iter().filter_map(|photo| Url::parse(&photo.url).ok());
        links.take(MAX_ATTACHMENTS).map(|url| PhotoSource::Link { url, hosts: self.hosts.clone() }).collect()
    }

    /// Answers at once, or defers within Discord's three seconds and edits the answer in.
    async fn command(&self, context: &Context, command: &CommandInteraction) -> serenity::Result<()> {
        let data = &command.data;
        let (photos, seen_by_asker_alone): (Vec<&Attachment>, bool) = match data.name.as_str() {
            commands::GUESS => (data.resolved.attachments.values().collect(), false),
            commands::GUESS_AGE => (data.resolved.messages.values().flat_map(photos_of).collect(), true),
            commands::PRIVACY => {
                let asker = asker(command.user.id, command.channel_id);
                return say(context, command, self.bot.command(Command::Privacy, &asker, &standing()).await.text).await;
            }
            _ => {
                let asker = asker(command.user.id, command.channel_id);
                return say(context, command, self.bot.command(Command::Help, &asker, &standing()).await.text).await;
            }
        };
        if photos.is_empty() {
            return say(context, command, Problem::NoPhoto.told(Default::default())).await;
        }
        let defer = CreateInteractionResponseMessage::new().ephemeral(seen_by_asker_alone);
        command.create_response(&context.http, CreateInteractionResponse::Defer(defer)).await?;
        let asker = asker(command.user.id, command.channel_id);
        let manners = self.bot.manners(&asker).await;
        let answer = self.bot.answer(self.sources(&photos), asker.person, &manners, REPLY).await;
        let body = body(&answer);
        context.http.edit_original_interaction_response(&command.token, &body, files(&answer.cards)).await?;
        Ok(())
    }
}

/// An answer that only the asker sees.
async fn say(context: &Context, command: &CommandInteraction, text: String) -> serenity::Result<()> {
    let message = CreateInteractionResponseMessage::new().content(text).ephemeral(true);
    command.create_response(&context.http, CreateInteractionResponse::Message(message)).await
}

/// Replies to `message`, or stands alone if that is gone by now.
async fn send(context: &Context, message: &Message, answer: Answer) -> serenity::Result<()> {
    let mut body = body(&answer);
    body["message_reference"] = json!({ "message_id": message.id, "fail_if_not_exists": false });
    context.http.send_message(message.channel_id, files(&answer.cards), &body).await.map(drop)
}

/// Text, descriptions of the files, and nobody to ping. Written out, because serenity's own
/// builders number the files where Discord's description of these requests has strings.
fn body(answer: &Answer) -> Value {
    let attachment = |(index, card): (usize, &Card)| {
        let description: String = card.alternative_text.chars().take(MAX_DESCRIPTION).collect();
        json!({ "id": index.to_string(), "filename": file_name(index), "description": description })
    };
    let attachments: Vec<Value> = answer.cards.iter().enumerate().map(attachment).collect();
    let mut body = json!({ "content": answer.text, "allowed_mentions": { "parse": [], "replied_user": false } });
    if !attachments.is_empty() {
        body["attachments"] = attachments.into();
    }
    body
}

fn files(cards: &[Card]) -> Vec<CreateAttachment> {
    let file = |(index, card): (usize, &Card)| CreateAttachment::bytes(card.jpeg.to_vec(), file_name(index));
    cards.iter().enumerate().map(file).collect()
}

fn file_name(index: usize) -> String {
    format!("faces-{}.jpg", index + 1)
}

/// The pictures of a message that speaks to the bot: its own, or those of the message it replies
/// to, unless that is the bot's. A file that is no picture is taken too when there is nothing
/// else: the reply says what it is.
fn addressed_photos(message: &Message, me: Option<UserId>) -> Vec<&Attachment> {
    let own = photos_of(message);
    match &message.referenced_message {
        Some(other) if own.is_empty() && Some(other.author.id) != me => photos_of(other),
        _ => own,
    }
}

/// Pictures of a message and of the message it forwards, else its other files.
fn photos_of(message: &Message) -> Vec<&Attachment> {
    let forwarded = message.message_snapshots.iter().flat_map(|forwarded| &forwarded.attachments);
    let files: Vec<&Attachment> = message.attachments.iter().chain(forwarded).collect();
    let pictures: Vec<&Attachment> = files.iter().copied().filter(|file| is_picture(file)).collect();
    if pictures.is_empty() { files } else { pictures }
}

/// What the uploader's client says the file is; its bytes decide later.
fn is_picture(file: &Attachment) -> bool {
    match &file.content_type {
        Some(kind) => kind.starts_with("image/"),
        None => file.width.is_some(),
    }
}

fn asker(person: UserId, chat: ChannelId) -> Asker {
    let platform = Platform::Discord;
    Asker {
        person: PersonId { platform, id: person.get().cast_signed() },
        chat: ChatId { platform, id: chat.get().cast_signed() },
        language: None,
    }
}

fn standing() -> Standing {
    Standing { name: String::new(), admin: false, direct: false }
}
