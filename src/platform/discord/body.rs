//! An answer as Discord's message: embeds with a colour, pictures, buttons.
//!
//! A guess is an embed, whose colour shows how sure it is beside words that say so; notes, help
//! and problems are plain text. Written out as JSON, because serenity's builders number the files
//! where Discord's description of these requests has strings.

use bytes::Bytes;
use serde_json::{Value, json};
use serenity::all::MessageId;

use crate::bot::actions::{Action, Button};
use crate::bot::words::clipped;
use crate::bot::{Answer, Card, CardWhen, ReplyOptions, Tone};

/// Discord's limit of plain text. An embed's is 4,096, but every answer must also do without one.
const MAX_CHARACTERS: usize = 2000;
/// The most files of one message, and the most embeds.
pub(super) const MAX_PICTURES: usize = 10;
/// The most characters of a file's alternative text.
const MAX_DESCRIPTION: usize = 1024;
/// Shown to the one alone who pressed or asked.
const EPHEMERAL: u64 = 1 << 6;

/// Green and amber of like lightness: whoever cannot tell them apart reads the words.
const SURE: u32 = 0x2e_9e_5b;
const UNSURE: u32 = 0xd9_8e_04;

/// How Discord wants its replies.
pub(super) const REPLY: ReplyOptions =
    ReplyOptions { max_characters: MAX_CHARACTERS, card: CardWhen::SeveralFaces, max_cards: MAX_PICTURES };

/// How much of Discord an answer uses, from all to what every channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    Embeds,
    /// Plain text with the pictures: what is left where the bot may not embed links.
    Files,
    /// Plain text: what is left where it may not attach files, either.
    Words,
}

/// A message that is complete but for where it goes.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub json: Value,
    /// Its pictures, as the JSON numbers them.
    pub files: Vec<Bytes>,
}

impl Body {
    /// The answer in its best dress.
    pub(super) fn of(answer: &Answer) -> Self {
        Self::dressed(answer, Dress::Embeds)
    }

    /// The answer in a dress that is allowed.
    pub(super) fn dressed(answer: &Answer, dress: Dress) -> Self {
        let cards: &[Card] =
            if dress == Dress::Words { &[] } else { &answer.cards[..answer.cards.len().min(MAX_PICTURES)] };
        let text = clipped(&answer.text, MAX_CHARACTERS);
        let embeds = if dress == Dress::Embeds { embeds(answer, &text, cards.len()) } else { Vec::new() };
        let attachments: Vec<Value> = cards.iter().enumerate().map(attachment).collect();
        let json = json!({
            // Nothing is left of what an edited message was before.
            "content": if embeds.is_empty() { &text } else { "" },
            "embeds": embeds,
            "components": answer.buttons.iter().map(|row| action_row(row)).collect::<Vec<_>>(),
            "attachments": attachments,
            // Nobody is pinged, whatever a name in the text looks like.
            "allowed_mentions": { "parse": [], "replied_user": false },
        });
        Self { json, files: cards.iter().map(|card| card.jpeg.clone()).collect() }
    }

    /// As an answer to that message, or standing alone if that is gone by now.
    pub(super) fn reply_to(mut self, message: MessageId) -> Self {
        self.json["message_reference"] = json!({ "message_id": message, "fail_if_not_exists": false });
        self.json["allowed_mentions"]["replied_user"] = false.into();
        self
    }

    /// For the one alone who pressed or asked, if `alone` holds.
    pub(super) fn seen_by_one(mut self, alone: bool) -> Self {
        if alone {
            self.json["flags"] = EPHEMERAL.into();
        }
        self
    }

    /// With a picture that lies on Discord already, under the text.
    pub(super) fn about(mut self, picture: Option<&str>) -> Self {
        if let Some(picture) = picture {
            let text = self.json["content"].take();
            self.json["content"] = "".into();
            self.json["embeds"] = json!([{ "description": text, "image": { "url": picture } }]);
        }
        self
    }

    /// What defers an answer: how the answer will be seen, and nothing else.
    pub(super) fn deferred(alone: bool) -> Self {
        Self { json: json!({ "flags": if alone { EPHEMERAL } else { 0 } }), files: Vec::new() }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::of(&text.into())
    }
}

/// The name of the file that a picture is uploaded as.
pub(super) fn file_name(index: usize) -> String {
    format!("faces-{}.jpg", index + 1)
}

/// A guess or a picture in embeds, one for each picture; nothing for other text.
fn embeds(answer: &Answer, text: &str, pictures: usize) -> Vec<Value> {
    if answer.tone == Tone::Plain && pictures == 0 {
        return Vec::new();
    }
    let mut embeds: Vec<Value> = (0..pictures)
        .map(|index| json!({ "image": { "url": format!("attachment://{}", file_name(index)) } }))
        .collect();
    if embeds.is_empty() {
        embeds.push(json!({}));
    }
    embeds[0]["description"] = text.into();
    let colour = match answer.tone {
        Tone::Plain => None,
        Tone::Sure => Some(SURE),
        Tone::Unsure => Some(UNSURE),
    };
    if let Some(colour) = colour {
        embeds.iter_mut().for_each(|embed| embed["color"] = colour.into());
    }
    embeds
}

fn attachment((index, card): (usize, &Card)) -> Value {
    let description = clipped(&card.alternative_text, MAX_DESCRIPTION);
    json!({ "id": index.to_string(), "filename": file_name(index), "description": description })
}

fn action_row(row: &[Button]) -> Value {
    const ACTION_ROW: u8 = 1;
    const BUTTON: u8 = 2;
    const BLUE: u8 = 1;
    const GREY: u8 = 2;
    let button = |button: &Button| {
        let style = if matches!(button.action, Action::Reveal { .. }) { BLUE } else { GREY };
        json!({ "type": BUTTON, "style": style, "label": button.label, "custom_id": button.action.code() })
    };
    json!({ "type": ACTION_ROW, "components": row.iter().map(button).collect::<Vec<_>>() })
}
