//! Scales a picture down row by row while it is decoded, so that it is never held at full size.

use image::{DynamicImage, GrayImage, RgbImage};

use super::colour::luma;

/// The grey level of missing pixels.
pub(super) const GREY: u8 = 128;

/// Bytes reserved in addition to a photo in colour: for the picture of at most 1280 pixels a side that is drawn
/// from it, and its encoded file.
pub(super) const DRAWING: u64 = 8 << 20;

/// Which picture a decoder is to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutputSpec {
    /// RGB instead of luma.
    pub colour: bool,
    /// The picture may be scaled down as long as its longer side has at least this many pixels and its
    /// area at least half of the square of that, so that a narrow strip keeps its width.
    pub min_side: u32,
}

impl OutputSpec {
    /// The factor by which a photo of this size is reduced: 1, 2, 4 or 8.
    pub(super) fn reduction(&self, (width, height): (u32, u32)) -> u32 {
        let square = (2.0 * f64::from(width) * f64::from(height)).sqrt() as u32;
        match width.max(height).min(square) / self.min_side.max(1) {
            0..2 => 1,
            2..4 => 2,
            4..8 => 4,
            _ => 8,
        }
    }

    /// Bytes to reserve in addition to the photo, for what is drawn on it.
    pub(super) fn drawing_memory(&self) -> u64 {
        if self.colour { DRAWING } else { 0 }
    }

    /// Bytes per pixel.
    pub(super) fn channels(&self) -> usize {
        if self.colour { 3 } else { 1 }
    }
}

/// Takes the rows of a picture from the top and averages areas of k×k pixels.
pub(super) struct Downscaler {
    spec: OutputSpec,
    size: (u32, u32),
    reduction: usize,
    /// Sums of the areas of the current output row, and how many input rows they include.
    sums: Vec<u32>,
    summed_rows: usize,
    /// Input rows that are still to come.
    rows_left: u32,
    pixels: Vec<u8>,
}

impl Downscaler {
    /// For a picture of `size` pixels in its file.
    pub(super) fn new(size: (u32, u32), spec: OutputSpec) -> Self {
        let reduction = spec.reduction(size) as usize;
        let (sums, pixels) = (Vec::new(), Vec::new());
        let mut downscaler = Self { spec, size, reduction, sums, summed_rows: 0, rows_left: size.1, pixels };
        let (width, height) = downscaler.output_size();
        downscaler.sums = vec![0; if reduction == 1 { 0 } else { width * spec.channels() }];
        downscaler.pixels.reserve_exact(width * height * spec.channels());
        downscaler
    }

    /// Bytes that it allocates for a picture of `size`.
    pub(super) fn memory(size: (u32, u32), spec: OutputSpec) -> u64 {
        let side = |side: u32| u64::from(side.div_ceil(spec.reduction(size)));
        (side(size.0) * side(size.1) + 4 * side(size.0)) * spec.channels() as u64
    }

    fn output_size(&self) -> (usize, usize) {
        let side = |side: u32| (side as usize).div_ceil(self.reduction);
        (side(self.size.0), side(self.size.1))
    }

    /// Adds the next row of the file, pixel by pixel; rows below the picture are ignored.
    pub(super) fn push(&mut self, row: impl Iterator<Item = [u8; 3]>) {
        let Some(rows_left) = self.rows_left.checked_sub(1) else { return };
        self.rows_left = rows_left;
        let row = row.take(self.size.0 as usize);
        match (self.reduction, self.spec.colour) {
            (1, true) => self.pixels.extend(row.flatten()),
            (1, false) => self.pixels.extend(row.map(luma)),
            (reduction, true) => {
                for (index, pixel) in row.enumerate() {
                    let area = &mut self.sums[3 * (index / reduction)..][..3];
                    area.iter_mut().zip(pixel).for_each(|(sum, channel)| *sum += u32::from(channel));
                }
                self.summed_rows += 1;
            }
            (reduction, false) => {
                for (index, pixel) in row.enumerate() {
                    self.sums[index / reduction] += u32::from(luma(pixel));
                }
                self.summed_rows += 1;
            }
        }
        if self.summed_rows == self.reduction {
            self.finish_row();
        }
    }

    /// Turns the sums into an output row.
    fn finish_row(&mut self) {
        if self.summed_rows == 0 {
            return;
        }
        let channels = self.spec.channels();
        let width = self.size.0 as usize;
        for (index, sum) in self.sums.iter_mut().enumerate() {
            // The last area may be narrower.
            let across = self.reduction.min(width - index / channels * self.reduction);
            let area = (across * self.summed_rows) as u32;
            self.pixels.push(((std::mem::take(sum) + area / 2) / area) as u8);
        }
        self.summed_rows = 0;
    }

    /// The picture, with grey in place of missing rows, and the number of its rows that are not missing.
    pub(super) fn finish(mut self) -> Option<(DynamicImage, u32)> {
        self.finish_row();
        let (width, height) = self.output_size();
        let row = (width * self.spec.channels()).max(1);
        let rows = (self.pixels.len() / row).min(height);
        self.pixels.resize(height * row, GREY);
        let (width, height) = (width as u32, height as u32);
        let picture = match self.spec.colour {
            true => RgbImage::from_raw(width, height, self.pixels).map(DynamicImage::ImageRgb8),
            false => GrayImage::from_raw(width, height, self.pixels).map(DynamicImage::ImageLuma8),
        };
        Some((picture?, rows as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn downscaled(size: (u32, u32), min_side: u32, rows: u32) -> (DynamicImage, u32) {
        let mut downscaler = Downscaler::new(size, OutputSpec { colour: false, min_side });
        (0..rows).for_each(|y| downscaler.push((0..size.0).map(|x| [(10 * (y / 2) + 3 * (x / 2)) as u8; 3])));
        downscaler.finish().unwrap()
    }

    #[test]
    fn areas_are_averaged_and_narrow_ones_at_the_edges_too() {
        let (picture, rows) = downscaled((7, 5), 3, 5);
        assert_eq!((picture.width(), picture.height(), rows), (4, 3, 3));
        let expected: Vec<u8> = (0..3).flat_map(|y| (0..4).map(move |x| 10 * y + 3 * x)).collect();
        assert_eq!(picture.as_bytes(), expected);
    }

    #[test]
    fn missing_rows_are_grey_and_not_counted() {
        for (min_side, expected) in [(100, 3), (3, 2)] {
            let (picture, rows) = downscaled((7, 5), min_side, 3);
            assert_eq!(rows, expected, "{min_side}");
            let below =
                picture.to_luma8().rows().skip(rows as usize).flatten().map(|pixel| pixel.0[0]).collect::<Vec<_>>();
            assert!(!below.is_empty() && below.iter().all(|level| *level == GREY));
        }
    }
}
