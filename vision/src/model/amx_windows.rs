//! The input of a convolution as the matrix unit reads it ([`super::amx`]): rounded to 16 bits, split into bytes, and copied so
//! that the windows of consecutive output pixels are equally spaced.

use pulp::{Simd, WithSimd};

use super::amx::{CHUNK, TILE};
use super::im2col::{ConvGeometry, Part};

/// Pictures of a part.
pub(super) const MAX_PICTURES: usize = 16;
/// Bytes copied at once to a window of its own.
const COPY: usize = 8;
/// The largest number of an activation.
const MAX_ACTIVATION: f32 = 32767.0;

/// How the windows of output pixels are laid out: for each output row, a pixel of the padded picture has the channels of each row
/// of the kernel. If these are a few bytes, as in a network's first layer, each window is copied for itself.
pub(super) struct Windows<'a> {
    g: &'a ConvGeometry,
    /// Whether each is copied for itself.
    separate: bool,
    /// Bytes from a window to the next.
    pub(super) stride: usize,
    /// For each output row, including those over its end.
    per_row: usize,
}

impl<'a> Windows<'a> {
    pub(super) fn new(g: &'a ConvGeometry) -> Self {
        let (pad, row) = (g.kernel / 2, g.kernel * g.channels);
        if g.kernel > 1 && row <= COPY {
            return Self { g, separate: true, stride: g.columns().next_multiple_of(CHUNK), per_row: g.out_width() };
        }
        // The zeros at a row's end are the padding of the next row as well.
        Self { g, separate: false, stride: g.stride * row, per_row: (g.width + pad).div_ceil(g.stride) }
    }

    /// The row of the weight (kernel · kernel · in, out) that belongs to a byte of a window.
    pub(super) fn weight_row(&self, byte: usize) -> usize {
        let g = self.g;
        let (pixel, channel) = (byte / g.channels, byte % g.channels);
        if self.separate { byte } else { (pixel % g.kernel * g.kernel + pixel / g.kernel) * g.channels + channel }
    }

    /// Bytes of the windows of an output row.
    pub(super) fn row_bytes(&self) -> usize {
        self.per_row * self.stride
    }

    pub(super) fn count(&self, part: &Part) -> usize {
        part.pictures * part.rows * self.per_row
    }

    /// Bytes of all windows, and of what is read after them.
    pub(super) fn plane(&self, part: &Part) -> usize {
        self.count(part).next_multiple_of(2 * TILE) * self.stride + self.g.columns().next_multiple_of(CHUNK)
    }

    /// Bytes of a row of a padded picture.
    fn padded_row(&self) -> usize {
        (self.g.width + self.g.kernel + self.g.stride) * self.g.channels + COPY
    }

    /// In f32 values: a plane of upper and one of lower bytes, and a row of a picture for each.
    pub(super) fn workspace_size(&self, part: &Part) -> usize {
        (2 * (self.plane(part) + self.padded_row())).div_ceil(4)
    }

    /// For each of `N` windows from `first` on its output pixel, if there is one, with the step of its picture.
    pub(super) fn pixels<const N: usize>(&self, part: &Part, steps: &[f32], first: usize) -> [Option<(usize, f32)>; N] {
        let width = self.g.out_width();
        let (mut row, mut x) = (first / self.per_row, first % self.per_row);
        let (mut picture, mut y) = (row / part.rows, row % part.rows);
        row = (part.first_picture + picture) * self.g.out_height() + part.first_row + y;
        std::array::from_fn(|_| {
            let pixel = (x < width && picture < part.pictures).then(|| (row * width + x, steps[picture]));
            x += 1;
            if x == self.per_row {
                (x, y, row) = (0, y + 1, row + 1);
                if y == part.rows {
                    (y, picture) = (0, picture + 1);
                }
            }
            pixel
        })
    }
}

/// Rounds the activations of a part to 16 bits and copies them to their windows.
pub(super) struct Fill<'a> {
    pub(super) windows: &'a Windows<'a>,
    pub(super) part: &'a Part,
    pub(super) input: &'a [f32],
    /// Set for each picture of the part.
    pub(super) steps: &'a mut [f32],
    /// [`Windows::workspace_size`].
    pub(super) values: &'a mut [u8],
}

impl WithSimd for Fill<'_> {
    type Output = ();

    // Here and below, the compiler vectorises plain loops for each instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { windows, part, input, steps, values } = self;
        let g = windows.g;
        let (pad, width, row_bytes, plane) =
            (g.kernel / 2, g.width * g.channels, windows.row_bytes(), windows.plane(part));
        let (planes, lines) = values.split_at_mut(2 * plane);
        let (upper_plane, lower_plane) = planes.split_at_mut(plane);
        let (upper, lower) = lines[..2 * windows.padded_row()].split_at_mut(windows.padded_row());
        upper.fill(0);
        lower.fill(0);
        for (picture, step) in (0..part.pictures).zip(steps) {
            let first = (part.first_picture + picture) * g.height;
            let top = part.first_row * g.stride;
            let count = (part.rows - 1) * g.stride + g.kernel;
            let inside = top.saturating_sub(pad)..(top + count - pad).min(g.height);
            *step = largest(&input[(first + inside.start) * width..(first + inside.end) * width]) / MAX_ACTIVATION;
            for line in 0..count {
                let row_of = |tap: usize| Some((line.checked_sub(tap)? / g.stride, tap));
                let rows = (line % g.stride..g.kernel).step_by(g.stride).filter_map(row_of);
                let mut rows = rows.filter(|(row, _)| *row < part.rows).peekable();
                if rows.peek().is_none() {
                    continue;
                }
                let y = (top + line).wrapping_sub(pad);
                if y < g.height {
                    let middle = pad * g.channels..pad * g.channels + width;
                    let source = &input[(first + y) * width..][..width];
                    split(source, *step, &mut upper[middle.clone()], &mut lower[middle]);
                } else {
                    upper.fill(0);
                    lower.fill(0);
                }
                for (row, tap) in rows {
                    let start = (picture * part.rows + row) * row_bytes;
                    windows.copy_line(upper, tap, &mut upper_plane[start..][..row_bytes]);
                    windows.copy_line(lower, tap, &mut lower_plane[start..][..row_bytes]);
                }
            }
        }
        // The last row's padding. What else is read after it is left out, or multiplied by zero.
        let (end, padding) = (part.pictures * part.rows * row_bytes, pad * g.kernel * g.channels);
        upper_plane[end..][..padding].fill(0);
        lower_plane[end..][..padding].fill(0);
    }
}

impl Windows<'_> {
    /// Copies a padded row of a picture to the windows of an output row, as row `tap` of the kernel.
    #[inline(always)]
    fn copy_line(&self, line: &[u8], tap: usize, windows: &mut [u8]) {
        let g = self.g;
        let (pixel, channels) = (g.kernel * g.channels, g.channels);
        if self.separate {
            // What is copied too much will be overwritten, or is multiplied by zero.
            let windows = windows.chunks_exact_mut(self.stride);
            for (window, source) in windows.zip(line.windows(COPY).step_by(g.stride * channels)) {
                window[tap * pixel..][..COPY].copy_from_slice(source);
            }
            return;
        }
        let offset = tap * channels;
        match (channels / 16, channels % 16) {
            _ if g.kernel == 1 => windows.copy_from_slice(&line[..windows.len()]),
            // The channels that the networks have, as whole vectors.
            (1, 0) => copy_pixels::<1>(line, windows, pixel, offset),
            (2, 0) => copy_pixels::<2>(line, windows, pixel, offset),
            (3, 0) => copy_pixels::<3>(line, windows, pixel, offset),
            (4, 0) => copy_pixels::<4>(line, windows, pixel, offset),
            (5, 0) => copy_pixels::<5>(line, windows, pixel, offset),
            (6, 0) => copy_pixels::<6>(line, windows, pixel, offset),
            (8, 0) => copy_pixels::<8>(line, windows, pixel, offset),
            (12, 0) => copy_pixels::<12>(line, windows, pixel, offset),
            _ => {
                for (target, source) in windows.chunks_exact_mut(pixel).zip(line.chunks_exact(channels)) {
                    target[offset..][..channels].copy_from_slice(source);
                }
            }
        }
    }
}

/// Copies pixels of `BLOCKS` times 16 bytes to an offset in pixels of `pixel` bytes.
#[inline(always)]
fn copy_pixels<const BLOCKS: usize>(source: &[u8], target: &mut [u8], pixel: usize, offset: usize) {
    let sources = source.as_chunks::<16>().0.as_chunks::<BLOCKS>().0;
    for (target, source) in target.chunks_exact_mut(pixel).zip(sources) {
        target[offset..][..16 * BLOCKS].as_chunks_mut::<16>().0.copy_from_slice(source);
    }
}

/// The largest magnitude among values.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    // Positive floats are ordered as their bits, whose maximum, unlike that of floats, is vectorised.
    f32::from_bits(values.iter().fold(0, |largest, value| largest.max(value.to_bits() & !(1 << 31))))
}

/// Rounds values to steps, and splits these integers of 16 bits into bytes.
#[inline(always)]
fn split(values: &[f32], step: f32, upper: &mut [u8], lower: &mut [u8]) {
    /// Added to a smaller number, it leaves the nearest integer in the lowest bits.
    const ROUNDING: f32 = 1.5 * (1 << 23) as f32;
    // Steps so small that their inverse is infinite are as good as none.
    let inverse = if step >= f32::MIN_POSITIVE { 1.0 / step } else { 0.0 };
    for ((value, upper), lower) in values.iter().zip(upper).zip(lower) {
        let bits = (value * inverse + ROUNDING).to_bits();
        (*upper, *lower) = ((bits >> 8) as u8, bits as u8);
    }
}
