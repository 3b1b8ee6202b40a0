//! Albums (media groups) on Telegram: their photos arrive one by one and get one reply.

use serde_json::{Value, json};

use crate::support::telegram::{GROUP, PERSON, Telegram, buttons, message, photo, sent, text, with};
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

/// Queues the photos of an album, the last one first; returns the id of the first one.
fn post_album(telegram: &Telegram, chat: i64, album: &str, names: &[&str], caption: Option<&str>) -> i64 {
    let part = |(index, name): (usize, &&str)| {
        let caption = caption.filter(|_| index == 0);
        let part = with(message(chat, telegram.next_id()), json!({ "photo": photo(name), "media_group_id": album }));
        caption.map_or(part.clone(), |caption| with(part, json!({ "caption": caption })))
    };
    let parts: Vec<Value> = names.iter().enumerate().map(part).collect();
    for part in parts.iter().rev() {
        telegram.update("message", part.clone());
    }
    parts[0]["message_id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_gets_one_reply_for_its_photos_in_their_order() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("none", photo_without_a_face());
    telegram.files.put("three", photo_with_faces(3));
    let first = post_album(&telegram, PERSON, "album", &["one", "none", "three"], None);
    let reply = telegram.inbox.next("sendphoto").await;
    let words = text(&reply);
    let positions =
        ["Photo 1: ", "Photo 2: I can't find a face", "Photo 3: I see 3 faces"].map(|part| words.find(part));
    assert!(positions.iter().all(Option::is_some) && positions.is_sorted(), "{words}");
    assert_eq!(reply.body["reply_parameters"]["message_id"], first);
    assert_eq!(buttons(&reply).len(), 1, "{reply:?}");
    assert!(telegram.inbox.pending("send").iter().all(|asked| asked.what == "sendchataction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_album_is_answered_in_part_and_completed_by_edits() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    for (slow, edit) in [(photo_with_a_face(), "editmessagetext"), (photo_with_faces(3), "editmessagemedia")] {
        let gate = telegram.files.put_gated("slow", slow);
        post_album(&telegram, PERSON, edit, &["one", "slow"], None);
        let part = telegram.inbox.next("sendmessage").await;
        assert!(text(&part).contains("Photo 2: still looking"), "{part:?}");
        gate.send(true).unwrap();
        let whole = telegram.inbox.next(edit).await;
        assert_eq!(whole.body["message_id"].as_i64().unwrap(), sent(&part));
        assert!(text(&whole).contains("Photo 1: ") && !text(&whole).contains("still looking"), "{whole:?}");
        assert_eq!(whole.files.len(), usize::from(edit == "editmessagemedia"));
        assert!(buttons(&whole)[0].0.starts_with("delete:"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_in_a_group_is_answered_when_a_caption_asks() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    post_album(&telegram, GROUP, "silent", &["one", "one"], None);
    let first = post_album(&telegram, GROUP, "asked", &["one", "one"], Some("/guess"));
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains("Photo 2: "), "{reply:?}");
    assert_eq!(reply.body["reply_parameters"]["message_id"], first);
    assert!(telegram.inbox.pending("sendmessage").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_too_long_for_a_caption_is_sent_complete_without_the_picture() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("three", photo_with_faces(3));
    post_album(&telegram, PERSON, "long", &["three"; 8], None);
    let is_complete = |text: &str| text.contains("Photo 8: I see 3 faces") && !text.contains("still looking");
    let reply = telegram
        .inbox
        .wait("the complete reply", |asked| {
            (asked.what == "sendmessage" || asked.what.starts_with("edit")) && is_complete(text(asked))
        })
        .await;
    assert!(text(&reply).chars().count() > 1024 && text(&reply).contains("\n3. "), "{reply:?}");
}

fn post_part(telegram: &Telegram, chat: i64, album: &str, name: &str) -> i64 {
    telegram.post(chat, json!({ "photo": photo(name), "media_group_id": album }))
}

#[tokio::test(flavor = "multi_thread")]
async fn late_album_parts_are_added_to_the_reply_to_the_others() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("none", photo_without_a_face());
    telegram.files.put("three", photo_with_faces(3));
    post_part(&telegram, PERSON, "late", "one");
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains(" of about ") && !text(&reply).contains("Photo 1"), "{reply:?}");
    // The text becomes longer, then the reply becomes a picture.
    for (name, edit, words) in [
        ("none", "editmessagetext", "Photo 2: I can't find a face"),
        ("three", "editmessagemedia", "Photo 3: I see 3 faces"),
    ] {
        post_part(&telegram, PERSON, "late", name);
        let edited = telegram.inbox.next(edit).await;
        assert_eq!(edited.body["message_id"], sent(&reply));
        assert!(text(&edited).contains("Photo 1: ") && text(&edited).contains(words), "{edited:?}");
    }
    assert!(telegram.inbox.pending("sendmessage").is_empty() && telegram.inbox.pending("sendphoto").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_part_that_arrives_while_the_others_are_answered_joins_them() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    telegram.files.put("none", photo_without_a_face());
    telegram.make_admin(PERSON);
    telegram.post(GROUP, json!({ "photo": photo("slow"), "media_group_id": "busy", "caption": "/guess" }));
    telegram.inbox.next("fetched photos/slow").await;
    post_part(&telegram, GROUP, "busy", "none");
    // Updates are handled in order, so once this is answered the part has been handled.
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    gate.send(true).unwrap();
    let reply = telegram.inbox.next("sendmessage").await;
    let edited = telegram.inbox.next("editmessagetext").await;
    assert_eq!(edited.body["message_id"], sent(&reply));
    assert!(text(&edited).contains("Photo 2: I can't find a face"), "{edited:?}");
}
