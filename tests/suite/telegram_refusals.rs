//! Refused parts of replies, and failures in sending them: the text arrives all the same.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{GROUP, PERSON, Telegram, buttons, photo, sent, text, with};
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

/// Posts a photo and returns the reply that was sent successfully.
async fn answered(telegram: &mut Telegram, name: &str, chat: i64, more: Value) -> RecordedRequest {
    telegram.post(chat, with(json!({ "photo": photo(name), "caption": "/guess" }), more));
    telegram.inbox.wait("a reply", |asked| asked.what.starts_with("send") && !asked.body["sent"].is_null()).await
}

async fn with_photos() -> (Telegram, crate::support::program::Program) {
    let (telegram, program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("three", photo_with_faces(3));
    (telegram, program)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_picture_is_left_out_and_the_text_is_sent() {
    let (mut telegram, _program) = with_photos().await;
    for (code, words) in [
        (400, "Bad Request: not enough rights to send photos to the chat"),
        (400, "Bad Request: IMAGE_PROCESS_FAILED"),
        (400, "Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (400, "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN"),
        (413, "Request Entity Too Large"),
    ] {
        telegram.refuse("sendPhoto", code, words);
        let reply = answered(&mut telegram, "three", GROUP, json!({})).await;
        assert!(reply.what == "sendmessage" && text(&reply).starts_with("I see 3 faces"), "{words}: {reply:?}");
        assert!(reply.body["reply_parameters"].is_object() && buttons(&reply).len() == 1, "{words}: {reply:?}");
    }
    telegram.script("sendPhoto", json!({ "html": 413 }));
    assert_eq!(answered(&mut telegram, "three", GROUP, json!({})).await.what, "sendmessage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_fails_to_send_is_retried() {
    let (mut telegram, _program) = with_photos().await;
    let refused = |code: u16, words: &str| json!({ "ok": false, "error_code": code, "description": words });
    for fault in [
        refused(500, "Internal Server Error"),
        refused(502, "Bad Gateway"),
        refused(429, "Too Many Requests"),
        json!({ "html": 502 }),
        json!({ "html": 403 }),
        json!({ "cut": true }),
    ] {
        for (name, method) in [("one", "sendMessage"), ("three", "sendPhoto")] {
            telegram.script(method, fault.clone());
            telegram.script(method, fault.clone());
            let reply = answered(&mut telegram, name, PERSON, json!({})).await;
            assert_eq!(reply.what, method.to_lowercase(), "{fault}");
            assert!(reply.body["reply_parameters"].is_object(), "{fault}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_part_that_is_refused_by_name_is_left_out() {
    let (mut telegram, _program) = with_photos().await;
    let topic = || json!({ "message_thread_id": 3, "is_topic_message": true });
    for (words, reference, thread, has_buttons) in [
        ("message to be replied not found", false, true, true),
        ("message to reply not found", false, true, true),
        ("REPLY_MESSAGE_ID_INVALID", false, true, true),
        ("message thread not found", true, false, true),
        ("TOPIC_DELETED", true, false, true),
        ("BUTTON_DATA_INVALID", true, true, false),
        ("can't parse reply markup JSON object", true, true, false),
    ] {
        telegram.refuse("sendMessage", 400, &format!("Bad Request: {words}"));
        let reply = answered(&mut telegram, "one", GROUP, topic()).await;
        assert_eq!(reply.body["reply_parameters"].is_object(), reference, "{words}");
        assert_eq!(reply.body["message_thread_id"].is_i64(), thread, "{words}");
        assert_eq!(reply.body["reply_markup"].is_object(), has_buttons, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unspecific_refusal_is_simplified_step_by_step_to_text_alone() {
    let (mut telegram, _program) = with_photos().await;
    for _ in 0..4 {
        telegram.refuse("sendPhoto", 400, "Bad Request: something unknown");
    }
    telegram.post(
        GROUP,
        json!({ "photo": photo("three"), "caption": "/guess", "message_thread_id": 3, "is_topic_message": true }),
    );
    let plain = telegram.inbox.next("sendmessage").await;
    assert!(text(&plain).starts_with("I see 3 faces"), "{plain:?}");
    for part in ["reply_parameters", "message_thread_id", "reply_markup"] {
        assert!(plain.body[part].is_null(), "{part}: {plain:?}");
    }
    assert_eq!(telegram.inbox.pending("sendphoto").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_or_deleted_topic_is_answered_in_the_general_one() {
    let (mut telegram, _program) = with_photos().await;
    for closed in [true, false] {
        let gate = telegram.files.put_gated("slow", photo_with_a_face());
        let topic = json!({ "message_thread_id": 3, "is_topic_message": true, "caption": "/guess" });
        telegram.post(GROUP, with(json!({ "photo": photo("slow") }), topic));
        telegram.inbox.next("fetched photos/slow").await;
        if closed {
            telegram.close_topic(GROUP, 3)
        } else {
            telegram.delete_topic(GROUP, 3)
        }
        gate.send(true).unwrap();
        let reply = telegram.inbox.next("sendmessage").await;
        assert!(text(&reply).contains(" of about ") && reply.body["message_thread_id"].is_null(), "{reply:?}");
        telegram.delete_topic(GROUP, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_refused_as_too_long_is_shortened() {
    let (mut telegram, _program) = with_photos().await;
    for _ in 0..2 {
        telegram.refuse("sendMessage", 400, "Bad Request: message is too long");
    }
    telegram.post(PERSON, json!({ "text": "/privacy" }));
    let reply = telegram.inbox.wait("a reply", |asked| !asked.body["sent"].is_null()).await;
    assert!((200..=1024).contains(&text(&reply).chars().count()), "{reply:?}");
}

/// Posts an album with one slow photo; returns the reply that was sent before that one was analysed.
async fn part_of_an_album(
    telegram: &mut Telegram,
    slow: Vec<u8>,
) -> (RecordedRequest, tokio::sync::watch::Sender<bool>) {
    telegram.files.put("none", photo_without_a_face());
    let gate = telegram.files.put_gated("slow", slow);
    let album = format!("album-{}", telegram.next_id());
    for name in ["none", "slow"] {
        telegram.post(PERSON, json!({ "photo": photo(name), "media_group_id": album }));
    }
    let part = telegram.inbox.next("sendmessage").await;
    assert!(text(&part).contains("still looking"), "{part:?}");
    (part, gate)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_is_refused_or_fails_is_simplified_or_retried() {
    let (mut telegram, _program) = with_photos().await;
    let refused =
        |words: &str| json!({ "ok": false, "error_code": 400, "description": format!("Bad Request: {words}") });
    for (fault, method, has_buttons) in [
        (refused("not enough rights to send photos to the chat"), "editmessagetext", true),
        (refused("IMAGE_PROCESS_FAILED"), "editmessagetext", true),
        (refused("BUTTON_DATA_INVALID"), "editmessagemedia", false),
        (json!({ "html": 502 }), "editmessagemedia", true),
        (json!({ "cut": true }), "editmessagemedia", true),
    ] {
        let (part, gate) = part_of_an_album(&mut telegram, photo_with_faces(3)).await;
        telegram.script("editMessageMedia", fault.clone());
        gate.send(true).unwrap();
        let id = sent(&part);
        let has_form =
            |asked: &RecordedRequest| asked.what == method && asked.body["reply_markup"].is_object() == has_buttons;
        let is_edit = |asked: &RecordedRequest| has_form(asked) && asked.body["message_id"] == id;
        // The first attempt was refused and looks the same.
        if method == "editmessagemedia" && has_buttons {
            telegram.inbox.wait("the refused edit", is_edit).await;
        }
        let edit = telegram.inbox.wait("the edit", is_edit).await;
        assert!(text(&edit).contains("Photo 2: I see 3 faces"), "{fault}: {edit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_message_can_no_longer_be_edited_is_sent_as_a_new_message() {
    let (mut telegram, _program) = with_photos().await;
    let (part, gate) = part_of_an_album(&mut telegram, photo_with_a_face()).await;
    telegram.delete(PERSON, sent(&part));
    gate.send(true).unwrap();
    let whole = telegram.inbox.next("sendmessage").await;
    assert!(text(&whole).contains("Photo 2: ") && !text(&whole).contains("still looking"), "{whole:?}");
    let (part, gate) = part_of_an_album(&mut telegram, photo_with_a_face()).await;
    telegram.refuse("editMessageText", 400, "Bad Request: message can't be edited");
    gate.send(true).unwrap();
    telegram.inbox.next("sendmessage").await;
    // The old reply is deleted, so that there is only one.
    assert_eq!(telegram.inbox.next("deletemessage").await.body["message_id"], sent(&part));
    // Refused for an unknown reason, with and without its button.
    let (part, gate) = part_of_an_album(&mut telegram, photo_with_a_face()).await;
    telegram.refuse("editMessageText", 400, "Bad Request: something new");
    telegram.refuse("editMessageText", 400, "Bad Request: something new");
    gate.send(true).unwrap();
    let whole = telegram.inbox.next("sendmessage").await;
    assert!(text(&whole).contains("Photo 2: ") && !text(&whole).contains("still looking"), "{whole:?}");
    assert_eq!(telegram.inbox.next("deletemessage").await.body["message_id"], sent(&part));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_callback_queries_and_admin_lookups_are_retried_as_well() {
    let (mut telegram, _program) = with_photos().await;
    telegram.make_admin(PERSON);
    telegram.script("getChatMember", json!({ "html": 502 }));
    telegram.post(GROUP, json!({ "text": "/auto on" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("I answer every photo"));
    telegram.post(GROUP, json!({ "text": "/settings" }));
    let settings = telegram.inbox.next("sendmessage").await;
    telegram.script("answerCallbackQuery", json!({ "html": 500 }));
    telegram.script("editMessageText", json!({ "html": 500 }));
    telegram.press(PERSON, "set:auto", GROUP, sent(&settings), Value::Null);
    for what in ["answercallbackquery", "answercallbackquery", "editmessagetext", "editmessagetext"] {
        telegram.inbox.next(what).await;
    }
    let stored = telegram.stored_message(GROUP, sent(&settings)).unwrap();
    assert!(stored["reply_markup"].to_string().contains("Automatic replies: off"), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn telegrams_error_descriptions_are_not_logged() {
    let (mut telegram, program) = Telegram::polled(&[("FACEGUESSER__LOG__LEVEL", "debug")]).await;
    telegram.files.put("one", photo_with_a_face());
    for method in ["sendMessage", "getFile", "setMyCommands", "sendChatAction"] {
        telegram.refuse(method, 400, "Bad Request: can't parse \"Ludmila's words\"");
    }
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    telegram.inbox.next("sendmessage").await;
    telegram.inbox.next("sendmessage").await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("code 400") && !log.contains("Ludmila"), "{log}");
}
