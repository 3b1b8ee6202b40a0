//! Replies on a stand-in Discord: albums, colours, permissions, forwarded pictures, deletions.

use serde_json::{Value, json};

use crate::support::discord::{Discord, buttons, connected, words};
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

const REPLY: &str = "post /channels/770077007700770077/messages";
const EDIT: &str = "patch /channels/770077007700770077/messages/";

/// A direct message with these pictures.
fn pictures(discord: &Discord, names: &[&str]) -> Value {
    let pictures = names.iter().map(|name| discord.attachment(name, "image/jpeg")).collect();
    discord.message("", pictures, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_is_answered_in_order_with_one_reply_that_grows() {
    let (mut discord, _program) = connected(&[]).await;
    let names: Vec<String> = (1..=10).map(|number| format!("{number}.jpg")).collect();
    discord.files.put(&names[0], photo_with_a_face());
    let gate = discord.files.put_gated(&names[1], photo_without_a_face());
    for name in &names[2..] {
        discord.files.put(name, photo_with_faces(2));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = pictures(&discord, &names);
    discord.dispatch("MESSAGE_CREATE", message.clone());
    let partial = discord.inbox.next(REPLY).await;
    assert_eq!(partial.body["message_reference"]["message_id"], message["id"]);
    assert!(words(&partial).contains("Photo 2: still looking …"), "{partial:?}");
    gate.send(true).unwrap();
    let whole = loop {
        let edited = discord.inbox.next(EDIT).await;
        if !words(&edited).contains("still looking") {
            break edited;
        }
    };
    let parts: Vec<&str> = words(&whole).split("\n\n").collect();
    assert_eq!(parts.len(), 10);
    assert!(parts[0].starts_with("Photo 1: ") && parts[0].contains(" of about "), "{whole:?}");
    assert!(parts[1].starts_with("Photo 2: I can't find a face"), "{whole:?}");
    assert!(parts[9].starts_with("Photo 10: I see 2 faces"), "{whole:?}");
    // A numbered picture for each of the eight photos with several faces, each in its own embed.
    assert_eq!((whole.files.len(), whole.body["embeds"].as_array().unwrap().len()), (8, 8));
    assert_eq!(whole.body["embeds"][7]["image"]["url"], "attachment://faces-8.jpg");
    assert_eq!(whole.body["attachments"].as_array().unwrap().len(), 8);
    assert!(discord.inbox.pending(REPLY).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_colour_shows_the_certainty_that_the_text_states() {
    let mut colours = Vec::new();
    for (confident, beginning) in [("0", "Looks like "), ("1", "I'm not sure about the age, but ")] {
        let (mut discord, _program) = connected(&[("FACEGUESSER__GUESS__CONFIDENT", confident)]).await;
        discord.files.put("one.jpg", photo_with_a_face());
        discord.files.put("none.jpg", photo_without_a_face());
        discord.dispatch("MESSAGE_CREATE", pictures(&discord, &["one.jpg"]));
        let reply = discord.inbox.next(REPLY).await;
        let embed = &reply.body["embeds"][0];
        assert!(embed["description"].as_str().unwrap().starts_with(beginning), "{reply:?}");
        assert_eq!(reply.body["content"], "");
        colours.push(embed["color"].as_u64().unwrap());
        discord.dispatch("MESSAGE_CREATE", pictures(&discord, &["none.jpg"]));
        let reply = discord.inbox.next(REPLY).await;
        assert!(reply.body["content"].as_str().unwrap().starts_with("I can't find a face"), "{reply:?}");
    }
    assert_ne!(colours[0], colours[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_permission_for_embeds_or_files_the_reply_is_plain_text() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("two.jpg", photo_with_faces(2));
    discord.forbid("embeds");
    discord.dispatch("MESSAGE_CREATE", pictures(&discord, &["two.jpg"]));
    discord.inbox.next("forbidden").await;
    let reply = discord.inbox.next(REPLY).await;
    assert!(reply.body["content"].as_str().unwrap().starts_with("I see 2 faces"), "{reply:?}");
    assert_eq!(reply.files.len(), 1);
    discord.forbid("attachments");
    discord.dispatch("MESSAGE_CREATE", pictures(&discord, &["two.jpg"]));
    let reply = discord.inbox.next(REPLY).await;
    assert!(reply.body["content"].as_str().unwrap().starts_with("I see 2 faces"), "{reply:?}");
    assert!(reply.files.is_empty() && !buttons(&reply).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_are_forwarded_or_linked_are_processed() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.files.put("two.jpg", photo_with_faces(2));
    let picture = discord.attachment("one.jpg", "image/jpeg");
    let mut forward = discord.message("", vec![], None);
    forward["message_snapshots"] = json!([{ "message": {
        "type": 0, "content": "", "attachments": [picture], "embeds": [], "mentions": [],
        "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": null, "flags": 0
    } }]);
    discord.dispatch("MESSAGE_CREATE", forward);
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));

    let proxied = format!("{}/attachments/two.jpg", discord.base());
    let mut link = discord.message("https://elsewhere.example/two.jpg", vec![], None);
    link["embeds"] = json!([{ "type": "image", "url": "https://elsewhere.example/two.jpg", "thumbnail": {
        "url": "https://elsewhere.example/two.jpg", "proxy_url": proxied, "width": 520, "height": 400
    } }]);
    discord.dispatch("MESSAGE_CREATE", link);
    assert!(words(&discord.inbox.next(REPLY).await).starts_with("I see 2 faces"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_deleted_with_its_message() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let gone = |message: &Value| json!({ "id": message["id"], "channel_id": "770077007700770077" });
    let (first, second) = (pictures(&discord, &["one.jpg"]), pictures(&discord, &["one.jpg"]));
    discord.dispatch("MESSAGE_CREATE", first.clone());
    let reply = discord.inbox.next(REPLY).await;
    let reply = discord.posted(&reply)["id"].as_str().unwrap().to_owned();
    discord.dispatch("MESSAGE_DELETE", gone(&first));
    discord.inbox.next(&format!("delete /channels/770077007700770077/messages/{reply}")).await;

    discord.dispatch("MESSAGE_CREATE", second.clone());
    let reply = discord.inbox.next(REPLY).await;
    let reply = discord.posted(&reply)["id"].as_str().unwrap().to_owned();
    // A message that is deleted while its photo is processed is not answered.
    let gate = discord.files.put_gated("slow.jpg", photo_with_a_face());
    let third = pictures(&discord, &["slow.jpg"]);
    discord.dispatch("MESSAGE_CREATE", third.clone());
    discord.inbox.next("fetched slow.jpg").await;
    discord.dispatch("MESSAGE_DELETE", gone(&third));
    discord.dispatch("MESSAGE_DELETE_BULK", json!({ "ids": ["1", second["id"]], "channel_id": "770077007700770077" }));
    discord.inbox.next(&format!("delete /channels/770077007700770077/messages/{reply}")).await;
    gate.send(true).unwrap();
    let fourth = pictures(&discord, &["one.jpg"]);
    discord.dispatch("MESSAGE_CREATE", fourth.clone());
    let reply = discord.inbox.next(REPLY).await;
    assert_eq!(reply.body["message_reference"]["message_id"], fourth["id"]);
}
