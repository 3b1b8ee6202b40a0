//! Secrets that no log may contain: names, message texts, tokens and ids that the stand-in servers have sent
//! to any program of any test. Every program's log is searched for all of them when it ends.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Keys of text that users write, and of tokens.
const TEXT_KEYS: [&str; 10] = [
    "content",
    "text",
    "caption",
    "username",
    "global_name",
    "first_name",
    "last_name",
    "title",
    "sender_user_name",
    "token",
];
/// Shorter texts and numbers occur in any log by chance.
const MIN_TEXT_LENGTH: usize = 6;
const MIN_ID_LENGTH: usize = 9;

/// Registers the secrets in JSON that a stand-in server sends.
pub fn learn(value: &Value) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            match value {
                Value::String(text) if TEXT_KEYS.contains(&key.as_str()) => keep(text, MIN_TEXT_LENGTH),
                Value::String(id) if key.ends_with("id") => keep(id, MIN_ID_LENGTH),
                Value::Number(id) if key.ends_with("id") => keep(&id.to_string(), MIN_ID_LENGTH),
                _ => {}
            }
            // The buttons' texts are the bot's own.
            if key != "reply_markup" {
                learn(value);
            }
        }),
        Value::Array(items) => items.iter().for_each(learn),
        _ => {}
    }
}

/// Registers one secret of at least `min_length` characters.
pub fn keep(secret: &str, min_length: usize) {
    if secret.chars().count() >= min_length {
        SECRETS.lock().unwrap().insert(secret.to_owned());
    }
}

/// The first line of a log that contains a secret.
pub fn line_with_one(log: &str) -> Option<String> {
    let secrets = SECRETS.lock().unwrap();
    let has_secret = |line: &&str| secrets.iter().any(|secret| line.contains(secret.as_str()));
    log.lines().find(has_secret).map(str::to_owned)
}

#[test]
fn names_texts_tokens_and_ids_are_secrets_and_other_words_are_not() {
    learn(&serde_json::json!({
        "chat_id": -987_654_321_012_i64, "message": [{ "caption": "a secret caption", "date": 1_234_567_890_123_i64 }],
        "token": "stand-in-secret-token", "id": "87",
    }));
    for line in ["in chat -987654321012", "it says: a secret caption", "with stand-in-secret-token"] {
        assert_eq!(line_with_one(&format!("one\n{line}\nthree")).as_deref(), Some(line));
    }
    assert_eq!(line_with_one("87 photos at 1234567890123"), None);
}
