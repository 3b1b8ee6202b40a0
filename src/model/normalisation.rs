//! Batch normalisation with its ReLU, and its residual, as one candle operation for training.
//!
//! Source: Ioffe & Szegedy 2015. One pass for the statistics and one for the output, instead of
//! the dozen element-wise passes of the plain operations; at export the statistics are folded
//! into the convolution before it, so that inference never normalises.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::convolution::{values, with_values};

/// Added to the variance before its root.
pub const EPSILON: f32 = 1e-5;
/// Pixels a partial sum covers: fixed, so that sums do not depend on the number of threads.
const PART: usize = 4096;

/// Mean and variance of one batch, a value each for every channel.
#[derive(Debug, Clone)]
pub struct Statistics {
    pub mean: Vec<f32>,
    /// Biased (divided by the number of pixels).
    pub variance: Vec<f32>,
}

/// Normalises over all but the last dimension, scales, shifts, adds a residual, applies ReLU.
///
/// Input (batch, height, width, channels) f32, affine (2, channels) holding scale then shift,
/// residual of the input's shape (with [`CustomOp3`]) → the input's shape.
///
/// One value is made for each application: it keeps the statistics for the backward pass.
#[derive(Debug)]
pub struct NormRelu {
    statistics: std::sync::Arc<OnceLock<Statistics>>,
    relu: bool,
}

impl NormRelu {
    /// The operation, and the place where the batch's statistics will be found after it ran.
    pub fn new(relu: bool) -> (Self, std::sync::Arc<OnceLock<Statistics>>) {
        let statistics = std::sync::Arc::new(OnceLock::new());
        (Self { statistics: statistics.clone(), relu }, statistics)
    }

    fn forward(&self, x: &[f32], affine: &[f32], residual: Option<&[f32]>, channels: usize) -> Vec<f32> {
        let statistics = self.statistics.get_or_init(|| statistics(x, channels));
        let (scale, shift) = folded(statistics, affine);
        let floor = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let mut out = vec![0.0; x.len()];
        let part = PART * channels;
        out.par_chunks_mut(part).enumerate().for_each(|(index, out)| {
            let x = &x[index * part..][..out.len()];
            let residual = residual.map(|residual| &residual[index * part..][..out.len()]);
            for (at, (out, x)) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)).enumerate() {
                for ((out, x), (scale, shift)) in out.iter_mut().zip(x).zip(scale.iter().zip(&shift)) {
                    *out = x * scale + shift;
                }
                if let Some(residual) = residual {
                    let skip = &residual[at * channels..][..channels];
                    out.iter_mut().zip(skip).for_each(|(out, skip)| *out += skip);
                }
                out.iter_mut().for_each(|out| *out = out.max(floor));
            }
        });
        out
    }

    /// Gradients of input, affine and (the gradient behind the ReLU) residual.
    fn backward(
        &self,
        x: &[f32],
        affine: &[f32],
        y: &[f32],
        gradient: &[f32],
    ) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
        let Some(statistics) = self.statistics.get() else { bail!("backward before forward") };
        let channels = statistics.mean.len();
        let part = PART * channels;
        let inverse: Vec<f32> = statistics.variance.iter().map(|variance| 1.0 / (variance + EPSILON).sqrt()).collect();
        let mut behind_relu = gradient.to_vec();
        // Sums over pixels of the gradient and of the gradient times the normalised input.
        let partial: Vec<(Vec<f32>, Vec<f32>)> = behind_relu
            .par_chunks_mut(part)
            .enumerate()
            .map(|(index, gradient)| {
                let (x, y) = (&x[index * part..][..gradient.len()], &y[index * part..][..gradient.len()]);
                if self.relu {
                    gradient
                        .iter_mut()
                        .zip(y)
                        .for_each(|(gradient, y)| *gradient = if *y > 0.0 { *gradient } else { 0.0 });
                }
                let (mut shift, mut scale) = (vec![0.0f32; channels], vec![0.0f32; channels]);
                for (gradient, x) in gradient.chunks_exact(channels).zip(x.chunks_exact(channels)) {
                    for (channel, (gradient, x)) in gradient.iter().zip(x).enumerate() {
                        shift[channel] += gradient;
                        scale[channel] += gradient * (x - statistics.mean[channel]);
                    }
                }
                scale.iter_mut().zip(&inverse).for_each(|(scale, inverse)| *scale *= inverse);
                (shift, scale)
            })
            .collect();
        let (mut shift, mut scale) = (vec![0.0f64; channels], vec![0.0f64; channels]);
        for (part_shift, part_scale) in &partial {
            shift.iter_mut().zip(part_shift).for_each(|(sum, value)| *sum += f64::from(*value));
            scale.iter_mut().zip(part_scale).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        // dx = (scale / σ) · (g − mean(g) − x̂ · mean(g · x̂)), as one multiply-add of g and x.
        let pixels = (x.len() / channels) as f64;
        let slope: Vec<f32> = affine[..channels].iter().zip(&inverse).map(|(scale, inverse)| scale * inverse).collect();
        let along: Vec<f32> = (0..channels).map(|c| slope[c] * inverse[c] * (scale[c] / pixels) as f32).collect();
        let constant: Vec<f32> =
            (0..channels).map(|c| along[c] * statistics.mean[c] - slope[c] * (shift[c] / pixels) as f32).collect();
        let mut dx = vec![0.0; x.len()];
        dx.par_chunks_mut(part).enumerate().for_each(|(index, dx)| {
            let (x, gradient) = (&x[index * part..][..dx.len()], &behind_relu[index * part..][..dx.len()]);
            let rows = dx.chunks_exact_mut(channels).zip(x.chunks_exact(channels).zip(gradient.chunks_exact(channels)));
            for (dx, (x, gradient)) in rows {
                for channel in 0..channels {
                    dx[channel] = slope[channel] * gradient[channel] - along[channel] * x[channel] + constant[channel];
                }
            }
        });
        let affine = scale.iter().chain(&shift).map(|value| *value as f32).collect();
        Ok((dx, affine, behind_relu))
    }

    fn backward_tensors(&self, x: &Tensor, affine: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<[Tensor; 3]> {
        let (dx, daffine, behind_relu) = with_values(gradient, |gradient| {
            with_values(x, |xs| {
                with_values(y, |y| with_values(affine, |affine| self.backward(xs, affine, y, gradient)))
            })
        })?;
        Ok([
            Tensor::from_vec(dx, x.shape(), x.device())?,
            Tensor::from_vec(daffine, affine.shape(), x.device())?,
            Tensor::from_vec(behind_relu, x.shape(), x.device())?,
        ])
    }
}

/// Scale and shift that stand for normalisation and affine together.
pub fn folded(statistics: &Statistics, affine: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (scale, shift) = affine.split_at(statistics.mean.len());
    let scale: Vec<f32> =
        scale.iter().zip(&statistics.variance).map(|(scale, variance)| scale / (variance + EPSILON).sqrt()).collect();
    let shift =
        shift.iter().zip(&statistics.mean).zip(&scale).map(|((shift, mean), scale)| shift - mean * scale).collect();
    (scale, shift)
}

fn statistics(x: &[f32], channels: usize) -> Statistics {
    let pixels = (x.len() / channels) as f64;
    let mean: Vec<f32> = sums(x, channels, |_, x| x).iter().map(|sum| (sum / pixels) as f32).collect();
    let variance = sums(x, channels, |channel, x| (x - mean[channel]) * (x - mean[channel]));
    Statistics { variance: variance.iter().map(|sum| (sum / pixels) as f32).collect(), mean }
}

/// The sum of `value(channel, x)` over all pixels, a channel each.
fn sums(x: &[f32], channels: usize, value: impl Fn(usize, f32) -> f32 + Sync) -> Vec<f64> {
    let part = |pixels: &[f32]| {
        let mut sum = vec![0.0f32; channels];
        for pixel in pixels.chunks_exact(channels) {
            for (channel, (sum, x)) in sum.iter_mut().zip(pixel).enumerate() {
                *sum += value(channel, *x);
            }
        }
        sum
    };
    let partial: Vec<Vec<f32>> = x.par_chunks(PART * channels).map(part).collect();
    let mut total = vec![0.0f64; channels];
    for part in partial {
        total.iter_mut().zip(part).for_each(|(sum, value)| *sum += f64::from(value));
    }
    total
}

fn checked(x: &Layout, affine: &Layout) -> Result<usize> {
    let channels = x.dims().last().copied().unwrap_or(0);
    if channels == 0 || affine.dims() != [2, channels] {
        bail!("normalising {:?} got scale and shift of {:?}", x.dims(), affine.dims())
    }
    Ok(channels)
}

impl CustomOp2 for NormRelu {
    fn name(&self) -> &'static str {
        "batch norm and ReLU"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, a: &CpuStorage, la: &Layout) -> Result<(CpuStorage, Shape)> {
        let channels = checked(lx, la)?;
        let out = self.forward(values(x, lx)?, values(a, la)?, None, channels);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, a: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, daffine, _] = self.backward_tensors(x, a, y, gradient)?;
        Ok((Some(dx), Some(daffine)))
    }
}

impl CustomOp3 for NormRelu {
    fn name(&self) -> &'static str {
        "batch norm, residual and ReLU"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        a: &CpuStorage,
        la: &Layout,
        r: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let channels = checked(lx, la)?;
        if lr.shape() != lx.shape() {
            bail!("a residual of {:?} cannot be added to {:?}", lr.shape(), lx.shape())
        }
        let out = self.forward(values(x, lx)?, values(a, la)?, Some(values(r, lr)?), channels);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        _: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, daffine, dresidual] = self.backward_tensors(x, a, y, gradient)?;
        Ok((Some(dx), Some(daffine), Some(dresidual)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{D, Device, Var};

    #[test]
    fn output_and_gradients_equal_those_of_the_plain_operations() {
        let wave = |shape: &[usize], step: f32| {
            let count: usize = shape.iter().product();
            let values = (0..count).map(|i| (i as f32 * step).sin() * 1.5 + 0.3).collect::<Vec<f32>>();
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        let (x, affine, residual) = (wave(&[3, 5, 4, 6], 0.37), wave(&[2, 6], 1.1), wave(&[3, 5, 4, 6], 0.71));
        let ours = x.apply_op3(&affine, &residual, NormRelu::new(true).0).unwrap();
        let flat = x.reshape(((), 6)).unwrap();
        let mean = flat.mean_keepdim(0).unwrap();
        let centred = flat.broadcast_sub(&mean).unwrap();
        let deviation = (centred.sqr().unwrap().mean_keepdim(0).unwrap() + f64::from(EPSILON)).unwrap().sqrt().unwrap();
        let normal = centred.broadcast_div(&deviation).unwrap();
        let scaled =
            normal.broadcast_mul(&affine.get(0).unwrap()).unwrap().broadcast_add(&affine.get(1).unwrap()).unwrap();
        let theirs = scaled.reshape((3, 5, 4, 6)).unwrap().add(&residual).unwrap().relu().unwrap();
        let close = |a: &Tensor, b: &Tensor| {
            let worst = (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(D::Minus1).unwrap();
            worst.to_scalar::<f32>().unwrap() < 2e-5
        };
        assert!(close(&ours, &theirs));
        let weighting = wave(&[3, 5, 4, 6], 0.53).as_tensor().detach();
        let ours = (ours * &weighting).unwrap().sum_all().unwrap().backward().unwrap();
        let theirs = (theirs * &weighting).unwrap().sum_all().unwrap().backward().unwrap();
        for var in [&x, &affine, &residual] {
            assert!(close(ours.get(var).unwrap(), theirs.get(var).unwrap()));
        }
    }
}
