//! Both platforms at twice their rate limits; the suite uses fewer photos than a run by hand:
//!
//!     FACEGUESSER_LOAD=20000 FACEGUESSER_PROGRAM=target/release/faceguesser cargo test --test suite load -- --nocapture

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::interval;

use super::performance::quantile;
use super::support::both::BothPlatforms;
use super::support::discord::{BOT_ID, words};
use super::support::telegram::{photo, text, with};
use super::support::{photo_with_a_face, tiny_photo};

/// Replies per second that each platform accepts (`support/flood.rs`, `support/discord_limits.rs`): 30
/// messages; 50 requests, two for each reply, as a typing indicator precedes it.
const TELEGRAM_RATE: f64 = 30.0;
const DISCORD_RATE: f64 = 25.0;
/// The bot gives a reply up after five minutes; none may come that late.
const LATEST: Duration = Duration::from_secs(290);
/// Above the idle program, in megabytes.
const MOST: f64 = 256.0;
/// What service managers wait, which `inference.grace` and all that follows it stay below.
const ENDED: Duration = Duration::from_secs(30);

/// What came of one platform's photos.
#[derive(Default)]
struct Answers {
    /// When each message that has no reply yet was posted.
    open: BTreeMap<String, Instant>,
    guessed: Vec<f64>,
    busy: Vec<f64>,
}

impl Answers {
    fn record(&mut self, message: &str, words: &str) {
        let posted = self.open.remove(message).unwrap_or_else(|| panic!("{message} was answered twice: {words}"));
        let took = posted.elapsed().as_secs_f64();
        match words.contains("busy") || words.contains("too many photos") {
            true => self.busy.push(took),
            false => self.guessed.push(took),
        }
    }

    fn print(&mut self, name: &str) {
        for (what, times) in [("guessed", &mut self.guessed), ("refused as busy", &mut self.busy)] {
            if !times.is_empty() {
                let (median, p99) = (quantile(times, 0.5), quantile(times, 0.99));
                println!("{name}: {} {what}, median {median:.1} s, p99 {p99:.1} s", times.len());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads memory from /proc")]
async fn at_twice_the_capacity_every_photo_is_answered_or_refused_and_memory_stays_flat() {
    let photos: usize = std::env::var("FACEGUESSER_LOAD").map_or(600, |count| count.parse().unwrap());
    let mut both = BothPlatforms::with_rate_limits(&[]).await;
    for (name, file) in [("face", photo_with_a_face()), ("tiny", tiny_photo())] {
        both.telegram.files.put(name, file.clone());
        both.discord.files.put(name, file);
    }
    let idle = both.program.resident_megabytes();
    let (mut on_telegram, mut on_discord) = (Answers::default(), Answers::default());
    let mut arrivals = interval(Duration::from_secs_f64(0.5 / (TELEGRAM_RATE + DISCORD_RATE)));
    let mut seconds = interval(Duration::from_secs(1));
    let (mut posted, mut resident, mut waiting) = (0, Vec::new(), 0);
    let begun = Instant::now();
    while posted < photos || !on_telegram.open.is_empty() || !on_discord.open.is_empty() {
        tokio::select! {
            _ = arrivals.tick(), if posted < photos => {
                let file = if posted % 8 == 0 { "face" } else { "tiny" };
                // In proportion to the rates.
                if posted % 11 < 6 {
                    let id = post_on_telegram(&both, posted, file);
                    on_telegram.open.insert(id, Instant::now());
                } else {
                    let id = post_on_discord(&both, posted, file);
                    on_discord.open.insert(id, Instant::now());
                }
                posted += 1;
            }
            asked = both.telegram.inbox.next_any() => {
                if asked.what.starts_with("send") && asked.what != "sendchataction" {
                    let message = asked.body["reply_parameters"]["message_id"].to_string();
                    on_telegram.record(&message, text(&asked));
                }
            }
            asked = both.discord.inbox.next_any() => {
                if asked.what.starts_with("post /channels/") && asked.what.ends_with("/messages") {
                    on_discord.record(asked.body["message_reference"]["message_id"].as_str().unwrap(), words(&asked));
                }
            }
            _ = seconds.tick() => {
                resident.push(both.program.resident_megabytes());
                waiting = waiting.max(on_telegram.open.len() + on_discord.open.len());
                let oldest = on_telegram.open.values().chain(on_discord.open.values()).min();
                assert!(oldest.is_none_or(|posted| posted.elapsed() < LATEST), "a photo waits for {oldest:?}");
            }
        }
    }
    let took = begun.elapsed();
    on_telegram.print("Telegram");
    on_discord.print("Discord");
    let most = resident.iter().copied().fold(0.0, f64::max);
    println!(
        "{photos} photos in {took:.0?}, at most {waiting} waiting for a reply, {idle:.0} MB idle, {most:.0} at most"
    );
    assert!(most - idle <= MOST, "{resident:.0?}");
    assert!(!on_telegram.guessed.is_empty() && !on_discord.guessed.is_empty());
    // It is stopped in the middle of another rush.
    for number in 0..200 {
        post_on_telegram(&both, photos + 2 * number, "tiny");
        post_on_discord(&both, photos + 2 * number + 1, "tiny");
    }
    let begun = Instant::now();
    both.program.terminate();
    let (status, _) = both.program.finished().await;
    println!("stopped after {:.1?}", begun.elapsed());
    assert!(status.success() && begun.elapsed() < ENDED);
}

/// Posts a photo in a private chat, each from another user; returns the message's id.
fn post_on_telegram(both: &BothPlatforms, number: usize, file: &str) -> String {
    let chat = 100_000 + number as i64;
    let from = json!({ "from": { "id": chat, "is_bot": false, "first_name": "Quillon" } });
    both.telegram.post(chat, with(json!({ "photo": photo(file) }), from)).to_string()
}

/// Posts a photo in one of many channels, each from another user; returns the message's id.
fn post_on_discord(both: &BothPlatforms, number: usize, file: &str) -> String {
    let picture = vec![both.discord.attachment(file, "image/jpeg")];
    let mut message = both.discord.message(&format!("<@{BOT_ID}>"), picture, Some("550055005500550055"));
    message["channel_id"] = (10_000 + number % 300).to_string().into();
    message["author"]["id"] = (200_000 + number).to_string().into();
    message["mentions"] =
        json!([{ "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true }]);
    let id = message["id"].as_str().map(str::to_owned);
    both.discord.dispatch("MESSAGE_CREATE", message);
    id.unwrap_or_else(|| Value::Null.to_string())
}
