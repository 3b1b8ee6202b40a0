//! The pictures that the bot sends: the photo with a labelled box around each face, its crop to the
//! suggested square, several pictures on one sheet.

use std::io::Cursor;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{ImageFormat, Rgb, RgbImage, imageops};

use super::actions::{SQUARE_SCALE, Square};
use crate::Analysis;
use crate::explain::draw::{DrawError, jpeg};
use crate::face::Bounds;
use crate::photo::{ColourPhoto, DecodeLimits, MemoryBudget, PhotoError, decode_colour, frame_colour};

/// Longer side of the picture that is sent, in pixels: sharp on a phone, about 150 KB.
const MAX_SIDE: u32 = 1280;
const JPEG_QUALITY: u8 = 85;
/// Bright yellow on near-black stands out against every skin and background, also in greyscale.
const INK: Rgb<u8> = Rgb([255, 214, 10]);
const SHADOW: Rgb<u8> = Rgb([16, 16, 16]);
const PAPER: Rgb<u8> = Rgb([245, 245, 245]);
const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");

/// Why a card could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The photo, or a picture for the sheet, could not be decoded.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// The result could not be encoded.
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The compiled-in font could not be parsed.
    #[error("the compiled-in font is unusable")]
    Font(#[from] ab_glyph::InvalidFont),
    /// An explanation could not be drawn, or a picture not be encoded as a JPEG.
    #[error(transparent)]
    Draw(#[from] DrawError),
}

/// Draws the boxes of `analysis` on the photo in `bytes`, each labelled with the age in whole years, after its number
/// in the order of the faces when there are several; returns a JPEG of at most 1280 pixels a side, without any metadata.
/// Where faces are so close that a label would cover another, it is the number alone.
///
/// # Errors
/// [`CardError`] when the photo cannot be decoded in colour or the result cannot be encoded.
pub fn draw(bytes: &[u8], limits: &DecodeLimits, analysis: &Analysis) -> Result<Vec<u8>, CardError> {
    draw_as(bytes, limits, analysis, ImageFormat::Jpeg)
}

/// As [`draw`], in another format.
///
/// # Errors
/// As [`draw`], also for a format that cannot be written.
pub fn draw_as(
    bytes: &[u8],
    limits: &DecodeLimits,
    analysis: &Analysis,
    format: ImageFormat,
) -> Result<Vec<u8>, CardError> {
    let ColourPhoto { picture: photo, memory: _memory } = match analysis.frame {
        0 => decode_colour(bytes, limits, MAX_SIDE)?,
        frame => frame_colour(bytes, limits, frame)?,
    };
    let longest = photo.width().max(photo.height()).max(1);
    let shrunk = (MAX_SIDE as f32 / longest as f32).min(1.0);
    let mut picture = if shrunk < 1.0 {
        let side = |pixels: u32| ((pixels as f32 * shrunk).round() as u32).max(1);
        imageops::thumbnail(&photo, side(photo.width()), side(photo.height()))
    } else {
        photo
    };
    // The analysis is in pixels of the photo at full size.
    let scale = picture.width() as f32 / analysis.width.max(1) as f32;
    let font = FontRef::try_from_slice(FONT)?;
    let boxes = analysis.faces.iter().map(|face| {
        let Bounds { x, y, w, h } = face.bounds;
        [x, y, x + w, y + h].map(|value| (value * scale).round() as i32)
    });
    let boxes: Vec<[i32; 4]> = boxes.collect();
    for [left, top, right, bottom] in boxes.iter().copied() {
        let line = ((right - left).min(bottom - top) / 40).clamp(2, 6);
        outline(&mut picture, [left, top, right, bottom], line);
    }
    let mut plates = Vec::new();
    for (index, face) in analysis.faces.iter().enumerate() {
        let age = if face.estimate.is_age_unknown() { "?".to_owned() } else { face.age().round().to_string() };
        let number = (index + 1).to_string();
        let texts = if boxes.len() > 1 { vec![format!("{number}: {age}"), number] } else { vec![age] };
        let taken: Vec<_> = (boxes.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, corners)| corners))
            .chain(&plates)
            .copied()
            .collect();
        let label = Label::place(picture.dimensions(), &font, boxes[index], &texts, &taken);
        label.draw(&mut picture, &font, INK);
        plates.push(label.plate);
    }
    if format == ImageFormat::Jpeg {
        return encode(&picture);
    }
    let mut encoded = Cursor::new(Vec::new());
    picture.write_to(&mut encoded, format)?;
    Ok(encoded.into_inner())
}

/// Crops the photo in `bytes` to the square, in colour, shrunk to at most 1280 pixels a side.
///
/// # Errors
/// As [`draw`].
pub fn crop(bytes: &[u8], limits: &DecodeLimits, square: Square) -> Result<Vec<u8>, CardError> {
    let ColourPhoto { picture: photo, memory: _memory } = decode_colour(bytes, limits, side_for_sharp_crop(square))?;
    let (width, height) = photo.dimensions();
    let pixels = |part: u16, of: u32| (f32::from(part) / SQUARE_SCALE * of as f32).round() as u32;
    let side = pixels(square.side, width).clamp(1, width.min(height).max(1));
    let left = pixels(square.left, width).min(width - side);
    let top = pixels(square.top, height).min(height - side);
    let crop = imageops::crop_imm(&photo, left, top, side, side).to_image();
    encode(&if side > MAX_SIDE { imageops::thumbnail(&crop, MAX_SIDE, MAX_SIDE) } else { crop })
}

/// The longer side, in pixels, at which to decode a photo for its crop to be sharp, even if the photo is
/// twice as high as it is wide.
fn side_for_sharp_crop(square: Square) -> u32 {
    const SHARP: f32 = 640.0;
    (2.0 * SHARP * SQUARE_SCALE / f32::from(square.side.max(1))) as u32
}

/// Several pictures, each with its number, in two columns.
///
/// # Errors
/// [`CardError`] when one cannot be decoded or the result cannot be encoded.
pub fn sheet(pictures: &[(usize, impl AsRef<[u8]>)], limits: &DecodeLimits) -> Result<Vec<u8>, CardError> {
    const CELL: u32 = 640;
    const GAP: u32 = 8;
    // Bytes for a sheet of ten pictures and its JPEG, and for decoding one of them, no larger than a card.
    const SHEET: u64 = 16 << 20;
    const PICTURE: u64 = 32 << 20;
    let _memory = limits.memory.reserve((SHEET + PICTURE).min(limits.memory.total()));
    let limits = &DecodeLimits { memory: MemoryBudget::new(PICTURE), ..limits.clone() };
    let font = FontRef::try_from_slice(FONT)?;
    let columns = (pictures.len() as u32).clamp(1, 2);
    let rows = (pictures.len() as u32).div_ceil(columns).max(1);
    let mut sheet = RgbImage::from_pixel(columns * (CELL + GAP) - GAP, rows * (CELL + GAP) - GAP, SHADOW);
    for (index, (number, jpeg)) in pictures.iter().enumerate() {
        let picture = decode_colour(jpeg.as_ref(), limits, CELL)?.picture;
        let scale = CELL as f32 / picture.width().max(picture.height()).max(1) as f32;
        let side = |pixels: u32| ((pixels as f32 * scale).round() as u32).clamp(1, CELL);
        let (width, height) = (side(picture.width()), side(picture.height()));
        let picture = imageops::resize(&picture, width, height, imageops::FilterType::Triangle);
        let (column, row) = (index as u32 % columns, index as u32 / columns);
        let (left, top) = (column * (CELL + GAP) + (CELL - width) / 2, row * (CELL + GAP) + (CELL - height) / 2);
        imageops::replace(&mut sheet, &picture, i64::from(left), i64::from(top));
        let corner = [left as i32, top as i32, left as i32 + 120, top as i32 + 120];
        let number = [number.to_string()];
        Label::place(sheet.dimensions(), &font, corner, &number, &[]).draw(&mut sheet, &font, PAPER);
    }
    encode(&sheet)
}

fn encode(picture: &RgbImage) -> Result<Vec<u8>, CardError> {
    Ok(jpeg(picture, JPEG_QUALITY)?)
}

/// Draws a box with lines of `line` pixels and a one-pixel shadow on both sides.
fn outline(picture: &mut RgbImage, [left, top, right, bottom]: [i32; 4], line: i32) {
    for (grow, colour, width) in [(line / 2 + 1, SHADOW, line + 2), (line / 2, INK, line)] {
        let (left, top, right, bottom) = (left - grow, top - grow, right + grow, bottom + grow);
        fill(picture, [left, top, right, top + width], colour);
        fill(picture, [left, bottom - width, right, bottom], colour);
        fill(picture, [left, top, left + width, bottom], colour);
        fill(picture, [right - width, top, right, bottom], colour);
    }
}

/// Fills left..right by top..bottom, clipped to the picture.
fn fill(picture: &mut RgbImage, [left, top, right, bottom]: [i32; 4], colour: Rgb<u8>) {
    let clip = |value: i32, end: u32| value.clamp(0, end as i32) as u32;
    let (width, height) = picture.dimensions();
    for y in clip(top, height)..clip(bottom, height) {
        for x in clip(left, width)..clip(right, width) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// A text on a plate outside a box, moved inside the picture.
struct Label<'a> {
    text: &'a str,
    size: f32,
    /// Left, top, right and bottom in pixels.
    plate: [i32; 4],
}

impl<'a> Label<'a> {
    /// The first of `texts` that has room above the box or below it, at its left or right edge, without covering one of
    /// `taken`; if none has, the last text above it. `texts` is not empty.
    fn place(
        dimensions: (u32, u32),
        font: &FontRef<'_>,
        corners: [i32; 4],
        texts: &'a [String],
        taken: &[[i32; 4]],
    ) -> Self {
        let places = [(false, false), (false, true), (true, false), (true, true)];
        let labels = texts.iter().flat_map(|text| places.map(|place| Self::at(dimensions, font, corners, text, place)));
        let free = |label: &Self| !taken.iter().any(|other| overlap(*other, label.plate));
        let last = texts.last().map_or("", String::as_str);
        labels.into_iter().find(free).unwrap_or_else(|| Self::at(dimensions, font, corners, last, places[0]))
    }

    fn at(
        (picture_width, picture_height): (u32, u32),
        font: &FontRef<'_>,
        [left, top, right, bottom]: [i32; 4],
        text: &'a str,
        (below, at_the_right): (bool, bool),
    ) -> Self {
        // Legible where the picture is shown at a third of its size.
        let smallest = (picture_width.max(picture_height) as f32 / 40.0).clamp(18.0, 48.0);
        let size = ((right - left) as f32 / 3.0).clamp(smallest, 48.0);
        let (width, height) = ((width(font, text, size) + size / 3.0) as i32, (size * 7.0 / 6.0) as i32);
        let last = |end: u32, need: i32| (end as i32 - need).max(0);
        let x = if at_the_right { right - width } else { left }.clamp(0, last(picture_width, width));
        let y = if below { bottom } else { top - height }.clamp(0, last(picture_height, height));
        Self { text, size, plate: [x, y, x + width, y + height] }
    }

    fn draw(&self, picture: &mut RgbImage, font: &FontRef<'_>, paper: Rgb<u8>) {
        let [left, top, right, _] = self.plate;
        fill(picture, self.plate, paper);
        let middle = (left + right) as f32 / 2.0;
        write(picture, font, self.text, (middle, top as f32 + self.size / 12.0), self.size, SHADOW);
    }
}

fn overlap(a: [i32; 4], b: [i32; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

fn width(font: &FontRef<'_>, text: &str, size: f32) -> f32 {
    let scaled = font.as_scaled(PxScale::from(size));
    text.chars().map(|digit| scaled.h_advance(scaled.glyph_id(digit))).sum()
}

/// Draws one line of text, centred at x `middle` and below y `top`, in pixels.
fn write(picture: &mut RgbImage, font: &FontRef<'_>, text: &str, (middle, top): (f32, f32), size: f32, ink: Rgb<u8>) {
    let scaled = font.as_scaled(PxScale::from(size));
    let mut pen = middle - width(font, text, size) / 2.0;
    let baseline = top + scaled.ascent();
    for digit in text.chars() {
        let id = scaled.glyph_id(digit);
        let glyph = id.with_scale_and_position(PxScale::from(size), point(pen, baseline));
        pen += scaled.h_advance(id);
        let Some(outlined) = font.outline_glyph(glyph) else { continue };
        let origin = outlined.px_bounds().min;
        outlined.draw(|dx, dy, coverage| {
            let (x, y) = (origin.x as i32 + dx as i32, origin.y as i32 + dy as i32);
            let inside = x >= 0 && y >= 0 && (x as u32) < picture.width() && (y as u32) < picture.height();
            if inside && coverage > 0.0 {
                let mix = |ground: u8, ink: u8| {
                    (f32::from(ground) + coverage.min(1.0) * (f32::from(ink) - f32::from(ground))) as u8
                };
                let at = picture.get_pixel_mut(x as u32, y as u32);
                *at = Rgb(std::array::from_fn(|channel| mix(at.0[channel], ink.0[channel])));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A JPEG whose left half is dark and right half light.
    fn halves(width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([20; 3]) } else { Rgb([220; 3]) });
        encode(&picture).unwrap()
    }

    fn decode(jpeg: &[u8]) -> RgbImage {
        image::load_from_memory(jpeg).unwrap().to_rgb8()
    }

    #[test]
    fn the_suggested_crop_is_where_it_was_suggested_and_inside_the_photo() {
        let limits = DecodeLimits::default();
        let photo = halves(400, 200);
        let crop_of = |left, top, side| decode(&crop(&photo, &limits, Square { left, top, side }).unwrap());
        let right = crop_of(5000, 0, 2500);
        assert_eq!(right.dimensions(), (100, 100));
        assert!(right.pixels().all(|pixel| pixel.0[0] > 200));
        // A square that reaches beyond the photo.
        assert_eq!(crop_of(10_000, 10_000, 10_000).dimensions(), (200, 200));
        assert_eq!(crop_of(0, 0, 1).dimensions(), (1, 1));
    }

    #[test]
    fn labels_of_close_faces_cover_neither_each_other_nor_another_face() {
        let font = FontRef::try_from_slice(FONT).unwrap();
        let texts = ["1: 35".to_owned(), "1".to_owned()];
        let place = |corners, taken: &[[i32; 4]]| Label::place((600, 400), &font, corners, &texts, taken);
        let (one, two) = ([100, 100, 200, 200], [190, 110, 290, 210]);
        let first = place(one, &[two]);
        assert_eq!((first.text, first.plate[0], first.plate[3]), ("1: 35", 100, 100), "above, at the left edge");
        let second = place(two, &[one, first.plate]);
        assert_eq!((second.text, second.plate[2], second.plate[3]), ("1: 35", 290, 110), "at the right edge");
        let everywhere = [0, 0, 600, 400];
        assert_eq!(place(one, &[everywhere]).text, "1");
    }

    #[test]
    fn a_sheet_shows_all_pictures_in_two_columns() {
        let pictures: Vec<(usize, Vec<u8>)> = (1..4).map(|number| (number, halves(300 * number as u32, 300))).collect();
        let sheet = decode(&sheet(&pictures, &DecodeLimits::default()).unwrap());
        assert_eq!(sheet.dimensions(), (2 * 640 + 8, 2 * 640 + 8));
        // The second picture's right half, upper row, right column.
        assert!(sheet.get_pixel(640 + 8 + 600, 320).0[0] > 180);
        assert!(sheet.get_pixel(640 + 8 + 320, 1200).0[0] < 60);
    }
}
