//! What commands print. A reader who has seen enough, as in `evaluate … | head`, stops no work.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line on standard output; false where nobody reads any more.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub fn tell(line: impl Display) -> io::Result<bool> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        told => told.map(|()| true),
    }
}

/// Prints a line on standard error, if anybody reads it.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
