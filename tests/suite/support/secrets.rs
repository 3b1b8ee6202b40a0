//! What no log may hold: names, messages' texts, tokens and ids that the stand-ins have handed out to
//! any program of any test. Every program's log is searched for all of them when it ends.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Fields that people fill, and tokens.
const WORDS: [&str; 10] = [
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
/// Shorter words and numbers occur in any log.
const LEAST_WORD: usize = 6;
const LEAST_ID: usize = 9;

/// Learns the secrets in what a stand-in hands out.
pub fn learn(value: &Value) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            match value {
                Value::String(text) if WORDS.contains(&key.as_str()) => keep(text, LEAST_WORD),
                Value::String(id) if key.ends_with("id") => keep(id, LEAST_ID),
                Value::Number(id) if key.ends_with("id") => keep(&id.to_string(), LEAST_ID),
                _ => {}
            }
            // The buttons are the bot's own words.
            if key != "reply_markup" {
                learn(value);
            }
        }),
        Value::Array(items) => items.iter().for_each(learn),
        _ => {}
    }
}

/// Learns one.
pub fn keep(secret: &str, least: usize) {
    if secret.chars().count() >= least {
        SECRETS.lock().unwrap().insert(secret.to_owned());
    }
}

/// The first line of a log that holds one.
pub fn line_with_one(log: &str) -> Option<String> {
    let secrets = SECRETS.lock().unwrap();
    let holds = |line: &&str| secrets.iter().any(|secret| line.contains(secret.as_str()));
    log.lines().find(holds).map(str::to_owned)
}

#[test]
fn names_texts_tokens_and_ids_are_told_from_other_words() {
    learn(&serde_json::json!({
        "chat_id": -987_654_321_012_i64, "message": [{ "caption": "a secret caption", "date": 1_234_567_890_123_i64 }],
        "token": "stand-in-secret-token", "id": "87",
    }));
    for line in ["in chat -987654321012", "it says: a secret caption", "with stand-in-secret-token"] {
        assert_eq!(line_with_one(&format!("one\n{line}\nthree")).as_deref(), Some(line));
    }
    assert_eq!(line_with_one("87 photos at 1234567890123"), None);
}
