//! Presses of the buttons under replies.

use teloxide::payloads::{AnswerCallbackQuery, AnswerCallbackQuerySetters};
use teloxide::types::CallbackQueryId;
use tracing::debug;

use super::chat::{Chat, PATIENCE};
use super::delivery::{Place, Sent};
use super::incoming::{ChatKind, Message, Press};
use super::photos::OF_ONE;
use super::request;
use crate::bot::actions::Action;
use crate::bot::commands::AskerRole;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, Platform};
use crate::bot::words::clipped;
use crate::bot::{PhotoSource, Problem};

/// The most characters of the note that a press gets (Bot API, answerCallbackQuery).
const NOTE: usize = 200;

impl Chat {
    /// Acts on a press. Every press is answered, or the button would seem to work for ever.
    pub(super) async fn pressed(&self, press: Press) {
        let action = press.data.as_deref().and_then(|code| Action::of(code, Platform::Telegram));
        let language = press.from.language.as_deref().and_then(Language::of);
        let (Some(action), Some(message)) = (action, &press.message) else {
            return self.note(&press, Some(Problem::Gone.message(language.unwrap_or_default()))).await;
        };
        let asker = Asker { person: request::person(press.from.id), chat: request::chat(message.chat), language };
        if action.needs_photo() {
            self.look_again(&press, action, message, &asker).await;
        } else {
            self.press(&press, action, message, asker).await;
        }
    }

    async fn look_again(&self, press: &Press, action: Action, message: &Message, asker: &Asker) {
        let style = self.bot.reply_style(asker).await;
        let photos = message.replied.as_ref().and_then(|photo| photo.photos.clone().or(photo.quoted.clone()));
        let problem = match &photos {
            None => Some(Problem::Gone),
            Some(photos) if self.bot.ignores(request::person(photos.author)).await => Some(Problem::OptedOut),
            Some(_) => match self.bot.admit(asker, 1) {
                Ok(()) => None,
                Err(Some(problem)) => Some(problem),
                Err(None) => return self.note(press, None).await,
            },
        };
        let (Some(photos), None) = (photos, &problem) else {
            return self.note(press, problem.map(|problem| problem.message(style.language))).await;
        };
        self.note(press, None).await;
        let cover = message.cover.and(photos.cover);
        let place = Place { about: Some(photos.message), cover, asker: *asker, ..Place::of(message) };
        let work = async {
            let source = self.files.sources(photos.files).await.into_iter().next();
            let source = source.unwrap_or(PhotoSource::Refused(Problem::Gone));
            let answer = self.bot.look_again(asker.person, action, source, &style, OF_ONE).await;
            self.outbox.post(place, &answer).await;
        };
        self.typing_while(place, work).await;
    }

    async fn press(&self, press: &Press, action: Action, message: &Message, mut asker: Asker) {
        let as_chat = request::person(message.chat.0);
        let needs_standing = match action {
            Action::Set(_) | Action::Reveal { .. } => true,
            // What was asked for in the name of the group or channel is its admins'.
            Action::Delete { asker } => asker == as_chat,
            _ => false,
        };
        let direct = message.kind == ChatKind::Private;
        let admin = direct || needs_standing && self.is_admin(message.chat, press.from.id).await;
        if admin && action == (Action::Delete { asker: as_chat }) {
            asker.person = as_chat;
        }
        let role = AskerRole { name: press.from.name.clone(), admin, direct };
        let sent = Sent { chat: message.chat, message: message.id, is_picture: message.is_picture };
        let (pressed, edit);
        {
            // Edits of a game begin in the order of the guesses that they count.
            let _in_order = self.presses.lock().await;
            pressed = self.bot.press(action, &asker, &role).await;
            edit = pressed.edit.as_ref().map(|answer| self.outbox.edit(sent, message.cover, answer));
        }
        self.note(press, pressed.note.clone()).await;
        if pressed.delete {
            let language = self.bot.reply_style(&asker).await.language;
            self.outbox.delete(sent, message.cover, language).await;
        }
        if let Some(edit) = edit {
            edit.await;
        }
    }

    async fn note(&self, press: &Press, note: Option<String>) {
        let mut request = AnswerCallbackQuery::new(CallbackQueryId(press.id.clone()));
        if let Some(note) = note {
            request = request.text(clipped(&note, NOTE));
        }
        if let Err(error) = self.api().call_within(&request, PATIENCE).await {
            // A press is void after a while; then nobody is waiting any more.
            debug!(%error, "a press could not be answered");
        }
    }
}
