//! The buttons under replies on Telegram.

use serde_json::{Value, json};

use crate::support::inbox::Asked;
use crate::support::telegram::{GROUP, PERSON, Telegram, button, buttons, message, photo, sent, text, with};
use crate::support::{photo_with_a_face, photo_without_a_face};

const STRANGER: i64 = 10;

/// The answer to a press.
async fn note(telegram: &mut Telegram, press: &str) -> Option<String> {
    let is = |asked: &Asked| asked.what == "answercallbackquery" && asked.body["callback_query_id"] == *press;
    telegram.inbox.wait("the answer to a press", is).await.body["text"].as_str().map(str::to_owned)
}

fn photo_message(chat: i64, id: i64, name: &str) -> Value {
    with(message(chat, id), json!({ "photo": photo(name) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_look_again_at_the_photo_that_the_reply_refers_to() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.shelf.put("one", photo_with_a_face());
    telegram.shelf.put("none", photo_without_a_face());
    let id = telegram.post(PERSON, json!({ "photo": photo("one") }));
    let reply = telegram.inbox.next("sendmessage").await;
    let see = button(&reply, "see");
    for (code, name, words) in [
        (see.as_str(), "one", "128×128 grey pixels"),
        ("crop:2000:1000:5500", "one", "With the suggested crop"),
        ("anyway", "none", "the square in the middle"),
    ] {
        let press = telegram.press(PERSON, code, PERSON, sent(&reply), photo_message(PERSON, id, name));
        assert_eq!(note(&mut telegram, &press).await, None);
        let again = telegram.inbox.next("sendphoto").await;
        assert!(text(&again).contains(words), "{again:?}");
        assert_eq!(again.body["reply_parameters"]["message_id"], id);
    }
    telegram.post(PERSON, json!({ "photo": photo("none") }));
    button(&telegram.inbox.next("sendmessage").await, "anyway");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_without_its_photo_or_of_an_unknown_button_is_answered() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    for code in ["see", "no such button"] {
        let press = telegram.press(PERSON, code, PERSON, 5000, Value::Null);
        let note = note(&mut telegram, &press).await.unwrap();
        assert!(note.contains("gone"), "{note}");
    }
    telegram.post(PERSON, json!({ "text": "/optout" }));
    telegram.inbox.next("sendmessage").await;
    let press = telegram.press(STRANGER, "see", GROUP, 5000, photo_message(GROUP, 77, "one"));
    assert!(note(&mut telegram, &press).await.unwrap().contains("asked me not to look"));
    assert!(telegram.inbox.left("getfile").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_asked_can_delete_a_reply() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.shelf.put("one", photo_with_a_face());
    let id = telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/guess" }));
    let reply = telegram.inbox.next("sendmessage").await;
    let delete = button(&reply, "delete:");
    let about = photo_message(GROUP, id, "one");
    let press = telegram.press(STRANGER, &delete, GROUP, sent(&reply), about.clone());
    assert!(note(&mut telegram, &press).await.unwrap().contains("Only the person who asked"));
    assert!(telegram.inbox.left("deletemessage").is_empty());
    telegram.press(PERSON, &delete, GROUP, sent(&reply), about);
    assert_eq!(telegram.inbox.next("deletemessage").await.body["message_id"], sent(&reply));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_in_the_name_of_a_group_is_its_admins_to_delete() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.shelf.put("one", photo_with_a_face());
    let anonymous = json!({
        "from": { "id": 1_087_968_824, "is_bot": true, "first_name": "Group" },
        "sender_chat": { "id": GROUP, "type": "supergroup", "title": "A group" },
        "photo": photo("one"), "caption": "/guess"
    });
    telegram.post(GROUP, anonymous);
    let reply = telegram.inbox.next("sendmessage").await;
    let delete = button(&reply, "delete:");
    let press = telegram.press(STRANGER, &delete, GROUP, sent(&reply), Value::Null);
    assert!(note(&mut telegram, &press).await.is_some());
    telegram.make_admin(STRANGER);
    telegram.press(STRANGER, &delete, GROUP, sent(&reply), Value::Null);
    telegram.inbox.next("deletemessage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_change_the_settings_in_place() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.post(GROUP, json!({ "text": "/settings" }));
    let settings = telegram.inbox.next("sendmessage").await;
    assert_eq!(buttons(&settings).len(), 4, "{settings:?}");
    let press = telegram.press(PERSON, "set:auto", GROUP, sent(&settings), Value::Null);
    assert!(note(&mut telegram, &press).await.unwrap().contains("Only an admin"));
    telegram.make_admin(PERSON);
    let press = telegram.press(PERSON, "set:auto", GROUP, sent(&settings), Value::Null);
    assert_eq!(note(&mut telegram, &press).await, None);
    let edit = telegram.inbox.next("editmessagetext").await;
    assert_eq!(edit.body["message_id"], sent(&settings));
    assert!(buttons(&edit).contains(&("set:auto".into(), "Automatic replies: on".into())), "{edit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_plays_and_the_score_is_kept() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.shelf.put("one", photo_with_a_face());
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
        let note = note(&mut telegram, &pressed).await.unwrap();
        assert!(note.contains(words), "{note}");
    }
    // The first edit may have given way to the second.
    telegram
        .inbox
        .wait("both guesses", |asked| asked.what == "editmessagetext" && text(asked).contains("2 guesses"))
        .await;
    let reveal = codes.last().unwrap().0.clone();
    let pressed = press(&telegram, 12, &reveal);
    assert!(note(&mut telegram, &pressed).await.unwrap().contains("Only the person who asked"));
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
