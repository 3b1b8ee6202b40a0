//! Property of the events received over the gateway. Compiled for fuzzing and tests only.

use serde_json::Value;

use super::body::picture_under;
use super::components::referred;
use super::guest::asker_of;
use super::incoming::{File, IncomingMessage};
use super::interactions::Interaction;
use super::photos::Photos;
use crate::bot::actions::Action;
use crate::bot::people::Platform;

/// An event's JSON as a message, an interaction or a button press: everything parsed from it is bounded.
pub fn discord_event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
    let event = if event["d"].is_object() { &event["d"] } else { &event };
    if let Some(message) = IncomingMessage::of(event) {
        check(&message, 0);
        let me = message.mentions.first().copied();
        for photos in [Photos::addressed(&message, me), Photos::of(&message), Photos::uploaded(&message)] {
            assert!(photos.links.len() <= 10, "{} pictures", photos.links.len());
            photos.covered();
            let restored = serde_json::to_string(&photos).ok().and_then(|text| serde_json::from_str(&text).ok());
            assert_eq!(restored, Some(photos), "a job does not preserve its photos");
        }
        asker_of(&message);
    }
    if let Some(Interaction { visitor, guest, .. }) = Interaction::of(event) {
        assert_eq!(visitor.asker(), guest.asker);
        assert!(visitor.direct <= guest.role.admin, "the user is not an admin of a direct message");
    }
    let reply = &event["message"];
    referred(reply);
    picture_under(reply);
    event["data"]["custom_id"].as_str().and_then(|code| Action::of(code, Platform::Discord));
    let attachments = event["data"]["resolved"]["attachments"].as_object();
    attachments.into_iter().flat_map(|all| all.values()).filter_map(File::attached).for_each(drop);
}

fn check(message: &IncomingMessage, depth: usize) {
    assert!(depth <= 2, "messages are nested {depth} deep");
    let count = |file: &File| message.files.iter().filter(|other| other.id.is_some() && other.id == file.id).count();
    assert!(message.files.iter().all(|file| count(file) <= 1), "a file occurs twice");
    if let Some(other) = &message.replied_to {
        check(other, depth + 1);
    }
}
