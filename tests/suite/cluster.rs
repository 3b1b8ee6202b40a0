//! Gateways and workers as processes, with a real `nats-server` between them and stand-in platforms.

use std::collections::BTreeMap;
use std::time::Duration;

use faceguesser::bot::jobs::{Claim, Job, Jobs, Receipt, TakenJobs};
use faceguesser::bot::people::{ChatId, PersonId, Platform};
use faceguesser::bot::store::Store;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::discord::{Discord, words};
use crate::support::inbox::RecordedRequest;
use crate::support::nats::NatsServer;
use crate::support::program::Program;
use crate::support::telegram::{GROUP, PERSON, Telegram, buttons, photo, text};
use crate::support::{photo_with_a_face, photo_without_a_face, tiny_photo};

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

/// Gateway, workers and stand-in Telegram.
struct Cluster {
    nats: NatsServer,
    telegram: Telegram,
    gateway: Program,
    workers: Vec<Program>,
}

impl Cluster {
    async fn start(workers: usize, variables: &[(&str, &str)]) -> Self {
        let nats = NatsServer::start().await;
        let mut telegram = Telegram::start().await;
        let gateway = telegram.process("gateway", &nats.url(), variables);
        telegram.inbox.next("setmycommands").await;
        let workers: Vec<_> = (0..workers).map(|_| telegram.process("worker", &nats.url(), &[])).collect();
        for worker in &workers {
            worker.logged("waiting for jobs").await;
        }
        Self { nats, telegram, gateway, workers }
    }

    fn restart_worker(&mut self, index: usize) {
        self.workers[index].kill();
        self.workers[index] = self.telegram.process("worker", &self.nats.url(), &[]);
    }

    fn restart_gateway(&mut self) {
        self.gateway.kill();
        self.gateway = self.telegram.process("gateway", &self.nats.url(), &[]);
    }
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
async fn a_full_queue_is_answered_busy() {
    let mut cluster = Cluster::start(0, &[("FACEGUESSER__CLUSTER__QUEUE", "1")]).await;
    cluster.telegram.post(PERSON, json!({ "photo": photo("first") }));
    let second = cluster.telegram.post(PERSON, json!({ "photo": photo("second") }));
    let reply = cluster.telegram.inbox.next("sendmessage").await;
    assert_eq!(reply.body["reply_parameters"]["message_id"], second);
    assert!(text(&reply).contains("busy") || text(&reply).contains("lot"), "{reply:?}");
}

/// The replies to each photo.
#[derive(Default)]
struct Tally {
    replies: BTreeMap<i64, u32>,
    apologies: u32,
}

impl Tally {
    fn count(&mut self, reply: &RecordedRequest) {
        // A request that the stand-in refused has no `sent`.
        if reply.body["sent"].is_null() {
            return;
        }
        let about = reply.body["reply_parameters"]["message_id"].as_i64().unwrap();
        self.apologies += u32::from(text(reply).contains("I was interrupted"));
        *self.replies.get_mut(&about).unwrap() += 1;
    }

    fn unanswered(&self) -> usize {
        self.replies.values().filter(|replies| **replies == 0).count()
    }

    /// Waits until every photo has a reply, or for so long.
    async fn complete(&mut self, telegram: &mut Telegram, patience: Duration) {
        telegram.inbox.drain("sendmessage").iter().for_each(|reply| self.count(reply));
        let all = async {
            while self.unanswered() > 0 {
                let asked = telegram.inbox.next_any().await;
                if asked.what.starts_with("sendmessage") {
                    self.count(&asked);
                }
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// What happened, for the record; the number of replies too many.
    fn report(&self, faults: &str) -> u32 {
        let twice = self.replies.values().map(|replies| replies.saturating_sub(1)).sum();
        let (photos, lost, apologies) = (self.replies.len(), self.unanswered(), self.apologies);
        println!("{faults}: {photos} photos, lost {lost}, answered twice {twice}, apologies {apologies}");
        twice
    }
}

/// A number from the environment, for longer runs by hand.
fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// How long a reply may take after the last fault: the queue gives a killed worker's job to another after
/// a quarter of a minute, and it may be the second kill.
const PATIENCE: Duration = Duration::from_secs(90);

/// Photos arrive all the time, and one of two workers is killed at random moments.
///
///     FACEGUESSER_KILLS=50 cargo test --test suite workers_are_killed -- --nocapture
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn no_photo_is_lost_while_workers_are_killed() {
    let kills = number("FACEGUESSER_KILLS", 5);
    let mut cluster = Cluster::start(2, &[]).await;
    cluster.telegram.files.put("tiny", tiny_photo());
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(23);
    let mut tally = Tally::default();
    let mut person = 1000;
    for _ in 0..kills {
        for _ in 0..random.random_range(2..6) {
            person += 1;
            tally.replies.insert(cluster.telegram.post(person, json!({ "photo": photo("tiny") })), 0);
            tokio::time::sleep(random.random_range(Duration::ZERO..Duration::from_millis(60))).await;
        }
        let victim = random.random_range(0..2);
        cluster.restart_worker(victim);
        tokio::time::sleep(random.random_range(Duration::ZERO..Duration::from_millis(600))).await;
    }
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    let twice = tally.report(&format!("{kills} workers killed"));
    assert_eq!(tally.unanswered(), 0, "{:?}", tally.replies);
    // A kill can hit a reply that is being sent.
    assert!(u64::from(twice) <= kills, "{:?}", tally.replies);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn no_photo_is_lost_while_the_server_is_restarted_and_the_gateway_replaced() {
    let rounds = number("FACEGUESSER_ROUNDS", 2);
    let mut cluster = Cluster::start(2, &[]).await;
    cluster.telegram.files.put("tiny", tiny_photo());
    let mut tally = Tally::default();
    let mut person = 1000;
    for round in 0..rounds {
        for photos in 0..6 {
            person += 1;
            tally.replies.insert(cluster.telegram.post(person, json!({ "photo": photo("tiny") })), 0);
            match photos {
                2 => cluster.nats.kill(),
                3 => cluster.nats.restart().await,
                4 if round % 2 == 0 => cluster.restart_gateway(),
                _ => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    let twice = tally.report(&format!("{rounds} restarts of the server and half as many gateways replaced"));
    assert_eq!(tally.unanswered(), 0, "{:?}", tally.replies);
    assert!(u64::from(twice) <= rounds, "{:?}", tally.replies);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_worker_whose_link_is_cut_leaves_its_photos_to_others_and_tells_nothing_twice() {
    let mut cluster = Cluster::start(0, &[]).await;
    let link = cluster.nats.link().await;
    let cut_off = cluster.telegram.process("worker", &link.url(), &[]);
    cut_off.logged("waiting for jobs").await;
    let gate = cluster.telegram.files.put_gated("slow", photo_with_a_face());
    let mut tally = Tally::default();
    for person in 1001..1004 {
        tally.replies.insert(cluster.telegram.post(person, json!({ "photo": photo("slow") })), 0);
        cluster.telegram.inbox.next("fetched photos/slow").await;
    }
    link.cut();
    cluster.workers.push(cluster.telegram.process("worker", &cluster.nats.url(), &[]));
    // The cut-off worker could reply now, and is not allowed to.
    gate.send(true).unwrap();
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    link.mend();
    // It works again.
    cut_off.logged("the connection to NATS broke").await;
    cluster.workers.clear();
    tally.replies.insert(cluster.telegram.post(1009, json!({ "photo": photo("slow") })), 0);
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    let twice = tally.report("a link cut for half a minute");
    assert_eq!((tally.unanswered(), twice), (0, 0), "{:?}", tally.replies);
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
