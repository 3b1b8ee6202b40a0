//! Properties that hold for every update, from Telegram or anyone posing as Telegram. Compiled only
//! for fuzzing and tests.

use serde_json::{Value, json};

use super::identity::{self, BotAccount};
use super::incoming::Message;
use super::request::{Intent, MergedRequest, PhotoRequest, parse_guest, parse_intent};
use super::updates::{GuestMessage, Update, UpdateContent};
use crate::bot::actions::Action;
use crate::bot::people::Platform;

fn me() -> BotAccount {
    BotAccount { id: 42, username: "guess_bot".into(), can_read_all: true, supports_guests: true }
}

/// `data` is an update's JSON.
pub fn telegram_update(data: &[u8]) {
    let Ok(update) = serde_json::from_slice::<Value>(data) else { return };
    let Some(Update { id, content }) = Update::from_json(&update) else { return };
    match content {
        UpdateContent::Message(message) | UpdateContent::EditedMessage(message) => check_message(&message),
        UpdateContent::CallbackQuery(query) => {
            query.data.as_deref().and_then(|code| Action::from_code(code, Platform::Telegram));
            if let Some(message) = &query.message {
                check_message(message);
            }
        }
        UpdateContent::GuestMessage(guest) => check_guest(&guest, id),
        UpdateContent::BusinessConnection(connection) => {
            assert!(connection.chat.0 > 0, "a notice to a business account would not be private");
        }
        // The kind is logged, so it must be short and harmless.
        UpdateContent::Unknown(kind) => {
            assert!(kind.len() <= 40 && kind.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{kind}");
        }
    }
}

/// `data` is a message's text, checked as text and as a caption.
pub fn command_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let photo = json!([{ "file_id": "f", "width": 9, "height": 9 }]);
    for (field, photo) in [("text", Value::Null), ("caption", photo)] {
        let json = json!({ "message_id": 5, "chat": { "id": -7, "type": "group" }, field: text, "photo": photo });
        let message = Message::from_json(&json);
        assert!(message.is_some(), "a well-formed message is not parsed");
        message.iter().for_each(check_message);
    }
    crate::bot::fuzzing::choices(&text);
}

fn check_guest(guest: &GuestMessage, update: i64) {
    let Some(request) = parse_guest(guest, &me(), update) else { return };
    assert!(request.message.0 < 0, "a guest's request could be taken for a message of the asker's chat");
    assert_eq!(request.asker.chat.id, request.asker.person.id, "a guest's chat would be written to");
    let restored = PhotoRequest::from_job(&request.to_job());
    assert!(restored.is_some_and(|restored| restored.guest == request.guest), "a job is not restored");
}

fn check_message(message: &Message) {
    identity::asker(message);
    identity::is_sent_by_admin(message);
    let Some(Intent::Photos(request)) = parse_intent(message, &me()) else { return };
    assert_eq!(request.destination().reply_to, Some(message.id));
    let restored = PhotoRequest::from_job(&request.to_job());
    let reply_to = request.destination().reply_to;
    assert!(restored.is_some_and(|restored| restored.destination().reply_to == reply_to), "a job is not restored");
    let parts = [*request];
    let photos = MergedRequest::new(&parts).and_then(|merged| merged.photos);
    assert!(photos.is_none_or(|photos| !photos.files.is_empty()));
}
