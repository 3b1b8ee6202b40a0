//! Commands and button presses: answered immediately, or deferred and answered as an
//! [`InteractionRequest`].

use std::sync::Arc;

use serde_json::Value;
use serenity::all::{ApplicationId, InteractionId, UserId};
use tracing::{debug, warn};

use super::commands;
use super::handler::Handler;
use super::incoming::{File, IncomingMessage, snowflake};
use super::jobs::{InteractionRequest, Task};
use super::photos::Photos;
use super::refusals::RestError;
use super::requester::{Requester, person_id};
use super::rest::{CallbackType, InteractionHandle};
use crate::bot::Problem;
use crate::bot::commands::{AskerRole, Command};
use crate::bot::jobs::Receipt;

/// Discord's types of interactions.
const COMMAND: u64 = 2;
const COMPONENT: u64 = 3;

/// An interaction, parsed as leniently as a [message](IncomingMessage).
pub(super) struct Interaction {
    pub handle: InteractionHandle,
    pub requester: Requester,
    pub role: AskerRole,
}

impl Interaction {
    /// `None` when an id or the token is missing.
    pub(super) fn from_json(json: &Value) -> Option<Self> {
        let (requester, role) = Requester::from_interaction(json)?;
        let (id, application) = (snowflake(&json["id"])?, snowflake(&json["application_id"])?);
        let token = json["token"].as_str()?.to_owned();
        let handle = InteractionHandle::new(InteractionId::new(id), ApplicationId::new(application), token);
        Some(Self { handle, requester, role })
    }
}

impl Handler {
    /// Handles a command or button press. One about photos is stored as a job before it is answered.
    pub(super) async fn handle_interaction(self: &Arc<Self>, json: &Value) {
        let kind = json["type"].as_u64();
        if !matches!(kind, Some(COMMAND | COMPONENT)) {
            return;
        }
        let Some(interaction) = Interaction::from_json(json) else {
            warn!("an interaction cannot be parsed");
            return;
        };
        let request = match kind {
            Some(COMMAND) => self.photo_command(&interaction, &json["data"], &json["guild_id"]).await,
            _ => self.photo_button(&interaction, json).map(Ok),
        };
        let job = match &request {
            Some(Ok(request)) if !self.bot.answers_photos() => return self.forward_interaction(request.clone()).await,
            Some(Ok(request)) => Some(request.job()),
            _ => None,
        };
        if self.claim(interaction.handle.id.get(), job).await != Receipt::Stored {
            return;
        }
        let json = json.clone();
        self.spawn(|handler| async move {
            match request {
                Some(Ok(request)) => handler.answer_interaction(&request, false).await,
                Some(Err(problem)) => handler.respond_with_problem(&interaction, problem).await,
                None => handler.answer_immediately(&interaction, &json).await,
            }
        });
    }

    async fn answer_immediately(&self, interaction: &Interaction, json: &Value) {
        let answered = if json["type"] == COMMAND {
            self.answer_command(interaction, &json["data"]).await
        } else {
            self.answer_press(interaction, json).await
        };
        if let Err(error) = answered {
            warn!(%error, "an interaction could not be answered on Discord");
        }
    }

    /// The request of a command about photos, or why it is refused; `None` for other commands.
    async fn photo_command(
        &self,
        interaction: &Interaction,
        data: &Value,
        guild: &Value,
    ) -> Option<Result<InteractionRequest, Problem>> {
        let Interaction { handle, requester, .. } = interaction;
        let resolved = |kind: &str| data["resolved"][kind].as_object().into_iter().flat_map(|all| all.values());
        let (task, photos, ephemeral) = match data["name"].as_str()? {
            name @ (commands::GUESS | commands::GAME) => {
                let files: Vec<File> = resolved("attachments").filter_map(File::from_attachment).collect();
                let mut photos = Photos::from_files(&files, requester.user);
                if name == commands::GUESS {
                    (Task::Guess, photos, false)
                } else {
                    photos.links.drain(..photos.links.len().saturating_sub(1));
                    let truth = option(data, commands::AGE).as_u64().and_then(|age| u8::try_from(age).ok());
                    (Task::Game { truth }, photos, false)
                }
            }
            // Ephemeral, because it is somebody else's photo.
            commands::GUESS_AGE if data["type"] == commands::USER => {
                let Some(photos) = self.profile_picture(data, guild) else {
                    return Some(Err(Problem::NoProfilePicture));
                };
                (Task::Guess, photos, true)
            }
            commands::GUESS_AGE => {
                let Some(message) = resolved("messages").next().and_then(IncomingMessage::from_json) else {
                    return Some(Err(Problem::NoPhoto));
                };
                let photos = Photos::from_message(&message);
                // Where the bot is not a member, it cannot fetch the message again.
                (Task::Guess, Photos { message: photos.message.filter(|_| !requester.external), ..photos }, true)
            }
            _ => return None,
        };
        if photos.links.is_empty() {
            return Some(Err(Problem::NoPhoto));
        }
        if let Err(problem) = self.admit(&requester.asker(), person_id(photos.author), photos.links.len()).await {
            return Some(Err(problem));
        }
        let (_, settings) = self.settings(requester.channel, requester.parent).await;
        // A game is always public. Where nobody but the requester has chosen the bot, nobody else sees its guesses.
        let ephemeral = ephemeral || (matches!(task, Task::Guess) && (settings.private || requester.external));
        Some(Ok(InteractionRequest { handle: handle.clone(), requester: *requester, task, photos, ephemeral }))
    }

    /// The profile picture of the person whose menu a command was picked in, where possible the one for the server.
    fn profile_picture(&self, data: &Value, guild: &Value) -> Option<Photos> {
        let id = snowflake(&data["target_id"])?;
        let (user, member) = (&data["resolved"]["users"][id.to_string()], &data["resolved"]["members"][id.to_string()]);
        let path = match (snowflake(guild), &member["avatar"]) {
            (Some(guild), avatar @ Value::String(_)) => {
                format!("/guilds/{guild}/users/{id}/avatars/{}", image(avatar)?)
            }
            _ => format!("/avatars/{id}/{}", image(&user["avatar"])?),
        };
        let url = self.cdn.as_ref()?.join(&path).ok()?;
        Some(Photos::from_files([&File { id: None, url, picture: true, spoiler: false }], UserId::new(id)))
    }

    /// Answers a command without a photo.
    async fn answer_command(&self, interaction: &Interaction, data: &Value) -> Result<(), RestError> {
        let Interaction { handle, requester, role } = interaction;
        let text = |name: &str| option(data, name).as_str().unwrap_or_default();
        let command = match data["name"].as_str().unwrap_or_default() {
            commands::SCORES => Command::Scores,
            commands::SETTINGS => Command::Settings,
            commands::AUTO => Command::Auto(match text(commands::STATE) {
                commands::ON => Some(true),
                commands::OFF => Some(false),
                _ => None,
            }),
            commands::LANGUAGE => Command::Language(text(commands::LANGUAGE).to_owned()),
            commands::GENDER => Command::Gender(text(commands::TELLING).to_owned()),
            commands::OPT_OUT => Command::OptOut,
            commands::OPT_IN => Command::OptIn,
            commands::FORGET => Command::Forget,
            commands::PRIVACY => Command::Privacy,
            _ => Command::Help,
        };
        // Scores are public; everything else concerns only the requester.
        let ephemeral = command != Command::Scores;
        let answer = if command == Command::Auto(Some(true)) && role.admin && self.lacks_message_content(role) {
            self.bot.reply_style(&requester.asker()).await.language.message("auto-unseen").into()
        } else {
            self.bot.command(command, &requester.asker(), role).await
        };
        self.send_initial_response(handle, CallbackType::Message, &answer.into(), ephemeral).await
    }

    /// Whether photos there reach the bot only in messages that are addressed to it.
    pub(super) fn lacks_message_content(&self, role: &AskerRole) -> bool {
        !self.sees_messages && !role.direct
    }

    /// Responds immediately with a problem that only the requester sees.
    async fn respond_with_problem(&self, interaction: &Interaction, problem: Problem) {
        let Interaction { handle, requester, .. } = interaction;
        let message = problem.message(self.requester_style(requester).await.language);
        if let Err(error) = self.send_initial_response(handle, CallbackType::Message, &message.into(), true).await {
            debug!(%error, "Discord refused an interaction's initial response");
        }
    }
}

/// The name of a profile picture's file in its largest size, from the hash that identifies it.
fn image(avatar: &Value) -> Option<String> {
    let hash = avatar.as_str().filter(|hash| hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))?;
    Some(format!("{hash}.png?size=1024"))
}

/// The value of a command's option.
fn option<'a>(data: &'a Value, name: &str) -> &'a Value {
    let options = data["options"].as_array().into_iter().flatten();
    options.into_iter().find(|option| option["name"] == name).map_or(&Value::Null, |option| &option["value"])
}
