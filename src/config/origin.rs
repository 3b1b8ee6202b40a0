//! Where a setting was set: a line of the file, or a variable. Errors name it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{File, FileFormat};
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::listing::{Setting, flattened};
use super::{ConfigError, DEFAULTS, TOKEN_VARIABLES};

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

    /// The defaults, overridden by the file, overridden by the variables. A variable's text becomes a
    /// value of the type that its key has in the defaults; a list is separated by commas.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] names the variable whose text is not of that type.
    pub fn merged(&self) -> Result<toml::Table, ConfigError> {
        let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some((_, text)) = &self.file {
            builder = builder.add_source(File::from_str(text, FileFormat::Toml));
        }
        let unreadable = |error: config::ConfigError| ConfigError::Invalid {
            place: self.file.as_ref().map_or_else(String::new, |(path, _)| path.display().to_string()),
            reason: error.to_string(),
        };
        let merged = builder.build().and_then(config::Config::try_deserialize).map_err(unreadable)?;
        let mut merged: toml::Table = merged;
        let defaults: toml::Table = DEFAULTS.parse().unwrap_or_default();
        for (name, text) in self.variables.iter().filter(|(_, text)| !text.is_empty()) {
            let Some(key) = key(name)? else { continue };
            let value = typed(text, find(&defaults, &key)).map_err(|wanted| ConfigError::Invalid {
                place: format!("the variable {name}"),
                reason: format!("{text:?} is not {wanted}"),
            })?;
            insert(&mut merged, &key, value);
        }
        Ok(merged)
    }

    /// The settings file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// The first of the variables that other bots of the platform read as well which holds this token: its name and
    /// value.
    pub fn conventional(&self, key: &str) -> Option<(&'static str, &str)> {
        let (_, names) = TOKEN_VARIABLES.iter().find(|(token, _)| *token == key)?;
        let value = |name: &&'static str| Some((*name, self.variables.get(*name)?.trim()));
        names.iter().filter_map(value).find(|(_, value)| !value.is_empty())
    }

    /// Whether `key` itself, such as `web.listen`, is set by a variable or by the file.
    pub fn is_set(&self, key: &str) -> bool {
        let by_variable = |name: &str| self::key(name).ok().flatten().as_deref() == Some(key);
        let in_file = |text: &str| {
            let table = DeTable::parse(text).ok();
            table.and_then(|table| longest(table.get_ref(), key)).is_some_and(|(length, _)| length == key.len())
        };
        self.variables.iter().any(|(name, value)| !value.is_empty() && by_variable(name))
            || self.file.as_ref().is_some_and(|(_, text)| in_file(text))
    }

    /// The variable, or the file's line, that sets `key` (such as `web.listen`), with the key.
    pub fn place(&self, key: &str) -> String {
        match (self.variable(key), self.line(key)) {
            (Some(variable), _) => variable,
            (None, Some(line)) => format!("{line}, {key}"),
            (None, None) => key.to_owned(),
        }
    }

    /// All effective settings: the `merged` ones, and the tokens in variables that other bots read as well.
    pub fn settings(&self, merged: &toml::Table) -> Vec<Setting> {
        let is_set = |key: &str| find(merged, key).is_some_and(|value| value.as_str() != Some(""));
        let mut settings: Vec<Setting> = (flattened(merged).into_iter())
            .map(|(key, value)| {
                // A file that sets the section may leave the key itself at its default.
                let set_at = || self.variable(&key).or_else(|| self.line(&key));
                let origin = if self.is_set(&key) { set_at() } else { None };
                Setting::new(key, value, origin)
            })
            .collect();
        for (key, _) in TOKEN_VARIABLES {
            if let Some((name, token)) =
                self.conventional(key).filter(|_| !is_set(key) && !is_set(&format!("{key}_file")))
            {
                settings.retain(|setting| setting.key != key);
                settings.push(Setting::new(key.into(), token.into(), Some(format!("the variable {name}"))));
            }
        }
        settings.sort_by(|one, other| one.key.cmp(&other.key));
        settings
    }

    fn variable(&self, key: &str) -> Option<String> {
        // A variable may set a part of a key that is no table, and a key may be an item of a list.
        let list = key.split('[').next().unwrap_or(key);
        let sets = |name: &str| self::key(name).ok().flatten().is_some_and(|set| is_within(&set, list));
        let (name, _) = self.variables.iter().find(|(name, value)| !value.is_empty() && sets(name))?;
        Some(format!("the variable {name}"))
    }

    fn line(&self, key: &str) -> Option<String> {
        let (path, text) = self.file.as_ref()?;
        Some(at_line(path, line_of(text, start(text, key)?)))
    }
}

/// The key, such as `web.listen`, that a variable sets; `None` for other programs' variables.
fn key(name: &str) -> Result<Option<String>, ConfigError> {
    let upper = name.to_uppercase();
    if let Some(key) = upper.strip_prefix("FACEGUESSER__") {
        return Ok(Some(key.replace("__", ".").to_lowercase()));
    }
    match upper.strip_prefix("FACEGUESSER_") {
        Some(key) if key.contains("__") => Err(ConfigError::Invalid {
            place: format!("the variable {name}"),
            reason: format!("is not read; its name should be FACEGUESSER__{key}"),
        }),
        _ => Ok(None),
    }
}

/// Whether `key` is `outer` or a part of it.
fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A variable's text as a value of the type of `default`, otherwise what was expected. Without a default it is text.
fn typed(text: &str, default: Option<&Value>) -> Result<Value, &'static str> {
    let trimmed = text.trim();
    match default {
        Some(Value::Boolean(_)) => trimmed.parse().map(Value::Boolean).map_err(|_| "true or false"),
        Some(Value::Integer(_)) => trimmed.parse().map(Value::Integer).map_err(|_| "a whole number"),
        Some(Value::Float(_)) => trimmed.parse().map(Value::Float).map_err(|_| "a number"),
        Some(Value::Array(_)) => {
            let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(items.map(|item| item.parse().map_or_else(|_| item.into(), Value::Integer)).collect::<Vec<_>>().into())
        }
        _ => Ok(text.into()),
    }
}

fn find<'a>(table: &'a toml::Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((name, rest)) => find(table.get(name)?.as_table()?, rest),
        None => table.get(key),
    }
}

/// Sets a key, with the tables above it where they are missing.
fn insert(table: &mut toml::Table, key: &str, value: Value) {
    let Some((name, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table.entry(name).or_insert_with(|| toml::Table::new().into());
    if !inner.is_table() {
        *inner = toml::Table::new().into();
    }
    if let Value::Table(inner) = inner {
        insert(inner, rest, value);
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
        if !part.eq_ignore_ascii_case(name.get_ref()) || !(rest.is_empty() || rest.starts_with(['.', '['])) {
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
