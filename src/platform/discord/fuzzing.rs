//! What must hold for every event that comes over the gateway. Only fuzzing and the tests have this
//! module.

use serde_json::Value;

use super::body::picture_under;
use super::components::referred;
use super::guest::asker_of;
use super::incoming::{File, IncomingMessage};
use super::interactions::Interaction;
use super::photos::Photos;
use crate::bot::actions::Action;
use crate::bot::people::Platform;

/// An event's JSON as message, interaction or press of a button: whatever is read of it is bounded.
pub fn discord_event(data: &[u8]) {
    let Ok(told) = serde_json::from_slice::<Value>(data) else { return };
    let told = if told["d"].is_object() { &told["d"] } else { &told };
    if let Some(message) = IncomingMessage::of(told) {
        check(&message, 0);
        let me = message.mentions.first().copied();
        for photos in [Photos::addressed(&message, me), Photos::of(&message), Photos::uploaded(&message)] {
            assert!(photos.links.len() <= 10, "{} pictures", photos.links.len());
            photos.covered();
            let kept = serde_json::to_string(&photos).ok().and_then(|text| serde_json::from_str(&text).ok());
            assert_eq!(kept, Some(photos), "a job does not keep what it is about");
        }
        asker_of(&message);
    }
    if let Some(Interaction { visitor, guest, .. }) = Interaction::of(told) {
        assert_eq!(visitor.asker(), guest.asker);
        assert!(visitor.direct <= guest.role.admin, "nobody rules a chat with the bot alone");
    }
    let reply = &told["message"];
    referred(reply);
    picture_under(reply);
    told["data"]["custom_id"].as_str().and_then(|code| Action::of(code, Platform::Discord));
    let attachments = told["data"]["resolved"]["attachments"].as_object();
    attachments.into_iter().flat_map(|all| all.values()).filter_map(File::attached).for_each(drop);
}

fn check(message: &IncomingMessage, depth: usize) {
    assert!(depth <= 2, "messages within messages, {depth} deep");
    let known = |file: &File| message.files.iter().filter(|other| other.id.is_some() && other.id == file.id).count();
    assert!(message.files.iter().all(|file| known(file) <= 1), "a file is there twice");
    if let Some(other) = &message.replied_to {
        check(other, depth + 1);
    }
}
