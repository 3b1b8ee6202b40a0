//! Looks at a store without changing it, and without leaving one behind.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{Error as MigrationError, MigrationDefinitionError};

use super::{BUSY, Foreign, IN_MEMORY, MIGRATIONS, Sqlite, failed, is_own};
use crate::bot::store::StoreError;

/// What is at the store's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// `:memory:`.
    InMemory,
    /// Nothing yet; a file can be created.
    Absent,
    /// A store of this version of the program.
    Present,
    /// A store of an older version, which the next start migrates.
    Older,
}

/// Checks that `path` holds a sound store that can be written, or that one can be created there.
///
/// # Errors
/// As [`Sqlite::open`], and when the file is damaged.
pub fn inspect(path: &Path) -> Result<StoreState, StoreError> {
    if path == Path::new(IN_MEMORY) {
        return Sqlite::in_memory().map(|_| StoreState::InMemory);
    }
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => Err(failed("opened")(std::io::Error::other("it is not a regular file"))),
        // An empty file is filled at the next start.
        Ok(metadata) if metadata.len() > 0 => inspect_file(path),
        _ => try_beside(path).map(|()| StoreState::Absent),
    }
}

fn inspect_file(path: &Path) -> Result<StoreState, StoreError> {
    // Read-only, SQLite would leave files of its own behind.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed("opened"))?;
    connection.busy_timeout(BUSY).map_err(failed("opened"))?;
    if !is_own(&connection).map_err(failed("read"))? {
        return Err(failed("opened")(Foreign));
    }
    if connection.is_readonly("main").map_err(failed("read"))? {
        return Err(failed("written")(std::io::Error::from(std::io::ErrorKind::PermissionDenied)));
    }
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed("read"))?;
    if sound != "ok" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(failed("read")(rusqlite::Error::SqliteFailure(code, Some(sound))));
    }
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed("read"))?;
    match (version as usize).cmp(&MIGRATIONS.len()) {
        std::cmp::Ordering::Less => Ok(StoreState::Older),
        std::cmp::Ordering::Equal => Ok(StoreState::Present),
        std::cmp::Ordering::Greater => {
            Err(failed("opened")(MigrationError::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead)))
        }
    }
}

/// Creates a store beside `path`, whose name nothing else uses, and deletes it.
fn try_beside(path: &Path) -> Result<(), StoreError> {
    let with_ending = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".check-{}{ending}", std::process::id()));
        PathBuf::from(name)
    };
    let created = Sqlite::open(&with_ending("")).map(drop);
    for ending in ["", "-wal", "-shm"] {
        // What is not there needs no deletion.
        let _ = std::fs::remove_file(with_ending(ending));
    }
    created
}
