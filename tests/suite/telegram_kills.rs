//! The program is killed, and no photo is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use faceguesser::bot::jobs::{Job, Jobs, Receipt};
use faceguesser::bot::people::{ChatId, PersonId, Platform};
use faceguesser::bot::sqlite::Sqlite;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{GROUP, PERSON, Telegram, photo, text};
use crate::support::{photo_with_a_face, photo_without_a_face, tiny_photo};

const KILLS: u64 = 100;
/// The longest delay between a photo and the kill.
const MAX_DELAY: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_in_progress_when_the_program_is_killed_is_answered_once_by_the_next_run() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    let topic =
        json!({ "photo": photo("slow"), "caption": "/guess", "message_thread_id": 3, "is_topic_message": true });
    let id = telegram.post(GROUP, topic);
    telegram.inbox.next("fetched photos/slow").await;
    program.kill();
    gate.send(true).unwrap();
    let mut program = telegram.program(&[]);
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains(" of about "), "{reply:?}");
    assert_eq!(
        (&reply.body["reply_parameters"]["message_id"], &reply.body["message_thread_id"]),
        (&json!(id), &json!(3))
    );
    // Later runs do not answer it again.
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    program.kill();
    let _program = telegram.program(&[]);
    telegram.post(PERSON, json!({ "text": "/privacy" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("not stored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_in_progress_when_the_program_is_killed_gets_one_reply() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    telegram.files.put("none", photo_without_a_face());
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    for (name, caption) in [("none", ""), ("slow", "/guess"), ("none", "")] {
        telegram.post(GROUP, json!({ "photo": photo(name), "caption": caption, "media_group_id": "album" }));
    }
    // An album that nobody asks about gets no reply.
    telegram.post(GROUP, json!({ "photo": photo("none"), "media_group_id": "silent" }));
    telegram.inbox.next("fetched photos/slow").await;
    program.kill();
    gate.send(true).unwrap();
    telegram.inbox.pending("send");
    let _program = telegram.program(&[]);
    let is_complete = |asked: &RecordedRequest| {
        let text = asked.body["text"].as_str().unwrap_or_default();
        text.contains("Photo 3: I can't find a face") && text.contains(" of about ")
    };
    telegram.inbox.wait("the complete reply", is_complete).await;
    assert!(telegram.inbox.pending("sendmessage").len() <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_crashes_the_program_repeatedly_gets_an_apology() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    let _gate = telegram.files.put_gated("deadly", photo_with_a_face());
    let id = telegram.post(PERSON, json!({ "photo": photo("deadly") }));
    for _ in 0..3 {
        telegram.inbox.next("fetched photos/deadly").await;
        program.kill();
        program = telegram.program(&[]);
    }
    let apology = telegram.inbox.next("sendmessage").await;
    assert!(text(&apology).contains("I was interrupted"), "{apology:?}");
    assert_eq!(apology.body["reply_parameters"]["message_id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_could_not_be_answered_before_shutdown_is_answered_by_the_next_run() {
    let (mut telegram, program) = Telegram::polled(&[("FACEGUESSER__INFERENCE__GRACE", "100ms")]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    telegram.post(PERSON, json!({ "photo": photo("slow") }));
    telegram.inbox.next("fetched photos/slow").await;
    program.terminate();
    program.finished().await;
    gate.send(true).unwrap();
    let _program = telegram.program(&[]);
    assert!(text(&telegram.inbox.next("sendmessage").await).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_admitted_by_the_last_run_are_not_counted_again_by_the_next_run() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    for _ in 0..3 {
        telegram.post(PERSON, json!({ "photo": photo("slow") }));
        telegram.inbox.next("fetched photos/slow").await;
    }
    program.kill();
    gate.send(true).unwrap();
    // The limits of the next run would admit only one of them.
    let fair = [("FACEGUESSER__FAIR_USE__PERSON_BURST", "1"), ("FACEGUESSER__FAIR_USE__PERSON_EVERY", "1h")];
    let _program = telegram.program(&fair);
    for _ in 0..3 {
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(text(&reply).contains(" of about "), "{reply:?}");
    }
}

/// The replies to each photo so far.
#[derive(Default)]
struct Tally {
    guesses: BTreeMap<i64, u32>,
    /// Replies to photos that already had one.
    duplicates: u64,
}

impl Tally {
    fn count(&mut self, reply: &RecordedRequest) {
        let about = reply.body["reply_parameters"]["message_id"].as_i64().unwrap();
        let guesses = self.guesses.get_mut(&about).unwrap();
        // After three kills between the reply and the end of its job, an apology follows the reply.
        let is_guess = text(reply).contains("can't find a face");
        assert!(is_guess || *guesses > 0 && text(reply).contains("I was interrupted"), "{reply:?}");
        self.duplicates += u64::from(*guesses > 0);
        *guesses += u32::from(is_guess);
    }

    fn is_unanswered(&self, id: i64) -> bool {
        self.guesses[&id] == 0
    }

    /// Waits until every photo has a reply.
    async fn complete(&mut self, telegram: &mut Telegram) {
        telegram.inbox.drain("sendmessage").iter().for_each(|reply| self.count(reply));
        while self.guesses.values().any(|guesses| *guesses == 0) {
            let reply = telegram.inbox.next("sendmessage").await;
            self.count(&reply);
        }
    }
}

/// Kills the program at a random moment after each photo and restarts it with the same database.
#[tokio::test(flavor = "multi_thread")]
async fn no_photo_is_lost_at_a_hundred_moments() {
    let mut telegram = Telegram::start().await;
    telegram.files.put("tiny", tiny_photo());
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let webhook = [
        ("FACEGUESSER__TELEGRAM__WEBHOOK_URL", "https://bot.example/webhook"),
        ("FACEGUESSER__TELEGRAM__WEBHOOK_LISTEN", &*listen),
        ("FACEGUESSER__TELEGRAM__WEBHOOK_SECRET", "open-sesame"),
    ];
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(17);
    let mut tally = Tally::default();
    let mut unanswered = 0;
    for kill in 0..KILLS {
        // Every fifth photo comes through a webhook. If it is not accepted there, it is polled later.
        let pushed = kill % 5 == 4;
        let mut program = telegram.program(if pushed { &webhook } else { &[] });
        telegram.inbox.next(if pushed { "setwebhook" } else { "deletewebhook" }).await;
        if !pushed {
            tally.complete(&mut telegram).await;
        }
        // Another chat each time, because messages in one are rate-limited.
        let (person, content) = (1000 + kill.cast_signed(), json!({ "photo": photo("tiny") }));
        let id = if pushed { telegram.push(person, content, &listen).await } else { telegram.post(person, content) };
        tally.guesses.insert(id, 0);
        tokio::time::sleep(random.random_range(Duration::ZERO..MAX_DELAY)).await;
        program.kill();
        telegram.inbox.drain("sendmessage").iter().for_each(|reply| tally.count(reply));
        unanswered += u32::from(tally.is_unanswered(id));
    }
    let _program = telegram.program(&[]);
    tally.complete(&mut telegram).await;
    let Tally { guesses, duplicates } = tally;
    let answered = guesses.values().filter(|guesses| **guesses > 0).count();
    let lost = guesses.len() - answered;
    println!("Telegram: {KILLS} kills, answered {answered}, answered twice {duplicates}, lost {lost}");
    println!("{unanswered} photos were not answered yet when the program was killed");
    // Each kill duplicates at most the reply that was being sent.
    assert!(lost == 0 && duplicates <= KILLS, "{guesses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_whose_reference_another_version_wrote_gets_an_apology() {
    let mut telegram = Telegram::start().await;
    {
        let platform = Platform::Telegram;
        let (chat, person) = (ChatId { platform, id: PERSON }, PersonId { platform, id: PERSON });
        let store = Sqlite::open(&telegram.store()).unwrap();
        let job = Job::new(chat, 4711, person, "{\"of\":\"another version\"}".into());
        assert_eq!(store.receive(None, Some(&job)).unwrap(), Receipt::Stored);
    }
    let program = telegram.program(&[]);
    let apology = telegram.inbox.next("sendmessage").await;
    assert!(text(&apology).contains("I was interrupted"), "{apology:?}");
    assert_eq!(apology.body["reply_parameters"]["message_id"], 4711);
    program.terminate();
    program.finished().await;
    assert_eq!(Sqlite::open(&telegram.store()).unwrap().resume(Platform::Telegram).unwrap(), []);
}
