//! Files of strangers that were once answered wrongly, and what each is answered now.

use faceguesser::bot::{CardWhen, PhotoSource, Reply, ReplyOptions};
use faceguesser::inference::FlowId;
use faceguesser::photo::{DecodeLimits, PhotoError, decode};

use super::support;

fn case(name: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(support::folder("FACEGUESSER_CASES")?.join(name)).unwrap())
}

/// What the bot says to a file, with its annotated picture.
async fn answered(bytes: Vec<u8>) -> Reply {
    let (bot, pool) = support::bot();
    let options = ReplyOptions { max_characters: 2000, card: CardWhen::AnyFace, max_cards: 1 };
    let reply = bot.guess(FlowId::of(&0), PhotoSource::Bytes(bytes.into()), &bot.style_for(None), options).await;
    tokio::task::spawn_blocking(move || pool.stop()).await.unwrap();
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_whole_whatever_follows_it_and_without_its_end_marker() {
    for name in ["motion-photo.jpg", "second-picture-cut.jpg", "no-end-marker.jpg", "no-iend.png"] {
        let Some(bytes) = case(name) else { return };
        let reply = answered(bytes).await;
        let analysis = reply.outcome.unwrap();
        assert!(!analysis.faces.is_empty() && !analysis.cut_short, "{name}: {}", reply.text);
        assert!(reply.card.is_some(), "{name} has no card");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_which_most_is_there_is_answered_and_said_to_be_cut_short() {
    let Some(bytes) = case("cut-at-95-percent.jpg") else { return };
    let reply = answered(bytes).await;
    assert!(!reply.outcome.unwrap().faces.is_empty() && reply.card.is_some());
    assert!(
        reply.text.ends_with("The picture was cut short; I could only look at the part that is there."),
        "{}",
        reply.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_cannot_be_read_is_named_and_never_called_damaged_or_a_video() {
    let kinds = [("arithmetic-coded.jpg", "arithmetic-coded JPEG"), ("avis.avif", "AVIF"), ("hevx.heic", "HEIC")];
    for (name, format) in kinds.into_iter().chain([("msf1.heic", "HEIC")]) {
        let Some(bytes) = case(name) else { return };
        let reply = answered(bytes).await;
        assert!(reply.text.starts_with(&format!("I can't read {format} pictures")), "{name}: {}", reply.text);
    }
}

#[test]
fn two_parsers_that_read_different_sizes_reserve_nothing() {
    let Some(bytes) = case("sizes-disagree.jpg") else { return };
    let begun = std::time::Instant::now();
    let refused = decode(&bytes, &DecodeLimits::default()).unwrap_err();
    let refusals = [PhotoError::Damaged { format: "JPEG" }, PhotoError::Truncated];
    let too_large = matches!(refused, PhotoError::TooManyPixels { .. });
    assert!(too_large || refusals.contains(&refused), "{refused}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_animation_that_begins_with_nothing_is_looked_at_further_on() {
    let Some(bytes) = case("fade-in.gif") else { return };
    let reply = answered(bytes).await;
    let analysis = reply.outcome.unwrap();
    assert!(analysis.faces.len() == 1 && analysis.frame > 0, "{}", reply.text);
    // The card shows the frame that the face is in.
    let card = image::load_from_memory(&reply.card.unwrap().jpeg).unwrap().to_luma8();
    let (darkest, lightest) = card.iter().fold((255, 0), |(low, high), level| (low.min(*level), high.max(*level)));
    assert!(lightest - darkest > 100, "{darkest} to {lightest}");
}
