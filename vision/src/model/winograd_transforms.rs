//! The transforms of Winograd's F(4×4, 3×3) along one axis (Lavin & Gray 2016): matrices B, A and G
//! of the paper, and their transposes for the backward pass.

use pulp::Simd;

/// Bᵀ: six inputs.
#[inline(always)]
pub(super) fn transform_input_1d<S: Simd>(s: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
    let (two, four, five) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(5.0));
    let even = s.negate_mul_add_e_f32s(four, d[2], d[4]);
    let odd = s.negate_mul_add_e_f32s(four, d[1], d[3]);
    let near = s.sub_f32s(d[4], d[2]);
    let far = s.mul_f32s(two, s.sub_f32s(d[3], d[1]));
    [
        s.mul_add_e_f32s(four, d[0], s.negate_mul_add_e_f32s(five, d[2], d[4])),
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(near, far),
        s.sub_f32s(near, far),
        s.mul_add_e_f32s(four, d[1], s.negate_mul_add_e_f32s(five, d[3], d[5])),
    ]
}

/// Aᵀ: six products → four outputs.
#[inline(always)]
pub(super) fn transform_output_1d<S: Simd>(s: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
    let (two, four, eight) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(8.0));
    let (sum, difference) = (s.add_f32s(m[1], m[2]), s.sub_f32s(m[1], m[2]));
    let (far_sum, far_difference) = (s.add_f32s(m[3], m[4]), s.sub_f32s(m[3], m[4]));
    [
        s.add_f32s(m[0], s.add_f32s(sum, far_sum)),
        s.mul_add_e_f32s(two, far_difference, difference),
        s.mul_add_e_f32s(four, far_sum, sum),
        s.add_f32s(m[5], s.mul_add_e_f32s(eight, far_difference, difference)),
    ]
}

/// A: the transpose of [`transform_output_1d`].
#[inline(always)]
pub(super) fn transform_output_1d_transposed<S: Simd>(s: S, y: [S::f32s; 4]) -> [S::f32s; 6] {
    let (two, four) = (s.splat_f32s(2.0), s.splat_f32s(4.0));
    let even = s.add_f32s(y[0], y[2]);
    let odd = s.add_f32s(y[1], y[3]);
    let far_even = s.mul_add_e_f32s(four, y[2], y[0]);
    let far_odd = s.mul_f32s(two, s.mul_add_e_f32s(four, y[3], y[1]));
    [
        y[0],
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        y[3],
    ]
}

/// B: the transpose of [`transform_input_1d`].
#[inline(always)]
pub(super) fn transform_input_1d_transposed<S: Simd>(s: S, v: [S::f32s; 6]) -> [S::f32s; 6] {
    let (two, four, five) = (s.splat_f32s(2.0), s.splat_f32s(4.0), s.splat_f32s(5.0));
    let (sum, difference) = (s.add_f32s(v[1], v[2]), s.sub_f32s(v[1], v[2]));
    let (far_sum, far_difference) = (s.add_f32s(v[3], v[4]), s.sub_f32s(v[3], v[4]));
    let twice = s.mul_f32s(two, far_difference);
    let minus_four = s.splat_f32s(-4.0);
    // d2 = −5v0 − 4(v1 + v2) − (v3 + v4); the others likewise.
    [
        s.mul_f32s(four, v[0]),
        s.sub_f32s(s.mul_f32s(four, s.sub_f32s(v[5], difference)), twice),
        s.sub_f32s(s.negate_mul_add_e_f32s(five, v[0], s.mul_f32s(minus_four, sum)), far_sum),
        s.negate_mul_add_e_f32s(five, v[5], s.add_f32s(difference, twice)),
        s.add_f32s(v[0], s.add_f32s(sum, far_sum)),
        v[5],
    ]
}

/// Applies a 1-D transform to the columns, then to the rows, of `$in`×`$in` values → `$out`×`$out`.
macro_rules! transform_2d {
    ($simd:ident, $transform_1d:ident, $values:expr, $in:literal, $out:literal) => {{
        let values = $values;
        let mut half = [[$simd.splat_f32s(0.0); $in]; $out];
        for column in 0..$in {
            let mut elements = [$simd.splat_f32s(0.0); $in];
            for row in 0..$in {
                elements[row] = values[row][column];
            }
            let transformed = $transform_1d($simd, elements);
            for row in 0..$out {
                half[row][column] = transformed[row];
            }
        }
        let mut whole = [[$simd.splat_f32s(0.0); $out]; $out];
        for row in 0..$out {
            whole[row] = $transform_1d($simd, half[row]);
        }
        whole
    }};
}

/// G: three kernel taps.
#[inline(always)]
pub(super) fn transform_kernel_1d<S: Simd>(s: S, g: [S::f32s; 3]) -> [S::f32s; 6] {
    let (half, quarter, sixth) = (s.splat_f32s(0.5), s.splat_f32s(0.25), s.splat_f32s(1.0 / 6.0));
    let ends = s.mul_f32s(s.add_f32s(g[0], g[2]), sixth);
    let middle = s.mul_f32s(g[1], sixth);
    let far_ends = s.mul_f32s(s.mul_add_e_f32s(quarter, g[0], g[2]), sixth);
    let far_middle = s.mul_f32s(middle, half);
    let zero = s.splat_f32s(0.0);
    [
        s.mul_f32s(quarter, g[0]),
        s.sub_f32s(zero, s.add_f32s(ends, middle)),
        s.sub_f32s(middle, ends),
        s.add_f32s(far_ends, far_middle),
        s.sub_f32s(far_ends, far_middle),
        g[2],
    ]
}

/// Gᵀ: the transpose of [`transform_kernel_1d`].
#[inline(always)]
pub(super) fn transform_kernel_1d_transposed<S: Simd>(s: S, u: [S::f32s; 6]) -> [S::f32s; 3] {
    let (half, quarter, sixth) = (s.splat_f32s(0.5), s.splat_f32s(0.25), s.splat_f32s(1.0 / 6.0));
    let (near, far) = (s.add_f32s(u[1], u[2]), s.add_f32s(u[3], u[4]));
    let odd = s.mul_add_e_f32s(half, s.sub_f32s(u[3], u[4]), s.sub_f32s(u[2], u[1]));
    [
        s.mul_add_e_f32s(quarter, u[0], s.mul_f32s(sixth, s.sub_f32s(s.mul_f32s(quarter, far), near))),
        s.mul_f32s(sixth, odd),
        s.mul_add_e_f32s(sixth, s.sub_f32s(far, near), u[5]),
    ]
}

pub(super) use transform_2d;
