//! Groups and channels on Telegram, and their settings.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::photo_with_a_face;
use crate::support::telegram::{GROUP, PERSON, Telegram, buttons, document, message, photo, sent, text, with};

const OTHER: i64 = 20;
const CHANNEL: i64 = -1_000_000_000_099;

fn from_user(person: i64, content: Value) -> Value {
    with(json!({ "from": { "id": person, "is_bot": false, "first_name": "Quillon" } }), content)
}

/// The text of the bot's next message.
async fn next_text(telegram: &mut Telegram) -> String {
    text(&telegram.inbox.next("sendmessage").await).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_switch_automatic_replies_on_and_are_warned_about_privacy_mode() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.post(GROUP, json!({ "text": "/auto on" }));
    assert!(next_text(&mut telegram).await.contains("Only an admin"));
    telegram.make_admin(PERSON);
    telegram.post(GROUP, json!({ "text": "/auto on" }));
    let answer = next_text(&mut telegram).await;
    assert!(answer.contains("I answer every photo") && answer.contains("Telegram hides photos"), "{answer}");
    telegram.post(GROUP, json!({ "document": document("paper.pdf", 900, "application/pdf") }));
    let id = telegram.post(GROUP, from_user(OTHER, json!({ "photo": photo("one") })));
    let reply = telegram.inbox.next("sendmessage").await;
    assert_eq!(reply.body["reply_parameters"]["message_id"], id);
    assert!(text(&reply).contains(" of about "), "{reply:?}");
    telegram.make_bot_admin();
    telegram.post(GROUP, json!({ "text": "/auto on" }));
    assert!(!next_text(&mut telegram).await.contains("Telegram hides photos"));
    // An anonymous admin.
    let anonymous = json!({
        "from": { "id": 1_087_968_824, "is_bot": true, "first_name": "Group" },
        "sender_chat": { "id": GROUP, "type": "supergroup", "title": "A group" }, "text": "/auto off"
    });
    telegram.post(GROUP, anonymous);
    assert!(next_text(&mut telegram).await.contains("no longer answer photos"));
    telegram.post(GROUP, json!({ "photo": photo("one") }));
    telegram.post(GROUP, json!({ "text": "/auto" }));
    assert!(next_text(&mut telegram).await.contains("are off"));
    assert!(telegram.inbox.pending("sendmessage").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_of_users_who_opted_out_are_ignored_whoever_asks() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.make_admin(OTHER);
    telegram.post(GROUP, from_user(OTHER, json!({ "text": "/auto on" })));
    next_text(&mut telegram).await;
    telegram.post(PERSON, json!({ "text": "/optout" }));
    assert!(next_text(&mut telegram).await.contains("I ignore your photos"));
    let theirs = with(message(GROUP, 50), json!({ "photo": photo("one") }));
    telegram.post(GROUP, json!({ "photo": photo("one") }));
    telegram.post(GROUP, from_user(OTHER, json!({ "text": "/guess", "reply_to_message": theirs })));
    assert!(next_text(&mut telegram).await.contains("asked me not to look"));
    telegram.post(GROUP, from_user(OTHER, json!({ "text": "/game", "reply_to_message": theirs })));
    assert!(next_text(&mut telegram).await.contains("asked me not to look"));
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    assert!(next_text(&mut telegram).await.contains("asked me not to look"));
    assert!(telegram.inbox.pending("getfile").is_empty());
    telegram.post(PERSON, json!({ "text": "/optin" }));
    next_text(&mut telegram).await;
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    assert!(next_text(&mut telegram).await.contains(" of about "));
    assert!(telegram.inbox.pending("sendmessage").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_photos_are_refused_with_one_message() {
    let rate = [("FACEGUESSER__FAIR_USE__PERSON_BURST", "1"), ("FACEGUESSER__FAIR_USE__PERSON_EVERY", "1h")];
    let (mut telegram, _program) = Telegram::polled(&rate).await;
    telegram.files.put("one", photo_with_a_face());
    for words in [" of about ", "That's a lot of photos"] {
        telegram.post(PERSON, json!({ "photo": photo("one") }));
        assert!(next_text(&mut telegram).await.contains(words));
    }
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    telegram.post(PERSON, json!({ "text": "/scores" }));
    assert!(next_text(&mut telegram).await.contains("Nobody has a score"));
    assert_eq!(telegram.inbox.pending("getfile").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_can_have_its_answers_sent_to_the_asker_in_private() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.make_admin(PERSON);
    telegram.post(GROUP, json!({ "text": "/settings" }));
    let settings = telegram.inbox.next("sendmessage").await;
    telegram.press(PERSON, "set:private", GROUP, sent(&settings), Value::Null);
    telegram.inbox.next("editmessagetext").await;
    let id = telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/guess" }));
    let copy = telegram.inbox.next("copymessage").await;
    assert_eq!((&copy.body["chat_id"], &copy.body["message_id"]), (&json!(PERSON), &json!(id)));
    let reply = telegram.inbox.next("sendmessage").await;
    assert_eq!((&reply.body["chat_id"], sent(&copy)), (&json!(PERSON), sent(&copy)));
    assert_eq!(reply.body["reply_parameters"]["message_id"], sent(&copy));
    assert!(text(&reply).contains(" of about ") && buttons(&reply)[0].0 == "see", "{reply:?}");
    // Where copies are forbidden, the reply is sent without one.
    let protected = json!({ "ok": false, "error_code": 400, "description": "Bad Request: message can't be copied" });
    telegram.script("copyMessage", protected);
    telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/guess" }));
    let reply = telegram.inbox.next("sendmessage").await;
    assert_eq!((&reply.body["chat_id"], &reply.body["reply_parameters"]), (&json!(PERSON), &Value::Null));
    assert!(buttons(&reply).iter().all(|(code, _)| code.starts_with("delete:")), "{reply:?}");
    telegram.close_private_chat(OTHER);
    telegram.post(GROUP, from_user(OTHER, json!({ "photo": photo("one"), "caption": "/guess" })));
    let reply = telegram.inbox.next("sendmessage").await;
    assert_eq!(reply.body["chat_id"], GROUP);
    assert!(text(&reply).contains("press Start"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_served_like_groups() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let post = |telegram: &Telegram, content: Value| {
        let channel = json!({ "id": CHANNEL, "type": "channel", "title": "A channel" });
        let id = telegram.next_id();
        let mut post = with(message(CHANNEL, id), json!({ "chat": channel, "sender_chat": channel }));
        post.as_object_mut().unwrap().remove("from");
        telegram.update("channel_post", with(post, content));
        id
    };
    post(&telegram, json!({ "photo": photo("one") }));
    let id = post(&telegram, json!({ "photo": photo("one"), "caption": "/guess" }));
    let reply = telegram.inbox.next("sendmessage").await;
    assert_eq!((&reply.body["chat_id"], &reply.body["reply_parameters"]["message_id"]), (&json!(CHANNEL), &json!(id)));
    post(&telegram, json!({ "text": "/auto on" }));
    let answer = next_text(&mut telegram).await;
    assert!(answer.contains("I answer every photo") && !answer.contains("hides"), "{answer}");
    post(&telegram, json!({ "photo": photo("one") }));
    assert!(next_text(&mut telegram).await.contains(" of about "));
    assert!(telegram.inbox.pending("sendmessage").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_sent_to_the_topic_of_the_request() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let topic = json!({ "message_thread_id": 3, "is_topic_message": true });
    let id = telegram.post(GROUP, with(json!({ "photo": photo("one"), "caption": "/guess" }), topic.clone()));
    for what in ["sendchataction", "sendmessage"] {
        assert_eq!(telegram.inbox.next(what).await.body["message_thread_id"], 3);
    }
    let about = with(with(message(GROUP, id), json!({ "photo": photo("one") })), topic.clone());
    telegram.press(PERSON, "see", GROUP, 5000, about);
    telegram.inbox.next("sendmediagroup").await;
    telegram.post(GROUP, with(json!({ "photo": photo("one"), "caption": "/game" }), topic));
    let game = telegram.inbox.wait("the game", |asked| asked.what == "sendmessage").await;
    assert_eq!(game.body["message_thread_id"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_became_a_supergroup_keeps_its_settings() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.make_admin(PERSON);
    telegram.post(-55, json!({ "text": "/auto on" }));
    next_text(&mut telegram).await;
    let group = json!({ "id": -55, "type": "group", "title": "A group" });
    telegram.post(-55, json!({ "chat": group, "migrate_to_chat_id": GROUP }));
    // The migration is stored concurrently with other messages, so this asks until it is done.
    loop {
        telegram.post(GROUP, json!({ "text": "/auto" }));
        if next_text(&mut telegram).await.contains("are on") {
            break;
        }
    }
    telegram.post(GROUP, json!({ "photo": photo("one") }));
    assert!(next_text(&mut telegram).await.contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_asks_is_answered_once() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let id = telegram.post(GROUP, json!({ "photo": photo("one") }));
    let now = telegram.now();
    let edited = |caption: &str, fields: Value| {
        let edited = json!({ "photo": photo("one"), "caption": caption, "edit_date": now });
        with(with(message(GROUP, id), edited), fields)
    };
    telegram.update("edited_message", edited("nice", json!({})));
    telegram.update("edited_message", edited("/guess", json!({})));
    let about =
        |asked: &RecordedRequest| asked.what == "sendmessage" && asked.body["reply_parameters"]["message_id"] == id;
    assert!(text(&telegram.inbox.wait("the answer", about).await).contains(" of about "));
    telegram.update("edited_message", edited("/guess please", json!({})));
    // A message from before the start may have been answered by an earlier run.
    telegram.update("edited_message", edited("/guess", json!({ "message_id": 7, "date": 1_600_000_000 })));
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    next_text(&mut telegram).await;
    assert!(telegram.inbox.pending("sendmessage").is_empty());
    assert_eq!(telegram.inbox.pending("getfile").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_survive_a_restart() {
    let (mut telegram, program) = Telegram::polled(&[]).await;
    telegram.make_admin(PERSON);
    telegram.make_bot_admin();
    telegram.post(GROUP, json!({ "text": "/auto on" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("From now on I answer every photo"));
    program.terminate();
    assert!(program.finished().await.0.success());
    let _program = telegram.program(&[]);
    telegram.files.put("one", photo_with_a_face());
    let id = telegram.post(GROUP, json!({ "photo": photo("one") }));
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains(" of about "), "{reply:?}");
    assert_eq!(reply.body["reply_parameters"]["message_id"], id);
}
