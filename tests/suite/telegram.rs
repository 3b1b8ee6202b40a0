//! The real program against a mock Telegram: what users send and the replies they get.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{BOT_NAME, GROUP, PERSON, Telegram, document, message, photo, text};
use crate::support::{jpeg, photo_with_a_face, photo_with_faces, photo_without_a_face};

/// The largest size is fetched, the reply references the message, the token is not logged.
#[tokio::test(flavor = "multi_thread")]
async fn a_photo_in_a_private_chat_is_answered() {
    let (mut telegram, program) = Telegram::polled(&[]).await;
    telegram.files.put("selfie", photo_with_a_face());
    let id = telegram.post(PERSON, json!({ "photo": photo("selfie") }));
    telegram.inbox.next("sendchataction").await;
    telegram.inbox.next("fetched photos/selfie").await;
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains(" of about ") && text(&reply).contains("likely"), "{reply:?}");
    assert_eq!(reply.body["chat_id"], PERSON);
    assert_eq!(reply.body["reply_parameters"]["message_id"], id);
    assert_eq!(reply.body["reply_parameters"]["allow_sending_without_reply"], true);
    program.terminate();
    let (status, log) = program.finished().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains("stand-in-telegram-token"), "the token is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_faces_are_answered_with_a_numbered_picture_and_a_caption() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("group", photo_with_faces(3));
    telegram.post(PERSON, json!({ "document": document("group", 90_000, "image/jpeg") }));
    let reply = telegram.inbox.next("sendphoto").await;
    let caption = reply.body["caption"].as_str().unwrap();
    assert!(caption.starts_with("I see 3 faces") && caption.contains("\n3. "), "{caption}");
    let picture = reply.files.values().next().unwrap();
    assert_eq!(image::load_from_memory(picture).unwrap().width(), 780);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_gets_a_specific_error_message() {
    let (mut telegram, mut program) = Telegram::polled(&[("FACEGUESSER__LIMITS__PHOTO_BYTES", "1 MiB")]).await;
    let whole = photo_with_a_face();
    telegram.files.put("text.jpg", "Just some words.\n");
    telegram.files.put("cut.jpg", whole[..whole.len() / 2].to_vec());
    telegram.files.put("large.jpg", vec![0xff; 3 << 20]);
    telegram.files.put("empty.jpg", photo_without_a_face());
    let file = |name: &str, bytes: u64| json!({ "document": document(name, bytes, "image/jpeg") });
    let cases = [
        (file("text.jpg", 17), "not a picture but"),
        (file("cut.jpg", 5000), "cut short"),
        (file("large.jpg", 3 << 20), "I take photos of up to 1 MB"),
        (file("empty.jpg", 5000), "can't find a face"),
        (file("gone.jpg", 5000), "no longer there"),
        (file("huge.jpg", 21 << 20), "up to 20 MB"),
        (
            json!({ "voice": { "file_id": "v", "file_unique_id": "v", "duration": 1, "mime_type": "audio/ogg" } }),
            "no picture",
        ),
    ];
    for (content, words) in cases {
        telegram.post(PERSON, content);
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(text(&reply).contains(words), "{words}: {reply:?}");
    }
    // Telegram itself refuses a large file if the update has no size.
    let refusal = json!({ "ok": false, "error_code": 400, "description": "Bad Request: file is too big" });
    telegram.script("getFile", refusal);
    telegram.post(PERSON, json!({ "photo": photo("selfie") }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("up to 20 MB"));
    assert!(program.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_only_the_command_is_answered() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let mut original = message(GROUP, 50);
    original["photo"] = photo("one");
    telegram.post(GROUP, json!({ "photo": photo("one") }));
    telegram.post(GROUP, json!({ "text": "hello" }));
    telegram.post(GROUP, json!({ "text": "/guess@another_bot", "reply_to_message": original }));
    let caption = telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/guess how old?" }));
    let named = format!("/guess@{BOT_NAME}");
    telegram.post(GROUP, json!({ "text": named, "reply_to_message": original }));
    let in_topic = json!({ "text": "/guess", "message_thread_id": 3, "is_topic_message": true });
    let bare = telegram.post(GROUP, in_topic);
    // The answer replies to the photo, where its buttons find it again.
    for (id, words) in [(caption, " of about "), (50, " of about "), (bare, "no picture")] {
        let about =
            |asked: &RecordedRequest| asked.what == "sendmessage" && asked.body["reply_parameters"]["message_id"] == id;
        let reply = telegram.inbox.wait("a reply", about).await;
        assert!(text(&reply).contains(words), "{reply:?}");
        assert_eq!(reply.body["message_thread_id"].as_i64(), (id == bare).then_some(3));
    }
    assert!(telegram.inbox.pending("send").iter().all(|asked| asked.what == "sendchataction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_other_text_in_private_are_answered() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    for (said, words) in [("/start", "128×128"), ("/help", "/guess"), ("hello", "Hi!"), ("/privacy", "not stored")] {
        telegram.post(PERSON, json!({ "text": said }));
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(text(&reply).contains(words), "{said}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_waits_for_retry_after_and_follows_a_group_that_became_a_supergroup() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    let moved = json!({
        "ok": false, "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": { "migrate_to_chat_id": -77 }
    });
    let pause = json!({
        "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1", "parameters": { "retry_after": 1 }
    });
    telegram.script("sendMessage", pause);
    telegram.script("sendMessage", moved);
    telegram.post(GROUP, json!({ "text": "/privacy" }));
    for chat in [GROUP, GROUP, -77] {
        assert_eq!(telegram.inbox.next("sendmessage").await.body["chat_id"], chat);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_progress_are_answered_and_confirmed_at_shutdown() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    let id = telegram.post(PERSON, json!({ "photo": photo("slow") }));
    telegram.inbox.next("fetched photos/slow").await;
    program.terminate();
    let confirmed = |asked: &RecordedRequest| asked.what == "getupdates" && asked.body["timeout"] == 0;
    assert_eq!(telegram.inbox.wait("the last poll", confirmed).await.body["offset"], id + 1);
    assert!(program.is_running());
    gate.send(true).unwrap();
    assert!(text(&telegram.inbox.next("sendmessage").await).contains(" of about "));
    let (status, log) = program.finished().await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_token_is_reported_and_a_polling_conflict_is_survived() {
    let telegram = Telegram::start().await;
    let program = telegram.program(&[("FACEGUESSER__TELEGRAM__TOKEN", ""), ("TELOXIDE_TOKEN", "1:wrong-token")]);
    let (status, log) = program.finished().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("Telegram refuses the token") && !log.contains("wrong-token"), "{log}");

    let (mut telegram, _program) = Telegram::polled(&[]).await;
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    telegram.script("getUpdates", json!({ "ok": false, "error_code": 409, "description": conflict }));
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    telegram.inbox.next("sendmessage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_language_has_menus_for_people_groups_and_admins() {
    let telegram = &mut Telegram::start().await;
    let _program = telegram.program(&[]);
    let mut menus = std::collections::BTreeSet::new();
    for _ in 0..32 {
        let menu = telegram.inbox.next("setmycommands").await;
        let commands: Vec<&str> =
            menu.body["commands"].as_array().unwrap().iter().map(|one| one["command"].as_str().unwrap()).collect();
        let scope = menu.body["scope"]["type"].as_str().unwrap().to_owned();
        for (command, everywhere) in [("guess", true), ("game", true), ("privacy", true), ("auto", false)] {
            let there = everywhere || scope == "all_chat_administrators";
            assert_eq!(commands.contains(&command), there, "{scope}: {commands:?}");
        }
        menus.insert((scope, menu.body["language_code"].as_str().unwrap_or("any").to_owned()));
    }
    assert_eq!(menus.len(), 32, "{menus:?}");
    assert!(menus.contains(&("all_group_chats".into(), "ja".into())), "{menus:?}");
    assert!(menus.contains(&("default".into(), "any".into())), "{menus:?}");
}

/// First in the client's language, then in the chosen one.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_answered_in_their_language() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    let french = json!({ "id": PERSON, "is_bot": false, "first_name": "Quillon", "language_code": "fr-CA" });
    for (said, words) in [("/guess", "photo"), ("/language de", "Deutsch"), ("/gender never", "Geschlecht")] {
        telegram.post(PERSON, json!({ "from": french, "text": said }));
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(text(&reply).contains(words) && !text(&reply).contains("I see no picture"), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_photo_is_answered_to_the_user_who_forwards_it() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let origin = json!({ "type": "hidden_user", "sender_user_name": "Quillon", "date": 1_700_000_000 });
    telegram.post(PERSON, json!({ "photo": photo("one"), "forward_origin": origin }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_photo_is_answered_and_the_reply_mentions_the_rotation() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    let upright = image::load_from_memory(&photo_with_a_face()).unwrap().to_luma8();
    for (name, picture, words) in [
        ("over", image::imageops::rotate180(&upright), "upside down"),
        ("left", image::imageops::rotate270(&upright), "sideways"),
    ] {
        telegram.files.put(name, jpeg(&picture));
        telegram.post(PERSON, json!({ "photo": photo(name) }));
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(text(&reply).contains(" of about ") && text(&reply).contains(words), "{name}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_contains_only_pseudonymous_ids() {
    const SOMEBODY: i64 = 777_000_123;
    let (mut telegram, program) = Telegram::polled(&[]).await;
    let from = json!({ "id": SOMEBODY, "is_bot": false, "first_name": "Ludmila" });
    telegram.post(SOMEBODY, json!({ "text": "/forget", "from": from }));
    telegram.inbox.next("sendmessage").await;
    telegram.press(SOMEBODY, "set:auto", SOMEBODY, 5000, Value::Null);
    telegram.inbox.next("editmessagetext").await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("person-") && log.contains("chat-"), "{log}");
    assert!(!log.contains(&SOMEBODY.to_string()) && !log.contains("Ludmila"), "{log}");
}
