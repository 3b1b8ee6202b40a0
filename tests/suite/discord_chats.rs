//! Settings of chats and users on a stand-in Discord: automatic replies, threads, opting out, rate limits.

use serde_json::{Value, json};

use crate::support::discord::{BOT_ID, Discord, buttons, connected, words};
use crate::support::photo_with_a_face;

const MANAGE_GUILD: &str = "32";
const EPHEMERAL: u64 = 64;
const CONTENT: (&str, &str) = ("FACEGUESSER__DISCORD__MESSAGE_CONTENT", "true");

/// A message with one picture in a channel of a server.
fn picture(discord: &Discord, channel: &str) -> Value {
    let mut message =
        discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], Some("550055005500550055"));
    message["channel_id"] = channel.into();
    message
}

/// Makes an admin the user of an interaction.
fn by_admin(mut interaction: Value) -> Value {
    interaction["member"]["permissions"] = MANAGE_GUILD.into();
    interaction
}

fn by(mut interaction: Value, person: &str) -> Value {
    interaction["member"]["user"]["id"] = person.into();
    interaction
}

fn auto(discord: &Discord, channel: &str, state: &str) -> Value {
    let mut command = discord.command("auto", json!([{ "name": "state", "type": 3, "value": state }]));
    command["channel_id"] = channel.into();
    by_admin(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_replies_are_off_until_an_admin_enables_them_and_extend_to_threads() {
    let (mut discord, _program) = connected(&[CONTENT]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.store_thread("881", "88");
    let mut anybody = auto(&discord, "88", "on");
    anybody["member"]["permissions"] = "0".into();
    assert!(words(&discord.initial_response(anybody).await).contains("Only an admin"));
    let stands = discord.command("auto", json!([]));
    assert!(words(&discord.initial_response(stands).await).contains("Automatic replies are off"));
    let on = discord.initial_response(auto(&discord, "88", "on")).await;
    assert!(words(&on).contains("From now on I answer every photo"), "{on:?}");

    discord.dispatch("MESSAGE_CREATE", picture(&discord, "770077007700770077"));
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "88"));
    assert!(words(&discord.inbox.next("post /channels/88/messages").await).contains(" of about "));
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "881"));
    assert!(words(&discord.inbox.next("post /channels/881/messages").await).contains(" of about "));

    let off = discord.initial_response(auto(&discord, "88", "off")).await;
    assert!(words(&off).contains("no longer answer"), "{off:?}");
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "88"));
    discord.initial_response(auto(&discord, "99", "on")).await;
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "99"));
    discord.inbox.next("post /channels/99/messages").await;
    assert!(discord.inbox.pending("post /channels/88/messages").is_empty());
    assert!(discord.inbox.pending("post /channels/770077007700770077/messages").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_of_configured_channels_are_answered() {
    let (mut discord, _program) = connected(&[("FACEGUESSER__DISCORD__CHANNELS", "88")]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.store_thread("881", "88");
    let post = picture(&discord, "881");
    discord.dispatch("MESSAGE_CREATE", post.clone());
    let reply = discord.inbox.next("post /channels/881/messages").await;
    assert_eq!(reply.body["message_reference"]["message_id"], post["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_replies_without_the_message_content_intent_explain_what_they_need() {
    let (mut discord, _program) = connected(&[]).await;
    let unseen = discord.initial_response(auto(&discord, "770077007700770077", "on")).await;
    assert!(words(&unseen).contains("discord.message_content"), "{unseen:?}");
    let settings = discord.initial_response(by_admin(discord.command("settings", json!([])))).await;
    let unseen = discord.initial_response(by_admin(discord.press(&settings, "set:auto"))).await;
    assert!(words(&unseen).contains("discord.message_content"), "{unseen:?}");
    let stands = discord.command("auto", json!([]));
    assert!(words(&discord.initial_response(stands).await).contains("Automatic replies are off"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_change_in_place_and_only_by_admins() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let settings = discord.initial_response(by_admin(discord.command("settings", json!([])))).await;
    assert_eq!(settings.body["data"]["flags"], EPHEMERAL);
    assert_eq!(buttons(&settings), ["set:auto", "set:private", "set:gender", "set:smile", "set:language"]);
    let refused = discord.initial_response(discord.press(&settings, "set:private")).await;
    assert!(words(&refused).contains("Only an admin"), "{refused:?}");
    let changed = discord.initial_response(by_admin(discord.press(&settings, "set:private"))).await;
    assert_eq!(changed.body["type"], 7);
    let label = &changed.body["data"]["components"][1]["components"][0]["label"];
    assert_eq!(label, "Replies: only to whoever asked");
    // From now on, the answer to /guess is ephemeral.
    let deferred = discord.initial_response(discord.command_with_photo("guess", "one.jpg")).await;
    assert_eq!(deferred.body["data"]["flags"], EPHEMERAL);
    discord.inbox.next("patch /webhooks/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_of_users_who_opted_out_are_ignored() {
    let (mut discord, _program) = connected(&[CONTENT]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.initial_response(auto(&discord, "88", "on")).await;
    let out = discord.initial_response(discord.command("optout", json!([]))).await;
    assert!(words(&out).contains("ignore your photos"), "{out:?}");

    let theirs = picture(&discord, "88");
    discord.dispatch("MESSAGE_CREATE", theirs.clone());
    let mut mention = discord.message(&format!("<@{BOT_ID}>"), vec![], Some("550055005500550055"));
    mention["author"]["id"] = "10".into();
    mention["mentions"] =
        json!([{ "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true }]);
    mention["referenced_message"] = theirs.clone();
    discord.dispatch("MESSAGE_CREATE", mention);
    let refused = discord.inbox.next("post /channels/770077007700770077/messages").await;
    assert!(words(&refused).contains("has asked me not to look"), "{refused:?}");
    let target = theirs["id"].as_str().unwrap().to_owned();
    let menu = json!({
        "id": "2", "name": "Guess age", "type": 3, "target_id": &target, "resolved": { "messages": { &target: theirs } }
    });
    let own = discord.command_with_photo("guess", "one.jpg");
    for asked in [by(discord.interaction(menu), "10"), own] {
        let refused = discord.initial_response(asked).await;
        assert!(words(&refused).contains("has asked me not to look"), "{refused:?}");
        assert_eq!(refused.body["data"]["flags"], EPHEMERAL);
    }
    assert!(discord.inbox.pending("post /channels/88/messages").is_empty());

    discord.initial_response(discord.command("optin", json!([]))).await;
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "88"));
    assert!(words(&discord.inbox.next("post /channels/88/messages").await).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_photos_are_refused_once_with_a_reply_then_silently_and_commands_always_with_a_reply() {
    let burst = ("FACEGUESSER__FAIR_USE__PERSON_BURST", "1");
    let every = ("FACEGUESSER__FAIR_USE__PERSON_EVERY", "1h");
    let (mut discord, _program) = connected(&[burst, every]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let direct = || {
        let mut message = picture(&discord, "770077007700770077");
        message.as_object_mut().unwrap().remove("guild_id");
        message
    };
    let (first, second, third) = (direct(), direct(), direct());
    discord.dispatch("MESSAGE_CREATE", first);
    assert!(words(&discord.inbox.next("post /channels/770077007700770077/messages").await).contains(" of about "));
    discord.dispatch("MESSAGE_CREATE", second);
    assert!(words(&discord.inbox.next("post /channels/770077007700770077/messages").await).contains("a lot of photos"));
    discord.dispatch("MESSAGE_CREATE", third);
    for _ in 0..2 {
        let refused = discord.initial_response(discord.command_with_photo("guess", "one.jpg")).await;
        assert!(words(&refused).contains("a lot of photos"), "{refused:?}");
        assert_eq!(refused.body["data"]["flags"], EPHEMERAL);
    }
    assert!(discord.inbox.pending("post /channels/770077007700770077/messages").is_empty());
}
