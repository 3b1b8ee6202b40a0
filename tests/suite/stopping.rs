//! Shutdown: orderly, in bounded time, and immediate on a second signal.

use std::time::Duration;

use serde_json::json;

use super::support::program::Program;
use super::support::telegram::{PERSON, Telegram, photo};
use super::support::tiny_photo;

/// A program that waits for a photo's file, which never arrives while the gate is held.
async fn waiting_for_a_file(variables: &[(&str, &str)]) -> (Telegram, Program, tokio::sync::watch::Sender<bool>) {
    let (mut telegram, program) = Telegram::polled(variables).await;
    let gate = telegram.files.put_gated("never", tiny_photo());
    telegram.post(PERSON, json!({ "photo": photo("never") }));
    telegram.inbox.next("fetched photos/never").await;
    (telegram, program, gate)
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_replies_in_progress() {
    let (_telegram, program, _gate) = waiting_for_a_file(&[("FACEGUESSER__INFERENCE__GRACE", "600s")]).await;
    program.terminate();
    program.logged("a second signal stops immediately").await;
    program.terminate();
    let ended = tokio::time::timeout(Duration::from_secs(10), program.finished()).await;
    let (status, log) = ended.expect("it still waits for the photo");
    assert_eq!(status.code(), Some(130), "{log}");
}

#[tokio::test]
async fn a_download_that_never_ends_does_not_keep_the_program_from_stopping() {
    let (_telegram, program, _gate) = waiting_for_a_file(&[("FACEGUESSER__INFERENCE__GRACE", "300ms")]).await;
    program.terminate();
    let ended = tokio::time::timeout(Duration::from_secs(20), program.finished()).await;
    let (status, log) = ended.expect("it still waits for the photo");
    assert!(status.success() && log.contains("stopped before every reply"), "{log}");
}
