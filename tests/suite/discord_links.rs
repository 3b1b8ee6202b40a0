//! Pictures on a stand-in Discord that are harder to get: from failing hosts, behind expired links, in
//! components, as spoilers, in messages of unexpected form, many at once.

use serde_json::{Value, json};

use crate::support::discord::{BOT_ID, Discord, connected, words};
use crate::support::discord_faults::Fault;
use crate::support::{photo_with_a_face, photo_with_faces};

const REPLY: &str = "post /channels/770077007700770077/messages";

fn message_with(discord: &Discord, pictures: Vec<Value>) -> Value {
    discord.message("", pictures, None)
}

fn picture(discord: &Discord, name: &str) -> Value {
    discord.attachment(name, "image/jpeg")
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_are_retried_after_errors_and_truncated_files() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let faults = [Fault::status(502), Fault::status(429), Fault::Cut { at: 0 }, Fault::Cut { at: 3000 }];
    for fault in faults {
        discord.fail("fetched one.jpg", fault.clone(), 1);
        discord.dispatch("MESSAGE_CREATE", message_with(&discord, vec![picture(&discord, "one.jpg")]));
        discord.inbox.next("failed fetched one.jpg").await;
        let reply = discord.inbox.next(REPLY).await;
        assert!(words(&reply).contains(" of about "), "{fault:?}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_link_is_renewed_once() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.expire("one.jpg");
    let message = message_with(&discord, vec![picture(&discord, "one.jpg")]);
    let mut fresh = message.clone();
    let link = fresh["attachments"][0]["url"].as_str().unwrap().replace("ex=1", "ex=3");
    fresh["attachments"][0]["url"] = link.into();
    discord.keep(&fresh);
    discord.dispatch("MESSAGE_CREATE", message);
    discord.inbox.next("get /channels/770077007700770077/messages/").await;
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
    // No message contains the file of a command.
    discord.dispatch("INTERACTION_CREATE", discord.command_with_photo("guess", "one.jpg"));
    discord.inbox.next("post /attachments/refresh-urls").await;
    assert!(words(&discord.inbox.next("patch /webhooks/").await).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_in_components_are_processed() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let media = || {
        let picture = picture(&discord, "one.jpg");
        json!({ "url": picture["url"], "proxy_url": picture["proxy_url"], "width": 640, "height": 480,
            "content_type": "image/jpeg", "attachment_id": picture["id"] })
    };
    let gallery =
        json!({ "type": 12, "id": 2, "items": [{ "media": media(), "description": null, "spoiler": false }] });
    let section = json!({ "type": 9, "id": 3, "components": [{ "type": 10, "id": 4, "content": "hello" }],
        "accessory": { "type": 11, "id": 5, "media": media(), "description": null, "spoiler": false } });
    let file = json!({ "type": 13, "id": 6, "file": media(), "name": "one.jpg", "size": 8000, "spoiler": false });
    let container = json!({ "type": 17, "id": 1, "accent_color": null, "components": [section], "spoiler": false });
    let unknown = json!({ "type": 99, "id": 7, "components": [gallery] });
    for component in [container, file, unknown] {
        let mut message = message_with(&discord, vec![]);
        message["flags"] = (1 << 15).into();
        message["components"] = json!([component]);
        discord.dispatch("MESSAGE_CREATE", message);
        let reply = discord.inbox.next(REPLY).await;
        assert!(words(&reply).contains(" of about "), "{component}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_unexpected_form_is_answered_and_not_logged() {
    let (mut discord, program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let mut odd = message_with(&discord, vec![json!(7), picture(&discord, "one.jpg")]);
    for (key, value) in [("timestamp", json!(5)), ("embeds", json!("none")), ("type", json!(19)), ("poll", json!([]))] {
        odd[key] = value;
    }
    odd["author"] = json!({ "id": "190019001900190", "username": ["Zoe", "Zimmermann"] });
    odd["attachments"][1]["size"] = "large".into();
    discord.dispatch("MESSAGE_CREATE", odd);
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
    let mut command = discord.command_with_photo("guess", "one.jpg");
    command["entitlements"] = json!("none");
    command["member"]["joined_at"] = json!(7);
    command["member"]["permissions"] = json!(0);
    discord.dispatch("INTERACTION_CREATE", command);
    assert!(words(&discord.inbox.next("patch /webhooks/").await).contains(" of about "));
    discord.dispatch("MESSAGE_CREATE", json!({ "content": "Zoe Zimmermann" }));
    discord.dispatch("INTERACTION_CREATE", json!({ "type": 2, "token": "Zimmermann" }));
    discord.dispatch("MESSAGE_CREATE", message_with(&discord, vec![picture(&discord, "one.jpg")]));
    discord.inbox.next(REPLY).await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("MESSAGE_CREATE") && !log.contains("Zimmermann"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spoilers_are_never_shown_unmarked() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("two.jpg", photo_with_faces(2));
    discord.files.put("one.jpg", photo_with_a_face());
    let named = |mut picture: Value| {
        picture["filename"] = format!("SPOILER_{}", picture["filename"].as_str().unwrap()).into();
        picture
    };
    let flagged = |mut picture: Value| {
        picture["flags"] = 8.into();
        picture
    };
    for covered in [named(picture(&discord, "two.jpg")), flagged(picture(&discord, "two.jpg"))] {
        discord.dispatch("MESSAGE_CREATE", message_with(&discord, vec![covered]));
        let reply = discord.inbox.next(REPLY).await;
        assert_eq!(reply.files.len(), 1);
        assert_eq!(reply.body["attachments"][0]["filename"], "SPOILER_faces-1.jpg");
        assert!(reply.body["embeds"][0].get("image").is_none(), "{reply:?}");
    }
    let message = message_with(&discord, vec![named(picture(&discord, "one.jpg"))]);
    discord.keep(&message);
    discord.dispatch("MESSAGE_CREATE", message);
    let reply = discord.inbox.next(REPLY).await;
    discord.initial_response(discord.press(&reply, "see")).await;
    let seen = discord.inbox.next("post /webhooks/").await;
    assert_eq!(seen.body["attachments"][0]["filename"], "SPOILER_faces-1.jpg");
    assert!(seen.body["embeds"].as_array().unwrap().iter().all(|embed| embed.get("image").is_none()), "{seen:?}");

    let mut game = discord.command_with_photo("game", "one.jpg");
    for picture in game["data"]["resolved"]["attachments"].as_object_mut().unwrap().values_mut() {
        *picture = flagged(picture.take());
    }
    discord.initial_response(game).await;
    let game = discord.inbox.next("patch /webhooks/").await;
    assert!(words(&game).ends_with("||") && words(&game).contains("\n||http"), "{game:?}");
    let mut guess = discord.press(&game, "guess");
    guess["member"]["user"]["id"] = "10".into();
    let counted = discord.initial_response(guess).await;
    assert!(words(&counted).contains("One guess so far") && words(&counted).contains("\n||http"), "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_among_ten_photos_is_described_in_full_if_it_fits() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.files.put("group.jpg", photo_with_faces(9));
    let names = ["one.jpg"; 9].into_iter().chain(["group.jpg"]);
    let message = message_with(&discord, names.map(|name| picture(&discord, name)).collect());
    discord.dispatch("MESSAGE_CREATE", message.clone());
    let mut reply = discord.inbox.next(REPLY).await;
    while words(&reply).contains("still looking") {
        reply = discord.inbox.next("patch /channels/770077007700770077/messages/").await;
    }
    assert!(words(&reply).contains("Photo 10: I see 9 faces") && words(&reply).contains("\n9. "), "{reply:?}");
    assert_eq!(reply.body["content"], "", "{BOT_ID} embeds what is too long for plain text");
}
