//! Files that Telegram or a self-hosted server delivers late, elsewhere or not at all.

use serde_json::{Value, json};

use crate::support::photo_with_a_face;
use crate::support::telegram::{PERSON, Telegram, document, photo, text};

/// Sends a photo and checks that the reply contains `words`.
async fn assert_answered(telegram: &mut Telegram, words: &str) {
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains(words), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_once_is_fetched_again() {
    let (mut telegram, _program) = Telegram::polled(&[("FACEGUESSER__FAIR_USE__PERSON_BURST", "100")]).await;
    telegram.files.put("one", photo_with_a_face());
    let refused = |code: u16, words: &str| json!({ "ok": false, "error_code": code, "description": words });
    let faults: [Value; 8] = [
        json!({ "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1", "parameters": { "retry_after": 1 } }),
        refused(429, "Too Many Requests"),
        refused(500, "Internal Server Error"),
        refused(502, "Bad Gateway"),
        json!({ "html": 502 }),
        json!({ "html": 504 }),
        json!({ "cut": true }),
        refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
    ];
    for fault in faults {
        telegram.script("getFile", fault.clone());
        assert_answered(&mut telegram, " of about ").await;
        if fault["error_code"] != 400 {
            telegram.script("file", fault);
            assert_answered(&mut telegram, " of about ").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_and_never_responds_is_retried_within_the_time_limit() {
    let (mut telegram, _program) = Telegram::polled(&[("FACEGUESSER__LIMITS__DOWNLOAD_TIMEOUT", "8s")]).await;
    telegram.files.put("one", photo_with_a_face());
    for method in ["getFile", "file"] {
        telegram.script(method, json!({ "stall": true }));
        assert_answered(&mut telegram, " of about ").await;
    }
    // The same for a reply.
    telegram.script("sendMessage", json!({ "stall": true }));
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    telegram.inbox.next("sendmessage").await;
    telegram.inbox.next("sendmessage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_link_is_renewed() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.script("file", json!({ "html": 404 }));
    assert_answered(&mut telegram, " of about ").await;
    assert_eq!(telegram.inbox.pending("getfile").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_stays_unavailable_is_reported_within_the_time_limit() {
    let (mut telegram, _program) = Telegram::polled(&[("FACEGUESSER__LIMITS__DOWNLOAD_TIMEOUT", "1s")]).await;
    for _ in 0..5 {
        telegram.refuse("getFile", 400, "Bad Request: wrong file_id or the file is temporarily unavailable");
    }
    assert_answered(&mut telegram, "couldn't fetch").await;
    assert_eq!(telegram.inbox.pending("getfile").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_hosted_servers_files_are_read_from_its_folder_and_from_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut telegram = Telegram::start().await;
    telegram.store_files_in(folder.path());
    let local = [
        ("FACEGUESSER__TELEGRAM__LOCAL_FILES", folder.path().to_str().unwrap()),
        ("FACEGUESSER__LIMITS__PHOTO_BYTES", "30 MiB"),
    ];
    let program = telegram.program(&local);
    let mut large = photo_with_a_face();
    // Bytes after the end of the picture are ignored.
    large.resize(25 << 20, 0);
    std::fs::write(folder.path().join("one"), large).unwrap();
    std::fs::write(folder.path().join("larger"), vec![0xff; 31 << 20]).unwrap();
    std::fs::write(elsewhere.path().join("secret"), photo_with_a_face()).unwrap();
    let outside = elsewhere.path().join("secret").to_str().unwrap().to_owned();
    for (name, bytes, words) in [
        ("one", 25 << 20, " of about "),
        ("larger", 31 << 20, "up to 30 mb"),
        ("gone", 9, "no longer there"),
        (&outside, 9, "attach"),
    ] {
        telegram.post(PERSON, json!({ "document": document(name, bytes, "image/jpeg") }));
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(
            text(&reply).to_lowercase().contains(words) && (name == "one") == text(&reply).contains(" of about "),
            "{reply:?}"
        );
    }
    assert!(telegram.inbox.pending("fetched").is_empty());
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(!log.contains(folder.path().to_str().unwrap()), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absolute_path_is_not_read_from_disk_unless_a_folder_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one"), photo_with_a_face()).unwrap();
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.store_files_in(folder.path());
    assert_answered(&mut telegram, "no longer there").await;
}
