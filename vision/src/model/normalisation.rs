//! Batch normalisation with fused residual and ReLU, for training.
//!
//! Source: Ioffe & Szegedy 2015. At export the statistics are folded into the preceding
//! convolution, so that inference never normalises. Pixels are processed in blocks: the second pass
//! over a block reads from the L1 cache, and its f32 sums are accumulated in f64.

use pulp::{Simd, WithSimd};

use super::channel_blocks::ChannelBlock;

/// Added to the variance before taking its square root.
pub const EPSILON: f32 = 1e-5;
/// Values per block.
const BLOCK_VALUES: usize = 4096;

/// Mean and variance of one batch, per channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Biased (divided by the number of pixels).
    pub variance: Vec<f32>,
}

/// Statistics of pixels (pixels, channels).
pub fn statistics(x: &[f32], channels: usize) -> Statistics {
    let (mut mean, mut spread) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let (mut sums, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
    let mut before = 0.0;
    for x in x.chunks(block_size(channels)) {
        pulp::Arch::new().dispatch(Moments { x, sums: &mut sums, squares: &mut squares });
        // Merges the means and squared deviations of two samples (Chan, Golub & LeVeque 1979).
        let count = (x.len() / channels) as f64;
        let all = before + count;
        for channel in 0..channels {
            let distance = f64::from(sums[channel]) / count - mean[channel];
            mean[channel] += distance * count / all;
            spread[channel] += f64::from(squares[channel]) + distance * distance * before * count / all;
        }
        before = all;
    }
    let variance = spread.iter().map(|spread| (spread / before.max(1.0)) as f32).collect();
    Statistics { mean: mean.iter().map(|mean| *mean as f32).collect(), variance }
}

/// The scale and shift per channel that combine normalisation and `affine` (scales, then shifts).
pub fn fold(statistics: &Statistics, affine: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (scale, shift) = affine.split_at(statistics.mean.len());
    let scale: Vec<f32> =
        scale.iter().zip(&statistics.variance).map(|(scale, variance)| scale / (variance + EPSILON).sqrt()).collect();
    let shift =
        shift.iter().zip(&statistics.mean).zip(&scale).map(|((shift, mean), scale)| shift - mean * scale).collect();
    (scale, shift)
}

/// Fills `out` with the normalised, scaled and shifted pixels plus the residual, through ReLU if `relu`.
pub fn normalise(
    x: &[f32],
    statistics: &Statistics,
    affine: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
    out: &mut [f32],
) {
    let (scale, shift) = fold(statistics, affine);
    assert!(x.len() == out.len() && residual.is_none_or(|residual| residual.len() == x.len()));
    pulp::Arch::new().dispatch(Normalise { x, scale: &scale, shift: &shift, residual, relu, out });
}

/// The backward pass. `gradient` (of the output `out`) is replaced by the gradient before the ReLU,
/// which is that of the residual, and `x` by its own gradient; returns the gradient of `affine`.
pub fn backward(
    x: &mut [f32],
    out: &[f32],
    relu: bool,
    gradient: &mut [f32],
    statistics: &Statistics,
    affine: &[f32],
) -> Vec<f32> {
    assert!(x.len() == out.len() && x.len() == gradient.len());
    let channels = statistics.mean.len();
    let inverse: Vec<f32> = statistics.variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect();
    // Sums over the pixels: of the gradient, and of the gradient times the normalised input.
    let (mut shift, mut scale) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let (mut sums, mut products) = (vec![0.0; channels], vec![0.0; channels]);
    let size = block_size(channels);
    for ((x, out), gradient) in x.chunks(size).zip(out.chunks(size)).zip(gradient.chunks_mut(size)) {
        let mean = &statistics.mean;
        let out = relu.then_some(out);
        pulp::Arch::new().dispatch(Sums { x, mean, out, gradient, sums: &mut sums, products: &mut products });
        for channel in 0..channels {
            shift[channel] += f64::from(sums[channel]);
            scale[channel] += f64::from(products[channel] * inverse[channel]);
        }
    }
    // dx = (scale / σ) · (g − mean(g) − x̂ · mean(g · x̂)), as one multiply-add of g and x.
    let pixels = (x.len() / channels) as f64;
    let slope: Vec<f32> = affine[..channels].iter().zip(&inverse).map(|(scale, inverse)| scale * inverse).collect();
    let x_slope: Vec<f32> = (0..channels).map(|c| -slope[c] * inverse[c] * (scale[c] / pixels) as f32).collect();
    let constant: Vec<f32> =
        (0..channels).map(|c| -x_slope[c] * statistics.mean[c] - slope[c] * (shift[c] / pixels) as f32).collect();
    pulp::Arch::new().dispatch(Combine { x, gradient, slope: &slope, x_slope: &x_slope, constant: &constant });
    scale.iter().chain(&shift).map(|value| *value as f32).collect()
}

fn block_size(channels: usize) -> usize {
    (BLOCK_VALUES / channels).max(1) * channels
}

/// Per channel, a block's sum and its sum of squared deviations from its own mean.
struct Moments<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
    squares: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.sums.len();
        let pixels = self.x.len() / channels;
        let share = simd.splat_f32s(1.0 / pixels as f32);
        for block in ChannelBlock::all::<S>(channels) {
            let mut sum = simd.splat_f32s(0.0);
            for pixel in 0..pixels {
                sum = simd.add_f32s(sum, block.load(simd, self.x, pixel));
            }
            let mean = simd.mul_f32s(sum, share);
            let mut squares = simd.splat_f32s(0.0);
            for pixel in 0..pixels {
                let deviation = simd.sub_f32s(block.load(simd, self.x, pixel), mean);
                squares = simd.mul_add_e_f32s(deviation, deviation, squares);
            }
            block.store(simd, self.sums, 0, sum);
            block.store(simd, self.squares, 0, squares);
        }
    }
}

struct Normalise<'a> {
    x: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    residual: Option<&'a [f32]>,
    relu: bool,
    out: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.scale.len();
        let floor = simd.splat_f32s(if self.relu { 0.0 } else { f32::MIN });
        for pixel in 0..self.x.len() / channels {
            for block in ChannelBlock::all::<S>(channels) {
                let (scale, shift) = (block.load(simd, self.scale, 0), block.load(simd, self.shift, 0));
                let mut value = simd.mul_add_e_f32s(block.load(simd, self.x, pixel), scale, shift);
                if let Some(residual) = self.residual {
                    value = simd.add_f32s(value, block.load(simd, residual, pixel));
                }
                block.store(simd, self.out, pixel, simd.max_f32s(value, floor));
            }
        }
    }
}

/// Zeroes the gradient of a block where `out` is zero (ReLU), and sums it and its product with centred `x`.
struct Sums<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    /// Absent without ReLU.
    out: Option<&'a [f32]>,
    gradient: &'a mut [f32],
    sums: &'a mut [f32],
    products: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.mean.len();
        let zero = simd.splat_f32s(0.0);
        for block in ChannelBlock::all::<S>(channels) {
            let mean = block.load(simd, self.mean, 0);
            let (mut sum, mut product) = (zero, zero);
            for pixel in 0..self.x.len() / channels {
                let mut gradient = block.load(simd, self.gradient, pixel);
                if let Some(out) = self.out {
                    let active = simd.greater_than_f32s(block.load(simd, out, pixel), zero);
                    gradient = simd.select_f32s(active, gradient, zero);
                    block.store(simd, self.gradient, pixel, gradient);
                }
                let centred = simd.sub_f32s(block.load(simd, self.x, pixel), mean);
                sum = simd.add_f32s(sum, gradient);
                product = simd.mul_add_e_f32s(gradient, centred, product);
            }
            block.store(simd, self.sums, 0, sum);
            block.store(simd, self.products, 0, product);
        }
    }
}

/// x = slope · gradient + x_slope · x + constant
struct Combine<'a> {
    x: &'a mut [f32],
    gradient: &'a [f32],
    slope: &'a [f32],
    x_slope: &'a [f32],
    constant: &'a [f32],
}

impl WithSimd for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.slope.len();
        for pixel in 0..self.x.len() / channels {
            for block in ChannelBlock::all::<S>(channels) {
                let load = |values: &[f32]| block.load(simd, values, 0);
                let (slope, x_slope, constant) = (load(self.slope), load(self.x_slope), load(self.constant));
                let value = simd.mul_add_e_f32s(block.load(simd, self.x, pixel), x_slope, constant);
                let value = simd.mul_add_e_f32s(block.load(simd, self.gradient, pixel), slope, value);
                block.store(simd, self.x, pixel, value);
            }
        }
    }
}
