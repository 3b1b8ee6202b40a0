//! Games and scores in the bucket.
//!
//! | key | value |
//! |---|---|
//! | `game.<number>.<platform>.<chat>.<host>` | the game with its guesses |
//! | `guessed.<number>.<platform>.<person>` | nothing: finds the games that somebody guessed in |
//! | `score.<platform>.<chat>.<person>` | name and points |

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ClusterStore, since_1970};
use crate::bot::game::{Game, GameStore, GuessOutcome, MAX_OPEN_GAMES, MAX_SCORES, Player};
use crate::bot::people::{ChatId, PersonId, Platform};
use crate::bot::store::StoreError;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredGame {
    guess: String,
    age: f32,
    truth: Option<u8>,
    /// In order of arrival.
    pub guesses: Vec<StoredGuess>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredGuess {
    pub person: i64,
    name: String,
    age: u8,
}

#[derive(Serialize, Deserialize)]
struct StoredScore {
    name: String,
    points: u32,
    /// The order of the first points, which decides between equals.
    since: Duration,
}

/// Where a game is played, and by whom it was started, from its key.
struct GameKey {
    key: String,
    chat: ChatId,
    host: PersonId,
}

impl GameKey {
    fn parse(key: String) -> Option<Self> {
        let mut parts = key.split('.').skip(2);
        let platform = Platform::from_name(parts.next()?)?;
        let mut id = || parts.next()?.parse().ok();
        let (chat, host) = (ChatId { platform, id: id()? }, PersonId { platform, id: id()? });
        Some(Self { key, chat, host })
    }

    fn game(&self, stored: StoredGame) -> Game {
        let StoredGame { guess, age, truth, guesses } = stored;
        let player = |person, name| Player { person: PersonId { id: person, ..self.host }, name };
        let guesses =
            guesses.into_iter().map(|StoredGuess { person, name, age }| (player(person, name), age)).collect();
        Game { chat: self.chat, host: self.host, guess, age, truth, guesses }
    }
}

impl ClusterStore {
    async fn game_key(&self, number: i64) -> Result<Option<GameKey>, StoreError> {
        let keys = self.state.keys(&format!("game.{number}.>")).await?;
        Ok(keys.into_iter().find_map(GameKey::parse))
    }

    async fn drop_oldest_games(&self, chat: ChatId) -> Result<(), StoreError> {
        let mut keys = self.state.keys(&format!("game.*.{}.{}.*", chat.platform.name(), chat.id)).await?;
        keys.sort_by_key(|key| game_number(key).parse::<i64>().ok());
        let excess = keys.len().saturating_sub(MAX_OPEN_GAMES);
        for key in keys.drain(..excess) {
            self.erase_games(&key).await?;
        }
        Ok(())
    }

    /// Deletes the games whose keys match a pattern as in [`Bucket::keys`](super::bucket::Bucket::keys), and the notes
    /// of who guessed in them.
    pub(super) async fn erase_games(&self, pattern: &str) -> Result<(), StoreError> {
        for key in self.state.keys(pattern).await? {
            self.state.erase(&key).await?;
            self.erase_guessed(game_number(&key)).await?;
        }
        Ok(())
    }

    /// Deletes the notes of who guessed in a game.
    async fn erase_guessed(&self, number: &str) -> Result<(), StoreError> {
        self.state.erase(&format!("guessed.{number}.>")).await
    }
}

/// The number of a game, from its key or that of a note of who guessed in it.
pub(super) fn game_number(key: &str) -> &str {
    key.split('.').nth(1).unwrap_or_default()
}

impl GameStore for ClusterStore {
    /// Its number consists of the time, by which the oldest game is found, and random bits.
    fn open_game(&self, game: &Game) -> Result<i64, StoreError> {
        let Game { chat, host, guess, age, truth, .. } = game;
        let number = since_1970().as_millis().cast_signed() as i64;
        let number = (number << 16) | i64::from(rand::random::<u16>());
        let key = format!("game.{number}.{}.{}.{}", chat.platform.name(), chat.id, host.id);
        let stored = StoredGame { guess: guess.clone(), age: *age, truth: *truth, guesses: Vec::new() };
        self.wait(async {
            self.state.put(&key, &stored).await?;
            self.drop_oldest_games(*chat).await
        })?;
        Ok(number)
    }

    fn game(&self, number: i64) -> Result<Option<Game>, StoreError> {
        self.wait(async {
            let Some(key) = self.game_key(number).await? else { return Ok(None) };
            Ok(self.state.get(&key.key).await?.map(|stored| key.game(stored)))
        })
    }

    fn guess(&self, number: i64, player: &Player, age: u8) -> Result<GuessOutcome, StoreError> {
        let guess = |stored: Option<StoredGame>| {
            let Some(mut game) = stored else { return (None, GuessOutcome::GameOver) };
            if let Some(earlier) = game.guesses.iter().find(|guess| guess.person == player.person.id) {
                let age = earlier.age;
                return (None, GuessOutcome::AlreadyGuessed(age));
            }
            game.guesses.push(StoredGuess { person: player.person.id, name: player.name.clone(), age });
            let players = game.guesses.len();
            (Some(game), GuessOutcome::Accepted { players })
        };
        self.wait(async {
            let Some(key) = self.game_key(number).await? else { return Ok(GuessOutcome::GameOver) };
            let guessed = format!("guessed.{number}.{}.{}", player.person.platform.name(), player.person.id);
            self.state.put(&guessed, &()).await?;
            let outcome = self.state.change(&key.key, guess).await?;
            if outcome == GuessOutcome::GameOver {
                self.state.erase(&guessed).await?;
            }
            Ok(outcome)
        })
    }

    /// Deletes the game first: were this process killed before the points are given, they would be lost,
    /// but never given twice.
    fn end_game(&self, number: i64, winners: &dyn Fn(&Game) -> Vec<Player>) -> Result<Option<Game>, StoreError> {
        self.wait(async {
            loop {
                let Some(key) = self.game_key(number).await? else { return Ok(None) };
                let Some((stored, revision)) = self.state.entry(&key.key).await? else { return Ok(None) };
                if !self.state.remove(revision).await? {
                    // Somebody guessed meanwhile, or ended it.
                    continue;
                }
                let game = key.game(stored);
                self.erase_guessed(&number.to_string()).await?;
                for Player { person, name } in winners(&game) {
                    let key = format!("score.{}.{}.{}", game.chat.platform.name(), game.chat.id, person.id);
                    let since = since_1970();
                    let add = |stored: Option<StoredScore>| {
                        let (points, since) = stored.map_or((0, since), |score| (score.points, score.since));
                        (Some(StoredScore { name: name.clone(), points: points + 1, since }), ())
                    };
                    self.state.change(&key, add).await?;
                }
                return Ok(Some(game));
            }
        })
    }

    fn scores(&self, chat: ChatId) -> Result<Vec<(String, u32)>, StoreError> {
        self.wait(async {
            let mut scores = Vec::new();
            for key in self.state.keys(&format!("score.{}.{}.*", chat.platform.name(), chat.id)).await? {
                scores.extend(self.state.get::<StoredScore>(&key).await?);
            }
            scores.sort_by_key(|score| (std::cmp::Reverse(score.points), score.since));
            Ok(scores.into_iter().take(MAX_SCORES).map(|score| (score.name, score.points)).collect())
        })
    }
}
