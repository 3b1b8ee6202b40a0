//! A picture of what the finder found and missed.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageReader, Rgb, RgbImage};

use super::EvaluationError;
use super::scenes::SceneResult;
use crate::face::Bounds;

const FOUND: Rgb<u8> = Rgb([60, 200, 90]);
const MISSED: Rgb<u8> = Rgb([235, 50, 50]);
const EXTRA: Rgb<u8> = Rgb([245, 190, 30]);
/// The most scenes on the sheet.
const SCENES: usize = 40;
const COLUMNS: u32 = 4;
/// The longer side of a scene on the sheet, in pixels.
const CELL: u32 = 400;
/// The width of a box's lines, in pixels.
const LINE: i32 = 3;

/// Writes a PNG of up to 40 scenes with mistakes, those with the largest missed faces first: found faces in green,
/// missed ones in red, boxes without a labelled face in yellow.
///
/// # Errors
/// [`EvaluationError::Write`] when it cannot be written.
pub fn write(path: &Path, results: &[SceneResult]) -> Result<(), EvaluationError> {
    let largest_missed = |result: &SceneResult| result.missed().map(Bounds::side).fold(0.0, f32::max);
    let is_wrong = |result: &&SceneResult| result.missed().next().is_some() || !result.extra.is_empty();
    let mut wrong: Vec<&SceneResult> = results.iter().filter(is_wrong).collect();
    wrong.sort_by(|one, other| largest_missed(other).total_cmp(&largest_missed(one)));
    wrong.truncate(SCENES);
    let rows = (wrong.len() as u32).div_ceil(COLUMNS).max(1);
    let mut sheet = RgbImage::from_pixel(COLUMNS * CELL, rows * CELL, Rgb([255; 3]));
    for (index, result) in wrong.into_iter().enumerate() {
        let Ok(Ok(picture)) = ImageReader::open(&result.scene.path).map(ImageReader::decode) else { continue };
        let scale = CELL as f32 / picture.width().max(picture.height()) as f32;
        let side = |pixels: u32| ((pixels as f32 * scale) as u32).clamp(1, CELL);
        let size = (side(picture.width()), side(picture.height()));
        let mut cell = imageops::resize(&picture.to_rgb8(), size.0, size.1, FilterType::Triangle);
        for (labelled, found) in result.scene.labelled.iter().zip(&result.found) {
            outline(&mut cell, labelled, scale, if *found { FOUND } else { MISSED });
        }
        result.extra.iter().for_each(|extra| outline(&mut cell, extra, scale, EXTRA));
        let (column, row) = (index as u32 % COLUMNS, index as u32 / COLUMNS);
        imageops::replace(&mut sheet, &cell, i64::from(column * CELL), i64::from(row * CELL));
    }
    let write_error =
        |error: image::ImageError| EvaluationError::Write { path: path.to_owned(), reason: error.to_string() };
    sheet.save(path).map_err(write_error)
}

fn outline(picture: &mut RgbImage, bounds: &Bounds, scale: f32, colour: Rgb<u8>) {
    let [left, top, right, bottom] =
        [bounds.x, bounds.y, bounds.x + bounds.w, bounds.y + bounds.h].map(|edge| (edge * scale) as i32);
    for y in top.max(0)..bottom.min(picture.height() as i32) {
        for x in left.max(0)..right.min(picture.width() as i32) {
            if x < left + LINE || x >= right - LINE || y < top + LINE || y >= bottom - LINE {
                picture.put_pixel(x as u32, y as u32, colour);
            }
        }
    }
}
