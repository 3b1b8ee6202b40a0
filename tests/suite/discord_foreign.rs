//! Places on Discord that the bot is not a member of, where people use it because they have installed it for
//! themselves: only responses to interactions reach them.

use serde_json::{Value, json};

use crate::support::discord::{BOT_ID, Discord, TOKEN, connected, words};
use crate::support::discord_faults::{Fault, USER_AGENT_PAGE};
use crate::support::inbox::RecordedRequest;
use crate::support::{photo_with_a_face, photo_with_faces};

const EPHEMERAL: u64 = 64;

fn is_ephemeral(asked: &RecordedRequest) -> bool {
    let body = if asked.body["data"].is_object() { &asked.body["data"] } else { &asked.body };
    body["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0
}

/// A message of a foreign server with a picture.
fn picture(discord: &Discord, name: &str) -> Value {
    let mut message = discord.message("", vec![discord.attachment(name, "image/jpeg")], Some("660066006600660066"));
    message["channel_id"] = "880088008800880088".into();
    message
}

/// Dispatches an interaction and waits for its answer, which only its user may see.
async fn answer(discord: &mut Discord, interaction: Value) -> RecordedRequest {
    let deferred = discord.initial_response(interaction).await;
    assert!(deferred.body["type"] == 5 && is_ephemeral(&deferred), "{deferred:?}");
    discord.inbox.next("patch /webhooks/").await
}

/// Checks that no request needed the bot to be there.
fn assert_no_membership_was_needed(discord: &mut Discord) {
    for what in ["unmet", "failed", "get /channels", "post /channels", "get /guilds", "post /users"] {
        let tried = discord.inbox.pending(what);
        assert!(tried.is_empty(), "{tried:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_are_guessed_where_the_bot_is_no_member_and_only_the_asker_sees_it() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let places: [fn(&Discord, Value) -> Value; 2] = [Discord::in_foreign_server, Discord::between_friends];
    for (place, is_menu) in places.into_iter().flat_map(|place| [(place, true), (place, false)]) {
        let asked = if is_menu {
            discord.message_menu(&picture(&discord, "one.jpg"))
        } else {
            discord.command_with_photo("guess", "one.jpg")
        };
        let asked = place(&discord, asked);
        let guessed = answer(&mut discord, asked).await;
        assert!(words(&guessed).contains(" of about "), "{guessed:?}");
        // Its buttons need neither the channel nor the message.
        let seen = discord.in_foreign_server(discord.press(&guessed, "see"));
        assert_eq!(discord.initial_response(seen).await.body["type"], 6);
        assert!(words(&discord.inbox.next("post /webhooks/").await).starts_with("This is all I look at"));
        let delete = discord.in_foreign_server(discord.press(&guessed, "delete"));
        discord.initial_response(delete).await;
        discord.inbox.next("delete /webhooks/").await;
    }
    assert_no_membership_was_needed(&mut discord);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_profile_picture_is_guessed_from_their_menu() {
    let mut discord = Discord::start().await;
    let _program = discord.program(&[("FACEGUESSER__DISCORD__FILE_HOSTS", &discord.base())]);
    discord.inbox.next("put /applications").await;
    discord.files.put("abc.png", photo_with_a_face());
    discord.files.put("a_b0.png", photo_with_faces(2));
    let menu = |avatar: Value, member: Value| {
        let user = json!({ "id": "210021002100", "username": "zoe.other", "discriminator": "0", "avatar": avatar });
        let resolved = json!({ "users": { "210021002100": user }, "members": { "210021002100": member } });
        json!({ "id": "2", "name": "Guess age", "type": 2, "target_id": "210021002100", "resolved": resolved })
    };
    let theirs = menu(json!("abc"), Value::Null);
    let asked = discord.in_foreign_server(discord.interaction(theirs.clone()));
    let guessed = answer(&mut discord, asked).await;
    assert!(words(&guessed).contains(" of about "), "{guessed:?}");
    discord.inbox.next("fetched 210021002100/abc.png").await;
    // In a server, the picture for that server.
    let of_server = menu(json!("abc"), json!({ "avatar": "a_b0" }));
    let asked = discord.interaction(of_server);
    let guessed = answer(&mut discord, asked).await;
    assert!(words(&guessed).contains("I see 2 faces"), "{guessed:?}");
    discord.inbox.next("fetched 550055005500550055/users/210021002100/avatars/a_b0.png").await;
    for avatar in [Value::Null, json!("../../attachments/one.jpg")] {
        let refused = discord.between_friends(discord.interaction(menu(avatar, Value::Null)));
        let refused = discord.initial_response(refused).await;
        assert!(words(&refused).contains("no profile picture") && is_ephemeral(&refused), "{refused:?}");
    }
    // Somebody who opted out is not looked at, however they are picked.
    let mut out = discord.command("optout", json!([]));
    out["member"]["user"]["id"] = "210021002100".into();
    discord.initial_response(discord.in_foreign_server(out)).await;
    let refused = discord.initial_response(discord.interaction(theirs)).await;
    assert!(words(&refused).contains("has asked me not to look"), "{refused:?}");
    assert_no_membership_was_needed(&mut discord);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_interaction_is_answered_directly_and_an_expired_link_renewed_without_the_message() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.expire("one.jpg");
    let menu = discord.in_foreign_server(discord.message_menu(&picture(&discord, "one.jpg")));
    assert!(words(&answer(&mut discord, menu).await).contains(" of about "));
    discord.inbox.next("post /attachments/refresh-urls").await;
    discord.inbox.drain("failed fetched");
    assert_no_membership_was_needed(&mut discord);

    discord.fail("post /interactions/", Fault::code(404, 10062), 1);
    discord.dispatch("INTERACTION_CREATE", discord.in_foreign_server(discord.command_with_photo("guess", "one.jpg")));
    assert!(words(&discord.inbox.next("post /channels/700190019001900190/messages").await).contains(" of about "));
    assert!(discord.inbox.pending("post /channels/880088008800880088").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_larger_than_the_place_allows_is_left_out() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("two.jpg", photo_with_faces(2));
    let mut guess = discord.in_foreign_server(discord.command_with_photo("guess", "two.jpg"));
    guess["attachment_size_limit"] = 1000.into();
    let deferred = discord.initial_response(guess).await;
    assert!(is_ephemeral(&deferred), "{deferred:?}");
    assert_eq!(discord.inbox.next("unmet patch /webhooks/").await.files.len(), 1);
    let guessed = discord.inbox.next("patch /webhooks/").await;
    assert!(words(&guessed).contains("I see 2 faces") && guessed.files.is_empty(), "{guessed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_of_other_people_is_no_chat_with_the_bot() {
    let (mut discord, _program) = connected(&[]).await;
    let forget = |discord: &Discord| discord.command("forget", json!([]));
    let forgotten = discord.initial_response(discord.between_friends(forget(&discord))).await;
    assert!(words(&forgotten).contains("I keep nothing about you any more"), "{forgotten:?}");
    // In direct messages with the bot, the user may decide for the chat.
    let mut direct = discord.between_friends(forget(&discord));
    direct["context"] = 1.into();
    let forgotten = discord.initial_response(direct).await;
    assert!(words(&forgotten).contains("about you or this chat"), "{forgotten:?}");
    for name in ["help", "privacy", "optin"] {
        let answer = discord.initial_response(discord.in_foreign_server(discord.command(name, json!([])))).await;
        assert!(is_ephemeral(&answer), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_need_the_bot_in_the_chat_are_offered_to_members_only() {
    let (discord, _program) = connected(&[]).await;
    let commands = discord.commands();
    let mut everywhere = Vec::new();
    for command in commands.as_array().unwrap() {
        let (installs, contexts) = (&command["integration_types"], &command["contexts"]);
        if *installs == json!([0, 1]) && *contexts == json!([0, 1, 2]) {
            everywhere.push(command["name"].as_str().unwrap());
        } else {
            assert_eq!((installs, contexts), (&json!([0]), &json!([0, 1])), "{command}");
        }
    }
    let expected =
        ["guess", "language", "gender", "optout", "optin", "forget", "privacy", "help", "Guess age", "Guess age"];
    assert_eq!(everywhere, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_registered_for_servers_where_people_cannot_install_the_bot_for_themselves() {
    let mut discord = Discord::start().await;
    discord.fail("put /applications", Fault::code(400, 50035), 1);
    let program = discord.program(&[]);
    discord.inbox.next("failed put /applications").await;
    let registered = discord.inbox.next("put /applications").await;
    let commands = registered.body.as_array().unwrap();
    assert!(commands.iter().all(|command| command["integration_types"] == json!([0])), "{commands:?}");
    program.logged("tick User Install").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_refuses_what_discord_refuses_where_the_bot_is_no_member() {
    let (mut discord, _program) = connected(&[]).await;
    let help = discord.in_foreign_server(discord.command("help", json!([])));
    let token = help["token"].as_str().unwrap().to_owned();
    discord.initial_response(help).await;
    let client = reqwest::Client::new();
    let post = async |path: String, body: Value| {
        let request = client.post(format!("{}/api/v10{path}", discord.base())).json(&body);
        let request = request.header("user-agent", format!("DiscordBot ({USER_AGENT_PAGE}, 1)"));
        let response = request.header("authorization", format!("Bot {TOKEN}")).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap()["code"].as_u64())
    };
    let message = json!({ "content": "hello" });
    assert_eq!(post("/channels/880088008800880088/messages".into(), message.clone()).await, (403, Some(50001)));
    for _ in 0..5 {
        assert_eq!(post(format!("/webhooks/{BOT_ID}/{token}"), message.clone()).await.0, 200);
    }
    assert_eq!(post(format!("/webhooks/{BOT_ID}/{token}"), message).await, (400, Some(40094)));
}
