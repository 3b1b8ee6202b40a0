//! Telegram chats that are not the bot's own: those where people mention it as a guest, and those of business
//! accounts.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{BOT_NAME, GROUP, PERSON, Telegram, button, buttons, message, photo, sent, text, with};
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

/// A group that the bot is not a member of, and the chat of two other people.
const FOREIGN_GROUP: i64 = -1_000_000_000_777;
const OTHER: i64 = 9_009_009_020;

fn user(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": "Quillon" })
}

fn named(words: &str) -> String {
    format!("@{BOT_NAME} {words}")
}

async fn answer(telegram: &mut Telegram, query: &str) -> RecordedRequest {
    let is = |asked: &RecordedRequest| asked.what == "answerguestquery" && asked.body["guest_query_id"] == query;
    telegram.inbox.wait("an answer to a guest's query", is).await
}

/// Checks that nothing but answers to queries was tried.
fn assert_nothing_else_was_sent(telegram: &mut Telegram) {
    for what in ["sendm", "sendp", "copy", "edit", "deletem", "denied", "answerguestquery"] {
        let tried = telegram.inbox.pending(what);
        assert!(tried.is_empty(), "{tried:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_in_a_chat_without_the_bot_is_answered_with_one_text_and_nothing_else() {
    let (mut telegram, program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("three", photo_with_faces(3));
    telegram.files.put("none", photo_without_a_face());
    let theirs = with(message(FOREIGN_GROUP, 50), json!({ "photo": photo("one"), "from": user(OTHER) }));
    let me = json!([{ "type": "text_mention", "offset": 0, "length": 3, "user": { "id": 12345, "is_bot": true, "first_name": "G" } }]);
    // Different people, because the bot sends each one message a second.
    let mut asker = 9_100_000_000_i64;
    for chat in [FOREIGN_GROUP, OTHER, PERSON] {
        for (content, words, is_answered) in [
            (json!({ "photo": photo("one"), "caption": named("how old?") }), " of about ", true),
            (json!({ "text": named("how old?"), "reply_to_message": theirs }), " of about ", true),
            (json!({ "text": "you! how old?", "entities": me, "reply_to_message": theirs }), " of about ", true),
            (json!({ "photo": photo("three"), "caption": named("") }), "I see 3 faces", true),
            (json!({ "photo": photo("none"), "caption": named("") }), "can't find a face", true),
            (json!({ "photo": photo("gone"), "caption": named("") }), "no longer there", false),
            (json!({ "text": named("hello") }), "mention me in a photo's caption", false),
        ] {
            asker += 1;
            let query = telegram.mention_as_guest(chat, with(content, json!({ "from": user(asker) })));
            let reply = answer(&mut telegram, &query).await;
            assert!(text(&reply).contains(words) && !text(&reply).contains("button below"), "{words}: {reply:?}");
            // The only button that works without the photo.
            let delete = is_answered.then(|| format!("delete:{asker}"));
            let codes = buttons(&reply).into_iter().map(|(code, _)| code);
            assert_eq!(codes.collect::<Vec<_>>(), Vec::from_iter(delete), "{reply:?}");
        }
    }
    assert_nothing_else_was_sent(&mut telegram);
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(!log.contains("guest-query-") && !log.contains("guest mode is off"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_meant_for_a_guest_is_not_answered() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let its_answer =
        json!({ "text": "Looks like …", "from": { "id": 12345, "is_bot": true, "first_name": "Guessing" } });
    let its_answer = with(message(FOREIGN_GROUP, 51), its_answer);
    let bot = json!({ "id": 77, "is_bot": true, "first_name": "Another bot" });
    telegram.mention_as_guest(FOREIGN_GROUP, json!({ "text": "thanks!", "reply_to_message": its_answer }));
    telegram.mention_as_guest(FOREIGN_GROUP, json!({ "photo": photo("one"), "caption": named(""), "from": bot }));
    // A message that says that it is a guest's, but came as one of the bot's own chats.
    let posing = json!({ "guest_query_id": "guest-query-0", "photo": photo("one"), "caption": named("") });
    telegram.post(PERSON, posing);
    // A photo in reply to the answer is meant.
    let with_photo = json!({ "photo": photo("one"), "reply_to_message": its_answer });
    let query = telegram.mention_as_guest(FOREIGN_GROUP, with_photo);
    assert!(text(&answer(&mut telegram, &query).await).contains(" of about "));
    assert_nothing_else_was_sent(&mut telegram);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_answer_follows_the_settings_opt_outs_and_limits_of_people() {
    let limits = [("FACEGUESSER__FAIR_USE__PERSON_BURST", "2"), ("FACEGUESSER__FAIR_USE__PERSON_EVERY", "1h")];
    let (mut telegram, _program) = Telegram::polled(&limits).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.post(PERSON, json!({ "text": "/language de" }));
    telegram.inbox.next("sendmessage").await;
    telegram.post(OTHER, json!({ "text": "/optout", "from": user(OTHER) }));
    telegram.inbox.next("sendmessage").await;
    let ask = |telegram: &Telegram, author: i64| {
        let theirs = with(message(FOREIGN_GROUP, 50), json!({ "photo": photo("one"), "from": user(author) }));
        telegram.mention_as_guest(FOREIGN_GROUP, json!({ "text": named(""), "reply_to_message": theirs }))
    };
    let query = ask(&telegram, OTHER);
    assert!(text(&answer(&mut telegram, &query).await).contains("möchte nicht"), "the author opted out");
    for _ in 0..2 {
        let query = ask(&telegram, 5);
        assert!(text(&answer(&mut telegram, &query).await).contains("etwa"));
    }
    let query = ask(&telegram, 5);
    assert!(text(&answer(&mut telegram, &query).await).contains("viele Fotos"));
    ask(&telegram, 5);
    let query = telegram.mention_as_guest(FOREIGN_GROUP, json!({ "text": named("help") }));
    answer(&mut telegram, &query).await;
    assert_nothing_else_was_sent(&mut telegram);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_a_guest_can_take_its_answer_back() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let query = telegram.mention_as_guest(FOREIGN_GROUP, json!({ "photo": photo("one"), "caption": named("") }));
    let reply = answer(&mut telegram, &query).await;
    let (delete, id) = (button(&reply, "delete"), reply.body["sent"].as_str().unwrap().to_owned());
    telegram.press_as_guest(OTHER, &delete, &id);
    assert!(text(&telegram.inbox.next("answercallbackquery").await).contains("Only the person who asked"));
    telegram.press_as_guest(PERSON, "see", &id);
    assert!(text(&telegram.inbox.next("answercallbackquery").await).contains("photo is gone"));
    telegram.press_as_guest(PERSON, &delete, &id);
    telegram.inbox.next("answercallbackquery").await;
    telegram.inbox.next("editmessagetext").await;
    assert_eq!(telegram.guest_answer(&reply), json!({ "text": "(deleted)", "reply_markup": null }));
    assert_nothing_else_was_sent(&mut telegram);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_photos_are_answered_early_and_the_answer_is_completed() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    let media: Vec<Value> =
        ["one", "slow"].iter().map(|name| json!({ "type": "photo", "photo": photo(name) })).collect();
    let paid = json!({ "paid_media": { "star_count": 1, "paid_media": media }, "caption": named("") });
    let query = telegram.mention_as_guest(FOREIGN_GROUP, paid);
    let early = answer(&mut telegram, &query).await;
    assert!(text(&early).contains("Photo 2: still looking"), "{early:?}");
    gate.send(true).unwrap();
    let complete = telegram.inbox.next("editmessagetext").await;
    assert_eq!(complete.body["inline_message_id"], early.body["sent"]);
    assert!(!text(&complete).contains("still looking") && text(&complete).contains("Photo 2: "), "{complete:?}");
    assert_nothing_else_was_sent(&mut telegram);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_answer_survives_refusals_and_gives_up_when_the_query_is_too_old() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let content = json!({ "photo": photo("one"), "caption": named("") });
    telegram.script("answerGuestQuery", json!({ "html": 502 }));
    let query = telegram.mention_as_guest(FOREIGN_GROUP, content.clone());
    answer(&mut telegram, &query).await;
    answer(&mut telegram, &query).await;
    telegram.refuse("answerGuestQuery", 400, "Bad Request: BUTTON_DATA_INVALID");
    let query = telegram.mention_as_guest(FOREIGN_GROUP, content.clone());
    assert!(!buttons(&answer(&mut telegram, &query).await).is_empty());
    let simpler = answer(&mut telegram, &query).await;
    assert!(buttons(&simpler).is_empty() && text(&simpler).contains(" of about "), "{simpler:?}");
    let old = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    telegram.refuse("answerGuestQuery", 400, old);
    let query = telegram.mention_as_guest(FOREIGN_GROUP, content);
    answer(&mut telegram, &query).await;
    assert_nothing_else_was_sent(&mut telegram);
    assert!(program.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_query_in_progress_when_the_program_is_killed_is_answered_by_the_next_run() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    let query = telegram.mention_as_guest(OTHER, json!({ "photo": photo("slow"), "caption": named("") }));
    telegram.inbox.next("fetched photos/slow").await;
    program.kill();
    gate.send(true).unwrap();
    let _program = telegram.program(&[]);
    assert!(text(&answer(&mut telegram, &query).await).contains(" of about "));
    assert_nothing_else_was_sent(&mut telegram);
}

#[tokio::test(flavor = "multi_thread")]
async fn business_accounts_are_declined_in_private_and_their_customers_never_answered() {
    const CUSTOMER: i64 = 9_009_009_030;
    let mut telegram = Telegram::start().await;
    telegram.files.put("one", photo_with_a_face());
    let content = json!({ "business_connection_id": "a-connection", "photo": photo("one"), "caption": "/guess" });
    // Created before the program asked for other kinds, as after another program with the same token.
    for kind in ["business_message", "edited_business_message"] {
        telegram.update(kind, with(message(CUSTOMER, telegram.next_id()), content.clone()));
    }
    let _program = telegram.program(&[]);
    let asked = telegram.inbox.next("getupdates").await;
    let kinds = asked.body["allowed_updates"].as_array().unwrap();
    assert!(kinds.contains(&json!("business_connection")) && kinds.contains(&json!("guest_message")), "{kinds:?}");
    for never in ["business_message", "edited_business_message", "inline_query"] {
        assert!(!kinds.contains(&json!(never)), "{kinds:?}");
    }
    telegram.inbox.next("setmycommands").await;
    telegram.update("message", with(message(CUSTOMER, telegram.next_id()), content));

    let connection = |is_enabled: bool| {
        json!({
            "id": "a-connection", "user": with(user(OTHER), json!({ "language_code": "de" })), "user_chat_id": OTHER,
            "date": 1, "rights": { "can_reply": true }, "is_enabled": is_enabled
        })
    };
    telegram.update("business_connection", connection(false));
    telegram.update("business_connection", connection(true));
    let notice = telegram.inbox.next("sendmessage").await;
    assert!(notice.body["chat_id"] == OTHER && text(&notice).contains("Geschäftskonto"), "{notice:?}");
    assert!(notice.body.get("business_connection_id").is_none());
    // Once a day, however often the connection is changed.
    telegram.update("business_connection", connection(true));
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    assert_nothing_else_was_sent(&mut telegram);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_about_a_message_in_a_topic_stays_in_the_topic() {
    let (mut telegram, _program) = Telegram::polled(&[("FACEGUESSER__FAIR_USE__PERSON_BURST", "0")]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("three", photo_with_faces(3));
    telegram.make_admin(PERSON);
    // Bots can have topics in private chats, too.
    for (chat, topic) in [(GROUP, 3), (PERSON, 4)] {
        let place = json!({ "message_thread_id": topic, "is_topic_message": true });
        let post = |telegram: &Telegram, content: Value| telegram.post(chat, with(place.clone(), content));
        post(&telegram, json!({ "photo": photo("one"), "caption": "/guess" }));
        let typing = telegram.inbox.next("sendchataction").await;
        let guess = telegram.inbox.next("sendmessage").await;
        post(&telegram, json!({ "photo": photo("three"), "caption": "/guess" }));
        let card = telegram.inbox.next("sendphoto").await;
        for name in ["one", "three"] {
            post(
                &telegram,
                json!({ "photo": photo(name), "caption": "/guess", "media_group_id": format!("album-{topic}") }),
            );
        }
        let album = telegram.inbox.next("sendphoto").await;
        post(&telegram, json!({ "photo": photo("one"), "caption": "/game" }));
        let game = telegram.inbox.next("sendmessage").await;
        post(&telegram, json!({ "text": "/settings" }));
        let settings = telegram.inbox.next("sendmessage").await;
        post(&telegram, json!({ "text": "/guess" }));
        let nothing = telegram.inbox.next("sendmessage").await;
        telegram.press(PERSON, &button(&guess, "see"), chat, sent(&guess), Value::Null);
        let seen = telegram.inbox.next("sendmediagroup").await;
        for asked in [typing, guess, card, album, game, settings, nothing, seen] {
            assert_eq!(
                (&asked.body["chat_id"], &asked.body["message_thread_id"]),
                (&json!(chat), &json!(topic)),
                "{asked:?}"
            );
        }
        telegram.inbox.drain("sendchataction");
    }
}
