//! An answer as Discord's message: embeds with a colour, pictures, buttons; and its plainer forms.
//!
//! A guess is an embed, whose colour shows how sure it is beside words that say so; notes, help
//! and problems are plain text. Written out as JSON, because serenity's builders number the files
//! where Discord's description of these requests has strings.

use bytes::Bytes;
use serde_json::{Value, json};
use serenity::all::MessageId;

use super::refusals::RestError;
use crate::bot::actions::{Action, Button};
use crate::bot::words::clipped;
use crate::bot::{Answer, Card, CardWhen, ReplyOptions, Tone};

/// Discord's limits of plain text and of an embed's.
const MAX_PLAIN: usize = 2000;
const MAX_EMBEDDED: usize = 4096;
/// The most files of one message, and the most embeds.
pub(super) const MAX_PICTURES: usize = 10;
/// The most characters of a file's alternative text.
const MAX_DESCRIPTION: usize = 1024;
/// Shown to the one alone who pressed or asked.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// A file of a name that begins like this is covered until somebody clicks on it.
pub(super) const SPOILER: &str = "SPOILER_";

/// Green and amber of like lightness: whoever cannot tell them apart reads the words.
const SURE: u32 = 0x2e_9e_5b;
const UNSURE: u32 = 0xd9_8e_04;

/// How Discord wants its replies. Where embeds are not allowed, a text that is longer than a plain one
/// may be ends with the last line that fits.
pub(super) const REPLY: ReplyOptions =
    ReplyOptions { max_characters: MAX_EMBEDDED, card: CardWhen::SeveralFaces, max_cards: MAX_PICTURES };

/// How much of Discord an answer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Embeds,
    /// Plain text with the pictures: what is left where the bot may not embed links.
    Files,
    /// Plain text: what is left where it may not attach files, either.
    Words,
}

/// What of an answer is sent, from all to bare words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub look: Look,
    pub buttons: bool,
    /// Whether a reply names the message that it answers.
    pub reference: bool,
}

impl Form {
    /// All of it.
    pub(super) const WHOLE: Self = Self { look: Look::Embeds, buttons: true, reference: true };

    /// The next plainer one, in view of why this one was refused; `None` after bare words.
    pub(super) fn plainer(self, error: &RestError) -> Option<Self> {
        if error.is_about_reference() && self.reference {
            return Some(Self { reference: false, ..self });
        }
        match self.look {
            Look::Embeds | Look::Files if error.is_about_size() => Some(Self { look: Look::Words, ..self }),
            Look::Embeds => Some(Self { look: Look::Files, ..self }),
            Look::Files => Some(Self { look: Look::Words, ..self }),
            Look::Words if self.buttons => Some(Self { buttons: false, ..self }),
            Look::Words => self.reference.then_some(Self { reference: false, ..self }),
        }
    }
}

/// An answer and what goes with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub answer: Answer,
    /// A picture that lies on Discord already, to be shown under the text.
    pub picture: Option<String>,
    /// Whether the photo was covered where it was posted: then what shows it is covered, too.
    pub covered: bool,
}

impl From<Answer> for Content {
    fn from(answer: Answer) -> Self {
        Self { answer, ..Self::default() }
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Answer::from(text).into()
    }
}

/// A file that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    pub name: String,
    pub jpeg: Bytes,
}

/// A message that is complete but for where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Body {
    pub json: Value,
    /// Its pictures, as the JSON numbers them.
    pub files: Vec<Upload>,
}

impl Body {
    /// The content in that form.
    pub(super) fn of(content: &Content, form: Form) -> Self {
        let Content { answer, picture, covered } = content;
        let cards: &[Card] =
            if form.look == Look::Words { &[] } else { &answer.cards[..answer.cards.len().min(MAX_PICTURES)] };
        let files: Vec<Upload> = cards
            .iter()
            .enumerate()
            .map(|(index, card)| Upload { name: file_name(index, *covered), jpeg: card.jpeg.clone() })
            .collect();
        let embeds = match form.look {
            Look::Embeds => embeds(content, &files),
            Look::Files | Look::Words => Vec::new(),
        };
        let text = match (embeds.is_empty(), picture) {
            (false, _) => String::new(),
            // Nothing covers an embed's picture but the mark around its link.
            (true, Some(picture)) if *covered && form.look == Look::Embeds => {
                format!(
                    "{}\n||{picture}||",
                    whole_lines(&answer.text, MAX_PLAIN - 10 - picture.chars().count().min(MAX_PLAIN / 2))
                )
            }
            (true, _) => whole_lines(&answer.text, MAX_PLAIN),
        };
        let buttons: &[Vec<Button>] = if form.buttons { &answer.buttons } else { &[] };
        let json = json!({
            // Nothing is left of what an edited message was before.
            "content": text,
            "embeds": embeds,
            "components": buttons.iter().map(|row| action_row(row)).collect::<Vec<_>>(),
            "attachments": cards.iter().zip(&files).enumerate().map(attachment).collect::<Vec<_>>(),
            // Nobody is pinged, whatever a name in the text looks like.
            "allowed_mentions": { "parse": [], "replied_user": false },
        });
        Self { json, files }
    }

    /// As an answer to that message, or role alone if that is gone by now.
    pub(super) fn reply_to(mut self, message: MessageId) -> Self {
        self.json["message_reference"] = json!({ "message_id": message, "fail_if_not_exists": false });
        self
    }

    /// For the one alone who pressed or asked, if `alone` holds.
    pub(super) fn seen_by_one(mut self, alone: bool) -> Self {
        if alone {
            self.json["flags"] = EPHEMERAL.into();
        }
        self
    }

    /// What defers an answer: how the answer will be seen, and nothing else.
    pub(super) fn deferred(alone: bool) -> Self {
        Self { json: json!({ "flags": if alone { EPHEMERAL } else { 0 } }), files: Vec::new() }
    }
}

/// What people read of a message: its plain text, or else its first embed's.
pub(super) fn words(message: &Value) -> &str {
    let content = message["content"].as_str().unwrap_or_default();
    if content.is_empty() { message["embeds"][0]["description"].as_str().unwrap_or_default() } else { content }
}

/// The picture under a message of the bot's, and whether it is covered.
pub(super) fn picture_under(message: &Value) -> Option<(String, bool)> {
    if let Some(shown) = message["embeds"][0]["image"]["url"].as_str() {
        let covered = message["content"].as_str().is_some_and(|content| content.contains("||"));
        if !covered {
            return Some((shown.to_owned(), false));
        }
    }
    let (_, link) = message["content"].as_str()?.rsplit_once("\n||")?;
    Some((link.strip_suffix("||")?.to_owned(), true))
}

/// The name of the file that a picture is uploaded as.
fn file_name(index: usize, covered: bool) -> String {
    format!("{}faces-{}.jpg", if covered { SPOILER } else { "" }, index + 1)
}

/// The text, or as many of its lines as fit, with an ellipsis.
fn whole_lines(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let short = clipped(text, most);
    match short.rsplit_once('\n') {
        // A line that fills most of it is cut within.
        Some((lines, _)) if 2 * lines.chars().count() > most => format!("{}\n…", lines.trim_end()),
        _ => short,
    }
}

/// A guess or a picture in embeds, one for each picture; nothing for other text that fits without.
fn embeds(content: &Content, files: &[Upload]) -> Vec<Value> {
    let Content { answer, picture, covered } = content;
    // Nothing covers a picture within an embed.
    let mut images: Vec<String> = files.iter().map(|file| format!("attachment://{}", file.name)).collect();
    images.extend(picture.clone());
    if *covered {
        images.clear();
    }
    let covered_picture = *covered && picture.is_some();
    let long = answer.text.chars().count() > MAX_PLAIN;
    if covered_picture || (answer.tone == Tone::Plain && images.is_empty() && !long) {
        return Vec::new();
    }
    let mut embeds: Vec<Value> = images.into_iter().map(|url| json!({ "image": { "url": url } })).collect();
    if embeds.is_empty() {
        embeds.push(json!({}));
    }
    embeds[0]["description"] = clipped(&answer.text, MAX_EMBEDDED).into();
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

fn attachment((index, (card, file)): (usize, (&Card, &Upload))) -> Value {
    let description = clipped(&card.alternative_text, MAX_DESCRIPTION);
    json!({ "id": index.to_string(), "filename": file.name, "description": description })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn long() -> Content {
        let text: String = (0..60).map(|line| format!("{line}. {}\n", "x".repeat(60))).collect();
        Content::from(text)
    }

    #[test]
    fn a_text_too_long_for_plain_words_is_embedded_and_else_ends_with_a_whole_line() {
        let whole = Body::of(&long(), Form::WHOLE);
        assert_eq!(words(&whole.json).chars().count(), long().answer.text.chars().count());
        let plain = Body::of(&long(), Form { look: Look::Words, ..Form::WHOLE });
        let text = words(&plain.json);
        assert!(text.chars().count() <= MAX_PLAIN && text.ends_with("x\n…"), "{text}");
    }

    #[test]
    fn a_covered_photo_is_never_shown_in_an_embed() {
        let card = Card { jpeg: Bytes::from_static(b"jpeg"), alternative_text: "a face".into() };
        let answer = Answer { text: "Looks like".into(), cards: vec![card], tone: Tone::Sure, ..Answer::default() };
        let body = Body::of(&Content { answer, covered: true, picture: None }, Form::WHOLE);
        assert_eq!(body.files[0].name, "SPOILER_faces-1.jpg");
        assert!(body.json["embeds"][0].get("image").is_none(), "{}", body.json);
        let picture = Some("https://cdn.example/a.jpg".to_owned());
        let game = Content { answer: Answer::from("Guess".to_owned()), covered: true, picture };
        let body = Body::of(&game, Form::WHOLE);
        assert_eq!(body.json["content"], "Guess\n||https://cdn.example/a.jpg||");
        assert_eq!(picture_under(&body.json), Some(("https://cdn.example/a.jpg".into(), true)));
    }

    #[test]
    fn each_step_is_plainer_and_the_last_one_bare_words() {
        let refused = RestError::refused(reqwest::StatusCode::BAD_REQUEST, &json!({ "code": 50035 }), None);
        let mut steps = vec![Form::WHOLE];
        while let Some(next) = steps.last().unwrap().plainer(&refused) {
            steps.push(next);
        }
        assert_eq!(steps.len(), 5);
        assert_eq!(*steps.last().unwrap(), Form { look: Look::Words, buttons: false, reference: false });
    }
}
