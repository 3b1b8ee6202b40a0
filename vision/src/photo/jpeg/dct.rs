//! The inverse discrete cosine transform at full and reduced size (T.81 A.3.3).
//!
//! A block of 8×8 coefficients also yields its picture at 4×4, 2×2 and 1×1: a shorter transform of
//! its low frequencies. libjpeg scales the same way. Sums are in `f32`, which is
//! exact to well under half a grey level and needs no rounding between the two passes.

use pulp::Simd;

/// Zigzag index to index in a block stored row by row (T.81 figure A.6).
pub const ZIGZAG_TO_BLOCK: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Zigzag index of the last coefficient that N×N pixels a block depend on.
pub const fn last_coefficient(size: usize) -> usize {
    match size {
        1 => 0,
        2 => 4,
        4 => 24,
        _ => 63,
    }
}

/// cos(kπ/16) for k from 0 to 8.
const COSINES: [f32; 9] =
    [1.0, 0.980_785_25, 0.923_879_5, 0.831_469_6, 0.707_106_77, 0.555_570_24, 0.382_683_43, 0.195_090_32, 0.0];

/// The basis functions over N pixels, scaled so that a block's mean is the same at any N, in rows of
/// eight: element (u, x) is cos((2x+1)uπ/2N)/2, and 1/√8 for u = 0.
pub const fn basis<const N: usize>() -> [f32; 64] {
    let mut basis = [0.0; 64];
    let mut u = 0;
    while u < N {
        let mut x = 0;
        while x < N {
            // In units of π/16, brought into the first half of the period.
            let angle = (2 * x + 1) * u * (8 / N) % 32;
            let angle = if angle > 16 { 32 - angle } else { angle };
            let cosine = if angle > 8 { -COSINES[16 - angle] } else { COSINES[angle] };
            basis[8 * u + x] = if u == 0 { COSINES[4] / 2.0 } else { cosine / 2.0 };
            x += 1;
        }
        u += 1;
    }
    basis
}

/// N×N grey levels, in rows of eight, of a block whose coefficients (8×8 row by row, dequantised,
/// the DC term [`level_shifted`]) are 0 outside the lowest K×K, with K at most N.
///
/// Both passes work on whole rows of eight with explicit vectors: the compiler's own vectorisation
/// mixes rows and takes half as long again.
#[inline(always)]
pub fn inverse<S: Simd, const N: usize, const K: usize>(simd: S, block: &[f32; 64], basis: &[f32; 64]) -> [u8; 64] {
    const { assert!(8 % S::F32_LANES == 0, "a vector must not be longer than a row") };
    let vectors = 8 / S::F32_LANES;
    let mut columns = [0.0; 64];
    {
        // Down the columns. Even basis functions are symmetric, odd ones antisymmetric, so one set
        // of products yields two rows.
        let (block, _) = S::as_simd_f32s(block);
        let (columns, _) = S::as_mut_simd_f32s(&mut columns);
        for y in 0..N.div_ceil(2) {
            for j in 0..vectors {
                let (mut even, mut odd) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
                for v in 0..K {
                    let sum = if v % 2 == 0 { &mut even } else { &mut odd };
                    *sum = simd.mul_add_e_f32s(simd.splat_f32s(basis[8 * v + y]), block[v * vectors + j], *sum);
                }
                columns[y * vectors + j] = simd.add_f32s(even, odd);
                columns[(N - 1 - y) * vectors + j] = simd.sub_f32s(even, odd);
            }
        }
    }
    // Along the rows: a sum of basis functions rather than a fast transform, which would need the block
    // transposed.
    let mut levels = [0.0; 64];
    {
        let (basis, _) = S::as_simd_f32s(basis);
        let (levels, _) = S::as_mut_simd_f32s(&mut levels);
        for y in 0..N {
            for j in 0..vectors {
                let mut sum = simd.splat_f32s(0.0);
                for u in 0..K {
                    sum = simd.mul_add_e_f32s(simd.splat_f32s(columns[8 * y + u]), basis[u * vectors + j], sum);
                }
                levels[y * vectors + j] = sum;
            }
        }
    }
    let mut pixels = [0; 64];
    for (pixel, level) in pixels[..8 * N].iter_mut().zip(&levels[..8 * N]) {
        *pixel = round(*level);
    }
    pixels
}

/// The grey level of a block that has only its DC coefficient.
#[inline(always)]
pub fn dc_only(dc: f32) -> u8 {
    round(dc / 8.0)
}

/// A DC coefficient with T.81's level shift of 128, which is eight times that in the DC coefficient.
#[inline(always)]
pub fn level_shifted(dc: f32) -> f32 {
    dc + 1024.0
}

/// The nearest grey level. Adding 3 × 2^22 leaves the rounded integer in the lowest bits of an
/// `f32`; unlike a cast it needs no handling of NaN, so it vectorises.
#[inline(always)]
fn round(level: f32) -> u8 {
    const MAGIC: f32 = 12_582_912.0;
    ((level + MAGIC).to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    /// The formula of T.81 A.3.3, for a block of N×N.
    fn by_definition<const N: usize>(block: &[f32; 64], x: usize, y: usize) -> f64 {
        let basis = |frequency: usize, at: usize| match frequency {
            0 => f64::sqrt(0.125),
            _ => 0.5 * f64::cos((2 * at + 1) as f64 * frequency as f64 * PI / (2 * N) as f64),
        };
        (0..N * N).map(|i| basis(i % N, x) * basis(i / N, y) * f64::from(block[i / N * 8 + i % N])).sum()
    }

    #[track_caller]
    fn assert_by_definition<const N: usize, const K: usize>() {
        let mut noise = 7_u32;
        for _ in 0..50 {
            let mut block = [0.0; 64];
            for i in 0..K * K {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                block[i / K * 8 + i % K] = ((noise >> 24) as f32 - 128.0) / (1 + i) as f32;
            }
            block[0] = level_shifted(block[0]);
            let plain = inverse::<_, N, K>(pulp::Scalar::new(), &block, &basis::<N>());
            let fast = super::super::dispatch(Inverse::<N, K>(block));
            for (x, y) in (0..N * N).map(|i| (i % N, i / N)) {
                let exact = by_definition::<N>(&block, x, y).clamp(0.0, 255.0);
                for pixels in [plain, fast] {
                    assert!((f64::from(pixels[8 * y + x]) - exact).abs() < 0.501, "({x}, {y}) of {N}×{N}");
                }
            }
        }
    }

    struct Inverse<const N: usize, const K: usize>([f32; 64]);

    impl<const N: usize, const K: usize> pulp::WithSimd for Inverse<N, K> {
        type Output = [u8; 64];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            inverse::<S, N, K>(simd, &self.0, &basis::<N>())
        }
    }

    #[test]
    fn every_transform_rounds_to_the_nearest_level_with_and_without_vectors() {
        assert_by_definition::<8, 8>();
        assert_by_definition::<8, 4>();
        assert_by_definition::<4, 4>();
        assert_by_definition::<2, 2>();
    }

    #[test]
    fn levels_beyond_black_and_white_are_clamped() {
        assert_eq!([-1e6, -3.0, 0.4, 0.6, 254.6, 255.5, 1e9].map(round), [0, 0, 0, 1, 255, 255, 255]);
    }
}
