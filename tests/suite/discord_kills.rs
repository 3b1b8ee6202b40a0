//! The program is killed while it processes photos from a stand-in Discord, or stopped, and restarted with the
//! same store.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::discord::{Discord, SESSION, words};
use crate::support::discord_faults::Fault;
use crate::support::discord_gateway::Script;
use crate::support::inbox::RecordedRequest;
use crate::support::program::Program;
use crate::support::{photo_with_a_face, photo_with_faces};

const KILLS: u64 = 50;
/// Photos in flight at each kill.
const PHOTOS: u64 = 2;
/// The latest time of a kill after the event was sent.
const LATEST: Duration = Duration::from_millis(60);

/// A stand-in and a store that outlive the program.
struct Fixture {
    discord: Discord,
    store: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        Self { discord: Discord::start().await, store: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> String {
        self.store.path().join("store.sqlite3").to_str().unwrap().to_owned()
    }

    fn start(&self) -> Program {
        self.discord.program(&[("FACEGUESSER__STORE__PATH", &self.path())])
    }

    /// A direct message in its own channel.
    fn picture(&self, name: &str, channel: &str) -> Value {
        let mut message = self.discord.message("", vec![self.discord.attachment(name, "image/jpeg")], None);
        message["channel_id"] = channel.into();
        message["author"]["id"] = format!("1{channel}").into();
        self.discord.keep(&message);
        message
    }

    /// The number of pending jobs.
    fn jobs(&self) -> u32 {
        let store = rusqlite::Connection::open(self.path()).unwrap();
        store.query_row("SELECT count(*) FROM job", [], |row| row.get(0)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_photos_in_flight_at_kills_are_all_answered() {
    let mut fixture = Fixture::new().await;
    fixture.discord.files.put("two.jpg", photo_with_faces(2));
    let mut program = fixture.start();
    fixture.discord.inbox.next("put /applications").await;
    let (mut answered, mut twice) = (0, 0);
    for kill in 0..KILLS {
        let channels: Vec<String> = (0..PHOTOS).map(|photo| (10_000 + kill * PHOTOS + photo).to_string()).collect();
        for channel in &channels {
            let message = fixture.picture("two.jpg", channel);
            fixture.discord.dispatch("MESSAGE_CREATE", message);
            // Each photo is killed at a different stage.
            tokio::time::sleep(LATEST / (PHOTOS * KILLS) as u32 * kill as u32).await;
        }
        program.kill();
        program = fixture.start();
        for channel in &channels {
            let place = format!("post /channels/{channel}/messages");
            let reply = fixture.discord.inbox.next(&place).await;
            assert!(words(&reply).starts_with("I see 2 faces"), "{reply:?}");
            answered += 1;
        }
        // The next photo arrives at a program that is connected.
        fixture.discord.inbox.next("resume").await;
    }
    for photo in 0..KILLS * PHOTOS {
        let place = format!("post /channels/{}/messages", 10_000 + photo);
        twice += fixture.discord.inbox.pending(&place).len() as u64;
    }
    let lost = KILLS * PHOTOS - answered;
    println!("Discord: {} moments, answered {answered}, answered twice {twice}, lost {lost}", KILLS * PHOTOS);
    assert_eq!(lost, 0);
    assert!(twice <= KILLS * PHOTOS, "{twice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_flight_is_answered_once_by_the_next_run() {
    for forgetful in [false, true] {
        let mut fixture = Fixture::new().await;
        let gate = fixture.discord.files.put_gated("slow.jpg", photo_with_a_face());
        let mut program = fixture.start();
        fixture.discord.inbox.next("put /applications").await;
        let message = fixture.picture("slow.jpg", "88");
        fixture.discord.dispatch("MESSAGE_CREATE", message.clone());
        fixture.discord.inbox.next("fetched slow.jpg").await;
        program.kill();
        assert_eq!(fixture.jobs(), 1);
        // With and without a replay of the event by the gateway.
        fixture.discord.script(Script { forgetful, ..Script::default() });
        let program = fixture.start();
        fixture.discord.inbox.next("get /channels/88/messages/").await;
        gate.send(true).unwrap();
        let reply = fixture.discord.inbox.next("post /channels/88/messages").await;
        assert_eq!(reply.body["message_reference"]["message_id"], message["id"]);
        assert!(words(&reply).contains(" of about "), "{reply:?}");
        program.terminate();
        assert!(program.finished().await.0.success());
        assert!(fixture.discord.inbox.pending("post /channels/88/messages").is_empty());
        assert_eq!(fixture.jobs(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_between_an_orderly_stop_and_the_next_start_is_answered() {
    let mut fixture = Fixture::new().await;
    fixture.discord.files.put("one.jpg", photo_with_a_face());
    let program = fixture.start();
    fixture.discord.inbox.next("identify").await;
    fixture.discord.inbox.next("put /applications").await;
    program.terminate();
    assert!(program.finished().await.0.success());
    fixture.discord.inbox.next("gateway closed").await;
    let message = fixture.picture("one.jpg", "88");
    fixture.discord.dispatch("MESSAGE_CREATE", message.clone());
    let _program = fixture.start();
    assert_eq!(fixture.discord.inbox.next("resume").await.body["session_id"], SESSION);
    let reply = fixture.discord.inbox.next("post /channels/88/messages").await;
    assert_eq!(reply.body["message_reference"]["message_id"], message["id"]);
    assert!(words(&reply).contains(" of about "), "{reply:?}");
    assert!(fixture.discord.inbox.pending("identify").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_not_resumed_where_the_settings_need_other_events() {
    let mut fixture = Fixture::new().await;
    let program = fixture.start();
    let before = fixture.discord.inbox.next("identify").await;
    fixture.discord.inbox.next("put /applications").await;
    program.terminate();
    assert!(program.finished().await.0.success());
    let path = fixture.path();
    let settings = [("FACEGUESSER__STORE__PATH", path.as_str()), ("FACEGUESSER__DISCORD__MESSAGE_CONTENT", "true")];
    let _program = fixture.discord.program(&settings);
    let after = fixture.discord.inbox.next("identify").await;
    assert_ne!(before.body["intents"], after.body["intents"]);
    assert!(fixture.discord.inbox.pending("resume").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn interactions_in_flight_are_answered_by_the_next_run() {
    let mut fixture = Fixture::new().await;
    fixture.discord.files.put("one.jpg", photo_with_a_face());
    let mut program = fixture.start();
    fixture.discord.inbox.next("put /applications").await;
    let message = fixture.picture("one.jpg", "770077007700770077");
    fixture.discord.dispatch("MESSAGE_CREATE", message);
    let reply = fixture.discord.inbox.next("post /channels/770077007700770077/messages").await;
    fixture.discord.inbox.next("fetched one.jpg").await;

    let gate = fixture.discord.files.put_gated("one.jpg", photo_with_a_face());
    fixture.discord.initial_response(fixture.discord.command_with_photo("guess", "one.jpg")).await;
    fixture.discord.inbox.next("fetched one.jpg").await;
    fixture.discord.initial_response(fixture.discord.press(&reply, "see")).await;
    fixture.discord.inbox.next("fetched one.jpg").await;
    fixture.discord.initial_response(fixture.discord.command_with_photo("game", "one.jpg")).await;
    fixture.discord.inbox.next("fetched one.jpg").await;
    program.kill();
    assert_eq!(fixture.jobs(), 3);
    gate.send(true).unwrap();
    let program = fixture.start();
    let is = |start: &'static str, part: &'static str| {
        move |asked: &RecordedRequest| asked.what.starts_with(start) && words(asked).contains(part)
    };
    fixture.discord.inbox.wait("the guess", is("patch /webhooks/", " of about ")).await;
    fixture.discord.inbox.wait("the game", is("patch /webhooks/", "How old is this person?")).await;
    fixture.discord.inbox.wait("the face as it is seen", is("post /webhooks/", "all I look at")).await;
    program.terminate();
    assert!(program.finished().await.0.success());
    assert_eq!(fixture.jobs(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_job_gets_an_apology() {
    let mut fixture = Fixture::new().await;
    let _gate = fixture.discord.files.put_gated("slow.jpg", photo_with_a_face());
    let mut program = fixture.start();
    fixture.discord.inbox.next("put /applications").await;
    fixture.discord.dispatch("MESSAGE_CREATE", fixture.picture("slow.jpg", "88"));
    fixture.discord.inbox.next("fetched slow.jpg").await;
    fixture.discord.initial_response(fixture.discord.command_with_photo("guess", "slow.jpg")).await;
    fixture.discord.inbox.next("fetched slow.jpg").await;
    program.kill();
    let store = rusqlite::Connection::open(fixture.path()).unwrap();
    let left: Vec<String> = {
        let mut jobs = store.prepare("SELECT reference FROM job").unwrap();
        jobs.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert!(left.len() == 2 && left.iter().all(|reference| !reference.contains("zoe.quillon")), "{left:?}");
    store.execute("UPDATE job SET received = received - 1000", []).unwrap();
    drop(store);
    let program = fixture.start();
    for place in ["post /channels/88/messages", "patch /webhooks/"] {
        assert!(words(&fixture.discord.inbox.next(place).await).contains("I was interrupted"), "{place}");
    }
    program.terminate();
    assert!(program.finished().await.0.success());
    assert_eq!(fixture.jobs(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_drops_a_photo_whose_message_is_gone() {
    let mut fixture = Fixture::new().await;
    let _gate = fixture.discord.files.put_gated("slow.jpg", photo_with_a_face());
    let mut program = fixture.start();
    fixture.discord.inbox.next("put /applications").await;
    let message = fixture.discord.message("", vec![fixture.discord.attachment("slow.jpg", "image/jpeg")], None);
    fixture.discord.dispatch("MESSAGE_CREATE", message);
    fixture.discord.inbox.next("fetched slow.jpg").await;
    program.kill();
    let program = fixture.start();
    fixture.discord.inbox.next("unmet get /channels/770077007700770077/messages/").await;
    // It still answers new interactions.
    fixture.discord.initial_response(fixture.discord.command("help", json!([]))).await;
    program.terminate();
    assert!(program.finished().await.0.success());
    assert_eq!(fixture.jobs(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_discord_does_not_show_again_is_answered_by_the_next_run() {
    // No Read Message History permission, a bare 404, a server error, and a deleted message.
    for (fault, is_owed) in [
        (Fault::code(403, 50001), true),
        (Fault::status(404), true),
        (Fault::status(500), true),
        (Fault::code(404, 10008), false),
    ] {
        let mut fixture = Fixture::new().await;
        let gate = fixture.discord.files.put_gated("slow.jpg", photo_with_a_face());
        let mut program = fixture.start();
        fixture.discord.inbox.next("put /applications").await;
        let message = fixture.picture("slow.jpg", "88");
        fixture.discord.dispatch("MESSAGE_CREATE", message.clone());
        fixture.discord.inbox.next("fetched slow.jpg").await;
        program.kill();
        gate.send(true).unwrap();
        fixture.discord.fail("get /channels/88/messages/", fault.clone(), 99);
        let program = fixture.start();
        if is_owed {
            let reply = fixture.discord.inbox.next("post /channels/88/messages").await;
            assert_eq!(reply.body["message_reference"]["message_id"], message["id"]);
            assert!(words(&reply).contains(" of about "), "{fault:?} {reply:?}");
        } else {
            fixture.discord.inbox.next("failed get /channels/88/messages/").await;
        }
        program.terminate();
        assert!(program.finished().await.0.success());
        assert!(fixture.discord.inbox.pending("post /channels/88/messages").is_empty());
        assert_eq!(fixture.jobs(), 0);
    }
}
