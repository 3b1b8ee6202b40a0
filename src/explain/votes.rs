//! Who voted, and where: the exact contribution of each cell of the last map to a logit.
//!
//! The network ends in a mean over its last map and one linear layer, so a logit is a sum over the map's cells
//! (class activation mapping, Zhou et al. 2016). For such an ending the map is exact, not an approximation
//! (Draelos & Carin 2020). The logit of a year is taken relative to the mean of all years' logits, on which alone the
//! probabilities depend: the rest of the votes is common to all ages and looks alike with random weights.

use super::{SHAKY, rank_correlation};
use crate::model::read_out::{Map, Output, ReadOut};

/// The votes for one logit, of the face and its mirror image together, as the guess uses them.
#[derive(Debug, Clone, PartialEq)]
pub struct Votes {
    /// Cells along each side of the last map.
    pub side: usize,
    /// One vote per cell, row-major, as the photo shows the face.
    pub cells: Vec<f32>,
    /// Added to the sum of the votes.
    pub bias: f32,
    /// The logit: the sum of the votes and the bias.
    pub logit: f32,
    /// Rank correlation with the votes after a shift of one pixel.
    pub rank_correlation: f32,
}

impl Votes {
    /// Counts the votes for `output` in the last maps of a face and of its mirror image, and compares them with those
    /// after a shift.
    pub fn count(output: &Output, face: [&ReadOut; 2], after_shift: [&ReadOut; 2]) -> Self {
        let cells = cells(output, face.map(|read_out| &read_out.last));
        let shifted = self::cells(output, after_shift.map(|read_out| &read_out.last));
        Self {
            side: face[0].last.side,
            logit: cells.iter().sum::<f32>() + output.bias,
            rank_correlation: rank_correlation(&cells, &shifted),
            bias: output.bias,
            cells,
        }
    }

    /// Whether the map changes when the face moves by one pixel.
    pub fn is_shaky(&self) -> bool {
        self.rank_correlation <= SHAKY
    }
}

/// The mean of the votes in both maps, those of the mirror image turned back.
fn cells(output: &Output, [face, mirrored]: [&Map; 2]) -> Vec<f32> {
    let votes = |map: &Map| -> Vec<f32> {
        let share = (map.side * map.side) as f32;
        let vote = |pixel: &[f32]| pixel.iter().zip(&output.weights).map(|(value, weight)| value * weight).sum::<f32>();
        map.values.chunks_exact(map.channels.max(1)).map(|pixel| vote(pixel) / share).collect()
    };
    let turned = votes(mirrored);
    let back = turned.chunks(mirrored.side.max(1)).flat_map(|row| row.iter().rev());
    votes(face).iter().zip(back).map(|(one, other)| (one + other) / 2.0).collect()
}
