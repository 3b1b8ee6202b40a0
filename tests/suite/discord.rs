//! The real program against a stand-in Discord: messages and the replies to them.

use image::GenericImageView;
use serde_json::{Value, json};

use crate::support::discord::{BOT_ID, Discord, SESSION, TOKEN, connected, words};
use crate::support::inbox::RecordedRequest;
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

const REPLY: &str = "post /channels/770077007700770077/messages";

/// Asserts that a request is a reply to that message which pings nobody.
fn assert_is_quiet_reply_to(asked: &RecordedRequest, message: &Value) {
    assert_eq!(asked.body["message_reference"]["message_id"], message["id"]);
    assert_eq!(asked.body["message_reference"]["fail_if_not_exists"], false);
    assert_eq!(asked.body["allowed_mentions"], json!({ "parse": [], "replied_user": false }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_in_a_direct_message_is_answered_quietly() {
    let (mut discord, program) = connected(&[]).await;
    discord.files.put("selfie.jpg", photo_with_a_face());
    let message = discord.message("", vec![discord.attachment("selfie.jpg", "image/jpeg")], None);
    discord.dispatch("MESSAGE_CREATE", message.clone());
    discord.inbox.next("post /channels/770077007700770077/typing").await;
    let reply = discord.inbox.next(REPLY).await;
    assert!(words(&reply).contains(" of about ") && words(&reply).contains("likely"), "{reply:?}");
    assert_is_quiet_reply_to(&reply, &message);
    discord.inbox.next("heartbeat").await;
    program.terminate();
    let (status, log) = program.finished().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains(TOKEN), "the token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_faces_are_numbered_in_a_picture_with_alternative_text() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("group.jpg", photo_with_faces(3));
    discord.dispatch("MESSAGE_CREATE", discord.message("", vec![discord.attachment("group.jpg", "image/jpeg")], None));
    let reply = discord.inbox.next(REPLY).await;
    assert!(words(&reply).starts_with("I see 3 faces") && words(&reply).contains("\n3. "), "{reply:?}");
    let described = reply.body["attachments"][0]["description"].as_str().unwrap();
    assert!(described.contains("box 3"), "{described}");
    let picture = image::load_from_memory(&reply.files["files[0]"]).unwrap();
    assert_eq!(picture.dimensions(), (780, 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_one_message_share_one_reply() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.files.put("two.jpg", photo_without_a_face());
    let pictures = ["one.jpg", "two.jpg"].map(|name| discord.attachment(name, "image/jpeg"));
    discord.dispatch("MESSAGE_CREATE", discord.message("", pictures.into(), None));
    let reply = discord.inbox.next(REPLY).await;
    let (first, second) = words(&reply).split_once("\n\n").unwrap();
    assert!(first.starts_with("Photo 1: ") && first.contains(" of about "), "{first}");
    assert!(second.starts_with("Photo 2: I can't find a face"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_with_a_photo_is_explained() {
    let (mut discord, mut program) = connected(&[("FACEGUESSER__LIMITS__PHOTO_BYTES", "1 MiB")]).await;
    let whole = photo_with_a_face();
    discord.files.put("text.jpg", "Just some words.\n");
    discord.files.put("cut.jpg", whole[..whole.len() / 2].to_vec());
    discord.files.put("large.jpg", vec![0xff; 3 << 20]);
    discord.files.put("empty.jpg", photo_without_a_face());
    let cases = [
        ("text.jpg", "not a picture but"),
        ("cut.jpg", "cut short"),
        ("large.jpg", "I take photos of up to 1 MB"),
        ("empty.jpg", "can't find a face"),
        ("gone.jpg", "no longer there"),
    ];
    for (name, part) in cases {
        let message = discord.message("", vec![discord.attachment(name, "image/jpeg")], None);
        discord.dispatch("MESSAGE_CREATE", message.clone());
        let reply = discord.inbox.next(REPLY).await;
        assert!(words(&reply).contains(part), "{name}: {reply:?}");
        assert_is_quiet_reply_to(&reply, &message);
    }
    let mut elsewhere = discord.attachment("text.jpg", "image/jpeg");
    elsewhere["url"] = "http://localhost:1/inside.jpg".into();
    discord.dispatch("MESSAGE_CREATE", discord.message("", vec![elsewhere], None));
    assert!(words(&discord.inbox.next(REPLY).await).contains("only fetch photos that were uploaded here"));
    assert!(program.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_server_only_mentions_and_listed_channels_are_answered() {
    let (mut discord, _program) = connected(&[("FACEGUESSER__DISCORD__CHANNELS", "88,99")]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let picture = || vec![discord.attachment("one.jpg", "image/jpeg")];
    let me = json!({ "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true });

    let unasked = discord.message("look", picture(), Some("550055005500550055"));
    let mut by_a_bot = discord.message("", picture(), Some("550055005500550055"));
    by_a_bot["author"]["bot"] = true.into();
    by_a_bot["channel_id"] = "88".into();
    let mut chatter = discord.message("hello", vec![], Some("550055005500550055"));
    chatter["channel_id"] = "88".into();
    let mut listed = discord.message("", picture(), Some("550055005500550055"));
    listed["channel_id"] = "99".into();
    let mut mention = discord.message(&format!("<@{BOT_ID}> how old?"), vec![], Some("550055005500550055"));
    mention["mentions"] = json!([me]);
    mention["referenced_message"] = unasked.clone();
    let mut bare = discord.message(&format!("<@{BOT_ID}>"), vec![], Some("550055005500550055"));
    bare["mentions"] = json!([me]);
    let mut thanks = discord.message("thanks!", vec![], Some("550055005500550055"));
    thanks["mentions"] = json!([me]);
    for message in [&unasked, &by_a_bot, &chatter, &listed, &mention, &thanks, &bare] {
        discord.dispatch("MESSAGE_CREATE", message.clone());
    }
    let reply = discord.inbox.next("post /channels/99/messages").await;
    assert_is_quiet_reply_to(&reply, &listed);
    let about = |message: &Value| {
        let id = message["id"].clone();
        move |asked: &RecordedRequest| asked.what == REPLY && asked.body["message_reference"]["message_id"] == id
    };
    let reply = discord.inbox.wait("the reply to the mention", about(&mention)).await;
    assert!(words(&reply).contains(" of about "), "{reply:?}");
    let reply = discord.inbox.wait("the reply to the bare mention", about(&bare)).await;
    assert!(words(&reply).contains("no picture") && words(&reply).contains("/guess"), "{reply:?}");
    assert!(discord.inbox.pending("post /channels/770077007700770077/messages").is_empty());
    assert!(discord.inbox.pending("post /channels/88/messages").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_automatic_replies_request_the_privileged_intent() {
    const MESSAGE_CONTENT: u64 = 1 << 15;
    let channels = ("FACEGUESSER__DISCORD__CHANNELS", "88");
    let content = ("FACEGUESSER__DISCORD__MESSAGE_CONTENT", "true");
    for (variables, wanted) in [(vec![], false), (vec![channels], true), (vec![content], true)] {
        let mut discord = Discord::start().await;
        let _program = discord.program(&variables);
        let intents = discord.inbox.next("identify").await.body["intents"].as_u64().unwrap();
        assert_eq!(intents & MESSAGE_CONTENT != 0, wanted, "{variables:?}: {intents:b}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_resumed_and_nothing_is_missed() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    discord.close_gateway(4000);
    discord.dispatch("MESSAGE_CREATE", discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None));
    let resume = discord.inbox.next("resume").await;
    assert_eq!(resume.body["session_id"], SESSION);
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_photos_are_answered_at_shutdown() {
    let (mut discord, mut program) = connected(&[]).await;
    let gate = discord.files.put_gated("slow.jpg", photo_with_a_face());
    discord.dispatch("MESSAGE_CREATE", discord.message("", vec![discord.attachment("slow.jpg", "image/jpeg")], None));
    discord.inbox.next("fetched slow.jpg").await;
    program.terminate();
    // The gateway connection is closed while the photo is still being downloaded.
    discord.inbox.next("gateway closed").await;
    assert!(program.is_running());
    gate.send(true).unwrap();
    assert!(words(&discord.inbox.next(REPLY).await).contains(" of about "));
    let (status, log) = program.finished().await;
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_or_intent_is_explained() {
    let discord = Discord::start().await;
    let program = discord.program(&[("FACEGUESSER__DISCORD__TOKEN", "a.wrong.token")]);
    let (status, log) = program.finished().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("Discord refuses the token") && !log.contains("a.wrong.token"), "{log}");

    let (discord, program) = connected(&[("FACEGUESSER__DISCORD__CHANNELS", "88")]).await;
    discord.close_gateway(4014);
    let (status, log) = program.finished().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("message content intent"), "{log}");
}
