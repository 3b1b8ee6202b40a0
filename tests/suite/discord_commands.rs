//! Commands on a stand-in Discord: their registration and their answers.

use serde_json::{Value, json};

use crate::support::discord::{BOT_ID, Discord, connected, words};
use crate::support::{photo_with_a_face, photo_with_faces};

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_deferred_immediately_and_then_answered() {
    let (mut discord, _program) = connected(&[]).await;
    let gate = discord.files.put_gated("slow.jpg", photo_with_a_face());
    let picture = discord.attachment("slow.jpg", "image/jpeg");
    let id = picture["id"].as_str().unwrap().to_owned();
    let guess = json!({
        "id": "1", "name": "guess", "type": 1, "options": [{ "name": "photo", "type": 11, "value": id }],
        "resolved": { "attachments": { id: picture } }
    });
    discord.dispatch("INTERACTION_CREATE", discord.interaction(guess));
    let deferred = discord.inbox.next("post /interactions/").await;
    assert_eq!(deferred.body["type"], 5, "{deferred:?}");
    assert_eq!(deferred.body["data"]["flags"].as_u64().unwrap_or(0) & 64, 0, "the answer is public");
    gate.send(true).unwrap();
    let edited = discord.inbox.next(&format!("patch /webhooks/{BOT_ID}/token-")).await;
    assert!(words(&edited).contains(" of about "), "{edited:?}");

    // The answer to the message command is ephemeral: it is about somebody else's photo.
    discord.files.put("theirs.jpg", photo_with_a_face());
    let message = discord.message("", vec![discord.attachment("theirs.jpg", "image/jpeg")], None);
    let target = message["id"].as_str().unwrap().to_owned();
    let menu = json!({
        "id": "2", "name": "Guess age", "type": 3, "target_id": &target, "resolved": { "messages": { &target: message } }
    });
    discord.dispatch("INTERACTION_CREATE", discord.interaction(menu.clone()));
    let deferred = discord.inbox.next("post /interactions/").await;
    assert_eq!((&deferred.body["type"], &deferred.body["data"]["flags"]), (&json!(5), &json!(64)), "{deferred:?}");
    assert!(words(&discord.inbox.next("patch /webhooks/").await).contains(" of about "));

    let mut without = menu;
    without["resolved"]["messages"][&target]["attachments"] = json!([]);
    discord.dispatch("INTERACTION_CREATE", discord.interaction(without));
    let answer = discord.inbox.next("post /interactions/").await;
    assert!(words(&answer).contains("no picture"), "{answer:?}");

    for (name, part) in [("help", "128×128"), ("privacy", "not stored")] {
        discord.dispatch("INTERACTION_CREATE", discord.interaction(json!({ "id": "3", "name": name, "type": 1 })));
        let answer = discord.inbox.next("post /interactions/").await;
        assert!(words(&answer).contains(part), "{answer:?}");
        assert_eq!((&answer.body["type"], &answer.body["data"]["flags"]), (&json!(4), &json!(64)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_have_names_in_every_language_and_are_registered_only_when_they_changed() {
    let (discord, _program) = connected(&[]).await;
    let mut commands = discord.commands();
    let named = |name: &str| {
        let commands = commands.as_array().unwrap();
        commands.iter().find(|command| command["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    for name in ["game", "scores", "auto", "settings", "optout", "optin", "forget", "privacy", "help"] {
        assert_eq!(named(name)["description_localizations"].as_object().unwrap().len(), 8, "{name}");
    }
    let names = named("guess")["name_localizations"].clone();
    assert_eq!((&names["de"], &names["pt-BR"].is_string()), (&json!("schätzen"), &true));
    assert_eq!(named("Guess age")["type"], 3);
    assert_eq!(named("language")["options"][0]["choices"].as_array().unwrap().len(), 8);
    assert_eq!(named("gender")["options"][0]["choices"][0]["value"], "always");

    // As Discord returns them, with further fields.
    for command in commands.as_array_mut().unwrap() {
        command["id"] = "770077007700770077".into();
        command["version"] = "78".into();
        command["nsfw"] = false.into();
    }
    let mut discord = Discord::with_commands(commands.clone()).await;
    let _program = discord.program(&[]);
    discord.inbox.next(&format!("get /applications/{BOT_ID}/commands")).await;
    discord.dispatch("INTERACTION_CREATE", discord.command("help", json!([])));
    discord.inbox.next("post /interactions/").await;
    assert!(discord.inbox.pending("put /applications").is_empty());

    commands[0]["description"] = "Something older".into();
    let mut discord = Discord::with_commands(commands).await;
    let _program = discord.program(&[]);
    discord.inbox.next("put /applications").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_answered_in_their_language() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let mut help = discord.command("help", json!([]));
    help["locale"] = "de".into();
    discord.dispatch("INTERACTION_CREATE", help);
    let answer = discord.inbox.next("post /interactions/").await;
    assert!(words(&answer).contains("Gesicht"), "{answer:?}");
    let choice = json!([{ "name": "language", "type": 3, "value": "fr" }]);
    discord.dispatch("INTERACTION_CREATE", discord.command("language", choice));
    let answer = discord.inbox.next("post /interactions/").await;
    assert!(words(&answer).contains("français"), "{answer:?}");
    // A message does not contain the client's language; the one that was chosen applies.
    let message = discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None);
    discord.dispatch("MESSAGE_CREATE", message);
    let reply = discord.inbox.next("post /channels/770077007700770077/messages").await;
    assert!(words(&reply).contains("\u{a0}ans"), "{reply:?}");
    let choice = json!([{ "name": "telling", "type": 3, "value": "never" }]);
    discord.dispatch("INTERACTION_CREATE", discord.command("gender", choice));
    discord.inbox.next("post /interactions/").await;
    discord.dispatch("INTERACTION_CREATE", discord.command("forget", json!([])));
    discord.inbox.next("post /interactions/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_one_message_share_the_answer_to_the_message_command() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.files.put("two.jpg", photo_with_faces(2));
    let pictures: Vec<Value> = ["one.jpg", "two.jpg"].map(|name| discord.attachment(name, "image/jpeg")).into();
    let message = discord.message("", pictures, None);
    let target = message["id"].as_str().unwrap().to_owned();
    let menu = json!({
        "id": "2", "name": "Guess age", "type": 3, "target_id": &target, "resolved": { "messages": { &target: message } }
    });
    discord.dispatch("INTERACTION_CREATE", discord.interaction(menu));
    let edited = discord.inbox.next("patch /webhooks/").await;
    assert!(words(&edited).contains("Photo 1: ") && words(&edited).contains("Photo 2: I see 2 faces"), "{edited:?}");
    assert_eq!(edited.files.len(), 1);
}
