//! The annotated picture: the photo in colour, shrunk, with a numbered box around each face.

use std::io::Cursor;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};

use crate::face::Bounds;
use crate::inference::Analysis;
use crate::photo::{DecodeLimits, PhotoError, decode_colour};

/// Longer side of the picture that is sent back: sharp on a phone, about 150 KB.
const MAX_SIDE: u32 = 1280;
const JPEG_QUALITY: u8 = 85;
/// Bright yellow on near-black stands out on every skin and background, also in grey.
const INK: Rgb<u8> = Rgb([255, 214, 10]);
const SHADOW: Rgb<u8> = Rgb([16, 16, 16]);
const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");

/// Why a card could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    #[error("the compiled-in font is unusable")]
    Font(#[from] ab_glyph::InvalidFont),
}

/// Draws the boxes of `analysis`, numbered from left to right when there are several, on the
/// photo in `bytes`; returns a JPEG of at most 1280 pixels a side, without any metadata.
///
/// # Errors
/// [`CardError`] when the photo cannot be decoded in colour or the result not encoded.
pub fn draw(bytes: &[u8], limits: &DecodeLimits, analysis: &Analysis) -> Result<Vec<u8>, CardError> {
    let photo = decode_colour(bytes, limits)?;
    let longest = photo.width().max(photo.height()).max(1);
    let scale = (MAX_SIDE as f32 / longest as f32).min(1.0);
    let mut picture = if scale < 1.0 {
        let side = |pixels: u32| ((pixels as f32 * scale).round() as u32).max(1);
        imageops::thumbnail(&photo, side(photo.width()), side(photo.height()))
    } else {
        photo
    };
    let font = FontRef::try_from_slice(FONT)?;
    let numbered = analysis.faces.len() > 1;
    for (index, face) in analysis.faces.iter().enumerate() {
        let Bounds { x, y, w, h } = face.bounds;
        let corners = [x, y, x + w, y + h].map(|value| (value * scale).round() as i32);
        let line = (((w * scale).min(h * scale) / 40.0).round() as i32).clamp(2, 6);
        outline(&mut picture, corners, line);
        if numbered {
            label(&mut picture, &font, corners, &(index + 1).to_string());
        }
    }
    let mut jpeg = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&picture)?;
    Ok(jpeg.into_inner())
}

/// A box of `line` pixels in ink with a one-pixel shadow on both sides.
fn outline(picture: &mut RgbImage, [left, top, right, bottom]: [i32; 4], line: i32) {
    for (grow, colour, width) in [(line / 2 + 1, SHADOW, line + 2), (line / 2, INK, line)] {
        let (left, top, right, bottom) = (left - grow, top - grow, right + grow, bottom + grow);
        fill(picture, [left, top, right, top + width], colour);
        fill(picture, [left, bottom - width, right, bottom], colour);
        fill(picture, [left, top, left + width, bottom], colour);
        fill(picture, [right - width, top, right, bottom], colour);
    }
}

/// Fills left..right by top..bottom as far as it lies inside the picture.
fn fill(picture: &mut RgbImage, [left, top, right, bottom]: [i32; 4], colour: Rgb<u8>) {
    let clip = |value: i32, end: u32| value.clamp(0, end as i32) as u32;
    let (width, height) = picture.dimensions();
    for y in clip(top, height)..clip(bottom, height) {
        for x in clip(left, width)..clip(right, width) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// The number on a plate at the box's upper left corner, kept inside the picture.
fn label(picture: &mut RgbImage, font: &FontRef<'_>, [left, top, right, _]: [i32; 4], number: &str) {
    let size = ((right - left) as f32 / 3.0).clamp(18.0, 48.0);
    let scaled = font.as_scaled(PxScale::from(size));
    let width: f32 = number.chars().map(|digit| scaled.h_advance(scaled.glyph_id(digit))).sum();
    let padding = size / 6.0;
    let (plate_width, plate_height) = ((width + 2.0 * padding) as i32, (size + padding) as i32);
    let last = |end: u32, need: i32| (end as i32 - need).max(0);
    let x = left.clamp(0, last(picture.width(), plate_width));
    let y = (top - plate_height).clamp(0, last(picture.height(), plate_height));
    fill(picture, [x, y, x + plate_width, y + plate_height], INK);
    let mut pen = x as f32 + padding;
    let baseline = y as f32 + padding / 2.0 + scaled.ascent();
    for digit in number.chars() {
        let id = scaled.glyph_id(digit);
        let glyph = id.with_scale_and_position(PxScale::from(size), point(pen, baseline));
        pen += scaled.h_advance(id);
        let Some(outlined) = font.outline_glyph(glyph) else { continue };
        let origin = outlined.px_bounds().min;
        outlined.draw(|dx, dy, coverage| {
            let (x, y) = (origin.x as i32 + dx as i32, origin.y as i32 + dy as i32);
            let inside = x >= 0 && y >= 0 && (x as u32) < picture.width() && (y as u32) < picture.height();
            if inside && coverage > 0.0 {
                let mix =
                    |ink: u8, text: u8| (f32::from(ink) + coverage.min(1.0) * (f32::from(text) - f32::from(ink))) as u8;
                let at = picture.get_pixel_mut(x as u32, y as u32);
                *at = Rgb(std::array::from_fn(|channel| mix(at.0[channel], SHADOW.0[channel])));
            }
        });
    }
}
