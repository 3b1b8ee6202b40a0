//! Games and scores in the SQLite file.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use crate::bot::game::{Game, GameStore, GuessOutcome, MAX_OPEN_GAMES, MAX_SCORES, Player};
use crate::bot::people::{ChatId, PersonId, Platform};
use crate::bot::store::StoreError;

impl GameStore for Sqlite {
    fn open_game(&self, game: &Game) -> Result<i64, StoreError> {
        let Game { chat, host, guess, age, truth, .. } = game;
        self.write(|db| {
            db.execute(
                "INSERT INTO game (platform, chat, host, guess, age, truth) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![chat.platform.name(), chat.id, host.id, guess, age, truth],
            )?;
            let number = db.last_insert_rowid();
            db.execute(
                "DELETE FROM game WHERE platform = ?1 AND chat = ?2 AND number NOT IN
                    (SELECT number FROM game WHERE platform = ?1 AND chat = ?2 ORDER BY number DESC LIMIT ?3)",
                params![chat.platform.name(), chat.id, MAX_OPEN_GAMES as u32],
            )?;
            Ok(number)
        })
    }

    fn game(&self, number: i64) -> Result<Option<Game>, StoreError> {
        self.read(|db| read_game(db, number))
    }

    fn guess(&self, number: i64, player: &Player, age: u8) -> Result<GuessOutcome, StoreError> {
        self.write(|db| {
            let open = db.query_row("SELECT 1 FROM game WHERE number = ?1", [number], |_| Ok(())).optional()?;
            if open.is_none() {
                return Ok(GuessOutcome::GameOver);
            }
            let query = "SELECT age FROM game_guess WHERE game = ?1 AND person = ?2";
            let earlier = db.query_row(query, params![number, player.person.id], |row| row.get(0)).optional()?;
            if let Some(age) = earlier {
                return Ok(GuessOutcome::AlreadyGuessed(age));
            }
            db.execute(
                "INSERT INTO game_guess VALUES (?1, ?2, ?3, ?4)",
                params![number, player.person.id, player.name, age],
            )?;
            let players: u32 =
                db.query_row("SELECT COUNT(*) FROM game_guess WHERE game = ?1", [number], |row| row.get(0))?;
            Ok(GuessOutcome::Accepted { players: players as usize })
        })
    }

    fn end_game(&self, number: i64, winners: &dyn Fn(&Game) -> Vec<Player>) -> Result<Option<Game>, StoreError> {
        self.write(|db| {
            let Some(game) = read_game(db, number)? else { return Ok(None) };
            for Player { person, name } in winners(&game) {
                db.execute(
                    "INSERT INTO score VALUES (?1, ?2, ?3, ?4, 1)
                        ON CONFLICT DO UPDATE SET points = points + 1, name = excluded.name",
                    params![game.chat.platform.name(), game.chat.id, person.id, name],
                )?;
            }
            db.execute("DELETE FROM game WHERE number = ?1", [number])?;
            Ok(Some(game))
        })
    }

    fn scores(&self, chat: ChatId) -> Result<Vec<(String, u32)>, StoreError> {
        self.read(|db| {
            let mut scores = db.prepare(
                "SELECT name, points FROM score WHERE platform = ?1 AND chat = ?2 ORDER BY points DESC, rowid LIMIT ?3",
            )?;
            let key = params![chat.platform.name(), chat.id, MAX_SCORES as u32];
            scores.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }
}

fn read_game(db: &Connection, number: i64) -> rusqlite::Result<Option<Game>> {
    let game = |row: &Row<'_>| {
        let platform = Platform::from_name(&row.get::<_, String>("platform")?).unwrap_or(Platform::Discord);
        Ok(Game {
            chat: ChatId { platform, id: row.get("chat")? },
            host: PersonId { platform, id: row.get("host")? },
            guess: row.get("guess")?,
            age: row.get("age")?,
            truth: row.get("truth")?,
            guesses: Vec::new(),
        })
    };
    let found = db.query_row("SELECT * FROM game WHERE number = ?1", [number], game).optional()?;
    let Some(mut game) = found else { return Ok(None) };
    let mut guesses = db.prepare("SELECT person, name, age FROM game_guess WHERE game = ?1 ORDER BY rowid")?;
    let guess = |row: &Row<'_>| {
        let person = PersonId { platform: game.chat.platform, id: row.get(0)? };
        Ok((Player { person, name: row.get(1)? }, row.get(2)?))
    };
    let guesses = guesses.query_map([number], guess)?.collect::<rusqlite::Result<_>>()?;
    game.guesses = guesses;
    Ok(Some(game))
}
