//! Where answers go, and what is done when they are refused there: plainer forms of the same words,
//! then private ways to whoever asked. No two attempts of one answer are alike.

use serenity::all::{ChannelId, GuildId, MessageId, UserId};
use tracing::{debug, info, warn};

use super::body::{Body, Content, Form};
use super::guest::{asker_of, chat, person};
use super::handler::Handler;
use super::incoming::IncomingMessage;
use super::messages::Work;
use super::rest::{Callback, Posted, RestError, Ticket};
use crate::bot::Problem;
use crate::bot::people::Asker;
use crate::platform::refusal::Refusal;

/// Where an answer goes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// To a message.
    Reply { channel: ChannelId, to: MessageId },
    /// In a channel, on its own. `nonce` tells one answer from the others.
    Channel { channel: ChannelId, nonce: u64 },
    /// In place of one that was posted.
    Edit(ChannelId, MessageId),
    /// As an interaction's first answer; `alone`: for the one who asked.
    First { to: &'a Ticket, how: Callback, alone: bool },
    /// In place of an interaction's deferred answer.
    Original(&'a Ticket),
    /// Beside it.
    FollowUp { on: &'a Ticket, alone: bool },
}

impl Handler {
    /// Sends an answer in full, or in the fullest form that is taken there.
    ///
    /// # Errors
    /// Why even bare words were refused, or why nothing can be sent now.
    pub(super) async fn send(&self, content: &Content, place: Place<'_>) -> Result<Posted, RestError> {
        let mut form = Form::WHOLE;
        let mut body = dressed(Body::of(content, form), form, place);
        loop {
            let error = match self.send_once(&body, place).await {
                Err(error) if matches!(error.refusal(), Refusal::Simplify | Refusal::Forbidden) => error,
                sent => return sent,
            };
            debug!(%error, ?form, "Discord refuses a message's form");
            body = loop {
                let Some(plainer) = form.plainer(&error) else { return Err(error) };
                form = plainer;
                let plainer = dressed(Body::of(content, form), form, place);
                if plainer != body {
                    break plainer;
                }
            };
        }
    }

    async fn send_once(&self, body: &Body, place: Place<'_>) -> Result<Posted, RestError> {
        match place {
            Place::Reply { channel, to } => self.rest.post(channel, body, to.get()).await,
            Place::Channel { channel, nonce } => self.rest.post(channel, body, nonce).await,
            Place::Edit(channel, message) => self.rest.edit(channel, message, body).await,
            Place::First { to, how, .. } => {
                self.rest.respond(to, how, Some(body)).await?;
                // Nobody needs its number.
                Ok(Posted { id: MessageId::new(to.id.get()), text: String::new() })
            }
            Place::Original(of) => self.rest.edit_original(of, body).await,
            Place::FollowUp { on, .. } => self.rest.follow_up(on, body).await,
        }
    }

    /// Sends a direct message; whoever takes none is left alone.
    pub(super) async fn tell_directly(&self, to: UserId, content: &Content, nonce: u64) -> Result<(), RestError> {
        let channel = self.rest.direct_channel(to).await?;
        self.send(content, Place::Channel { channel, nonce }).await.map(drop)
    }

    /// Tells whoever asked that the bot may not write where they did, and once a day the server's
    /// owner. Where every photo is answered unasked nobody else is told.
    pub(super) async fn cannot_write(&self, work: &Work, guild: GuildId) {
        let IncomingMessage { id, channel, author, .. } = work.message;
        let (asker, nonce) = (asker_of(&work.message), id.get());
        info!(chat = ?asker.chat, "the bot may not write in a channel");
        if work.addressed {
            let language = self.bot.reply_style(&asker).await.language;
            let content = Content::from(Problem::CannotWrite.message(language));
            if let Err(error) = self.tell_directly(author, &content, nonce).await {
                note_unsent(&error, "a direct message");
            }
        }
        if self.bot.claim_admin_notice(chat(channel)).await
            && let Err(error) = self.tell_owner(channel, guild, nonce).await
        {
            note_unsent(&error, "a note to a server's owner");
        }
    }

    async fn tell_owner(&self, channel: ChannelId, guild: GuildId, nonce: u64) -> Result<(), RestError> {
        let owner = self.rest.owner(guild).await?;
        let name = self.rest.channel(channel).await.map_or_else(|_| String::new(), |channel| channel.name);
        let place = if name.is_empty() { format!("<#{channel}>") } else { format!("#{name}") };
        let asker = Asker { person: person(owner), chat: chat(channel), language: None };
        let language = self.bot.reply_style(&asker).await.language;
        let text = language.say_with("admin-cannot-write", &[("chat", (&place).into())]);
        // The owner may be the one who asked, and is told both.
        self.tell_directly(owner, &Content::from(text), nonce.wrapping_add(1)).await
    }
}

/// Logs that something could not be sent, unless nobody is left who would miss it.
pub(super) fn note_unsent(error: &RestError, what: &str) {
    match error.refusal() {
        Refusal::Gone => debug!(%error, what, "nobody is left to tell on Discord"),
        _ => warn!(%error, what, "could not be sent on Discord"),
    }
}

/// The body with what its place adds.
fn dressed(body: Body, form: Form, place: Place<'_>) -> Body {
    match place {
        Place::Reply { to, .. } if form.reference => body.reply_to(to),
        Place::First { how: Callback::Message, alone, .. } | Place::FollowUp { alone, .. } => body.seen_by_one(alone),
        _ => body,
    }
}
