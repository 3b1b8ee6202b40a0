//! The connection to a stand-in Discord's gateway: look-up, loss, refusal.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::discord::{Discord, SESSION, connected, words};
use crate::support::discord_faults::Fault;
use crate::support::discord_gateway::{Gateway, Script};
use crate::support::photo_with_a_face;

const REPLY: &str = "post /channels/770077007700770077/messages";

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_gateway_lookup_is_retried_and_no_default_used() {
    let mut discord = Discord::start().await;
    discord.fail("get /gateway", Fault::status(500), 2);
    let program = discord.program(&[("FACEGUESSER__LOG__LEVEL", "debug")]);
    for _ in 0..2 {
        discord.inbox.next("failed get /gateway/bot").await;
    }
    discord.inbox.next("get /gateway/bot").await;
    discord.inbox.next("identify").await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("status 500") && !log.contains("discord.gg"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sessions_are_started_again_after_growing_pauses() {
    let mut discord = Discord::start().await;
    discord.script(Script { closed: 1, invalid: 1, ..Script::default() });
    let begun = Instant::now();
    let _program = discord.program(&[]);
    discord.inbox.next("closed with 4000").await;
    discord.inbox.next("invalid session").await;
    discord.inbox.next("identify").await;
    // Discord requires five seconds between two of them, and how many are left is looked up each time.
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(discord.inbox.pending("get /gateway/bot").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_started_while_discord_grants_none() {
    let mut discord = Discord::start().await;
    discord.script(Script { starts: Some((0, 1500)), ..Script::default() });
    let begun = Instant::now();
    let _program = discord.program(&[]);
    discord.inbox.next("identify").await;
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert_eq!(discord.inbox.pending("get /gateway/bot").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fatal_close_codes_stop_the_bot_with_an_explanation() {
    let sentences = [
        (4010, "start the bot again"),
        (4011, "more shards"),
        (4012, "newer version"),
        (4013, "intents"),
        (4004, "refuses the token"),
    ];
    for (code, sentence) in sentences {
        let (mut discord, program) = connected(&[]).await;
        discord.close_gateway(code);
        let (status, log) = program.finished().await;
        assert_eq!(status.code(), Some(1), "{code}: {log}");
        assert!(log.contains(sentence), "{code}: {log}");
        assert!(discord.inbox.pending("identify").is_empty(), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_however_its_connection_ends() {
    let ends = [
        Gateway::Break,
        Gateway::Raw(json!({ "op": 7, "d": null }).to_string()),
        Gateway::Raw(json!({ "op": 9, "d": true }).to_string()),
        Gateway::Close(1000),
        Gateway::Close(4008),
    ];
    for end in ends {
        let (mut discord, _program) = connected(&[]).await;
        discord.files.put("one.jpg", photo_with_a_face());
        discord.tell_gateway(end);
        discord
            .dispatch("MESSAGE_CREATE", discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None));
        assert_eq!(discord.inbox.next("resume").await.body["session_id"], SESSION);
        assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
        assert!(discord.inbox.pending("identify").is_empty());
        assert!(discord.inbox.pending(REPLY).is_empty());
    }
}

/// After 15 seconds without an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_resume_is_not_answered_is_resumed_over_another_connection() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.script(Script { unanswered: 1, ..Script::default() });
    discord.tell_gateway(Gateway::Break);
    discord.inbox.next("unanswered").await;
    discord.dispatch("MESSAGE_CREATE", discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None));
    assert_eq!(discord.inbox.next("resume").await.body["session_id"], SESSION);
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
    assert!(discord.inbox.pending("identify").is_empty());
}

/// With the pauses between them, the attempts take half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_resumed_is_given_up_after_five_attempts() {
    let (mut discord, _program) = connected(&[]).await;
    discord.script(Script { unresumed: 99, ..Script::default() });
    discord.tell_gateway(Gateway::Break);
    for _ in 0..5 {
        discord.inbox.next("closed with 4000").await;
    }
    discord.inbox.next("identify").await;
    assert!(discord.inbox.pending("closed with 4000").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_frame_is_not_logged_and_heartbeats_continue() {
    let (mut discord, program) = connected(&[("FACEGUESSER__LOG__LEVEL", "trace")]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.tell_gateway(Gateway::Raw(r#"{"op":0,"t":"MESSAGE_CREATE","d":{"content":"Zoe Zimmermann""#.into()));
    discord.tell_gateway(Gateway::Raw(json!({ "op": "zero", "d": "Zoe Zimmermann" }).to_string()));
    discord.tell_gateway(Gateway::Raw(json!({ "op": 1, "d": null }).to_string()));
    discord.inbox.next("heartbeat").await;
    discord.dispatch("MESSAGE_CREATE", discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None));
    discord.inbox.next(REPLY).await;
    program.terminate();
    let (_, log) = program.finished().await;
    assert!(log.contains("cannot be parsed") && !log.contains("Zimmermann"), "{log}");
}
