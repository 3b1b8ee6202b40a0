//! The store in one SQLite file: opening it, and what concerns all of its tables. Submodules implement
//! the parts of [`Store`].

pub mod backup;
mod games;
pub mod inspection;
mod jobs;
mod settings;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Row, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};

use crate::bot::people::{ChatId, PersonId};
use crate::bot::store::{Store, StoreError};

/// The schema's migrations, in order; a released one is never edited.
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
    M::up("ALTER TABLE chat ADD COLUMN smile TEXT NOT NULL DEFAULT 'sure';"),
];

/// The path that means a store in memory.
const IN_MEMORY: &str = ":memory:";
/// How long a statement waits for another program that has the file open, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// A store in an SQLite file, for one running program.
pub struct Sqlite {
    connection: Mutex<Connection>,
}

impl Sqlite {
    /// Opens the file, creating it if it does not exist and migrating an older one.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written or is not a store of this program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if path != Path::new(IN_MEMORY) {
            // Opening a pipe would wait for whoever reads it.
            if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
                return Err(failed("opened")(std::io::Error::other("it is not a regular file")));
            }
            create_private(path).map_err(failed("opened"))?;
        }
        Self::prepare(Connection::open(path).map_err(failed("opened"))?)
    }

    /// A store that lasts as long as this value.
    ///
    /// # Errors
    /// [`StoreError`] when there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory().map_err(failed("opened"))?)
    }

    fn prepare(mut connection: Connection) -> Result<Self, StoreError> {
        let configure = |connection: &mut Connection| {
            connection.busy_timeout(BUSY)?;
            // Readers never wait, and nothing is lost when the program is killed. A power cut can undo
            // the last few changes; preventing that would take a flush to disk for each.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            // Deleted content is overwritten in the file as well.
            connection.pragma_update(None, "secure_delete", true)?;
            connection.pragma_update(None, "temp_store", "MEMORY")
        };
        configure(&mut connection).map_err(failed("opened"))?;
        if !is_own(&connection).map_err(failed("read"))? {
            return Err(failed("opened")(Foreign));
        }
        Migrations::from_slice(MIGRATIONS).to_latest(&mut connection).map_err(failed("brought up to date"))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic under the lock leaves a usable connection: its transaction was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        read(&self.connection()).map_err(failed("read"))
    }

    /// Runs `write` in one transaction.
    fn write<T>(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let in_transaction = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        in_transaction(&mut self.connection()).map_err(failed::<rusqlite::Error>("written"))
    }

    /// Writes the write-ahead log into the file and truncates it, because deleted content stays readable in
    /// it otherwise.
    fn truncate_log(&self) -> Result<(), StoreError> {
        let busy = |row: &Row<'_>| row.get::<_, bool>(0);
        match self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy) {
            Ok(false) => Ok(()),
            Ok(true) => Err(failed("truncated")(std::io::Error::other("another program is reading it"))),
            Err(error) => Err(failed("truncated")(error)),
        }
    }
}

/// A database of another program.
#[derive(Debug, thiserror::Error)]
#[error("it is the database of another program, or parts of it are missing")]
struct Foreign;

/// Whether a database is empty, or has this program's first table.
fn is_own(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = "SELECT count(*), count(*) FILTER (WHERE name = 'chat') FROM sqlite_schema WHERE type = 'table'";
    let (all, own): (u32, u32) = connection.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(if version == 0 { all == 0 } else { own == 1 })
}

/// What the operator can do about a store that could not be opened.
pub fn advice(error: &StoreError) -> &'static str {
    use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
    if error.source.is::<Foreign>() {
        return "name another file with store.path";
    }
    if error.source.is::<rusqlite_migration::Error>() {
        return "a newer version of this program wrote it, or it is damaged: update the program, or restore a backup";
    }
    match error.source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
        Some(DiskFull) => "the disk is full: free some space",
        Some(DatabaseCorrupt | NotADatabase) => {
            "it is damaged or not a database: restore a backup, or move it away to begin with an empty one"
        }
        _ => {
            "name a file in a folder that can be written to with store.path, or \":memory:\" to keep nothing over a \
             restart"
        }
    }
}

/// Creates the file, if it does not exist, readable by its owner only: it contains who opted out and,
/// for minutes, the tokens of Discord interactions.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn failed<E: std::error::Error + Send + Sync + 'static>(operation: &'static str) -> impl Fn(E) -> StoreError {
    move |source| StoreError { operation, source: Box::new(source) }
}

impl Store for Sqlite {
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
        self.truncate_log()
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
        self.truncate_log()
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
}

#[cfg(test)]
mod tests;
