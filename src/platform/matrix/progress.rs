//! What the next start has to know: how far events were received, and what is left to do about rooms.

use std::collections::VecDeque;

use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::ids::number;
use crate::bot::Bot;
use crate::bot::people::Platform;

/// The only connection's number in the store.
const CONNECTION: u32 = 0;
/// How many rooms are remembered as having been told about encryption.
const MAX_TOLD: usize = 1000;
/// How many invitations may wait; the oldest makes room for a further one.
const MAX_INVITES: usize = 100;

/// The progress of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    user: OwnedUserId,
    /// The homeserver's token of the last batch of events whose photos are stored.
    pub(super) since: Option<String>,
    /// Numbers of encrypted rooms that were told that the bot cannot read them.
    told: VecDeque<i64>,
    /// Rooms that the bot was invited to and has not joined yet, in the order of the invitations.
    invites: VecDeque<OwnedRoomId>,
}

impl Progress {
    /// That of an account which has received nothing yet.
    fn new(user: OwnedUserId) -> Self {
        Self { user, since: None, told: VecDeque::new(), invites: VecDeque::new() }
    }

    /// What an earlier run has stored about the account.
    pub(super) async fn load(bot: &Bot, user: &UserId) -> Self {
        let stored = bot.load_connection(Platform::Matrix, CONNECTION).await;
        let stored = stored.and_then(|stored| serde_json::from_str::<Self>(&stored).ok());
        stored.filter(|stored| stored.user == user).unwrap_or_else(|| Self::new(user.to_owned()))
    }

    pub(super) async fn save(&self, bot: &Bot) {
        // A struct of strings and numbers, which always serialises.
        let stored = serde_json::to_string(self).unwrap_or_default();
        bot.save_connection(Platform::Matrix, CONNECTION, Some(stored)).await;
    }

    /// Whether an encrypted room has to be told; at most once.
    pub(super) fn claim_notice(&mut self, room: &OwnedRoomId) -> bool {
        let room = number(room.as_str());
        if self.told.contains(&room) {
            return false;
        }
        self.told.push_back(room);
        if self.told.len() > MAX_TOLD {
            self.told.pop_front();
        }
        true
    }

    /// Notes an invitation; `false` if it is known already.
    pub(super) fn add_invite(&mut self, room: &OwnedRoomId) -> bool {
        if self.has_invite(room) {
            return false;
        }
        self.invites.push_back(room.clone());
        if self.invites.len() > MAX_INVITES {
            self.invites.pop_front();
            warn!("more than {MAX_INVITES} invitations on Matrix are waiting: the oldest is ignored");
        }
        true
    }

    /// Whether an invitation is still to be accepted.
    pub(super) fn has_invite(&self, room: &OwnedRoomId) -> bool {
        self.invites.contains(room)
    }

    pub(super) fn remove_invite(&mut self, room: &OwnedRoomId) {
        self.invites.retain(|invite| invite != room);
    }

    pub(super) fn invites(&self) -> VecDeque<OwnedRoomId> {
        self.invites.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_told_once_and_the_oldest_of_too_many_invitations_is_dropped() {
        let room = |number: usize| OwnedRoomId::try_from(format!("!{number}:a.example")).unwrap();
        let mut progress = Progress::new("@bot:a.example".try_into().unwrap());
        assert!(progress.claim_notice(&room(0)) && !progress.claim_notice(&room(0)));
        (1..=MAX_TOLD).for_each(|number| assert!(progress.claim_notice(&room(number))));
        assert_eq!(progress.told.len(), MAX_TOLD);
        (0..MAX_INVITES).for_each(|number| assert!(progress.add_invite(&room(number))));
        assert!(!progress.add_invite(&room(4)) && progress.has_invite(&room(0)));
        assert!(progress.add_invite(&room(MAX_INVITES)));
        assert!(!progress.has_invite(&room(0)) && progress.has_invite(&room(1)));
        assert_eq!(progress.invites().len(), MAX_INVITES);
        progress.remove_invite(&room(3));
        assert!(progress.add_invite(&room(3)) && progress.has_invite(&room(1)));
    }
}
