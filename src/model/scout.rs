//! The scout: a small face detector that sees in a glance what most photos hold.
//!
//! Plain 3×3 convolutions down to a 32nd of the input's size and back up to an eighth, trained by
//! `models/train_scout.py` on what [`super::detector`] sees in single faces; each cell there says
//! what that network's cells say. It costs about a sixth of the detector at the same size.
//! Where a face is hard to see the detector looks instead, which is for `face` to decide.

use super::ModelError;
use super::convolution::Convolution;
use super::detector::{Detect, Detection, Loader, STEP, detections};
use super::maps::{Maps, with_maps};
use super::weights;

/// Pixels of input a cell of the output stands for, in both directions.
const CELL: f32 = 8.0;

/// The network, ready to run on the CPU from any thread.
pub struct Scout {
    /// To an eighth of the size: (·, ·, 1) → (·/8, ·/8, 32).
    opening: Vec<Convolution>,
    /// Residual pairs at an eighth, a 16th and a 32nd, with the convolutions that lead there.
    pairs: [[Convolution; 2]; 3],
    down: [Convolution; 2],
    /// 1×1 to the channels of the finer map, from the coarsest on.
    up: [Convolution; 2],
    mix: Convolution,
    head: Convolution,
    out: Convolution,
}

impl Scout {
    /// Loads the weights that `models/train_scout.py` writes.
    ///
    /// # Errors
    /// [`ModelError::Weights`] when `bytes` are something else.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        let tensors = weights::load(bytes)?;
        let load = Loader(&tensors);
        let layer = |name: &str, stride: usize| load.layer(name, stride, true);
        let pair = |level: usize| -> Result<_, ModelError> {
            Ok([layer(&format!("first{level}"), 1)?, layer(&format!("second{level}"), 1)?])
        };
        Ok(Self {
            opening: vec![layer("stem", 2)?, layer("down2", 2)?, layer("mix2", 1)?, layer("down3", 2)?],
            pairs: [pair(3)?, pair(4)?, pair(5)?],
            down: [layer("down4", 2)?, layer("down5", 2)?],
            up: [layer("up5", 1)?, layer("up4", 1)?],
            mix: layer("mix4", 1)?,
            head: layer("head", 1)?,
            out: load.layer("out", 1, false)?,
        })
    }
}

impl Detect for Scout {
    fn detect(&self, pixels: &[u8], width: usize, height: usize, threshold: f32) -> Result<Vec<Detection>, ModelError> {
        if pixels.is_empty() || width % STEP + height % STEP != 0 || pixels.len() != width * height {
            return Err(ModelError::DetectorInput { width, height });
        }
        with_maps(|[x, eighth, sixteenth, inner, spare]| {
            x.reshape([1, height, width, 1]);
            x.values_mut().iter_mut().zip(pixels).for_each(|(value, &pixel)| *value = f32::from(pixel) / 128.0 - 1.0);
            for layer in &self.opening {
                layer.apply(x, None, spare);
                std::mem::swap(x, spare);
            }
            let mut pair = |[first, second]: &[Convolution; 2], x: &Maps, out: &mut Maps| {
                first.apply(x, None, inner);
                second.apply(inner, Some(x), out);
            };
            pair(&self.pairs[0], x, eighth);
            self.down[0].apply(eighth, None, spare);
            pair(&self.pairs[1], spare, sixteenth);
            self.down[1].apply(sixteenth, None, spare);
            pair(&self.pairs[2], spare, x);
            self.up[0].apply(x, None, spare);
            sixteenth.add_doubled(spare);
            self.mix.apply(sixteenth, None, x);
            self.up[1].apply(x, None, spare);
            eighth.add_doubled(spare);
            self.head.apply(eighth, None, x);
            self.out.apply(x, None, spare);
            Ok(detections(spare.values(), spare.width, spare.channels, CELL, threshold))
        })
    }
}

/// The compiled-in weights.
pub fn embedded() -> &'static [u8] {
    include_bytes!("../../models/scout.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::detector::Detector;

    #[test]
    fn the_scout_sees_a_face_where_the_detector_sees_it() {
        let face = image::load_from_memory(include_bytes!("../../models/mean-face.jpg")).unwrap();
        let face = face.resize_exact(96, 96, image::imageops::FilterType::Triangle).into_luma8();
        let mut picture = image::GrayImage::from_pixel(256, 192, image::Luma([128]));
        image::imageops::replace(&mut picture, &face, 60, 40);
        let best = |network: &dyn Detect| {
            let found = network.detect(picture.as_raw(), 256, 192, 0.5).unwrap();
            found.into_iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap()
        };
        let scout = best(&Scout::from_safetensors(embedded()).unwrap());
        let detector = best(&Detector::from_safetensors(crate::model::detector::embedded()).unwrap());
        for (ours, theirs) in scout.landmarks.iter().zip(&detector.landmarks) {
            let apart = (ours[0] - theirs[0]).hypot(ours[1] - theirs[1]);
            assert!(apart < 6.0, "{ours:?} is not {theirs:?}");
        }
        for (ours, theirs) in scout.bounds.iter().zip(&detector.bounds) {
            assert!((ours - theirs).abs() < 12.0, "{:?} is not {:?}", scout.bounds, detector.bounds);
        }
    }

    #[test]
    fn pictures_that_do_not_fit_are_refused() {
        let scout = Scout::from_safetensors(embedded()).unwrap();
        for (pixels, width, height) in [(0, 0, 0), (31 * 32, 31, 32), (32 * 32, 32, 64)] {
            assert!(scout.detect(&vec![0; pixels], width, height, 0.5).is_err());
        }
    }
}
