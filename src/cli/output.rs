//! Printing. A closed pipe, as in `evaluate … | head`, is not an error: the command goes on.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line on standard output; `false` once the pipe is closed.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub fn print_line(line: impl Display) -> io::Result<bool> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}

/// Prints a line on standard error; a closed one is ignored.
pub fn print_error(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
