//! What a convolution's matrix products are made of: sizes, columns of pixels, the product.

use std::cell::RefCell;

use candle_core::{Result, Shape, bail};
use gemm::Parallelism;

#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) out_height: usize,
    pub(super) out_width: usize,
    pub(super) out_channels: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
}

impl Geometry {
    /// The sizes of one application to NHWC input with (kernel, kernel, in, out) weights.
    pub(super) fn new(kernel: usize, stride: usize, input: &Shape, weight: &Shape) -> Result<Self> {
        let (batch, height, width, channels) = input.dims4()?;
        let (height_of_kernel, width_of_kernel, in_channels, out_channels) = weight.dims4()?;
        if [height_of_kernel, width_of_kernel] != [kernel; 2] || in_channels != channels || kernel.is_multiple_of(2) {
            bail!("a {kernel}×{kernel} convolution of {channels} channels got weights {weight:?}")
        }
        let (out_height, out_width) = (height.div_ceil(stride), width.div_ceil(stride));
        Ok(Self { batch, height, width, channels, out_height, out_width, out_channels, kernel, stride })
    }

    /// Inputs that one output pixel sees.
    pub(super) fn columns(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Output rows of all images, one below the other.
    pub(super) fn rows(&self) -> usize {
        self.batch * self.out_height
    }

    /// Output rows whose columns take about `bytes`.
    pub(super) fn block_rows(&self, bytes: usize) -> usize {
        (bytes / (4 * self.out_width * self.columns()).max(1)).clamp(1, self.rows().max(1))
    }

    pub(super) fn output_shape(&self) -> Shape {
        Shape::from((self.batch, self.out_height, self.out_width, self.out_channels))
    }

    /// A kernel of one pixel and stride one: the input is its own columns.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` this thread's buffer; what it holds is left over from before.
pub(super) fn with_scratch<T>(size: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < size {
            scratch.resize(size, 0.0);
        }
        work(&mut scratch[..size])
    })
}

/// Hands `work` the columns of output rows `first..last`: ((last - first) * out_width, columns).
pub(super) fn with_columns<T>(
    g: &Geometry,
    input: &[f32],
    first: usize,
    last: usize,
    work: impl FnOnce(&[f32]) -> T,
) -> T {
    let size = (last - first) * g.out_width * g.columns();
    if g.is_pointwise() {
        return work(&input[first * g.out_width * g.channels..][..size]);
    }
    with_scratch(size, |columns| {
        for (row, line) in (first..last).zip(columns.chunks_mut(g.out_width * g.columns())) {
            gather_row(g, input, row, line);
        }
        work(columns)
    })
}

fn gather_row(g: &Geometry, input: &[f32], row: usize, line: &mut [f32]) {
    let pad = g.kernel / 2;
    let (image, out_y) = (row / g.out_height, row % g.out_height);
    let segment = g.kernel * g.channels;
    for ky in 0..g.kernel {
        let y = (out_y * g.stride + ky).wrapping_sub(pad);
        let inside = y < g.height;
        let source =
            if inside { &input[(image * g.height + y) * g.width * g.channels..][..g.width * g.channels] } else { &[] };
        for (out_x, pixel) in line.chunks_exact_mut(g.columns()).enumerate() {
            let target = &mut pixel[ky * segment..(ky + 1) * segment];
            let left = out_x * g.stride;
            if !inside {
                target.fill(0.0);
            } else if left >= pad && left + g.kernel - pad <= g.width {
                target.copy_from_slice(&source[(left - pad) * g.channels..][..segment]);
            } else {
                for (kx, tap) in target.chunks_exact_mut(g.channels).enumerate() {
                    let x = (left + kx).wrapping_sub(pad);
                    if x < g.width {
                        tap.copy_from_slice(&source[x * g.channels..][..g.channels]);
                    } else {
                        tap.fill(0.0);
                    }
                }
            }
        }
    }
}

/// A matrix in memory: `rows`×`columns` values, `row_step` and `column_step` apart.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(values.len() >= rows * columns);
        Self { values, rows, columns, row_step: columns, column_step: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

/// `out` = a · b, or `out` += a · b with `add`; `out` is row-major.
pub(super) fn product(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, add: bool) {
    assert!(a.columns == b.rows && out.len() == a.rows * b.columns);
    // SAFETY: the three matrices lie within their slices, as `Matrix::new` and the line above
    // assert, and `out` is borrowed mutably, so that it overlaps neither input.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            add,
            a.values.as_ptr(),
            a.column_step as isize,
            a.row_step as isize,
            b.values.as_ptr(),
            b.column_step as isize,
            b.row_step as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Adds one output pixel's columns to the pixels of `image` they came from.
pub(super) fn scatter_pixel(g: &Geometry, columns: &[f32], out_y: usize, out_x: usize, image: &mut [f32]) {
    let pad = g.kernel / 2;
    for (tap, values) in columns.chunks_exact(g.channels).enumerate() {
        let y = (out_y * g.stride + tap / g.kernel).wrapping_sub(pad);
        let x = (out_x * g.stride + tap % g.kernel).wrapping_sub(pad);
        if y < g.height && x < g.width {
            let target = &mut image[(y * g.width + x) * g.channels..][..g.channels];
            target.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }
}
