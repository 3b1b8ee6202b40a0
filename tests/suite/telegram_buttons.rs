//! The buttons under replies on Telegram.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{GROUP, PERSON, Telegram, button, buttons, message, photo, sent, text, with};
use crate::support::{photo_with_a_face, photo_without_a_face};

const STRANGER: i64 = 10;

/// The notification that answers a callback query.
async fn notification(telegram: &mut Telegram, query: &str) -> Option<String> {
    let is = |asked: &RecordedRequest| asked.what == "answercallbackquery" && asked.body["callback_query_id"] == *query;
    telegram.inbox.wait("the answer to a callback query", is).await.body["text"].as_str().map(str::to_owned)
}

fn photo_message(chat: i64, id: i64, name: &str) -> Value {
    with(message(chat, id), json!({ "photo": photo(name) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_analyse_the_photo_that_the_reply_references_again() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("none", photo_without_a_face());
    let id = telegram.post(PERSON, json!({ "photo": photo("one") }));
    let reply = telegram.inbox.next("sendmessage").await;
    let see = button(&reply, "see");
    for (code, name, words, method) in [
        (see.as_str(), "one", "128×128 grey pixels", "sendmediagroup"),
        ("crop:2000:1000:5500", "one", "With the suggested crop", "sendphoto"),
        ("anyway", "none", "the square in the middle", "sendphoto"),
    ] {
        let press = telegram.press(PERSON, code, PERSON, sent(&reply), photo_message(PERSON, id, name));
        assert_eq!(notification(&mut telegram, &press).await, None);
        let again = telegram.inbox.next(method).await;
        assert!(text(&again).contains(words), "{again:?}");
        assert_eq!(again.files.len(), if method == "sendmediagroup" { 2 } else { 1 });
        assert_eq!(again.body["reply_parameters"]["message_id"], id);
    }
    telegram.post(PERSON, json!({ "photo": photo("none") }));
    button(&telegram.inbox.next("sendmessage").await, "anyway");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_query_without_a_photo_or_of_an_unknown_button_is_answered() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    for code in ["see", "no such button"] {
        let press = telegram.press(PERSON, code, PERSON, 5000, Value::Null);
        let notification = notification(&mut telegram, &press).await.unwrap();
        assert!(notification.contains("gone"), "{notification}");
    }
    telegram.post(PERSON, json!({ "text": "/optout" }));
    telegram.inbox.next("sendmessage").await;
    let press = telegram.press(STRANGER, "see", GROUP, 5000, photo_message(GROUP, 77, "one"));
    assert!(notification(&mut telegram, &press).await.unwrap().contains("asked me not to look"));
    assert!(telegram.inbox.pending("getfile").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_asker_can_delete_a_reply() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let id = telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/guess" }));
    let reply = telegram.inbox.next("sendmessage").await;
    let delete = button(&reply, "delete:");
    let about = photo_message(GROUP, id, "one");
    let press = telegram.press(STRANGER, &delete, GROUP, sent(&reply), about.clone());
    assert!(notification(&mut telegram, &press).await.unwrap().contains("Only the person who asked"));
    assert!(telegram.inbox.pending("deletemessage").is_empty());
    telegram.press(PERSON, &delete, GROUP, sent(&reply), about);
    assert_eq!(telegram.inbox.next("deletemessage").await.body["message_id"], sent(&reply));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_requested_on_behalf_of_a_group_can_be_deleted_by_its_admins() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let anonymous = json!({
        "from": { "id": 1_087_968_824, "is_bot": true, "first_name": "Group" },
        "sender_chat": { "id": GROUP, "type": "supergroup", "title": "A group" },
        "photo": photo("one"), "caption": "/guess"
    });
    telegram.post(GROUP, anonymous);
    let reply = telegram.inbox.next("sendmessage").await;
    let delete = button(&reply, "delete:");
    let press = telegram.press(STRANGER, &delete, GROUP, sent(&reply), Value::Null);
    assert!(notification(&mut telegram, &press).await.is_some());
    telegram.make_admin(STRANGER);
    telegram.press(STRANGER, &delete, GROUP, sent(&reply), Value::Null);
    telegram.inbox.next("deletemessage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_change_the_settings_in_place() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.post(GROUP, json!({ "text": "/settings" }));
    let settings = telegram.inbox.next("sendmessage").await;
    assert_eq!(buttons(&settings).len(), 5, "{settings:?}");
    let press = telegram.press(PERSON, "set:auto", GROUP, sent(&settings), Value::Null);
    assert!(notification(&mut telegram, &press).await.unwrap().contains("Only an admin"));
    telegram.make_admin(PERSON);
    let press = telegram.press(PERSON, "set:auto", GROUP, sent(&settings), Value::Null);
    assert_eq!(notification(&mut telegram, &press).await, None);
    let edit = telegram.inbox.next("editmessagetext").await;
    assert_eq!(edit.body["message_id"], sent(&settings));
    assert!(buttons(&edit).contains(&("set:auto".into(), "Automatic replies: on".into())), "{edit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_plays_a_game_and_the_score_is_stored() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let id = telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/game 30" }));
    let game = telegram.inbox.next("sendmessage").await;
    assert_eq!(game.body["reply_parameters"]["message_id"], id);
    assert!(text(&game).contains("How old is this person?") && !text(&game).contains("about"), "{game:?}");
    let codes = buttons(&game);
    assert_eq!(codes.len(), 21);
    let code = |age: &str| codes.iter().find(|(_, label)| label == age).unwrap().0.clone();
    let press = |telegram: &Telegram, person, code: &str| {
        telegram.press(person, code, GROUP, sent(&game), photo_message(GROUP, id, "one"))
    };
    for (person, age, words) in [
        (11, "30", "Your guess: 30"),
        (12, "60", "Your guess: 60"),
        (11, "60", "You have guessed already: 30"),
        (PERSON, "30", "let the others guess"),
    ] {
        let pressed = press(&telegram, person, &code(age));
        let notification = notification(&mut telegram, &pressed).await.unwrap();
        assert!(notification.contains(words), "{notification}");
    }
    // The second edit may have replaced the first one before it was sent.
    telegram
        .inbox
        .wait("both guesses", |asked| asked.what == "editmessagetext" && text(asked).contains("2 guesses"))
        .await;
    let reveal = codes.last().unwrap().0.clone();
    let pressed = press(&telegram, 12, &reveal);
    assert!(notification(&mut telegram, &pressed).await.unwrap().contains("Only the person who asked"));
    press(&telegram, PERSON, &reveal);
    let revealed = telegram
        .inbox
        .wait("the end", |asked| asked.what == "editmessagetext" && text(asked).contains("My guess"))
        .await;
    assert!(text(&revealed).contains("The true age: 30.") && text(&revealed).contains("Closest: Quillon11"));
    assert!(buttons(&revealed).is_empty());
    telegram.post(GROUP, json!({ "text": "/scores" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("1. Quillon11: 1"));
}
