//! Where a setting was set: a line of the file, or a variable. Errors name it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// The settings file and the environment variables.
pub(super) struct Sources {
    file: Option<(PathBuf, String)>,
    variables: HashMap<String, String>,
}

impl Sources {
    /// Reads the file, which must be TOML.
    ///
    /// # Errors
    /// [`ConfigError::File`] when it cannot be read, [`ConfigError::Invalid`] with the line when it is
    /// not valid TOML.
    pub fn read(file: Option<&Path>, variables: HashMap<String, String>) -> Result<Self, ConfigError> {
        let Some(path) = file else { return Ok(Self { file: None, variables }) };
        let unreadable = |source| ConfigError::File { path: path.to_owned(), source };
        Self::from_bytes(path, std::fs::read(path).map_err(unreadable)?, variables)
    }

    /// As [`Sources::read`], from the file's contents.
    ///
    /// # Errors
    /// As [`Sources::read`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>, variables: HashMap<String, String>) -> Result<Self, ConfigError> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            ConfigError::Invalid { place: at_line(path, line), reason: "is not UTF-8 text".into() }
        })?;
        // `DeTable` alone accepts any bare word as a number.
        text.parse::<toml::Table>().map_err(|error| ConfigError::Invalid {
            place: at_line(path, line_of(&text, error.span().map_or(0, |span| span.start))),
            reason: format!("is not valid TOML: {}", error.message().replace('\n', ", ")),
        })?;
        Ok(Self { file: Some((path.to_owned(), text)), variables })
    }

    pub fn text(&self) -> Option<&str> {
        self.file.as_ref().map(|(_, text)| text.as_str())
    }

    pub fn variables(&self) -> &HashMap<String, String> {
        &self.variables
    }

    /// The variable, or the file's line, that sets `key` (such as `web.listen`), with the key.
    pub fn place(&self, key: &str) -> String {
        let variable = format!("FACEGUESSER__{}", key.replace('.', "__").to_uppercase());
        if self.variables.iter().any(|(name, value)| name.eq_ignore_ascii_case(&variable) && !value.is_empty()) {
            return format!("the variable {variable}");
        }
        let in_file = self.file.as_ref().and_then(|(path, text)| Some(at_line(path, line_of(text, start(text, key)?))));
        in_file.map_or_else(|| key.to_owned(), |line| format!("{line}, {key}"))
    }
}

fn at_line(path: &Path, line: usize) -> String {
    format!("{}, line {line}", path.display())
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The offset in the text of the longest prefix of `key` that is set.
fn start(text: &str, key: &str) -> Option<usize> {
    longest(DeTable::parse(text).ok()?.get_ref(), key).map(|(_, start)| start)
}

/// The length of the longest prefix of `key` that the table contains, and the offset of its last part.
/// A quoted name may contain dots itself.
fn longest(table: &DeTable<'_>, key: &str) -> Option<(usize, usize)> {
    let found = table.iter().filter_map(|(name, value)| {
        let length = name.get_ref().len();
        let (part, rest) = key.split_at_checked(length)?;
        if !part.eq_ignore_ascii_case(name.get_ref()) || !(rest.is_empty() || rest.starts_with('.')) {
            return None;
        }
        let inner = match value.get_ref() {
            DeValue::Table(inner) => rest.get(1..).and_then(|rest| longest(inner, rest)),
            _ => None,
        };
        Some(inner.map_or((length, name.span().start), |(more, start)| (length + 1 + more, start)))
    });
    found.max()
}
