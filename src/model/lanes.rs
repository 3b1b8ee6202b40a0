//! Channels of pixels as vectors of whatever width the machine has.

use pulp::Simd;

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
        if self.count == lanes::<S>() {
            // SAFETY: the slice is as long as the vector; any bits are floats.
            unsafe { values.as_ptr().cast::<S::f32s>().read_unaligned() }
        } else {
            simd.partial_load_f32s(values)
        }
    }

    #[inline(always)]
    pub(super) fn store<S: Simd>(self, simd: S, values: &mut [f32], row: usize, vector: S::f32s) {
        let values = &mut values[row * self.channels + self.first..][..self.count];
        if self.count == lanes::<S>() {
            // SAFETY: the slice is as long as the vector; any bits are floats.
            unsafe { values.as_mut_ptr().cast::<S::f32s>().write_unaligned(vector) }
        } else {
            simd.partial_store_f32s(values, vector);
        }
    }
    /// These channels of a square of pixels: the first, and the steps from row to row and from
    /// column to column.
    #[inline(always)]
    pub(super) fn load_square<S: Simd, const N: usize>(
        self,
        simd: S,
        values: &[f32],
        (first, row_step, column_step): (usize, usize, usize),
    ) -> [[S::f32s; N]; N] {
        let pixel = |y: usize, x: usize| first + y * row_step + x * column_step;
        let mut square = [[simd.splat_f32s(0.0); N]; N];
        // All pixels lie between the first and the last one: one check will do for them.
        let end = pixel(N - 1, N - 1) * self.channels + self.first + self.count;
        assert!(end <= values.len());
        for (y, row) in square.iter_mut().enumerate() {
            for (x, vector) in row.iter_mut().enumerate() {
                *vector = if self.count == lanes::<S>() {
                    // SAFETY: the vector ends where `end` is or before; any bits are floats.
                    unsafe {
                        let at = values.as_ptr().add(pixel(y, x) * self.channels + self.first);
                        at.cast::<S::f32s>().read_unaligned()
                    }
                } else {
                    self.load(simd, values, pixel(y, x))
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
        (first, row_step, column_step): (usize, usize, usize),
        square: [[S::f32s; N]; N],
    ) {
        let pixel = |y: usize, x: usize| first + y * row_step + x * column_step;
        let end = pixel(N - 1, N - 1) * self.channels + self.first + self.count;
        assert!(end <= values.len());
        for (y, row) in square.into_iter().enumerate() {
            for (x, vector) in row.into_iter().enumerate() {
                if self.count == lanes::<S>() {
                    // SAFETY: the vector ends where `end` is or before.
                    unsafe {
                        let at = values.as_mut_ptr().add(pixel(y, x) * self.channels + self.first);
                        at.cast::<S::f32s>().write_unaligned(vector);
                    }
                } else {
                    self.store(simd, values, pixel(y, x), vector);
                }
            }
        }
    }
}
