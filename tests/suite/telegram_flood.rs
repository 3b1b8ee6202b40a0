//! A thousand concurrent users, under Telegram's rate limits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::telegram::{GROUP, Telegram, photo, with};
use crate::support::tiny_photo;

const PEOPLE: i64 = 1000;
/// Messages in two groups, ten in each.
const IN_GROUPS: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_photos_at_once_are_all_answered_within_telegrams_limits() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.enforce_limits();
    telegram.files.put("tiny", tiny_photo());
    let started = Instant::now();
    let mut answered = BTreeMap::new();
    for person in 0..IN_GROUPS {
        let from = json!({ "from": { "id": person + 1, "is_bot": false, "first_name": "Quillon" } });
        let content = with(json!({ "photo": photo("tiny"), "caption": "/guess" }), from);
        answered.insert(telegram.post(GROUP - person % 2, content), 0);
    }
    for person in 1..=PEOPLE {
        let from = json!({ "from": { "id": 100 + person, "is_bot": false, "first_name": "Quillon" } });
        answered.insert(telegram.post(100 + person, with(json!({ "photo": photo("tiny") }), from)), 0);
    }
    for _ in 0..answered.len() {
        let reply = telegram.inbox.next("sendmessage").await;
        let words = reply.body["text"].as_str().unwrap();
        assert!(words.contains("can't find a face"), "{words}");
        *answered.get_mut(&reply.body["reply_parameters"]["message_id"].as_i64().unwrap()).unwrap() += 1;
    }
    let took = started.elapsed();
    let (refused, in_a_row) = telegram.refusals();
    println!("{} replies in {took:.1?}, {refused} refused, {in_a_row} in a row", answered.len());
    assert!(answered.values().all(|times| *times == 1));
    assert!(in_a_row <= 1 && took < Duration::from_secs(70), "{in_a_row} in a row, {took:?}");
}
