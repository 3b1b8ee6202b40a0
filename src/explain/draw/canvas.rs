//! A white sheet with text, pictures, rectangles and charts on it.

use std::sync::OnceLock;

use image::{Rgb, RgbImage, imageops};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::DrawError;
use crate::face::FaceCrop;

/// The colour of text and lines.
pub const INK: RGBColor = RGBColor(24, 24, 27);
/// The colour of lines that guide the eye.
pub const FAINT: RGBColor = RGBColor(200, 200, 205);
/// Positive: for, older. With [`BLUE`] it can be told apart by colour-blind people too.
pub const ORANGE: RGBColor = RGBColor(230, 110, 20);
/// Negative: against, younger.
pub const BLUE: RGBColor = RGBColor(25, 90, 175);

/// The letters of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Latin and Cyrillic, with spaces between words.
    Alphabetic,
    /// Japanese, whose lines may end after any character.
    Japanese,
}

impl Script {
    fn font(self) -> &'static str {
        match self {
            Self::Alphabetic => "sheet",
            Self::Japanese => "sheet-japanese",
        }
    }

    /// The compiled-in font of the script.
    pub fn font_file(self) -> &'static [u8] {
        match self {
            Self::Alphabetic => include_bytes!("../../assets/DejaVuSans-subset.ttf"),
            Self::Japanese => include_bytes!("../../assets/Mplus1-subset.otf"),
        }
    }
}

/// Where a text is relative to its point, whose y is the text's top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// To the right of it.
    Left,
    /// Centred.
    Centre,
}

/// The sheet.
pub struct Canvas {
    picture: RgbImage,
    script: Script,
}

impl Canvas {
    /// A white sheet, in pixels.
    pub fn new(width: u32, height: u32, script: Script) -> Result<Self, DrawError> {
        register_fonts()?;
        Ok(Self { picture: RgbImage::from_pixel(width, height, Rgb([255; 3])), script })
    }

    /// Draws with plotters on the whole sheet.
    pub fn with_area(
        &mut self,
        draw: impl FnOnce(&DrawingArea<BitMapBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error>>,
    ) -> Result<(), DrawError> {
        let size = self.picture.dimensions();
        let area = BitMapBackend::with_buffer(&mut self.picture, size).into_drawing_area();
        let drawn = draw(&area).and_then(|()| Ok(area.present()?));
        drawn.map_err(|error| DrawError::Chart(error.to_string()))
    }

    /// The style of text of a size in pixels.
    pub fn style(&self, size: u32, colour: RGBColor) -> TextStyle<'static> {
        // A line of the Japanese font is a quarter higher than its letters are large.
        let size = if self.script == Script::Japanese { size * 6 / 5 } else { size };
        let font = (self.script.font(), size).into_font();
        TextStyle { color: colour.to_backend_color(), ..TextStyle::from(font) }
    }

    /// One line of text.
    pub fn text(
        &mut self,
        text: &str,
        at: (i32, i32),
        (size, colour): (u32, RGBColor),
        align: Align,
    ) -> Result<(), DrawError> {
        let horizontal = if align == Align::Left { HPos::Left } else { HPos::Center };
        let style = self.style(size, colour).pos(Pos::new(horizontal, VPos::Top));
        // plotters puts the baseline half a line below the top, which is too high.
        let at = (at.0, at.1 + size as i32 / 6);
        self.with_area(|area| Ok(area.draw_text(text, &style, at)?))
    }

    /// Text in lines of at most `width` pixels; returns the y below the last line.
    pub fn paragraph(
        &mut self,
        text: &str,
        (x, y): (i32, i32),
        width: u32,
        size: u32,
        align: Align,
    ) -> Result<i32, DrawError> {
        let mut y = y;
        let x = if align == Align::Left { x } else { x + width as i32 / 2 };
        for line in self.lines(text, width, size) {
            self.text(&line, (x, y), (size, INK), align)?;
            y += size as i32 * 5 / 4;
        }
        Ok(y)
    }

    /// A picture, enlarged to a square without smoothing, or shrunk.
    pub fn picture(&mut self, picture: &RgbImage, (x, y): (i32, i32), side: u32) {
        let scaled = if picture.width() < side {
            let near = |at: u32, pixels: u32| at * pixels / side;
            RgbImage::from_fn(side, side, |x, y| {
                *picture.get_pixel(near(x, picture.width()), near(y, picture.height()))
            })
        } else {
            imageops::resize(picture, side, side, imageops::FilterType::Triangle)
        };
        imageops::replace(&mut self.picture, &scaled, i64::from(x), i64::from(y));
    }

    /// A filled rectangle: left, top, right, bottom.
    pub fn fill(&mut self, [left, top, right, bottom]: [i32; 4], colour: RGBColor) {
        let clip = |value: i32, end: u32| value.clamp(0, end as i32) as u32;
        let (width, height) = self.picture.dimensions();
        for y in clip(top, height)..clip(bottom, height) {
            for x in clip(left, width)..clip(right, width) {
                self.picture.put_pixel(x, y, Rgb([colour.0, colour.1, colour.2]));
            }
        }
    }

    /// The outline of a rectangle, three pixels wide.
    pub fn outline(&mut self, [left, top, right, bottom]: [i32; 4], colour: RGBColor) {
        const LINE: i32 = 3;
        self.fill([left, top, right, top + LINE], colour);
        self.fill([left, bottom - LINE, right, bottom], colour);
        self.fill([left, top, left + LINE, bottom], colour);
        self.fill([right - LINE, top, right, bottom], colour);
    }

    /// The finished sheet, cut below `height`.
    pub fn finish(self, height: i32) -> RgbImage {
        let height = (height.max(1) as u32).min(self.picture.height());
        imageops::crop_imm(&self.picture, 0, 0, self.picture.width(), height).to_image()
    }

    /// Breaks a text into lines that fit.
    fn lines(&self, text: &str, width: u32, size: u32) -> Vec<String> {
        let style = self.style(size, INK);
        let font = style.font.clone();
        let fits = |line: &str| font.box_size(line).is_ok_and(|(wide, _)| wide <= width);
        let pieces: Vec<&str> = match self.script {
            Script::Alphabetic => text.split_inclusive(' ').collect(),
            Script::Japanese => japanese_pieces(text),
        };
        let mut lines: Vec<String> = Vec::new();
        for piece in pieces {
            match lines.last_mut() {
                // A line does not start with a punctuation mark.
                Some(line) if fits(&format!("{line}{}", piece.trim_end())) || "。、）」：".contains(piece) => {
                    line.push_str(piece);
                }
                _ => lines.push(piece.to_owned()),
            }
        }
        lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// The pieces after which a Japanese line may end: single characters, and numbers as a whole.
fn japanese_pieces(text: &str) -> Vec<&str> {
    let in_number = |letter: char| letter.is_ascii_graphic() || letter == '−';
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let number = rest.find(|letter| !in_number(letter)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(number.max(first.len_utf8()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Makes the compiled-in fonts known to plotters, once.
fn register_fonts() -> Result<(), DrawError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        [Script::Alphabetic, Script::Japanese]
            .into_iter()
            .all(|script| register_font(script.font(), FontStyle::Normal, script.font_file()).is_ok())
    });
    if *registered { Ok(()) } else { Err(DrawError::Font) }
}

/// A colour between white at 0 and orange at 1 or blue at -1.
pub fn signed(value: f32) -> RGBColor {
    let strength = value.abs().clamp(0.0, 1.0);
    let towards = if value >= 0.0 { ORANGE } else { BLUE };
    let mix = |end: u8| (255.0 + strength * (f32::from(end) - 255.0)).round() as u8;
    RGBColor(mix(towards.0), mix(towards.1), mix(towards.2))
}

/// Grey values, row-major, as a picture of `side` × `side` pixels.
pub fn grey(pixels: &[u8], side: usize) -> RgbImage {
    let at = |x: u32, y: u32| pixels.get(y as usize * side + x as usize).copied().unwrap_or(128);
    RgbImage::from_fn(side as u32, side as u32, |x, y| Rgb([at(x, y); 3]))
}

/// A crop with normalised brightness and contrast, as the network gets it, so that a dark face can be seen as well.
pub fn normalised(crop: &FaceCrop) -> Vec<u8> {
    /// Grey levels of one standard deviation.
    const CONTRAST: f32 = 60.0;
    crop.standardise().into_iter().map(|value| (128.0 + CONTRAST * value).round() as u8).collect()
}

/// A map as grey values: black at 0, white at its peak.
pub fn activations(map: &[f32]) -> Vec<u8> {
    let peak = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    map.iter().map(|value| (value.max(0.0) / peak * 255.0).round() as u8).collect()
}

/// A signed map of `side` × `side` cells laid over a grey face, with smooth transitions: each cell's colour is
/// mixed in by its share of the largest.
pub fn overlaid(face: &[u8], face_side: usize, cells: &[f32], side: usize, [left, top, cell]: [f32; 3]) -> RgbImage {
    let largest = cells.iter().map(|value| value.abs()).fold(f32::MIN_POSITIVE, f32::max);
    let at = |x: i32, y: i32| {
        let clamp = |at: i32| at.clamp(0, side as i32 - 1) as usize;
        cells.get(clamp(y) * side + clamp(x)).copied().unwrap_or_default() / largest
    };
    RgbImage::from_fn(face_side as u32, face_side as u32, |x, y| {
        let (u, v) = ((x as f32 + 0.5 - left) / cell - 0.5, (y as f32 + 0.5 - top) / cell - 0.5);
        let (column, row) = (u.floor() as i32, v.floor() as i32);
        let (fx, fy) = (u - u.floor(), v - v.floor());
        let upper = at(column, row) * (1.0 - fx) + at(column + 1, row) * fx;
        let lower = at(column, row + 1) * (1.0 - fx) + at(column + 1, row + 1) * fx;
        let value = upper * (1.0 - fy) + lower * fy;
        let grey = f32::from(face.get(y as usize * face_side + x as usize).copied().unwrap_or(128));
        // The face stays visible as light and dark.
        let ground = 90.0 + grey * 0.6;
        let tint = if value >= 0.0 { ORANGE } else { BLUE };
        let strength = value.abs().clamp(0.0, 1.0).sqrt() * 0.75;
        let mix = |colour: u8| (ground + strength * (f32::from(colour) * (0.4 + grey / 425.0) - ground)).round() as u8;
        Rgb([mix(tint.0), mix(tint.1), mix(tint.2)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_japanese_line_does_not_end_within_a_number() {
        assert_eq!(japanese_pieces("合わせて−3.1、8%"), ["合", "わ", "せ", "て", "−3.1", "、", "8%"]);
    }
}
