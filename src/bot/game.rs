//! The game: people guess an age first, then the bot shows its own guess.

use tracing::info;

use super::actions::{Action, Button};
use super::commands::{AskerRole, Pressed};
use super::languages::Language;
use super::people::Asker;
use super::settings::{Game, Guessed, Player};
use super::{Answer, Bot, PhotoSource};
use crate::inference::{FlowId, Framing};

/// The guesses that have a button: twenty, in rows of five, which is as wide as Discord shows them.
const AGES: [[u8; 5]; 4] = [[1, 5, 10, 15, 20], [25, 30, 35, 40, 45], [50, 55, 60, 65, 70], [75, 80, 85, 90, 95]];
/// The most characters of a name on the scoreboard.
const NAME: usize = 40;

impl Bot {
    /// Begins a game about the one face in a photo; `truth` is the true age, if the host gave it.
    pub async fn game(&self, photo: PhotoSource, truth: Option<u8>, asker: &Asker) -> Answer {
        let style = self.reply_style(asker).await;
        let language = style.language;
        let analysis = match self.look(FlowId::of(&asker.person), photo, Framing::Find).await {
            Ok((_, analysis)) => analysis,
            Err(problem) => return problem.message(language).into(),
        };
        let [face] = analysis.faces.as_slice() else { return language.say("game-unsure").into() };
        let game = Game {
            chat: asker.chat,
            host: asker.person,
            guess: style.person(face),
            age: face.estimate.age(),
            truth,
            guesses: Vec::new(),
        };
        match self.kept(move |store| store.open_game(&game)).await {
            Ok(number) => {
                info!(chat = ?asker.chat, "a game was opened");
                board(number, 0, language)
            }
            Err(problem) => problem.message(language).into(),
        }
    }

    pub(super) async fn game_guess(&self, number: i64, player: Player, age: u8, language: Language) -> Pressed {
        let guessing = move |store: &dyn super::settings::Store| {
            let host = store.game(number)?.is_some_and(|game| game.truth.is_some() && game.host == player.person);
            let player = Player { name: player.name.chars().take(NAME).collect(), ..player };
            if host { Ok(None) } else { store.guess(number, &player, age).map(Some) }
        };
        let note = |id: &str, age: u8| Some(language.say_with(id, &[("age", u64::from(age).into())]));
        match self.kept(guessing).await {
            Ok(None) => Pressed { note: Some(language.say("game-host")), ..Pressed::default() },
            Ok(Some(Guessed::Counts { players })) => {
                Pressed { note: note("game-taken", age), edit: Some(board(number, players, language)), delete: false }
            }
            Ok(Some(Guessed::Before(age))) => Pressed { note: note("game-changed", age), ..Pressed::default() },
            Ok(Some(Guessed::Over)) => Pressed { note: Some(language.say("game-over")), ..Pressed::default() },
            Err(problem) => Pressed { note: Some(problem.message(language)), ..Pressed::default() },
        }
    }

    pub(super) async fn game_reveal(
        &self,
        number: i64,
        asker: &Asker,
        role: &AskerRole,
        language: Language,
    ) -> Pressed {
        let note = |text: String| Pressed { note: Some(text), ..Pressed::default() };
        let game = match self.kept(move |store| store.game(number)).await {
            Ok(Some(game)) if game.chat == asker.chat => game,
            Ok(_) => return note(language.say("game-over")),
            Err(problem) => return note(problem.message(language)),
        };
        if game.host != asker.person && !role.admin {
            return note(language.say("not-yours"));
        }
        let players = |game: &Game| winners(game).into_iter().map(|(player, _)| player).collect();
        match self.kept(move |store| store.end_game(number, &players)).await {
            Ok(Some(game)) => {
                Pressed { edit: Some(outcome(&game, &winners(&game), language).into()), ..Pressed::default() }
            }
            Ok(None) => note(language.say("game-over")),
            Err(problem) => note(problem.message(language)),
        }
    }
}

/// The message of a game that is open.
fn board(number: i64, players: usize, language: Language) -> Answer {
    let guess = |age: u8| Button { action: Action::Guess { game: number, age }, label: age.to_string() };
    let mut buttons: Vec<Vec<Button>> = AGES.iter().map(|row| row.iter().map(|age| guess(*age)).collect()).collect();
    buttons.push(vec![Button { action: Action::Reveal { game: number }, label: language.say("game-reveal") }]);
    let players = language.say_with("game-players", &[("count", players.into())]);
    Answer { text: format!("{}\n{players}", language.say("game")), buttons, ..Answer::default() }
}

/// How far an age is off: from the truth where it is known, from the bot's guess otherwise.
fn off(game: &Game, age: f32) -> f32 {
    (age - game.truth.map_or(game.age, f32::from)).abs()
}

/// Those who came closest, with their guesses.
fn winners(game: &Game) -> Vec<(Player, u8)> {
    let closest = game.guesses.iter().map(|(_, age)| off(game, f32::from(*age))).fold(f32::INFINITY, f32::min);
    game.guesses.iter().filter(|(_, age)| off(game, f32::from(*age)) <= closest).cloned().collect()
}

fn outcome(game: &Game, winners: &[(Player, u8)], language: Language) -> String {
    let mut lines = vec![language.say_with("game-mine", &[("person", (&game.guess).into())])];
    if let Some(truth) = game.truth {
        lines.push(language.say_with("game-truth", &[("age", u64::from(truth).into())]));
    }
    match winners.first() {
        Some((_, age)) => {
            let names = winners.iter().map(|(player, _)| player.name.as_str()).collect::<Vec<_>>().join(", ");
            let mut ages: Vec<String> = winners.iter().map(|(_, age)| age.to_string()).collect();
            ages.sort();
            ages.dedup();
            let ages = ages.join(", ");
            let variables = [("count", winners.len().into()), ("names", (&names).into()), ("age", (&ages).into())];
            let mut line = language.say_with("game-winner", &variables);
            if game.truth.is_some() && off(game, f32::from(*age)) < off(game, game.age) {
                line = format!("{line} {}", language.say("game-beaten"));
            }
            lines.push(line);
        }
        None => lines.push(language.say("game-nobody")),
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bot::people::{ChatId, PersonId, Platform};

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

    fn told(game: &Game) -> String {
        outcome(game, &winners(game), Language::English)
    }

    #[test]
    fn the_closest_to_the_truth_win_and_hear_when_they_beat_the_bot() {
        let text = told(&game(Some(40), &[("Ann", 20), ("Ben", 35), ("Cem", 45)]));
        assert!(text.contains("The true age: 40."), "{text}");
        assert!(
            text.contains("Closest: Ben, Cem, with a guess of 35, 45. A point each! And closer than me!"),
            "{text}"
        );
        let text = told(&game(Some(30), &[("Ann", 20)]));
        assert!(text.contains("Closest: Ann") && !text.contains("closer than me"), "{text}");
    }

    #[test]
    fn without_the_truth_the_closest_to_the_bot_win() {
        let text = told(&game(None, &[("Ann", 30), ("Ben", 50)]));
        assert!(text.starts_with("My guess: a woman") && text.contains("Closest: Ann, with a guess of 30. One point!"));
        assert!(told(&game(None, &[])).ends_with("Nobody guessed this time."));
    }

    #[test]
    fn a_board_fits_discords_rows() {
        let Answer { buttons, .. } = board(i64::MAX, 3, Language::English);
        assert!(buttons.len() <= 5 && buttons.iter().all(|row| row.len() <= 5));
    }
}
