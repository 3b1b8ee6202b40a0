//! What chats and people have chosen.

use super::languages::Language;
use super::people::{ChatId, PersonId};
use super::store::StoreError;

/// Whether replies state a gender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GenderPolicy {
    /// Whenever the estimator reports one: not for small children, nor where it is uncertain.
    #[default]
    Always,
    /// Only from a probability that the operator chose; below it the reply says that it cannot tell.
    Sure,
    /// Not at all.
    Never,
}

impl GenderPolicy {
    /// From the most open to the most reserved.
    pub const ALL: [Self; 3] = [Self::Always, Self::Sure, Self::Never];

    /// Its name in commands, messages and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Sure => "sure",
            Self::Never => "never",
        }
    }

    /// The policy with this name, ignoring ASCII case and surrounding whitespace.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The next one, cyclically, as a button steps through them.
    pub fn next(self) -> Self {
        match self {
            Self::Always => Self::Sure,
            Self::Sure => Self::Never,
            Self::Never => Self::Always,
        }
    }
}

/// Whether replies mention a smile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmilePolicy {
    /// Where the estimator is sure of one.
    #[default]
    Sure,
    /// Not at all.
    Never,
}

impl SmilePolicy {
    const ALL: [Self; 2] = [Self::Sure, Self::Never];

    /// Its name in messages and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sure => "sure",
            Self::Never => "never",
        }
    }

    /// The policy with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The other one.
    pub fn next(self) -> Self {
        match self {
            Self::Sure => Self::Never,
            Self::Never => Self::Sure,
        }
    }
}

/// What a chat's admins have chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChatSettings {
    /// Whether every photo is answered without a request.
    pub auto: bool,
    /// `None`: each person's own.
    pub language: Option<Language>,
    /// The policy for all replies in the chat, unless the person's or the operator's is more reserved.
    pub gender: GenderPolicy,
    /// The policy for all replies in the chat, unless the operator's is more reserved.
    pub smile: SmilePolicy,
    /// Whether replies are visible to the asker alone, where the platform supports it.
    pub private: bool,
}

/// What a person has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PersonSettings {
    /// Whether their photos are ignored.
    pub opted_out: bool,
    /// `None`: the client's.
    pub language: Option<Language>,
    /// The policy for replies to them, unless the chat's or the operator's is more reserved.
    pub gender: GenderPolicy,
}

/// Persists settings; part of [`Store`](super::store::Store). A chat or person without an entry has the
/// defaults.
pub trait SettingsStore {
    /// A chat's settings.
    fn chat(&self, chat: ChatId) -> Result<ChatSettings, StoreError>;
    /// Changes a chat's settings in one transaction and returns the new ones.
    fn change_chat(&self, chat: ChatId, change: &mut dyn FnMut(&mut ChatSettings)) -> Result<ChatSettings, StoreError>;
    /// A person's settings.
    fn person(&self, person: PersonId) -> Result<PersonSettings, StoreError>;
    /// Changes a person's settings in one transaction and returns the new ones.
    fn change_person(
        &self,
        person: PersonId,
        change: &mut dyn FnMut(&mut PersonSettings),
    ) -> Result<PersonSettings, StoreError>;
}
