//! A soak test of both platforms with random faults:
//!
//!     FACEGUESSER_SOAK=3600 FACEGUESSER_SOAK_SEED=7 cargo test --test suite soak -- --nocapture
//!
//! (duration in seconds; a minute by default).

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, interval, timeout};

use super::support::bombs::{self, Scan};
use super::support::both::BothPlatforms;
use super::support::discord::words;
use super::support::discord_faults::Fault;
use super::support::discord_gateway::Gateway;
use super::support::inbox::RecordedRequest;
use super::support::telegram::{photo, text, with};
use super::support::{photo_with_a_face, photo_without_a_face, tiny_photo};

/// The interval between two photos, and the probabilities of a fault, a broken connection and a kill after each.
const STEP: Duration = Duration::from_millis(250);
const FAULT: f64 = 0.3;
const BREAK: f64 = 0.02;
const KILL: f64 = 0.01;
/// How long the last replies may take: by then every fault is over, and so are the longest back-offs.
const PATIENCE: Duration = Duration::from_secs(90);
/// The most memory above the program's at its start, in megabytes.
const MOST: f64 = 256.0;

/// A file that is posted: its name, its bytes, and phrases of which its reply contains one.
type File = (&'static str, Vec<u8>, &'static [&'static str]);

fn files() -> Vec<File> {
    let mut cut = photo_with_a_face();
    cut.truncate(cut.len() / 3);
    vec![
        ("face.jpg", photo_with_a_face(), &[" of about "]),
        ("none.jpg", photo_without_a_face(), &["can't find a face"]),
        ("tiny.jpg", tiny_photo(), &["can't find a face"]),
        ("cut.jpg", cut, &["cut short"]),
        ("text.jpg", b"this is no picture at all".to_vec(), &["not a picture", "isn't a picture", "no picture"]),
        ("scans.jpg", bombs::many_scans(64, 64, 1, 3000, Scan::Empty), &["damaged"]),
        ("large.png", bombs::png_header(65_536, 65_536), &["too large"]),
        ("moving.gif", bombs::long_gif(40, 9), &["can't find a face"]),
    ]
}

struct Soak {
    both: BothPlatforms,
    random: ChaCha8Rng,
    files: Vec<File>,
    /// By message id, on either platform: the index of the file, and the number of replies.
    posted: BTreeMap<String, (usize, u32)>,
    /// How many replies may have been sent twice, as their response was lost or the program killed.
    possible_repeats: u32,
    faults: u32,
    kills: u32,
}

impl Soak {
    fn post(&mut self) {
        let (file, number) = (self.random.random_range(0..self.files.len()), self.posted.len());
        let name = self.files[file].0;
        let id = if self.random.random_bool(0.5) {
            let chat = 100_000 + number as i64;
            let from = json!({ "from": { "id": chat, "is_bot": false, "first_name": "Quillon" } });
            self.both.telegram.post(chat, with(json!({ "photo": photo(name) }), from)).to_string()
        } else {
            let picture = vec![self.both.discord.attachment(name, "image/jpeg")];
            let mut message = self.both.discord.message("", picture, None);
            message["author"]["id"] = (200_000 + number).to_string().into();
            message["channel_id"] = (10_000 + number).to_string().into();
            self.both.discord.keep(&message);
            let id = message["id"].as_str().unwrap().to_owned();
            self.both.discord.dispatch("MESSAGE_CREATE", message);
            id
        };
        self.posted.insert(id, (file, 0));
    }

    /// Makes one of the platforms fail once.
    fn fault(&mut self) {
        self.faults += 1;
        let wait = json!({ "ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": { "retry_after": 1 } });
        let answers = [json!({ "html": 502 }), json!({ "html": 500 }), json!({ "cut": true }), wait];
        let answer = &answers[self.random.random_range(0..answers.len())];
        let faults =
            [Fault::status(502), Fault::status(500), Fault::Cut { at: 0 }, Fault::Cut { at: 20 }, Fault::Page(503)];
        let fault = faults[self.random.random_range(0..faults.len())].clone();
        match self.random.random_range(0..8) {
            0 => self.both.telegram.script("getUpdates", answer.clone()),
            1 => self.both.telegram.script("getFile", answer.clone()),
            2 => self.both.telegram.script("file", answers[self.random.random_range(0..3)].clone()),
            3 | 4 => self.both.telegram.script("sendMessage", answer.clone()),
            5 => self.both.discord.fail("fetched ", fault, 1),
            6 => self.both.discord.fail("get /channels/", fault, 1),
            _ => {
                self.possible_repeats += 1;
                self.both.discord.fail("post /channels/", fault, 1);
            }
        }
    }

    /// Ends the connection to Discord in one of the ways that allow the session to be resumed. (4007 and 4009
    /// start a new one, which does not receive what was posted in between.)
    fn break_gateway(&mut self) {
        self.faults += 1;
        let codes = [1000, 1001, 4000];
        match self.random.random_range(0..3) {
            0 => self.both.discord.tell_gateway(Gateway::Break),
            1 => self.both.discord.tell_gateway(Gateway::Raw("{\"op\":\"none\"".into())),
            _ => self.both.discord.close_gateway(codes[self.random.random_range(0..codes.len())]),
        }
    }

    fn kill(&mut self) {
        self.kills += 1;
        self.possible_repeats += 4;
        // The next run's first gateway lookup fails.
        self.both.discord.fail("get /gateway", Fault::status(500), 1);
        self.both.restart(&[]);
    }

    /// Counts a reply to `message` and checks its text against the file that was posted.
    fn record(&mut self, message: &Value, reply: &str) {
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        let (file, answers) = self.posted.get_mut(&message).unwrap_or_else(|| panic!("{message}: {reply}"));
        let (name, _, expected) = &self.files[*file];
        let interrupted = self.kills > 0 && reply.contains("interrupted");
        assert!(interrupted || expected.iter().any(|phrase| reply.contains(phrase)), "{name}: {reply}");
        *answers += 1;
    }

    fn on_telegram(&mut self, asked: &RecordedRequest) {
        // A request that the stand-in refused has no `sent`.
        if asked.what.starts_with("sendmessage") && !asked.body["sent"].is_null() {
            self.record(&asked.body["reply_parameters"]["message_id"].clone(), text(asked));
        }
    }

    fn on_discord(&mut self, asked: &RecordedRequest) {
        if asked.what.starts_with("post /channels/") && asked.what.ends_with("/messages") {
            self.record(&asked.body["message_reference"]["message_id"].clone(), words(asked));
        }
    }

    fn unanswered(&self) -> usize {
        self.posted.values().filter(|(_, answers)| *answers == 0).count()
    }

    /// Records replies for `duration`.
    async fn listen(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                asked = self.both.telegram.inbox.next_any() => self.on_telegram(&asked),
                asked = self.both.discord.inbox.next_any() => self.on_discord(&asked),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads memory from /proc")]
async fn every_photo_is_answered_despite_random_faults() {
    let number = |variable: &str, default: u64| std::env::var(variable).map_or(default, |text| text.parse().unwrap());
    let (seconds, seed) = (number("FACEGUESSER_SOAK", 60), number("FACEGUESSER_SOAK_SEED", 1));
    let both = BothPlatforms::start(&[]).await;
    let files = files();
    for (name, bytes, _) in &files {
        both.telegram.files.put(name, bytes.clone());
        both.discord.files.put(name, bytes.clone());
    }
    let random = ChaCha8Rng::seed_from_u64(seed);
    let mut soak = Soak { both, random, files, posted: BTreeMap::new(), possible_repeats: 0, faults: 0, kills: 0 };
    let idle = soak.both.program.resident_megabytes();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut most: f64 = 0.0;
    while Instant::now() < until {
        soak.post();
        match soak.random.random_range(0.0..1.0) {
            chance if chance < KILL => soak.kill(),
            chance if chance < KILL + BREAK => soak.break_gateway(),
            chance if chance < KILL + BREAK + FAULT => soak.fault(),
            _ => {}
        }
        soak.listen(STEP).await;
        most = most.max(soak.both.program.resident_megabytes());
    }
    let mut ticks = interval(STEP);
    let all = timeout(PATIENCE, async {
        while soak.unanswered() > 0 {
            ticks.tick().await;
            soak.listen(STEP).await;
        }
    });
    let ended = all.await;
    let repeats: u32 = soak.posted.values().map(|(_, answers)| answers.saturating_sub(1)).sum();
    println!(
        "seed {seed}, {seconds} s: {} photos, {} faults, {} kills; {} without a reply, {repeats} replies too many; {idle:.0} MB \
         at first, {most:.0} at most",
        soak.posted.len(),
        soak.faults,
        soak.kills,
        soak.unanswered()
    );
    assert!(ended.is_ok(), "{:?}", soak.posted.iter().filter(|(_, (_, answers))| *answers == 0).collect::<Vec<_>>());
    assert!(repeats <= soak.possible_repeats, "{repeats} replies too many");
    assert!(most - idle < MOST);
    soak.both.program.terminate();
    let (status, _) = soak.both.program.finished().await;
    assert!(status.success());
}
