//! The effective settings, one by one, each with where it is set.

use std::fmt;

use toml::Value;
use url::Url;

/// What is shown in place of a secret.
const MASK: &str = "********";
/// How the names of secrets end.
const SECRET: [&str; 5] = ["token", "secret", "password", "api_key", "api_keys"];

/// One effective setting.
#[derive(Clone, PartialEq)]
pub struct Setting {
    /// Its key, such as `web.listen`.
    pub key: String,
    /// The file and line, or variable, that sets it; `None` is its default.
    pub origin: Option<String>,
    value: Value,
}

impl Setting {
    pub(super) fn new(key: String, value: Value, origin: Option<String>) -> Self {
        Self { key, origin, value }
    }

    /// Its value as in TOML, in one line, without secrets.
    pub fn shown(&self) -> String {
        let name = self.key.rsplit('.').next().unwrap_or_default();
        if SECRET.iter().any(|ending| name.ends_with(ending)) {
            return Value::from(MASK).to_string();
        }
        without_passwords(&self.value).to_string()
    }
}

/// A value with the passwords of its URLs masked.
fn without_passwords(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.parse::<Url>() {
            Ok(mut url) if url.password().is_some() => {
                // Every URL that has a password can have another.
                let _ = url.set_password(Some(MASK));
                url.as_str().into()
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(without_passwords).collect::<Vec<_>>().into(),
        _ => value.clone(),
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.shown())
    }
}

/// All values of a table, by key.
pub(super) fn flattened(table: &toml::Table) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => {
                all.extend(flattened(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => all.push((name.clone(), value.clone())),
        }
    }
    all
}

/// The keys whose values differ.
pub fn changed(before: &[Setting], after: &[Setting]) -> Vec<String> {
    let missing = |one: &&Setting, others: &[Setting]| {
        !others.iter().any(|other| other.key == one.key && other.value == one.value)
    };
    let mut keys: Vec<String> = before.iter().filter(|one| missing(one, after)).map(|one| one.key.clone()).collect();
    keys.extend(after.iter().filter(|one| missing(one, before)).map(|one| one.key.clone()));
    keys.sort();
    keys.dedup();
    keys
}
