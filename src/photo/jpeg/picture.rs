//! The picture in the making: blocks of pixels take their places.

use pulp::Simd;

use super::super::rows::GREY;
use super::{Plane, dct, headers};

/// The picture in the making, N×N pixels a block.
pub(super) struct Picture<const N: usize> {
    waves: [f32; 64],
    pub(super) plane: Plane,
}

impl<const N: usize> Picture<N> {
    pub(super) fn new(plane: headers::Plane) -> Self {
        let [width, height] = [plane.width, plane.height].map(|side| (side * N).div_ceil(8));
        let plane = Plane { width, height, pixels: vec![0; width * height], rows: 0, whole: false };
        Self { waves: dct::waves::<N>(), plane }
    }

    /// The picture, of which so many rows of the file are there; the rest is made grey.
    pub(super) fn up_to(self, file_rows: usize) -> Plane {
        let Plane { width, height, mut pixels, .. } = self.plane;
        let rows = (file_rows * N / 8).min(height);
        pixels[rows * width..].fill(GREY);
        Plane { width, height, pixels, rows, whole: rows == height }
    }

    /// Writes the part of a block that lies inside the picture.
    #[inline(always)]
    fn put(&mut self, block_x: usize, block_y: usize, block: &[u8; 64]) {
        let Plane { width, height, pixels, .. } = &mut self.plane;
        let (x, y) = (block_x * N, block_y * N);
        if x + N <= *width && y + N <= *height {
            let mut start = y * *width + x;
            for row in block.chunks_exact(8).take(N) {
                pixels[start..start + N].copy_from_slice(&row[..N]);
                start += *width;
            }
        } else if x < *width {
            let inside = N.min(*width - x);
            for (row, y) in block.chunks_exact(8).take(N).zip(y..*height) {
                pixels[y * *width + x..][..inside].copy_from_slice(&row[..inside]);
            }
        }
    }

    /// Transforms and writes a block, row by row and dequantised, of which no coefficient beyond
    /// zigzag index `last` is set. Most blocks of a photo hold a few low frequencies.
    #[inline(always)]
    pub(super) fn paint<S: Simd>(&mut self, simd: S, block_x: usize, block_y: usize, block: &[f32; 64], last: usize) {
        let pixels = match (N, last) {
            (_, 0) | (1, _) => [dct::flat(block[0]); 64],
            // The first ten of the zigzag order lie within the lowest 4×4.
            (8, 0..10) => dct::inverse::<S, N, 4>(simd, block, &self.waves),
            _ => dct::inverse::<S, N, N>(simd, block, &self.waves),
        };
        self.put(block_x, block_y, &pixels);
    }
}
