//! What the tests share: the bot with the compiled-in weights, and the folders they may be given.

// Each test file uses its part.
#![allow(dead_code)]

use std::path::PathBuf;
use std::sync::Arc;

use faceguesser::bot::Bot;
use faceguesser::config::Config;
use faceguesser::inference::Pool;

/// The bot as the program builds it from its defaults.
pub fn bot() -> (Arc<Bot>, Arc<Pool>) {
    let config = Config::load(None, []).expect("the defaults are complete");
    faceguesser::cli::wire::bot(&config).expect("the compiled-in weights load")
}

/// The folder that `variable` names, if it does; prints why a test is left out otherwise.
pub fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("left out: {variable} names no folder");
    }
    folder
}
