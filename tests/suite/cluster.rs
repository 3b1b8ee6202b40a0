//! Gateways and workers as processes, with a real `nats-server` between them and stand-in platforms.

use std::time::Duration;

use faceguesser::bot::game::{Game, GameStore, MAX_OPEN_GAMES, Player};
use faceguesser::bot::jobs::{Claim, Job, Jobs, Receipt, TakenJobs};
use faceguesser::bot::people::{ChatId, PersonId, Platform};
use faceguesser::bot::store::Store;
use futures_util::TryStreamExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cluster_faults::PATIENCE;
use crate::support::cluster::Cluster;
use crate::support::discord::{Discord, words};
use crate::support::inbox::RecordedRequest;
use crate::support::nats::NatsServer;
use crate::support::telegram::{BOT_NAME, GROUP, PERSON, buttons, message, photo, text, with};
use crate::support::{photo_with_a_face, photo_without_a_face};

const CHAT: ChatId = ChatId { platform: Platform::Telegram, id: 7 };
const ANN: PersonId = PersonId { platform: Platform::Telegram, id: 1 };

fn job(message: i64) -> Job {
    Job::new(CHAT, message, ANN, "{\"file\":\"a secret file\"}".into())
}

/// Runs something that may block.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn next(jobs: &mut tokio::sync::mpsc::Receiver<TakenJobs>) -> TakenJobs {
    let next = tokio::time::timeout(crate::support::inbox::PATIENCE, jobs.recv()).await;
    next.expect("a job comes").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_job_that_was_not_finished_comes_again_and_its_reply_is_sent_once() {
    let server = NatsServer::start().await;
    let (gateway, first, second) = (server.store().await, server.store().await, server.store().await);
    blocking(move || gateway.receive(None, Some(&job(1))).unwrap()).await;
    let shutdown = CancellationToken::new();
    let mut jobs = first.take_jobs(Platform::Telegram, 4, shutdown.clone());
    let taken = next(&mut jobs).await;
    assert_eq!((taken.jobs[0].message, taken.jobs[0].tries), (1, 1));
    // The worker gives up, as after a panic.
    drop(taken);
    shutdown.cancel();
    let mut jobs = second.take_jobs(Platform::Telegram, 4, CancellationToken::new());
    let taken = next(&mut jobs).await;
    assert_eq!((taken.jobs[0].message, taken.jobs[0].tries), (1, 2));
    let store = second.clone();
    let claim = blocking(move || store.claim_reply(CHAT, 1).unwrap()).await;
    assert_eq!(claim, Claim::Granted);
    let store = second.clone();
    blocking(move || store.finish(CHAT, 1).unwrap()).await;
    drop(taken);
    // The same update once more, after the window for duplicates, would be recognised by its reply.
    let stored = blocking(move || second.receive(None, Some(&job(1))).unwrap()).await;
    assert_eq!(stored, Receipt::Duplicate);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_full_queue_refuses_jobs_until_one_is_finished() {
    let server = NatsServer::start().await;
    let store = server.store_of("small", 2).await;
    let receipts = |messages: std::ops::Range<i64>| {
        let store = store.clone();
        blocking(move || messages.map(|id| store.receive(None, Some(&job(id))).unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(receipts(1..4).await, [Receipt::Stored, Receipt::Stored, Receipt::Full]);
    let mut jobs = store.take_jobs(Platform::Telegram, 4, CancellationToken::new());
    let taken = next(&mut jobs).await;
    let (finishing, message) = (store.clone(), taken.jobs[0].message);
    blocking(move || finishing.finish(CHAT, message).unwrap()).await;
    drop(taken);
    assert_eq!(receipts(3..5).await, [Receipt::Stored, Receipt::Full]);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn jobs_of_somebody_who_is_forgotten_are_deleted_and_settings_leave_no_trace_on_disk() {
    let server = NatsServer::start().await;
    let store = server.store().await;
    let writing = store.clone();
    blocking(move || {
        let other = PersonId { id: 2, ..ANN };
        writing.receive(None, Some(&job(1))).unwrap();
        writing.receive(None, Some(&Job { person: other, ..job(2) })).unwrap();
        writing.save_connection(Platform::Discord, 77, Some("somebody's secret")).unwrap();
    })
    .await;
    let on_disk =
        |wanted: &str| server.files().iter().any(|file| memchr::memmem::find(file, wanted.as_bytes()).is_some());
    assert!(on_disk("somebody's secret"));
    let forgetting = store.clone();
    blocking(move || {
        forgetting.forget_person(ANN).unwrap();
        forgetting.save_connection(Platform::Discord, 77, None).unwrap();
    })
    .await;
    assert!(!on_disk("somebody's secret"));
    let mut jobs = store.take_jobs(Platform::Telegram, 4, CancellationToken::new());
    assert_eq!(next(&mut jobs).await.jobs[0].message, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn who_guessed_in_a_game_is_forgotten_with_it() {
    let server = NatsServer::start().await;
    let store = server.store().await;
    blocking(move || {
        let game = |chat: i64, host: i64| {
            let (chat, host) = (ChatId { id: chat, ..CHAT }, PersonId { id: host, ..ANN });
            let game = Game { chat, host, guess: "a man".into(), age: 31.4, truth: Some(33), guesses: vec![] };
            store.open_game(&game).unwrap()
        };
        let guesser = Player { person: PersonId { id: 2, ..ANN }, name: "Ben".into() };
        // The oldest of too many, one in a chat that is forgotten, and one of a host who is.
        let [oldest, of_chat, of_host] = [game(7, 3), game(8, 3), game(9, 4)];
        for number in [oldest, of_chat, of_host] {
            store.guess(number, &guesser, 30).unwrap();
        }
        // Numbers grow with the time.
        std::thread::sleep(Duration::from_millis(2));
        for _ in 0..MAX_OPEN_GAMES {
            game(7, 3);
        }
        store.forget_chat(ChatId { id: 8, ..CHAT }).unwrap();
        store.forget_person(PersonId { id: 4, ..ANN }).unwrap();
        assert_eq!([oldest, of_chat, of_host].map(|number| store.game(number).unwrap()), [None, None, None]);
    })
    .await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let state = async_nats::jetstream::new(client).get_stream("KV_test-state").await.unwrap();
    let notes = state.info_with_subjects("$KV.test-state.guessed.>").await.unwrap();
    let notes: Vec<(String, usize)> = notes.try_collect().await.unwrap();
    assert_eq!(notes, []);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn workers_answer_photos_and_the_gateway_commands_and_both_share_settings() {
    let mut cluster = Cluster::start(1, &[]).await;
    let telegram = &mut cluster.telegram;
    telegram.files.put("face", photo_with_a_face());
    telegram.files.put("none", photo_without_a_face());
    telegram.post(PERSON, json!({ "text": "/language de" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("Deutsch"));
    let id = telegram.post(PERSON, json!({ "photo": photo("face") }));
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains(" von etwa ") || text(&reply).contains("etwa"), "{reply:?}");
    assert_eq!(reply.body["reply_parameters"]["message_id"], id);
    // A game is started by a worker and guessed at through the gateway.
    telegram.post(GROUP, json!({ "photo": photo("face"), "caption": "/game 30" }));
    let game = telegram.inbox.next("sendmessage").await;
    let (code, _) = buttons(&game).into_iter().find(|(code, _)| code.starts_with("guess:")).unwrap();
    telegram.press(4711, &code, GROUP, game.body["sent"].as_i64().unwrap(), json!(null));
    telegram.inbox.next("editmessagetext").await;
    // An album is answered by one worker, with one reply.
    for (name, caption) in [("none", ""), ("face", "/guess"), ("none", "")] {
        telegram.post(GROUP, json!({ "photo": photo(name), "caption": caption, "media_group_id": "4242" }));
    }
    let is_complete = |asked: &RecordedRequest| asked.body["text"].as_str().unwrap_or_default().contains("Foto 3");
    telegram.inbox.wait("the reply to the album", is_complete).await;
    for program in cluster.workers.iter().chain([&cluster.gateway]) {
        program.terminate();
    }
    assert!(cluster.gateway.finished().await.0.success());
    for worker in cluster.workers {
        assert!(worker.finished().await.0.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn photo_buttons_and_guests_are_answered_by_workers() {
    let mut cluster = Cluster::start(0, &[]).await;
    let telegram = &mut cluster.telegram;
    telegram.files.put("face", photo_with_a_face());
    let id = telegram.post(PERSON, json!({ "photo": photo("face") }));
    let asked = with(message(PERSON, id), json!({ "photo": photo("face") }));
    telegram.press(PERSON, "see", PERSON, 5000, asked);
    telegram.inbox.next("answercallbackquery").await;
    let somebody = json!({ "id": 9_100_000_000_i64, "is_bot": false, "first_name": "Quillon" });
    let guest = json!({ "photo": photo("face"), "caption": format!("@{BOT_NAME} how old?"), "from": somebody });
    telegram.mention_as_guest(-1_000_000_000_777, guest);
    let _worker = telegram.process("worker", &cluster.nats.url(), &[]);
    let explained = telegram.inbox.next("sendmediagroup").await;
    assert!(text(&explained).contains("128×128 grey pixels"), "{explained:?}");
    assert_eq!(explained.body["reply_parameters"]["message_id"], id);
    let answer = telegram.inbox.next("answerguestquery").await;
    assert!(text(&answer).contains(" of about "), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn late_parts_of_an_album_get_a_reply_of_their_own_and_none_is_answered_twice() {
    let server = NatsServer::start().await;
    let (gateway, worker) = (server.store().await, server.store().await);
    let receive = async |message| {
        let (store, part) = (gateway.clone(), Job { album: Some("4-2".into()), ..job(message) });
        blocking(move || store.receive(None, Some(&part)).unwrap()).await
    };
    assert_eq!((receive(1).await, receive(2).await), (Receipt::Stored, Receipt::Duplicate));
    let mut jobs = worker.take_jobs(Platform::Telegram, 4, CancellationToken::new());
    let taken = next(&mut jobs).await;
    assert_eq!(taken.jobs.iter().map(|job| job.message).collect::<Vec<_>>(), [1, 2]);
    // The first one is delivered again, as after the replacement of a gateway.
    assert_eq!((receive(1).await, receive(3).await), (Receipt::Duplicate, Receipt::Stored));
    let late = next(&mut jobs).await;
    assert_eq!(late.jobs.iter().map(|job| job.message).collect::<Vec<_>>(), [3]);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_full_queue_is_answered_busy() {
    let mut cluster = Cluster::start(0, &[("FACEGUESSER__CLUSTER__QUEUE", "1")]).await;
    cluster.telegram.post(PERSON, json!({ "photo": photo("first") }));
    let second = cluster.telegram.post(PERSON, json!({ "photo": photo("second") }));
    let reply = cluster.telegram.inbox.next("sendmessage").await;
    assert_eq!(reply.body["reply_parameters"]["message_id"], second);
    assert!(text(&reply).contains("busy") || text(&reply).contains("lot"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_photo_that_kills_three_workers_gets_an_apology() {
    let mut cluster = Cluster::start(0, &[]).await;
    let _gate = cluster.telegram.files.put_gated("deadly", photo_with_a_face());
    let id = cluster.telegram.post(PERSON, json!({ "photo": photo("deadly") }));
    for _ in 0..3 {
        // A stopped worker gives its jobs back at once; those of a killed one wait for a while.
        let worker =
            cluster.telegram.process("worker", &cluster.nats.url(), &[("FACEGUESSER__INFERENCE__GRACE", "1ms")]);
        cluster.telegram.inbox.next("fetched photos/deadly").await;
        worker.terminate();
        worker.finished().await;
    }
    let _worker = cluster.telegram.process("worker", &cluster.nats.url(), &[]);
    let apology = cluster.telegram.inbox.next("sendmessage").await;
    assert!(text(&apology).contains("I was interrupted"), "{apology:?}");
    assert_eq!(apology.body["reply_parameters"]["message_id"], id);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn workers_answer_messages_and_interactions_of_discord() {
    let nats = NatsServer::start().await;
    let mut discord = Discord::start().await;
    discord.files.put("one.jpg", photo_with_a_face());
    let gateway = discord.process("gateway", &nats.url(), &[]);
    discord.inbox.next("put /applications").await;
    let mut worker = discord.process("worker", &nats.url(), &[]);
    worker.logged("waiting for jobs").await;
    let message = discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None);
    discord.keep(&message);
    discord.dispatch("MESSAGE_CREATE", message.clone());
    let reply = discord.inbox.next("post /channels/770077007700770077/messages").await;
    assert!(words(&reply).contains(" of about "), "{reply:?}");
    assert_eq!(reply.body["message_reference"]["message_id"], message["id"]);
    let about = |part: &'static str| {
        move |asked: &RecordedRequest| asked.what.starts_with("patch /webhooks/") && words(asked).contains(part)
    };
    discord.initial_response(discord.command_with_photo("guess", "one.jpg")).await;
    discord.inbox.wait("the guess", about(" of about ")).await;
    discord.initial_response(discord.command_with_photo("game", "one.jpg")).await;
    discord.inbox.wait("the game", about("How old is this person?")).await;
    // One that is killed with an interaction in progress.
    let gate = discord.files.put_gated("slow.jpg", photo_with_a_face());
    discord.initial_response(discord.command_with_photo("guess", "slow.jpg")).await;
    discord.inbox.next("fetched slow.jpg").await;
    worker.kill();
    gate.send(true).unwrap();
    let _worker = discord.process("worker", &nats.url(), &[]);
    let is_reply =
        |asked: &RecordedRequest| asked.what.starts_with("patch /webhooks/") && words(asked).contains(" of about ");
    tokio::time::timeout(PATIENCE, async {
        loop {
            let asked = discord.inbox.next_any().await;
            if is_reply(&asked) {
                return;
            }
        }
    })
    .await
    .expect("the next worker answers");
    gateway.terminate();
    assert!(gateway.finished().await.0.success());
}
