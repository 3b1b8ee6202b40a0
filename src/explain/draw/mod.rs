//! The five parts as pictures, and two cards of all of them for phones.
//!
//! A card is about as high as a phone's screen is for its width. Telegram shrinks pictures to 1280 pixels on the longer
//! side; a card is then more than 500 pixels wide, and its text is readable on a phone of 330. The words come from the
//! caller.

mod canvas;
mod inside;
mod outcome;

use std::io::Cursor;

use image::{RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder};

use super::Explanation;
use canvas::Canvas;

pub use canvas::{Script, activations};

/// Width of every picture in pixels.
const WIDTH: u32 = 900;
/// Left and right margin, and the gap between columns.
const MARGIN: i32 = 24;
/// Width of one of three columns.
const COLUMN: u32 = 268;
/// Heights of text in pixels, from the top of a line's letters to their bottom: headings, text, numbers in cells.
const HEADING: u32 = 44;
const BODY: u32 = 33;
const NUMBER: u32 = 30;
/// The most pixels that a part is high.
const TALLEST: u32 = 1500;
const JPEG_QUALITY: u8 = 82;

/// Bytes to reserve for drawing: the parts, the cards that they are combined in, and their files.
pub const MEMORY: u64 = 32 << 20;

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The compiled-in fonts could not be parsed.
    #[error("the compiled-in fonts are unusable")]
    Font,
    /// A text or chart could not be drawn; contains the reason.
    #[error("a chart could not be drawn: {0}")]
    Chart(String),
    /// The picture could not be encoded.
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The picture could not be encoded as a JPEG.
    #[error("the picture could not be encoded: {0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// A JPEG has at most 65,535 pixels a side.
    #[error("a JPEG cannot have {0} pixels a side")]
    TooLarge(u32),
}

/// Every word on the pictures, with the numbers in it, in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// The letters of the language.
    pub script: Script,
    /// Between whole numbers and decimals.
    pub decimal_mark: String,
    /// The heading of the first card.
    pub title: String,
    /// The headings of the five parts.
    pub headings: [String; 5],
    /// Below the photo's square: how many numbers the photo is.
    pub photo: String,
    /// Below the crop: how many numbers it is.
    pub crop: String,
    /// Below the numbers of the first row.
    pub first_row: String,
    /// Above the three squares: the pixels, the filter, and their products.
    pub inputs: String,
    /// As `inputs`.
    pub weights: String,
    /// As `inputs`.
    pub products: String,
    /// The products' sum, the bias and what is in the map.
    pub sum: String,
    /// Above the strongest filters with their maps.
    pub strongest: String,
    /// Above the channel's patches.
    pub deep: String,
    /// Below the patches: in this face, in the mean face, where it responds here.
    pub deep_captions: [String; 3],
    /// Below the map of votes for the age.
    pub age_votes: String,
    /// Below the map of votes for the gender; absent where genders are not told.
    pub gender_votes: Option<String>,
    /// Below the map of covered places.
    pub covered: String,
    /// What covering each region does.
    pub regions: String,
    /// Colours: negative, positive.
    pub legend: [String; 2],
    /// Below maps that a shift of one pixel changes; absent if none does.
    pub shaky: Option<String>,
    /// Axes of the ages: across, up.
    pub axes: [String; 2],
    /// The median, in the chart.
    pub median: String,
    /// The range, in the chart.
    pub range: String,
    /// The gender's probability; absent where genders are not told.
    pub gender: Option<String>,
    /// Below each of the five framings: its name, then its guess.
    pub framings: Vec<[String; 2]>,
    /// The nearest change that makes a difference, or that none does.
    pub tipping: String,
    /// That this is where the picture mattered to the network.
    pub note: String,
}

/// A part's name in file names, and how it is drawn.
type Part = (&'static str, fn(&Explanation, &Words, Detail) -> Result<RgbImage, DrawError>);

/// How much a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// What fits on a card.
    Card,
    /// All of it.
    Whole,
}

const PARTS: [Part; 5] = [
    ("1-numbers", inside::numbers),
    ("2-filter", inside::filter),
    ("3-votes", outcome::votes),
    ("4-ages", outcome::ages),
    ("5-change", outcome::change),
];

/// Each part as a picture of its own: its name, and a PNG.
///
/// # Errors
/// [`DrawError`] if one cannot be drawn.
pub fn parts(explanation: &Explanation, words: &Words) -> Result<Vec<(&'static str, Vec<u8>)>, DrawError> {
    let part = |(name, draw): Part| {
        let mut png = Cursor::new(Vec::new());
        draw(explanation, words, Detail::Whole)?.write_to(&mut png, image::ImageFormat::Png)?;
        Ok((name, png.into_inner()))
    };
    PARTS.into_iter().map(part).collect()
}

/// How many parts are on the first card: what goes in, and the first layer. On the second is what comes out.
const ON_FIRST_CARD: usize = 2;

/// The parts below each other on two cards, as JPEGs.
///
/// # Errors
/// [`DrawError`] if one cannot be drawn.
pub fn cards(explanation: &Explanation, words: &Words) -> Result<[Vec<u8>; 2], DrawError> {
    let parts = PARTS.iter().map(|(_, draw)| draw(explanation, words, Detail::Card));
    let mut first = parts.collect::<Result<Vec<_>, _>>()?;
    let mut second = first.split_off(ON_FIRST_CARD);
    first.insert(0, sentence(words, &words.title, HEADING + 8)?);
    second.push(sentence(words, &words.note, BODY)?);
    Ok([stacked(first)?, stacked(second)?])
}

/// Pictures below each other, as a JPEG.
fn stacked(pieces: Vec<RgbImage>) -> Result<Vec<u8>, DrawError> {
    let mut card = RgbImage::new(WIDTH, pieces.iter().map(RgbImage::height).sum());
    let mut top = 0;
    for piece in pieces {
        imageops::replace(&mut card, &piece, 0, top);
        top += i64::from(piece.height());
    }
    jpeg(&card, JPEG_QUALITY)
}

/// A picture as a JPEG of a quality from 1 to 100.
///
/// # Errors
/// [`DrawError`] for a picture without pixels or with too many.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, DrawError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| DrawError::TooLarge(pixels));
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, quality).encode(
        picture,
        side(picture.width())?,
        side(picture.height())?,
        ColorType::Rgb,
    )?;
    Ok(jpeg)
}

/// A part's sheet with its heading; returns the y below that.
fn sheet(words: &Words, part: usize) -> Result<(Canvas, i32), DrawError> {
    let mut canvas = Canvas::new(WIDTH, TALLEST, words.script)?;
    canvas.fill([MARGIN, 14, WIDTH as i32 - MARGIN, 16], canvas::FAINT);
    let heading = format!("{}. {}", part + 1, words.headings[part]);
    let below = canvas.paragraph(&heading, (MARGIN, 30), WIDTH - 2 * MARGIN as u32, HEADING, canvas::Align::Left)?;
    Ok((canvas, below + 10))
}

/// A sheet with one paragraph.
fn sentence(words: &Words, text: &str, size: u32) -> Result<RgbImage, DrawError> {
    let mut canvas = Canvas::new(WIDTH, TALLEST, words.script)?;
    let below = canvas.paragraph(text, (MARGIN, 20), WIDTH - 2 * MARGIN as u32, size, canvas::Align::Left)?;
    Ok(canvas.finish(below + 10))
}

/// Left edge of one of three columns.
fn column(index: i32) -> i32 {
    MARGIN + index * (COLUMN as i32 + MARGIN)
}

/// A number with this many decimals and the language's decimal mark; `plus` puts a sign before positive ones.
pub fn number(value: f32, decimals: usize, plus: bool, decimal_mark: &str) -> String {
    // Adding zero turns a negative one, as rounding leaves it, into a positive one.
    let scale = 10f32.powi(decimals as i32);
    let value = (value * scale).round() / scale + 0.0;
    let text = if plus { format!("{value:+.decimals$}") } else { format!("{value:.decimals$}") };
    text.replace('.', decimal_mark).replace('-', "−")
}
