//! The game: people guess an age first, then the bot reveals its own guess.
//!
//! Owns the messages, the rules and the [`GameStore`] that persists games and scores.

use tracing::info;

use super::actions::{Action, Button};
use super::commands::{AskerRole, ButtonResponse};
use super::languages::Language;
use super::people::{Asker, ChatId, PersonId};
use super::store::{Store, StoreError};
use super::{Answer, Bot, PhotoSource};
use crate::Framing;
use crate::inference::FlowId;

/// The guesses that have a button: twenty, in rows of five, the widest that Discord shows.
const AGES: [[u8; 5]; 4] = [[1, 5, 10, 15, 20], [25, 30, 35, 40, 45], [50, 55, 60, 65, 70], [75, 80, 85, 90, 95]];
/// How many of a chat's best players [`GameStore::scores`] returns.
pub const MAX_SCORES: usize = 10;
/// The most open games of a chat; older ones are deleted.
pub const MAX_OPEN_GAMES: usize = 20;
/// The most characters of a name on the scoreboard.
const MAX_NAME: usize = 40;

/// A player, as the scoreboard shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// Their id on the platform.
    pub person: PersonId,
    /// Their name in messages and on the scoreboard.
    pub name: String,
}

/// A game: people guess, then the bot's guess is revealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    /// The chat in which it is played.
    pub chat: ChatId,
    /// The person who started it and may end it.
    pub host: PersonId,
    /// The bot's guess as text, in the language in which the game was started.
    pub guess: String,
    /// The bot's guess in years.
    pub age: f32,
    /// The true age, if the host gave it.
    pub truth: Option<u8>,
    /// Each player's guess, in order of arrival.
    pub guesses: Vec<(Player, u8)>,
}

/// The result of a player's guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuessOutcome {
    /// It counts; this many players have guessed so far.
    Accepted {
        /// The number of players who have guessed, this one included.
        players: usize,
    },
    /// The player had already guessed this age.
    AlreadyGuessed(u8),
    /// The game is over or never existed.
    GameOver,
}

/// Persists games and scores; part of [`Store`].
pub trait GameStore {
    /// Inserts a game without its guesses and returns its number.
    fn open_game(&self, game: &Game) -> Result<i64, StoreError>;
    /// A game that is not over, with its guesses.
    fn game(&self, number: i64) -> Result<Option<Game>, StoreError>;
    /// Records a player's guess in years, unless the game is over or they have already guessed.
    fn guess(&self, number: i64, player: &Player, age: u8) -> Result<GuessOutcome, StoreError>;
    /// Ends a game in one transaction: gives each of the `winners` a point and deletes the game. Returns
    /// its final state; `None` when it had already ended.
    fn end_game(&self, number: i64, winners: &dyn Fn(&Game) -> Vec<Player>) -> Result<Option<Game>, StoreError>;
    /// The best players of a chat, best first: name and points.
    fn scores(&self, chat: ChatId) -> Result<Vec<(String, u32)>, StoreError>;
}

impl Bot {
    /// Starts a game about the one face in a photo; `truth` is the true age, if the host gave it.
    pub async fn game(&self, photo: PhotoSource, truth: Option<u8>, asker: &Asker) -> Answer {
        let style = self.reply_style(asker).await;
        let language = style.language;
        let (flow, platform) = (FlowId::from_key(&asker.person), asker.chat.platform.name());
        let analysis = match self.analyse(platform, flow, photo, Framing::Find).await {
            Ok((_, analysis)) => analysis,
            Err(problem) => return problem.message(language).into(),
        };
        let face = match analysis.faces.as_slice() {
            [face] if !face.estimate.is_age_unknown() => face,
            _ => return language.message("game-unsure").into(),
        };
        let game = Game {
            chat: asker.chat,
            host: asker.person,
            guess: style.person(face),
            age: face.estimate.age(),
            truth,
            guesses: Vec::new(),
        };
        match self.with_store(move |store| store.open_game(&game)).await {
            Ok(number) => {
                info!(chat = ?asker.chat, "a game was opened");
                open_game_message(number, 0, language)
            }
            Err(problem) => problem.message(language).into(),
        }
    }

    pub(super) async fn record_guess(
        &self,
        number: i64,
        player: Player,
        age: u8,
        language: Language,
    ) -> ButtonResponse {
        // `None`: the player is the host, who knows the true age.
        let record = move |store: &dyn Store| {
            let knows = store.game(number)?.is_some_and(|game| game.truth.is_some() && game.host == player.person);
            let player = Player { name: player.name.chars().take(MAX_NAME).collect(), ..player };
            if knows { Ok(None) } else { store.guess(number, &player, age).map(Some) }
        };
        let with_age = |id: &str, age: u8| language.message_with(id, &[("age", u64::from(age).into())]);
        match self.with_store(record).await {
            Ok(None) => ButtonResponse::note(language.message("game-host")),
            Ok(Some(GuessOutcome::Accepted { players })) => ButtonResponse {
                note: Some(with_age("game-taken", age)),
                edit: Some(open_game_message(number, players, language)),
                delete: false,
            },
            Ok(Some(GuessOutcome::AlreadyGuessed(age))) => ButtonResponse::note(with_age("game-already-guessed", age)),
            Ok(Some(GuessOutcome::GameOver)) => ButtonResponse::note(language.message("game-over")),
            Err(problem) => ButtonResponse::note(problem.message(language)),
        }
    }

    pub(super) async fn reveal_game(
        &self,
        number: i64,
        asker: &Asker,
        role: &AskerRole,
        language: Language,
    ) -> ButtonResponse {
        let game = match self.with_store(move |store| store.game(number)).await {
            Ok(Some(game)) if game.chat == asker.chat => game,
            Ok(_) => return ButtonResponse::note(language.message("game-over")),
            Err(problem) => return ButtonResponse::note(problem.message(language)),
        };
        if game.host != asker.person && !role.admin {
            return ButtonResponse::note(language.message("not-yours"));
        }
        let players = |game: &Game| winners(game).into_iter().map(|(player, _)| player).collect();
        match self.with_store(move |store| store.end_game(number, &players)).await {
            Ok(Some(game)) => {
                let message = ended_game_message(&game, &winners(&game), language);
                ButtonResponse { edit: Some(message.into()), ..ButtonResponse::default() }
            }
            Ok(None) => ButtonResponse::note(language.message("game-over")),
            Err(problem) => ButtonResponse::note(problem.message(language)),
        }
    }
}

/// The message of an open game, with its buttons.
fn open_game_message(number: i64, players: usize, language: Language) -> Answer {
    let guess = |age: u8| Button { action: Action::Guess { game: number, age }, label: age.to_string() };
    let mut buttons: Vec<Vec<Button>> = AGES.iter().map(|row| row.iter().map(|age| guess(*age)).collect()).collect();
    buttons.push(vec![Button { action: Action::Reveal { game: number }, label: language.message("game-reveal") }]);
    let players = language.message_with("game-players", &[("count", players.into())]);
    Answer { text: format!("{}\n{players}", language.message("game")), buttons, ..Answer::default() }
}

/// The distance of an age in years: from the true age where it is known, from the bot's guess otherwise.
fn distance(game: &Game, age: f32) -> f32 {
    (age - game.truth.map_or(game.age, f32::from)).abs()
}

/// The players who came closest, with their guesses.
fn winners(game: &Game) -> Vec<(Player, u8)> {
    let closest = game.guesses.iter().map(|(_, age)| distance(game, f32::from(*age))).fold(f32::INFINITY, f32::min);
    game.guesses.iter().filter(|(_, age)| distance(game, f32::from(*age)) <= closest).cloned().collect()
}

fn ended_game_message(game: &Game, winners: &[(Player, u8)], language: Language) -> String {
    let mut lines = vec![language.message_with("game-mine", &[("person", (&game.guess).into())])];
    if let Some(truth) = game.truth {
        lines.push(language.message_with("game-truth", &[("age", u64::from(truth).into())]));
    }
    match winners.first() {
        Some((_, age)) => {
            let names = winners.iter().map(|(player, _)| player.name.as_str()).collect::<Vec<_>>().join(", ");
            let mut ages: Vec<String> = winners.iter().map(|(_, age)| age.to_string()).collect();
            ages.sort();
            ages.dedup();
            let ages = ages.join(", ");
            let variables = [("count", winners.len().into()), ("names", (&names).into()), ("age", (&ages).into())];
            let mut line = language.message_with("game-winner", &variables);
            if game.truth.is_some() && distance(game, f32::from(*age)) < distance(game, game.age) {
                line = format!("{line} {}", language.message("game-beaten"));
            }
            lines.push(line);
        }
        None => lines.push(language.message("game-nobody")),
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bot::people::Platform;

    fn game(truth: Option<u8>, guesses: &[(&str, u8)]) -> Game {
        let platform = Platform::Discord;
        let player = |(index, (name, age)): (usize, &(&str, u8))| {
            (Player { person: PersonId { platform, id: index as i64 }, name: (*name).into() }, *age)
        };
        Game {
            chat: ChatId { platform, id: 1 },
            host: PersonId { platform, id: 99 },
            guess: "a woman of about 31 (likely 27 to 35)".into(),
            age: 31.0,
            truth,
            guesses: guesses.iter().enumerate().map(player).collect(),
        }
    }

    fn message(game: &Game) -> String {
        ended_game_message(game, &winners(game), Language::English)
    }

    #[test]
    fn the_closest_to_the_truth_win_and_learn_when_they_beat_the_bot() {
        let text = message(&game(Some(40), &[("Ann", 20), ("Ben", 35), ("Cem", 45)]));
        assert!(text.contains("The true age: 40."), "{text}");
        assert!(
            text.contains("Closest: Ben, Cem, with a guess of 35, 45. A point each! And closer than me!"),
            "{text}"
        );
        let text = message(&game(Some(30), &[("Ann", 20)]));
        assert!(text.contains("Closest: Ann") && !text.contains("closer than me"), "{text}");
    }

    #[test]
    fn without_the_truth_the_closest_to_the_bot_win() {
        let text = message(&game(None, &[("Ann", 30), ("Ben", 50)]));
        assert!(text.starts_with("My guess: a woman") && text.contains("Closest: Ann, with a guess of 30. One point!"));
        assert!(message(&game(None, &[])).ends_with("Nobody guessed this time."));
    }

    #[test]
    fn the_buttons_fit_discords_rows() {
        let Answer { buttons, .. } = open_game_message(i64::MAX, 3, Language::English);
        assert!(buttons.len() <= 5 && buttons.iter().all(|row| row.len() <= 5));
    }
}
