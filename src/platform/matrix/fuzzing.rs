//! Properties that hold for every event of a room, from whoever writes into it. Compiled only for fuzzing and tests.

use ruma::RoomId;
use ruma::serde::Raw;
use serde_json::value::RawValue;

use super::incoming::RoomEvent;
use super::request::{Account, Intent, PhotoRequest, parse_intent};

/// `data` is an event's JSON.
pub fn matrix_event(data: &[u8]) {
    let Ok(raw) = serde_json::from_slice::<Box<RawValue>>(data) else { return };
    let Some(RoomEvent::Message(message)) = RoomEvent::from_raw(&Raw::<()>::from_json(raw)) else { return };
    let (Ok(room), Ok(user)) = (<&RoomId>::try_from("!room:a.example"), "@bot:a.example".try_into()) else { return };
    let me = Account { user, name: Some("Face Guesser".to_owned()) };
    for is_direct in [false, true] {
        match parse_intent(room, &message, &me, is_direct) {
            Intent::Photo(request) => {
                assert!(!is_direct || request.task.is_some(), "a photo between the two would not be answered");
                let restored = PhotoRequest::from_job(&request.to_job());
                assert!(restored.is_some_and(|restored| restored.destination() == request.destination()));
            }
            Intent::Talk => assert!(!is_direct, "a message between the two would not be answered"),
            Intent::Command(_) | Intent::Setting(_) => {}
        }
    }
}
