//! A filter at work: the first layer's filters with their maps, and one channel of a deeper layer.

use std::sync::OnceLock;

use super::{SIDE, peak};
use crate::face::{CropFrame, FaceCrop};
use crate::model::ModelError;
use crate::model::estimator::Estimator;
use crate::model::read_out::{Filter, Map};

/// How many of the strongest filters are shown.
const SHOWN: usize = 8;
/// Stride of the first layer.
pub const STRIDE: usize = 2;
/// Side, in pixels of the crop, of the patch that is shown of what a deeper channel responds to: about what most
/// of a cell's response depends on.
const PATCH: usize = 48;

/// A filter at one place: nine products and their sum.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterAtWork {
    /// Index of the filter.
    pub filter: usize,
    /// Left edge of the nine pixels in the crop; -1 where they reach beyond it.
    pub left: i32,
    /// Top edge, as `left`.
    pub top: i32,
    /// The grey values, 0 to 255; absent outside the crop.
    pub pixels: [Option<u8>; 9],
    /// The same standardised, as the network gets them; 0 outside the crop.
    pub inputs: [f32; 9],
    /// The filter.
    pub weights: [f32; 9],
    /// Inputs times weights.
    pub products: [f32; 9],
    /// The sum of the products.
    pub sum: f32,
    /// Added to the sum.
    pub bias: f32,
    /// The sum and the bias, or 0 if that is negative: the value in the map.
    pub output: f32,
}

/// A filter of the first layer and its whole map.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterMap {
    /// Index of the filter.
    pub filter: usize,
    /// Its weights (3, 3).
    pub weights: [f32; 9],
    /// Its bias.
    pub bias: f32,
    /// Cells along each side of the map.
    pub side: usize,
    /// The map, row-major.
    pub map: Vec<f32>,
    /// Mean of the map.
    pub mean: f32,
    /// Largest value of the map.
    pub peak: f32,
}

/// The place that a channel responds to most, in one face.
#[derive(Debug, Clone, PartialEq)]
pub struct Favourite {
    /// Left edge of the patch in the crop, in pixels.
    pub left: usize,
    /// Top edge.
    pub top: usize,
    /// Side of the patch.
    pub side: usize,
    /// The channel's response.
    pub peak: f32,
    /// The patch, row-major grey values.
    pub pixels: Vec<u8>,
}

/// A channel of a deeper layer: where it responds, and the patches to which it responds most.
///
/// The faces that the network was trained on may not be shown; the bundled mean of many faces may.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepChannel {
    /// Index of the channel.
    pub channel: usize,
    /// Number of channels of its layer.
    pub channels: usize,
    /// Cells along each side of the map.
    pub side: usize,
    /// Its map for this face, row-major.
    pub map: Vec<f32>,
    /// The patch of this face with the strongest response.
    pub here: Favourite,
    /// The patch of the mean of many faces with the strongest response.
    pub mean_face: Favourite,
}

/// The filters that respond most over the whole face, by the mean of their maps.
pub(super) fn strongest(filters: &[Filter], first: &Map) -> Vec<FilterMap> {
    let map = |(filter, Filter { weights, bias }): (usize, &Filter)| {
        let map = first.channel(filter);
        let mean = map.iter().sum::<f32>() / map.len().max(1) as f32;
        let peak = map.get(peak(&map)).copied().unwrap_or_default();
        FilterMap { filter, weights: *weights, bias: *bias, side: first.side, mean, peak, map }
    };
    let mut maps: Vec<FilterMap> = filters.iter().enumerate().map(map).collect();
    maps.sort_by(|one, other| other.mean.total_cmp(&one.mean));
    maps.truncate(SHOWN);
    maps
}

/// The strongest filter at the place where it responds most.
pub(super) fn at_work(crop: &FaceCrop, picture: &[f32], filters: &[Filter], strongest: &[FilterMap]) -> FilterAtWork {
    let (filter, place, side) = strongest.first().map_or((0, 0, 1), |map| (map.filter, peak(&map.map), map.side));
    let (weights, bias) = filters.get(filter).map_or(([0.0; 9], 0.0), |filter| (filter.weights, filter.bias));
    // Padded by one pixel: output x is computed from the inputs 2x - 1 to 2x + 1.
    let corner = |at: usize| (STRIDE * at) as i32 - 1;
    let (left, top) = (corner(place % side), corner(place / side));
    let index = |tap: usize| {
        let (x, y) = (left + (tap % 3) as i32, top + (tap / 3) as i32);
        let inside = |at: i32| (0..SIDE as i32).contains(&at);
        (inside(x) && inside(y)).then(|| y as usize * SIDE + x as usize)
    };
    let pixels = std::array::from_fn(|tap| index(tap).map(|at| crop.pixels()[at]));
    let inputs: [f32; 9] = std::array::from_fn(|tap| index(tap).map_or(0.0, |at| picture[at]));
    let products: [f32; 9] = std::array::from_fn(|tap| inputs[tap] * weights[tap]);
    let sum: f32 = products.iter().sum();
    FilterAtWork { filter, left, top, pixels, inputs, weights, products, sum, bias, output: (sum + bias).max(0.0) }
}

/// The channel of the deeper map that responds most to one place of this face, away from the map's border.
pub(super) fn deep_channel(estimator: &Estimator, crop: &FaceCrop, deep: &Map) -> Result<DeepChannel, ModelError> {
    let side = deep.side;
    let inner_peak = |map: Vec<f32>| map.get(inner_peak(&map, side)).copied().unwrap_or_default();
    let peaks: Vec<f32> = (0..deep.channels).map(|channel| inner_peak(deep.channel(channel))).collect();
    let channel = peak(&peaks);
    let mean_face = mean_face();
    let there = estimator.read_out(&mean_face.standardise())?.deep;
    let map = deep.channel(channel);
    Ok(DeepChannel {
        channel,
        channels: deep.channels,
        side,
        here: favourite(crop, &map, side),
        mean_face: favourite(mean_face, &there.channel(channel), side),
        map,
    })
}

/// The place of the largest value of a map, not counting two cells at its border.
fn inner_peak(map: &[f32], side: usize) -> usize {
    let is_inner = |at: usize| (2..side.saturating_sub(2)).contains(&at);
    let inner = (0..map.len()).filter(|place| is_inner(place % side) && is_inner(place / side));
    inner.max_by(|one, other| map[*one].total_cmp(&map[*other])).unwrap_or(0)
}

/// The patch around the largest value of a map.
fn favourite(crop: &FaceCrop, map: &[f32], side: usize) -> Favourite {
    let place = inner_peak(map, side);
    // The centre of a cell's input is at the first pixel of its share of the crop: every stride of two keeps the
    // first of two pixels.
    let corner = |at: usize| (at * SIDE / side.max(1)).saturating_sub(PATCH / 2).min(SIDE - PATCH);
    let (left, top) = (corner(place % side.max(1)), corner(place / side.max(1)));
    let rows = crop.pixels().chunks(SIDE).skip(top).take(PATCH);
    let pixels = rows.flat_map(|row| &row[left..][..PATCH]).copied().collect();
    Favourite { left, top, side: PATCH, peak: map.get(place).copied().unwrap_or_default(), pixels }
}

/// The bundled mean of many faces, which may be shown.
fn mean_face() -> &'static FaceCrop {
    static MEAN_FACE: OnceLock<FaceCrop> = OnceLock::new();
    MEAN_FACE.get_or_init(|| {
        let face = image::load_from_memory(include_bytes!("../../models/mean-face.jpg")).unwrap_or_default().to_luma8();
        FaceCrop::cut(&face, &CropFrame::whole(&face))
    })
}
