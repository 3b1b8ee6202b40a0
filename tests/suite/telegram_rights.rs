//! Chats in which the bot may not write, or that no longer exist.

use serde_json::{Value, json};

use crate::support::photo_with_a_face;
use crate::support::telegram::{BOT, GROUP, PERSON, Telegram, photo, text, with};

const ADMIN: i64 = 30;
const CLOSED_ADMIN: i64 = 29;

async fn start(words: &str, code: u16) -> (Telegram, crate::support::program::Program) {
    let (telegram, program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    for admin in [BOT, CLOSED_ADMIN, ADMIN] {
        telegram.make_admin(admin);
    }
    telegram.close_private_chat(CLOSED_ADMIN);
    telegram.deny("send", GROUP, code, words);
    (telegram, program)
}

fn ask(telegram: &Telegram) {
    telegram.post(GROUP, json!({ "photo": photo("one"), "caption": "/guess" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_bot_may_not_write_the_asker_is_notified_in_private_and_an_admin_once_a_day() {
    for words in [
        "Bad Request: not enough rights to send text messages to the chat",
        "Bad Request: have no rights to send a message",
        "Bad Request: CHAT_WRITE_FORBIDDEN",
        "Bad Request: CHAT_RESTRICTED",
    ] {
        let (mut telegram, _program) = start(words, 400).await;
        ask(&telegram);
        let private = telegram.inbox.next("sendmessage").await;
        assert_eq!(private.body["chat_id"], PERSON);
        assert!(text(&private).contains("I'm not allowed to write in that chat"), "{private:?}");
        let notice = telegram.inbox.next("sendmessage").await;
        assert_eq!(notice.body["chat_id"], ADMIN);
        assert!(
            text(&notice).contains("“\u{2068}A group\u{2069}”") || text(&notice).contains("“A group”"),
            "{notice:?}"
        );
        // The admin is notified once a day only; commands are treated like photos.
        telegram.post(GROUP, json!({ "text": "/help" }));
        assert_eq!(telegram.inbox.next("sendmessage").await.body["chat_id"], PERSON);
        ask(&telegram);
        assert_eq!(telegram.inbox.next("sendmessage").await.body["chat_id"], PERSON);
        assert!(telegram.inbox.pending("sendmessage").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_did_not_ask_is_not_notified_that_the_bot_may_not_write() {
    let (mut telegram, _program) = Telegram::polled(&[]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.make_admin(ADMIN);
    let admin = json!({ "from": { "id": ADMIN, "is_bot": false, "first_name": "Quillon" }, "text": "/auto on" });
    telegram.post(GROUP, admin);
    telegram.inbox.next("sendmessage").await;
    telegram.deny("send", GROUP, 400, "Bad Request: not enough rights to send text messages to the chat");
    telegram.post(GROUP, json!({ "photo": photo("one") }));
    assert_eq!(telegram.inbox.next("sendmessage").await.body["chat_id"], ADMIN);
    assert!(telegram.inbox.pending("sendmessage").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_recipient_is_gone_the_bot_gives_up_without_a_warning() {
    for (code, words) in [
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (403, "Forbidden: bot is not a member of the supergroup chat"),
        (403, "Forbidden: the group chat was deleted"),
        (403, "Forbidden: user is deactivated"),
        (400, "Bad Request: chat not found"),
    ] {
        let (mut telegram, program) = start(words, code).await;
        ask(&telegram);
        telegram.inbox.next("denied sendmessage").await;
        telegram.post(PERSON, json!({ "text": "/help" }));
        assert_eq!(telegram.inbox.next("sendmessage").await.body["chat_id"], PERSON, "{words}");
        assert!(
            telegram.inbox.pending("denied sendmessage").is_empty() && telegram.inbox.pending("sendmessage").is_empty()
        );
        program.terminate();
        let (_, log) = program.finished().await;
        assert!(!log.contains("WARN"), "{words}: {log}");
        // The next run owes no reply.
        let _program = telegram.program(&[]);
        telegram.post(PERSON, json!({ "text": "/help" }));
        telegram.inbox.next("sendmessage").await;
        assert!(telegram.inbox.pending("denied sendmessage").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_becomes_a_supergroup_while_its_photo_is_analysed_is_answered_there() {
    let (mut telegram, mut program) = Telegram::polled(&[]).await;
    let gate = telegram.files.put_gated("slow", photo_with_a_face());
    let group = json!({ "chat": { "id": -55, "type": "group", "title": "A group" } });
    telegram.post(-55, with(json!({ "photo": photo("slow"), "caption": "/guess" }), group));
    telegram.inbox.next("fetched photos/slow").await;
    telegram.script(
        "sendMessage",
        json!({
            "ok": false, "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": { "migrate_to_chat_id": GROUP }
        }),
    );
    gate.send(true).unwrap();
    assert_eq!(telegram.inbox.next("sendmessage").await.body["chat_id"], -55);
    let reply = telegram.inbox.next("sendmessage").await;
    // Messages have other ids there.
    assert_eq!((&reply.body["chat_id"], &reply.body["reply_parameters"]), (&json!(GROUP), &Value::Null));
    // The job moved with the group and is finished: the next run does not answer it again.
    telegram.post(PERSON, json!({ "text": "/help" }));
    telegram.inbox.next("sendmessage").await;
    program.kill();
    let _program = telegram.program(&[]);
    telegram.post(PERSON, json!({ "text": "/privacy" }));
    assert!(text(&telegram.inbox.next("sendmessage").await).contains("not stored"));
}
