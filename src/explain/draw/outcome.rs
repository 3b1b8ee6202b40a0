//! Parts 3 to 5: who voted and where, the vote, and small changes.

use image::RgbImage;
use plotters::prelude::*;

use super::canvas::{Align, BLUE, Canvas, FAINT, INK, ORANGE, grey, normalised, overlaid};
use super::{BODY, COLUMN, Detail, DrawError, MARGIN, NUMBER, WIDTH, Words, column, number, sheet};
use crate::explain::{Explanation, SIDE, Votes, occlusion};

/// Height of the chart of ages.
const CHART: i32 = 430;
/// Height of a line of small numbers.
const LETTER: i32 = 36;
/// Side of a framing's picture.
const FRAMING: u32 = 160;

/// Maps over the face: votes for the age, covered places in years, votes for the gender.
pub fn votes(explanation: &Explanation, words: &Words, _: Detail) -> Result<RgbImage, DrawError> {
    let (mut canvas, top) = sheet(words, 2)?;
    let pixels = &normalised(&explanation.face.crop);
    let below = top + COLUMN as i32 + 10;
    vote_map(&mut canvas, (column(0), top), pixels, &explanation.age_votes, words)?;
    let mut bottom = canvas.paragraph(&words.age_votes, (column(0), below), COLUMN, BODY, Align::Left)?;
    let margin = ((occlusion::PATCH - occlusion::STRIDE) / 2) as f32;
    let cells = [margin, margin, occlusion::STRIDE as f32];
    let covered = overlaid(pixels, SIDE, &explanation.occlusion.years, occlusion::GRID, cells);
    canvas.picture(&covered, (column(1), top), COLUMN);
    bottom = bottom.max(canvas.paragraph(&words.covered, (column(1), below), COLUMN, BODY, Align::Left)?);
    match &words.gender_votes {
        Some(caption) => {
            vote_map(&mut canvas, (column(2), top), pixels, &explanation.gender_votes, words)?;
            bottom = bottom.max(canvas.paragraph(caption, (column(2), below), COLUMN, BODY, Align::Left)?);
        }
        None => {
            canvas.picture(&grey(pixels, SIDE), (column(2), top), COLUMN);
        }
    }
    bottom += 14;
    for (index, (colour, label)) in [BLUE, ORANGE].into_iter().zip(&words.legend).enumerate() {
        let left = MARGIN + index as i32 * 426;
        canvas.fill([left, bottom, left + 32, bottom + 32], colour);
        canvas.text(label, (left + 44, bottom), (BODY, INK), Align::Left)?;
    }
    bottom = canvas.paragraph(&words.regions, (MARGIN, bottom + 50), WIDTH - 48, BODY, Align::Left)?;
    if let Some(shaky) = &words.shaky {
        bottom = canvas.paragraph(shaky, (MARGIN, bottom + 8), WIDTH - 48, BODY, Align::Left)?;
    }
    Ok(canvas.finish(bottom + 16))
}

/// The votes of the last map's cells over the face, with their numbers.
///
/// Every stride of two keeps the first of two pixels, so that a cell's input is centred on the first row and column of
/// its share of the crop. The rows are drawn there; the columns of the face and of its mirror image meet halfway.
fn vote_map(
    canvas: &mut Canvas,
    (left, top): (i32, i32),
    pixels: &[u8],
    votes: &Votes,
    words: &Words,
) -> Result<(), DrawError> {
    let cell = SIDE as f32 / votes.side.max(1) as f32;
    canvas.picture(&overlaid(pixels, SIDE, &votes.cells, votes.side, [0.0, -cell / 2.0, cell]), (left, top), COLUMN);
    let step = COLUMN as i32 / votes.side.max(1) as i32;
    for (index, vote) in votes.cells.iter().enumerate() {
        let (x, y) = ((index % votes.side) as i32 * step, (index / votes.side) as i32 * step);
        let at = (left + x + step / 2, top + (y - LETTER / 2).max(4));
        let text = number(*vote, 1, false, &words.decimal_mark);
        // A light edge around dark numbers, on any ground.
        for (dx, dy) in [(-2, 0), (2, 0), (0, -2), (0, 2)] {
            canvas.text(&text, (at.0 + dx, at.1 + dy), (NUMBER, WHITE), Align::Centre)?;
        }
        canvas.text(&text, at, (NUMBER, INK), Align::Centre)?;
    }
    Ok(())
}

/// The probability of each year of age.
pub fn ages(explanation: &Explanation, words: &Words, _: Detail) -> Result<RgbImage, DrawError> {
    let (mut canvas, top) = sheet(words, 3)?;
    let estimate = &explanation.face.estimate;
    let percent: Vec<f64> = estimate.age_probabilities.iter().map(|share| f64::from(*share) * 100.0).collect();
    let highest = percent.iter().copied().fold(1.0, f64::max) * 1.12;
    let (low, high) = (f64::from(estimate.age_interval.0), f64::from(estimate.age_interval.1));
    let median = f64::from(estimate.age());
    let label = canvas.style(BODY, INK);
    canvas.with_area(|area| {
        let area = area.clone().shrink((0, top), (WIDTH, CHART as u32));
        let mut chart = ChartBuilder::on(&area)
            .margin_left(24)
            .margin_right(30)
            .margin_top(10)
            .x_label_area_size(90)
            .y_label_area_size(110)
            .build_cartesian_2d(-0.5f64..100.5, 0.0..highest)?;
        chart.draw_series(std::iter::once(Rectangle::new(
            [(low, 0.0), (high, highest)],
            RGBColor(255, 236, 214).filled(),
        )))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(6)
            .y_labels(4)
            .x_desc(&words.axes[0])
            .y_desc(&words.axes[1])
            .label_style(label.clone())
            .axis_desc_style(label.clone())
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .bold_line_style(FAINT)
            .light_line_style(WHITE)
            .draw()?;
        let bar = |(year, share): (usize, &f64)| {
            let year = year as f64;
            Rectangle::new([(year - 0.45, 0.0), (year + 0.45, *share)], BLUE.filled())
        };
        chart.draw_series(percent.iter().enumerate().map(bar))?;
        let line = PathElement::new([(median, 0.0), (median, highest)], ORANGE.stroke_width(5));
        chart.draw_series(std::iter::once(line))?;
        Ok(())
    })?;
    let mut bottom = top + CHART + 10;
    for (colour, text) in [(ORANGE, Some(&words.median)), (RGBColor(255, 210, 160), Some(&words.range))] {
        let Some(text) = text else { continue };
        canvas.fill([MARGIN, bottom + 2, MARGIN + 32, bottom + 34], colour);
        bottom = canvas.paragraph(text, (MARGIN + 44, bottom), WIDTH - 92, BODY, Align::Left)? + 4;
    }
    if let Some(gender) = &words.gender {
        bottom = canvas.paragraph(gender, (MARGIN, bottom + 8), WIDTH - 48, BODY, Align::Left)? + 8;
        let female = (explanation.face.estimate.female_probability * (WIDTH - 48) as f32) as i32;
        canvas.fill([MARGIN, bottom, WIDTH as i32 - MARGIN, bottom + 24], FAINT);
        canvas.fill([MARGIN, bottom, MARGIN + female, bottom + 24], ORANGE);
        bottom += 34;
    }
    Ok(canvas.finish(bottom + 10))
}

/// Five framings with their guesses, and the nearest change that makes a difference.
pub fn change(explanation: &Explanation, words: &Words, _: Detail) -> Result<RgbImage, DrawError> {
    let (mut canvas, top) = sheet(words, 4)?;
    let same = std::iter::once(&explanation.face.crop);
    let crops = same.chain(explanation.framings().into_iter().map(|change| &change.crop));
    let mut bottom = top;
    for (index, (crop, lines)) in crops.zip(&words.framings).enumerate() {
        let left = MARGIN + index as i32 * (FRAMING as i32 + 13);
        canvas.picture(&grey(&normalised(crop), SIDE), (left, top), FRAMING);
        let mut below = top + FRAMING as i32 + 8;
        for line in lines {
            below = canvas.paragraph(line, (left, below), FRAMING, NUMBER, Align::Centre)?;
        }
        bottom = bottom.max(below);
    }
    bottom = canvas.paragraph(&words.tipping, (MARGIN, bottom + 16), WIDTH - 48, BODY, Align::Left)?;
    Ok(canvas.finish(bottom + 16))
}
