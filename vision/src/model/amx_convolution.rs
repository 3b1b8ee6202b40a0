//! Convolutions of 8-bit weights on the matrix unit ([`super::amx`]).
//!
//! The integers of the weights are multiplied as they are; their channels' scales apply to the sums. Activations are rounded to
//! 16 bits of the largest of their picture (or of its part, if it is large), split into two bytes, and both are multiplied: a
//! guess is the same as by f32 but for the rounding. The weights take a byte each, a sixteenth of what Winograd's transform makes
//! of them.
//!
//! The rows of the padded pictures that an output row depends on are interleaved pixel by pixel: then all that an output pixel
//! depends on is contiguous, and the windows of any consecutive output pixels are equally spaced, as the unit reads them. Windows
//! over a row's end are multiplied as well, and left out.

use aligned_vec::AVec;
use pulp::bytemuck::cast_slice_mut;
use pulp::{Simd, WithSimd};

use super::amx::{CHUNK, MatrixUnit, Shape, Sums, TILE, TILE_BYTES, Tile, TileProduct, pack_tile};
use super::amx_windows::{Fill, MAX_PICTURES, Windows};
use super::epilogue::Epilogue;
use super::im2col::{ConvGeometry, parts, with_workspace};

/// Bytes of windows made at a time, read from the L2 cache.
const COPIED_BYTES: usize = 512 << 10;
/// Output pixels of one or two products.
const ROWS: usize = 2 * TILE;
/// Inputs of an output that 31 bits are enough for: 255 · 127 times as many are less.
const MAX_COLUMNS: usize = 1 << 16;
/// The largest number of an 8-bit weight.
const MAX_WEIGHT: f32 = 127.0;

/// Weights packed for the matrix unit.
#[derive(Debug, Clone)]
pub(super) struct TiledWeights {
    /// For each pair of tiles of output channels (the last may be one) and each chunk of the inputs: its tiles.
    tiles: AVec<u8>,
    /// Of each output channel; ones follow up to a multiple of a tile.
    scales: Vec<f32>,
}

impl TiledWeights {
    /// From a weight (kernel, kernel, in, out), if there is a matrix unit and the weights of each output channel are multiples of
    /// a 127th of the largest.
    pub(super) fn new(g: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        MatrixUnit::is_available().then(|| Self::pack(g, weight))?
    }

    fn pack(g: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        // More products of two bytes could exceed the 31 bits of their sum.
        if g.columns() > MAX_COLUMNS {
            return None;
        }
        let mut scales = vec![0f32; g.out_channels];
        for row in weight.chunks_exact(g.out_channels) {
            scales.iter_mut().zip(row).for_each(|(largest, weight)| *largest = largest.max(weight.abs()));
        }
        scales.iter_mut().for_each(|scale| *scale = if *scale > 0.0 { *scale / MAX_WEIGHT } else { 1.0 });
        let steps = |row: usize, column: usize| weight[row * g.out_channels + column] / scales[column];
        let is_whole = |at: usize| {
            let steps = steps(at / g.out_channels, at % g.out_channels);
            (steps - steps.round()).abs() < 1e-3
        };
        if !(0..weight.len()).all(is_whole) {
            return None;
        }
        let windows = Windows::new(g);
        let tiles = g.out_channels.div_ceil(TILE);
        let mut packed = AVec::with_capacity(0, tiles * g.columns().div_ceil(CHUNK) * TILE_BYTES);
        for first in (0..tiles).step_by(2) {
            for start in (0..g.columns()).step_by(CHUNK) {
                for tile in first..tiles.min(first + 2) {
                    packed.extend_from_slice(&pack_tile(|row, column| {
                        let (row, column) = (start + row, tile * TILE + column);
                        let inside = row < g.columns() && column < g.out_channels;
                        if inside { steps(windows.weight_row(row), column).round() as i8 } else { 0 }
                    }));
                }
            }
        }
        scales.resize(tiles * TILE, 1.0);
        Some(Self { tiles: packed, scales })
    }

    /// As [`super::convolution::forward`].
    pub(super) fn forward(
        &self,
        g: &ConvGeometry,
        input: &[f32],
        (epilogue, residual): (&Epilogue, Option<&[f32]>),
        out: &mut [f32],
    ) {
        let unit = MatrixUnit::configure().expect("the weights were packed for it");
        self.forward_with(g, input, (epilogue, residual), out, |product, sums| unit.multiply(product, sums));
    }

    fn forward_with(
        &self,
        g: &ConvGeometry,
        input: &[f32],
        (epilogue, residual): (&Epilogue, Option<&[f32]>),
        out: &mut [f32],
        mut multiply: impl FnMut(&TileProduct<'_>, &mut Sums),
    ) {
        assert!(input.len() == g.input_size() && out.len() == g.output_size());
        assert!(residual.is_none_or(|residual| residual.len() == out.len()));
        let (windows, arch) = (Windows::new(g), pulp::Arch::new());
        let chunks = g.columns().div_ceil(CHUNK);
        let fitting = COPIED_BYTES / (2 * windows.row_bytes()).max(1);
        for part in parts(g, (fitting / g.out_height().max(1)).min(MAX_PICTURES), fitting) {
            with_workspace(windows.workspace_size(&part), |workspace| {
                let values: &mut [u8] = cast_slice_mut(workspace);
                let mut steps = [0.0; MAX_PICTURES];
                let fill = Fill { windows: &windows, part: &part, input, steps: &mut steps, values: &mut *values };
                arch.dispatch(fill);
                let mut sums = Sums::default();
                for first in (0..windows.count(&part)).step_by(ROWS) {
                    let pixels: [[_; TILE]; 2] =
                        [first, first + TILE].map(|first| windows.pixels(&part, &steps, first));
                    let mut b = &*self.tiles;
                    for column in (0..g.out_channels).step_by(2 * TILE) {
                        let shape = if g.out_channels - column > TILE { Shape::Wide } else { Shape::Tall };
                        let product = |half: usize| TileProduct {
                            shape,
                            a: &values[(first + half * TILE) * windows.stride..],
                            lower: windows.plane(&part),
                            row_stride: windows.stride,
                            chunks,
                            b,
                        };
                        let mut finish = |sums: &Sums, tile: usize, half: usize, column: usize| {
                            let (sums, pixels) = (sums.0.each_ref().map(|sums| &sums[tile]), &pixels[half]);
                            let scales = &self.scales;
                            let out = &mut *out;
                            arch.dispatch(Finish { sums, pixels, column, scales, epilogue, residual, out });
                        };
                        match shape {
                            Shape::Wide => {
                                // The last 16 windows may all be beyond the end.
                                for half in (0..2).filter(|&half| pixels[half].iter().any(Option::is_some)) {
                                    multiply(&product(half), &mut sums);
                                    finish(&sums, 0, half, column);
                                    finish(&sums, 1, half, column + TILE);
                                }
                            }
                            Shape::Tall => {
                                multiply(&product(0), &mut sums);
                                finish(&sums, 0, 0, column);
                                finish(&sums, 1, 1, column);
                            }
                        }
                        b = &b[chunks * shape.columns() * TILE_BYTES..];
                    }
                }
            });
        }
    }
}

/// Scales the sums of a tile, adds bias and residual, applies ReLU and stores them.
struct Finish<'a> {
    /// Of the upper and the lower bytes.
    sums: [&'a Tile; 2],
    /// With the steps of their pictures.
    pixels: &'a [Option<(usize, f32)>; TILE],
    /// The first channel.
    column: usize,
    scales: &'a [f32],
    epilogue: &'a Epilogue,
    residual: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl WithSimd for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { sums: [upper, lower], pixels, column, epilogue, residual, out, .. } = self;
        let channels = epilogue.bias.len();
        let floor = if epilogue.relu { 0.0 } else { f32::NEG_INFINITY };
        let count = TILE.min(channels - column);
        let scales: [f32; TILE] = *self.scales[column..].first_chunk().expect("as long as the tiles");
        let mut biases = [0.0; TILE];
        biases[..count].copy_from_slice(&epilogue.bias[column..][..count]);
        for ((pixel, upper), lower) in pixels.iter().zip(upper).zip(lower) {
            let Some((pixel, step)) = *pixel else { continue };
            let at = pixel * channels + column;
            let sums: [f32; TILE] = std::array::from_fn(|lane| upper[lane] as f32 * 256.0 + lower[lane] as f32);
            let mut values: [f32; TILE] = std::array::from_fn(|lane| sums[lane] * (scales[lane] * step) + biases[lane]);
            if count < TILE {
                let skips = residual.map(|residual| &residual[at..][..count]).into_iter().flatten();
                values.iter_mut().zip(skips).for_each(|(value, skip)| *value += skip);
                out[at..][..count].iter_mut().zip(values).for_each(|(out, value)| *out = value.max(floor));
                continue;
            }
            // Whole tiles are vectors of a known length.
            if let Some(residual) = residual {
                let skips: &[f32; TILE] = residual[at..].first_chunk().expect("as long as the output");
                values = std::array::from_fn(|lane| values[lane] + skips[lane]);
            }
            let out: &mut [f32; TILE] = out[at..].first_chunk_mut().expect("a whole tile");
            *out = values.map(|value| if value > floor { value } else { floor });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{amx, convolution, detector, estimator};
    use super::*;

    fn wave(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|at| (at as f32 * step).sin() + (at as f32 * step * 7.3).cos()).collect()
    }

    /// Weights as those of a file of 8 bits.
    fn weights(g: &ConvGeometry) -> Vec<f32> {
        let scale = |channel: usize| 0.001 * (1 + channel) as f32;
        let mut weight = wave(g.columns() * g.out_channels, 0.77);
        for row in weight.chunks_exact_mut(g.out_channels) {
            for (channel, weight) in row.iter_mut().enumerate() {
                *weight = (*weight * 60.0).round() * scale(channel);
            }
        }
        // The largest of each channel is 127 steps, and one channel is empty.
        (0..g.out_channels).for_each(|channel| weight[channel] = 127.0 * scale(channel));
        weight.iter_mut().skip(2).step_by(g.out_channels).for_each(|weight| *weight = 0.0);
        weight
    }

    #[test]
    fn the_output_is_that_of_f32_at_every_size() {
        for (kernel, stride, [height, width], channels, out_channels) in [
            (3, 1, [9, 7], 5, 8),
            (3, 1, [4, 4], 32, 17),
            (3, 1, [1, 1], 40, 33),
            (3, 1, [90, 80], 48, 48),
            (3, 2, [10, 8], 3, 6),
            (3, 2, [7, 9], 16, 24),
            (1, 1, [6, 6], 4, 9),
            (1, 2, [8, 6], 5, 7),
            (1, 2, [7, 9], 40, 16),
            (7, 4, [17, 21], 1, 32),
            (7, 4, [300, 600], 1, 4),
            // Two pictures in the first part, and one in the second.
            (3, 1, [20, 40], 48, 16),
            (1, 2, [1, 1], 40, 16),
            (3, 2, [1, 1], 40, 33),
            (3, 1, [5, 1], 2, 3),
            (3, 1, [1, 9], 1024, 16),
        ] {
            let g = ConvGeometry { batch: 3, height, width, channels, out_channels, kernel, stride };
            // Pictures of different brightness, each of which has its own steps.
            let mut input = wave(g.input_size(), 0.31);
            for (picture, values) in input.chunks_exact_mut(height * width * channels).enumerate() {
                values.iter_mut().for_each(|value| *value *= 10f32.powi(picture as i32 - 1));
            }
            let weight = weights(&g);
            let (skips, bias) = (wave(g.output_size(), 0.53), wave(out_channels, 1.1).into());
            let packed = TiledWeights::pack(&g, &weight).unwrap();
            for (residual, relu) in [(None, false), (Some(&*skips), true)] {
                let epilogue = Epilogue { bias: std::sync::Arc::clone(&bias), relu };
                let mut expected = vec![f32::NAN; g.output_size()];
                let vectors = convolution::Weights::new(&g, &weight);
                convolution::forward(&g, &vectors, &input, (Some(&epilogue), residual), &mut expected);
                let mut actual = vec![f32::NAN; g.output_size()];
                packed.forward_with(&g, &input, (&epilogue, residual), &mut actual, amx::tests::multiply);
                let size = g.output_size() / g.batch;
                for (actual, expected) in actual.chunks_exact(size).zip(expected.chunks_exact(size)) {
                    let scale = expected.iter().fold(0f32, |max, value| max.max(value.abs()));
                    let worst = actual.iter().zip(expected).fold(0f32, |max, (a, b)| max.max((a - b).abs()));
                    assert!(
                        worst < 3e-4 * scale,
                        "{kernel}×{kernel} stride {stride}, {height}×{width}: {worst} of {scale}"
                    );
                }
            }
        }
    }

    #[test]
    fn weights_that_are_not_of_8_bits_are_left_to_other_kernels() {
        let g = ConvGeometry { batch: 1, height: 4, width: 4, channels: 3, out_channels: 4, kernel: 3, stride: 1 };
        let mut weight = weights(&g);
        weight[5] *= 1.01;
        assert!(TiledWeights::pack(&g, &weight).is_none());
    }

    #[test]
    fn every_convolution_of_the_compiled_in_networks_can_use_the_unit() {
        for file in [estimator::embedded(), detector::embedded()] {
            let tensors = super::super::weights::load(file).unwrap();
            let kernels = tensors.iter().filter_map(|(name, tensor)| Some((name, tensor.dims4().ok()?, tensor)));
            for (name, (kernel, _, channels, out_channels), tensor) in kernels {
                let g = ConvGeometry { batch: 1, height: 8, width: 8, channels, out_channels, kernel, stride: 1 };
                let weight = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(TiledWeights::pack(&g, &weight).is_some(), "{name}");
            }
        }
    }
}
