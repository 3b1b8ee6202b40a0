//! Arithmetic on pictures of 128×128 standardised values, and on maps.

use super::SIDE;

/// The mirror image.
pub fn mirrored(picture: &[f32]) -> Vec<f32> {
    picture.chunks(SIDE).flat_map(|row| row.iter().rev().copied()).collect()
}

/// The picture moved by one pixel to the right; the first column is repeated.
pub fn shifted(picture: &[f32]) -> Vec<f32> {
    let row = |row: &[f32]| row.first().copied().into_iter().chain(row[..row.len() - 1].iter().copied()).collect();
    picture.chunks(SIDE).flat_map::<Vec<f32>, _>(row).collect()
}

/// The picture blurred by a Gaussian of `sigma` pixels; beyond the edges it is continued by its edge pixels.
pub fn blurred(picture: &[f32], sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as i32;
    let weights: Vec<f32> = (-reach..=reach).map(|at| (-((at * at) as f32) / (2.0 * sigma * sigma)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let along_rows = |picture: &[f32]| -> Vec<f32> {
        // Transposed, so that the second pass goes along the columns.
        let value = |x: usize, y: usize| {
            let row = &picture[y * SIDE..][..SIDE];
            let at = |tap: i32| row[(x as i32 + tap).clamp(0, SIDE as i32 - 1) as usize];
            (-reach..=reach).zip(&weights).map(|(tap, weight)| weight * at(tap)).sum::<f32>() / total
        };
        (0..SIDE * SIDE).map(|at| value(at / SIDE, at % SIDE)).collect()
    };
    along_rows(&along_rows(picture))
}

/// Spearman's rank correlation of two maps of the same size, -1 to 1; 0 if one of them is flat.
pub fn rank_correlation(one: &[f32], other: &[f32]) -> f32 {
    let (one, other) = (ranks(one), ranks(other));
    let mean = (one.len() as f32 - 1.0) / 2.0;
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f32>();
    let spread = (product(&one, &one) * product(&other, &other)).sqrt();
    if spread > 0.0 { product(&one, &other) / spread } else { 0.0 }
}

/// The rank of each value from 0; equal values share the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|one, other| values[*one] == values[*other]) {
        let rank = first as f32 + (group.len() as f32 - 1.0) / 2.0;
        group.iter().for_each(|index| ranks[*index] = rank);
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_correlate_whatever_the_scale() {
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0, 9.0], &[-5.0, 0.0, 10.0, 11.0]), 1.0);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert_eq!(rank_correlation(&[1.0, 1.0, 1.0], &[3.0, 2.0, 1.0]), 0.0);
        // By hand: ranks 0.5, 0.5, 2, 3 and 0, 1, 2, 3.
        assert!((rank_correlation(&[4.0, 4.0, 5.0, 6.0], &[1.0, 2.0, 3.0, 4.0]) - 0.948_683).abs() < 1e-5);
    }

    #[test]
    fn blurring_keeps_a_flat_picture_and_spreads_a_point_evenly() {
        assert!(blurred(&[2.0; SIDE * SIDE], 4.0).iter().all(|value| (value - 2.0).abs() < 1e-4));
        let mut point = vec![0.0; SIDE * SIDE];
        point[60 * SIDE + 50] = 1.0;
        let spread = blurred(&point, 2.0);
        assert_eq!(super::super::peak(&spread), 60 * SIDE + 50);
        assert!((spread[60 * SIDE + 53] - spread[63 * SIDE + 50]).abs() < 1e-6);
        assert!((spread.iter().sum::<f32>() - 1.0).abs() < 1e-3);
    }
}
