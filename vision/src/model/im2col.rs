//! Convolution by matrix products: its geometry, im2col and col2im.

use std::cell::RefCell;

use aligned_vec::AVec;

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
    static WORKSPACE: RefCell<AVec<f32>> = RefCell::new(AVec::new(0));
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
    /// The rows of `count` of its output pixels from `first` on.
    pub(super) fn range(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.geometry.rows() * self.geometry.out_width());
        Self { first, count, ..self }
    }
}

/// A part of a convolution: whole pictures, or some output rows of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) first_picture: usize,
    pub(super) pictures: usize,
    /// Of the output.
    pub(super) first_row: usize,
    /// Of the output.
    pub(super) rows: usize,
}

/// Divides a convolution into parts of a number of pictures, or, if that is zero, of a number of output rows of one picture.
pub(super) fn parts(g: &ConvGeometry, pictures: usize, rows: usize) -> impl Iterator<Item = Part> {
    let (batch, out_height) = (g.batch, g.out_height());
    let rows = if pictures == 0 { rows } else { out_height }.max(1);
    let pictures = pictures.max(1);
    (0..batch).step_by(pictures).flat_map(move |first_picture| {
        (0..out_height).step_by(rows).map(move |first_row| Part {
            first_picture,
            pictures: pictures.min(batch - first_picture),
            first_row,
            rows: rows.min(out_height - first_row),
        })
    })
}

/// Calls `work` for one part of the pictures after another, several pictures or some rows of one, whose padded copy takes about
/// `bytes`: with the index of the part's first output pixel and its implicit im2col matrix.
pub(super) fn for_each_implicit_im2col(
    g: &ConvGeometry,
    input: &[f32],
    bytes: usize,
    mut work: impl FnMut(usize, ImplicitColumns<'_>),
) {
    let pad = g.kernel / 2;
    if pad == 0 {
        let count = g.rows() * g.out_width();
        return work(0, ImplicitColumns { pictures: input, geometry: *g, first: 0, count });
    }
    let (row, padded_row) = (g.width * g.channels, (g.width + 2 * pad) * g.channels);
    let fitting = bytes / (4 * padded_row).max(1);
    let rows = fitting.saturating_sub(2 * pad) / g.stride;
    for Part { first_picture, pictures, first_row, rows } in parts(g, fitting / (g.height + 2 * pad), rows) {
        let part = ConvGeometry { batch: pictures, height: rows * g.stride, ..*g };
        let lines = part.height + 2 * pad;
        with_workspace(pictures * lines * padded_row, |padded| {
            for (index, line) in padded.chunks_exact_mut(padded_row).enumerate() {
                let picture = first_picture + index / lines;
                let y = (first_row * g.stride + index % lines).wrapping_sub(pad);
                if y >= g.height {
                    line.fill(0.0);
                    continue;
                }
                let (left, rest) = line.split_at_mut(pad * g.channels);
                let (middle, right) = rest.split_at_mut(row);
                left.fill(0.0);
                middle.copy_from_slice(&input[(picture * g.height + y) * row..][..row]);
                right.fill(0.0);
            }
            let first = (first_picture * g.out_height() + first_row) * g.out_width();
            let count = part.rows() * part.out_width();
            work(first, ImplicitColumns { pictures: padded, geometry: part, first: 0, count });
        });
    }
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
            } else if g.channels == 1 && segment == 3 && left >= pad && left + 2 <= g.width {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_implicit_matrix_equals_the_explicit_one_however_the_pictures_are_divided() {
        for (kernel, stride, height, width) in [(3, 1, 5, 4), (3, 2, 7, 6), (7, 4, 17, 21), (1, 1, 3, 2)] {
            let g = ConvGeometry { batch: 3, height, width, channels: 2, out_channels: 1, kernel, stride };
            let input: Vec<f32> = (1..=g.input_size()).map(|value| value as f32).collect();
            let explicit = with_im2col(&g, &input, 0, g.rows(), <[f32]>::to_vec);
            for bytes in [0, 400, 2000, 1 << 20] {
                let mut implicit = vec![f32::NAN; explicit.len()];
                for_each_implicit_im2col(&g, &input, bytes, |first, columns| {
                    let layout = columns.layout();
                    for row in 0..columns.rows() {
                        let [offset] = columns.row_offsets(row);
                        let target = &mut implicit[(first + row) * g.columns()..][..g.columns()];
                        for (segment, target) in target.chunks_exact_mut(layout.segment_length).enumerate() {
                            let start = offset + segment * layout.segment_stride;
                            target.copy_from_slice(&columns.values()[start..][..layout.segment_length]);
                        }
                    }
                });
                assert!(implicit == explicit, "{kernel}×{kernel} stride {stride}, {bytes} bytes");
            }
        }
    }
}
