//! Feature maps that one forward pass after the other writes over, so that none allocates.

use std::cell::RefCell;

/// Activations (batch, height, width, channels) f32.
#[derive(Default)]
pub(super) struct Maps {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// As many as the largest shape so far took.
    memory: Vec<f32>,
}

impl Maps {
    /// Takes this shape. What it holds then is for the caller to write over; memory is only ever
    /// asked for when the shape is the largest so far.
    pub(super) fn reshape(&mut self, [batch, height, width, channels]: [usize; 4]) {
        (self.batch, self.height, self.width, self.channels) = (batch, height, width, channels);
        if self.memory.len() < self.size() {
            self.memory.resize(self.size(), 0.0);
        }
    }

    fn size(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.memory[..self.size()]
    }

    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        let size = self.size();
        &mut self.memory[..size]
    }

    /// Fills `out` with the mean of each channel of each picture: (batch, 1, 1, channels).
    pub(super) fn pool(&self, out: &mut Self) {
        out.reshape([self.batch, 1, 1, self.channels]);
        out.values_mut().fill(0.0);
        let pixels = self.height * self.width;
        let pictures = self.values().chunks_exact((pixels * self.channels).max(1));
        for (picture, sums) in pictures.zip(out.values_mut().chunks_exact_mut(self.channels)) {
            for pixel in picture.chunks_exact(self.channels) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
            }
            sums.iter_mut().for_each(|sum| *sum /= pixels as f32);
        }
    }

    /// Adds `coarse`, each of whose pixels covers two by two of these.
    pub(super) fn add_doubled(&mut self, coarse: &Self) {
        assert!(self.channels == coarse.channels && self.height <= 2 * coarse.height && self.width <= 2 * coarse.width);
        let (height, channels) = (self.height, self.channels);
        let (fine_row, coarse_row) = (self.width * channels, coarse.width * channels);
        for (y, line) in self.values_mut().chunks_exact_mut(fine_row).enumerate() {
            let (picture, y) = (y / height, y % height);
            let source = &coarse.values()[(picture * coarse.height + y / 2) * coarse_row..][..coarse_row];
            for (x, pixel) in line.chunks_exact_mut(channels).enumerate() {
                let source = &source[x / 2 * channels..][..channels];
                pixel.iter_mut().zip(source).for_each(|(value, more)| *value += more);
            }
        }
    }
}

thread_local! {
    static MAPS: RefCell<[Maps; 7]> = RefCell::default();
}

/// Lends `work` this thread's maps; what they hold is left over from before.
pub(super) fn with_maps<T>(work: impl FnOnce(&mut [Maps; 7]) -> T) -> T {
    MAPS.with_borrow_mut(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_map_is_added_to_the_two_by_two_pixels_it_covers() {
        let mut fine = Maps::default();
        fine.reshape([1, 2, 4, 1]);
        let mut coarse = Maps::default();
        coarse.reshape([1, 1, 2, 1]);
        coarse.values_mut().copy_from_slice(&[1.0, 2.0]);
        fine.add_doubled(&coarse);
        assert_eq!(fine.values(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        fine.pool(&mut coarse);
        assert_eq!(coarse.values(), [1.5]);
    }
}
