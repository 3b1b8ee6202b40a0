//! The face detector: one forward pass over a grey picture finds faces of every size and roll.
//!
//! Plain 3×3 convolutions down to a 64th of the picture's size and back up to an eighth (a feature pyramid,
//! Lin et al. 2017). Anchor-free: each cell of the four levels predicts a box, its IoU with a face, and
//! landmarks. 0.88 million parameters, trained by `models/train_detector.py`, measured in `models/MODEL_CARD.md`.

use std::collections::HashMap;

use candle_core::Tensor;

use super::ModelError;
use super::convolution::{Convolution, Epilogue};
use super::feature_maps::{FeatureMaps, with_feature_maps};
use super::weights;

/// Stride of the finest level: pixels per cell, in both directions. Doubles with each coarser level.
const FINEST_STRIDE: usize = 8;
/// Channels at a quarter, an eighth, a 16th, a 32nd and a 64th of the picture's size.
const CHANNELS: [usize; 5] = [32, 48, 80, 96, 64];
/// Output channels: values per cell.
const CELL_VALUES: usize = 16;

/// A face reported by one cell, in pixels of the detector's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Predicted IoU of the box with the face's, 0 to 1; near 0 where there is no face.
    pub score: f32,
    /// Left, top, width, height.
    pub bounds: [f32; 4],
    /// x and y of the person's right eye (on the left of an upright picture), left eye, tip of the nose,
    /// right and left corner of the mouth.
    pub landmarks: [[f32; 2]; 5],
}

/// The network; runs on the CPU, from any thread.
pub struct Detector {
    /// To an eighth of the size: (height, width, 1) → (height/8, width/8, 48).
    stem: [Convolution; 3],
    /// Residual blocks at an eighth, a 16th (two), a 32nd and a 64th.
    blocks: [[Convolution; 2]; 5],
    /// From each level to the next coarser one.
    down: [Convolution; 3],
    /// From each level to the next finer one, coarsest first: 1×1 to the channels of the finer level, and
    /// 3×3 over their sum.
    up: [(Convolution, Convolution); 3],
    /// Output heads, finest level first.
    heads: [Convolution; 4],
}

impl Detector {
    /// Loads the weights that `models/train_detector.py` writes.
    ///
    /// # Errors
    /// [`ModelError::Weights`] or [`ModelError::Tensor`] if `bytes` are something else.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        let tensors = weights::load(bytes)?;
        let [second, third, fourth, fifth, sixth] = CHANNELS;
        let layer = |name: &str, shape: [usize; 3], stride: usize| convolution(&tensors, name, shape, stride, true);
        let block = |[one, other]: [&str; 2], channels: usize| -> Result<_, ModelError> {
            Ok([layer(one, [3, channels, channels], 1)?, layer(other, [3, channels, channels], 1)?])
        };
        let up = |from: usize, coarse: usize, fine: usize| -> Result<_, ModelError> {
            let mix = format!("mix{}", from - 1);
            Ok((layer(&format!("up{from}"), [1, coarse, fine], 1)?, layer(&mix, [3, fine, fine], 1)?))
        };
        let head = |level: usize, channels: usize| {
            convolution(&tensors, &format!("out{level}"), [1, channels, CELL_VALUES], 1, false)
        };
        Ok(Self {
            stem: [
                layer("stem", [7, 1, second], 4)?,
                layer("mix2", [3, second, second], 1)?,
                layer("down3", [3, second, third], 2)?,
            ],
            blocks: [
                block(["a3", "b3"], third)?,
                block(["a4", "b4"], fourth)?,
                block(["c4", "d4"], fourth)?,
                block(["a5", "b5"], fifth)?,
                block(["a6", "b6"], sixth)?,
            ],
            down: [
                layer("down4", [3, third, fourth], 2)?,
                layer("down5", [3, fourth, fifth], 2)?,
                layer("down6", [3, fifth, sixth], 2)?,
            ],
            up: [up(6, sixth, fifth)?, up(5, fifth, fourth)?, up(4, fourth, third)?],
            heads: [head(3, third)?, head(4, fourth)?, head(5, fifth)?, head(6, sixth)?],
        })
    }

    /// Finds faces with a score of at least `threshold` in grey pixels (row-major). Neighbouring cells report
    /// the same face: there is no non-maximum suppression.
    ///
    /// # Errors
    /// [`ModelError::DetectorInput`] if `pixels` is empty or not `width` times `height` long.
    pub fn detect(
        &self,
        pixels: &[u8],
        width: usize,
        height: usize,
        threshold: f32,
    ) -> Result<Vec<Detection>, ModelError> {
        Ok(self.detect_each(&[pixels], width, height, threshold)?.pop().unwrap_or_default())
    }

    /// The same for several pictures of one size in one pass, which is faster if they are small.
    ///
    /// # Errors
    /// As of [`Self::detect`], for each picture.
    pub fn detect_each<P: AsRef<[u8]>>(
        &self,
        pictures: &[P],
        width: usize,
        height: usize,
        threshold: f32,
    ) -> Result<Vec<Vec<Detection>>, ModelError> {
        let sizes = pictures.iter().map(|pixels| pixels.as_ref().len());
        if let Some(pixels) = sizes.into_iter().find(|&size| size == 0 || width.checked_mul(height) != Some(size)) {
            return Err(ModelError::DetectorInput { pixels, width, height });
        }
        let mut found = vec![Vec::new(); pictures.len()];
        if pictures.is_empty() {
            return Ok(found);
        }
        with_feature_maps(|[x, spare, inner, third, fourth, fifth, sixth]| {
            x.reshape([pictures.len(), height, width, 1]);
            for (values, pixels) in x.values_mut().chunks_exact_mut(width * height).zip(pictures) {
                let pixels = values.iter_mut().zip(pixels.as_ref());
                pixels.for_each(|(value, &pixel)| *value = f32::from(pixel) / 128.0 - 1.0);
            }
            for layer in &self.stem {
                layer.apply(x, None, spare);
                std::mem::swap(x, spare);
            }
            let mut block = |[first, second]: &[Convolution; 2], x: &FeatureMaps, out: &mut FeatureMaps| {
                first.apply(x, None, inner);
                second.apply(inner, Some(x), out);
            };
            block(&self.blocks[0], x, third);
            self.down[0].apply(third, None, x);
            block(&self.blocks[1], x, spare);
            block(&self.blocks[2], spare, fourth);
            self.down[1].apply(fourth, None, x);
            block(&self.blocks[3], x, fifth);
            self.down[2].apply(fifth, None, x);
            block(&self.blocks[4], x, sixth);
            let mut report = |level: usize, maps: &FeatureMaps, cells: &mut FeatureMaps| {
                self.heads[level].apply(maps, None, cells);
                for (found, picture) in found.iter_mut().zip(cells.pictures()) {
                    found.extend(decode(picture, cells.width, (FINEST_STRIDE << level) as f32, threshold));
                }
            };
            report(3, sixth, spare);
            std::mem::swap(x, sixth);
            for ((level, maps), (up, mix)) in [(2, fifth), (1, fourth), (0, third)].into_iter().zip(&self.up) {
                up.apply(x, None, spare);
                maps.add_upsampled(spare);
                mix.apply(maps, None, x);
                report(level, x, spare);
            }
        });
        Ok(found)
    }
}

/// The faces with a score of at least `threshold` in the output (rows, `columns`, [`CELL_VALUES`]) of a level
/// whose cells are `size` pixels wide.
///
/// The values of a cell: the logit of the score; the logarithms of the distances, in cells, from its centre to
/// the left, top, right and bottom of the box; five landmarks in cells from its centre; and one unused value.
fn decode(cells: &[f32], columns: usize, size: f32, threshold: f32) -> impl Iterator<Item = Detection> {
    // Comparing logits avoids an exponential per cell.
    let min_logit = (threshold / (1.0 - threshold).max(1e-6)).ln();
    let reports = cells.chunks_exact(CELL_VALUES).enumerate().filter(move |(_, cell)| cell[0] >= min_logit);
    reports.map(move |(at, cell)| {
        let (x, y) = ((at % columns) as f32 + 0.5, (at / columns) as f32 + 0.5);
        // No face extends further than e^4 cells from the centre of its cell.
        let [left, top, right, bottom] = std::array::from_fn(|side| cell[1 + side].clamp(-5.0, 4.0).exp());
        Detection {
            score: 1.0 / (1.0 + (-cell[0]).exp()),
            bounds: [x - left, y - top, left + right, top + bottom].map(|value| value * size),
            landmarks: std::array::from_fn(|at| [(x + cell[5 + 2 * at]) * size, (y + cell[6 + 2 * at]) * size]),
        }
    })
}

/// The layer of `<name>.weight` (kernel, kernel, in, out) and `<name>.bias`, with the shape [kernel, in, out].
fn convolution(
    tensors: &HashMap<String, Tensor>,
    name: &str,
    [kernel, channels, out]: [usize; 3],
    stride: usize,
    relu: bool,
) -> Result<Convolution, ModelError> {
    let tensor = |part: &str, shape: &[usize]| {
        let name = format!("{name}.{part}");
        match tensors.get(&name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor),
            Some(tensor) => Err(ModelError::Weights(format!("{name} has shape {:?}, not {shape:?}", tensor.dims()))),
            None => Err(ModelError::Weights(format!("{name} is missing"))),
        }
    };
    let weight = tensor("weight", &[kernel, kernel, channels, out])?.contiguous()?;
    let bias = tensor("bias", &[out])?.to_vec1::<f32>()?.into();
    Ok(Convolution::new(&weight, stride, Epilogue { bias, relu })?)
}

/// The compiled-in weights.
pub fn embedded() -> &'static [u8] {
    include_bytes!("../../../models/detector.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector() -> Detector {
        Detector::from_safetensors(embedded()).unwrap()
    }

    #[test]
    fn a_face_is_located_at_every_size() {
        let face = image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap();
        // The face in the bundled picture, in fractions of its sides.
        let (left, top, side) = (0.25, 0.25, 0.5);
        for size in [64, 120, 240, 480] {
            let face = face.resize_exact(size, size, image::imageops::FilterType::Triangle).into_luma8();
            let mut picture = image::GrayImage::from_pixel(600, 501, image::Luma([128]));
            image::imageops::replace(&mut picture, &face, 61, 17);
            let found = detector().detect(picture.as_raw(), 600, 501, 0.5).unwrap();
            let best = found.into_iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
            let relative = |value: f32, origin: f32| (value - origin) / size as f32;
            let [x, y, w, h] = best.bounds;
            let (x, y) = (relative(x + w / 2.0, 61.0), relative(y + h / 2.0, 17.0));
            assert!((x - left - side / 2.0).abs() < 0.1 && (y - top - side / 2.0).abs() < 0.15, "{size}: {x}, {y}");
            let [right_eye, left_eye, nose, ..] = best.landmarks;
            assert!(right_eye[0] < nose[0] && nose[0] < left_eye[0] && right_eye[1] < nose[1], "{best:?}");
        }
    }

    #[test]
    fn pixels_that_do_not_match_the_size_are_refused() {
        for (pixels, width, height) in [(0, 0, 0), (31 * 32, 32, 32), (32 * 32, 32, 64), (1, usize::MAX, 2)] {
            assert!(detector().detect(&vec![0; pixels], width, height, 0.5).is_err());
        }
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        assert!(Detector::from_safetensors(crate::model::estimator::embedded()).is_err());
    }
}
