//! An answer as a Discord message: embeds with a colour, pictures, buttons; and its simpler formats.
//!
//! A guess is an embed whose colour shows how certain it is, as its text does; notes, help and problems
//! are plain text. Built as JSON, because serenity's builders number the files where Discord's
//! specification of these requests has strings.

use bytes::Bytes;
use serde_json::{Value, json};
use serenity::all::MessageId;

use super::refusals::RestError;
use crate::bot::actions::{Action, Button};
use crate::bot::people::Platform;
use crate::bot::wording::clipped;
use crate::bot::{Answer, Card, CardPolicy, Certainty, ReplyOptions};

/// Discord's limits on the characters of plain text and of an embed's description.
const MAX_CONTENT: usize = 2000;
const MAX_DESCRIPTION: usize = 4096;
/// The most files of one message, and the most embeds.
pub(super) const MAX_PICTURES: usize = 10;
/// The most characters of a file's alternative text.
const MAX_ALTERNATIVE_TEXT: usize = 1024;
/// The message flag that shows a response only to the user of the interaction.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// Discord hides a file whose name starts like this until it is clicked.
pub(super) const SPOILER: &str = "SPOILER_";

/// Green and amber of similar lightness: for the colour-blind the text states the same.
const SURE: u32 = 0x2e_9e_5b;
const UNSURE: u32 = 0xd9_8e_04;

/// What fits into replies on Discord. Where embeds are not allowed, a text that is too long as plain text
/// is cut after the last line that fits.
pub(super) const REPLY: ReplyOptions = ReplyOptions {
    platform: Platform::Discord.name(),
    max_characters: MAX_DESCRIPTION,
    card: CardPolicy::SeveralFaces,
    max_cards: MAX_PICTURES,
};

/// Which parts of a Discord message carry the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Embeds,
    /// Plain text with the pictures, where the bot may not embed links.
    Files,
    /// Plain text alone, where it may not attach files either.
    Text,
}

/// How much of an answer is sent, from everything to plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub layout: Layout,
    pub buttons: bool,
    /// Whether a reply refers to the message that it answers.
    pub reference: bool,
}

impl Format {
    pub(super) const FULL: Self = Self { layout: Layout::Embeds, buttons: true, reference: true };

    /// The next simpler format after this one was refused with `error`; `None` after plain text.
    pub(super) fn simplified(self, error: &RestError) -> Option<Self> {
        if error.is_about_reference() && self.reference {
            return Some(Self { reference: false, ..self });
        }
        match self.layout {
            Layout::Embeds | Layout::Files if error.is_about_size() => Some(Self { layout: Layout::Text, ..self }),
            Layout::Embeds => Some(Self { layout: Layout::Files, ..self }),
            Layout::Files => Some(Self { layout: Layout::Text, ..self }),
            Layout::Text if self.buttons => Some(Self { buttons: false, ..self }),
            Layout::Text => self.reference.then_some(Self { reference: false, ..self }),
        }
    }
}

/// An answer and the photo that it is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub answer: Answer,
    /// The link of a picture on Discord, to be shown below the text.
    pub picture: Option<String>,
    /// Whether the photo was posted as a spoiler: then pictures of it are spoilers as well.
    pub spoiler: bool,
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

/// A file to upload with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Upload {
    pub name: String,
    pub jpeg: Bytes,
    alternative_text: String,
}

impl Upload {
    fn new(index: usize, card: &Card, spoiler: bool) -> Self {
        Self {
            name: format!("{}faces-{}.jpg", if spoiler { SPOILER } else { "" }, index + 1),
            jpeg: card.jpeg.clone(),
            alternative_text: clipped(&card.alternative_text, MAX_ALTERNATIVE_TEXT),
        }
    }
}

/// A message, complete except for what its destination adds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Payload {
    pub json: Value,
    /// The files, in the order of the JSON's `attachments`.
    pub files: Vec<Upload>,
}

impl Payload {
    /// The content in that format.
    pub(super) fn new(content: &Content, format: Format) -> Self {
        let Content { answer, picture, spoiler } = content;
        let pictures = if format.layout == Layout::Text { 0 } else { MAX_PICTURES };
        let cards = answer.cards.iter().take(pictures).enumerate();
        let files: Vec<Upload> = cards.map(|(index, card)| Upload::new(index, card, *spoiler)).collect();
        let embeds = if format.layout == Layout::Embeds { embeds(content, &files) } else { Vec::new() };
        let text = match picture {
            _ if !embeds.is_empty() => String::new(),
            // An embed cannot hide its picture; spoiler marks around a link do.
            Some(picture) if *spoiler && format.layout == Layout::Embeds => {
                let room = MAX_CONTENT - 10 - picture.chars().count().min(MAX_CONTENT / 2);
                format!("{}\n||{picture}||", whole_lines(&answer.text, room))
            }
            _ => whole_lines(&answer.text, MAX_CONTENT),
        };
        let attachments = files.iter().enumerate().map(|(index, file)| {
            json!({ "id": index.to_string(), "filename": file.name, "description": file.alternative_text })
        });
        let buttons: &[Vec<Button>] = if format.buttons { &answer.buttons } else { &[] };
        let json = json!({
            // Every part is set, so that an edit leaves nothing of the earlier message.
            "content": text,
            "embeds": embeds,
            "components": buttons.iter().map(|row| action_row(row)).collect::<Vec<_>>(),
            "attachments": attachments.collect::<Vec<_>>(),
            // Nobody is pinged, whatever a name in the text looks like.
            "allowed_mentions": { "parse": [], "replied_user": false },
        });
        Self { json, files }
    }

    /// As a reply to that message, or as a plain message if that no longer exists.
    pub(super) fn reply_to(mut self, message: MessageId) -> Self {
        self.json["message_reference"] = json!({ "message_id": message, "fail_if_not_exists": false });
        self
    }

    /// Visible only to the user of the interaction.
    pub(super) fn ephemeral(mut self) -> Self {
        self.json["flags"] = EPHEMERAL.into();
        self
    }

    /// The data of a deferred response: who will see the message.
    pub(super) fn deferred(ephemeral: bool) -> Self {
        Self { json: json!({ "flags": if ephemeral { EPHEMERAL } else { 0 } }), files: Vec::new() }
    }
}

/// The text that Discord displays for a message: its content, or else its first embed's description.
pub(super) fn displayed_text(message: &Value) -> &str {
    let content = message["content"].as_str().unwrap_or_default();
    if content.is_empty() { message["embeds"][0]["description"].as_str().unwrap_or_default() } else { content }
}

/// The link of the [picture](Content::picture) in a message of the bot's, and whether it is a spoiler.
pub(super) fn displayed_picture(message: &Value) -> Option<(String, bool)> {
    if let Some(url) = message["embeds"][0]["image"]["url"].as_str() {
        let spoiler = message["content"].as_str().is_some_and(|content| content.contains("||"));
        if !spoiler {
            return Some((url.to_owned(), false));
        }
    }
    let (_, link) = message["content"].as_str()?.rsplit_once("\n||")?;
    Some((link.strip_suffix("||")?.to_owned(), true))
}

/// The text, or as many of its lines as fit, with an ellipsis.
fn whole_lines(text: &str, max_characters: usize) -> String {
    if text.chars().count() <= max_characters {
        return text.to_owned();
    }
    let clipped = clipped(text, max_characters);
    match clipped.rsplit_once('\n') {
        // A last line that fills most of the text is itself cut.
        Some((lines, _)) if 2 * lines.chars().count() > max_characters => format!("{}\n…", lines.trim_end()),
        _ => clipped,
    }
}

/// One embed for each picture, the first with the text; none for plain text that fits without.
fn embeds(content: &Content, files: &[Upload]) -> Vec<Value> {
    let Content { answer, picture, spoiler } = content;
    let urls = || files.iter().map(|file| format!("attachment://{}", file.name)).chain(picture.clone());
    // An embed cannot hide its picture.
    let images: Vec<String> = if *spoiler { Vec::new() } else { urls().collect() };
    let fits = answer.text.chars().count() <= MAX_CONTENT;
    if (*spoiler && picture.is_some()) || (answer.tone == Certainty::Plain && images.is_empty() && fits) {
        return Vec::new();
    }
    let mut embeds: Vec<Value> = images.into_iter().map(|url| json!({ "image": { "url": url } })).collect();
    if embeds.is_empty() {
        embeds.push(json!({}));
    }
    embeds[0]["description"] = clipped(&answer.text, MAX_DESCRIPTION).into();
    let colour = match answer.tone {
        Certainty::Plain => return embeds,
        Certainty::Sure => SURE,
        Certainty::Unsure => UNSURE,
    };
    embeds.iter_mut().for_each(|embed| embed["color"] = colour.into());
    embeds
}

fn action_row(row: &[Button]) -> Value {
    const ACTION_ROW: u8 = 1;
    const BUTTON: u8 = 2;
    const PRIMARY: u8 = 1;
    const SECONDARY: u8 = 2;
    let button = |button: &Button| {
        let style = if matches!(button.action, Action::Reveal { .. }) { PRIMARY } else { SECONDARY };
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
    fn a_text_too_long_for_plain_text_is_embedded_or_else_ends_with_a_whole_line() {
        let full = Payload::new(&long(), Format::FULL);
        assert_eq!(displayed_text(&full.json).chars().count(), long().answer.text.chars().count());
        let plain = Payload::new(&long(), Format { layout: Layout::Text, ..Format::FULL });
        let text = displayed_text(&plain.json);
        assert!(text.chars().count() <= MAX_CONTENT && text.ends_with("x\n…"), "{text}");
    }

    #[test]
    fn a_spoiler_is_never_shown_in_an_embed() {
        let card = Card { jpeg: Bytes::from_static(b"jpeg"), alternative_text: "a face".into() };
        let answer =
            Answer { text: "Looks like".into(), cards: vec![card], tone: Certainty::Sure, ..Answer::default() };
        let payload = Payload::new(&Content { answer, spoiler: true, picture: None }, Format::FULL);
        assert_eq!(payload.files[0].name, "SPOILER_faces-1.jpg");
        assert!(payload.json["embeds"][0].get("image").is_none(), "{}", payload.json);
        let picture = Some("https://cdn.example/a.jpg".to_owned());
        let game = Content { answer: Answer::from("Guess".to_owned()), spoiler: true, picture };
        let payload = Payload::new(&game, Format::FULL);
        assert_eq!(payload.json["content"], "Guess\n||https://cdn.example/a.jpg||");
        assert_eq!(displayed_picture(&payload.json), Some(("https://cdn.example/a.jpg".into(), true)));
    }

    #[test]
    fn each_format_is_simpler_and_the_last_one_is_plain_text() {
        let refused = RestError::refused(reqwest::StatusCode::BAD_REQUEST, &json!({ "code": 50035 }), None);
        let mut formats = vec![Format::FULL];
        while let Some(next) = formats.last().unwrap().simplified(&refused) {
            formats.push(next);
        }
        assert_eq!(formats.len(), 5);
        let plain = Format { layout: Layout::Text, buttons: false, reference: false };
        assert_eq!(*formats.last().unwrap(), plain);
    }
}
