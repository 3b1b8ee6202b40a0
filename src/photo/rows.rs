//! Makes a smaller picture of rows as they are decoded, so that the large one is never held.

use image::{DynamicImage, GrayImage, RgbImage};

/// What stands for pixels that are not there.
pub(super) const GREY: u8 = 128;

/// What is reserved beside a photo in colour: the picture of at most 1280 pixels a side that is drawn
/// from it, and its file.
pub(super) const DRAWING: u64 = 8 << 20;

/// What a caller wants of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// RGB in place of luma.
    pub colour: bool,
    /// The longer side must have so many pixels, if the file has, and the picture half of their
    /// square, so that a strip keeps its width; it may be reduced as far.
    pub enough: u32,
}

impl Wanted {
    /// The reduction of a photo of this size: 1, 2, 4 or 8.
    pub(super) fn reduction(&self, (width, height): (u32, u32)) -> u32 {
        let square = (2.0 * f64::from(width) * f64::from(height)).sqrt() as u32;
        match width.max(height).min(square) / self.enough.max(1) {
            0..2 => 1,
            2..4 => 2,
            4..8 => 4,
            _ => 8,
        }
    }

    /// Bytes to reserve beside the photo, for what is drawn on it.
    pub(super) fn drawing(&self) -> u64 {
        if self.colour { DRAWING } else { 0 }
    }

    /// Bytes of a pixel.
    pub(super) fn channels(&self) -> usize {
        if self.colour { 3 } else { 1 }
    }
}

/// BT.601 luma, the same weights as a JPEG's own Y, so that a PNG of a photo reads as its JPEG.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    let [r, g, b] = [r, g, b].map(u32::from);
    // Weights in 1/65536, as JFIF's 0.299, 0.587 and 0.114; they add up to 65536.
    ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8
}

/// A pixel with transparency laid on white, as chat programs show it.
pub(super) fn on_white([r, g, b, a]: [u8; 4]) -> [u8; 3] {
    let a = u32::from(a);
    [r, g, b].map(|c| ((u32::from(c) * a + 255 * (255 - a) + 127) / 255) as u8)
}

/// A picture in the making: rows come from the top, and areas of k×k pixels become their mean.
pub(super) struct Rows {
    wanted: Wanted,
    size: (u32, u32),
    reduction: usize,
    /// Sums of the areas in the row that is being made, and how many rows are in them.
    sums: Vec<u32>,
    summed: usize,
    /// Rows of the file that are still to come.
    to_come: u32,
    pixels: Vec<u8>,
}

impl Rows {
    /// For a picture of `size` in its file.
    pub(super) fn new(size: (u32, u32), wanted: Wanted) -> Self {
        let reduction = wanted.reduction(size) as usize;
        let (sums, pixels) = (Vec::new(), Vec::new());
        let mut rows = Self { wanted, size, reduction, sums, summed: 0, to_come: size.1, pixels };
        let (width, height) = rows.made();
        rows.sums = vec![0; if reduction == 1 { 0 } else { width * wanted.channels() }];
        rows.pixels.reserve_exact(width * height * wanted.channels());
        rows
    }

    /// Bytes that it holds for a picture of `size`.
    pub(super) fn memory(size: (u32, u32), wanted: Wanted) -> u64 {
        let side = |side: u32| u64::from(side.div_ceil(wanted.reduction(size)));
        (side(size.0) * side(size.1) + 4 * side(size.0)) * wanted.channels() as u64
    }

    fn made(&self) -> (usize, usize) {
        let side = |side: u32| (side as usize).div_ceil(self.reduction);
        (side(self.size.0), side(self.size.1))
    }

    /// Takes the next row of the file, one pixel after the other; rows below the picture are left out.
    pub(super) fn push(&mut self, row: impl Iterator<Item = [u8; 3]>) {
        let Some(to_come) = self.to_come.checked_sub(1) else { return };
        self.to_come = to_come;
        let row = row.take(self.size.0 as usize);
        match (self.reduction, self.wanted.colour) {
            (1, true) => self.pixels.extend(row.flatten()),
            (1, false) => self.pixels.extend(row.map(luma)),
            (reduction, true) => {
                for (index, pixel) in row.enumerate() {
                    let area = &mut self.sums[3 * (index / reduction)..][..3];
                    area.iter_mut().zip(pixel).for_each(|(sum, channel)| *sum += u32::from(channel));
                }
                self.summed += 1;
            }
            (reduction, false) => {
                for (index, pixel) in row.enumerate() {
                    self.sums[index / reduction] += u32::from(luma(pixel));
                }
                self.summed += 1;
            }
        }
        if self.summed == self.reduction {
            self.end_row();
        }
    }

    /// Turns the sums into a row.
    fn end_row(&mut self) {
        if self.summed == 0 {
            return;
        }
        let channels = self.wanted.channels();
        let width = self.size.0 as usize;
        for (index, sum) in self.sums.iter_mut().enumerate() {
            // The last area may be narrower.
            let across = self.reduction.min(width - index / channels * self.reduction);
            let area = (across * self.summed) as u32;
            self.pixels.push(((std::mem::take(sum) + area / 2) / area) as u8);
        }
        self.summed = 0;
    }

    /// The picture, with grey for rows that did not come; and how many of its rows did.
    pub(super) fn finish(mut self) -> Option<(DynamicImage, u32)> {
        self.end_row();
        let (width, height) = self.made();
        let row = (width * self.wanted.channels()).max(1);
        let rows = (self.pixels.len() / row).min(height);
        self.pixels.resize(height * row, GREY);
        let (width, height) = (width as u32, height as u32);
        let picture = match self.wanted.colour {
            true => RgbImage::from_raw(width, height, self.pixels).map(DynamicImage::ImageRgb8),
            false => GrayImage::from_raw(width, height, self.pixels).map(DynamicImage::ImageLuma8),
        };
        Some((picture?, rows as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(size: (u32, u32), enough: u32, rows: u32) -> (DynamicImage, u32) {
        let mut made = Rows::new(size, Wanted { colour: false, enough });
        (0..rows).for_each(|y| made.push((0..size.0).map(|x| [(10 * (y / 2) + 3 * (x / 2)) as u8; 3])));
        made.finish().unwrap()
    }

    #[test]
    fn areas_become_their_mean_and_narrow_ones_at_the_edges_too() {
        let (picture, rows) = made((7, 5), 3, 5);
        assert_eq!((picture.width(), picture.height(), rows), (4, 3, 3));
        let expected: Vec<u8> = (0..3).flat_map(|y| (0..4).map(move |x| 10 * y + 3 * x)).collect();
        assert_eq!(picture.as_bytes(), expected);
    }

    #[test]
    fn rows_that_did_not_come_are_grey_and_counted() {
        for (enough, there) in [(100, 3), (3, 2)] {
            let (picture, rows) = made((7, 5), enough, 3);
            assert_eq!(rows, there, "{enough}");
            let below =
                picture.to_luma8().rows().skip(rows as usize).flatten().map(|pixel| pixel.0[0]).collect::<Vec<_>>();
            assert!(!below.is_empty() && below.iter().all(|level| *level == GREY));
        }
    }
}
