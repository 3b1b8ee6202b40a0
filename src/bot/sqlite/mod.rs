//! The store in one SQLite file: settings and games here, [`jobs`] beside.

mod jobs;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};

use crate::bot::languages::Language;
use crate::bot::people::{ChatId, PersonId, Platform};
use crate::bot::settings::{ChatSettings, Game, GenderPolicy, Guessed, PersonSettings, Player, Store, StoreError};

/// Every change of the file's layout, in order; one that was ever released is never edited.
const MIGRATIONS: &[M<'static>] = &[
    M::up(
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
    ),
    M::up(
        "CREATE TABLE job (
        platform TEXT NOT NULL, chat INTEGER NOT NULL, message INTEGER NOT NULL, person INTEGER NOT NULL,
        received INTEGER NOT NULL, tries INTEGER NOT NULL, reference TEXT NOT NULL,
        PRIMARY KEY (platform, chat, message)
    ) STRICT;
    CREATE TABLE received_update (
        bot INTEGER NOT NULL, number INTEGER NOT NULL, received INTEGER NOT NULL,
        PRIMARY KEY (bot, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE admin_notice (
        platform TEXT NOT NULL, chat INTEGER NOT NULL, told INTEGER NOT NULL,
        PRIMARY KEY (platform, chat)
    ) STRICT, WITHOUT ROWID;",
    ),
    M::up(
        "CREATE TABLE connection (
        platform TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (platform, number)
    ) STRICT, WITHOUT ROWID;",
    ),
];

/// The best so many are shown.
const SCORES: u32 = 10;
/// Games of a chat that are kept; older ones are over.
const OPEN_GAMES: u32 = 20;
/// The path that stands for a store in memory.
const IN_MEMORY: &str = ":memory:";
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
        if path != Path::new(IN_MEMORY) {
            only_for_owner(path).map_err(failed("opened"))?;
        }
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
            // Readers never wait, and nothing is lost when the program dies. A power cut can take
            // back the last few changes, which would cost a flush to disk each to prevent.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // What is forgotten is overwritten in the file, too.
            connection.pragma_update(None, "secure_delete", true)?;
            connection.pragma_update(None, "temp_store", "MEMORY")
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
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        written(&mut self.connection()).map_err(failed::<rusqlite::Error>("written"))
    }

    /// Writes the log into the file and empties it: what was deleted stays readable in it otherwise.
    fn empty_log(&self) -> Result<(), StoreError> {
        let busy = |row: &Row<'_>| row.get::<_, bool>(0);
        match self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy) {
            Ok(false) => Ok(()),
            Ok(true) => Err(failed("emptied")(std::io::Error::other("another program is reading it"))),
            Err(error) => Err(failed("emptied")(error)),
        }
    }
}

/// Makes the file, where there is none, so that its owner alone can read it: it holds who opted out,
/// and for minutes what answers a command on Discord.
fn only_for_owner(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn failed<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError { doing, source: Box::new(source) }
}

fn chat_settings(row: &Row<'_>) -> rusqlite::Result<ChatSettings> {
    Ok(ChatSettings {
        auto: row.get("auto")?,
        language: language(row, "language")?,
        gender: gender(row)?,
        private: row.get("private")?,
    })
}

fn read_chat(db: &Connection, chat: ChatId) -> rusqlite::Result<ChatSettings> {
    let query = "SELECT * FROM chat WHERE platform = ?1 AND id = ?2";
    let found = db.query_row(query, params![chat.platform.name(), chat.id], chat_settings).optional()?;
    Ok(found.unwrap_or_default())
}

fn person_settings(row: &Row<'_>) -> rusqlite::Result<PersonSettings> {
    Ok(PersonSettings { opted_out: row.get("opted_out")?, language: language(row, "language")?, gender: gender(row)? })
}

fn read_person(db: &Connection, person: PersonId) -> rusqlite::Result<PersonSettings> {
    let query = "SELECT * FROM person WHERE platform = ?1 AND id = ?2";
    let found = db.query_row(query, params![person.platform.name(), person.id], person_settings).optional()?;
    Ok(found.unwrap_or_default())
}

fn read_game(db: &Connection, number: i64) -> rusqlite::Result<Option<Game>> {
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
}

fn language(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Language>> {
    Ok(row.get::<_, Option<String>>(column)?.as_deref().and_then(Language::of))
}

/// A name that a later version knows and this one does not counts as the most reserved.
fn gender(row: &Row<'_>) -> rusqlite::Result<GenderPolicy> {
    Ok(GenderPolicy::of(&row.get::<_, String>("gender")?).unwrap_or(GenderPolicy::Never))
}

impl Store for Sqlite {
    fn chat(&self, chat: ChatId) -> Result<ChatSettings, StoreError> {
        self.read(|db| read_chat(db, chat))
    }

    fn change_chat(&self, chat: ChatId, change: &mut dyn FnMut(&mut ChatSettings)) -> Result<ChatSettings, StoreError> {
        self.write(|db| {
            let mut settings = read_chat(db, chat)?;
            change(&mut settings);
            let ChatSettings { auto, language, gender, private } = settings;
            let language = language.map(Language::code);
            let statement = "INSERT OR REPLACE INTO chat VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            db.execute(statement, params![chat.platform.name(), chat.id, auto, language, gender.name(), private])?;
            Ok(settings)
        })
    }

    fn person(&self, person: PersonId) -> Result<PersonSettings, StoreError> {
        self.read(|db| read_person(db, person))
    }

    fn change_person(
        &self,
        person: PersonId,
        change: &mut dyn FnMut(&mut PersonSettings),
    ) -> Result<PersonSettings, StoreError> {
        self.write(|db| {
            let mut settings = read_person(db, person)?;
            change(&mut settings);
            let PersonSettings { opted_out, language, gender } = settings;
            let language = language.map(Language::code);
            let statement = "INSERT OR REPLACE INTO person VALUES (?1, ?2, ?3, ?4, ?5)";
            db.execute(statement, params![person.platform.name(), person.id, opted_out, language, gender.name()])?;
            Ok(settings)
        })
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
            db.execute("DELETE FROM job WHERE platform = ?1 AND person = ?2", key).map(drop)
        })?;
        self.empty_log()
    }

    fn forget_chat(&self, chat: ChatId) -> Result<(), StoreError> {
        let key = params![chat.platform.name(), chat.id];
        self.write(|db| {
            db.execute("DELETE FROM chat WHERE platform = ?1 AND id = ?2", key)?;
            db.execute("DELETE FROM score WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("DELETE FROM game WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("DELETE FROM admin_notice WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("DELETE FROM job WHERE platform = ?1 AND chat = ?2", key).map(drop)
        })?;
        self.empty_log()
    }

    fn move_chat(&self, from: ChatId, to: ChatId) -> Result<(), StoreError> {
        let key = params![from.platform.name(), from.id, to.id];
        self.write(|db| {
            db.execute("UPDATE OR REPLACE chat SET id = ?3 WHERE platform = ?1 AND id = ?2", key)?;
            db.execute("UPDATE OR REPLACE score SET chat = ?3 WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("UPDATE game SET chat = ?3 WHERE platform = ?1 AND chat = ?2", key)?;
            db.execute("UPDATE OR REPLACE job SET chat = ?3 WHERE platform = ?1 AND chat = ?2", key).map(drop)
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
        self.read(|db| read_game(db, number))
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
            let key = params![chat.platform.name(), chat.id, SCORES];
            scores.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }
}

#[cfg(test)]
mod tests;
