//! Convolution, forward for both networks and backward for training, and as a candle operation.
//!
//! candle's own CPU convolution gathers element by element and its backward pass transposes
//! several times over; at these networks' sizes both cost about five times a matrix product.
//! Here activations are NHWC. A 3×3 convolution of stride one goes through [`super::winograd`],
//! unless its maps are so small that reading the transformed weights would take longer than the
//! work they save; any other is a product with patches of the padded pictures, and its gradients
//! products with copies of them as columns, a block that fits the second-level cache at a time.
//! One call runs on one thread: work is shared out between pictures.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};

use super::columns::{Geometry, scatter_pixel, with_columns, with_patches, with_scratch};
use super::maps::Maps;
use super::product::{Matrix, Right, packed, product};
use super::winograd::{self, Backward, Forward, Grid};

/// Bytes of columns built at a time: half of a usual second-level cache.
const BLOCK: usize = 256 << 10;
/// Output pixels that are finished while they lie in the cache.
const FINISHED: usize = 240;

/// From so many tiles on Winograd's filtering is the faster one: its weights are four times as
/// large (measured at 192 channels, whose 5 MB come from the third-level cache: 1 tile 2.1 times
/// as long as columns take, 2 tiles 1.45 times, 4 tiles alike).
const TILES: usize = 4;

/// Weights in the form that their kernel wants, made once.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    /// (kernel² · in, out), packed.
    columns: Vec<f32>,
    /// Transformed and packed, where the kernel and its stride allow it.
    winograd: Option<Vec<f32>>,
}

impl Weights {
    /// From a weight (kernel, kernel, in, out).
    pub(crate) fn new(g: &Geometry, weight: &[f32]) -> Self {
        let winograd = g.is_filterable().then(|| winograd::transformed(weight, g.out_channels));
        Self { columns: packed(weight, g.out_channels), winograd }
    }

    /// The same with in and out exchanged, for the gradient of the input.
    pub(crate) fn transposed(g: &Geometry, weight: &[f32]) -> Self {
        let turned = |rows: usize, values: &[f32]| -> Vec<f32> {
            let columns = values.len() / rows;
            let column = |at: usize| values[at..].iter().step_by(columns);
            (0..columns).flat_map(column).copied().collect()
        };
        if g.is_filterable() {
            let taps = weight.chunks_exact(g.channels * g.out_channels);
            let taps: Vec<f32> = taps.flat_map(|tap| turned(g.channels, tap)).collect();
            Self { columns: Vec::new(), winograd: Some(winograd::transformed(&taps, g.channels)) }
        } else {
            Self { columns: packed(&turned(g.columns(), weight), g.columns()), winograd: None }
        }
    }
}

/// Bias, then (where there is one) a residual, then ReLU.
#[derive(Debug, Clone)]
pub struct Epilogue {
    /// One value an output channel.
    pub bias: Arc<[f32]>,
    /// Whether negative values become zero.
    pub relu: bool,
}

/// Fills `out` with the convolution of `input`, finished by the epilogue while still in the cache.
pub(crate) fn forward(
    g: &Geometry,
    weights: &Weights,
    input: &[f32],
    (epilogue, residual): (Option<&Epilogue>, Option<&[f32]>),
    out: &mut [f32],
) {
    assert!(input.len() == g.input_size() && out.len() == g.output_size());
    assert!(residual.is_none_or(|residual| residual.len() == out.len()));
    let grid = Grid::of(g);
    match &weights.winograd {
        Some(kernel) if grid.tiles() >= TILES => {
            let channels = (g.channels, g.out_channels);
            with_scratch(winograd::scratch_size(channels), |scratch| {
                pulp::Arch::new().dispatch(Forward { grid, channels, input, kernel, epilogue, residual, out, scratch });
            });
        }
        _ => {
            with_patches(g, input, |patches| {
                for (index, out) in out.chunks_mut(FINISHED * g.out_channels).enumerate() {
                    let first = index * FINISHED;
                    let patches = patches.range(first, out.len() / g.out_channels);
                    product(out, patches, Right::Packed(&weights.columns), g.out_channels, false);
                    if let Some(epilogue) = epilogue {
                        let residual = residual.map(|residual| &residual[first * g.out_channels..][..out.len()]);
                        finish(out, residual, epilogue);
                    }
                }
            });
        }
    }
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

/// The gradients of input (added to, where it is wanted) and weight (kernel, kernel, in, out), from
/// that of the output; `transposed` is [`Weights::transposed`].
pub(crate) fn backward(
    g: &Geometry,
    transposed: &Weights,
    input: &[f32],
    gradient: &[f32],
    input_gradient: Option<&mut [f32]>,
    weight_gradient: &mut [f32],
) {
    assert!(input.len() == g.input_size() && gradient.len() == g.output_size());
    match (&transposed.winograd, input_gradient) {
        (Some(transposed_kernel), Some(input_gradient)) => {
            let (grid, channels) = (Grid::of(g), (g.channels, g.out_channels));
            let kernel_size = transposed_kernel.len();
            with_scratch(winograd::scratch_size(channels) + kernel_size, |scratch| {
                let (kernel_gradient, scratch) = scratch.split_at_mut(kernel_size);
                kernel_gradient.fill(0.0);
                let kernel = &mut *kernel_gradient;
                pulp::Arch::new().dispatch(Backward {
                    grid,
                    channels,
                    input,
                    transposed_kernel,
                    gradient,
                    input_gradient,
                    kernel_gradient: kernel,
                    scratch,
                });
                winograd::untransform(kernel_gradient, weight_gradient);
            });
        }
        (None, input_gradient) => {
            weight_gradient_of_columns(g, input, gradient, weight_gradient);
            if let Some(input_gradient) = input_gradient {
                input_gradient_of_columns(g, &transposed.columns, gradient, input_gradient);
            }
        }
        (Some(_), None) => unreachable!("the first layer has a stride of two"),
    }
}

/// columnsᵀ · gradient, summed over all output pixels.
fn weight_gradient_of_columns(g: &Geometry, input: &[f32], gradient: &[f32], weight_gradient: &mut [f32]) {
    let row_size = g.out_width() * g.out_channels;
    let block = g.block_rows(BLOCK);
    for (index, gradient) in gradient.chunks(block * row_size).enumerate() {
        let first = index * block;
        let rows = gradient.len() / row_size;
        with_columns(g, input, first, first + rows, |columns| {
            let columns = Matrix::new(columns, rows * g.out_width(), g.columns()).transposed();
            product(weight_gradient, columns, Right::Rows(gradient), g.out_channels, index > 0);
        });
    }
}

/// gradient · weightᵀ as columns, each added to the pixels it came from.
fn input_gradient_of_columns(g: &Geometry, transposed: &[f32], gradient: &[f32], input_gradient: &mut [f32]) {
    let image_size = g.height * g.width * g.channels;
    let pixels = g.out_height() * g.out_width();
    let images = input_gradient.chunks_exact_mut(image_size).zip(gradient.chunks_exact(pixels * g.out_channels));
    with_scratch(pixels * g.columns(), |columns| {
        for (image, gradient) in images {
            let gradient = Matrix::new(gradient, pixels, g.out_channels);
            product(columns, gradient, Right::Packed(transposed), g.columns(), false);
            for (pixel, columns) in columns.chunks_exact(g.columns()).enumerate() {
                scatter_pixel(g, columns, pixel / g.out_width(), pixel % g.out_width(), image);
            }
        }
    });
}

/// The values of a contiguous f32 tensor on the CPU.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the operation wants contiguous input"),
    }
}

/// A convolution with its epilogue, as inference runs it.
///
/// Input (batch, height, width, in) f32, padded by half the kernel, and (with [`Self::apply`]) a
/// residual of the output's shape → (batch, ⌈height / stride⌉, ⌈width / stride⌉, out) f32.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Of one picture without extent: the sizes that do not depend on the input.
    geometry: Geometry,
    weights: Weights,
    epilogue: Epilogue,
}

impl Convolution {
    /// With a weight (kernel, kernel, in, out) of an odd kernel.
    ///
    /// # Errors
    /// When the weight has another shape or does not fit the bias.
    pub fn new(weight: &Tensor, stride: usize, epilogue: Epilogue) -> Result<Self> {
        let (kernel, width, channels, out_channels) = weight.dims4()?;
        if kernel != width || kernel.is_multiple_of(2) || stride == 0 || epilogue.bias.len() != out_channels {
            bail!("no convolution has weights of {:?} and {} biases", weight.dims(), epilogue.bias.len())
        }
        let geometry = Geometry { batch: 1, height: 0, width: 0, channels, out_channels, kernel, stride };
        let weights = Weights::new(&geometry, &weight.flatten_all()?.to_vec1::<f32>()?);
        Ok(Self { geometry, weights, epilogue })
    }

    /// Fills `out`, which takes the shape it needs.
    ///
    /// # Panics
    /// When `x` has other channels than the weight, or `residual` another shape than the output.
    pub(super) fn apply(&self, x: &Maps, residual: Option<&Maps>, out: &mut Maps) {
        let g = Geometry { batch: x.batch, height: x.height, width: x.width, ..self.geometry };
        out.reshape([g.batch, g.out_height(), g.out_width(), g.out_channels]);
        let residual = residual.map(Maps::values);
        forward(&g, &self.weights, x.values(), (Some(&self.epilogue), residual), out.values_mut());
    }
}

/// As a candle operation, without a residual.
impl CustomOp1 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        let g = Geometry { batch, height, width, ..self.geometry };
        if channels != g.channels {
            bail!("a convolution of {} to {} channels got {:?}", g.channels, g.out_channels, layout.dims())
        }
        let mut out = vec![0.0; g.output_size()];
        forward(&g, &self.weights, values(x, layout)?, (Some(&self.epilogue), None), &mut out);
        Ok((CpuStorage::F32(out), Shape::from((batch, g.out_height(), g.out_width(), g.out_channels))))
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

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn maps(tensor: &Tensor) -> Maps {
        let mut maps = Maps::default();
        maps.reshape(tensor.dims4().unwrap().into());
        maps.values_mut().copy_from_slice(&flat(tensor));
        maps
    }

    fn assert_close(ours: &[f32], theirs: &Tensor, what: &str) {
        let theirs = flat(theirs);
        assert_eq!(ours.len(), theirs.len(), "{what}");
        let scale = theirs.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        let worst = ours.iter().zip(&theirs).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(worst / scale < 1e-5, "{what} differs by {worst} of {scale}");
    }

    /// Kernel, stride, height, width, channels, output channels.
    const SIZES: [(usize, usize, usize, usize, usize, usize); 9] = [
        (3, 1, 9, 7, 5, 8),
        (3, 1, 1, 1, 3, 2),
        (3, 1, 4, 4, 32, 17),
        (3, 1, 40, 40, 24, 24),
        (3, 2, 10, 8, 3, 6),
        (3, 2, 7, 9, 16, 24),
        (1, 1, 6, 6, 4, 9),
        (1, 2, 8, 6, 5, 7),
        (7, 4, 17, 21, 1, 32),
    ];

    #[test]
    fn output_and_gradients_equal_those_of_candles_own_convolution() {
        for (kernel, stride, height, width, channels, out_channels) in SIZES {
            let what = format!("{kernel}×{kernel} stride {stride} on {height}×{width}");
            let g = Geometry { batch: 3, height, width, channels, out_channels, kernel, stride };
            let x = Var::from_tensor(&noise(&[3, height, width, channels], 1)).unwrap();
            let w = Var::from_tensor(&noise(&[kernel, kernel, channels, out_channels], 2)).unwrap();
            let theirs = plain(&x, &w, stride);
            let (xs, ws) = (flat(&x), flat(&w));
            let mut ours = vec![f32::NAN; g.output_size()];
            forward(&g, &Weights::new(&g, &ws), &xs, (None, None), &mut ours);
            assert_close(&ours, &theirs, &what);
            let weighting = noise(theirs.dims(), 3);
            let theirs = (theirs * &weighting).unwrap().sum_all().unwrap().backward().unwrap();
            let (mut dx, mut dw) = (vec![1.0; xs.len()], vec![f32::NAN; ws.len()]);
            backward(&g, &Weights::transposed(&g, &ws), &xs, &flat(&weighting), Some(&mut dx), &mut dw);
            assert_close(&dw, theirs.get(&w).unwrap(), &format!("weight gradient, {what}"));
            let added = (theirs.get(&x).unwrap() + 1.0).unwrap();
            assert_close(&dx, &added, &format!("input gradient, {what}"));
        }
    }

    #[test]
    fn bias_residual_and_relu_come_in_that_order() {
        for (kernel, stride) in [(3, 1), (3, 2), (1, 1)] {
            let x = noise(&[2, 6, 6, 4], 1);
            let w = noise(&[kernel, kernel, 4, 5], 2);
            let plain = plain(&x, &w, stride);
            let residual = noise(plain.dims(), 3);
            let bias = noise(&[5], 4);
            for relu in [true, false] {
                let fused = Convolution::new(&w, stride, Epilogue { bias: flat(&bias).into(), relu }).unwrap();
                let raised = plain.broadcast_add(&bias).unwrap();
                let finished = |x: &Tensor| if relu { x.relu().unwrap() } else { x.clone() };
                let ours = x.apply_op1_no_bwd(&fused).unwrap();
                assert_close(&flat(&ours), &finished(&raised), "without residual");
                let mut ours = Maps::default();
                fused.apply(&maps(&x), Some(&maps(&residual)), &mut ours);
                assert_close(ours.values(), &finished(&raised.add(&residual).unwrap()), "with residual");
            }
        }
    }
}
