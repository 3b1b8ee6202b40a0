//! Where a settings file is looked for when none is named.

use std::collections::HashMap;
use std::path::PathBuf;

/// The name of a settings file.
pub const FILE_NAME: &str = "faceguesser.toml";

/// The folder of `/etc`, and of the user's configuration, that holds the file.
const FOLDER: &str = "faceguesser";

/// Where a settings file is looked for, the first place first: the working directory, the user's
/// configuration folder (XDG Base Directory Specification: `$XDG_CONFIG_HOME`, by default `~/.config`), and
/// `/etc`.
pub fn places(variables: &HashMap<String, String>) -> Vec<PathBuf> {
    let folder = |name: &str| variables.get(name).map(PathBuf::from);
    // The specification says to ignore a relative path.
    let own = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let own = own.or_else(|| Some(folder("HOME").filter(|path| path.is_absolute())?.join(".config")));
    let mut places = vec![PathBuf::from(FILE_NAME)];
    places.extend(own.map(|own| own.join(FOLDER).join(FILE_NAME)));
    if cfg!(unix) {
        places.push(PathBuf::from("/etc").join(FOLDER).join(FILE_NAME));
    }
    places
}

/// The first of [`places`] where something is. If it cannot be read, reading it says so.
pub fn find(variables: &HashMap<String, String>) -> Option<PathBuf> {
    places(variables).into_iter().find(|place| place.symlink_metadata().is_ok())
}
