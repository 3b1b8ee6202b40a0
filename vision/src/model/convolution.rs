//! Convolution, forward for both networks and backward for training, and as a candle operation.
//!
//! candle's own CPU convolution gathers element by element and its backward pass transposes
//! several times over; at these networks' sizes both cost about five times a matrix product.
//! Here activations are NHWC. A [`Convolution`] of 8-bit weights uses the processor's matrix unit, where there is one
//! ([`super::amx_convolution`]). Otherwise a 3×3 convolution of stride one uses [`super::winograd`], unless its
//! feature maps are so small that reading the transformed weights would take longer than the work
//! they save. Any other is an implicit GEMM over the padded pictures; its gradients are matrix
//! products with explicit im2col, in blocks that fit the L2 cache. A call runs on one thread:
//! callers parallelise over pictures.

use aligned_vec::AVec;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::amx_convolution::TiledWeights;
pub use super::epilogue::Epilogue;
use super::feature_maps::FeatureMaps;
use super::gemm::{Matrix, OperandA, OperandB, gemm, pack};
use super::im2col::{ConvGeometry, col2im_pixel, for_each_implicit_im2col, with_im2col, with_workspace};
use super::winograd::{self, Backward, Forward, TileGrid};

/// Bytes of the im2col matrix built at a time: half of a typical L2 cache.
const IM2COL_BYTES: usize = 256 << 10;
/// Bytes of the padded pictures copied at a time for the implicit one: the copy is read from the L2 cache.
const PADDED_BYTES: usize = 512 << 10;
/// Output pixels computed before their epilogue is applied, so that they are still in the cache.
const GEMM_ROWS: usize = 240;

/// Number of tiles from which Winograd is faster: its weights are four times as large (measured at
/// 192 channels, whose 5 MB come from the L3 cache: 1 tile takes 2.1 times as long as the GEMM,
/// 2 tiles 1.45 times, 4 tiles the same).
const MIN_WINOGRAD_TILES: usize = 4;

/// Weights packed for the kernel that uses them.
#[derive(Debug, Clone)]
pub struct Weights {
    /// (kernel² · in, out), packed for the GEMM.
    gemm: AVec<f32>,
    /// Transformed and packed, if kernel size and stride allow it.
    winograd: Option<AVec<f32>>,
}

impl Weights {
    /// From a weight (kernel, kernel, in, out).
    pub fn new(g: &ConvGeometry, weight: &[f32]) -> Self {
        let winograd = g.supports_winograd().then(|| winograd::transform_kernel(weight, g.out_channels));
        Self { gemm: pack(weight, g.out_channels), winograd }
    }

    /// The same with input and output channels swapped, for the gradient of the input.
    pub fn transposed(g: &ConvGeometry, weight: &[f32]) -> Self {
        let transpose = |rows: usize, values: &[f32]| -> Vec<f32> {
            let columns = values.len() / rows;
            let column = |at: usize| values[at..].iter().step_by(columns);
            (0..columns).flat_map(column).copied().collect()
        };
        if g.supports_winograd() {
            let taps = weight.chunks_exact(g.channels * g.out_channels);
            let taps: Vec<f32> = taps.flat_map(|tap| transpose(g.channels, tap)).collect();
            Self { gemm: AVec::new(0), winograd: Some(winograd::transform_kernel(&taps, g.channels)) }
        } else {
            Self { gemm: pack(&transpose(g.columns(), weight), g.columns()), winograd: None }
        }
    }
}

/// Fills `out` with the convolution of `input`, with the epilogue applied while it is still in the cache.
pub fn forward(
    g: &ConvGeometry,
    weights: &Weights,
    input: &[f32],
    (epilogue, residual): (Option<&Epilogue>, Option<&[f32]>),
    out: &mut [f32],
) {
    assert!(input.len() == g.input_size() && out.len() == g.output_size());
    assert!(residual.is_none_or(|residual| residual.len() == out.len()));
    let grid = TileGrid::new(g);
    match &weights.winograd {
        Some(kernel) if grid.tiles() >= MIN_WINOGRAD_TILES => {
            let channels = (g.channels, g.out_channels);
            with_workspace(winograd::workspace_size(channels), |workspace| {
                pulp::Arch::new().dispatch(Forward {
                    grid,
                    channels,
                    input,
                    kernel,
                    epilogue,
                    residual,
                    out,
                    workspace,
                });
            });
        }
        _ => {
            for_each_implicit_im2col(g, input, PADDED_BYTES, |start, columns| {
                let out = &mut out[start * g.out_channels..][..columns.rows() * g.out_channels];
                for (index, out) in out.chunks_mut(GEMM_ROWS * g.out_channels).enumerate() {
                    let first = index * GEMM_ROWS;
                    let columns = columns.range(first, out.len() / g.out_channels);
                    gemm(out, columns, OperandB::Packed(&weights.gemm), g.out_channels, false);
                    if let Some(epilogue) = epilogue {
                        let first = (start + first) * g.out_channels;
                        epilogue.apply(out, residual.map(|residual| &residual[first..][..out.len()]));
                    }
                }
            });
        }
    }
}

/// Adds the gradient of the input to `input_gradient`, if given, and overwrites `weight_gradient`
/// (kernel, kernel, in, out), from the `gradient` of the output; `transposed` is [`Weights::transposed`].
pub fn backward(
    g: &ConvGeometry,
    transposed: &Weights,
    input: &[f32],
    gradient: &[f32],
    input_gradient: Option<&mut [f32]>,
    weight_gradient: &mut [f32],
) {
    assert!(input.len() == g.input_size() && gradient.len() == g.output_size());
    match (&transposed.winograd, input_gradient) {
        (Some(transposed_kernel), Some(input_gradient)) => {
            let (grid, channels) = (TileGrid::new(g), (g.channels, g.out_channels));
            let kernel_size = transposed_kernel.len();
            with_workspace(winograd::workspace_size(channels) + kernel_size, |workspace| {
                let (kernel_gradient, workspace) = workspace.split_at_mut(kernel_size);
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
                    workspace,
                });
                winograd::transform_kernel_gradient(kernel_gradient, weight_gradient);
            });
        }
        (None, input_gradient) => {
            gemm_weight_gradient(g, input, gradient, weight_gradient);
            if let Some(input_gradient) = input_gradient {
                gemm_input_gradient(g, &transposed.gemm, gradient, input_gradient);
            }
        }
        (Some(_), None) => unreachable!("the first layer has a stride of two"),
    }
}

/// columnsᵀ · gradient, summed over all output pixels.
fn gemm_weight_gradient(g: &ConvGeometry, input: &[f32], gradient: &[f32], weight_gradient: &mut [f32]) {
    let row_size = g.out_width() * g.out_channels;
    let block = g.rows_per_block(IM2COL_BYTES);
    for (index, gradient) in gradient.chunks(block * row_size).enumerate() {
        let first = index * block;
        let rows = gradient.len() / row_size;
        with_im2col(g, input, first, first + rows, |columns| {
            let columns = Matrix::new(columns, rows * g.out_width(), g.columns()).transposed();
            gemm(weight_gradient, columns, OperandB::RowMajor(gradient), g.out_channels, index > 0);
        });
    }
}

/// col2im(gradient · weightᵀ), added to the input gradient.
fn gemm_input_gradient(g: &ConvGeometry, transposed: &[f32], gradient: &[f32], input_gradient: &mut [f32]) {
    let image_size = g.height * g.width * g.channels;
    let pixels = g.out_height() * g.out_width();
    let images = input_gradient.chunks_exact_mut(image_size).zip(gradient.chunks_exact(pixels * g.out_channels));
    with_workspace(pixels * g.columns(), |columns| {
        for (image, gradient) in images {
            let gradient = Matrix::new(gradient, pixels, g.out_channels);
            gemm(columns, gradient, OperandB::Packed(transposed), g.columns(), false);
            for (pixel, columns) in columns.chunks_exact(g.columns()).enumerate() {
                col2im_pixel(g, columns, pixel / g.out_width(), pixel % g.out_width(), image);
            }
        }
    });
}

/// The values of a contiguous f32 tensor on the CPU.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the operation needs contiguous input"),
    }
}

/// A convolution with a fused epilogue, for inference.
///
/// Input (batch, height, width, in) f32, padded by half the kernel, and (with [`Self::apply`]) a
/// residual of the output's shape → (batch, ⌈height / stride⌉, ⌈width / stride⌉, out) f32.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// With placeholders for the input-dependent sizes: batch 1, height and width 0.
    geometry: ConvGeometry,
    weights: PackedWeights,
    epilogue: Epilogue,
}

#[derive(Debug, Clone)]
enum PackedWeights {
    /// For the matrix unit, where there is one.
    Tiled(TiledWeights),
    /// For vector units of any width.
    Vectors(Weights),
}

impl Convolution {
    /// From a weight (kernel, kernel, in, out) with an odd kernel.
    ///
    /// # Errors
    /// If the weight has another shape or does not fit the bias.
    pub fn new(weight: &Tensor, stride: usize, epilogue: Epilogue) -> Result<Self> {
        let (kernel, width, channels, out_channels) = weight.dims4()?;
        if kernel != width || kernel.is_multiple_of(2) || stride == 0 || epilogue.bias.len() != out_channels {
            bail!("invalid convolution: weight {:?}, {} biases, stride {stride}", weight.dims(), epilogue.bias.len())
        }
        let geometry = ConvGeometry { batch: 1, height: 0, width: 0, channels, out_channels, kernel, stride };
        let weight = weight.flatten_all()?.to_vec1::<f32>()?;
        let weights = match TiledWeights::new(&geometry, &weight) {
            Some(tiled) => PackedWeights::Tiled(tiled),
            None => PackedWeights::Vectors(Weights::new(&geometry, &weight)),
        };
        Ok(Self { geometry, weights, epilogue })
    }

    fn forward(&self, g: &ConvGeometry, input: &[f32], residual: Option<&[f32]>, out: &mut [f32]) {
        match &self.weights {
            PackedWeights::Tiled(weights) => weights.forward(g, input, (&self.epilogue, residual), out),
            PackedWeights::Vectors(weights) => forward(g, weights, input, (Some(&self.epilogue), residual), out),
        }
    }

    /// Reshapes and fills `out`.
    ///
    /// # Panics
    /// If the channels of `x` differ from the weight's, or the shape of `residual` from the output's.
    pub(super) fn apply(&self, x: &FeatureMaps, residual: Option<&FeatureMaps>, out: &mut FeatureMaps) {
        let g = ConvGeometry { batch: x.batch, height: x.height, width: x.width, ..self.geometry };
        out.reshape([g.batch, g.out_height(), g.out_width(), g.out_channels]);
        let residual = residual.map(FeatureMaps::values);
        self.forward(&g, x.values(), residual, out.values_mut());
    }
}

/// As a candle operation, without a residual.
impl CustomOp1 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        let g = ConvGeometry { batch, height, width, ..self.geometry };
        if channels != g.channels {
            bail!("a convolution from {} to {} channels got input {:?}", g.channels, g.out_channels, layout.dims())
        }
        let mut out = vec![0.0; g.output_size()];
        self.forward(&g, values(x, layout)?, None, &mut out);
        Ok((CpuStorage::F32(out), Shape::from((batch, g.out_height(), g.out_width(), g.out_channels))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Reproducible noise, -1 to 1.
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

    /// candle's own convolution.
    fn reference(x: &Tensor, w: &Tensor, stride: usize) -> Tensor {
        let kernel = w.dim(0).unwrap();
        let x = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let w = w.permute((3, 2, 0, 1)).unwrap().contiguous().unwrap();
        let y = x.conv2d(&w, kernel / 2, stride, 1, 1).unwrap();
        y.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn maps(tensor: &Tensor) -> FeatureMaps {
        let mut maps = FeatureMaps::default();
        maps.reshape(tensor.dims4().unwrap().into());
        maps.values_mut().copy_from_slice(&flat(tensor));
        maps
    }

    fn assert_close(actual: &[f32], expected: &Tensor, tolerance: f32, what: &str) {
        let expected = flat(expected);
        assert_eq!(actual.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1.0f32, |max, value| max.max(value.abs()));
        let worst = actual.iter().zip(&expected).fold(0.0f32, |max, (a, b)| max.max((a - b).abs()));
        assert!(worst / scale < tolerance, "{what} differs by {worst} of {scale}");
    }

    /// Kernel, stride, height, width, channels, output channels.
    const SIZES: [(usize, usize, usize, usize, usize, usize); 11] = [
        (3, 1, 9, 7, 5, 8),
        (3, 1, 1, 1, 3, 2),
        (3, 1, 4, 4, 32, 17),
        (3, 1, 40, 40, 24, 24),
        (3, 2, 10, 8, 3, 6),
        (3, 2, 7, 9, 16, 24),
        (1, 1, 6, 6, 4, 9),
        (1, 2, 8, 6, 5, 7),
        (1, 2, 8, 6, 3, 7),
        (3, 1, 9, 6, 7, 80),
        (7, 4, 17, 21, 1, 32),
    ];

    #[test]
    fn output_and_gradients_equal_those_of_candles_own_convolution() {
        for (kernel, stride, height, width, channels, out_channels) in SIZES {
            let what = format!("{kernel}×{kernel} stride {stride} on {height}×{width}");
            let g = ConvGeometry { batch: 3, height, width, channels, out_channels, kernel, stride };
            let x = Var::from_tensor(&noise(&[3, height, width, channels], 1)).unwrap();
            let w = Var::from_tensor(&noise(&[kernel, kernel, channels, out_channels], 2)).unwrap();
            let expected = reference(&x, &w, stride);
            let (xs, ws) = (flat(&x), flat(&w));
            let mut actual = vec![f32::NAN; g.output_size()];
            forward(&g, &Weights::new(&g, &ws), &xs, (None, None), &mut actual);
            assert_close(&actual, &expected, 1e-5, &what);
            let upstream = noise(expected.dims(), 3);
            let gradients = (expected * &upstream).unwrap().sum_all().unwrap().backward().unwrap();
            let (mut dx, mut dw) = (vec![1.0; xs.len()], vec![f32::NAN; ws.len()]);
            backward(&g, &Weights::transposed(&g, &ws), &xs, &flat(&upstream), Some(&mut dx), &mut dw);
            assert_close(&dw, gradients.get(&w).unwrap(), 1e-5, &format!("weight gradient, {what}"));
            let added = (gradients.get(&x).unwrap() + 1.0).unwrap();
            assert_close(&dx, &added, 1e-5, &format!("input gradient, {what}"));
        }
    }

    #[test]
    fn bias_residual_and_relu_are_applied_in_that_order() {
        for (kernel, stride) in [(3, 1), (3, 2), (1, 1)] {
            let x = noise(&[2, 6, 6, 4], 1);
            let of_any_size = noise(&[kernel, kernel, 4, 5], 2);
            // Of 8 bits, 127 steps at most: a matrix unit, where there is one, takes them and rounds activations to 16 bits.
            let steps = (noise(&[kernel, kernel, 3, 5], 2) * 120.0).unwrap().round().unwrap();
            let largest = Tensor::full(127f32, &[kernel, kernel, 1, 5], &Device::Cpu).unwrap();
            let of_8_bits = (Tensor::cat(&[largest, steps], 2).unwrap() * 0.01).unwrap();
            for (w, tolerance) in [(of_any_size, 1e-5), (of_8_bits, 1e-4)] {
                let convolved = reference(&x, &w, stride);
                let residual = noise(convolved.dims(), 3);
                let bias = noise(&[5], 4);
                for relu in [true, false] {
                    let fused = Convolution::new(&w, stride, Epilogue { bias: flat(&bias).into(), relu }).unwrap();
                    let biased = convolved.broadcast_add(&bias).unwrap();
                    let activated = |x: &Tensor| if relu { x.relu().unwrap() } else { x.clone() };
                    let actual = x.apply_op1_no_bwd(&fused).unwrap();
                    assert_close(&flat(&actual), &activated(&biased), tolerance, "without residual");
                    let mut actual = FeatureMaps::default();
                    fused.apply(&maps(&x), Some(&maps(&residual)), &mut actual);
                    let expected = activated(&biased.add(&residual).unwrap());
                    assert_close(actual.values(), &expected, tolerance, "with residual");
                }
            }
        }
    }
}
