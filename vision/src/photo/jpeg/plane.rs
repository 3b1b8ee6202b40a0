//! Writes decoded blocks to the pixels of a plane.

use pulp::Simd;

use super::super::downscale::GREY;
use super::headers::PlaneLayout;
use super::{Plane, dct};

/// A plane that is being decoded, N×N pixels a block.
pub(super) struct PlaneWriter<const N: usize> {
    basis: [f32; 64],
    pub(super) plane: Plane,
}

impl<const N: usize> PlaneWriter<N> {
    pub(super) fn new(layout: PlaneLayout) -> Self {
        let [width, height] = [layout.width, layout.height].map(|side| (side * N).div_ceil(8));
        let plane = Plane { width, height, pixels: vec![0; width * height], decoded_rows: 0, complete: false };
        Self { basis: dct::basis::<N>(), plane }
    }

    /// The plane, of which `file_rows` rows at full size were decoded; the rows below them become grey.
    pub(super) fn finish(self, file_rows: usize) -> Plane {
        let Plane { width, height, mut pixels, .. } = self.plane;
        let decoded_rows = (file_rows * N / 8).min(height);
        pixels[decoded_rows * width..].fill(GREY);
        Plane { width, height, pixels, decoded_rows, complete: decoded_rows == height }
    }

    /// Writes the part of a block that is inside the plane.
    #[inline(always)]
    fn copy_block(&mut self, block_x: usize, block_y: usize, block: &[u8; 64]) {
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

    /// Transforms and writes a block of dequantised coefficients, row by row, all of which are 0 beyond
    /// zigzag index `last`. Most blocks of a photo hold a few low frequencies.
    #[inline(always)]
    pub(super) fn transform_block<S: Simd>(
        &mut self,
        simd: S,
        block_x: usize,
        block_y: usize,
        block: &[f32; 64],
        last: usize,
    ) {
        let pixels = match (N, last) {
            (_, 0) | (1, _) => [dct::dc_only(block[0]); 64],
            // The first ten of the zigzag order are within the lowest 4×4.
            (8, 0..10) => dct::inverse::<S, N, 4>(simd, block, &self.basis),
            _ => dct::inverse::<S, N, N>(simd, block, &self.basis),
        };
        self.copy_block(block_x, block_y, &pixels);
    }
}
