//! The face as the photo shows it: in colour, level, cut by the same square as the network's input.

use image::{Rgb, RgbImage, imageops};

use crate::face::CropFrame;
use crate::photo::{ColourPhoto, DecodeLimits, PhotoError, decode_colour, frame_colour};
use crate::{Analysis, FaceAnalysis};

/// The face's square in colour.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// [`View::SIDE`] pixels wide and high.
    pub picture: RgbImage,
}

impl View {
    /// Side in pixels.
    pub const SIDE: u32 = 256;

    /// Decodes the photo once more, in colour, no larger than it takes to show the face.
    ///
    /// # Errors
    /// [`PhotoError`] if that fails or exceeds a limit.
    pub(super) fn decode(
        photo: &[u8],
        limits: &DecodeLimits,
        analysis: &Analysis,
        face: &FaceAnalysis,
    ) -> Result<Self, PhotoError> {
        let longer_side = analysis.width.max(analysis.height) as f32;
        let min_side = (longer_side * Self::SIDE as f32 / face.frame.side.max(1.0)).ceil() as u32;
        let ColourPhoto { picture, memory: _memory } = match analysis.frame {
            0 => decode_colour(photo, limits, min_side)?,
            frame => frame_colour(photo, limits, frame)?,
        };
        let scale = picture.width() as f32 / analysis.width.max(1) as f32;
        Ok(Self { picture: cut(&picture, &face.frame, scale) })
    }
}

/// The frame, given in pixels of the photo at full size, as a picture; `scale` is that of `photo`.
fn cut(photo: &RgbImage, frame: &CropFrame, scale: f32) -> RgbImage {
    let to_photo = frame.mapping();
    let (last_x, last_y) = (photo.width() as f32 - 1.0, photo.height() as f32 - 1.0);
    // Four samples per pixel, for squares that are larger in the photo.
    let sample = |x: f32, y: f32| {
        let unit = |at: f32| at / View::SIDE as f32 - 0.5;
        let (x, y) = to_photo(unit(x), unit(y));
        let (x, y) = ((x * scale - 0.5).clamp(0.0, last_x), (y * scale - 0.5).clamp(0.0, last_y));
        imageops::interpolate_bilinear(photo, x, y).unwrap_or(Rgb([128; 3]))
    };
    RgbImage::from_fn(View::SIDE, View::SIDE, |x, y| {
        let at = |offset: (f32, f32)| sample(x as f32 + offset.0, y as f32 + offset.1).0;
        let samples = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)].map(at);
        Rgb(std::array::from_fn(|channel| {
            (samples.iter().map(|sample| u16::from(sample[channel])).sum::<u16>() / 4) as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_is_the_square_in_colour() {
        // Red on the left, blue on the right; half the size of the photo that the frame refers to.
        let photo = RgbImage::from_fn(100, 80, |x, _| if x < 50 { Rgb([200, 0, 0]) } else { Rgb([0, 0, 200]) });
        let view = cut(&photo, &CropFrame { center_x: 100.0, center_y: 80.0, side: 80.0, roll: 0.0 }, 0.5);
        assert_eq!((view.get_pixel(60, 128).0, view.get_pixel(200, 128).0), ([200, 0, 0], [0, 0, 200]));
        let turned = CropFrame { center_x: 100.0, center_y: 80.0, side: 80.0, roll: std::f32::consts::FRAC_PI_2 };
        let view = cut(&photo, &turned, 0.5);
        assert_eq!((view.get_pixel(128, 60).0, view.get_pixel(128, 200).0), ([0, 0, 200], [200, 0, 0]));
        cut(&photo, &CropFrame { center_x: -900.0, center_y: f32::NAN, side: 1e9, roll: 0.1 }, 0.5);
    }
}
