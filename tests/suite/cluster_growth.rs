//! How throughput and latency change with the number of workers. By hand, for SCALING.md:
//!
//!     FACEGUESSER_PROGRAM=target/release/faceguesser FACEGUESSER_GROWTH=400 \
//!         cargo test --test suite growth -- --nocapture
//!
//! Photos arrive as interactions, whose answers do not count against Discord's global limit. Each worker
//! has one thread.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::support::discord::{Discord, words};
use crate::support::inbox::RecordedRequest;
use crate::support::nats::NatsServer;
use crate::support::photo_with_a_face;

/// A log that costs little.
const QUIET: (&str, &str) = ("FACEGUESSER__LOG__LEVEL", "warn,faceguesser::cluster=info");
/// The share of the throughput at which latencies are measured.
const LOAD: f64 = 0.5;

struct Answers {
    discord: Discord,
    asked: HashMap<String, Instant>,
    seconds: Vec<f64>,
}

impl Answers {
    fn ask(&mut self) {
        let interaction = self.discord.command_with_photo("guess", "one.jpg");
        self.asked.insert(interaction["token"].as_str().unwrap().to_owned(), Instant::now());
        self.discord.dispatch("INTERACTION_CREATE", interaction);
    }

    async fn next(&mut self) {
        let is_answer = |asked: &RecordedRequest| asked.what.starts_with("patch /webhooks/");
        let answer = self.discord.inbox.wait("an answer", is_answer).await;
        assert!(words(&answer).contains(" of about "), "{answer:?}");
        let token = self.asked.keys().find(|token| answer.what.contains(&format!("/{token}/"))).cloned().unwrap();
        self.seconds.push(self.asked.remove(&token).unwrap().elapsed().as_secs_f64());
    }

    /// The median and the 99th percentile in milliseconds, of the answers since the last call.
    fn latency(&mut self) -> (f64, f64) {
        self.seconds.sort_by(f64::total_cmp);
        let at = |share: f64| 1000.0 * self.seconds[((self.seconds.len() - 1) as f64 * share) as usize];
        let latency = (at(0.5), at(0.99));
        self.seconds.clear();
        latency
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn throughput_grows_with_workers_until_the_cores_are_used_up() {
    let photos: usize = std::env::var("FACEGUESSER_GROWTH").map_or(12, |text| text.parse().unwrap());
    println!("| workers | photos a second | median at half of that | 99th percentile |\n|---|---|---|---|");
    for workers in [1, 2, 4] {
        let nats = NatsServer::start().await;
        let discord = Discord::strict().await;
        discord.files.put("one.jpg", photo_with_a_face());
        let mut answers = Answers { discord, asked: HashMap::new(), seconds: Vec::new() };
        let fair = [("FACEGUESSER__FAIR_USE__PERSON_BURST", "0"), ("FACEGUESSER__FAIR_USE__CHAT_BURST", "0"), QUIET];
        let _gateway = answers.discord.process("gateway", &nats.url(), &fair);
        answers.discord.inbox.next("put /applications").await;
        let one_thread = [("FACEGUESSER__INFERENCE__WORKERS", "1"), QUIET];
        let started: Vec<_> =
            (0..workers).map(|_| answers.discord.process("worker", &nats.url(), &one_thread)).collect();
        for worker in &started {
            worker.logged("waiting for jobs").await;
        }
        let begun = Instant::now();
        (0..photos).for_each(|_| answers.ask());
        for _ in 0..photos {
            answers.next().await;
        }
        let a_second = photos as f64 / begun.elapsed().as_secs_f64();
        answers.latency();
        let mut due = interval(Duration::from_secs_f64(1.0 / (LOAD * a_second)));
        let mut left = photos;
        while left > 0 || !answers.asked.is_empty() {
            tokio::select! {
                biased;
                () = answers.next(), if !answers.asked.is_empty() => {}
                _ = due.tick(), if left > 0 => {
                    answers.ask();
                    left -= 1;
                }
            }
        }
        let (median, p99) = answers.latency();
        println!("| {workers} | {a_second:.0} | {median:.0} ms | {p99:.0} ms |");
    }
}
