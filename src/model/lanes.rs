//! Channels of pixels as vectors of whatever width the machine has.

use pulp::Simd;
use pulp::bytemuck::{bytes_of, cast_slice, cast_slice_mut, pod_read_unaligned};

/// Values in one vector.
#[inline(always)]
pub(super) const fn lanes<S: Simd>() -> usize {
    size_of::<S::f32s>() / size_of::<f32>()
}

/// A vector of channels: the first of them, and how many of all.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    first: usize,
    count: usize,
    channels: usize,
}

impl Lanes {
    #[inline(always)]
    pub(super) fn all<S: Simd>(channels: usize) -> impl Iterator<Item = Self> {
        let vectors = (0..channels).step_by(lanes::<S>());
        vectors.map(move |first| Self { first, count: lanes::<S>().min(channels - first), channels })
    }

    /// These channels of a pixel (or of another row of `channels` values).
    #[inline(always)]
    pub(super) fn load<S: Simd>(self, simd: S, values: &[f32], row: usize) -> S::f32s {
        let values = &values[row * self.channels + self.first..][..self.count];
        if self.count == lanes::<S>() { pod_read_unaligned(cast_slice(values)) } else { simd.partial_load_f32s(values) }
    }

    #[inline(always)]
    pub(super) fn store<S: Simd>(self, simd: S, values: &mut [f32], row: usize, vector: S::f32s) {
        let values = &mut values[row * self.channels + self.first..][..self.count];
        if self.count == lanes::<S>() {
            cast_slice_mut(values).copy_from_slice(bytes_of(&vector));
        } else {
            simd.partial_store_f32s(values, vector);
        }
    }

    /// Where the vectors of a square lie among the values: from the first of them to the end of the last.
    #[inline(always)]
    fn span<const N: usize>(self, (first, row_step, column_step): (usize, usize, usize)) -> (usize, usize) {
        let across = row_step.saturating_add(column_step).saturating_mul(self.channels).saturating_mul(N - 1);
        (first * self.channels + self.first, across.saturating_add(self.count))
    }

    /// These channels of a square of pixels: the first, and the steps from row to row and from
    /// column to column.
    #[inline(always)]
    pub(super) fn load_square<S: Simd, const N: usize>(
        self,
        simd: S,
        values: &[f32],
        place @ (_, row_step, column_step): (usize, usize, usize),
    ) -> [[S::f32s; N]; N] {
        let pixel = |y: usize, x: usize| y * row_step + x * column_step;
        let mut square = [[simd.splat_f32s(0.0); N]; N];
        // All vectors lie in this slice: one check will do for them.
        let (start, length) = self.span::<N>(place);
        let within = &values[start..][..length];
        for (y, row) in square.iter_mut().enumerate() {
            for (x, vector) in row.iter_mut().enumerate() {
                *vector = if self.count == lanes::<S>() {
                    // SAFETY: `y` and `x` are below N, so that the vector ends within the slice, whose length
                    // `span` has reckoned without overflow; any bits are floats.
                    unsafe { within.as_ptr().add(pixel(y, x) * self.channels).cast::<S::f32s>().read_unaligned() }
                } else {
                    simd.partial_load_f32s(&within[pixel(y, x) * self.channels..][..self.count])
                };
            }
        }
        square
    }

    /// Where [`Self::load_square`] loads from.
    #[inline(always)]
    pub(super) fn store_square<S: Simd, const N: usize>(
        self,
        simd: S,
        values: &mut [f32],
        place @ (_, row_step, column_step): (usize, usize, usize),
        square: [[S::f32s; N]; N],
    ) {
        let pixel = |y: usize, x: usize| y * row_step + x * column_step;
        let (start, length) = self.span::<N>(place);
        let full = self.count == lanes::<S>();
        let within = &mut values[start..][..length];
        for (y, row) in square.into_iter().enumerate() {
            for (x, vector) in row.into_iter().enumerate() {
                if full {
                    // SAFETY: as in `load_square`.
                    unsafe {
                        let at = within.as_mut_ptr().add(pixel(y, x) * self.channels);
                        at.cast::<S::f32s>().write_unaligned(vector);
                    }
                } else {
                    let at = pixel(y, x) * self.channels;
                    simd.partial_store_f32s(&mut within[at..][..self.count], vector);
                }
            }
        }
    }
}
