//! What a convolution by matrix products is made of: its sizes, and columns of pixels (im2col).

use std::cell::RefCell;

use super::product::{Left, Segments};

/// The sizes of a square convolution without dilation or groups, padded by half its kernel:
/// (batch, height, width, channels) → (batch, ⌈height / stride⌉, ⌈width / stride⌉, out_channels).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) out_channels: usize,
    /// Side of the kernel, odd.
    pub(crate) kernel: usize,
    /// Step in both directions.
    pub(crate) stride: usize,
}

impl Geometry {
    pub(crate) fn out_height(&self) -> usize {
        self.height.div_ceil(self.stride)
    }

    pub(crate) fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// Values of the input, of the output.
    pub(crate) fn input_size(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    pub(crate) fn output_size(&self) -> usize {
        self.rows() * self.out_width() * self.out_channels
    }

    /// Inputs that one output pixel sees.
    pub(crate) fn columns(&self) -> usize {
        self.kernel * self.kernel * self.channels
    }

    /// Whether [`super::winograd`] can do it.
    pub(super) fn is_filterable(&self) -> bool {
        self.kernel == 3 && self.stride == 1
    }

    /// Output rows of all images, one below the other.
    pub(super) fn rows(&self) -> usize {
        self.batch * self.out_height()
    }

    /// Output rows whose columns take about `bytes`.
    pub(super) fn block_rows(&self, bytes: usize) -> usize {
        (bytes / (4 * self.out_width() * self.columns()).max(1)).clamp(1, self.rows().max(1))
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

/// The columns of some output pixels where they lie in the pictures, none of them copied together:
/// of each row of the kernel all columns and channels stand side by side.
#[derive(Clone, Copy)]
pub(super) struct Patches<'a> {
    /// Padded.
    pictures: &'a [f32],
    /// Without the padding.
    geometry: Geometry,
    /// The first output pixel, and how many.
    first: usize,
    count: usize,
}

impl<'a> Patches<'a> {
    /// `count` output pixels from `first` on.
    pub(super) fn range(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.geometry.rows() * self.geometry.out_width());
        Self { first, count, ..self }
    }
}

/// Hands `work` the patches of all output pixels.
pub(super) fn with_patches<T>(g: &Geometry, input: &[f32], work: impl FnOnce(Patches<'_>) -> T) -> T {
    fn patches<'a>(geometry: &Geometry, pictures: &'a [f32]) -> Patches<'a> {
        Patches { pictures, geometry: *geometry, first: 0, count: 0 }
    }
    let pad = g.kernel / 2;
    if pad == 0 {
        return work(patches(g, input));
    }
    let (row, padded_row) = (g.width * g.channels, (g.width + 2 * pad) * g.channels);
    with_scratch(g.batch * (g.height + 2 * pad) * padded_row, |padded| {
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
        work(patches(g, padded))
    })
}

impl Left for Patches<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.pictures
    }

    #[inline(always)]
    fn rows(&self) -> usize {
        self.count
    }

    #[inline(always)]
    fn segments(&self) -> Segments {
        let g = &self.geometry;
        let step = (g.width + 2 * (g.kernel / 2)) * g.channels;
        Segments { count: g.kernel, length: g.kernel * g.channels, step, entry_step: 1 }
    }

    #[inline(always)]
    fn starts<const R: usize>(&self, row: usize) -> [usize; R] {
        let g = &self.geometry;
        let pad = g.kernel / 2;
        let (width, height) = (g.width + 2 * pad, g.height + 2 * pad);
        let (out_width, out_height) = (g.out_width(), g.out_height());
        let line = (self.first + row) / out_width;
        let (mut picture, mut y, mut x) = (line / out_height, line % out_height, (self.first + row) % out_width);
        std::array::from_fn(|_| {
            let start = ((picture * height + y * g.stride) * width + x * g.stride) * g.channels;
            x += 1;
            if x == out_width {
                (x, y) = (0, y + 1);
                if y == out_height {
                    (picture, y) = (picture + 1, 0);
                }
            }
            start
        })
    }
}

/// Hands `work` the columns of output rows `first..last`: ((last - first) * out_width, columns).
pub(super) fn with_columns<T>(
    g: &Geometry,
    input: &[f32],
    first: usize,
    last: usize,
    work: impl FnOnce(&[f32]) -> T,
) -> T {
    let size = (last - first) * g.out_width() * g.columns();
    if g.is_pointwise() {
        return work(&input[first * g.out_width() * g.channels..][..size]);
    }
    with_scratch(size, |columns| {
        for (row, line) in (first..last).zip(columns.chunks_mut(g.out_width() * g.columns())) {
            gather_row(g, input, row, line);
        }
        work(columns)
    })
}

fn gather_row(g: &Geometry, input: &[f32], row: usize, line: &mut [f32]) {
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
                // One channel: three values, for which a call to copy them costs more than they do.
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
