//! Presses of the buttons under replies.

use serenity::all::{ComponentInteraction, Message, MessageFlags};
use tracing::warn;

use super::body::{Body, REPLY};
use super::guest::{Guest, Visit};
use super::handler::{Handler, Place};
use super::photos::Photos;
use super::rest::{Callback, RestError, Ticket};
use crate::bot::Problem;
use crate::bot::actions::{Action, Setting};
use crate::bot::commands::Pressed;
use crate::bot::people::Platform;

impl Handler {
    /// Acts on a button.
    pub(super) async fn press(&self, pressed: &ComponentInteraction) -> Result<(), RestError> {
        let (to, guest) = (pressed.ticket(), pressed.guest());
        let Some(action) = Action::of(&pressed.data.custom_id, Platform::Discord) else {
            // A button of a version to come or gone: it does nothing.
            return self.rest.respond(&to, Callback::Quiet, None).await;
        };
        if action.needs_photo() {
            return self.look_again(&to, &guest, action, &pressed.message).await;
        }
        if action == Action::Set(Setting::Auto) && guest.standing.admin && self.is_blind(&guest) {
            let already_on = self.bot.chat_settings(guest.asker.chat).await.auto;
            if !already_on {
                let unseen = self.bot.manners(&guest.asker).await.language.say("auto-unseen");
                return self.rest.respond(&to, Callback::Message, Some(&Body::from(unseen).seen_by_one(true))).await;
            }
        }
        let Pressed { note, edit, delete } = self.bot.press(action, &guest.asker, &guest.standing).await;
        let note = note.map(|note| Body::from(note).seen_by_one(true));
        if delete {
            self.rest.respond(&to, Callback::Quiet, None).await?;
            return self.rest.delete_original(&to).await;
        }
        match (edit, note) {
            (Some(edit), note) => {
                // A game keeps its photo.
                let picture = pressed.message.embeds.first().and_then(|embed| embed.image.as_ref());
                let body = Body::of(&edit).about(picture.map(|image| image.url.as_str()));
                self.rest.respond(&to, Callback::Update, Some(&body)).await?;
                if let Some(note) = note { self.rest.follow_up(&to, &note).await.map(drop) } else { Ok(()) }
            }
            (None, Some(note)) => self.rest.respond(&to, Callback::Message, Some(&note)).await,
            (None, None) => self.rest.respond(&to, Callback::Quiet, None).await,
        }
    }

    /// Looks at the photo of a reply once more, and says what comes of it in another one.
    async fn look_again(&self, to: &Ticket, guest: &Guest, action: Action, reply: &Message) -> Result<(), RestError> {
        // Whether the answer is for everybody is known only when it is there.
        self.rest.respond(to, Callback::Quiet, None).await?;
        let (settled, _) = self.settings(guest.asker.chat, guest.parent).await;
        let manners = self.manners(&guest.asker, settled).await;
        let found = async {
            let photos = self.photo_of(reply).await?;
            let source = photos.sources(&self.hosts).into_iter().next().ok_or(Problem::Gone)?;
            self.may_look(&guest.asker, photos.author, 1).await?;
            Ok::<_, Problem>(source)
        };
        let alone = reply.flags.is_some_and(|flags| flags.contains(MessageFlags::EPHEMERAL));
        let (answer, alone) = match found.await {
            Ok(source) => (self.bot.look_again(guest.asker.person, action, source, &manners, REPLY).await, alone),
            Err(problem) => (problem.told(manners.language).into(), true),
        };
        self.send(&answer, Place::FollowUp { on: to, alone }).await.map(drop)
    }

    /// The photo that a reply is about: that of the message it replies to, with fresh links; or, if
    /// it answers a command, what came with that.
    async fn photo_of(&self, reply: &Message) -> Result<Photos, Problem> {
        let Some(reference) = &reply.message_reference else {
            return self.photos.get(reply.id).ok_or(Problem::Gone);
        };
        let message = reference.message_id.ok_or(Problem::Gone)?;
        match self.rest.message(reference.channel_id, message).await {
            Ok(message) => Ok(Photos::addressed(&message, self.me.get().copied())),
            Err(error) => {
                if !error.is_gone() {
                    warn!(%error, "a message could not be looked up on Discord");
                }
                Err(Problem::Gone)
            }
        }
    }
}
