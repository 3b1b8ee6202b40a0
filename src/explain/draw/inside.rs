//! Parts 1 and 2: from photo to numbers, and a filter at work.

use image::RgbImage;
use plotters::style::RGBColor;

use super::canvas::{Align, Canvas, INK, ORANGE, activations, grey, normalised, signed};
use super::{BODY, COLUMN, Detail, DrawError, MARGIN, NUMBER, WIDTH, Words, column, number, sheet};
use crate::explain::{Explanation, FilterMap, SIDE};

/// Side of a cell of a filter at work, wide enough for a number with sign and two decimals.
const CELL: i32 = 88;
/// Height of a line of numbers.
const LINE: i32 = 38;

/// The face in colour, the network's input, and its first row as numbers.
pub fn numbers(explanation: &Explanation, words: &Words, detail: Detail) -> Result<RgbImage, DrawError> {
    let (mut canvas, top) = sheet(words, 0)?;
    let pixels = explanation.face.crop.pixels();
    canvas.picture(&explanation.view.picture, (column(0), top), COLUMN);
    canvas.picture(&grey(&normalised(&explanation.face.crop), SIDE), (column(1), top), COLUMN);
    let row = pixels.iter().take(SIDE);
    let beside = match detail {
        Detail::Card => row.clone().take(24).map(u8::to_string).collect(),
        Detail::Whole => Vec::new(),
    };
    for (line, values) in beside.chunks(4).enumerate() {
        for (index, value) in values.iter().enumerate() {
            let at = (column(2) + index as i32 * 68 + 30, top + line as i32 * LINE);
            canvas.text(value, at, (NUMBER, INK), Align::Centre)?;
        }
    }
    if detail == Detail::Card {
        canvas.text("…", (column(2) + 30, top + 6 * LINE - 10), (BODY, INK), Align::Centre)?;
    }
    let below = top + COLUMN as i32 + 10;
    let captions = [&words.photo, &words.crop, &words.first_row];
    let shown = if detail == Detail::Card { 3 } else { 2 };
    let mut bottom = below;
    for (index, caption) in captions.into_iter().take(shown).enumerate() {
        let end = canvas.paragraph(caption, (column(index as i32), below), COLUMN, BODY, Align::Left)?;
        bottom = bottom.max(end);
    }
    if detail == Detail::Whole {
        bottom = canvas.paragraph(&words.first_row, (MARGIN, bottom + 10), WIDTH - 48, BODY, Align::Left)?;
        for (index, value) in row.enumerate() {
            let at = (MARGIN + 30 + (index % 12) as i32 * 71, bottom + (index / 12) as i32 * LINE);
            canvas.text(&value.to_string(), at, (NUMBER, INK), Align::Centre)?;
        }
        bottom += LINE * SIDE.div_ceil(12) as i32;
    }
    Ok(canvas.finish(bottom + 16))
}

/// One filter at one place, the strongest filters with their maps, and a channel of a deeper layer.
pub fn filter(explanation: &Explanation, words: &Words, _: Detail) -> Result<RgbImage, DrawError> {
    let (mut canvas, mut top) = sheet(words, 1)?;
    let at_work = &explanation.at_work;
    let labels = [&words.inputs, &words.weights, &words.products];
    let mut below = top;
    for (index, label) in labels.into_iter().enumerate() {
        below = below.max(canvas.paragraph(label, (column(index as i32), top), COLUMN, BODY, Align::Left)?);
    }
    top = below + 6;
    let squares = [(at_work.inputs, 2.0), (at_work.weights, 0.0), (at_work.products, 0.0)];
    for (index, (values, grey_range)) in squares.into_iter().enumerate() {
        numbered(&mut canvas, (column(index as i32), top), &values, grey_range, words)?;
    }
    let middle = top + CELL * 3 / 2 - 20;
    canvas.text("×", (column(1) - MARGIN / 2 - 2, middle), (BODY, INK), Align::Centre)?;
    canvas.text("=", (column(2) - MARGIN / 2 - 2, middle), (BODY, INK), Align::Centre)?;
    top = canvas.paragraph(&words.sum, (MARGIN, top + 3 * CELL + 12), WIDTH - 48, BODY, Align::Left)? + 16;

    top = canvas.paragraph(&words.strongest, (MARGIN, top), WIDTH - 48, BODY, Align::Left)? + 8;
    for (index, map) in explanation.strongest.iter().enumerate() {
        let at = (MARGIN + (index as i32 % 4) * 217, top + (index as i32 / 4) * 164);
        filter_map(&mut canvas, at, map);
    }
    top += 2 * 164 + 8;

    top = canvas.paragraph(&words.deep, (MARGIN, top), WIDTH - 48, BODY, Align::Left)? + 8;
    let deep = &explanation.deep;
    // The mean face needs no normalisation.
    let whole = grey(&normalised(&explanation.face.crop), SIDE);
    let (left, upper, side) = (deep.here.left as u32, deep.here.top as u32, deep.here.side as u32);
    let here = image::imageops::crop_imm(&whole, left, upper, side, side).to_image();
    for (index, patch) in [here, grey(&deep.mean_face.pixels, deep.mean_face.side)].into_iter().enumerate() {
        let patch = image::imageops::resize(&patch, COLUMN, COLUMN, image::imageops::FilterType::CatmullRom);
        canvas.picture(&patch, (column(index as i32), top), COLUMN);
    }
    let fired = image::imageops::resize(
        &grey(&activations(&deep.map), deep.side),
        SIDE as u32,
        SIDE as u32,
        image::imageops::FilterType::Nearest,
    );
    canvas.picture(&fired, (column(2), top), COLUMN);
    let scale = |pixels: usize| (pixels * COLUMN as usize / SIDE) as i32;
    let (left, upper, side) = (scale(deep.here.left), scale(deep.here.top), scale(deep.here.side));
    let (left, upper) = (column(2) + left, top + upper);
    canvas.outline([left, upper, left + side, upper + side], ORANGE);
    let below = top + COLUMN as i32 + 8;
    let mut bottom = below;
    for (index, caption) in words.deep_captions.iter().enumerate() {
        bottom = bottom.max(canvas.paragraph(caption, (column(index as i32), below), COLUMN, BODY, Align::Left)?);
    }
    Ok(canvas.finish(bottom + 16))
}

/// Nine numbers on coloured cells: grey between plus and minus `grey_range`, or by sign if that is 0.
fn numbered(
    canvas: &mut Canvas,
    (left, top): (i32, i32),
    values: &[f32; 9],
    grey_range: f32,
    words: &Words,
) -> Result<(), DrawError> {
    let largest = values.iter().map(|value| value.abs()).fold(f32::MIN_POSITIVE, f32::max);
    for (index, value) in values.iter().enumerate() {
        let (x, y) = (left + (index as i32 % 3) * CELL, top + (index as i32 / 3) * CELL);
        let (ground, ink) = if grey_range > 0.0 {
            let level = ((value / grey_range + 1.0) * 127.5).clamp(0.0, 255.0) as u8;
            (RGBColor(level, level, level), if level < 120 { RGBColor(255, 255, 255) } else { INK })
        } else {
            // Light enough for dark numbers.
            (signed(0.6 * value / largest), INK)
        };
        canvas.fill([x, y, x + CELL - 2, y + CELL - 2], ground);
        let text = number(*value, 2, false, &words.decimal_mark);
        canvas.text(&text, (x + CELL / 2 - 1, y + CELL / 2 - 15), (NUMBER, ink), Align::Centre)?;
    }
    Ok(())
}

/// A filter, drawn, and its map beside it.
fn filter_map(canvas: &mut Canvas, (left, top): (i32, i32), map: &FilterMap) {
    const TAP: i32 = 16;
    const MAP: u32 = 150;
    let largest = map.weights.iter().map(|weight| weight.abs()).fold(f32::MIN_POSITIVE, f32::max);
    for (tap, weight) in map.weights.iter().enumerate() {
        let (x, y) = (left + (tap as i32 % 3) * TAP, top + (tap as i32 / 3) * TAP);
        canvas.fill([x, y, x + TAP, y + TAP], signed(weight / largest));
    }
    canvas.outline([left, top, left + 3 * TAP, top + 3 * TAP], INK);
    canvas.picture(&grey(&activations(&map.map), map.side), (left + 3 * TAP + 6, top), MAP);
}
