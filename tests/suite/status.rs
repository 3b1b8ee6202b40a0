//! What an operator sees of a running program: health, readiness, metrics, the dashboard and the log's spans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::support::discord::Discord;
use crate::support::discord_faults::Fault;
use crate::support::photo_with_a_face;
use crate::support::program::{Program, command};
use crate::support::telegram::{PERSON, TOKEN, Telegram, photo, text};

const OWN_ADDRESS: (&str, &str) = ("FACEGUESSER__STATUS__LISTEN", "127.0.0.1:0");
const IMPATIENT: (&str, &str) = ("FACEGUESSER__STATUS__PATIENCE", "300ms");
const PAGE: [(&str, &str); 2] = [("FACEGUESSER__WEB__ENABLED", "true"), ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")];

async fn get(url: &str) -> (StatusCode, String) {
    let response = Client::new().get(url).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

/// Asks `/readyz` until it has this status; returns its JSON.
async fn ready(address: &str, status: StatusCode, reason: &str) -> Value {
    let begun = Instant::now();
    loop {
        let (now, answer) = get(&format!("{address}/readyz")).await;
        if now == status && answer.contains(reason) {
            return serde_json::from_str(&answer).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The samples of an answer of `/metrics`: name with labels, and value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_is_not_ready_while_a_platform_does_not_answer_and_ready_when_it_does_again() {
    let telegram = Telegram::start().await;
    let base = telegram.base();
    // The failures last for some seconds, since the pauses between attempts grow.
    (0..3).for_each(|_| telegram.script("getUpdates", json!({ "html": 502 })));
    let program = telegram.program(&[OWN_ADDRESS, IMPATIENT, ("FACEGUESSER__TELEGRAM__API_BASE", &base)]);
    let address = program.status_url().await;
    let silent = ready(&address, StatusCode::SERVICE_UNAVAILABLE, "has not answered").await;
    assert_eq!(silent["status"], "not ready");
    assert!(silent["reasons"][0].as_str().unwrap().starts_with("telegram: has not answered for "), "{silent}");
    assert_eq!(get(&format!("{address}/healthz")).await, (StatusCode::OK, r#"{"status":"ok"}"#.into()));
    let answering = ready(&address, StatusCode::OK, "ready").await;
    assert_eq!(answering, json!({ "status": "ready", "reasons": [], "platforms": { "telegram": "ready" } }));
    // A poll that waits for updates does not count as silence.
    tokio::time::sleep(Duration::from_millis(600)).await;
    ready(&address, StatusCode::OK, "ready").await;
    let errors = samples(&get(&format!("{address}/metrics")).await.1);
    assert_eq!(errors[r#"faceguesser_platform_errors_total{platform="telegram",kind="server_error"}"#], 3.0);
    assert_eq!(errors[r#"faceguesser_platform_ready{platform="telegram"}"#], 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn discords_gateway_counts_as_silent_until_it_is_connected_again() {
    let mut discord = Discord::start().await;
    discord.fail("get /gateway", Fault::status(500), 2);
    let program = discord.program(&[OWN_ADDRESS, IMPATIENT]);
    let address = program.status_url().await;
    ready(&address, StatusCode::SERVICE_UNAVAILABLE, "discord: has not answered").await;
    discord.inbox.next("identify").await;
    ready(&address, StatusCode::OK, "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_keeps_the_program_from_being_ready_with_its_reason() {
    let telegram = Telegram::start().await;
    telegram.refuse("getMe", 401, "Unauthorized");
    let program = telegram.program(&PAGE);
    let page = program.page().await;
    let answer = ready(page.trim_end_matches('/'), StatusCode::SERVICE_UNAVAILABLE, "token").await;
    assert!(answer["platforms"]["telegram"].as_str().unwrap().contains("refuses the token"), "{answer}");
    assert!(!answer.to_string().contains(TOKEN));
    assert_eq!(get(&format!("{page}healthz")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_serves_metrics_to_this_machine_only_and_not_at_all_beside_an_address_of_their_own() {
    let program = Program::start(&PAGE);
    let url = format!("{}metrics", program.page().await);
    let (status, text) = get(&url).await;
    assert!(status == StatusCode::OK && text.ends_with("# EOF\n"), "{text}");
    let forwarded = Client::new().get(&url).header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    assert_eq!(forwarded.status(), StatusCode::NOT_FOUND);
    let program = Program::start(&[PAGE[0], PAGE[1], OWN_ADDRESS]);
    assert_eq!(get(&format!("{}metrics", program.page().await)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&format!("{}/metrics", program.status_url().await)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_stages_and_refusals_are_counted_and_the_dashboard_asks_for_nothing_else() {
    let (mut telegram, program) = Telegram::polled(&[OWN_ADDRESS, PAGE[0], PAGE[1]]).await;
    let page = program.page().await;
    // Of the poll after the one that brings the first photo.
    telegram.script("getUpdates", json!({ "html": 502 }));
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("two", "no picture".as_bytes().to_vec());
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains(" of about "));
    telegram.post(PERSON, json!({ "photo": photo("two") }));
    telegram.inbox.next("sendmessage").await;
    let form = reqwest::multipart::Form::new().part("photo", reqwest::multipart::Part::bytes(photo_with_a_face()));
    Client::new().post(format!("{page}api/guess?card=1")).multipart(form).send().await.unwrap();
    let (_, text) = get(&format!("{}/metrics", program.status_url().await)).await;
    let samples = samples(&text);
    let photos = |platform: &str, outcome: &str| {
        samples[&format!(r#"faceguesser_photos_total{{platform="{platform}",outcome="{outcome}"}}"#)]
    };
    assert_eq!(
        (photos("telegram", "guessed"), photos("telegram", "refused"), photos("web", "guessed")),
        (1.0, 1.0, 1.0)
    );
    assert_eq!(samples[r#"faceguesser_refusals_total{platform="telegram",kind="not_a_picture"}"#], 1.0);
    for stage in ["fetch", "wait", "decode", "find", "cut", "estimate", "draw", "reply"] {
        let count = samples[&format!(r#"faceguesser_stage_seconds_count{{stage="{stage}"}}"#)];
        assert!(count >= 1.0, "{stage}: {text}");
    }
    assert!(samples["faceguesser_batch_faces_count"] >= 2.0 && samples["faceguesser_queue_depth"] == 0.0, "{text}");
    assert!(samples["process_resident_memory_bytes"] > 1e7, "{text}");
    assert!(samples["faceguesser_workers"] >= 1.0 && samples["faceguesser_workers_busy"] == 0.0, "{text}");
    assert_eq!(samples[&format!(r#"faceguesser_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))], 1.0);
    assert!(!text.contains("9009009009"), "{text}");
    let served: BTreeSet<&str> = samples.keys().map(|name| name.split('{').next().unwrap()).collect();
    let dashboard = include_str!("../../docs/grafana.json");
    let asked = metric_names(dashboard);
    assert!(asked.len() >= 8, "{asked:?}");
    for name in asked {
        assert!(served.contains(name), "the dashboard asks for {name}, which /metrics does not have");
    }
}

/// The names of this program's metrics in a text.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("faceguesser_") || word.starts_with("process_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photos_span_has_its_platform_faces_and_stages_and_no_personal_data() {
    let (mut telegram, program) = Telegram::polled(&[("FACEGUESSER__LOG__FORMAT", "json")]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    telegram.inbox.next("sendmessage").await;
    program.terminate();
    let (_, log) = program.finished().await;
    let line = log.lines().find(|line| line.contains("photo answered")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let span = line["span"].as_object().unwrap();
    assert_eq!(
        (&span["name"], &span["platform"], &span["job"], &span["faces"]),
        (&json!("photo"), &json!("telegram"), &json!(1), &json!(1))
    );
    for stage in ["fetch_ms", "wait_ms", "decode_ms", "find_ms", "cut_ms", "estimate_ms"] {
        assert!(span[stage].as_f64().is_some_and(|took| (0.0..60_000.0).contains(&took)), "{stage}: {line}");
    }
    let known =
        ["name", "platform", "job", "faces", "fetch_ms", "wait_ms", "decode_ms", "find_ms", "cut_ms", "estimate_ms"];
    assert!(span.keys().all(|key| known.contains(&key.as_str())), "{line}");
}

/// What `faceguesser top` prints without a terminal, and whether it succeeds.
fn top(arguments: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let output = command().arg("top").args(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn top_draws_a_running_bot_with_its_platforms_stages_and_counts() {
    let (mut telegram, program) = Telegram::polled(&[OWN_ADDRESS]).await;
    let address = program.status_url().await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("two", "no picture".as_bytes().to_vec());
    for name in ["one", "two"] {
        telegram.post(PERSON, json!({ "photo": photo(name) }));
        telegram.inbox.next("sendmessage").await;
    }
    let (succeeded, text) = top(&[&address], &[]);
    assert!(succeeded, "{text}");
    for words in [env!("CARGO_PKG_VERSION"), "● telegram", "decode", "estimate", "guessed", "not_a_picture", "MiB"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // The address is that of the configuration unless it is given.
    let listen = address.trim_start_matches("http://");
    assert!(top(&["--once"], &[("FACEGUESSER__STATUS__LISTEN", listen)]).1.contains("● telegram"));
    drop(program);
    let (succeeded, text) = top(&[&address], &[]);
    assert!(!succeeded && text.contains("is it running there?"), "{text}");
    let (succeeded, text) = top(&[&telegram.base()], &[]);
    assert!(!succeeded && text.contains("is it running there?"), "{text}");
    assert!(!top(&["--every", "0"], &[]).0);
}
