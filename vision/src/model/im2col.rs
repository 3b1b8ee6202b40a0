//! Convolution by matrix products: its geometry, im2col and col2im.

use std::cell::RefCell;

use super::gemm::{OperandA, RowLayout};

/// The sizes of a square convolution without dilation or groups, padded by half its kernel:
/// (batch, height, width, channels) → (batch, ⌈height / stride⌉, ⌈width / stride⌉, out_channels).
#[derive(Debug, Clone, Copy)]
pub struct ConvGeometry {
    /// Pictures.
    pub batch: usize,
    /// Of the input, in pixels.
    pub height: usize,
    /// Of the input, in pixels.
    pub width: usize,
    /// Of the input.
    pub channels: usize,
    /// Of the output.
    pub out_channels: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// In both directions.
    pub stride: usize,
}

impl ConvGeometry {
    /// Height of the output, in pixels.
    pub fn out_height(&self) -> usize {
        self.height.div_ceil(self.stride)
    }

    /// Width of the output, in pixels.
    pub fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// Number of input values.
    pub fn input_size(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Number of output values.
    pub fn output_size(&self) -> usize {
        self.rows() * self.out_width() * self.out_channels
    }

    /// Columns of the im2col matrix: input values per output pixel.
    pub fn columns(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Whether [`super::winograd`] supports it.
    pub(super) fn supports_winograd(&self) -> bool {
        self.kernel == 3 && self.stride == 1
    }

    /// Output rows of all pictures of the batch.
    pub(super) fn rows(&self) -> usize {
        self.batch * self.out_height()
    }

    /// Output rows whose im2col matrix takes about `bytes`.
    pub(super) fn rows_per_block(&self, bytes: usize) -> usize {
        (bytes / (4 * self.out_width() * self.columns()).max(1)).clamp(1, self.rows().max(1))
    }

    /// A 1×1 kernel of stride one: the input is its own im2col matrix.
    fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1
    }
}

thread_local! {
    static WORKSPACE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with `size` values of this thread's workspace, whose contents are unspecified.
pub(super) fn with_workspace<T>(size: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    WORKSPACE.with_borrow_mut(|workspace| {
        if workspace.len() < size {
            workspace.resize(size, 0.0);
        }
        work(&mut workspace[..size])
    })
}

/// An implicit im2col matrix: rows are read from the padded pictures in place, one segment for each
/// row of the kernel, in which all its columns and channels are contiguous.
#[derive(Clone, Copy)]
pub(super) struct ImplicitColumns<'a> {
    /// With padding.
    pictures: &'a [f32],
    /// Without padding.
    geometry: ConvGeometry,
    /// First output pixel.
    first: usize,
    /// Number of output pixels.
    count: usize,
}

impl<'a> ImplicitColumns<'a> {
    /// The rows of `count` output pixels from `first` on.
    pub(super) fn range(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.geometry.rows() * self.geometry.out_width());
        Self { first, count, ..self }
    }
}

/// Pads the pictures and calls `work` with an empty range of their implicit im2col matrix, from which
/// [`ImplicitColumns::range`] selects rows.
pub(super) fn with_implicit_im2col<T>(
    g: &ConvGeometry,
    input: &[f32],
    work: impl FnOnce(ImplicitColumns<'_>) -> T,
) -> T {
    fn implicit<'a>(geometry: &ConvGeometry, pictures: &'a [f32]) -> ImplicitColumns<'a> {
        ImplicitColumns { pictures, geometry: *geometry, first: 0, count: 0 }
    }
    let pad = g.kernel / 2;
    if pad == 0 {
        return work(implicit(g, input));
    }
    let (row, padded_row) = (g.width * g.channels, (g.width + 2 * pad) * g.channels);
    with_workspace(g.batch * (g.height + 2 * pad) * padded_row, |padded| {
        let pictures = padded.chunks_exact_mut((g.height + 2 * pad) * padded_row);
        for (picture, source) in pictures.zip(input.chunks_exact(g.height * row)) {
            let (above, rest) = picture.split_at_mut(pad * padded_row);
            let (inside, below) = rest.split_at_mut(g.height * padded_row);
            above.fill(0.0);
            below.fill(0.0);
            for (line, source) in inside.chunks_exact_mut(padded_row).zip(source.chunks_exact(row)) {
                let (left, rest) = line.split_at_mut(pad * g.channels);
                let (middle, right) = rest.split_at_mut(row);
                left.fill(0.0);
                middle.copy_from_slice(source);
                right.fill(0.0);
            }
        }
        work(implicit(g, padded))
    })
}

impl OperandA for ImplicitColumns<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.pictures
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.count
    }

    #[inline(always)]
    fn layout(&self) -> RowLayout {
        let g = &self.geometry;
        let segment_stride = (g.width + 2 * (g.kernel / 2)) * g.channels;
        RowLayout { segments: g.kernel, segment_length: g.kernel * g.channels, segment_stride, element_stride: 1 }
    }

    #[inline(always)]
    fn row_offsets<const R: usize>(&self, row: usize) -> [usize; R] {
        let g = &self.geometry;
        let pad = g.kernel / 2;
        let (width, height) = (g.width + 2 * pad, g.height + 2 * pad);
        let (out_width, out_height) = (g.out_width(), g.out_height());
        let line = (self.first + row) / out_width;
        let (mut picture, mut y, mut x) = (line / out_height, line % out_height, (self.first + row) % out_width);
        std::array::from_fn(|_| {
            let offset = ((picture * height + y * g.stride) * width + x * g.stride) * g.channels;
            x += 1;
            if x == out_width {
                (x, y) = (0, y + 1);
                if y == out_height {
                    (picture, y) = (picture + 1, 0);
                }
            }
            offset
        })
    }
}

/// Calls `work` with the im2col matrix of output rows `first..last`: ((last - first) * out_width, columns).
pub(super) fn with_im2col<T>(
    g: &ConvGeometry,
    input: &[f32],
    first: usize,
    last: usize,
    work: impl FnOnce(&[f32]) -> T,
) -> T {
    let size = (last - first) * g.out_width() * g.columns();
    if g.is_pointwise() {
        return work(&input[first * g.out_width() * g.channels..][..size]);
    }
    with_workspace(size, |columns| {
        for (row, line) in (first..last).zip(columns.chunks_mut(g.out_width() * g.columns())) {
            im2col_row(g, input, row, line);
        }
        work(columns)
    })
}

fn im2col_row(g: &ConvGeometry, input: &[f32], row: usize, line: &mut [f32]) {
    let pad = g.kernel / 2;
    let (image, out_y) = (row / g.out_height(), row % g.out_height());
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
            } else if segment == 3 && left >= pad && left + 2 <= g.width {
                // One channel: for three values a call to memcpy costs more than the copy.
                target.iter_mut().zip(&source[left - pad..]).for_each(|(target, value)| *target = *value);
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

/// Adds one output pixel's row of the im2col matrix to the pixels of `image` that it was read from.
pub(super) fn col2im_pixel(g: &ConvGeometry, columns: &[f32], out_y: usize, out_x: usize, image: &mut [f32]) {
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
