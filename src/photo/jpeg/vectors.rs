//! The decoder's loops, compiled anew for the vectors and bit instructions of the processor that runs
//! them.

use pulp::{Simd, WithSimd};

use super::progressive::Progressive;
use super::{Fault, Job, Picture, WorkClock, sequential};

/// Runs `work` compiled for this processor, with vectors no longer than a row of a block: those of
/// AVX-512 are twice that.
pub(super) fn in_vectors<W: WithSimd>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    match pulp::x86::V3::try_new() {
        Some(simd) => Simd::vectorize(simd, work),
        None => work.with_simd(pulp::Scalar::new()),
    }
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(work)
}

/// A sequential scan.
pub(super) struct Sequential<'a, const N: usize> {
    pub(super) job: Job<'a>,
    pub(super) picture: &'a mut Picture<N>,
}

impl<const N: usize> WithSimd for Sequential<'_, N> {
    /// Rows of the file that are there.
    type Output = Result<usize, Fault>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        sequential::scan(simd, &self.job, self.picture)
    }
}

/// A progressive scan.
pub(super) struct Gather<'a, const N: usize> {
    pub(super) job: Job<'a>,
    pub(super) progressive: &'a mut Progressive<N>,
}

impl<const N: usize> WithSimd for Gather<'_, N> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        self.progressive.scan(&self.job)
    }
}

/// The transform of a progressive file's coefficients.
pub(super) struct Paint<'a, const N: usize> {
    pub(super) progressive: Progressive<N>,
    pub(super) picture: &'a mut Picture<N>,
    pub(super) clock: &'a WorkClock,
}

impl<const N: usize> WithSimd for Paint<'_, N> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.progressive.paint(simd, self.picture, self.clock)
    }
}
