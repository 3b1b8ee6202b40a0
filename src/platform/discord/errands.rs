//! Photos that came with commands and presses of buttons: what is stored of them before work starts,
//! how they are answered, and how what an earlier run left unanswered is taken up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serenity::all::{ChannelId, GuildId, MessageId, UserId};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::body::{Body, Content, REPLY};
use super::delivery::{Place, note_unsent};
use super::guest::{Visitor, chat};
use super::handler::Handler;
use super::incoming::IncomingMessage;
use super::messages::{LOOK_UP, Work};
use super::photos::Photos;
use super::rest::{Callback, Posted, RestError, Ticket};
use crate::bot::actions::Action;
use crate::bot::jobs::Job;
use crate::bot::people::Platform;
use crate::bot::steps::Delivery;
use crate::bot::{Answer, Problem};
use crate::platform::refusal::Refusal;

/// Discord takes the first answer to an interaction within three seconds.
const FIRST_ANSWER: Duration = Duration::from_secs(3);

/// What a job refers to.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Reference {
    Message {
        channel: ChannelId,
        message: MessageId,
        /// A message that is asked for does not say where it is.
        guild: Option<GuildId>,
        /// What it showed, for where Discord does not show it again: a bot needs *Read Message History*
        /// for that, and none to answer.
        #[serde(default)]
        shown: Option<Shown>,
    },
    Interaction(Box<Errand>),
}

impl Reference {
    pub(super) fn as_json(&self) -> String {
        // Numbers and addresses always can be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a message showed when it came.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Shown {
    pub photos: Photos,
    pub author: UserId,
    pub addressed: bool,
}

impl Shown {
    fn work(self, channel: ChannelId, id: MessageId, guild: Option<GuildId>) -> Work {
        let Self { photos, author, addressed } = self;
        Work { message: IncomingMessage::bare(id, channel, guild, author), photos, addressed, resumed: true }
    }
}

/// An interaction that is owed an answer about photos.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Errand {
    pub ticket: Ticket,
    pub visitor: Visitor,
    pub task: Task,
    /// Where nothing but the message is known of them, that is asked for them.
    pub photos: Photos,
    /// Whether the answer is for the asker alone.
    pub alone: bool,
}

/// What is to be done with the photos.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    Guess,
    Game {
        truth: Option<u8>,
    },
    /// What the button of this identifier does.
    Again {
        button: String,
        /// The message that it stands under.
        reply: MessageId,
    },
}

impl Errand {
    /// The job that stands for it until it is answered.
    pub(super) fn job(&self) -> Job {
        let asker = self.visitor.asker();
        let reference = Reference::Interaction(Box::new(self.clone())).as_json();
        Job::new(asker.chat, self.ticket.id.get().cast_signed(), asker.person, reference)
    }
}

impl Handler {
    /// Does an errand that was taken, or left by an earlier run.
    pub(super) async fn run(&self, errand: &Errand, resumed: bool) {
        let answer = AnswerTo::new(self, errand);
        if !resumed || errand.ticket.age() < FIRST_ANSWER {
            answer.defer().await;
        }
        match &errand.task {
            Task::Guess => self.guess(errand, &answer).await,
            Task::Game { truth } => self.game(errand, *truth, &answer).await,
            Task::Again { button, reply } => self.again(errand, (button, *reply), &answer).await,
        }
        if answer.is_over() {
            self.finished(errand.visitor.asker().chat, errand.ticket.id.get()).await;
        }
    }

    async fn guess(&self, errand: &Errand, answer: &AnswerTo<'_>) {
        let Errand { visitor, photos, .. } = errand;
        let (settled, _) = self.settings(chat(visitor.channel), visitor.parent.map(chat)).await;
        let style = self.reply_style(&visitor.asker(), settled).await;
        let sources = photos.sources(&self.hosts, &self.rest);
        let sent = self.bot.deliver(sources, visitor.asker().person, &style, REPLY, answer).await;
        // The buttons that look again stand under a single photo.
        if let Some(Sent { message, .. }) = sent.filter(|_| photos.links.len() == 1) {
            self.photos.insert(message, photos.clone());
        }
    }

    async fn game(&self, errand: &Errand, truth: Option<u8>, answer: &AnswerTo<'_>) {
        let Errand { visitor, photos, .. } = errand;
        let Some(source) = photos.sources(&self.hosts, &self.rest).pop() else { return };
        let game = self.bot.game(source, truth, &visitor.asker()).await;
        // Others do not see what came with a command; what is no game is not shown to them.
        let picture = photos.links.last().filter(|_| !game.buttons.is_empty()).map(|link| link.url.to_string());
        answer.send(&Content { answer: game, picture, covered: photos.covered() }).await;
    }

    async fn again(&self, errand: &Errand, (button, reply): (&str, MessageId), answer: &AnswerTo<'_>) {
        let Errand { visitor, alone, .. } = errand;
        let (settled, _) = self.settings(chat(visitor.channel), visitor.parent.map(chat)).await;
        let style = self.reply_style(&visitor.asker(), settled).await;
        let found = async {
            let action = Action::of(button, Platform::Discord).ok_or(Problem::Gone)?;
            let photos = self.photos_of(errand, reply).await?;
            let source = photos.sources(&self.hosts, &self.rest).into_iter().next().ok_or(Problem::Gone)?;
            self.may_look(&visitor.asker(), super::guest::person(photos.author), 1).await?;
            Ok::<_, Problem>((action, source, photos.covered()))
        };
        let (content, alone) = match found.await {
            Ok((action, source, covered)) => {
                let seen = self.bot.look_again(visitor.asker().person, action, source, &style, REPLY).await;
                (Content { answer: seen, picture: None, covered }, *alone)
            }
            Err(problem) => (problem.message(style.language).into(), true),
        };
        answer.alone.store(alone, Ordering::Relaxed);
        answer.send(&content).await;
    }

    /// The photo that a reply is about: that of the message it replies to, with fresh links; or what
    /// came with the command that it answers.
    async fn photos_of(&self, errand: &Errand, reply: MessageId) -> Result<Photos, Problem> {
        if !errand.photos.links.is_empty() {
            return Ok(errand.photos.clone());
        }
        let Some((channel, message)) = errand.photos.message else {
            // Whoever is quick presses before Discord has told the reply's number.
            return self.photos.get(reply).ok_or(Problem::Gone);
        };
        match self.rest.message(channel, message).await {
            Ok(message) => Ok(Photos::addressed(&message, self.me())),
            Err(error) => {
                note_unsent(&error, "the look-up of a message");
                Err(Problem::Gone)
            }
        }
    }

    /// Takes up a job that an earlier run of the program left.
    pub(super) async fn take_up(&self, job: Job) {
        let over = match serde_json::from_str(&job.reference) {
            Ok(Reference::Message { channel, message, guild, shown }) => {
                self.take_up_message(&job, (channel, message, guild), shown).await
            }
            Ok(Reference::Interaction(errand)) if job.is_expired() => {
                let answer = AnswerTo::new(self, &errand);
                let language = self.bot.reply_style(&errand.visitor.asker()).await.language;
                answer.send(&Problem::Interrupted.message(language).into()).await;
                answer.is_over()
            }
            Ok(Reference::Interaction(errand)) => return self.run(&errand, true).await,
            Err(_) => {
                warn!("a photo that was left unanswered was noted by another version of this program");
                true
            }
        };
        if over {
            self.finished(job.chat, job.message.cast_unsigned()).await;
        }
    }

    /// Answers a message as if it had just come; returns whether that is over.
    async fn take_up_message(
        &self,
        job: &Job,
        (channel, id, guild): (ChannelId, MessageId, Option<GuildId>),
        shown: Option<Shown>,
    ) -> bool {
        let asked = self.rest.message(channel, id);
        let looked_up = match shown {
            // What it showed will do where Discord is long about it.
            Some(_) => timeout(LOOK_UP, asked).await.unwrap_or(Err(RestError::Unreadable)),
            None => asked.await,
        };
        let work = match looked_up {
            Ok(mut message) => {
                message.guild = guild;
                self.considered(message).map(|work| Work { resumed: true, ..work })
            }
            Err(error) => {
                note_unsent(&error, "the look-up of a message");
                match (error.refusal(), shown) {
                    // Of a message that is gone nobody wants an answer any more.
                    (_, Some(shown)) if !error.is_known_gone() => Some(shown.work(channel, id, guild)),
                    (Refusal::Wait { .. }, _) => return false,
                    _ => None,
                }
            }
        };
        let Some(work) = work.filter(|work| !work.photos.links.is_empty()) else { return true };
        if job.is_expired() {
            return self.apologise(&work).await;
        }
        self.look(&work).await
    }
}

/// Where an errand's answer was sent.
pub(super) struct Sent {
    pub message: MessageId,
    /// Where it can be edited, if not under the interaction's token.
    channel: Option<ChannelId>,
}

/// The answer to an interaction.
struct AnswerTo<'a> {
    handler: &'a Handler,
    errand: &'a Errand,
    /// Whether this run gave the first answer, and Discord took it.
    deferred: AtomicBool,
    alone: AtomicBool,
    owed: AtomicBool,
}

impl<'a> AnswerTo<'a> {
    fn new(handler: &'a Handler, errand: &'a Errand) -> Self {
        let alone = AtomicBool::new(errand.alone);
        Self { handler, errand, deferred: AtomicBool::new(false), alone, owed: AtomicBool::new(false) }
    }

    fn is_over(&self) -> bool {
        !self.owed.load(Ordering::Relaxed)
    }

    /// Gives the first answer, so that there is time for the second.
    async fn defer(&self) {
        let Errand { ticket, task, alone, .. } = self.errand;
        let deferred = match task {
            // Whether the answer is for everybody is known only when it is there.
            Task::Again { .. } => self.handler.rest.respond(ticket, Callback::Quiet, None).await,
            _ => self.handler.rest.respond(ticket, Callback::Later, Some(&Body::deferred(*alone))).await,
        };
        self.deferred.store(deferred.is_ok(), Ordering::Relaxed);
        if let Err(error) = deferred {
            // The answer takes another way then.
            debug!(%error, "Discord does not take an interaction's first answer");
        }
    }

    async fn send(&self, content: &Content) -> Option<Sent> {
        let place = match self.errand.task {
            Task::Again { .. } => {
                Place::FollowUp { on: &self.errand.ticket, alone: self.alone.load(Ordering::Relaxed) }
            }
            _ => Place::Original(&self.errand.ticket),
        };
        let sent = match self.handler.send(content, place).await {
            Ok(Posted { id, .. }) => Ok(Sent { message: id, channel: None }),
            // Somebody deleted the first answer: they want no other.
            Err(error) if self.deferred.load(Ordering::Relaxed) && !error.is_interaction_over() => Err(error),
            Err(error) if error.is_gone() || error.is_unauthorized() => self.send_elsewhere(content).await,
            Err(error) => Err(error),
        };
        self.noted(sent)
    }

    /// Where the interaction takes no answer any more: in its channel, or directly to whoever asked.
    async fn send_elsewhere(&self, content: &Content) -> Result<Sent, RestError> {
        let Errand { ticket, visitor, .. } = self.errand;
        let nonce = ticket.id.get();
        if !self.alone.load(Ordering::Relaxed) {
            match self.handler.send(content, Place::Channel { channel: visitor.channel, nonce }).await {
                Ok(Posted { id, .. }) => return Ok(Sent { message: id, channel: Some(visitor.channel) }),
                Err(error) if matches!(error.refusal(), Refusal::Wait { .. }) => return Err(error),
                Err(error) => debug!(%error, "an interaction's channel takes no answer"),
            }
        }
        let channel = self.handler.rest.direct_channel(visitor.user).await?;
        let Posted { id, .. } = self.handler.send(content, Place::Channel { channel, nonce }).await?;
        Ok(Sent { message: id, channel: Some(channel) })
    }

    fn noted<T>(&self, sent: Result<T, RestError>) -> Option<T> {
        let owed = sent.as_ref().is_err_and(|error| matches!(error.refusal(), Refusal::Wait { .. }));
        self.owed.store(owed, Ordering::Relaxed);
        sent.inspect_err(|error| note_unsent(error, "an interaction's answer")).ok()
    }
}

impl Delivery for AnswerTo<'_> {
    type Sent = Sent;

    async fn post(&self, answer: &Answer) -> Option<Sent> {
        let covered = self.errand.photos.covered();
        self.send(&Content { answer: answer.clone(), picture: None, covered }).await
    }

    async fn edit(&self, sent: &Sent, answer: &Answer) {
        let Some(channel) = sent.channel else {
            self.post(answer).await;
            return;
        };
        let content = Content { answer: answer.clone(), picture: None, covered: self.errand.photos.covered() };
        let edited = self.handler.send(&content, Place::Edit(channel, sent.message)).await;
        self.noted(edited);
    }
}
