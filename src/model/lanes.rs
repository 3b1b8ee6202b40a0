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
}
