//! What users see when Discord refuses a request: a later reply, a simpler one, or a message elsewhere.

use serde_json::{Value, json};

use crate::support::discord::{BOT_ID, Discord, buttons, connected, words};
use crate::support::discord_faults::{Fault, USER_AGENT_PAGE};
use crate::support::{photo_with_a_face, photo_with_faces};

const REPLY: &str = "post /channels/770077007700770077/messages";
const FAILED: &str = "failed post /channels/770077007700770077/messages";
const FIRST: &str = "post /interactions/";
const EPHEMERAL: u64 = 64;

/// A direct message with a picture from `files`.
fn picture(discord: &Discord, name: &str) -> Value {
    discord.message("", vec![discord.attachment(name, "image/jpeg")], None)
}

/// A message with a picture that mentions the bot in a server.
fn mention(discord: &Discord, person: &str) -> Value {
    let mut message = discord.message(
        &format!("<@{BOT_ID}>"),
        vec![discord.attachment("one.jpg", "image/jpeg")],
        Some("550055005500550055"),
    );
    message["mentions"] =
        json!([{ "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true }]);
    message["author"]["id"] = person.into();
    message
}

fn message_command(discord: &Discord, name: &str) -> Value {
    let message = picture(discord, name);
    let target = message["id"].as_str().unwrap().to_owned();
    discord.interaction(json!({
        "id": "2", "name": "Guess age", "type": 3, "target_id": &target, "resolved": { "messages": { &target: message } }
    }))
}

#[tokio::test]
async fn the_stand_in_requires_discords_user_agent_format() {
    let discord = Discord::start().await;
    for agent in [None, Some("faceguesser/1.0"), Some("DiscordBot (no address, )")] {
        let request = reqwest::Client::new().get(format!("{}/api/v10/gateway", discord.base()));
        let request = agent.into_iter().fold(request, |request, agent| request.header("user-agent", agent));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403, "{agent:?}");
        assert!(answer.text().await.unwrap().contains(USER_AGENT_PAGE), "{agent:?}");
    }
    let whole = reqwest::Client::new().get(format!("{}/api/v10/gateway", discord.base()));
    let whole = whole.header("user-agent", "DiscordBot (https://faceguesser.example, 1.0)");
    assert_eq!(whole.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_retried_after_5xx_truncated_responses_and_429s() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.fail(REPLY, Fault::status(502), 4);
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
    // It was posted nevertheless; the second attempt returns the same message.
    discord.fail(REPLY, Fault::Cut { at: 10 }, 1);
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
    discord.inbox.next(REPLY).await;
    discord.inbox.next("duplicate post /channels/770077007700770077/messages").await;
    // A proxy in front of Discord knows nothing of permissions.
    discord.fail(REPLY, Fault::Page(403), 2);
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
    assert!(discord.inbox.next(REPLY).await.body["embeds"].is_array());
    let limited = Fault::Refused(429, 0, json!({ "retry_after": 0.2, "global": false }));
    discord.fail(REPLY, limited, 2);
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
    discord.inbox.next(REPLY).await;
    assert!(discord.inbox.pending(REPLY).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_without_a_wait_does_not_cause_a_flood_of_retries() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.fail(REPLY, Fault::Refused(429, 0, json!({ "retry_after": 0 })), 8);
    let begun = std::time::Instant::now();
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
    discord.inbox.next(REPLY).await;
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_channel_lookup_delays_no_answer_for_long() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.fail("get /channels/", Fault::status(500), 99);
    discord.dispatch("MESSAGE_CREATE", mention(&discord, "42"));
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reference_is_left_out_and_not_sent_twice() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let unknown = json!({ "errors": { "message_reference": { "_errors": [{ "code": "REPLIES_UNKNOWN_MESSAGE" }] } } });
    for fault in [Fault::code(403, 160_002), Fault::code(400, 160_002), Fault::Refused(400, 50035, unknown)] {
        discord.fail(REPLY, fault, 1);
        discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
        let refused = discord.inbox.next(FAILED).await;
        let reply = discord.inbox.next(REPLY).await;
        assert!(
            refused.body["message_reference"].is_object() && reply.body["message_reference"].is_null(),
            "{reply:?}"
        );
        assert_eq!((words(&reply), buttons(&reply)), (words(&refused), buttons(&refused)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_format_is_followed_by_simpler_ones_down_to_plain_text() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("two.jpg", photo_with_faces(2));
    // Embeds, files, words with buttons, words, without the reference.
    let left = [(true, 1, true), (false, 1, true), (false, 0, true), (false, 0, false), (false, 0, false)];
    for (code, times) in [(50035, 1), (50035, 2), (0, 3), (50006, 4)] {
        discord.fail(REPLY, Fault::code(400, code), times);
        discord.dispatch("MESSAGE_CREATE", picture(&discord, "two.jpg"));
        let mut bodies = Vec::new();
        for _ in 0..times {
            bodies.push(discord.inbox.next(FAILED).await);
        }
        bodies.push(discord.inbox.next(REPLY).await);
        for (sent, (embeds, files, pressable)) in bodies.iter().zip(left) {
            let has_embeds = !sent.body["embeds"].as_array().unwrap().is_empty();
            assert_eq!(
                (has_embeds, sent.files.len(), !buttons(sent).is_empty()),
                (embeds, files, pressable),
                "{sent:?}"
            );
            assert!(words(sent).starts_with("I see 2 faces"), "{sent:?}");
        }
        let alike = bodies.windows(2).any(|pair| pair[0].body == pair[1].body && pair[0].files == pair[1].files);
        assert!(!alike, "the same was sent twice: {bodies:?}");
    }
    // A payload that is too large is not sent again with the same files.
    discord.fail(REPLY, Fault::code(413, 40005), 1);
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "two.jpg"));
    discord.inbox.next(FAILED).await;
    assert!(discord.inbox.next(REPLY).await.files.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_write_permission_the_asker_is_notified_directly_and_the_owner_once_a_day() {
    let (mut discord, program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.store_guild("3");
    discord.store_channel("770077007700770077", "general");
    discord.fail(REPLY, Fault::code(403, 50013), 100);
    discord.dispatch("MESSAGE_CREATE", mention(&discord, "190019001900190"));
    assert!(
        words(&discord.inbox.next("post /channels/700190019001900190/messages").await)
            .contains("I'm not allowed to write in that chat")
    );
    let owner = discord.inbox.next("post /channels/7003/messages").await;
    assert!(words(&owner).contains("#general"), "{owner:?}");
    discord.dispatch("MESSAGE_CREATE", mention(&discord, "10"));
    discord.inbox.next("post /channels/70010/messages").await;
    // A user with closed direct messages is not notified.
    discord.fail("post /channels/70011/messages", Fault::code(403, 50007), 100);
    discord.dispatch("MESSAGE_CREATE", mention(&discord, "11"));
    let is_refused =
        |asked: &crate::support::inbox::RecordedRequest| asked.what == "failed post /channels/70011/messages";
    discord.inbox.wait("the attempt to notify them", is_refused).await;
    let mut elsewhere = picture(&discord, "one.jpg");
    elsewhere["channel_id"] = "78".into();
    discord.dispatch("MESSAGE_CREATE", elsewhere);
    discord.inbox.next("post /channels/78/messages").await;
    assert!(discord.inbox.pending("post /channels/7003/messages").is_empty());
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(!log.contains("said by Discord") && !log.contains("general"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_for_a_deleted_channel() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.fail(REPLY, Fault::code(404, 10003), 1);
    discord.dispatch("MESSAGE_CREATE", picture(&discord, "one.jpg"));
    discord.inbox.next(FAILED).await;
    let second = picture(&discord, "one.jpg");
    discord.dispatch("MESSAGE_CREATE", second.clone());
    let reply = discord.inbox.next(REPLY).await;
    assert_eq!(reply.body["message_reference"]["message_id"], second["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_initial_response_is_retried_and_may_have_arrived() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    for (fault, second) in [(Fault::status(500), None), (Fault::Cut { at: 0 }, Some("unmet post /interactions/"))] {
        discord.fail(FIRST, fault, 1);
        discord.dispatch("INTERACTION_CREATE", discord.command_with_photo("guess", "one.jpg"));
        discord.inbox.next(FIRST).await;
        if let Some(second) = second {
            discord.inbox.next(second).await;
        }
        assert!(words(&discord.inbox.next("patch /webhooks/").await).contains(" of about "));
    }
    discord.fail(FIRST, Fault::status(500), 1);
    let help = discord.initial_response(discord.command("help", json!([]))).await;
    assert!(words(&help).contains("128×128"), "{help:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deferred_answers_survive_failures_and_refused_formats() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.files.put("two.jpg", photo_with_faces(2));
    discord.fail("patch /webhooks/", Fault::status(503), 2);
    discord.dispatch("INTERACTION_CREATE", discord.command_with_photo("guess", "one.jpg"));
    let reply = discord.inbox.next("patch /webhooks/").await;
    discord.fail("post /webhooks/", Fault::status(500), 1);
    discord.initial_response(discord.press(&reply, "see")).await;
    discord.inbox.next("post /webhooks/").await;
    discord.fail("patch /webhooks/", Fault::code(400, 50035), 1);
    discord.dispatch("INTERACTION_CREATE", discord.command_with_photo("guess", "two.jpg"));
    let plainer = discord.inbox.next("patch /webhooks/").await;
    assert!(plainer.body["content"].as_str().unwrap().starts_with("I see 2 faces"), "{plainer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_interaction_is_answered_in_its_channel_or_directly() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.fail(FIRST, Fault::code(404, 10062), 2);
    discord.dispatch("INTERACTION_CREATE", discord.command_with_photo("guess", "one.jpg"));
    let reply = discord.inbox.next(REPLY).await;
    assert!(words(&reply).contains(" of about ") && reply.body["flags"].as_u64().unwrap_or(0) & EPHEMERAL == 0);
    // Ephemeral, because it is somebody else's photo: sent directly.
    discord.dispatch("INTERACTION_CREATE", message_command(&discord, "one.jpg"));
    assert!(words(&discord.inbox.next("post /channels/700190019001900190/messages").await).contains(" of about "));
}
