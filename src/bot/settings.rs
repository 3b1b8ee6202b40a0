//! What chats and people have chosen, and what that comes to together.

use super::jobs::Jobs;
use super::languages::Language;
use super::people::{ChatId, PersonId};

/// Whether a gender is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GenderPolicy {
    #[default]
    Always,
    /// Only from a probability on that the host chose; below it the answer says that it cannot tell.
    Sure,
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

    /// The one of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The next one, round and round, as a button steps through them.
    pub fn next(self) -> Self {
        match self {
            Self::Always => Self::Sure,
            Self::Sure => Self::Never,
            Self::Never => Self::Always,
        }
    }
}

/// What a chat's admins have chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChatSettings {
    /// Whether every photo is answered without being asked about.
    pub auto: bool,
    /// `None`: everybody's own.
    pub language: Option<Language>,
    pub gender: GenderPolicy,
    /// Whether replies are shown to the asker alone, where the platform can.
    pub private: bool,
}

/// What a person has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PersonSettings {
    /// Whether their photos are ignored.
    pub opted_out: bool,
    /// `None`: the client's.
    pub language: Option<Language>,
    pub gender: GenderPolicy,
}

/// Somebody who plays, as the scoreboard shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    pub person: PersonId,
    pub name: String,
}

/// A game: people guess, then the bot's guess is revealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    pub chat: ChatId,
    /// Who started it, and may end it.
    pub host: PersonId,
    /// The bot's guess in words, in the language in which the game was started.
    pub guess: String,
    /// The bot's guess in years.
    pub age: f32,
    /// The true age, if the host gave it.
    pub truth: Option<u8>,
    /// Everybody's guess, in the order in which they came.
    pub guesses: Vec<(Player, u8)>,
}

/// What came of somebody's guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guessed {
    /// It counts; so many have guessed by now.
    Counts { players: usize },
    /// They had guessed this before.
    Before(u8),
    /// The game is over or was never there.
    Over,
}

/// Why nothing could be kept or looked up.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be {doing}: {source}")]
pub struct StoreError {
    pub doing: &'static str,
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where settings, games, scores and [jobs](Jobs) are kept. Calls may block for a moment.
///
/// Each fails with [`StoreError`] when what lies behind it does.
pub trait Store: Jobs + Send + Sync {
    fn chat(&self, chat: ChatId) -> Result<ChatSettings, StoreError>;
    /// Changes a chat's settings in one transaction, and returns what they are now.
    fn change_chat(&self, chat: ChatId, change: &mut dyn FnMut(&mut ChatSettings)) -> Result<ChatSettings, StoreError>;
    fn person(&self, person: PersonId) -> Result<PersonSettings, StoreError>;
    /// Changes a person's settings in one transaction, and returns what they are now.
    fn change_person(
        &self,
        person: PersonId,
        change: &mut dyn FnMut(&mut PersonSettings),
    ) -> Result<PersonSettings, StoreError>;
    /// Deletes all that is kept of a person, scores, guesses and jobs included, and leaves no trace of
    /// it on disk.
    fn forget_person(&self, person: PersonId) -> Result<(), StoreError>;
    /// Deletes all that is kept of a chat, its games, scores and jobs included, and leaves no trace of
    /// it on disk.
    fn forget_chat(&self, chat: ChatId) -> Result<(), StoreError>;
    /// A chat has another number now.
    fn move_chat(&self, from: ChatId, to: ChatId) -> Result<(), StoreError>;
    /// Begins a game (without guesses) and returns its number.
    fn open_game(&self, game: &Game) -> Result<i64, StoreError>;
    /// A game that is not over, with its guesses.
    fn game(&self, number: i64) -> Result<Option<Game>, StoreError>;
    fn guess(&self, number: i64, player: &Player, age: u8) -> Result<Guessed, StoreError>;
    /// Ends a game in one transaction: gives the `winners` of all its guesses a point each and deletes
    /// it. Returns it as it ended; `None` when somebody else had ended it already.
    fn end_game(&self, number: i64, winners: &dyn Fn(&Game) -> Vec<Player>) -> Result<Option<Game>, StoreError>;
    /// The best players of a chat, best first: name and points.
    fn scores(&self, chat: ChatId) -> Result<Vec<(String, u32)>, StoreError>;
}
