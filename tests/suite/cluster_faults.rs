//! What happens to photos while processes, the server and links between them fail.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::cluster::{Cluster, NO_FAIR_USE};
use crate::support::inbox::RecordedRequest;
use crate::support::nats::NatsServer;
use crate::support::telegram::{Telegram, photo, text};
use crate::support::{photo_with_a_face, tiny_photo};

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

    /// Waits until every photo has a reply, at most for `patience`.
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
pub const PATIENCE: Duration = Duration::from_secs(90);

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
    let cut = tokio::time::Instant::now();
    cluster.workers.push(cluster.telegram.process("worker", &cluster.nats.url(), &[]));
    // The cut-off worker could reply now, and is not allowed to.
    gate.send(true).unwrap();
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    // By default only as long as it takes to answer.
    tokio::time::sleep_until(cut + Duration::from_secs(number("FACEGUESSER_CUT", 0))).await;
    let lasted = cut.elapsed().as_secs();
    link.mend();
    // It works again.
    cut_off.logged("the connection to NATS broke").await;
    cluster.workers.clear();
    tally.replies.insert(cluster.telegram.post(1009, json!({ "photo": photo("slow") })), 0);
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    let twice = tally.report(&format!("a link cut for {lasted} s"));
    assert_eq!((tally.unanswered(), twice), (0, 0), "{:?}", tally.replies);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_worker_whose_link_loses_everything_leaves_its_photo_to_others_and_works_again() {
    let mut cluster = Cluster::start(0, &[]).await;
    let link = cluster.nats.link().await;
    let deaf = cluster.telegram.process("worker", &link.url(), &[]);
    deaf.logged("waiting for jobs").await;
    let gate = cluster.telegram.files.put_gated("slow", photo_with_a_face());
    let mut tally = Tally::default();
    tally.replies.insert(cluster.telegram.post(1001, json!({ "photo": photo("slow") })), 0);
    cluster.telegram.inbox.next("fetched photos/slow").await;
    link.silence();
    cluster.workers.push(cluster.telegram.process("worker", &cluster.nats.url(), &[]));
    gate.send(true).unwrap();
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    // The silence is noticed although no connection was closed.
    deaf.logged("the connection to NATS broke").await;
    link.mend();
    cluster.workers.clear();
    tally.replies.insert(cluster.telegram.post(1002, json!({ "photo": photo("slow") })), 0);
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    let twice = tally.report("a link without a sign of life");
    assert_eq!((tally.unanswered(), twice), (0, 0), "{:?}", tally.replies);
}

/// Each of three servers is killed in turn and comes back, while photos arrive all the time.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn no_photo_is_lost_while_one_of_three_servers_is_down() {
    let mut servers = NatsServer::start_three().await;
    let urls = servers.each_ref().map(NatsServer::url).join(",");
    let replicas = [("FACEGUESSER__CLUSTER__REPLICAS", "3")];
    let mut telegram = Telegram::start().await;
    telegram.files.put("tiny", tiny_photo());
    let _gateway = telegram.process("gateway", &urls, &[&replicas[..], &NO_FAIR_USE].concat());
    telegram.inbox.next("setmycommands").await;
    let workers = [(); 2].map(|()| telegram.process("worker", &urls, &replicas));
    for worker in &workers {
        worker.logged("waiting for jobs").await;
    }
    let mut tally = Tally::default();
    let mut person = 1000;
    for server in &mut servers {
        for photos in 0..6 {
            person += 1;
            tally.replies.insert(telegram.post(person, json!({ "photo": photo("tiny") })), 0);
            match photos {
                1 => server.kill(),
                5 => server.restart().await,
                _ => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
        tally.complete(&mut telegram, PATIENCE).await;
    }
    let twice = tally.report("each of three servers killed in turn");
    assert_eq!(tally.unanswered(), 0, "{:?}", tally.replies);
    assert!(twice <= 3, "{:?}", tally.replies);
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_nats), ignore = "needs nats-server")]
async fn a_server_that_lost_its_files_is_set_up_again() {
    let mut cluster = Cluster::start(1, &[]).await;
    cluster.telegram.files.put("tiny", tiny_photo());
    cluster.nats.restart_without_files().await;
    let mut tally = Tally::default();
    tally.replies.insert(cluster.telegram.post(1001, json!({ "photo": photo("tiny") })), 0);
    tally.complete(&mut cluster.telegram, PATIENCE).await;
    assert_eq!((tally.unanswered(), tally.report("a server without its files")), (0, 0));
}
