//! What prevents polling: webhooks, other programs, failures.

use serde_json::json;

use crate::support::photo_with_a_face;
use crate::support::telegram::{PERSON, Telegram, photo, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_could_not_be_deleted_at_the_start_is_deleted_later() {
    let mut telegram = Telegram::start().await;
    telegram.set_webhook();
    telegram.script("deleteWebhook", json!({ "html": 502 }));
    telegram.refuse("deleteWebhook", 429, "Too Many Requests: retry after 1");
    let _program = telegram.program(&[]);
    telegram.post(PERSON, json!({ "text": "/help" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("/guess"));
    assert_eq!(telegram.inbox.pending("deletewebhook").len(), 3);
    // One that is set while the program runs is deleted as well.
    telegram.set_webhook();
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    assert_eq!(telegram.inbox.pending("deletewebhook").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_with_one_token_are_logged_as_such() {
    let (mut telegram, program) = Telegram::polled(&[]).await;
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    telegram.refuse("getUpdates", 409, conflict);
    // The first message ends the pending poll.
    for _ in 0..2 {
        telegram.post(PERSON, json!({ "text": "/help" }));
        telegram.inbox.next("sendmessage").await;
    }
    program.terminate();
    let (status, log) = program.finished().await;
    assert!(status.success() && log.contains("another program uses the same Telegram token"), "{log}");
    assert!(!log.contains("make sure that only one"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_all_methods_at_the_start_are_retried_and_logged_without_the_address() {
    let mut telegram = Telegram::start().await;
    telegram.files.put("one", photo_with_a_face());
    for method in ["getMe", "getUpdates", "setMyCommands"] {
        telegram.script(method, json!({ "html": 502 }));
    }
    telegram.script("getUpdates", json!({ "cut": true }));
    let program = telegram.program(&[]);
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains(" of about "));
    // The failed menu is retried.
    for _ in 0..33 {
        telegram.inbox.next("setmycommands").await;
    }
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("status 502") && log.contains("no answer: "), "{log}");
    assert!(!log.contains("stand-in-telegram-token") && !log.contains("/bot"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_logged_with_the_cause_and_without_the_address() {
    let telegram = Telegram::start().await;
    // A port on which nothing listens any more.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = telegram.program(&[("FACEGUESSER__TELEGRAM__API_BASE", &format!("http://{unused}"))]);
    program.logged("Connection refused").await;
    program.terminate();
    let (status, log) = program.finished().await;
    assert!(
        status.success() && !log.contains("stand-in-telegram-token") && !log.contains(&unused.to_string()),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_error_is_logged_as_such() {
    let telegram = Telegram::start().await;
    let base = telegram.base().replace("http://", "https://");
    let program = telegram.program(&[("FACEGUESSER__TELEGRAM__API_BASE", &base)]);
    program.logged("TLS error: ").await;
}
