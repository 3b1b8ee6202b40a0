//! Convolution as a candle operation over matrix products, forward and backward.
//!
//! candle's own CPU convolution gathers element by element and its backward pass transposes
//! several times over; at this network's sizes both cost about five times a matrix product.
//! Here activations are NHWC, so that one kernel row of one pixel is one contiguous copy; blocks
//! of output rows become columns (im2col) that fit the second-level cache and go to `gemm`.
//! Work is cut into blocks that do not depend on the number of threads, and partial sums are
//! added in a fixed order, so that results are the same to the bit on any pool.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::columns::{Geometry, Matrix, product, scatter_pixel, with_columns, with_scratch};

/// Bytes of columns built at a time for a forward product: half of a usual second-level cache.
const FORWARD_BLOCK: usize = 256 << 10;
/// For the weight gradient, whose output is as large as the weights: larger, so that it is
/// written less often.
const GRADIENT_BLOCK: usize = 1 << 20;

/// A square convolution without dilation or groups, padded by half its kernel.
///
/// Input (batch, height, width, in) f32, weight (kernel, kernel, in, out) f32
/// → (batch, ⌈height / stride⌉, ⌈width / stride⌉, out) f32.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Step in both directions.
    pub stride: usize,
    /// What happens to the output while it is still in the cache; inference only.
    pub epilogue: Option<Epilogue>,
}

/// Bias, then (with [`CustomOp3`]) a residual, then ReLU.
#[derive(Debug, Clone)]
pub struct Epilogue {
    /// One value an output channel.
    pub bias: Arc<[f32]>,
    /// Whether negative values become zero.
    pub relu: bool,
}

fn forward(
    g: &Geometry,
    input: &[f32],
    weight: &[f32],
    residual: Option<&[f32]>,
    epilogue: Option<&Epilogue>,
) -> Vec<f32> {
    let row_size = g.out_width * g.out_channels;
    let mut out = vec![0.0; g.rows() * row_size];
    let block = g.block_rows(FORWARD_BLOCK);
    out.par_chunks_mut(block * row_size).enumerate().for_each(|(index, out)| {
        let first = index * block;
        let last = first + out.len() / row_size;
        with_columns(g, input, first, last, |columns| {
            let columns = Matrix::new(columns, (last - first) * g.out_width, g.columns());
            product(out, columns, Matrix::new(weight, g.columns(), g.out_channels), false);
        });
        if let Some(epilogue) = epilogue {
            let residual = residual.map(|residual| &residual[first * row_size..][..out.len()]);
            finish(out, residual, epilogue);
        }
    });
    out
}

/// Applies `epilogue` to pixels (pixels, out), adding `residual` of the same shape.
pub(super) fn finish(out: &mut [f32], residual: Option<&[f32]>, epilogue: &Epilogue) {
    pulp::Arch::new().dispatch(Finish { out, residual, epilogue });
}

struct Finish<'a> {
    out: &'a mut [f32],
    residual: Option<&'a [f32]>,
    epilogue: &'a Epilogue,
}

impl WithSimd for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { out, residual, epilogue } = self;
        let floor = if epilogue.relu { 0.0 } else { f32::NEG_INFINITY };
        let floors = simd.splat_f32s(floor);
        let bias = &*epilogue.bias;
        let (bias_lanes, bias_tail) = S::as_simd_f32s(bias);
        for (at, pixel) in out.chunks_exact_mut(bias.len()).enumerate() {
            let (lanes, tail) = S::as_mut_simd_f32s(pixel);
            lanes.iter_mut().zip(bias_lanes).for_each(|(value, bias)| *value = simd.add_f32s(*value, *bias));
            tail.iter_mut().zip(bias_tail).for_each(|(value, bias)| *value += bias);
            if let Some(residual) = residual {
                let (skips, skip_tail) = S::as_simd_f32s(&residual[at * bias.len()..][..bias.len()]);
                lanes.iter_mut().zip(skips).for_each(|(value, skip)| *value = simd.add_f32s(*value, *skip));
                tail.iter_mut().zip(skip_tail).for_each(|(value, skip)| *value += skip);
            }
            lanes.iter_mut().for_each(|value| *value = simd.max_f32s(*value, floors));
            tail.iter_mut().for_each(|value| *value = value.max(floor));
        }
    }
}

/// Gradient with respect to the weight: columnsᵀ · gradient, summed over all output pixels.
fn weight_gradient(g: &Geometry, input: &[f32], gradient: &[f32]) -> Vec<f32> {
    let row_size = g.out_width * g.out_channels;
    let block = g.block_rows(GRADIENT_BLOCK);
    // Few partial sums, each of many blocks; their number depends on the sizes alone.
    let blocks = g.rows().div_ceil(block);
    let part_rows = blocks.div_ceil(blocks.min(8)) * block;
    let partial: Vec<Vec<f32>> = gradient
        .par_chunks(part_rows * row_size)
        .enumerate()
        .map(|(part, gradient)| {
            let mut sum = vec![0.0; g.columns() * g.out_channels];
            for (index, gradient) in gradient.chunks(block * row_size).enumerate() {
                let first = part * part_rows + index * block;
                let pixels = gradient.len() / g.out_channels;
                with_columns(g, input, first, first + pixels / g.out_width, |columns| {
                    let columns = Matrix::new(columns, pixels, g.columns()).transposed();
                    product(&mut sum, columns, Matrix::new(gradient, pixels, g.out_channels), index > 0);
                });
            }
            sum
        })
        .collect();
    let mut partial = partial.into_iter();
    let mut total = partial.next().unwrap_or_else(|| vec![0.0; g.columns() * g.out_channels]);
    for part in partial {
        total.iter_mut().zip(&part).for_each(|(sum, value)| *sum += value);
    }
    total
}

/// Gradient with respect to the input.
fn input_gradient(g: &Geometry, weight: &[f32], gradient: &[f32]) -> Vec<f32> {
    if g.stride == 1 {
        // The convolution of the gradient with the kernel turned by 180° and its channels swapped.
        let taps = g.kernel * g.kernel;
        let mut turned = vec![0.0; weight.len()];
        for (tap, values) in weight.chunks_exact(g.channels * g.out_channels).enumerate() {
            let target = &mut turned[(taps - 1 - tap) * values.len()..][..values.len()];
            for (channel, values) in values.chunks_exact(g.out_channels).enumerate() {
                for (out_channel, value) in values.iter().enumerate() {
                    target[out_channel * g.channels + channel] = *value;
                }
            }
        }
        let back = Geometry { channels: g.out_channels, out_channels: g.channels, ..*g };
        return forward(&back, gradient, &turned, None, None);
    }
    let image_size = g.height * g.width * g.channels;
    let mut input_gradient = vec![0.0; g.batch * image_size];
    let weight = Matrix::new(weight, g.columns(), g.out_channels).transposed();
    let gradient_size = g.out_height * g.out_width * g.out_channels;
    input_gradient.par_chunks_mut(image_size).zip(gradient.par_chunks(gradient_size)).for_each(|(image, gradient)| {
        let pixels = g.out_height * g.out_width;
        with_scratch(pixels * g.columns(), |columns| {
            product(columns, Matrix::new(gradient, pixels, g.out_channels), weight, false);
            for (pixel, columns) in columns.chunks_exact(g.columns()).enumerate() {
                scatter_pixel(g, columns, pixel / g.out_width, pixel % g.out_width, image);
            }
        });
    });
    input_gradient
}

/// The values of a contiguous f32 tensor on the CPU.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the operation wants contiguous input"),
    }
}

/// Runs `work` on the values of a tensor on the CPU, made contiguous first.
pub(super) fn with_values<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => work(values(storage, layout)?),
        _ => bail!("the operation runs on the CPU alone"),
    }
}

impl Convolution {
    /// A convolution for training: no epilogue.
    pub fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel, stride, epilogue: None }
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let g = Geometry::new(self.kernel, self.stride, lx.shape(), lw.shape())?;
        let out = forward(&g, values(x, lx)?, values(w, lw)?, None, self.epilogue.as_ref());
        Ok((CpuStorage::F32(out), g.output_shape()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = Geometry::new(self.kernel, self.stride, x.shape(), w.shape())?;
        let (dx, dw) = with_values(gradient, |gradient| {
            let dw = with_values(x, |x| Ok(weight_gradient(&g, x, gradient)))?;
            // A picture is the start of the graph: nobody asks for its gradient.
            let wanted = x.track_op();
            let dx = if wanted { Some(with_values(w, |w| Ok(input_gradient(&g, w, gradient)))?) } else { None };
            Ok((dx, dw))
        })?;
        let dx = dx.map(|dx| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?;
        Ok((dx, Some(Tensor::from_vec(dw, w.shape(), w.device())?)))
    }
}

/// With a residual of the output's shape, added before the ReLU.
impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        "convolution with residual"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        residual: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = Geometry::new(self.kernel, self.stride, lx.shape(), lw.shape())?;
        if lr.shape() != &g.output_shape() || self.epilogue.is_none() {
            bail!("a residual wants the output's shape {:?} and an epilogue, got {:?}", g.output_shape(), lr.shape())
        }
        let out = forward(&g, values(x, lx)?, values(w, lw)?, Some(values(residual, lr)?), self.epilogue.as_ref());
        Ok((CpuStorage::F32(out), g.output_shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Fixed values without a pattern, about -1 to 1.
    fn noise(shape: &[usize], seed: u32) -> Tensor {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let count = shape.iter().product();
        let values: Vec<f32> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .take(count)
        .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    /// The same through candle's own convolution.
    fn plain(x: &Tensor, w: &Tensor, stride: usize) -> Tensor {
        let kernel = w.dim(0).unwrap();
        let x = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let w = w.permute((3, 2, 0, 1)).unwrap().contiguous().unwrap();
        let y = x.conv2d(&w, kernel / 2, stride, 1, 1).unwrap();
        y.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
    }

    fn assert_close(a: &Tensor, b: &Tensor, what: &str) {
        assert_eq!(a.shape(), b.shape(), "{what}");
        let scale = b.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap().max(1.0);
        let worst = (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(worst / scale < 1e-5, "{what} differs by {worst} of {scale}");
    }

    #[test]
    fn output_and_gradients_equal_those_of_candles_own_convolution() {
        for (kernel, stride, height, width, channels, out) in
            [(3, 1, 9, 7, 5, 8), (3, 2, 10, 8, 3, 6), (1, 1, 6, 6, 4, 9), (1, 2, 8, 6, 5, 7), (3, 1, 40, 40, 24, 24)]
        {
            let what = format!("{kernel}×{kernel} stride {stride} on {height}×{width}");
            let x = Var::from_tensor(&noise(&[3, height, width, channels], 1)).unwrap();
            let w = Var::from_tensor(&noise(&[kernel, kernel, channels, out], 2)).unwrap();
            let ours = x.apply_op2(&w, Convolution::new(kernel, stride)).unwrap();
            let theirs = plain(&x, &w, stride);
            assert_close(&ours, &theirs, &what);
            let weighting = noise(ours.dims(), 3);
            let ours = (ours * &weighting).unwrap().sum_all().unwrap().backward().unwrap();
            let theirs = (theirs * &weighting).unwrap().sum_all().unwrap().backward().unwrap();
            assert_close(ours.get(&w).unwrap(), theirs.get(&w).unwrap(), &format!("weight gradient, {what}"));
            assert_close(ours.get(&x).unwrap(), theirs.get(&x).unwrap(), &format!("input gradient, {what}"));
        }
    }

    #[test]
    fn bias_residual_and_relu_come_in_that_order() {
        let x = noise(&[2, 6, 6, 4], 1);
        let w = noise(&[3, 3, 4, 5], 2);
        let residual = noise(&[2, 6, 6, 5], 3);
        let bias = noise(&[5], 4);
        let epilogue = Epilogue { bias: bias.to_vec1::<f32>().unwrap().into(), relu: true };
        let fused = Convolution { epilogue: Some(epilogue), ..Convolution::new(3, 1) };
        let ours = x.apply_op3_no_bwd(&w, &residual, &fused).unwrap();
        let theirs = plain(&x, &w, 1).broadcast_add(&bias).unwrap().add(&residual).unwrap().relu().unwrap();
        assert_close(&ours, &theirs, "fused");
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let x = Var::from_tensor(&noise(&[16, 32, 32, 8], 1)).unwrap();
        let w = Var::from_tensor(&noise(&[3, 3, 8, 16], 2)).unwrap();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let y = x.apply_op2(&w, Convolution::new(3, 1)).unwrap();
                let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                let read = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                (read(&y), read(gradients.get(&w).unwrap()), read(gradients.get(&x).unwrap()))
            })
        };
        assert!(run(1) == run(3));
    }
}
