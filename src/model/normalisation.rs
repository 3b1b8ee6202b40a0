//! Batch normalisation with its residual and ReLU, for training.
//!
//! Source: Ioffe & Szegedy 2015. At export the statistics are folded into the convolution before
//! it, so that inference never normalises. Pixels are taken a block at a time: what is summed
//! twice is still in the first-level cache, and sums of a block in f32 go to totals in f64.

use pulp::{Simd, WithSimd};

use super::lanes::Lanes;

/// Added to the variance before its root.
pub const EPSILON: f32 = 1e-5;
/// Values of a block.
const BLOCK: usize = 4096;

/// Mean and variance of one batch, a value each for every channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    pub mean: Vec<f32>,
    /// Biased (divided by the number of pixels).
    pub variance: Vec<f32>,
}

/// Statistics of pixels (pixels, channels).
pub(crate) fn statistics(x: &[f32], channels: usize) -> Statistics {
    let (mut mean, mut spread) = (vec![0.0f64; channels], vec![0.0f64; channels]);
    let (mut sums, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
    let mut before = 0.0;
    for x in x.chunks(block_size(channels)) {
        pulp::Arch::new().dispatch(Moments { x, sums: &mut sums, squares: &mut squares });
        // Two samples' means and squared deviations become one's (Chan, Golub & LeVeque 1979).
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

/// Scale and shift that stand for normalisation and `affine` (scales, then shifts) together.
pub fn folded(statistics: &Statistics, affine: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (scale, shift) = affine.split_at(statistics.mean.len());
    let scale: Vec<f32> =
        scale.iter().zip(&statistics.variance).map(|(scale, variance)| scale / (variance + EPSILON).sqrt()).collect();
    let shift =
        shift.iter().zip(&statistics.mean).zip(&scale).map(|((shift, mean), scale)| shift - mean * scale).collect();
    (scale, shift)
}

/// Fills `out` with normalised, scaled and shifted pixels plus a residual, negative values zero
/// with `relu`.
pub(crate) fn normalise(
    x: &[f32],
    statistics: &Statistics,
    affine: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
    out: &mut [f32],
) {
    let (scale, shift) = folded(statistics, affine);
    assert!(x.len() == out.len() && residual.is_none_or(|residual| residual.len() == x.len()));
    pulp::Arch::new().dispatch(Normalise { x, scale: &scale, shift: &shift, residual, relu, out });
}

/// The way back: `x` becomes its own gradient, `gradient` (of the output `out`) becomes that behind
/// the ReLU, which is the residual's; returns that of `affine`.
pub(crate) fn backward(
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
    // Sums over pixels of the gradient, and of the gradient times the centred input.
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
    let along: Vec<f32> = (0..channels).map(|c| -slope[c] * inverse[c] * (scale[c] / pixels) as f32).collect();
    let constant: Vec<f32> =
        (0..channels).map(|c| -along[c] * statistics.mean[c] - slope[c] * (shift[c] / pixels) as f32).collect();
    pulp::Arch::new().dispatch(Combine { x, gradient, slope: &slope, along: &along, constant: &constant });
    scale.iter().chain(&shift).map(|value| *value as f32).collect()
}

fn block_size(channels: usize) -> usize {
    (BLOCK / channels).max(1) * channels
}

/// Sums of a block and of its squared deviations from its own mean.
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
        for lanes in Lanes::all::<S>(channels) {
            let mut sum = simd.splat_f32s(0.0);
            for pixel in 0..pixels {
                sum = simd.add_f32s(sum, lanes.load(simd, self.x, pixel));
            }
            let mean = simd.mul_f32s(sum, share);
            let mut squares = simd.splat_f32s(0.0);
            for pixel in 0..pixels {
                let deviation = simd.sub_f32s(lanes.load(simd, self.x, pixel), mean);
                squares = simd.mul_add_e_f32s(deviation, deviation, squares);
            }
            lanes.store(simd, self.sums, 0, sum);
            lanes.store(simd, self.squares, 0, squares);
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
            for lanes in Lanes::all::<S>(channels) {
                let (scale, shift) = (lanes.load(simd, self.scale, 0), lanes.load(simd, self.shift, 0));
                let mut value = simd.mul_add_e_f32s(lanes.load(simd, self.x, pixel), scale, shift);
                if let Some(residual) = self.residual {
                    value = simd.add_f32s(value, lanes.load(simd, residual, pixel));
                }
                lanes.store(simd, self.out, pixel, simd.max_f32s(value, floor));
            }
        }
    }
}

/// Stops the gradient of a block where `out` is zero and sums it up.
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
        for lanes in Lanes::all::<S>(channels) {
            let mean = lanes.load(simd, self.mean, 0);
            let (mut sum, mut product) = (zero, zero);
            for pixel in 0..self.x.len() / channels {
                let mut gradient = lanes.load(simd, self.gradient, pixel);
                if let Some(out) = self.out {
                    let open = simd.greater_than_f32s(lanes.load(simd, out, pixel), zero);
                    gradient = simd.select_f32s(open, gradient, zero);
                    lanes.store(simd, self.gradient, pixel, gradient);
                }
                let centred = simd.sub_f32s(lanes.load(simd, self.x, pixel), mean);
                sum = simd.add_f32s(sum, gradient);
                product = simd.mul_add_e_f32s(gradient, centred, product);
            }
            lanes.store(simd, self.sums, 0, sum);
            lanes.store(simd, self.products, 0, product);
        }
    }
}

/// x = slope · gradient + along · x + constant
struct Combine<'a> {
    x: &'a mut [f32],
    gradient: &'a [f32],
    slope: &'a [f32],
    along: &'a [f32],
    constant: &'a [f32],
}

impl WithSimd for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.slope.len();
        for pixel in 0..self.x.len() / channels {
            for lanes in Lanes::all::<S>(channels) {
                let of = |values: &[f32]| lanes.load(simd, values, 0);
                let (slope, along, constant) = (of(self.slope), of(self.along), of(self.constant));
                let value = simd.mul_add_e_f32s(lanes.load(simd, self.x, pixel), along, constant);
                let value = simd.mul_add_e_f32s(lanes.load(simd, self.gradient, pixel), slope, value);
                lanes.store(simd, self.x, pixel, value);
            }
        }
    }
}
