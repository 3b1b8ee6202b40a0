//! Messages: what is said to them, posted where they are.
//!
//! A message is answered in a direct message, when it mentions the bot, and where every photo is
//! answered when it holds one. Nobody is pinged by a reply.

use std::convert::Infallible;
use std::time::Duration;

use serenity::all::{ChannelId, Message, MessageId, MessageType};
use tokio::time::sleep;
use tracing::warn;

use super::body::REPLY;
use super::guest::{asker_of, chat};
use super::handler::{Handler, Place};
use super::photos::Photos;
use crate::bot::commands::{Command, Standing};
use crate::bot::people::ChatId;
use crate::bot::steps::Delivery;
use crate::bot::{Answer, Problem};

/// Discord shows that somebody types for ten seconds.
const TYPING: Duration = Duration::from_secs(8);

impl Handler {
    /// Answers a message, if it is one to be answered.
    pub(super) async fn hear(&self, message: &Message) {
        let written = matches!(message.kind, MessageType::Regular | MessageType::InlineReply);
        if message.author.bot || message.webhook_id.is_some() || !written {
            return;
        }
        let me = self.me.get().copied();
        let direct = message.guild_id.is_none();
        let addressed = direct || message.mentions.iter().any(|user| Some(user.id) == me);
        let photos = if addressed {
            Photos::addressed(message, me)
        } else if self.sees_messages {
            Photos::uploaded(message)
        } else {
            return;
        };
        if !photos.urls.is_empty() {
            self.look(message, photos, addressed).await;
        } else if addressed {
            self.chat(message, direct).await;
        }
    }

    async fn look(&self, message: &Message, photos: Photos, addressed: bool) {
        let asker = asker_of(message);
        let parent = if message.guild_id.is_some() { self.parent(message.channel_id).await } else { None };
        let (settled, settings) = self.settings(asker.chat, parent.map(chat)).await;
        let listed =
            self.channels.contains(&message.channel_id) || parent.is_some_and(|one| self.channels.contains(&one));
        if !addressed && !settings.auto && !listed {
            return;
        }
        if self.bot.ignores(photos.author).await {
            // Whoever did not ask wants no answer, least of all to that.
            if addressed {
                self.tell(message, settled, Problem::OptedOut).await;
            }
            return;
        }
        match self.bot.admit(&asker, photos.urls.len()) {
            Ok(()) => {}
            Err(told) => {
                if let Some(problem) = told {
                    self.tell(message, settled, problem).await;
                }
                return;
            }
        }
        let manners = self.manners(&asker, settled).await;
        let reply = ReplyTo { handler: self, message };
        tokio::select! {
            _ = self.bot.deliver(photos.sources(&self.hosts), asker.person, &manners, REPLY, &reply) => {}
            never = self.type_on(message.channel_id) => match never {},
        }
    }

    /// What is said to a message without a photo.
    async fn chat(&self, message: &Message, direct: bool) {
        let asker = asker_of(message);
        // A reply to the bot mentions it too, but "thanks" wants no lecture.
        let by_name = self.me.get().is_some_and(|me| message.content.contains(&format!("<@{me}>")));
        let answer = if direct {
            let standing = Standing { name: String::new(), admin: true, direct };
            self.bot.command(Command::Help, &asker, &standing).await
        } else if by_name {
            let language = self.bot.manners(&asker).await.language;
            format!("{} {}", Problem::NoPhoto.told(language), language.say("how-discord")).into()
        } else {
            return;
        };
        ReplyTo { handler: self, message }.post(&answer).await;
    }

    async fn tell(&self, message: &Message, settled: ChatId, problem: Problem) {
        let language = self.manners(&asker_of(message), settled).await.language;
        ReplyTo { handler: self, message }.post(&problem.told(language).into()).await;
    }

    /// Shows that the bot is at it, until dropped.
    async fn type_on(&self, channel: ChannelId) -> Infallible {
        loop {
            self.rest.typing(channel).await;
            sleep(TYPING).await;
        }
    }
}

/// The reply to a message.
struct ReplyTo<'a> {
    handler: &'a Handler,
    message: &'a Message,
}

impl Delivery for ReplyTo<'_> {
    type Sent = MessageId;

    async fn post(&self, answer: &Answer) -> Option<MessageId> {
        let Self { handler, message } = *self;
        if handler.deleted.get(message.id).is_some() {
            return None;
        }
        match handler.send(answer, Place::ReplyTo(message)).await {
            Ok(reply) => {
                handler.replied.keep(message.id, (message.channel_id, reply));
                // It may have gone while the reply was on its way.
                if handler.deleted.get(message.id).is_some() {
                    handler.take_back(message.channel_id, reply).await;
                }
                Some(reply)
            }
            Err(error) => {
                warn!(%error, "a reply could not be posted on Discord");
                None
            }
        }
    }

    async fn edit(&self, sent: &MessageId, answer: &Answer) {
        let Self { handler, message } = *self;
        match handler.send(answer, Place::Edit(message.channel_id, *sent)).await {
            Err(error) if !error.is_gone() => warn!(%error, "a reply could not be edited on Discord"),
            _ => {}
        }
    }
}
