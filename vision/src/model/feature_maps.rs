//! Feature maps, reused from one forward pass to the next so that a steady pass does not allocate.

use std::cell::RefCell;

use aligned_vec::AVec;

/// Activations (batch, height, width, channels) f32.
pub(super) struct FeatureMaps {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// As large as the largest shape so far.
    buffer: AVec<f32>,
}

impl Default for FeatureMaps {
    fn default() -> Self {
        Self { batch: 0, height: 0, width: 0, channels: 0, buffer: AVec::new(0) }
    }
}

impl FeatureMaps {
    /// Changes the shape; the values are unspecified until the caller overwrites them. Allocates only
    /// if the shape is the largest so far.
    pub(super) fn reshape(&mut self, [batch, height, width, channels]: [usize; 4]) {
        (self.batch, self.height, self.width, self.channels) = (batch, height, width, channels);
        if self.buffer.len() < self.size() {
            self.buffer.resize(self.size(), 0.0);
        }
    }

    fn size(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.buffer[..self.size()]
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        let size = self.size();
        &mut self.buffer[..size]
    }

    /// The values of each picture.
    pub(super) fn pictures(&self) -> impl Iterator<Item = &[f32]> {
        self.values().chunks_exact((self.height * self.width * self.channels).max(1))
    }

    /// Fills `out` with the mean of each channel of each picture: (batch, 1, 1, channels).
    pub(super) fn global_average_pool(&self, out: &mut Self) {
        out.reshape([self.batch, 1, 1, self.channels]);
        out.values_mut().fill(0.0);
        let pixels = self.height * self.width;
        for (picture, sums) in self.pictures().zip(out.values_mut().chunks_exact_mut(self.channels)) {
            for pixel in picture.chunks_exact(self.channels) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
            sums.iter_mut().for_each(|sum| *sum /= pixels as f32);
        }
    }

    /// Adds `coarse`, upsampled 2× (nearest neighbour).
    pub(super) fn add_upsampled(&mut self, coarse: &Self) {
        assert!(self.channels == coarse.channels && self.height <= 2 * coarse.height && self.width <= 2 * coarse.width);
        let (height, channels) = (self.height, self.channels);
        let (fine_row, coarse_row) = (self.width * channels, coarse.width * channels);
        for (y, line) in self.values_mut().chunks_exact_mut(fine_row).enumerate() {
            let (picture, y) = (y / height, y % height);
            let source = &coarse.values()[(picture * coarse.height + y / 2) * coarse_row..][..coarse_row];
            for (x, pixel) in line.chunks_exact_mut(channels).enumerate() {
                let source = &source[x / 2 * channels..][..channels];
                pixel.iter_mut().zip(source).for_each(|(value, coarse)| *value += coarse);
            }
        }
    }
}

thread_local! {
    static FEATURE_MAPS: RefCell<[FeatureMaps; 7]> = RefCell::default();
}

/// Calls `work` with this thread's feature maps, whose shapes and values are those of earlier calls.
pub(super) fn with_feature_maps<T>(work: impl FnOnce(&mut [FeatureMaps; 7]) -> T) -> T {
    FEATURE_MAPS.with_borrow_mut(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upsampled_map_is_added_and_the_sum_is_pooled() {
        let mut fine = FeatureMaps::default();
        fine.reshape([1, 2, 4, 1]);
        let mut coarse = FeatureMaps::default();
        coarse.reshape([1, 1, 2, 1]);
        coarse.values_mut().copy_from_slice(&[1.0, 2.0]);
        fine.add_upsampled(&coarse);
        assert_eq!(fine.values(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        fine.global_average_pool(&mut coarse);
        assert_eq!(coarse.values(), [1.5]);
    }
}
