//! 3×3 convolutions of stride one by Winograd's minimal filtering, forward and backward.
//!
//! Source: Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", F(4×4, 3×3):
//! a tile of 4×4 outputs takes 36 multiplications a pair of channels instead of 144. Input tiles of
//! 6×6 pixels and kernels are transformed, multiplied entry by entry as 36 matrix products over
//! the channels, and transformed back. The gradients are the same steps transposed. Activations
//! are NHWC, channels lie in the lanes.

use pulp::{Simd, WithSimd};

use super::columns::Geometry;
use super::convolution::Epilogue;
use super::lanes::Lanes;
use super::product::{Matrix, Product, Right, packed};

/// Entries of a transformed tile or kernel.
const ENTRIES: usize = 36;
/// Side of a tile's outputs.
const TILE: usize = 4;
/// Tiles worked on at a time: transformed, they stay in a usual second-level cache.
const BLOCK: usize = 24;

/// Values that [`Forward`] and [`Backward`] want as scratch.
pub(super) fn scratch_size((channels, out_channels): (usize, usize)) -> usize {
    ENTRIES * BLOCK * (channels + out_channels)
}

/// Bᵀ: six inputs of a line.
#[inline(always)]
fn input_line<S: Simd>(s: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let (two, four, five) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(5.0));
    let even = s.negate_mul_add_e_f32s(four, d[2], d[4]);
    let odd = s.negate_mul_add_e_f32s(four, d[1], d[3]);
    let near = s.sub_f32s(d[4], d[2]);
    let far = s.mul_f32s(two, s.sub_f32s(d[3], d[1]));
    [
        s.mul_add_e_f32s(four, d[0], s.negate_mul_add_e_f32s(five, d[2], d[4])),
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(near, far),
        s.sub_f32s(near, far),
        s.mul_add_e_f32s(four, d[1], s.negate_mul_add_e_f32s(five, d[3], d[5])),
    ]
}

/// Aᵀ: six products of a line to four outputs.
#[inline(always)]
fn output_line<S: Simd>(s: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let (two, four, eight) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(8.0));
    let (sum, difference) = (s.add_f32s(m[1], m[2]), s.sub_f32s(m[1], m[2]));
    let (far_sum, far_difference) = (s.add_f32s(m[3], m[4]), s.sub_f32s(m[3], m[4]));
    [
        s.add_f32s(m[0], s.add_f32s(sum, far_sum)),
        s.mul_add_e_f32s(two, far_difference, difference),
        s.mul_add_e_f32s(four, far_sum, sum),
        s.add_f32s(m[5], s.mul_add_e_f32s(eight, far_difference, difference)),
    ]
}

/// A: the transpose of [`output_line`].
#[inline(always)]
fn output_line_transposed<S: Simd>(s: S, y: [S::f32s; 4]) -> [S::f32s; 6] {
    let (two, four) = (s.splat_f32s(2.0), s.splat_f32s(4.0));
    let even = s.add_f32s(y[0], y[2]);
    let odd = s.add_f32s(y[1], y[3]);
    let far_even = s.mul_add_e_f32s(four, y[2], y[0]);
    let far_odd = s.mul_f32s(two, s.mul_add_e_f32s(four, y[3], y[1]));
    [
        y[0],
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        y[3],
    ]
}

/// B: the transpose of [`input_line`].
#[inline(always)]
fn input_line_transposed<S: Simd>(s: S, v: [S::f32s; 6]) -> [S::f32s; 6] {
    let (two, four, five) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(5.0));
    let (sum, difference) = (s.add_f32s(v[1], v[2]), s.sub_f32s(v[1], v[2]));
    let (far_sum, far_difference) = (s.add_f32s(v[3], v[4]), s.sub_f32s(v[3], v[4]));
    let twice = s.mul_f32s(two, far_difference);
    let minus_four = s.splat_f32s(-4.0);
    // d2 = −5v0 − 4(v1 + v2) − (v3 + v4), and likewise the others.
    [
        s.mul_f32s(four, v[0]),
        s.sub_f32s(s.mul_f32s(four, s.sub_f32s(v[5], difference)), twice),
        s.sub_f32s(s.negate_mul_add_e_f32s(five, v[0], s.mul_f32s(minus_four, sum)), far_sum),
        s.negate_mul_add_e_f32s(five, v[5], s.add_f32s(difference, twice)),
        s.add_f32s(v[0], s.add_f32s(sum, far_sum)),
        v[5],
    ]
}

/// Applies `line` to the columns, then to the rows.
macro_rules! both_ways {
    ($simd:ident, $line:ident, $values:expr, $in:literal, $out:literal) => {{
        let values = $values;
        let mut half = [[$simd.splat_f32s(0.0); $in]; $out];
        for column in 0..$in {
            let mut entries = [$simd.splat_f32s(0.0); $in];
            for row in 0..$in {
                entries[row] = values[row][column];
            }
            let done = $line($simd, entries);
            for row in 0..$out {
                half[row][column] = done[row];
            }
        }
        let mut whole = [[$simd.splat_f32s(0.0); $out]; $out];
        for row in 0..$out {
            whole[row] = $line($simd, half[row]);
        }
        whole
    }};
}

/// Pictures (batch, height, width, channels), and the tiles that cover them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Grid {
    pub(super) fn of(g: &Geometry) -> Self {
        Self { batch: g.batch, height: g.height, width: g.width }
    }

    /// Of all pictures.
    pub(super) fn tiles(self) -> usize {
        self.batch * self.height.div_ceil(TILE) * self.width.div_ceil(TILE)
    }

    /// The pixels of a tile with `border` more around it.
    #[inline(always)]
    fn window(self, tile: usize, border: usize) -> Window {
        let (rows, columns) = (self.height.div_ceil(TILE), self.width.div_ceil(TILE));
        let first = tile / (rows * columns) * self.height * self.width;
        let top = (tile / columns % rows * TILE).wrapping_sub(border);
        Window { grid: self, first, top, left: (tile % columns * TILE).wrapping_sub(border) }
    }
}

/// A square of pixels of one picture that may reach beyond its edges.
#[derive(Clone, Copy)]
struct Window {
    grid: Grid,
    /// The picture's first pixel.
    first: usize,
    top: usize,
    left: usize,
}

impl Window {
    /// The pixel in this row and column of the window, if the picture has it.
    #[inline(always)]
    fn pixel(self, row: usize, column: usize) -> Option<usize> {
        let (row, column) = (self.top.wrapping_add(row), self.left.wrapping_add(column));
        (row < self.grid.height && column < self.grid.width).then(|| self.first + row * self.grid.width + column)
    }
}

/// A window's pixels, zeros beyond the picture.
#[inline(always)]
fn load_window<S: Simd, const N: usize>(simd: S, lanes: Lanes, pictures: &[f32], window: Window) -> [[S::f32s; N]; N] {
    if let (Some(first), Some(_)) = (window.pixel(0, 0), window.pixel(N - 1, N - 1)) {
        return lanes.load_square(simd, pictures, (first, window.grid.width, 1));
    }
    let mut pixels = [[simd.splat_f32s(0.0); N]; N];
    for (y, row) in pixels.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            if let Some(pixel) = window.pixel(y, x) {
                *value = lanes.load(simd, pictures, pixel);
            }
        }
    }
    pixels
}

/// The entries of tile `at` of a block of `count`: (36, count, channels).
#[inline(always)]
fn load_entries<S: Simd>(simd: S, lanes: Lanes, block: &[f32], count: usize, at: usize) -> [[S::f32s; 6]; 6] {
    lanes.load_square(simd, block, (at, 6 * count, count))
}

#[inline(always)]
fn store_entries<S: Simd>(
    simd: S,
    lanes: Lanes,
    block: &mut [f32],
    count: usize,
    at: usize,
    entries: [[S::f32s; 6]; 6],
) {
    lanes.store_square(simd, block, (at, 6 * count, count), entries);
}

/// G: a kernel's line of three.
#[inline(always)]
fn kernel_line<S: Simd>(s: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let (half, quarter, sixth) = (s.splat_f32s(0.5), s.splat_f32s(0.25), s.splat_f32s(1.0 / 6.0));
    let ends = s.mul_f32s(s.add_f32s(g[0], g[2]), sixth);
    let middle = s.mul_f32s(g[1], sixth);
    let far_ends = s.mul_f32s(s.mul_add_e_f32s(quarter, g[0], g[2]), sixth);
    let far_middle = s.mul_f32s(middle, half);
    let zero = s.splat_f32s(0.0);
    [
        s.mul_f32s(quarter, g[0]),
        s.sub_f32s(zero, s.add_f32s(ends, middle)),
        s.sub_f32s(middle, ends),
        s.add_f32s(far_ends, far_middle),
        s.sub_f32s(far_ends, far_middle),
        g[2],
    ]
}

/// Gᵀ: the transpose of [`kernel_line`].
#[inline(always)]
fn kernel_line_transposed<S: Simd>(s: S, u: [S::f32s; 6]) -> [S::f32s; 3] {
    let (half, quarter, sixth) = (s.splat_f32s(0.5), s.splat_f32s(0.25), s.splat_f32s(1.0 / 6.0));
    let (near, far) = (s.add_f32s(u[1], u[2]), s.add_f32s(u[3], u[4]));
    let odd = s.mul_add_e_f32s(half, s.sub_f32s(u[3], u[4]), s.sub_f32s(u[2], u[1]));
    [
        s.mul_add_e_f32s(quarter, u[0], s.mul_f32s(sixth, s.sub_f32s(s.mul_f32s(quarter, far), near))),
        s.mul_f32s(sixth, odd),
        s.mul_add_e_f32s(sixth, s.sub_f32s(far, near), u[5]),
    ]
}

/// Kernel (3, 3, in, `out_channels`) → 36 matrices (in, out), each packed: G g Gᵀ.
pub(super) fn transformed(kernel: &[f32], out_channels: usize) -> Vec<f32> {
    let pairs = kernel.len() / 9;
    let mut transformed = vec![0.0; pairs * ENTRIES];
    pulp::Arch::new().dispatch(Transform { kernel, transformed: &mut transformed });
    transformed.chunks_exact(pairs.max(1)).flat_map(|entry| packed(entry, out_channels)).collect()
}

/// The transpose of the kernel's transform, for gradients: (36, in, out) → (3, 3, in, out), Gᵀ u G.
pub(super) fn untransform(transformed: &[f32], kernel: &mut [f32]) {
    pulp::Arch::new().dispatch(Untransform { transformed, kernel });
}

struct Transform<'a> {
    kernel: &'a [f32],
    transformed: &'a mut [f32],
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for lanes in Lanes::all::<S>(self.kernel.len() / 9) {
            let mut taps = [[simd.splat_f32s(0.0); 3]; 3];
            for tap in 0..9 {
                taps[tap / 3][tap % 3] = lanes.load(simd, self.kernel, tap);
            }
            store_entries(simd, lanes, self.transformed, 1, 0, both_ways!(simd, kernel_line, taps, 3, 6));
        }
    }
}

struct Untransform<'a> {
    transformed: &'a [f32],
    kernel: &'a mut [f32],
}

impl WithSimd for Untransform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for lanes in Lanes::all::<S>(self.kernel.len() / 9) {
            let entries = load_entries(simd, lanes, self.transformed, 1, 0);
            let taps = both_ways!(simd, kernel_line_transposed, entries, 6, 3);
            for tap in 0..9 {
                lanes.store(simd, self.kernel, tap, taps[tap / 3][tap % 3]);
            }
        }
    }
}

/// The convolution of a batch.
pub(super) struct Forward<'a> {
    pub(super) grid: Grid,
    /// Of input and output.
    pub(super) channels: (usize, usize),
    pub(super) input: &'a [f32],
    /// From [`transformed`].
    pub(super) kernel: &'a [f32],
    /// What happens to each output, and what is added before the ReLU.
    pub(super) epilogue: Option<&'a Epilogue>,
    pub(super) residual: Option<&'a [f32]>,
    pub(super) out: &'a mut [f32],
    /// [`scratch_size`] values.
    pub(super) scratch: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, channels: (channels, out_channels), input, kernel, epilogue, residual, out, scratch } = self;
        let (v, m) = scratch.split_at_mut(ENTRIES * BLOCK * channels);
        let floor = simd.splat_f32s(if epilogue.is_some_and(|epilogue| epilogue.relu) { 0.0 } else { f32::MIN });
        for first in (0..grid.tiles()).step_by(BLOCK) {
            let count = BLOCK.min(grid.tiles() - first);
            transform_input(simd, grid, channels, input, first, v);
            for entry in 0..ENTRIES {
                let a = Matrix::new(&v[entry * count * channels..], count, channels);
                let b = Right::Packed(&kernel[entry * channels * out_channels..]);
                let out = &mut m[entry * count * out_channels..];
                Product { out, a, b, columns: out_channels, add: false }.with_simd(simd);
            }
            for at in 0..count {
                let window = grid.window(first + at, 0);
                for lanes in Lanes::all::<S>(out_channels) {
                    let entries = load_entries(simd, lanes, m, count, at);
                    let mut outputs = both_ways!(simd, output_line, entries, 6, 4);
                    let inside = window.pixel(0, 0).filter(|_| window.pixel(TILE - 1, TILE - 1).is_some());
                    if let Some(epilogue) = epilogue {
                        let bias = lanes.load(simd, &epilogue.bias, 0);
                        let skips = residual.map(|residual| load_window::<S, TILE>(simd, lanes, residual, window));
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
                        lanes.store_square(simd, out, (first, grid.width, 1), outputs);
                        continue;
                    }
                    for (y, row) in outputs.into_iter().enumerate() {
                        for (x, value) in row.into_iter().enumerate() {
                            if let Some(pixel) = window.pixel(y, x) {
                                lanes.store(simd, out, pixel, value);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Transforms the input of a block of tiles: (36, tiles, channels).
#[inline(always)]
fn transform_input<S: Simd>(simd: S, grid: Grid, channels: usize, input: &[f32], first: usize, v: &mut [f32]) {
    let count = BLOCK.min(grid.tiles() - first);
    for at in 0..count {
        let window = grid.window(first + at, 1);
        for lanes in Lanes::all::<S>(channels) {
            let pixels = load_window::<S, 6>(simd, lanes, input, window);
            store_entries(simd, lanes, v, count, at, both_ways!(simd, input_line, pixels, 6, 6));
        }
    }
}

/// The gradients of input and kernel.
pub(super) struct Backward<'a> {
    pub(super) grid: Grid,
    /// Of input and output.
    pub(super) channels: (usize, usize),
    pub(super) input: &'a [f32],
    /// Of the kernel with in and out exchanged, from [`transformed`].
    pub(super) transposed_kernel: &'a [f32],
    /// With respect to the output.
    pub(super) gradient: &'a [f32],
    /// Added to.
    pub(super) input_gradient: &'a mut [f32],
    /// (36, in, out), added to.
    pub(super) kernel_gradient: &'a mut [f32],
    /// [`scratch_size`] values.
    pub(super) scratch: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grid, channels: (channels, out_channels), input, transposed_kernel, gradient, .. } = self;
        let (v, m) = self.scratch.split_at_mut(ENTRIES * BLOCK * channels);
        for first in (0..grid.tiles()).step_by(BLOCK) {
            let count = BLOCK.min(grid.tiles() - first);
            transform_input(simd, grid, channels, input, first, v);
            for at in 0..count {
                let window = grid.window(first + at, 0);
                for lanes in Lanes::all::<S>(out_channels) {
                    let outputs = load_window::<S, 4>(simd, lanes, gradient, window);
                    let entries = both_ways!(simd, output_line_transposed, outputs, 4, 6);
                    store_entries(simd, lanes, m, count, at, entries);
                }
            }
            for entry in 0..ENTRIES {
                let v = &mut v[entry * count * channels..][..count * channels];
                let m = &m[entry * count * out_channels..][..count * out_channels];
                let pairs = entry * channels * out_channels;
                let a = Matrix::new(v, count, channels).transposed();
                let out = &mut self.kernel_gradient[pairs..];
                Product { out, a, b: Right::Rows(m), columns: out_channels, add: true }.with_simd(simd);
                // The transformed input has done its work: its gradient takes its place.
                let a = Matrix::new(m, count, out_channels);
                let b = Right::Packed(&transposed_kernel[pairs..]);
                Product { out: v, a, b, columns: channels, add: false }.with_simd(simd);
            }
            for at in 0..count {
                let window = grid.window(first + at, 1);
                for lanes in Lanes::all::<S>(channels) {
                    let entries = load_entries(simd, lanes, v, count, at);
                    let pixels = both_ways!(simd, input_line_transposed, entries, 6, 6);
                    for (y, row) in pixels.into_iter().enumerate() {
                        for (x, value) in row.into_iter().enumerate() {
                            let Some(pixel) = window.pixel(y, x) else { continue };
                            let sum = simd.add_f32s(lanes.load(simd, self.input_gradient, pixel), value);
                            lanes.store(simd, self.input_gradient, pixel, sum);
                        }
                    }
                }
            }
        }
    }
}
