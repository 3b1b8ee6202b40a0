//! Commands and presses of buttons: answered at once, or deferred within Discord's three seconds and
//! answered as an [errand](super::errands).

use std::sync::Arc;

use serde_json::Value;
use serenity::all::{ApplicationId, InteractionId};
use tracing::{debug, warn};

use super::body::Content;
use super::commands;
use super::delivery::Place;
use super::errands::{Errand, Task};
use super::guest::{Guest, Visitor, guest, person};
use super::handler::Handler;
use super::incoming::{File, IncomingMessage, id};
use super::photos::Photos;
use super::rest::{Callback, RestError, Ticket};
use crate::bot::Problem;
use crate::bot::commands::Command;

/// Discord's numbers for kinds of interactions.
const COMMAND: u64 = 2;
const PRESS: u64 = 3;

/// An interaction, read as leniently as a [message](IncomingMessage).
pub(super) struct Interaction {
    pub ticket: Ticket,
    pub guest: Guest,
    pub visitor: Visitor,
}

impl Interaction {
    pub(super) fn of(told: &Value) -> Option<Self> {
        let (guest, visitor) = guest(told)?;
        let (number, application) = (id(&told["id"])?, id(&told["application_id"])?);
        let token = told["token"].as_str()?.to_owned();
        let ticket = Ticket::new(InteractionId::new(number), ApplicationId::new(application), token);
        Some(Self { ticket, guest, visitor })
    }
}

impl Handler {
    /// Takes a command or press: stores photos to be answered before they are.
    pub(super) async fn interaction(self: &Arc<Self>, told: &Value) {
        let kind = told["type"].as_u64();
        if !matches!(kind, Some(COMMAND | PRESS)) {
            return;
        }
        let Some(interaction) = Interaction::of(told) else {
            warn!("an interaction cannot be read");
            return;
        };
        let errand = match kind {
            Some(COMMAND) => self.photo_command(&interaction, &told["data"]).await,
            _ => self.press_about_photo(&interaction, told).await,
        };
        match errand {
            Some(Ok(errand)) => {
                if self.takes(interaction.ticket.id.get(), Some(errand.job())).await {
                    self.beside(|handler| async move { handler.run(&errand, false).await });
                }
            }
            Some(Err(problem)) => {
                if self.takes(interaction.ticket.id.get(), None).await {
                    self.beside(|handler| async move { handler.tell_alone(&interaction, problem).await });
                }
            }
            None => {
                if self.takes(interaction.ticket.id.get(), None).await {
                    let told = told.clone();
                    self.beside(|handler| async move { handler.answer_at_once(&interaction, &told).await });
                }
            }
        }
    }

    async fn answer_at_once(&self, interaction: &Interaction, told: &Value) {
        let answered = if told["type"] == COMMAND {
            self.command(interaction, &told["data"]).await
        } else {
            self.press(interaction, told).await
        };
        if let Err(error) = answered {
            warn!(%error, "an interaction could not be answered on Discord");
        }
    }

    /// The errand of a command about photos, or why there is none; `None` for other commands.
    async fn photo_command(&self, interaction: &Interaction, data: &Value) -> Option<Result<Errand, Problem>> {
        let Interaction { ticket, guest, visitor } = interaction;
        let resolved = |kind: &str| data["resolved"][kind].as_object().into_iter().flat_map(|all| all.values());
        let (task, photos, alone) = match data["name"].as_str()? {
            name @ (commands::GUESS | commands::GAME) => {
                let files: Vec<File> = resolved("attachments").filter_map(File::attached).collect();
                let mut photos = Photos::given(&files, visitor.user);
                if name == commands::GUESS {
                    (Task::Guess, photos, false)
                } else {
                    photos.links.drain(..photos.links.len().saturating_sub(1));
                    let truth = option(data, commands::AGE).as_u64().and_then(|age| u8::try_from(age).ok());
                    (Task::Game { truth }, photos, false)
                }
            }
            // Answered to the asker alone: it is somebody else's photo.
            commands::GUESS_AGE => {
                let Some(message) = resolved("messages").next().and_then(IncomingMessage::of) else {
                    return Some(Err(Problem::NoPhoto));
                };
                (Task::Guess, Photos::of(&message), true)
            }
            _ => return None,
        };
        if photos.links.is_empty() {
            return Some(Err(Problem::NoPhoto));
        }
        if let Err(problem) = self.may_look(&guest.asker, person(photos.author), photos.links.len()).await {
            return Some(Err(problem));
        }
        let (_, settings) = self.settings(guest.asker.chat, guest.parent).await;
        // A game is for everybody.
        let alone = alone || (matches!(task, Task::Guess) && settings.private);
        Some(Ok(Errand { ticket: ticket.clone(), visitor: *visitor, task, photos, alone }))
    }

    /// Answers a command without a photo.
    async fn command(&self, interaction: &Interaction, data: &Value) -> Result<(), RestError> {
        let Interaction { ticket, guest, .. } = interaction;
        let word = |name: &str| option(data, name).as_str().unwrap_or_default();
        let wanted = match data["name"].as_str().unwrap_or_default() {
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
        let answer = if wanted == Command::Auto(Some(true)) && guest.role.admin && self.is_blind(guest) {
            self.bot.reply_style(&guest.asker).await.language.say("auto-unseen").into()
        } else {
            self.bot.command(wanted, &guest.asker, &guest.role).await
        };
        self.first(ticket, Callback::Message, &answer.into(), alone).await
    }

    /// Whether photos there do not reach the bot unless it is spoken to.
    pub(super) fn is_blind(&self, guest: &Guest) -> bool {
        !self.sees_messages && !guest.role.direct
    }

    /// A first answer in words.
    pub(super) async fn first(
        &self,
        to: &Ticket,
        how: Callback,
        content: &Content,
        alone: bool,
    ) -> Result<(), RestError> {
        self.send(content, Place::First { to, how, alone }).await.map(drop)
    }

    /// A problem, told at once to the asker alone.
    async fn tell_alone(&self, interaction: &Interaction, problem: Problem) {
        let Interaction { ticket, guest, .. } = interaction;
        let (settled, _) = self.settings(guest.asker.chat, guest.parent).await;
        let language = self.reply_style(&guest.asker, settled).await.language;
        let told = self.first(ticket, Callback::Message, &problem.message(language).into(), true).await;
        if let Err(error) = told {
            debug!(%error, "Discord does not take an interaction's first answer");
        }
    }
}

/// The value of a command's option.
fn option<'a>(data: &'a Value, name: &str) -> &'a Value {
    let options = data["options"].as_array().into_iter().flatten();
    options.into_iter().find(|option| option["name"] == name).map_or(&Value::Null, |option| &option["value"])
}
