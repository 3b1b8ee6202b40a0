//! Button presses.

use serde_json::Value;
use serenity::all::{ChannelId, MessageId};

use super::delivery::Destination;
use super::handler::Handler;
use super::incoming::{IncomingMessage, snowflake};
use super::interactions::Interaction;
use super::jobs::{InteractionRequest, Task};
use super::payload::{Content, EPHEMERAL, displayed_picture};
use super::photos::Photos;
use super::refusals::RestError;
use super::rest::CallbackType;
use crate::bot::actions::{Action, Setting};
use crate::bot::commands::ButtonResponse;
use crate::bot::people::Platform;

impl Handler {
    /// The request of a button that processes a photo again; `None` for other buttons.
    pub(super) fn photo_button(&self, interaction: &Interaction, json: &Value) -> Option<InteractionRequest> {
        let Interaction { handle, requester, .. } = interaction;
        let custom_id = json["data"]["custom_id"].as_str()?.to_owned();
        Action::from_code(&custom_id, Platform::Discord).filter(Action::needs_photo)?;
        let reply = &json["message"];
        let reply_id = MessageId::new(snowflake(&reply["id"])?);
        let message = IncomingMessage::from_json(reply).and_then(|reply| reply.reference).or_else(|| reference(reply));
        // Where the bot is not a member, it cannot fetch messages.
        let message = message.filter(|_| !requester.external);
        let without_links = Photos { links: Vec::new(), author: requester.user, message };
        let photos = match message {
            // Fetched later, for fresh links and only if it still exists.
            Some(_) => without_links,
            None => self.command_photos.get(reply_id).unwrap_or(without_links),
        };
        Some(InteractionRequest {
            handle: handle.clone(),
            requester: *requester,
            task: Task::Button { custom_id, reply: reply_id },
            photos,
            ephemeral: reply["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0,
        })
    }

    /// Carries out the action of a button that needs no photo.
    pub(super) async fn answer_press(&self, interaction: &Interaction, json: &Value) -> Result<(), RestError> {
        let Interaction { handle, requester, role } = interaction;
        let asker = requester.asker();
        let custom_id = json["data"]["custom_id"].as_str().unwrap_or_default();
        let Some(action) = Action::from_code(custom_id, Platform::Discord) else {
            // A button of another version of this program has no effect.
            return self.rest.respond(handle, CallbackType::DeferredUpdate, None).await;
        };
        if action == Action::ChangeSetting(Setting::Auto) && role.admin && self.lacks_message_content(role) {
            let already_on = self.bot.chat_settings(asker.chat).await.auto;
            if !already_on {
                let text = self.bot.reply_style(&asker).await.language.message("auto-unseen");
                return self.send_initial_response(handle, CallbackType::Message, &text.into(), true).await;
            }
        }
        let ButtonResponse { note, edit, delete } = self.bot.handle_button(action, &asker, role).await;
        if delete {
            self.rest.respond(handle, CallbackType::DeferredUpdate, None).await?;
            return match self.rest.delete_original_response(handle).await {
                // It was deleted already.
                Err(error) if error.is_gone() => Ok(()),
                deleted => deleted,
            };
        }
        let note = note.map(Content::from);
        match (edit, note) {
            (Some(answer), note) => {
                // The photo of a game stays.
                let (picture, spoiler) = displayed_picture(&json["message"]).unzip();
                let content = Content { answer, picture, spoiler: spoiler.unwrap_or(false) };
                self.send_initial_response(handle, CallbackType::UpdateMessage, &content, false).await?;
                let Some(note) = note else { return Ok(()) };
                self.send(&note, Destination::FollowUp { to: handle, ephemeral: true }).await.map(drop)
            }
            (None, Some(note)) => self.send_initial_response(handle, CallbackType::Message, &note, true).await,
            (None, None) => self.rest.respond(handle, CallbackType::DeferredUpdate, None).await,
        }
    }
}

/// The message that a reply refers to, for a reply that is missing other ids.
pub(super) fn reference(reply: &Value) -> Option<(ChannelId, MessageId)> {
    let reference = &reply["message_reference"];
    let channel = snowflake(&reference["channel_id"]).or_else(|| snowflake(&reply["channel_id"]))?;
    Some((ChannelId::new(channel), MessageId::new(snowflake(&reference["message_id"])?)))
}
