//! 3×3 convolutions of stride one by Winograd's minimal filtering, forward and backward.
//!
//! Source: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", F(4×4, 3×3):
//! a tile of 4×4 outputs takes 36 multiplications per pair of channels instead of 144. Input tiles
//! of 6×6 pixels and kernels are transformed, multiplied element by element as 36 matrix products
//! over the channels, and transformed back. The backward pass transposes these steps. Activations
//! are NHWC and vectorised over channels.

use aligned_vec::AVec;
use pulp::{Simd, WithSimd};

use super::channel_blocks::{ChannelBlock, Square};
use super::epilogue::Epilogue;
use super::gemm::{Gemm, Matrix, OperandB, pack};
use super::im2col::ConvGeometry;
use super::winograd_transforms::{
    transform_2d, transform_input_1d, transform_input_1d_transposed, transform_kernel_1d,
    transform_kernel_1d_transposed, transform_output_1d, transform_output_1d_transposed,
};

/// Elements of a transformed tile or kernel.
const TILE_ELEMENTS: usize = 36;
/// Side of an output tile.
const OUTPUT_TILE: usize = 4;
/// Tiles transformed at a time, few enough to stay in a typical L2 cache.
const TILES_PER_BLOCK: usize = 24;

/// Size of the workspace of [`Forward`] and [`Backward`], in values.
pub(super) fn workspace_size((channels, out_channels): (usize, usize)) -> usize {
    TILE_ELEMENTS * TILES_PER_BLOCK * (channels + out_channels)
}

/// The output tiles that cover pictures (batch, height, width, channels).
#[derive(Debug, Clone, Copy)]
pub(super) struct TileGrid {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl TileGrid {
    pub(super) fn new(g: &ConvGeometry) -> Self {
        Self { batch: g.batch, height: g.height, width: g.width }
    }

    /// Tiles of all pictures.
    pub(super) fn tiles(self) -> usize {
        self.batch * self.height.div_ceil(OUTPUT_TILE) * self.width.div_ceil(OUTPUT_TILE)
    }

    /// A square of pixels of one picture, from its first.
    #[inline(always)]
    fn square(self, first: usize) -> Square {
        Square { first, row_stride: self.width, column_stride: 1 }
    }

    /// The pixels of a tile and `border` pixels around it.
    #[inline(always)]
    fn window(self, tile: usize, border: usize) -> Window {
        let (rows, columns) = (self.height.div_ceil(OUTPUT_TILE), self.width.div_ceil(OUTPUT_TILE));
        let first = tile / (rows * columns) * self.height * self.width;
        let top = (tile / columns % rows * OUTPUT_TILE).wrapping_sub(border);
        Window { grid: self, first, top, left: (tile % columns * OUTPUT_TILE).wrapping_sub(border) }
    }
}

/// A square of pixels of one picture that may extend beyond its edges.
#[derive(Clone, Copy)]
struct Window {
    grid: TileGrid,
    /// Index of the picture's first pixel.
    first: usize,
    top: usize,
    left: usize,
}

impl Window {
    /// Index of the pixel at this row and column of the window, if it is inside the picture.
    #[inline(always)]
    fn pixel(self, row: usize, column: usize) -> Option<usize> {
        let (row, column) = (self.top.wrapping_add(row), self.left.wrapping_add(column));
        (row < self.grid.height && column < self.grid.width).then(|| self.first + row * self.grid.width + column)
    }
}

/// Loads the pixels of a window, zeros outside the picture.
#[inline(always)]
fn load_window<S: Simd, const N: usize>(
    simd: S,
    block: ChannelBlock,
    pictures: &[f32],
    window: Window,
) -> [[S::f32s; N]; N] {
    if let (Some(first), Some(_)) = (window.pixel(0, 0), window.pixel(N - 1, N - 1)) {
        return block.load_square(simd, pictures, window.grid.square(first));
    }
    let mut pixels = [[simd.splat_f32s(0.0); N]; N];
    for (y, row) in pixels.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            if let Some(pixel) = window.pixel(y, x) {
                *value = block.load(simd, pictures, pixel);
            }
        }
    }
    pixels
}

/// The elements of tile `index` of `count` transformed tiles (36, count, channels).
#[inline(always)]
fn transformed_tile(index: usize, count: usize) -> Square {
    Square { first: index, row_stride: 6 * count, column_stride: count }
}

/// Loads tile `index` of `count` transformed tiles (36, count, channels).
#[inline(always)]
fn load_tile<S: Simd>(simd: S, block: ChannelBlock, tiles: &[f32], count: usize, index: usize) -> [[S::f32s; 6]; 6] {
    block.load_square(simd, tiles, transformed_tile(index, count))
}

#[inline(always)]
fn store_tile<S: Simd>(
    simd: S,
    block: ChannelBlock,
    tiles: &mut [f32],
    count: usize,
    index: usize,
    elements: [[S::f32s; 6]; 6],
) {
    block.store_square(simd, tiles, transformed_tile(index, count), elements);
}

/// Kernel (3, 3, in, `out_channels`) → 36 packed matrices (in, out): G g Gᵀ.
pub(super) fn transform_kernel(kernel: &[f32], out_channels: usize) -> AVec<f32> {
    let pairs = kernel.len() / 9;
    let mut transformed = vec![0.0; pairs * TILE_ELEMENTS];
    pulp::Arch::new().dispatch(KernelTransform { kernel, transformed: &mut transformed });
    let mut packed = AVec::with_capacity(0, transformed.len());
    for matrix in transformed.chunks_exact(pairs.max(1)) {
        packed.extend_from_slice(&pack(matrix, out_channels));
    }
    packed
}

/// Gradient of the transformed kernel (36, in, out) → gradient of the kernel (3, 3, in, out): Gᵀ u G.
pub(super) fn transform_kernel_gradient(transformed: &[f32], kernel: &mut [f32]) {
    pulp::Arch::new().dispatch(KernelGradientTransform { transformed, kernel });
}

struct KernelTransform<'a> {
    kernel: &'a [f32],
    transformed: &'a mut [f32],
}

impl WithSimd for KernelTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for block in ChannelBlock::all::<S>(self.kernel.len() / 9) {
            let mut taps = [[simd.splat_f32s(0.0); 3]; 3];
            for tap in 0..9 {
                taps[tap / 3][tap % 3] = block.load(simd, self.kernel, tap);
            }
            store_tile(simd, block, self.transformed, 1, 0, transform_2d!(simd, transform_kernel_1d, taps, 3, 6));
        }
    }
}

struct KernelGradientTransform<'a> {
    transformed: &'a [f32],
    kernel: &'a mut [f32],
}

impl WithSimd for KernelGradientTransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for block in ChannelBlock::all::<S>(self.kernel.len() / 9) {
            let elements = load_tile(simd, block, self.transformed, 1, 0);
            let taps = transform_2d!(simd, transform_kernel_1d_transposed, elements, 6, 3);
            for tap in 0..9 {
                block.store(simd, self.kernel, tap, taps[tap / 3][tap % 3]);
            }
        }
    }
}

/// The convolution of a batch of pictures.
pub(super) struct Forward<'a> {
    pub(super) grid: TileGrid,
    /// Of input and output.
    pub(super) channels: (usize, usize),
    pub(super) input: &'a [f32],
    /// From [`transform_kernel`].
    pub(super) kernel: &'a [f32],
    pub(super) epilogue: Option<&'a Epilogue>,
    /// Added by the epilogue; of the shape of `out`.
    pub(super) residual: Option<&'a [f32]>,
    pub(super) out: &'a mut [f32],
    /// [`workspace_size`] values.
    pub(super) workspace: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, channels: (channels, out_channels), input, kernel, epilogue, residual, out, workspace } = self;
        let (v, m) = workspace.split_at_mut(TILE_ELEMENTS * TILES_PER_BLOCK * channels);
        let floor = simd.splat_f32s(if epilogue.is_some_and(|epilogue| epilogue.relu) { 0.0 } else { f32::MIN });
        for first in (0..grid.tiles()).step_by(TILES_PER_BLOCK) {
            let count = TILES_PER_BLOCK.min(grid.tiles() - first);
            transform_input(simd, grid, channels, input, first, v);
            for element in 0..TILE_ELEMENTS {
                let a = Matrix::new(&v[element * count * channels..], count, channels);
                let b = OperandB::Packed(&kernel[element * channels * out_channels..]);
                let out = &mut m[element * count * out_channels..];
                Gemm { out, a, b, columns: out_channels, accumulate: false }.with_simd(simd);
            }
            for index in 0..count {
                let window = grid.window(first + index, 0);
                let inside = window.pixel(0, 0).filter(|_| window.pixel(OUTPUT_TILE - 1, OUTPUT_TILE - 1).is_some());
                for block in ChannelBlock::all::<S>(out_channels) {
                    let elements = load_tile(simd, block, m, count, index);
                    let mut outputs = transform_2d!(simd, transform_output_1d, elements, 6, 4);
                    if let Some(epilogue) = epilogue {
                        let bias = block.load(simd, &epilogue.bias, 0);
                        let skips =
                            residual.map(|residual| load_window::<S, OUTPUT_TILE>(simd, block, residual, window));
                        for (y, row) in outputs.iter_mut().enumerate() {
                            for (x, value) in row.iter_mut().enumerate() {
                                *value = simd.add_f32s(*value, bias);
                                if let Some(skips) = &skips {
                                    *value = simd.add_f32s(*value, skips[y][x]);
                                }
                                *value = simd.max_f32s(*value, floor);
                            }
                        }
                    }
                    if let Some(first) = inside {
                        block.store_square(simd, out, grid.square(first), outputs);
                        continue;
                    }
                    for (y, row) in outputs.into_iter().enumerate() {
                        for (x, value) in row.into_iter().enumerate() {
                            if let Some(pixel) = window.pixel(y, x) {
                                block.store(simd, out, pixel, value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Transforms the inputs of up to [`TILES_PER_BLOCK`] tiles → (36, tiles, channels).
#[inline(always)]
fn transform_input<S: Simd>(simd: S, grid: TileGrid, channels: usize, input: &[f32], first: usize, v: &mut [f32]) {
    let count = TILES_PER_BLOCK.min(grid.tiles() - first);
    for index in 0..count {
        let window = grid.window(first + index, 1);
        for block in ChannelBlock::all::<S>(channels) {
            let pixels = load_window::<S, 6>(simd, block, input, window);
            store_tile(simd, block, v, count, index, transform_2d!(simd, transform_input_1d, pixels, 6, 6));
        }
    }
}

/// The gradients of the input and the kernel.
pub(super) struct Backward<'a> {
    pub(super) grid: TileGrid,
    /// Of input and output.
    pub(super) channels: (usize, usize),
    pub(super) input: &'a [f32],
    /// From [`transform_kernel`], with input and output channels swapped.
    pub(super) transposed_kernel: &'a [f32],
    /// With respect to the output.
    pub(super) gradient: &'a [f32],
    /// Added to.
    pub(super) input_gradient: &'a mut [f32],
    /// (36, in, out), added to.
    pub(super) kernel_gradient: &'a mut [f32],
    /// [`workspace_size`] values.
    pub(super) workspace: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, channels: (channels, out_channels), input, transposed_kernel, gradient, .. } = self;
        let (v, m) = self.workspace.split_at_mut(TILE_ELEMENTS * TILES_PER_BLOCK * channels);
        for first in (0..grid.tiles()).step_by(TILES_PER_BLOCK) {
            let count = TILES_PER_BLOCK.min(grid.tiles() - first);
            transform_input(simd, grid, channels, input, first, v);
            for index in 0..count {
                let window = grid.window(first + index, 0);
                for block in ChannelBlock::all::<S>(out_channels) {
                    let outputs = load_window::<S, 4>(simd, block, gradient, window);
                    let elements = transform_2d!(simd, transform_output_1d_transposed, outputs, 4, 6);
                    store_tile(simd, block, m, count, index, elements);
                }
            }
            for element in 0..TILE_ELEMENTS {
                let v = &mut v[element * count * channels..][..count * channels];
                let m = &m[element * count * out_channels..][..count * out_channels];
                let offset = element * channels * out_channels;
                let a = Matrix::new(v, count, channels).transposed();
                let out = &mut self.kernel_gradient[offset..];
                Gemm { out, a, b: OperandB::RowMajor(m), columns: out_channels, accumulate: true }.with_simd(simd);
                // The transformed input is not needed any more; its gradient overwrites it.
                let a = Matrix::new(m, count, out_channels);
                let b = OperandB::Packed(&transposed_kernel[offset..]);
                Gemm { out: v, a, b, columns: channels, accumulate: false }.with_simd(simd);
            }
            for index in 0..count {
                let window = grid.window(first + index, 1);
                for block in ChannelBlock::all::<S>(channels) {
                    let elements = load_tile(simd, block, v, count, index);
                    let pixels = transform_2d!(simd, transform_input_1d_transposed, elements, 6, 6);
                    for (y, row) in pixels.into_iter().enumerate() {
                        for (x, value) in row.into_iter().enumerate() {
                            let Some(pixel) = window.pixel(y, x) else { continue };
                            let sum = simd.add_f32s(block.load(simd, self.input_gradient, pixel), value);
                            block.store(simd, self.input_gradient, pixel, sum);
                        }
                    }
                }
            }
        }
    }
}
