//! Updates as Telegram sends them now and may send them in future.

use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::photo_with_a_face;
use crate::support::telegram::{BOT, BOT_NAME, GROUP, PERSON, Telegram, button, message, photo, text, with};

/// The reply to a message of the group or the private chat.
async fn reply_to(telegram: &mut Telegram, id: i64) -> RecordedRequest {
    let about =
        |asked: &RecordedRequest| asked.what.starts_with("send") && asked.body["reply_parameters"]["message_id"] == id;
    telegram.inbox.wait("a reply", about).await
}

/// Posts a message and checks that the reply is a guess.
async fn assert_guessed(telegram: &mut Telegram, chat: i64, content: Value) -> RecordedRequest {
    let id = telegram.post(chat, content.clone());
    let reply = reply_to(telegram, id).await;
    assert!(text(&reply).contains(" of about "), "{content}: {reply:?}");
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_in_messages_that_typed_parsers_drop_are_answered() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let entity = json!([{ "type": "date_time", "offset": 0, "length": 4, "unix_time": 1, "date_time_format": "r" }]);
    let user =
        json!({ "type": "user", "date": 1, "sender_user": { "id": 77, "is_bot": false, "first_name": "Quillon" } });
    let external = json!({ "origin": user, "quote": { "text": "x", "position": 0 }, "text": "some text" });
    let file = |more: Value| with(json!({ "file_id": "one", "file_unique_id": "one" }), more);
    for content in [
        json!({ "photo": photo("one"), "caption": "1 May", "caption_entities": entity }),
        json!({ "photo": photo("one"), "external_reply": external }),
        json!({ "document": file(json!({ "mime_type": "" })) }),
        json!({ "document": file(json!({ "mime_type": "odd" })) }),
        json!({ "document": file(json!({ "mime_type": 5, "file_size": "large" })) }),
        json!({ "live_photo": file(json!({ "photo": photo("one"), "width": 1, "height": 1, "duration": 1 })) }),
        json!({ "paid_media": { "star_count": 5, "paid_media": [{ "type": "photo", "photo": photo("one") }] } }),
        json!({ "photo": photo("one"), "forward_origin": { "type": "from the future" }, "effect_id": 5, "quote": [] }),
        json!({ "photo": photo("one"), "reply_markup": 1, "via_bot": "x", "date": "yesterday", "sender_tag": {} }),
    ] {
        assert_guessed(&mut telegram, PERSON, content).await;
    }
    // Content without a picture, of known and unknown kinds.
    for content in [json!({ "video": { "file_id": "v" } }), json!({ "hologram": { "file_id": "h" } })] {
        let id = telegram.post(PERSON, content);
        assert!(text(&reply_to(&mut telegram, id).await).contains("no picture"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_of_unknown_kinds_are_ignored_and_only_the_kind_is_logged() {
    let (mut telegram, program) = Telegram::polled(&[("FACEGUESSER__LOG__LEVEL", "debug")]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.update("telepathy", json!({ "thought": "Ludmila's secret" }));
    telegram.update("message", json!({ "text": "Ludmila's secret" }));
    telegram.update("callback_query", json!({ "data": "Ludmila's secret" }));
    assert_guessed(&mut telegram, PERSON, json!({ "photo": photo("one") })).await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("telepathy") && !log.contains("Ludmila"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_quoted_from_another_chat_is_guessed_and_its_buttons_find_it() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let origin = json!({ "type": "hidden_user", "sender_user_name": "Quillon", "date": 1 });
    let file = json!({ "file_id": "one", "file_unique_id": "one", "mime_type": "image/jpeg" });
    for quoted in [
        json!({ "photo": photo("one") }),
        json!({ "document": file }),
        json!({ "live_photo": { "photo": photo("one") } }),
    ] {
        let request = json!({ "text": "/guess", "external_reply": with(quoted, json!({ "origin": origin })) });
        let reply = assert_guessed(&mut telegram, GROUP, request).await;
        let press = button(&reply, "see");
        telegram.press(PERSON, &press, GROUP, reply.body["sent"].as_i64().unwrap(), Value::Null);
        telegram.inbox.next("sendmediagroup").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_messages_to_a_channel_are_answered_in_their_own_topic() {
    const DIRECT: i64 = -1_000_000_000_555;
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let chat = json!({ "id": DIRECT, "type": "supergroup", "title": "A channel", "is_direct_messages": true });
    let topic = json!({ "topic_id": 4321, "user": { "id": PERSON, "is_bot": false, "first_name": "Quillon" } });
    let place = json!({ "chat": chat, "direct_messages_topic": topic });
    let reply =
        assert_guessed(&mut telegram, DIRECT, with(json!({ "photo": photo("one"), "caption": "/guess" }), place)).await;
    assert_eq!(
        (&reply.body["direct_messages_topic_id"], &reply.body["message_thread_id"]),
        (&json!(4321), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_or_a_command_within_a_caption_counts_as_a_request() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    let theirs = with(message(GROUP, 50), json!({ "photo": photo("one") }));
    let me = json!([{ "type": "text_mention", "offset": 0, "length": 3, "user": { "id": BOT, "is_bot": true, "first_name": "G" } }]);
    let named = format!("How old, @{}?", BOT_NAME.to_uppercase());
    for content in [
        json!({ "photo": photo("one"), "caption": named }),
        json!({ "photo": photo("one"), "caption": "you! how old?", "caption_entities": me }),
        json!({ "photo": photo("one"), "caption": "how old? /guess please" }),
        json!({ "photo": photo("one"), "caption": format!("My uncle.\n/guess@{BOT_NAME}") }),
    ] {
        assert_guessed(&mut telegram, GROUP, content).await;
    }
    for words in [named.as_str(), "well, /guess"] {
        telegram.post(GROUP, json!({ "text": words, "reply_to_message": theirs }));
        assert!(text(&reply_to(&mut telegram, 50).await).contains(" of about "), "{words}");
    }
    for words in ["use /guess for that", "/guess@another_bot", "me@guessing_bot", "see example.org/guess"] {
        telegram.post(GROUP, json!({ "text": words }));
        telegram.post(GROUP, json!({ "photo": photo("one"), "caption": words.replace("use /guess", "hm") }));
    }
    let id = telegram.post(GROUP, json!({ "text": named }));
    assert!(text(&reply_to(&mut telegram, id).await).contains("no picture"));
    assert!(telegram.inbox.pending("sendmessage").is_empty());
}

/// The program decides by Telegram's clock which messages are older than itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_caption_is_answered_whatever_this_machines_clock_shows() {
    for ahead in [-3600, 3600] {
        let mut telegram = Telegram::start().await;
        telegram.set_clock(ahead);
        let _program = telegram.program(&[]);
        telegram.inbox.next("setmycommands").await;
        telegram.files.put("one", photo_with_a_face());
        // The message itself did not reach the bot, as in a group with privacy mode.
        let now = telegram.now();
        let edited = |id: i64, date: i64| {
            let edited = json!({ "date": date, "edit_date": now, "photo": photo("one"), "caption": "/guess" });
            with(message(GROUP, id), edited)
        };
        telegram.update("edited_message", edited(60, now - 7200));
        telegram.update("edited_message", edited(61, now));
        let reply = telegram.inbox.next("sendmessage").await;
        assert_eq!(reply.body["reply_parameters"]["message_id"], 61, "{ahead}");
        assert!(telegram.inbox.pending("sendmessage").is_empty());
    }
}
