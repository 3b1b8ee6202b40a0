//! Presses of the buttons under replies.

use serde_json::Value;
use serenity::all::{ChannelId, MessageId};

use super::body::{Content, EPHEMERAL, picture_under};
use super::delivery::Place;
use super::errands::{Errand, Task};
use super::handler::Handler;
use super::incoming::{IncomingMessage, id};
use super::interactions::Interaction;
use super::photos::Photos;
use super::rest::{Callback, RestError};
use crate::bot::Problem;
use crate::bot::actions::{Action, Setting};
use crate::bot::commands::Pressed;
use crate::bot::people::Platform;

impl Handler {
    /// The errand of a button that looks at a photo once more, or why there is none; `None` for other
    /// buttons.
    pub(super) async fn press_about_photo(
        &self,
        interaction: &Interaction,
        told: &Value,
    ) -> Option<Result<Errand, Problem>> {
        let Interaction { ticket, visitor, .. } = interaction;
        let button = told["data"]["custom_id"].as_str()?.to_owned();
        Action::of(&button, Platform::Discord).filter(Action::needs_photo)?;
        let reply = &told["message"];
        let message = MessageId::new(id(&reply["id"])?);
        let referred = IncomingMessage::of(reply).and_then(|reply| reply.reference).or_else(|| referred(reply));
        let photos = match (referred, self.photos.get(message)) {
            // With fresh links, and only if it is still there.
            (Some(at), _) => Photos { links: Vec::new(), author: visitor.user, message: Some(at) },
            (None, Some(photos)) => photos,
            (None, None) => Photos { links: Vec::new(), author: visitor.user, message: None },
        };
        let alone = reply["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0;
        Some(Ok(Errand {
            ticket: ticket.clone(),
            visitor: *visitor,
            task: Task::Again { button, reply: message },
            photos,
            alone,
        }))
    }

    /// Acts on a button that needs no photo.
    pub(super) async fn press(&self, interaction: &Interaction, told: &Value) -> Result<(), RestError> {
        let Interaction { ticket, guest, .. } = interaction;
        let button = told["data"]["custom_id"].as_str().unwrap_or_default();
        let Some(action) = Action::of(button, Platform::Discord) else {
            // A button of a version to come or gone: it does nothing.
            return self.rest.respond(ticket, Callback::Quiet, None).await;
        };
        if action == Action::Set(Setting::Auto) && guest.role.admin && self.is_blind(guest) {
            let already_on = self.bot.chat_settings(guest.asker.chat).await.auto;
            if !already_on {
                let unseen = self.bot.reply_style(&guest.asker).await.language.say("auto-unseen");
                return self.first(ticket, Callback::Message, &unseen.into(), true).await;
            }
        }
        let Pressed { note, edit, delete } = self.bot.press(action, &guest.asker, &guest.role).await;
        if delete {
            self.rest.respond(ticket, Callback::Quiet, None).await?;
            return match self.rest.delete_original(ticket).await {
                // Somebody was quicker.
                Err(error) if error.is_gone() => Ok(()),
                deleted => deleted,
            };
        }
        let note = note.map(Content::from);
        match (edit, note) {
            (Some(edit), note) => {
                // A game keeps its photo.
                let (picture, covered) = picture_under(&told["message"]).unzip();
                let content = Content { answer: edit, picture, covered: covered.unwrap_or(false) };
                self.first(ticket, Callback::Update, &content, false).await?;
                let Some(note) = note else { return Ok(()) };
                self.send(&note, Place::FollowUp { on: ticket, alone: true }).await.map(drop)
            }
            (None, Some(note)) => self.first(ticket, Callback::Message, &note, true).await,
            (None, None) => self.rest.respond(ticket, Callback::Quiet, None).await,
        }
    }
}

/// The message that a reply refers to, where little else of the reply can be read.
pub(super) fn referred(reply: &Value) -> Option<(ChannelId, MessageId)> {
    let reference = &reply["message_reference"];
    let channel = id(&reference["channel_id"]).or_else(|| id(&reply["channel_id"]))?;
    Some((ChannelId::new(channel), MessageId::new(id(&reference["message_id"])?)))
}
