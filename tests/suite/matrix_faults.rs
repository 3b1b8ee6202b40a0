//! Faults of a stand-in homeserver, and what people on Matrix do to what was answered.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::matrix::help;
use crate::support::inbox::RecordedRequest;
use crate::support::matrix::{DIRECT, GROUP, Matrix, OTHER, PERSON, body, picture, replied_to, text};
use crate::support::photo_with_a_face;

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_and_a_failing_homeserver_are_waited_out() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let limited = json!({ "status": 429, "errcode": "M_LIMIT_EXCEEDED", "error": "slowly", "retry_after_ms": 1500 });
    matrix.script("send", limited);
    matrix.script("send", json!({ "status": 502, "html": "Bad Gateway" }));
    matrix.post(DIRECT, PERSON, picture("one"));
    matrix.inbox.next("scripted send").await;
    let refused = Instant::now();
    let (_, reply) = matrix.reply(DIRECT).await;
    assert!(refused.elapsed() >= Duration::from_millis(1500), "{:?}", refused.elapsed());
    assert!(body(&reply).contains(" of about "), "{reply}");
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("send").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_homeserver_fails_delays_no_other_room() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    // With the pauses after them, seven seconds.
    for _ in 0..4 {
        matrix.script(&format!("send {GROUP}"), json!({ "status": 502, "html": "Bad Gateway" }));
    }
    let slow = matrix.post(GROUP, PERSON, text("!age help", None));
    matrix.inbox.next("scripted send").await;
    help(&mut matrix).await;
    assert_eq!(replied_to(&matrix.reply(GROUP).await.1), slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_in_which_messages_are_not_answered_delays_no_other_room_for_long() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.script(&format!("send {GROUP}"), json!("stall"));
    matrix.post(GROUP, PERSON, text("!age help", None));
    matrix.inbox.next("stalled").await;
    let stalled = Instant::now();
    while matrix.inbox.next("send").await.body["room"] != GROUP {}
    help(&mut matrix).await;
    assert!(stalled.elapsed() < Duration::from_secs(10), "{:?}", stalled.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_pictures_are_refused_the_text_is_sent_once() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(GROUP, OTHER, picture("one"));
    matrix.change(|state| state.refuses_pictures = true);
    matrix.post(GROUP, PERSON, text("!age explain", Some(&photo)));
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains("This is all I look at") && reply["msgtype"] == "m.notice", "{reply}");
    let is_last = |asked: &RecordedRequest| {
        let picture = &asked.body;
        asked.what == "unwanted picture" && picture["filename"] == "faces-2.jpg" && picture["m.relates_to"].is_null()
    };
    matrix.inbox.wait("the second picture in its simplest form", is_last).await;
    help(&mut matrix).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_many_messages_delays_another_room_by_one() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    let limited = json!({ "status": 429, "errcode": "M_LIMIT_EXCEEDED", "error": "slowly", "retry_after_ms": 1500 });
    matrix.script("send", limited);
    (0..10).for_each(|_| drop(matrix.post(GROUP, PERSON, text("!age help", None))));
    matrix.inbox.next("scripted send").await;
    matrix.post(DIRECT, PERSON, text("!age help", None));
    let mut earlier = 0;
    while matrix.inbox.next("send").await.body["room"] != DIRECT {
        earlier += 1;
    }
    assert!(earlier <= 2, "{earlier} messages of another room came first");
}

/// As after its database was replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_does_not_know_the_position_begins_anew() {
    let (mut matrix, program) = Matrix::synced(&[]).await;
    program.terminate();
    program.finished().await;
    matrix.script("sync", json!({ "status": 400, "errcode": "M_UNKNOWN", "error": "Invalid stream token" }));
    matrix.inbox.drain("sync");
    let _program = matrix.program(&[]);
    matrix.inbox.wait("a new beginning", |asked| asked.what == "sync" && asked.body["since"].is_null()).await;
    matrix.wait_until_synced().await;
    help(&mut matrix).await;
}

/// More events than the smaller batch has, so that the photo is found in the room's history.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_parsed_is_asked_for_in_smaller_parts() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.script("sync", json!({ "status": 200 }));
    matrix.script("sync", json!({ "status": 200, "next_batch": 7 }));
    help(&mut matrix).await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(GROUP, PERSON, picture("one"));
    matrix.post(GROUP, PERSON, text("!age", Some(&photo)));
    (0..10).for_each(|_| drop(matrix.post(GROUP, OTHER, text("so many words", None))));
    matrix.inbox.wait("a smaller batch", |asked| asked.what == "sync" && asked.body["limit"] == 3).await;
    let (_, reply) = matrix.reply(GROUP).await;
    assert!(body(&reply).contains(" of about ") && replied_to(&reply) == photo, "{reply}");
}

/// In each of the two rooms a photo, and more events after it than a batch has.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_history_fails_for_a_while_delays_no_other_and_is_answered() {
    let (mut matrix, program) = Matrix::synced(&[]).await;
    help(&mut matrix).await;
    program.terminate();
    program.finished().await;
    matrix.files.put("one", photo_with_a_face());
    let photos = [DIRECT, GROUP].map(|room| {
        let mut photo = picture("one");
        (photo["filename"], photo["body"]) = ("one.jpg".into(), "!age".into());
        let photo = matrix.post(room, PERSON, photo);
        let notice = json!({ "msgtype": "m.notice", "body": "so many words" });
        (0..60).for_each(|_| drop(matrix.post(room, PERSON, notice.clone())));
        photo
    });
    for _ in 0..3 {
        matrix.script(&format!("messages {DIRECT}"), json!({ "status": 502, "html": "Bad Gateway" }));
    }
    let _program = matrix.program(&[]);
    assert_eq!(replied_to(&matrix.reply(GROUP).await.1), photos[1]);
    assert_eq!(replied_to(&matrix.reply(DIRECT).await.1), photos[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrival_that_cannot_be_looked_up_is_noticed_all_the_same() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    // While the next batch is waited for, somebody joins the room of two, and many things are said there.
    matrix.script("sync", json!({ "status": 502, "html": "Bad Gateway" }));
    matrix.script(&format!("messages {DIRECT}"), json!({ "status": 403, "errcode": "M_FORBIDDEN", "error": "no" }));
    help(&mut matrix).await;
    matrix.inbox.next("scripted sync").await;
    matrix.change(|state| {
        state.rooms.get_mut(DIRECT).unwrap().members.insert(OTHER.to_owned());
        let content = json!({ "membership": "join" });
        state.add(DIRECT, json!({ "type": "m.room.member", "state_key": OTHER, "sender": OTHER, "content": content }));
        let talk = json!({ "type": "m.room.message", "sender": OTHER, "content": text("so many words", None) });
        (0..60).for_each(|_| drop(state.add(DIRECT, talk.clone())));
    });
    matrix.inbox.next("scripted messages").await;
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("send").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_removed_photo_is_removed() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(DIRECT, PERSON, picture("one"));
    let (answer, _) = matrix.reply(DIRECT).await;
    matrix.change(|state| state.redact(DIRECT, &photo, PERSON));
    assert_eq!(matrix.inbox.next("redact").await.body, answer.as_str());
    // While it is being looked at.
    let gate = matrix.files.put_gated("slow", photo_with_a_face());
    let photo = matrix.post(DIRECT, PERSON, picture("slow"));
    matrix.inbox.next("fetched slow").await;
    matrix.change(|state| state.redact(DIRECT, &photo, PERSON));
    help(&mut matrix).await;
    gate.send(true).unwrap();
    let (answer, _) = matrix.reply(DIRECT).await;
    assert_eq!(matrix.inbox.next("redact").await.body, answer.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_in_another_room_removes_no_answer() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(DIRECT, PERSON, picture("one"));
    matrix.reply(DIRECT).await;
    let removal = json!({ "type": "m.room.redaction", "sender": OTHER, "content": { "redacts": photo } });
    matrix.post_event(GROUP, removal);
    help(&mut matrix).await;
    assert!(matrix.inbox.pending("redact").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_to_a_removed_photo_are_removed() {
    let (mut matrix, _program) = Matrix::synced(&[]).await;
    matrix.files.put("one", photo_with_a_face());
    let photo = matrix.post(GROUP, OTHER, picture("one"));
    let mut answers = Vec::new();
    for sender in [PERSON, OTHER] {
        matrix.post(GROUP, sender, text("!age", Some(&photo)));
        answers.push(matrix.reply(GROUP).await.0);
    }
    help(&mut matrix).await;
    matrix.change(|state| state.redact(GROUP, &photo, OTHER));
    for answer in &answers {
        assert_eq!(matrix.inbox.next("redact").await.body, answer.as_str());
    }
}
