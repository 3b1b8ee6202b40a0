//! Photos with a spoiler or protected content, and the deletion of replies.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{GROUP, PERSON, Telegram, button, message, photo, sent, text, with};
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

fn media_flags() -> [(Value, &'static str); 2] {
    [
        (json!({ "has_media_spoiler": true }), "has_spoiler"),
        (json!({ "has_protected_content": true }), "protect_content"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_to_photos_with_a_spoiler_or_protected_content_keep_these_flags() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("three", photo_with_faces(3));
    for (flag, field) in media_flags() {
        telegram.post(GROUP, with(json!({ "photo": photo("three"), "caption": "/guess" }), flag.clone()));
        assert_eq!(telegram.inbox.next("sendphoto").await.body[field], true, "{field}");
        // The photo is asked about in a reply.
        let theirs = with(message(GROUP, telegram.next_id()), with(json!({ "photo": photo("three") }), flag.clone()));
        telegram.post(GROUP, json!({ "text": "/guess", "reply_to_message": theirs }));
        assert_eq!(telegram.inbox.next("sendphoto").await.body[field], true, "{field}");
        // Analysed again through a button.
        telegram.post(GROUP, with(json!({ "photo": photo("one"), "caption": "/guess" }), flag.clone()));
        let reply = telegram.inbox.next("sendmessage").await;
        telegram.press(PERSON, &button(&reply, "see"), GROUP, sent(&reply), Value::Null);
        let body = telegram.inbox.next("sendmediagroup").await.body;
        let owners = if field == "has_spoiler" { vec![&body["media"][0], &body["media"][1]] } else { vec![&body] };
        assert!(owners.iter().all(|owner| owner[field] == true), "{field}: {body}");
    }
    telegram.post(GROUP, json!({ "photo": photo("three"), "caption": "/guess" }));
    let plain = telegram.inbox.next("sendphoto").await;
    assert!(plain.body["has_spoiler"].is_null() && plain.body["protect_content"].is_null(), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_reply_to_an_album_keeps_the_flags_of_its_photos() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("none", photo_without_a_face());
    let gate = telegram.files.put_gated("slow", photo_with_faces(3));
    let part = |name: &str, more: Value| with(json!({ "photo": photo(name), "media_group_id": "album" }), more);
    telegram.post(PERSON, part("none", json!({})));
    telegram.post(PERSON, part("slow", json!({ "has_media_spoiler": true, "has_protected_content": true })));
    assert_eq!(telegram.inbox.next("sendmessage").await.body["protect_content"], true);
    gate.send(true).unwrap();
    assert_eq!(telegram.inbox.next("editmessagemedia").await.body["media"]["has_spoiler"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_photo_is_not_copied_into_a_private_chat() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("three", photo_with_faces(3));
    telegram.make_admin(PERSON);
    telegram.post(GROUP, json!({ "text": "/settings" }));
    let settings = telegram.inbox.next("sendmessage").await;
    telegram.press(PERSON, "set:private", GROUP, sent(&settings), Value::Null);
    telegram.inbox.next("editmessagetext").await;
    let protected = json!({ "photo": photo("three"), "caption": "/guess", "has_protected_content": true });
    telegram.post(GROUP, protected.clone());
    let reply = telegram.inbox.next("sendphoto").await;
    assert_eq!((&reply.body["chat_id"], &reply.body["protect_content"]), (&json!(PERSON), &json!(true)));
    assert!(telegram.inbox.pending("copymessage").is_empty() && telegram.inbox.pending("denied").is_empty());
    telegram.close_private_chat(PERSON);
    telegram.post(GROUP, protected);
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("press Start"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_too_old_to_be_deleted_is_emptied() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("three", photo_with_faces(3));
    for (name, edit) in [("one", "editmessagetext"), ("three", "editmessagemedia"), ("three", "editmessagecaption")] {
        telegram.post(GROUP, json!({ "photo": photo(name), "caption": "/guess" }));
        let sends = |asked: &RecordedRequest| !asked.body["sent"].is_null();
        let reply = telegram.inbox.wait("the reply", sends).await;
        telegram.make_older(GROUP, sent(&reply), 49);
        if edit == "editmessagecaption" {
            telegram.refuse("editMessageMedia", 400, "Bad Request: not enough rights to send photos to the chat");
        }
        telegram.press(PERSON, &button(&reply, "delete:"), GROUP, sent(&reply), Value::Null);
        telegram.inbox.next("denied deletemessage").await;
        let edited = telegram.inbox.next(edit).await;
        assert_eq!((text(&edited), &edited.body["message_id"]), ("(deleted)", &json!(sent(&reply))));
        assert!(edited.body["reply_markup"].is_null(), "{edited:?}");
        if let Some(blank) = edited.files.values().next() {
            let blank = image::load_from_memory(blank).unwrap().to_luma8();
            let is_grey = blank.pixels().all(|pixel| pixel.0[0].abs_diff(128) <= 2);
            assert!(is_grey, "the picture is not blank");
        }
        telegram.inbox.pending("editmessagemedia");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_delete_button_works_on_an_inaccessible_message() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.post(PERSON, json!({ "text": "/help" }));
    let reply = telegram.inbox.next("sendmessage").await;
    telegram.make_older(PERSON, sent(&reply), 49);
    let inaccessible = json!({ "chat": { "id": PERSON, "type": "private" }, "message_id": sent(&reply), "date": 0 });
    let person = json!({ "id": PERSON, "is_bot": false, "first_name": "Quillon" });
    telegram.update(
        "callback_query",
        json!({ "id": "press", "from": person, "chat_instance": "1", "data": format!("delete:{PERSON}"), "message": inaccessible }),
    );
    assert_eq!(text(&telegram.inbox.next("editmessagetext").await), "(deleted)");
}
