//! Depthwise 3×3 convolution as a candle operation.
//!
//! candle splits a grouped convolution into one convolution a channel, about twenty times slower
//! than the work needs. With channels last, each of the nine taps is one multiply-add over a
//! contiguous run of channels; `pulp` compiles the loop for the instruction sets at hand and
//! chooses when the program runs.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::convolution::values;

/// A 3×3 convolution of each channel by itself, padded by one, with bias and ReLU.
///
/// Input (batch, height, width, channels) f32, weight (3, 3, channels) f32
/// → (batch, ⌈height / stride⌉, ⌈width / stride⌉, channels) f32.
#[derive(Debug, Clone)]
pub struct Depthwise {
    pub stride: usize,
    /// One value a channel.
    pub bias: Arc<[f32]>,
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = lx.shape().dims4()?;
        if lw.dims() != [3, 3, channels] || self.bias.len() != channels {
            bail!("a depthwise convolution of {channels} channels got weights {:?}", lw.dims())
        }
        let (out_height, out_width) = (height.div_ceil(self.stride), width.div_ceil(self.stride));
        let (x, w) = (values(x, lx)?, values(w, lw)?);
        let mut out = vec![0.0; batch * out_height * out_width * channels];
        let simd = pulp::Arch::new();
        out.par_chunks_mut(out_width * channels).enumerate().for_each(|(row, line)| {
            let (image, out_y) = (row / out_height, row % out_height);
            let image = &x[image * height * width * channels..][..height * width * channels];
            simd.dispatch(
                #[inline(always)]
                || self.row(image, (height, width), w, out_y, line),
            );
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, out_height, out_width, channels))))
    }
}

impl Depthwise {
    #[inline(always)]
    fn row(&self, image: &[f32], (height, width): (usize, usize), w: &[f32], out_y: usize, line: &mut [f32]) {
        let channels = self.bias.len();
        for (out_x, out) in line.chunks_exact_mut(channels).enumerate() {
            out.copy_from_slice(&self.bias);
            for (tap, w) in w.chunks_exact(channels).enumerate() {
                let y = (out_y * self.stride + tap / 3).wrapping_sub(1);
                let x = (out_x * self.stride + tap % 3).wrapping_sub(1);
                if y < height && x < width {
                    let x = &image[(y * width + x) * channels..][..channels];
                    for ((out, x), w) in out.iter_mut().zip(x).zip(w) {
                        *out += x * w;
                    }
                }
            }
            out.iter_mut().for_each(|value| *value = value.max(0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    #[test]
    fn output_equals_that_of_candles_own_grouped_convolution() {
        let wave = |shape: &[usize], step: f32| {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| (i as f32 * step).sin()).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        for (stride, height, width) in [(1, 7, 9), (2, 8, 6), (1, 1, 1)] {
            let (x, w, bias) = (wave(&[2, height, width, 11], 0.7), wave(&[3, 3, 11], 0.3), wave(&[11], 0.9));
            let operation = Depthwise { stride, bias: bias.to_vec1().unwrap().into() };
            let ours = x.apply_op2_no_bwd(&w, &operation).unwrap();
            let channels_first = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
            let kernels = w.permute((2, 0, 1)).unwrap().contiguous().unwrap().unsqueeze(1).unwrap();
            let theirs = channels_first.conv2d(&kernels, 1, stride, 1, 11).unwrap();
            let theirs = theirs.permute((0, 2, 3, 1)).unwrap().broadcast_add(&bias).unwrap().relu().unwrap();
            let worst = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 1e-5, "stride {stride} differs by {worst}");
        }
    }
}
