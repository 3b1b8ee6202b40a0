//! What the bot replies, and how a platform wants it.

use bytes::Bytes;

use super::actions::{Button, Square};
use super::{Problem, ReplyStyle};
use crate::{Analysis, FaceAnalysis};

/// The answer to a message with one photo or several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Plain text, at most [`ReplyOptions::max_characters`] characters.
    pub text: String,
    /// The annotated pictures, in the order of the photos.
    pub cards: Vec<Card>,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// How sure the guess is, if it is one.
    pub tone: Certainty,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// How sure an answer is; platforms show it as a colour next to the text, which states it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Certainty {
    /// No guess.
    #[default]
    Plain,
    /// Every guess is sure.
    Sure,
    /// At least one guess is unsure.
    Unsure,
}

impl Certainty {
    pub(super) fn from_outcomes<'a>(
        outcomes: impl IntoIterator<Item = &'a Result<Analysis, Problem>>,
        style: &ReplyStyle,
    ) -> Self {
        let faces: Vec<&FaceAnalysis> = outcomes.into_iter().flatten().flat_map(|analysis| &analysis.faces).collect();
        match faces.as_slice() {
            [] => Self::Plain,
            faces if faces.iter().all(|face| style.is_sure(face)) => Self::Sure,
            _ => Self::Unsure,
        }
    }
}

/// The reply to one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Plain text, at most [`ReplyOptions::max_characters`] characters.
    pub text: String,
    /// The photo with numbered boxes.
    pub card: Option<Card>,
    /// The crop to offer, on which the guess is surer; looked for where a photo is answered on its own.
    pub crop: Option<Square>,
    /// The numbers behind the text.
    pub outcome: Result<Analysis, Problem>,
}

/// An annotated picture, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// A JPEG.
    pub jpeg: Bytes,
    /// What it shows, for people who do not see it.
    pub alternative_text: String,
}

/// How a platform wants its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyOptions {
    /// The platform's name, for logs and metrics.
    pub platform: &'static str,
    /// The most characters in the text.
    pub max_characters: usize,
    /// When to draw the annotated picture.
    pub card: CardPolicy,
    /// The most pictures with one reply; more are combined into one sheet.
    pub max_cards: usize,
}

/// When the annotated picture is added to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardPolicy {
    /// The text alone, whatever the photo shows.
    Never,
    /// Only where the text needs it, because it refers to numbered faces.
    SeveralFaces,
    /// Whenever there is a face.
    AnyFace,
}

impl CardPolicy {
    pub(super) fn applies_to(self, analysis: &Analysis) -> bool {
        match self {
            Self::Never => false,
            Self::SeveralFaces => analysis.faces.len() > 1,
            Self::AnyFace => !analysis.faces.is_empty(),
        }
    }
}
