//! Copies a store, also one that a running program uses.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{BUSY, Foreign, create_private, failed, is_own};
use crate::bot::store::StoreError;

/// All pages in one step: a copy in several steps would restart whenever the program writes between them. The program
/// need not wait, because in WAL mode writers do not wait for readers.
const PAGES: std::ffi::c_int = std::ffi::c_int::MAX;
/// The pause before another attempt while the file is locked.
const PAUSE: Duration = Duration::from_millis(5);

/// Copies the store in the file `from` to the new file `to`, by SQLite's online backup
/// (<https://sqlite.org/backup.html>): the copy is one file, and whole whatever is written meanwhile.
///
/// # Errors
/// [`StoreError`] when `from` is not a store, or `to` exists or cannot be written; nothing is left there then.
pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(failed("opened"))?;
    source.busy_timeout(BUSY).map_err(failed("opened"))?;
    if !is_own(&source).map_err(failed("read"))? {
        return Err(failed("opened")(Foreign));
    }
    if to.symlink_metadata().is_ok() {
        return Err(failed("copied")(std::io::Error::other("the copy exists already: name another file")));
    }
    create_private(to).map_err(failed("copied"))?;
    let copied = copy_pages(&source, to).map_err(failed("copied"));
    if copied.is_err() {
        // The first failure is the one to report.
        let _ = std::fs::remove_file(to);
    }
    copied
}

fn copy_pages(source: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(to)?;
    Backup::new(source, &mut target)?.run_to_completion(PAGES, PAUSE, None)?;
    // A copy in one file; the store turns the log on again when it opens it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)
}
