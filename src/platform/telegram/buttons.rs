//! Handles callback queries: presses of the buttons under replies.

use teloxide::payloads::{AnswerCallbackQuery, AnswerCallbackQuerySetters};
use teloxide::types::CallbackQueryId;
use tracing::debug;

use super::delivery::PostOutcome;
use super::form::SentMessage;
use super::handler::{Handler, LOOKUP_LIMIT};
use super::identity::{chat_id, person_id};
use super::incoming::{ChatKind, Message};
use super::photos::{AnswerOutcome, SINGLE_PHOTO};
use super::request::PhotoRequest;
use super::updates::CallbackQuery;
use crate::bot::actions::Action;
use crate::bot::commands::AskerRole;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, Platform};
use crate::bot::wording::clipped;
use crate::bot::{PhotoSource, Problem};
use crate::inference::FlowId;

/// The most characters of a notification (Bot API, answerCallbackQuery).
const MAX_NOTIFICATION: usize = 200;

impl Handler {
    /// Runs a button's action. Every query is answered, because until then the client shows the button
    /// as loading.
    pub(super) async fn handle_callback_query(&self, update: i64, query: CallbackQuery) {
        let action = query.data.as_deref().and_then(|code| Action::from_code(code, Platform::Telegram));
        let language = query.from.language.as_deref().and_then(Language::from_tag);
        let (Some(action), Some(message)) = (action, &query.message) else {
            if let (Some(action), Some(message)) = (action, &query.guest_message) {
                return self.press_guest(&query, action, message).await;
            }
            let notification = Problem::PhotoGone.message(language.unwrap_or_default());
            return self.answer_callback_query(&query, Some(notification)).await;
        };
        let asker = Asker { person: person_id(query.from.id), chat: chat_id(message.chat), language };
        if action.needs_photo() {
            self.analyse_again(update, &query, (action, message), asker).await;
        } else {
            self.run_action(&query, action, message, asker).await;
        }
    }

    /// Has the photo analysed again, the way that the button under the message asks for.
    async fn analyse_again(
        &self,
        update: i64,
        query: &CallbackQuery,
        (action, message): (Action, &Message),
        asker: Asker,
    ) {
        let replied = message.reply_to.as_ref();
        let photos = replied.and_then(|replied| replied.photos.clone().or(replied.external_photos.clone()));
        let problem = match &photos {
            None => Some(Problem::PhotoGone),
            Some(photos) if self.bot.has_opted_out(person_id(photos.author)).await => Some(Problem::OptedOut),
            Some(_) => match self.bot.admit(&asker, 1) {
                Ok(()) => None,
                Err(Some(problem)) => Some(problem),
                Err(None) => return self.answer_callback_query(query, None).await,
            },
        };
        let (Some(photos), None) = (photos, &problem) else {
            let language = self.bot.reply_style(&asker).await.language;
            let notification = problem.map(|problem| problem.message(language));
            return self.answer_callback_query(query, notification).await;
        };
        self.answer_callback_query(query, None).await;
        let request = PhotoRequest::for_button(action, message, photos, query.from.language.as_deref(), asker, update);
        if !self.bot.answers_photos() {
            return self.forward_button(update, request).await;
        }
        self.answer_button(action, &request).await;
    }

    /// Sends the answer to a button that needs the photo.
    pub(super) async fn answer_button(&self, action: Action, request: &PhotoRequest) -> AnswerOutcome {
        let (asker, destination) = (&request.asker, request.destination());
        let work = async {
            let style = self.bot.reply_style(asker).await;
            let files = request.photos.as_ref().map(|photos| photos.files.clone()).unwrap_or_default();
            let source = self.files.sources(files).await.into_iter().next();
            let source = source.unwrap_or(PhotoSource::Refused(Problem::PhotoGone));
            let flow = FlowId::from_key(&asker.person);
            let answer = self.bot.handle_photo_button(flow, action, source, &style, SINGLE_PHOTO).await;
            self.sender.answer(request.job_key(), destination, &answer).await
        };
        let outcome = self.typing_while(destination, work).await;
        AnswerOutcome { is_final: outcome != PostOutcome::Deferred, reply: None }
    }

    async fn run_action(&self, query: &CallbackQuery, action: Action, message: &Message, mut asker: Asker) {
        let chat_as_person = person_id(message.chat.0);
        let needs_admin = match action {
            Action::ChangeSetting(_) | Action::Reveal { .. } => true,
            // Replies requested on behalf of the group or channel belong to its admins.
            Action::Delete { asker } => asker == chat_as_person,
            _ => false,
        };
        let direct = message.chat_kind == ChatKind::Private;
        let admin = direct || needs_admin && self.is_admin(message.chat, query.from.id).await;
        if admin && action == (Action::Delete { asker: chat_as_person }) {
            asker.person = chat_as_person;
        }
        let role = AskerRole { name: query.from.name.clone(), admin, direct };
        let sent = SentMessage { chat: message.chat, id: message.id, is_picture: message.is_picture };
        let (pressed, edit);
        {
            // Edits of a game must start in the order of the guesses that they show.
            let _in_order = self.callback_lock.lock().await;
            pressed = self.bot.handle_button(action, &asker, &role).await;
            edit = pressed.edit.as_ref().map(|answer| self.sender.edit(sent, message.flags, answer));
        }
        self.answer_callback_query(query, pressed.note.clone()).await;
        if pressed.delete {
            let language = self.bot.reply_style(&asker).await.language;
            self.sender.delete(sent, message.flags, language).await;
        }
        if let Some(edit) = edit {
            edit.await;
        }
    }

    pub(super) async fn answer_callback_query(&self, query: &CallbackQuery, notification: Option<String>) {
        let mut request = AnswerCallbackQuery::new(CallbackQueryId(query.id.clone()));
        if let Some(notification) = notification {
            request = request.text(clipped(&notification, MAX_NOTIFICATION));
        }
        if let Err(error) = self.api().call_within(&request, LOOKUP_LIMIT).await {
            // Queries expire after a while; then the client no longer waits.
            debug!(%error, "a callback query could not be answered");
        }
    }
}
