//! Properties of every gateway event. Compiled only for fuzzing and tests.

use serde_json::Value;

use super::components::reference;
use super::incoming::{File, IncomingMessage};
use super::interactions::Interaction;
use super::payload::displayed_picture;
use super::photos::Photos;
use super::requester::author;
use crate::bot::actions::Action;
use crate::bot::people::Platform;

/// Parses an event's JSON as a message, interaction and button press, whose sizes must be bounded.
pub fn discord_event(data: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return };
    let json = if json["d"].is_object() { &json["d"] } else { &json };
    if let Some(message) = IncomingMessage::from_json(json) {
        check(&message, 0);
        let user = message.mentions.first().copied();
        for photos in
            [Photos::from_addressed(&message, user), Photos::from_message(&message), Photos::from_uploads(&message)]
        {
            assert!(photos.links.len() <= 10, "{} pictures", photos.links.len());
            photos.has_spoiler();
            let stored = serde_json::to_string(&photos).ok().and_then(|text| serde_json::from_str(&text).ok());
            assert_eq!(stored, Some(photos), "photos change when they are stored");
        }
        author(&message);
    }
    if let Some(Interaction { requester, role, .. }) = Interaction::from_json(json) {
        requester.asker();
        assert!(requester.direct <= role.admin, "a direct chat without an admin");
        assert!(!(requester.direct && requester.external), "the bot is not a member of its own chat");
    }
    let reply = &json["message"];
    reference(reply);
    displayed_picture(reply);
    json["data"]["custom_id"].as_str().and_then(|code| Action::from_code(code, Platform::Discord));
    let attachments = json["data"]["resolved"]["attachments"].as_object();
    attachments.into_iter().flat_map(|all| all.values()).filter_map(File::from_attachment).for_each(drop);
}

fn check(message: &IncomingMessage, depth: usize) {
    assert!(depth <= 2, "messages are nested {depth} deep");
    let count = |file: &File| message.files.iter().filter(|other| other.id.is_some() && other.id == file.id).count();
    assert!(message.files.iter().all(|file| count(file) <= 1), "a file is listed twice");
    if let Some(other) = &message.replied_to {
        check(other, depth + 1);
    }
}
