//! The decoder's loops, compiled for the vectors and bit instructions of the processor that runs them.

use pulp::{Simd, WithSimd};

use super::progressive::Progressive;
use super::{CpuLimit, JpegError, PlaneWriter, ScanContext, sequential};

/// Runs `work` compiled for this processor, with vectors no longer than a row of a block: those of
/// AVX-512 are twice that.
pub(super) fn dispatch<W: WithSimd>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    match pulp::x86::V3::try_new() {
        Some(simd) => Simd::vectorize(simd, work),
        None => work.with_simd(pulp::Scalar::new()),
    }
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(work)
}

/// Decodes a sequential scan.
pub(super) struct SequentialScan<'a, const N: usize> {
    pub(super) context: ScanContext<'a>,
    pub(super) output: &'a mut PlaneWriter<N>,
}

impl<const N: usize> WithSimd for SequentialScan<'_, N> {
    /// Rows at full size that were decoded.
    type Output = Result<usize, JpegError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        sequential::decode_scan(simd, &self.context, self.output)
    }
}

/// Decodes a progressive scan to coefficients.
pub(super) struct ProgressiveScan<'a, const N: usize> {
    pub(super) context: ScanContext<'a>,
    pub(super) progressive: &'a mut Progressive<N>,
}

impl<const N: usize> WithSimd for ProgressiveScan<'_, N> {
    type Output = Result<(), JpegError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        self.progressive.decode_scan(&self.context)
    }
}

/// Transforms the coefficients of a progressive file to pixels.
pub(super) struct ProgressiveTransform<'a, const N: usize> {
    pub(super) progressive: Progressive<N>,
    pub(super) output: &'a mut PlaneWriter<N>,
    pub(super) clock: &'a CpuLimit,
}

impl<const N: usize> WithSimd for ProgressiveTransform<'_, N> {
    type Output = Result<(), JpegError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        self.progressive.transform(simd, self.output, self.clock)
    }
}
