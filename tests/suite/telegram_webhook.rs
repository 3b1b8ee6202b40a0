//! Updates that Telegram posts to the webhook, and requests from others.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::photo_with_a_face;
use crate::support::program::Program;
use crate::support::telegram::{PERSON, Telegram, message, photo, text, with};

const URL: &str = "https://bot.example/telegram/webhook";

struct Webhook {
    telegram: Telegram,
    program: Program,
    client: Client,
    address: String,
    secret: String,
}

impl Webhook {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let mut telegram = Telegram::start().await;
        // A free port; the listener is dropped before the program binds it.
        let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut all =
            vec![("FACEGUESSER__TELEGRAM__WEBHOOK_URL", URL), ("FACEGUESSER__TELEGRAM__WEBHOOK_LISTEN", &*listen)];
        all.extend_from_slice(variables);
        let program = telegram.program(&all);
        let set = telegram.inbox.next("setwebhook").await;
        assert_eq!(set.body["url"], URL);
        assert!(set.body["allowed_updates"].as_array().unwrap().contains(&json!("callback_query")), "{set:?}");
        let secret = set.body["secret_token"].as_str().unwrap().to_owned();
        // The program closes connections whose body it does not read, so none is reused.
        let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { telegram, program, client, address: format!("http://{listen}/telegram/webhook"), secret }
    }

    async fn post(&self, secret: Option<&str>, body: String) -> StatusCode {
        let request = self.client.post(&self.address).body(body);
        let request = match secret {
            Some(secret) => request.header("X-Telegram-Bot-Api-Secret-Token", secret),
            None => request,
        };
        request.send().await.unwrap().status()
    }

    fn help(&self) -> Value {
        let message = with(message(PERSON, self.telegram.next_id()), json!({ "text": "/help" }));
        self.telegram.as_update("message", message)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_requests_with_the_secret_are_accepted() {
    let mut webhook = Webhook::start(&[("FACEGUESSER__TELEGRAM__WEBHOOK_SECRET", "open-sesame")]).await;
    assert_eq!(webhook.secret, "open-sesame");
    let update = webhook.help();
    for secret in [None, Some("open-sesamf"), Some("open"), Some("")] {
        assert_eq!(webhook.post(secret, update.to_string()).await, StatusCode::UNAUTHORIZED);
    }
    let large = webhook.client.post(&webhook.address).header("X-Telegram-Bot-Api-Secret-Token", "open-sesame");
    // The connection may be closed before the response is read.
    let large = large.body("x".repeat(2 << 20)).send().await;
    assert!(large.is_err() || large.unwrap().status() == StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(webhook.client.get(&webhook.address).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = webhook.address.replace("/webhook", "/window");
    assert_eq!(webhook.client.post(elsewhere).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    // Telegram would resend an update that is refused.
    assert_eq!(webhook.post(Some("open-sesame"), "{}".into()).await, StatusCode::OK);
    assert!(webhook.telegram.inbox.pending("send").is_empty());
    // It also resends an accepted update if the response is lost.
    for _ in 0..2 {
        assert_eq!(webhook.post(Some("open-sesame"), update.to_string()).await, StatusCode::OK);
    }
    webhook.telegram.inbox.next("sendmessage").await;
    assert_eq!(webhook.post(Some("open-sesame"), webhook.help().to_string()).await, StatusCode::OK);
    webhook.telegram.inbox.next("sendmessage").await;
    assert!(webhook.telegram.inbox.pending("sendmessage").is_empty());
    assert!(webhook.telegram.inbox.pending("getupdates").is_empty());
    webhook.program.terminate();
    let (status, log) = webhook.program.finished().await;
    assert!(status.success() && !log.contains("open-sesame"), "{log}");
}

/// The time limit for a request's head, and a little more.
const TIMEOUT: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_use_every_slot_are_closed_and_updates_are_accepted_again() {
    let mut webhook = Webhook::start(&[]).await;
    let address = webhook.address.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(b"POST /webhook HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        held.push(connection);
    }
    let secret = webhook.secret.clone();
    let update = webhook.help().to_string();
    let posted = tokio::time::timeout(TIMEOUT, webhook.post(Some(&secret), update)).await;
    assert_eq!(posted.unwrap(), StatusCode::OK);
    webhook.telegram.inbox.next("sendmessage").await;
    let mut answer = Vec::new();
    tokio::time::timeout(TIMEOUT, held[0].read_to_end(&mut answer)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_in_progress_is_answered_at_shutdown() {
    let mut webhook = Webhook::start(&[]).await;
    let secret = webhook.secret.clone();
    assert!(secret.len() >= 32 && secret.chars().all(|c| c.is_ascii_alphanumeric()), "{secret}");
    let gate = webhook.telegram.files.put_gated("slow", photo_with_a_face());
    let id = webhook.telegram.next_id();
    let photo = with(message(PERSON, id), json!({ "photo": photo("slow") }));
    let update = webhook.telegram.as_update("message", photo);
    assert_eq!(webhook.post(Some(&secret), update.to_string()).await, StatusCode::OK);
    webhook.telegram.inbox.next("fetched photos/slow").await;
    webhook.program.terminate();
    gate.send(true).unwrap();
    assert!(text(&webhook.telegram.inbox.next("sendmessage").await).contains(" of about "));
    let (status, log) = webhook.program.finished().await;
    assert!(status.success() && !log.contains(&secret), "{log}");
}
