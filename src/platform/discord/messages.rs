//! Messages: what is said to them, posted where they are.
//!
//! A message is answered in a direct message, when it mentions the bot, and where every photo is
//! answered when it holds one. Nobody is pinged by a reply.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serenity::all::{ChannelId, MessageId};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::body::{Body, Content, Form, REPLY, words};
use super::delivery::{Place, note_unsent};
use super::errands::{Reference, Shown};
use super::guest::{asker_of, chat, person};
use super::handler::Handler;
use super::incoming::IncomingMessage;
use super::photos::Photos;
use crate::bot::commands::{AskerRole, Command};
use crate::bot::jobs::Job;
use crate::bot::people::ChatId;
use crate::bot::settings::ChatSettings;
use crate::bot::steps::Delivery;
use crate::bot::{Answer, Problem};
use crate::platform::refusal::Refusal;

/// How long an answer waits for what it can do without.
pub(super) const LOOK_UP: Duration = Duration::from_secs(10);
/// Discord shows that somebody types for ten seconds.
const TYPING: Duration = Duration::from_secs(8);

/// A message that may be owed an answer.
pub(super) struct Work {
    pub message: IncomingMessage,
    pub photos: Photos,
    /// Whether it speaks to the bot.
    pub addressed: bool,
    /// Whether an earlier run of the program has begun with it.
    pub resumed: bool,
}

impl Handler {
    /// Takes a message: stores that it has photos to be answered. `None` when nothing is owed.
    pub(super) async fn received(&self, message: IncomingMessage) -> Option<Work> {
        let work = self.considered(message)?;
        let Work { message, photos, addressed, .. } = &work;
        if photos.links.is_empty() {
            let speaks = *addressed && (message.guild.is_none() || self.is_named(message));
            return (speaks && self.takes(message.id.get(), None).await).then_some(work);
        }
        // Where no network is needed to know that nobody wants an answer, none is stored.
        if !*addressed
            && message.guild.is_some()
            && let Some(parent) = self.parents.get(message.channel)
        {
            let (_, settings) = self.settings(chat(message.channel), parent.map(chat)).await;
            if !self.answers_all(message.channel, parent, settings) {
                return None;
            }
        }
        let (channel, id, guild) = (message.channel, message.id, message.guild);
        let shown = Some(Shown { photos: photos.clone(), author: message.author, addressed: *addressed });
        let reference = Reference::Message { channel, message: id, guild, shown }.as_json();
        let job = Job::new(chat(channel), id.get().cast_signed(), person(message.author), reference);
        self.takes(id.get(), Some(job)).await.then_some(work)
    }

    /// What a message brings; `None` when it is nothing to the bot.
    pub(super) fn considered(&self, message: IncomingMessage) -> Option<Work> {
        if message.automatic || !message.written {
            return None;
        }
        let me = self.me();
        let addressed = message.guild.is_none() || me.is_some_and(|me| message.mentions.contains(&me));
        let photos = if addressed {
            Photos::addressed(&message, me)
        } else if self.sees_messages {
            Photos::uploaded(&message)
        } else {
            return None;
        };
        (addressed || !photos.links.is_empty()).then_some(Work { message, photos, addressed, resumed: false })
    }

    /// Answers a message that was taken.
    pub(super) async fn answer(&self, work: Work) {
        if work.photos.links.is_empty() {
            return self.chat(&work.message).await;
        }
        if self.look(&work).await {
            self.finished(chat(work.message.channel), work.message.id.get()).await;
        }
    }

    /// Answers photos; returns whether that is over and done with.
    pub(super) async fn look(&self, work: &Work) -> bool {
        let Work { message, photos, addressed, resumed } = work;
        let asker = asker_of(message);
        let parent = match message.guild {
            None => None,
            // Whose answer does not hang on it waits for it no longer than a moment.
            Some(_) if *addressed => timeout(LOOK_UP, self.parent(message.channel)).await.unwrap_or_default(),
            Some(_) => self.parent(message.channel).await,
        };
        let (settled, settings) = self.settings(asker.chat, parent.map(chat)).await;
        if !addressed && !self.answers_all(message.channel, parent, settings) {
            return true;
        }
        let reply = ReplyTo::new(self, work);
        if self.bot.ignores(person(photos.author)).await {
            // Whoever did not ask wants no answer, least of all to that.
            if *addressed {
                self.tell(&reply, settled, Problem::OptedOut).await;
            }
            return reply.is_over();
        }
        // An earlier run has counted it.
        if !resumed && let Err(told) = self.bot.admit(&asker, photos.links.len()) {
            if let Some(problem) = told {
                self.tell(&reply, settled, problem).await;
            }
            return reply.is_over();
        }
        let style = self.reply_style(&asker, settled).await;
        let sources = photos.sources(&self.hosts, &self.rest);
        tokio::select! {
            _ = self.bot.deliver(sources, asker.person, &style, REPLY, &reply) => {}
            never = self.type_on(message.channel) => match never {},
        }
        reply.is_over()
    }

    /// Whether every photo there is answered.
    fn answers_all(&self, channel: ChannelId, parent: Option<ChannelId>, settings: ChatSettings) -> bool {
        settings.auto || self.channels.contains(&channel) || parent.is_some_and(|one| self.channels.contains(&one))
    }

    /// A reply to the bot mentions it too, but "thanks" wants no lecture.
    fn is_named(&self, message: &IncomingMessage) -> bool {
        self.me().is_some_and(|me| {
            [format!("<@{me}>"), format!("<@!{me}>")].iter().any(|name| message.content.contains(name))
        })
    }

    /// What is said to a message without a photo.
    async fn chat(&self, message: &IncomingMessage) {
        let asker = asker_of(message);
        let answer = if message.guild.is_none() {
            let role = AskerRole { name: String::new(), admin: true, direct: true };
            self.bot.command(Command::Help, &asker, &role).await
        } else {
            let language = self.bot.reply_style(&asker).await.language;
            format!("{} {}", Problem::NoPhoto.message(language), language.say("how-discord")).into()
        };
        let place = Place::Reply { channel: message.channel, to: message.id };
        if let Err(error) = self.send(&answer.into(), place).await {
            note_unsent(&error, "an answer to a message without a photo");
        }
    }

    /// Apologises for a photo that was left unanswered for too long; returns whether that is over.
    pub(super) async fn apologise(&self, work: &Work) -> bool {
        let reply = ReplyTo::new(self, work);
        self.tell(&reply, chat(work.message.channel), Problem::Interrupted).await;
        reply.is_over()
    }

    async fn tell(&self, reply: &ReplyTo<'_>, settled: ChatId, problem: Problem) {
        let language = self.reply_style(&asker_of(&reply.work.message), settled).await.language;
        reply.post(&problem.message(language).into()).await;
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
    work: &'a Work,
    /// Nobody can be told there.
    given_up: AtomicBool,
    /// The latest form of it was not sent, and may be after the next start.
    owed: AtomicBool,
}

impl<'a> ReplyTo<'a> {
    fn new(handler: &'a Handler, work: &'a Work) -> Self {
        Self { handler, work, given_up: AtomicBool::new(false), owed: AtomicBool::new(false) }
    }

    fn is_over(&self) -> bool {
        !self.owed.load(Ordering::Relaxed)
    }

    fn content(&self, answer: &Answer) -> Content {
        Content { answer: answer.clone(), picture: None, covered: self.work.photos.covered() }
    }

    /// Notes why it was not sent, and tells those who can be told elsewhere.
    async fn refused(&self, error: super::rest::RestError) {
        let Self { handler, work, .. } = *self;
        let kind = error.refusal();
        self.owed.store(matches!(kind, Refusal::Wait { .. }), Ordering::Relaxed);
        match (kind, work.message.guild) {
            (Refusal::Wait { .. }, _) => warn!(%error, "a reply waits for the next start: Discord does not take it"),
            (Refusal::Forbidden, Some(guild)) => {
                self.given_up.store(true, Ordering::Relaxed);
                handler.cannot_write(work, guild).await;
            }
            _ => {
                self.given_up.store(true, Ordering::Relaxed);
                note_unsent(&error, "a reply");
            }
        }
    }
}

impl Delivery for ReplyTo<'_> {
    type Sent = MessageId;

    async fn post(&self, answer: &Answer) -> Option<MessageId> {
        let Self { handler, work, .. } = *self;
        let IncomingMessage { id, channel, .. } = work.message;
        if self.given_up.load(Ordering::Relaxed) || handler.deleted.contains(id) {
            return None;
        }
        let content = self.content(answer);
        match handler.send(&content, Place::Reply { channel, to: id }).await {
            Ok(posted) => {
                self.owed.store(false, Ordering::Relaxed);
                handler.replied.insert(id, (channel, posted.id));
                // Within minutes of the last run Discord hands out what that had posted, perhaps of a part
                // of the photos.
                if work.resumed && posted.text != words(&Body::of(&content, Form::WHOLE).json) {
                    self.edit(&posted.id, answer).await;
                }
                // It may have gone while the reply was on its way.
                if handler.deleted.contains(id) {
                    handler.take_back(channel, posted.id).await;
                }
                Some(posted.id)
            }
            Err(error) => {
                self.refused(error).await;
                None
            }
        }
    }

    async fn edit(&self, sent: &MessageId, answer: &Answer) {
        let Self { handler, work, .. } = *self;
        match handler.send(&self.content(answer), Place::Edit(work.message.channel, *sent)).await {
            Ok(_) => self.owed.store(false, Ordering::Relaxed),
            Err(error) => {
                self.owed.store(matches!(error.refusal(), Refusal::Wait { .. }), Ordering::Relaxed);
                note_unsent(&error, "a reply's new form");
            }
        }
    }
}
