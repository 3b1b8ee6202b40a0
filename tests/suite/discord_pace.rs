//! The bot's rate limiting, against a stand-in Discord that enforces its limits.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::discord::{BOT_ID, Discord, words};

const PEOPLE: usize = 1000;
/// Six or seven users each: more than the requests that one bucket allows in one window.
const CHANNELS: usize = 150;

/// A photo of the smallest valid size: only the number of photos matters here.
fn small_photo() -> Vec<u8> {
    let mut bytes = Vec::new();
    let photo = image::GrayImage::from_fn(48, 48, |x, y| image::Luma([(x * y / 10) as u8]));
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&photo).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_simultaneous_photos_are_answered_without_two_429s_in_a_row() {
    let mut discord = Discord::strict().await;
    let _program = discord.program(&[("FACEGUESSER__INFERENCE__DEADLINE", "5m")]);
    discord.inbox.next("put /applications").await;
    discord.files.put("small.jpg", small_photo());
    let mut asked = BTreeSet::new();
    for person in 0..PEOPLE {
        let picture = vec![discord.attachment("small.jpg", "image/jpeg")];
        let mut message = discord.message(&format!("<@{BOT_ID}>"), picture, Some("550055005500550055"));
        message["channel_id"] = (10_000 + person % CHANNELS).to_string().into();
        message["author"]["id"] = (20_000 + person).to_string().into();
        message["mentions"] =
            json!([{ "id": BOT_ID, "username": "bot", "discriminator": "0", "avatar": null, "bot": true }]);
        asked.insert(message["id"].as_str().unwrap().to_owned());
        discord.dispatch("MESSAGE_CREATE", message);
    }
    while !asked.is_empty() {
        let is_reply = |asked: &crate::support::inbox::RecordedRequest| asked.what.ends_with("/messages");
        let reply = discord.inbox.wait("a reply", is_reply).await;
        assert!(words(&reply).contains("face") || words(&reply).contains(" of about "), "{reply:?}");
        let of = reply.body["message_reference"]["message_id"].as_str().unwrap();
        assert!(asked.remove(of), "{of} was answered twice");
    }
    let (in_a_row, refused) = discord.refusals();
    assert!(in_a_row <= 1 && refused <= 5, "{refused} refusals, {in_a_row} in a row");
}
