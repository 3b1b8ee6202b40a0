//! Presses of the buttons under replies.

use teloxide::payloads::AnswerCallbackQuerySetters;
use teloxide::requests::Requester;
use teloxide::types::{CallbackQuery, CallbackQueryId, Message};
use tracing::debug;

use super::chat::{Chat, OF_ONE};
use super::delivery::{Place, Sent, told};
use super::request::{self, Photos};
use crate::bot::Problem;
use crate::bot::actions::Action;
use crate::bot::commands::Standing;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, PersonId, Platform};
use crate::bot::words::clipped;

/// The most characters of the note that a press gets (Bot API, answerCallbackQuery).
const NOTE: usize = 200;

impl Chat {
    /// Acts on a press. Every press is answered, or the button would seem to work for ever.
    pub(super) async fn pressed(&self, query: CallbackQuery) {
        let action = query.data.as_deref().and_then(|code| Action::of(code, Platform::Telegram));
        let (Some(action), Some(message)) = (action, query.regular_message()) else {
            let language = query.from.language_code.as_deref().and_then(Language::of).unwrap_or_default();
            return self.note(query.id.clone(), Some(Problem::Gone.told(language))).await;
        };
        let asker = Asker {
            person: PersonId { platform: Platform::Telegram, id: query.from.id.0.cast_signed() },
            chat: request::chat(message.chat.id),
            language: query.from.language_code.as_deref().and_then(Language::of),
        };
        if action.needs_photo() {
            self.look_again(&query.id, action, message, &asker).await;
        } else {
            self.press(&query, action, message, asker).await;
        }
    }

    async fn look_again(&self, press: &CallbackQueryId, action: Action, message: &Message, asker: &Asker) {
        let manners = self.bot.manners(asker).await;
        let photos = message.reply_to_message().and_then(|photo| Photos::of(&[photo]));
        let problem = match &photos {
            None => Some(Problem::Gone),
            Some(photos) if self.bot.ignores(photos.author).await => Some(Problem::OptedOut),
            Some(_) => match self.bot.admit(asker, 1) {
                Ok(()) => None,
                Err(Some(problem)) => Some(problem),
                Err(None) => return self.note(press.clone(), None).await,
            },
        };
        let (photos, None) = (photos, &problem) else {
            return self.note(press.clone(), problem.map(|problem| problem.told(manners.language))).await;
        };
        self.note(press.clone(), None).await;
        let Some(photos) = photos else { return };
        let place = Place::beside(message, photos.message);
        let work = async {
            let source = self.sources(photos.files).await.into_iter().next();
            let source = source.unwrap_or(crate::bot::PhotoSource::Refused(Problem::Gone));
            let answer = self.bot.look_again(asker.person, action, source, &manners, OF_ONE).await;
            self.outbox.post(place, &answer).await;
        };
        self.typing_while(place, work).await;
    }

    async fn press(&self, query: &CallbackQuery, action: Action, message: &Message, mut asker: Asker) {
        let as_chat = PersonId { platform: Platform::Telegram, id: message.chat.id.0 };
        let needs_standing = match action {
            Action::Set(_) | Action::Reveal { .. } => true,
            // What was asked for in the name of the group or channel is its admins'.
            Action::Delete { asker } => asker == as_chat,
            _ => false,
        };
        let direct = message.chat.is_private();
        let admin = direct || needs_standing && self.is_admin(message.chat.id, query.from.id).await;
        if admin && action == (Action::Delete { asker: as_chat }) {
            asker.person = as_chat;
        }
        let standing = Standing { name: query.from.full_name(), admin, direct };
        let sent = Sent { chat: message.chat.id, message: message.id };
        let (pressed, edit);
        {
            // Edits of a game begin in the order of the guesses that they count.
            let _in_order = self.presses.lock().await;
            pressed = self.bot.press(action, &asker, &standing).await;
            edit = pressed.edit.as_ref().map(|answer| self.outbox.edit(sent, answer));
        }
        self.note(query.id.clone(), pressed.note.clone()).await;
        if pressed.delete {
            self.outbox.delete(sent).await;
        }
        if let Some(edit) = edit {
            edit.await;
        }
    }

    async fn note(&self, press: CallbackQueryId, note: Option<String>) {
        let mut request = self.api().answer_callback_query(press);
        if let Some(note) = note {
            request = request.text(clipped(&note, NOTE));
        }
        if let Err(error) = request.await {
            // A press is void after a while; then nobody is waiting any more.
            debug!(error = told(&error), "a press could not be answered");
        }
    }
}
