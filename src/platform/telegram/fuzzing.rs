//! Properties of updates, from Telegram or from anyone who pretends to be it. Compiled for fuzzing and
//! tests only.

use serde_json::{Value, json};

use super::Me;
use super::incoming::{Content, Message, Update};
use super::request::{self, Gathered, Request, Wish};
use crate::bot::actions::Action;
use crate::bot::people::Platform;

fn me() -> Me {
    Me { id: 42, username: "guess_bot".into(), can_read_all: true }
}

/// An update's JSON.
pub fn telegram_update(data: &[u8]) {
    let Ok(update) = serde_json::from_slice::<Value>(data) else { return };
    let Some(Update { content, .. }) = Update::of(&update) else { return };
    match content {
        Content::Message(message) | Content::Edited(message) => check_message(&message),
        Content::Press(press) => {
            press.data.as_deref().and_then(|code| Action::of(code, Platform::Telegram));
            if let Some(message) = &press.message {
                check_message(message);
            }
        }
        // The kind is logged.
        Content::Other(kind) => {
            assert!(kind.len() <= 40 && kind.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{kind}");
        }
    }
}

/// What a user writes to the bot, as text and as a caption.
pub fn command_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let photo = json!([{ "file_id": "f", "width": 9, "height": 9 }]);
    for content in [("text", Value::Null), ("caption", photo)] {
        let (field, photo) = content;
        let message = json!({ "message_id": 5, "chat": { "id": -7, "type": "group" }, field: text, "photo": photo });
        // A message of this form can always be parsed.
        let message = Message::of(&message);
        assert!(message.is_some());
        message.iter().for_each(check_message);
    }
    crate::bot::fuzzing::choices(&text);
}

fn check_message(message: &Message) {
    request::asker(message);
    request::is_admin_by_itself(message);
    let Some(Wish::Photos(request)) = request::wish(message, &me()) else { return };
    let place = request.place();
    assert_eq!(place.about, Some(message.id));
    let job = request.job();
    assert!(Request::of(&job).is_some_and(|again| again.place().about == place.about), "a job cannot be restored");
    let parts = [request];
    let gathered = Gathered::of(&parts);
    let photos = gathered.as_ref().and_then(|gathered| gathered.photos.as_ref());
    assert!(photos.is_none_or(|photos| !photos.files.is_empty()));
}
