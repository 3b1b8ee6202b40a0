//! MobileNetV2's inverted residual as one candle operation.
//!
//! Source: Sandler et al. 2018. A 1×1 convolution widens the pixels, a 3×3 convolution runs over
//! each channel by itself, a 1×1 convolution narrows them again. The wide pixels are six times the
//! input and would go to memory and back twice; here they are made for a few output rows at a
//! time, in a buffer that stays in the cache. candle itself splits a convolution of each channel
//! by itself into one a channel, about twenty times slower than the work needs. `pulp` compiles
//! the loops for the instruction sets at hand and chooses when the program runs.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use pulp::{Simd, WithSimd};

use super::columns::with_scratch;
use super::convolution::{Epilogue, finish, values};
use super::product::{Matrix, Right, packed, product};

/// Bytes of wide pixels made at a time: they stay in a usual second-level cache.
const STRIP: usize = 768 << 10;

/// A 1×1 convolution.
#[derive(Debug, Clone)]
pub struct Pointwise {
    /// (in, out), packed.
    weight: Vec<f32>,
    epilogue: Epilogue,
}

impl Pointwise {
    /// With a weight (in, out), row by row, of as many outputs as the epilogue has biases.
    pub fn new(weight: &[f32], epilogue: Epilogue) -> Self {
        Self { weight: packed(weight, epilogue.bias.len()), epilogue }
    }
}

/// Widen, filter, narrow.
///
/// Input (batch, height, width, in) f32 → (batch, ⌈height / stride⌉, ⌈width / stride⌉, out) f32.
#[derive(Debug, Clone)]
pub struct Inverted {
    /// Absent where the pixels are as wide as they need be.
    pub expand: Option<Pointwise>,
    /// (3, 3, wide) and its bias; padded by one; ReLU follows.
    pub depthwise: (Vec<f32>, Vec<f32>),
    pub project: Pointwise,
    /// Step of the 3×3 convolution in both directions.
    pub stride: usize,
    /// Whether the input is added to the output.
    pub skips: bool,
}

impl CustomOp1 for Inverted {
    fn name(&self) -> &'static str {
        "inverted residual"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        let (wide, out_channels) = (self.depthwise.1.len(), self.project.epilogue.bias.len());
        let fits = self.expand.as_ref().map_or(channels == wide, |expand| {
            expand.weight.len() == channels * wide && expand.epilogue.bias.len() == wide
        });
        if !fits || self.depthwise.0.len() != 9 * wide || self.project.weight.len() != wide * out_channels {
            bail!("an inverted residual of {wide} channels to {out_channels} got {channels} channels")
        }
        if self.skips && (self.stride != 1 || channels != out_channels) {
            bail!("{channels} channels at stride {} cannot be added to {out_channels}", self.stride)
        }
        let (out_height, out_width) = (height.div_ceil(self.stride), width.div_ceil(self.stride));
        let mut out = vec![0.0; batch * out_height * out_width * out_channels];
        let size = (height * width * channels, out_height * out_width * out_channels);
        for (x, out) in values(x, layout)?.chunks_exact(size.0.max(1)).zip(out.chunks_exact_mut(size.1.max(1))) {
            self.picture(x, (height, width, channels), out);
        }
        Ok((CpuStorage::F32(out), Shape::from((batch, out_height, out_width, out_channels))))
    }
}

impl Inverted {
    fn picture(&self, x: &[f32], (height, width, channels): (usize, usize, usize), out: &mut [f32]) {
        let wide = self.depthwise.1.len();
        let out_channels = self.project.epilogue.bias.len();
        let (out_height, out_width) = (height.div_ceil(self.stride), width.div_ceil(self.stride));
        let (wide_row, filtered_row) = (width * wide, out_width * wide);
        let rows = (STRIP / 4).saturating_sub(2 * wide_row) / (self.stride * wide_row + filtered_row);
        let rows = rows.clamp(1, out_height);
        let arch = pulp::Arch::new();
        // The most input rows that a strip sees.
        let seen = (rows - 1) * self.stride + 3;
        let kept = if self.expand.is_some() { seen * wide_row } else { 0 };
        with_scratch(kept + rows * filtered_row + wide_row, |scratch| {
            let (widened, scratch) = scratch.split_at_mut(kept);
            let (filtered, nothing) = scratch.split_at_mut(rows * filtered_row);
            // The row above the first and the one below the last.
            nothing.fill(0.0);
            let mut done = 0;
            for (strip, out) in out.chunks_mut(rows * out_width * out_channels).enumerate() {
                let first = strip * rows;
                let last = (first + rows).min(out_height);
                // The input rows that this strip sees; the buffer begins with the first of them.
                let top = (first * self.stride).saturating_sub(1);
                let bottom = ((last - 1) * self.stride + 2).min(height);
                if let Some(expand) = &self.expand {
                    // What the strip before has made already moves to the front.
                    let from = done.max(top);
                    if strip > 0 {
                        let before = ((first - rows) * self.stride).saturating_sub(1);
                        widened.copy_within((top - before) * wide_row..(from - before) * wide_row, 0);
                    }
                    let fresh = &mut widened[(from - top) * wide_row..(bottom - top) * wide_row];
                    pointwise(expand, &x[from * width * channels..bottom * width * channels], None, fresh);
                    done = bottom;
                }
                let source = if self.expand.is_some() { &*widened } else { &x[top * wide_row..] };
                let filtered = &mut filtered[..(last - first) * filtered_row];
                for (row, line) in (first..last).zip(filtered.chunks_exact_mut(filtered_row)) {
                    let lines = [0, 1, 2].map(|ky| match (row * self.stride + ky).checked_sub(1) {
                        Some(y) if y < height => &source[(y - top) * wide_row..][..wide_row],
                        _ => &*nothing,
                    });
                    let (weight, bias) = (&self.depthwise.0[..], &self.depthwise.1[..]);
                    let nothing = &nothing[..wide];
                    arch.dispatch(FilterRow { lines, nothing, weight, bias, stride: self.stride, out: line });
                }
                let residual = self.skips.then(|| &x[first * width * channels..last * width * channels]);
                pointwise(&self.project, filtered, residual, out);
            }
        });
    }
}

/// One output row of the 3×3 convolution, from the three rows it sees.
struct FilterRow<'a> {
    lines: [&'a [f32]; 3],
    /// A pixel of zeros, for those beside the picture.
    nothing: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    stride: usize,
    out: &'a mut [f32],
}

impl WithSimd for FilterRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { lines, nothing, weight, bias, stride, out } = self;
        let wide = bias.len();
        let width = lines[0].len() / wide;
        let zero = simd.splat_f32s(0.0);
        let (bias_lanes, bias_tail) = S::as_simd_f32s(bias);
        let lanes = bias_lanes.len();
        let weights: [&[f32]; 9] = std::array::from_fn(|k| &weight[k * wide..][..wide]);
        let weight_lanes = weights.map(|weight| &S::as_simd_f32s(weight).0[..lanes]);
        for (out_x, out) in out.chunks_exact_mut(wide).enumerate() {
            let pixels: [&[f32]; 9] = std::array::from_fn(|k| match (out_x * stride + k % 3).checked_sub(1) {
                Some(x) if x < width => &lines[k / 3][x * wide..][..wide],
                _ => nothing,
            });
            let pixel_lanes = pixels.map(|pixel| &S::as_simd_f32s(pixel).0[..lanes]);
            let (out_lanes, out_tail) = S::as_mut_simd_f32s(out);
            let out_lanes = &mut out_lanes[..lanes];
            for at in 0..lanes {
                let mut sum = bias_lanes[at];
                for k in 0..9 {
                    sum = simd.mul_add_e_f32s(pixel_lanes[k][at], weight_lanes[k][at], sum);
                }
                out_lanes[at] = simd.max_f32s(sum, zero);
            }
            let first = wide - bias_tail.len();
            for (at, out) in out_tail.iter_mut().enumerate() {
                let products = pixels.iter().zip(weights).map(|(pixel, weight)| pixel[first + at] * weight[first + at]);
                *out = (bias_tail[at] + products.sum::<f32>()).max(0.0);
            }
        }
    }
}

/// Pixels (pixels, in) → (pixels, out).
fn pointwise(layer: &Pointwise, x: &[f32], residual: Option<&[f32]>, out: &mut [f32]) {
    let out_channels = layer.epilogue.bias.len();
    let channels = layer.weight.len() / out_channels;
    let pixels = x.len() / channels;
    product(out, Matrix::new(x, pixels, channels), Right::Packed(&layer.weight), out_channels, false);
    finish(out, residual, &layer.epilogue);
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    fn wave(shape: &[usize], step: f32) -> Tensor {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * step).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The same through candle's own operations.
    fn plain(
        x: &Tensor,
        expand: Option<(&Tensor, &Tensor)>,
        filter: (&Tensor, &Tensor),
        project: (&Tensor, &Tensor),
        stride: usize,
    ) -> Tensor {
        let point = |x: &Tensor, (weight, bias): (&Tensor, &Tensor)| {
            x.broadcast_matmul(weight).unwrap().broadcast_add(bias).unwrap()
        };
        let wide = expand.map_or_else(|| x.clone(), |expand| point(x, expand).relu().unwrap());
        let groups = wide.dim(3).unwrap();
        let kernels = filter.0.permute((2, 0, 1)).unwrap().contiguous().unwrap().unsqueeze(1).unwrap();
        let first = wide.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let filtered =
            first.conv2d(&kernels, 1, stride, 1, groups).unwrap().permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
        point(&filtered.broadcast_add(filter.1).unwrap().relu().unwrap(), project)
    }

    #[test]
    fn output_equals_that_of_candles_own_operations() {
        // The last ones need more than one strip.
        for (stride, height, width, wide) in
            [(1, 7, 9, 11), (2, 8, 6, 32), (1, 1, 1, 48), (2, 1, 3, 16), (1, 40, 64, 96), (2, 40, 64, 96)]
        {
            for (widens, skips) in [(true, stride == 1), (false, false)] {
                let channels = if widens { 5 } else { wide };
                let x = wave(&[2, height, width, channels], 0.7);
                let (ew, eb) = (wave(&[channels, wide], 0.31), wave(&[wide], 0.9));
                let (dw, db) = (wave(&[3, 3, wide], 0.3), wave(&[wide], 0.5));
                let (pw, pb) = (wave(&[wide, 5], 0.43), wave(&[5], 1.3));
                let layer = |weight: &Tensor, bias: &Tensor, relu: bool| {
                    Pointwise::new(&flat(weight), Epilogue { bias: flat(bias).into(), relu })
                };
                let operation = Inverted {
                    expand: widens.then(|| layer(&ew, &eb, true)),
                    depthwise: (flat(&dw), flat(&db)),
                    project: layer(&pw, &pb, false),
                    stride,
                    skips,
                };
                let ours = x.apply_op1_no_bwd(&operation).unwrap();
                let mut theirs = plain(&x, widens.then_some((&ew, &eb)), (&dw, &db), (&pw, &pb), stride);
                if skips {
                    theirs = (theirs + &x).unwrap();
                }
                let scale = theirs.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap().max(1.0);
                let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(worst / scale < 1e-5, "stride {stride}, {height}×{width}×{wide} differs by {worst} of {scale}");
            }
        }
    }
}
