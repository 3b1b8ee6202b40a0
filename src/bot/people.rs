//! The ids of people and chats on their platforms, and how logs show them.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use super::languages::Language;

/// A platform on which people and chats have ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Discord; ids are its snowflakes.
    Discord,
    /// Telegram; ids are those of its Bot API, negative for groups and channels.
    Telegram,
    /// Matrix; ids are hashes of its identifiers.
    Matrix,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Discord, Self::Telegram, Self::Matrix];

    /// Its name in the store, in logs and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Telegram => "telegram",
            Self::Matrix => "matrix",
        }
    }

    /// The platform with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name() == name)
    }
}

/// A person's id on a platform. Its `Debug` output is scrambled: see [`scrambled`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PersonId {
    /// The platform that assigned the id.
    pub platform: Platform,
    /// The platform's id of the user.
    pub id: i64,
}

/// A chat's or channel's id on a platform. Its `Debug` output is scrambled: see [`scrambled`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChatId {
    /// The platform that assigned the id.
    pub platform: Platform,
    /// The platform's id of the chat or channel.
    pub id: i64,
}

impl std::fmt::Debug for PersonId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "person-{}", scrambled(&(self.platform, self.id, "person")))
    }
}

impl std::fmt::Debug for ChatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "chat-{}", scrambled(&(self.platform, self.id, "chat")))
    }
}

/// The person who asks for something, and the chat they ask in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Who asks.
    pub person: PersonId,
    /// Where they ask.
    pub chat: ChatId,
    /// The language of the person's client, if supported.
    pub language: Option<Language>,
}

/// A hash of an id for logs, salted with a secret that lasts as long as the program: within one run
/// lines about the same chat can be matched, but nobody can find out which chat it is.
fn scrambled(id: &impl std::hash::Hash) -> String {
    static SALT: OnceLock<RandomState> = OnceLock::new();
    format!("{:016x}", SALT.get_or_init(RandomState::new).hash_one(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_id_can_be_matched_and_not_read() {
        let chat = |id| ChatId { platform: Platform::Telegram, id };
        let printed = format!("{:?}", chat(-100_123));
        assert!(!printed.contains("100123"), "{printed}");
        assert_eq!(printed, format!("{:?}", chat(-100_123)));
        assert_ne!(printed, format!("{:?}", chat(-100_124)));
        let person = PersonId { platform: Platform::Telegram, id: -100_123 };
        assert_ne!(printed.trim_start_matches("chat-"), format!("{person:?}").trim_start_matches("person-"));
    }
}
