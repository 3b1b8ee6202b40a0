//! Commands: answered at once, or deferred within Discord's three seconds and edited in.

use serenity::all::{CommandInteraction, MessageId};
use tracing::warn;

use super::body::{Body, REPLY};
use super::commands;
use super::guest::{Guest, Visit};
use super::handler::{Handler, Place};
use super::photos::Photos;
use super::rest::{Callback, RestError, Ticket};
use crate::bot::commands::Command;
use crate::bot::steps::Delivery;
use crate::bot::{Answer, Problem};

impl Handler {
    /// Answers a command.
    pub(super) async fn command(&self, command: &CommandInteraction) -> Result<(), RestError> {
        let data = &command.data;
        let (to, guest) = (command.ticket(), command.guest());
        let given = || Photos::given(data.resolved.attachments.values(), command.user.id);
        let option = |name: &str| data.options.iter().find(|option| option.name == name).map(|option| &option.value);
        let word = |name: &str| option(name).and_then(|value| value.as_str()).unwrap_or_default();
        let wanted = match data.name.as_str() {
            commands::GUESS => return self.guess(&to, &guest, given(), false).await,
            // Answered to the asker alone: it is somebody else's photo.
            commands::GUESS_AGE => {
                let Some(message) = data.resolved.messages.values().next() else {
                    return self.tell_alone(&to, &guest, Problem::NoPhoto).await;
                };
                return self.guess(&to, &guest, Photos::of(message), true).await;
            }
            commands::GAME => {
                let truth = option(commands::AGE).and_then(|value| value.as_i64());
                return self.game(&to, &guest, given(), truth.and_then(|age| u8::try_from(age).ok())).await;
            }
            commands::SCORES => Command::Scores,
            commands::SETTINGS => Command::Settings,
            commands::AUTO => Command::Auto(match word(commands::STATE) {
                commands::ON => Some(true),
                commands::OFF => Some(false),
                _ => None,
            }),
            commands::LANGUAGE => Command::Language(word(commands::LANGUAGE).to_owned()),
            commands::GENDER => Command::Gender(word(commands::TELLING).to_owned()),
            commands::OPT_OUT => Command::OptOut,
            commands::OPT_IN => Command::OptIn,
            commands::FORGET => Command::Forget,
            commands::PRIVACY => Command::Privacy,
            _ => Command::Help,
        };
        // Scores are for everybody; the rest concerns the asker.
        let alone = wanted != Command::Scores;
        let answer = if wanted == Command::Auto(Some(true)) && guest.standing.admin && self.is_blind(&guest) {
            self.bot.manners(&guest.asker).await.language.say("auto-unseen").into()
        } else {
            self.bot.command(wanted, &guest.asker, &guest.standing).await
        };
        self.rest.respond(&to, Callback::Message, Some(&Body::of(&answer).seen_by_one(alone))).await
    }

    /// Whether photos there do not reach the bot unless it is spoken to.
    pub(super) fn is_blind(&self, guest: &Guest) -> bool {
        !self.sees_messages && !guest.standing.direct
    }

    async fn guess(&self, to: &Ticket, guest: &Guest, photos: Photos, alone: bool) -> Result<(), RestError> {
        if photos.urls.is_empty() {
            return self.tell_alone(to, guest, Problem::NoPhoto).await;
        }
        if let Err(problem) = self.may_look(&guest.asker, photos.author, photos.urls.len()).await {
            return self.tell_alone(to, guest, problem).await;
        }
        let (settled, settings) = self.settings(guest.asker.chat, guest.parent).await;
        self.rest.respond(to, Callback::Later, Some(&Body::deferred(alone || settings.private))).await?;
        let manners = self.manners(&guest.asker, settled).await;
        let answer = AnswerTo { handler: self, to };
        let sources = photos.sources(&self.hosts);
        let sent = self.bot.deliver(sources, guest.asker.person, &manners, REPLY, &answer).await;
        // The buttons that look again stand under a single photo.
        if let Some(sent) = sent.filter(|_| photos.urls.len() == 1) {
            self.photos.keep(sent, photos);
        }
        Ok(())
    }

    async fn game(&self, to: &Ticket, guest: &Guest, photos: Photos, truth: Option<u8>) -> Result<(), RestError> {
        let Some(source) = photos.sources(&self.hosts).pop() else {
            return self.tell_alone(to, guest, Problem::NoPhoto).await;
        };
        if let Err(problem) = self.may_look(&guest.asker, photos.author, 1).await {
            return self.tell_alone(to, guest, problem).await;
        }
        self.rest.respond(to, Callback::Later, Some(&Body::deferred(false))).await?;
        let answer = self.bot.game(source, truth, &guest.asker).await;
        // Others do not see what came with a command; what is no game is not shown to them.
        let picture = photos.urls.last().filter(|_| !answer.buttons.is_empty()).map(|url| url.as_str());
        self.rest.edit_original(to, &Body::of(&answer).about(picture)).await.map(drop)
    }

    /// A problem, told at once to the asker alone.
    async fn tell_alone(&self, to: &Ticket, guest: &Guest, problem: Problem) -> Result<(), RestError> {
        let (settled, _) = self.settings(guest.asker.chat, guest.parent).await;
        let language = self.manners(&guest.asker, settled).await.language;
        let body = Body::from(problem.told(language)).seen_by_one(true);
        self.rest.respond(to, Callback::Message, Some(&body)).await
    }
}

/// The answer to a command that was deferred.
struct AnswerTo<'a> {
    handler: &'a Handler,
    to: &'a Ticket,
}

impl Delivery for AnswerTo<'_> {
    type Sent = MessageId;

    async fn post(&self, answer: &Answer) -> Option<MessageId> {
        let sent = self.handler.send(answer, Place::Original(self.to)).await;
        sent.inspect_err(|error| warn!(%error, "a command's answer could not be sent to Discord")).ok()
    }

    async fn edit(&self, _: &MessageId, answer: &Answer) {
        self.post(answer).await;
    }
}
