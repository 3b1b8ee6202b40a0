//! The settings store in one SQLite file.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use rusqlite_migration::{M, Migrations};

use super::languages::Language;
use super::people::{ChatId, PersonId, Platform};
use super::settings::{ChatSettings, Game, GenderTelling, Guessed, PersonSettings, Player, Store, StoreError};

/// Every change of the file's layout, in order; one that was ever released is never edited.
const MIGRATIONS: &[M<'static>] = &[M::up(
    "CREATE TABLE chat (
        platform TEXT NOT NULL, id INTEGER NOT NULL,
        auto INTEGER NOT NULL, language TEXT, gender TEXT NOT NULL, private INTEGER NOT NULL,
        PRIMARY KEY (platform, id)
    ) STRICT;
    CREATE TABLE person (
        platform TEXT NOT NULL, id INTEGER NOT NULL,
        opted_out INTEGER NOT NULL, language TEXT, gender TEXT NOT NULL,
        PRIMARY KEY (platform, id)
    ) STRICT;
    CREATE TABLE game (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        platform TEXT NOT NULL, chat INTEGER NOT NULL, host INTEGER NOT NULL,
        guess TEXT NOT NULL, age REAL NOT NULL, truth INTEGER
    ) STRICT;
    CREATE TABLE game_guess (
        game INTEGER NOT NULL REFERENCES game (number) ON DELETE CASCADE,
        person INTEGER NOT NULL, name TEXT NOT NULL, age INTEGER NOT NULL,
        PRIMARY KEY (game, person)
    ) STRICT;
    CREATE TABLE score (
        platform TEXT NOT NULL, chat INTEGER NOT NULL, person INTEGER NOT NULL,
        name TEXT NOT NULL, points INTEGER NOT NULL,
        PRIMARY KEY (platform, chat, person)
    ) STRICT;",
)];

/// The best so many are shown.
const SCORES: u32 = 10;
/// Games of a chat that are kept; older ones are over.
const OPEN_GAMES: u32 = 20;
/// How long a statement waits for another program that has the file open, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// A store in an SQLite file, for one running program.
pub struct Sqlite {
    connection: Mutex<Connection>,
}

impl Sqlite {
    /// Opens the file, making it where there is none and bringing an older one up to date.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written or is no such file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepared(Connection::open(path).map_err(failed("opened"))?)
    }

    /// A store that is gone with the program.
    ///
    /// # Errors
    /// [`StoreError`] when there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepared(Connection::open_in_memory().map_err(failed("opened"))?)
    }

    fn prepared(mut connection: Connection) -> Result<Self, StoreError> {
        let prepare = |connection: &mut Connection| {
            connection.busy_timeout(BUSY)?;
            // Readers never wait, and a crash of the program loses nothing.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // What is forgotten is overwritten in the file, too.
            connection.pragma_update(None, "secure_delete", true)
        };
        prepare(&mut connection).map_err(failed("opened"))?;
        Migrations::from_slice(MIGRATIONS).to_latest(&mut connection).map_err(failed("brought up to date"))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic in between leaves a connection whose open transaction was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        read(&self.connection()).map_err(failed("read"))
    }

    /// All of it, or nothing.
    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let written = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        written(&mut self.connection()).map_err(failed::<rusqlite::Error>("written"))
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError { doing, source: Box::new(source) }
}

fn language(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Language>> {
    Ok(row.get::<_, Option<String>>(column)?.as_deref().and_then(Language::of))
}

/// A name that a later version knows and this one does not counts as the most reserved.
fn gender(row: &Row<'_>) -> rusqlite::Result<GenderTelling> {
    Ok(GenderTelling::of(&row.get::<_, String>("gender")?).unwrap_or(GenderTelling::Never))
}

impl Store for Sqlite {
    fn chat(&self, chat: ChatId) -> Result<ChatSettings, StoreError> {
        let settings = |row: &Row<'_>| {
            Ok(ChatSettings {
                auto: row.get("auto")?,
                language: language(row, "language")?,
                gender: gender(row)?,
                private: row.get("private")?,
            })
        };
        let query = "SELECT * FROM chat WHERE platform = ?1 AND id = ?2";
        let found = self.read(|db| db.query_row(query, params![chat.platform.name(), chat.id], settings).optional())?;
        Ok(found.unwrap_or_default())
    }

    fn set_chat(&self, chat: ChatId, settings: ChatSettings) -> Result<(), StoreError> {
        let ChatSettings { auto, language, gender, private } = settings;
        let language = language.map(Language::code);
        let statement = "INSERT OR REPLACE INTO chat VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![chat.platform.name(), chat.id, auto, language, gender.name(), private];
        self.write(|db| db.execute(statement, values).map(drop))
    }

    fn person(&self, person: PersonId) -> Result<PersonSettings, StoreError> {
        let settings = |row: &Row<'_>| {
            Ok(PersonSettings {
                opted_out: row.get("opted_out")?,
                language: language(row, "language")?,
                gender: gender(row)?,
            })
        };
        let query = "SELECT * FROM person WHERE platform = ?1 AND id = ?2";
        let found =
            self.read(|db| db.query_row(query, params![person.platform.name(), person.id], settings).optional())?;
        Ok(found.unwrap_or_default())
    }

    fn set_person(&self, person: PersonId, settings: PersonSettings) -> Result<(), StoreError> {
        let PersonSettings { opted_out, language, gender } = settings;
        let language = language.map(Language::code);
        let statement = "INSERT OR REPLACE INTO person VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![person.platform.name(), person.id, opted_out, language, gender.name()];
        self.write(|db| db.execute(statement, values).map(drop))
    }

    fn forget_person(&self, person: PersonId) -> Result<(), StoreError> {
        let key = params![person.platform.name(), person.id];
        self.write(|db| {
            db.execute("DELETE FROM person WHERE platform = ?1 AND id = ?2", key)?;
            db.execute("DELETE FROM score WHERE platform = ?1 AND person = ?2", key)?;
            db.execute("DELETE FROM game WHERE platform = ?1 AND host = ?2", key)?;
            db.execute(
                "DELETE FROM game_guess WHERE person = ?2 AND game IN (SELECT number FROM game WHERE platform = ?1)",
                key,
            )?;
            Ok(())
        })
    }

    fn forget_chat(&self, chat: ChatId) -> Result<(), StoreError> {
        let key = params![chat.platform.name(), chat.id];
        self.write(|db| {
            db.execute("DELETE FROM chat WHERE platform = ?1 AND id = ?2", key)?;
            db.execute("DELETE FROM score WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("DELETE FROM game WHERE platform = ?1 AND chat = ?2", key)?;
            Ok(())
        })
    }

    fn move_chat(&self, from: ChatId, to: ChatId) -> Result<(), StoreError> {
        let key = params![from.platform.name(), from.id, to.id];
        self.write(|db| {
            db.execute("UPDATE OR REPLACE chat SET id = ?3 WHERE platform = ?1 AND id = ?2", key)?;
            db.execute("UPDATE OR REPLACE score SET chat = ?3 WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("UPDATE game SET chat = ?3 WHERE platform = ?1 AND chat = ?2", key)?;
            Ok(())
        })
    }

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
                params![chat.platform.name(), chat.id, OPEN_GAMES],
            )?;
            Ok(number)
        })
    }

    fn game(&self, number: i64) -> Result<Option<Game>, StoreError> {
        self.read(|db| {
            let game = |row: &Row<'_>| {
                let platform = match row.get::<_, String>("platform")?.as_str() {
                    "telegram" => Platform::Telegram,
                    _ => Platform::Discord,
                };
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
        })
    }

    fn guess(&self, number: i64, player: &Player, age: u8) -> Result<Guessed, StoreError> {
        self.write(|db| {
            let open = db.query_row("SELECT 1 FROM game WHERE number = ?1", [number], |_| Ok(())).optional()?;
            if open.is_none() {
                return Ok(Guessed::Over);
            }
            let before = "SELECT age FROM game_guess WHERE game = ?1 AND person = ?2";
            let before = db.query_row(before, params![number, player.person.id], |row| row.get(0)).optional()?;
            if let Some(age) = before {
                return Ok(Guessed::Before(age));
            }
            db.execute(
                "INSERT INTO game_guess VALUES (?1, ?2, ?3, ?4)",
                params![number, player.person.id, player.name, age],
            )?;
            let players: u32 =
                db.query_row("SELECT COUNT(*) FROM game_guess WHERE game = ?1", [number], |row| row.get(0))?;
            Ok(Guessed::Counts { players: players as usize })
        })
    }

    fn end_game(&self, number: i64, winners: &[Player]) -> Result<bool, StoreError> {
        self.write(|db| {
            let place = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
            let place = db
                .query_row("DELETE FROM game WHERE number = ?1 RETURNING platform, chat", [number], place)
                .optional()?;
            let Some((platform, chat)) = place else { return Ok(false) };
            for Player { person, name } in winners {
                db.execute(
                    "INSERT INTO score VALUES (?1, ?2, ?3, ?4, 1)
                        ON CONFLICT DO UPDATE SET points = points + 1, name = excluded.name",
                    params![platform, chat, person.id, name],
                )?;
            }
            Ok(true)
        })
    }

    fn scores(&self, chat: ChatId) -> Result<Vec<(String, u32)>, StoreError> {
        self.read(|db| {
            let mut scores = db.prepare(
                "SELECT name, points FROM score WHERE platform = ?1 AND chat = ?2 ORDER BY points DESC, rowid LIMIT ?3",
            )?;
            let key = params![chat.platform.name(), chat.id, SCORES];
            scores.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId { platform: Platform::Telegram, id: -100 };
    const ANN: PersonId = PersonId { platform: Platform::Telegram, id: 1 };

    fn player(id: i64) -> Player {
        Player { person: PersonId { id, ..ANN }, name: format!("P{id}") }
    }

    #[test]
    fn a_restart_forgets_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.sqlite3");
        let chat =
            ChatSettings { auto: true, language: Some(Language::Czech), gender: GenderTelling::Sure, private: true };
        let person = PersonSettings { opted_out: true, language: None, gender: GenderTelling::Never };
        {
            let store = Sqlite::open(&path).unwrap();
            assert_eq!(store.chat(CHAT).unwrap(), ChatSettings::default());
            store.set_chat(CHAT, chat).unwrap();
            store.set_person(ANN, person).unwrap();
        }
        let store = Sqlite::open(&path).unwrap();
        assert_eq!((store.chat(CHAT).unwrap(), store.person(ANN).unwrap()), (chat, person));
        let elsewhere = ChatId { platform: Platform::Discord, ..CHAT };
        assert_eq!(store.chat(elsewhere).unwrap(), ChatSettings::default());
        store.move_chat(CHAT, ChatId { id: -200, ..CHAT }).unwrap();
        assert_eq!(store.chat(CHAT).unwrap(), ChatSettings::default());
        assert_eq!(store.chat(ChatId { id: -200, ..CHAT }).unwrap(), chat);
    }

    #[test]
    fn the_migrations_are_sound_and_another_file_is_refused() {
        Migrations::from_slice(MIGRATIONS).validate().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        std::fs::write(&path, "these are notes and no database, long enough to be read as a header. ".repeat(20))
            .unwrap();
        let error = Sqlite::open(&path).err().unwrap().to_string();
        assert!(error.contains("cannot be opened"), "{error}");
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("these are notes"));
    }

    #[test]
    fn a_game_takes_each_players_first_guess_and_ends_once() {
        let store = Sqlite::in_memory().unwrap();
        let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: Some(33), guesses: vec![] };
        let number = store.open_game(&game).unwrap();
        assert_eq!(store.guess(number, &player(2), 30).unwrap(), Guessed::Counts { players: 1 });
        assert_eq!(store.guess(number, &player(2), 40).unwrap(), Guessed::Before(30));
        assert_eq!(store.guess(number, &player(3), 35).unwrap(), Guessed::Counts { players: 2 });
        let kept = store.game(number).unwrap().unwrap();
        assert_eq!(kept, Game { guesses: vec![(player(2), 30), (player(3), 35)], ..game.clone() });
        assert!(store.end_game(number, &[player(3)]).unwrap());
        assert!(!store.end_game(number, &[player(3)]).unwrap());
        assert_eq!(store.guess(number, &player(4), 35).unwrap(), Guessed::Over);
        let second = store.open_game(&game).unwrap();
        assert_ne!(second, number);
        store.end_game(second, &[player(3), player(2)]).unwrap();
        assert_eq!(store.scores(CHAT).unwrap(), [("P3".to_owned(), 2), ("P2".to_owned(), 1)]);
    }

    #[test]
    fn forgetting_deletes_all_that_is_kept() {
        let store = Sqlite::in_memory().unwrap();
        let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: None, guesses: vec![] };
        let other = Game { host: player(5).person, ..game.clone() };
        let (own, others) = (store.open_game(&game).unwrap(), store.open_game(&other).unwrap());
        store.guess(others, &player(1), 30).unwrap();
        store.end_game(store.open_game(&other).unwrap(), &[player(1), player(2)]).unwrap();
        store.set_person(ANN, PersonSettings { opted_out: true, ..Default::default() }).unwrap();
        store.forget_person(ANN).unwrap();
        assert_eq!(store.person(ANN).unwrap(), PersonSettings::default());
        assert_eq!(store.game(own).unwrap(), None);
        assert_eq!(store.game(others).unwrap().unwrap().guesses, []);
        assert_eq!(store.scores(CHAT).unwrap(), [("P2".to_owned(), 1)]);
        store.set_chat(CHAT, ChatSettings { auto: true, ..Default::default() }).unwrap();
        store.forget_chat(CHAT).unwrap();
        assert_eq!(store.chat(CHAT).unwrap(), ChatSettings::default());
        assert_eq!((store.scores(CHAT).unwrap(), store.game(others).unwrap()), (vec![], None));
    }

    #[test]
    fn old_games_of_a_chat_make_room_for_new_ones() {
        let store = Sqlite::in_memory().unwrap();
        let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: None, guesses: vec![] };
        let first = store.open_game(&game).unwrap();
        for _ in 0..OPEN_GAMES {
            store.open_game(&game).unwrap();
        }
        assert_eq!(store.game(first).unwrap(), None);
    }
}
