//! Buttons of replies on a stand-in Discord: processing a photo again, deleting, games.

use serde_json::{Value, json};

use crate::support::discord::{Discord, button, buttons, connected, words};
use crate::support::inbox::RecordedRequest;
use crate::support::{photo_with_a_face, photo_without_a_face};

const REPLY: &str = "post /channels/770077007700770077/messages";
const EPHEMERAL: u64 = 64;
/// Discord's types of initial responses to interactions.
const MESSAGE: u64 = 4;
const DEFERRED_MESSAGE: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE_MESSAGE: u64 = 7;

/// A photo with a face that fills a small part of it; a crop makes the guess no surer.
fn photo_with_a_small_face() -> Vec<u8> {
    let face = image::load_from_memory(include_bytes!("../../models/mean-face.jpg")).unwrap().to_luma8();
    let face = image::imageops::resize(&face, 200, 200, image::imageops::FilterType::Triangle);
    let mut photo = image::GrayImage::from_pixel(1280, 960, image::Luma([150]));
    image::imageops::overlay(&mut photo, &face, 540, 380);
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&photo).unwrap();
    bytes
}

/// The reply to a photo of that name in a message that can be fetched.
async fn reply_to(discord: &mut Discord, name: &str) -> RecordedRequest {
    let message = discord.message("", vec![discord.attachment(name, "image/jpeg")], None);
    discord.keep(&message);
    discord.dispatch("MESSAGE_CREATE", message);
    discord.inbox.next(REPLY).await
}

fn pressed_by(mut interaction: Value, person: &str, name: &str) -> Value {
    interaction["member"]["user"]["id"] = person.into();
    interaction["member"]["nick"] = name.into();
    interaction
}

fn is_ephemeral(asked: &RecordedRequest) -> bool {
    let body = if asked.body["data"].is_object() { &asked.body["data"] } else { &asked.body };
    body["flags"].as_u64().unwrap_or(0) & EPHEMERAL != 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_shows_how_the_face_is_seen_offers_no_crop_that_does_not_help_and_still_tries_one() {
    let (mut discord, _program) = connected(&[("FACEGUESSER__GUESS__CONFIDENT", "1")]).await;
    discord.files.put("small.jpg", photo_with_a_small_face());
    let reply = reply_to(&mut discord, "small.jpg").await;
    assert!(!words(&reply).contains("press the button below"), "{reply:?}");
    for (code, beginning) in [("see", "This is all I look at"), ("crop:4000:3500:3000", "With the suggested crop: ")] {
        let mut press = discord.press(&reply, "see");
        press["data"]["custom_id"] = code.into();
        let answer = discord.initial_response(press).await;
        assert_eq!(answer.body["type"], DEFERRED_UPDATE);
        // The message is fetched again, for a valid link.
        discord.inbox.next("get /channels/770077007700770077/messages/").await;
        let seen = discord.inbox.next("post /webhooks/").await;
        assert!(words(&seen).starts_with(beginning), "{seen:?}");
        let pictures = if code == "see" { 2 } else { 1 };
        assert!(!is_ephemeral(&seen) && seen.files.len() == pictures, "{seen:?}");
        assert!(!seen.body["attachments"][0]["description"].as_str().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_guesses_a_photo_without_a_face() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("none.jpg", photo_without_a_face());
    let reply = reply_to(&mut discord, "none.jpg").await;
    discord.initial_response(discord.press(&reply, "anyway")).await;
    let guess = discord.inbox.next("post /webhooks/").await;
    assert!(words(&guess).contains("the square in the middle"), "{guess:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_whose_photo_is_gone_explains_that() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let message = discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None);
    discord.dispatch("MESSAGE_CREATE", message);
    let reply = discord.inbox.next(REPLY).await;
    discord.initial_response(discord.press(&reply, "see")).await;
    let answer = discord.inbox.next("post /webhooks/").await;
    assert!(words(&answer).contains("That photo is gone") && is_ephemeral(&answer), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_finds_a_commands_photo_and_its_answer_is_as_public_as_the_first() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let message = discord.message("", vec![discord.attachment("one.jpg", "image/jpeg")], None);
    let target = message["id"].as_str().unwrap().to_owned();
    let menu = json!({
        "id": "2", "name": "Guess age", "type": 3, "target_id": &target, "resolved": { "messages": { &target: message } }
    });
    for (command, ephemeral) in
        [(discord.command_with_photo("guess", "one.jpg"), false), (discord.interaction(menu), true)]
    {
        let deferred = discord.initial_response(command).await;
        assert_eq!((&deferred.body["type"], is_ephemeral(&deferred)), (&json!(DEFERRED_MESSAGE), ephemeral));
        let reply = discord.inbox.next("patch /webhooks/").await;
        discord.initial_response(discord.press(&reply, "see")).await;
        let seen = discord.inbox.next("post /webhooks/").await;
        assert!(words(&seen).starts_with("This is all I look at"), "{seen:?}");
        assert_eq!(is_ephemeral(&seen), ephemeral);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_asker_deletes_a_reply() {
    let (mut discord, _program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let reply = reply_to(&mut discord, "one.jpg").await;
    let theirs = pressed_by(discord.press(&reply, "delete"), "10", "Zoe");
    let answer = discord.initial_response(theirs).await;
    assert_eq!((&answer.body["type"], is_ephemeral(&answer)), (&json!(MESSAGE), true));
    assert!(words(&answer).contains("Only the person who asked"), "{answer:?}");
    let done = discord.initial_response(discord.press(&reply, "delete")).await;
    assert_eq!(done.body["type"], DEFERRED_UPDATE);
    discord.inbox.next("delete /webhooks/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_is_played_to_its_end_and_scored() {
    let (mut discord, program) = connected(&[]).await;
    discord.files.put("one.jpg", photo_with_a_face());
    let mut start = discord.command_with_photo("game", "one.jpg");
    start["data"]["options"].as_array_mut().unwrap().push(json!({ "name": "age", "type": 4, "value": 40 }));
    let deferred = discord.initial_response(start).await;
    assert!(!is_ephemeral(&deferred));
    let game = discord.inbox.next("patch /webhooks/").await;
    assert!(words(&game).contains("How old is this person?"), "{game:?}");
    let photo = game.body["embeds"][0]["image"]["url"].as_str().unwrap().to_owned();
    assert!(photo.contains("one.jpg") && buttons(&game).len() == 21, "{game:?}");

    let forty = buttons(&game).into_iter().find(|id| id.ends_with(":40")).unwrap();
    let own = discord.initial_response(discord.press(&game, &forty)).await;
    assert!(words(&own).contains("let the others guess") && is_ephemeral(&own));
    let guess = pressed_by(discord.press(&game, &forty), "10", "Zoe Zimmermann");
    let counted = discord.initial_response(guess).await;
    assert_eq!(counted.body["type"], UPDATE_MESSAGE);
    assert!(words(&counted).contains("One guess so far"), "{counted:?}");
    assert_eq!(counted.body["data"]["embeds"][0]["image"]["url"], photo.as_str());
    let note = discord.inbox.next("post /webhooks/").await;
    assert!(words(&note).contains("Your guess: 40") && is_ephemeral(&note), "{note:?}");
    let again = discord.initial_response(pressed_by(discord.press(&game, &forty), "10", "Zoe Zimmermann")).await;
    assert!(words(&again).contains("guessed already") && is_ephemeral(&again), "{again:?}");

    let theirs = pressed_by(discord.press(&game, "reveal"), "10", "Zoe Zimmermann");
    assert!(words(&discord.initial_response(theirs).await).contains("Only the person who asked"));
    let revealed = discord.initial_response(discord.press(&game, "reveal")).await;
    assert_eq!(revealed.body["type"], UPDATE_MESSAGE);
    assert!(words(&revealed).contains("The true age: 40.") && words(&revealed).contains("Zoe"), "{revealed:?}");
    assert!(button(&revealed, "").is_none());
    let scores = discord.initial_response(discord.command("scores", json!([]))).await;
    assert!(words(&scores).contains("1. Zoe Zimmermann: 1") && !is_ephemeral(&scores), "{scores:?}");

    program.terminate();
    let (_, log) = program.finished().await;
    assert!(!log.contains("Zimmermann") && !log.contains("zoe.quillon"), "a name is in the log");
}
