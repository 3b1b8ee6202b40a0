//! SIMD loads and stores of NHWC pixels: channels in blocks of one vector.

use pulp::Simd;
use pulp::bytemuck::{bytes_of, cast_slice, cast_slice_mut, pod_read_unaligned};

/// `f32` lanes of a vector.
#[inline(always)]
pub(super) const fn lane_count<S: Simd>() -> usize {
    size_of::<S::f32s>() / size_of::<f32>()
}

/// The channels that one vector holds; the last block of a pixel may be partial.
#[derive(Clone, Copy)]
pub(super) struct ChannelBlock {
    first: usize,
    count: usize,
    /// All channels of a pixel.
    channels: usize,
}

/// The pixels (or other rows of `channels` values) of a square.
#[derive(Clone, Copy)]
pub(super) struct Square {
    pub(super) first: usize,
    /// From a pixel to the one below it.
    pub(super) row_stride: usize,
    /// From a pixel to its right neighbour.
    pub(super) column_stride: usize,
}

impl Square {
    /// Offset of a pixel from the first.
    #[inline(always)]
    fn offset(self, row: usize, column: usize) -> usize {
        row * self.row_stride + column * self.column_stride
    }
}

impl ChannelBlock {
    /// The blocks of `channels` channels.
    #[inline(always)]
    pub(super) fn all<S: Simd>(channels: usize) -> impl Iterator<Item = Self> {
        let vectors = (0..channels).step_by(lane_count::<S>());
        vectors.map(move |first| Self { first, count: lane_count::<S>().min(channels - first), channels })
    }

    /// Loads this block of a pixel (or of another row of `channels` values).
    #[inline(always)]
    pub(super) fn load<S: Simd>(self, simd: S, values: &[f32], row: usize) -> S::f32s {
        let values = &values[row * self.channels + self.first..][..self.count];
        if self.count == lane_count::<S>() {
            pod_read_unaligned(cast_slice(values))
        } else {
            simd.partial_load_f32s(values)
        }
    }

    #[inline(always)]
    pub(super) fn store<S: Simd>(self, simd: S, values: &mut [f32], row: usize, vector: S::f32s) {
        let values = &mut values[row * self.channels + self.first..][..self.count];
        if self.count == lane_count::<S>() {
            cast_slice_mut(values).copy_from_slice(bytes_of(&vector));
        } else {
            simd.partial_store_f32s(values, vector);
        }
    }

    /// Start and length of the slice from the first vector of an N×N square to the end of its last;
    /// the length saturates.
    #[inline(always)]
    fn span<const N: usize>(self, square: Square) -> (usize, usize) {
        let step = square.row_stride.saturating_add(square.column_stride);
        let distance = step.saturating_mul(self.channels).saturating_mul(N - 1);
        (square.first * self.channels + self.first, distance.saturating_add(self.count))
    }

    /// Loads this block of an N×N square of pixels.
    #[inline(always)]
    pub(super) fn load_square<S: Simd, const N: usize>(
        self,
        simd: S,
        values: &[f32],
        square: Square,
    ) -> [[S::f32s; N]; N] {
        let mut vectors = [[simd.splat_f32s(0.0); N]; N];
        // One bounds check for all vectors.
        let (start, length) = self.span::<N>(square);
        let within = &values[start..][..length];
        for (y, row) in vectors.iter_mut().enumerate() {
            for (x, vector) in row.iter_mut().enumerate() {
                *vector = if self.count == lane_count::<S>() {
                    // SAFETY: `y` and `x` are below N, so the vector ends within the slice, whose length `span`
                    // computes without wrapping around; every bit pattern is a valid float.
                    unsafe {
                        let vector = within.as_ptr().add(square.offset(y, x) * self.channels);
                        vector.cast::<S::f32s>().read_unaligned()
                    }
                } else {
                    simd.partial_load_f32s(&within[square.offset(y, x) * self.channels..][..self.count])
                };
            }
        }
        vectors
    }

    /// Stores this block of an N×N square of pixels.
    #[inline(always)]
    pub(super) fn store_square<S: Simd, const N: usize>(
        self,
        simd: S,
        values: &mut [f32],
        square: Square,
        vectors: [[S::f32s; N]; N],
    ) {
        let (start, length) = self.span::<N>(square);
        let full = self.count == lane_count::<S>();
        let within = &mut values[start..][..length];
        for (y, row) in vectors.into_iter().enumerate() {
            for (x, vector) in row.into_iter().enumerate() {
                if full {
                    // SAFETY: as in `load_square`.
                    unsafe {
                        let target = within.as_mut_ptr().add(square.offset(y, x) * self.channels);
                        target.cast::<S::f32s>().write_unaligned(vector);
                    }
                } else {
                    let at = square.offset(y, x) * self.channels;
                    simd.partial_store_f32s(&mut within[at..][..self.count], vector);
                }
            }
        }
    }
}
