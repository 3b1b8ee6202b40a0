//! Matrix's identifiers, which are texts, as the numbers that the store and the bot use.

use ring::digest::{SHA256, digest};
use ruma::{EventId, RoomId, UserId};

use crate::bot::people::{ChatId, PersonId, Platform};

/// The first 64 bits of the SHA-256 of an identifier. Nobody can choose an identifier whose number is that of another.
pub(super) fn number(id: &str) -> i64 {
    let digest = digest(&SHA256, id.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
}

pub(super) fn person_id(user: &UserId) -> PersonId {
    PersonId { platform: Platform::Matrix, id: number(user.as_str()) }
}

pub(super) fn chat_id(room: &RoomId) -> ChatId {
    ChatId { platform: Platform::Matrix, id: number(room.as_str()) }
}

/// The numbers of a room and of an event in it: an identifier alone is that of any room whose members choose to use it.
pub(super) type EventKey = (i64, i64);

pub(super) fn event_key(room: &RoomId, event: &EventId) -> EventKey {
    (number(room.as_str()), event_number(event))
}

pub(super) fn event_number(event: &EventId) -> i64 {
    number(event.as_str())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_the_same_in_every_version_of_the_program() {
        // SHA-256 of "abc" starts with ba7816bf 8f01cfea (FIPS 180-4).
        assert_eq!(number("abc"), 0xba78_16bf_8f01_cfea_u64.cast_signed());
        assert_ne!(number("!a:one.example"), number("!a:other.example"));
    }
}
