//! The face detector: one pass over a grey picture, faces of every size and roll at once.
//!
//! Plain 3×3 convolutions down to a 64th of the picture's size and back up to an eighth (a feature pyramid,
//! Lin et al. 2017). Each cell of the four levels says, without anchors, how well the box that it sees fits a
//! face (0.88 million parameters; `models/train_detector.py` trains them, `models/MODEL_CARD.md` measures them).

use std::collections::HashMap;

use candle_core::Tensor;

use super::ModelError;
use super::convolution::{Convolution, Epilogue};
use super::maps::{Maps, with_maps};
use super::weights;

/// Pixels of the picture that a cell of the finest level stands for, in both directions; twice as many at
/// each coarser one.
const FINEST: usize = 8;
/// Channels at a quarter, an eighth, a 16th, a 32nd and a 64th of the picture's size.
const WIDTHS: [usize; 5] = [32, 48, 80, 96, 64];
/// Values of an output cell.
const CELL: usize = 16;

/// A face as the detector sees it, in pixels of its input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// 0 to 1: the overlap that the box is expected to have with the face's, near 0 where there is none.
    pub score: f32,
    /// Left, top, width, height.
    pub bounds: [f32; 4],
    /// x and y of the person's right eye (on the left of an upright picture), left eye, tip of the nose,
    /// right and left corner of the mouth.
    pub landmarks: [[f32; 2]; 5],
}

/// The network, ready to run on the CPU from any thread.
pub struct Detector {
    /// To an eighth of the size: (·, ·, 1) → (·/8, ·/8, 48).
    opening: [Convolution; 3],
    /// Residual pairs at an eighth, a 16th (two), a 32nd and a 64th.
    pairs: [[Convolution; 2]; 5],
    /// From each level to the next coarser one.
    down: [Convolution; 3],
    /// From the coarsest level upwards: 1×1 to the channels of the finer one, and 3×3 over their sum.
    up: [(Convolution, Convolution); 3],
    /// What the cells say, finest level first.
    out: [Convolution; 4],
}

impl Detector {
    /// Loads the weights that `models/train_detector.py` writes.
    ///
    /// # Errors
    /// [`ModelError::Weights`] when `bytes` are something else.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        let tensors = weights::load(bytes)?;
        let [second, third, fourth, fifth, sixth] = WIDTHS;
        let layer = |name: &str, shape: [usize; 3], stride: usize| {
            convolution(&tensors, name, shape, Step { stride, relu: true })
        };
        let pair = |[one, other]: [&str; 2], width: usize| -> Result<_, ModelError> {
            Ok([layer(one, [3, width, width], 1)?, layer(other, [3, width, width], 1)?])
        };
        let up = |from: usize, coarse: usize, fine: usize| -> Result<_, ModelError> {
            let mix = format!("mix{}", from - 1);
            Ok((layer(&format!("up{from}"), [1, coarse, fine], 1)?, layer(&mix, [3, fine, fine], 1)?))
        };
        let out = |level: usize, width: usize| {
            convolution(&tensors, &format!("out{level}"), [1, width, CELL], Step { stride: 1, relu: false })
        };
        Ok(Self {
            opening: [
                layer("stem", [7, 1, second], 4)?,
                layer("mix2", [3, second, second], 1)?,
                layer("down3", [3, second, third], 2)?,
            ],
            pairs: [
                pair(["a3", "b3"], third)?,
                pair(["a4", "b4"], fourth)?,
                pair(["c4", "d4"], fourth)?,
                pair(["a5", "b5"], fifth)?,
                pair(["a6", "b6"], sixth)?,
            ],
            down: [
                layer("down4", [3, third, fourth], 2)?,
                layer("down5", [3, fourth, fifth], 2)?,
                layer("down6", [3, fifth, sixth], 2)?,
            ],
            up: [up(6, sixth, fifth)?, up(5, fifth, fourth)?, up(4, fourth, third)?],
            out: [out(3, third)?, out(4, fourth)?, out(5, fifth)?, out(6, sixth)?],
        })
    }

    /// Finds faces whose score reaches `threshold` in grey pixels, row by row from the top; cells beside each
    /// other report the same face, which is for the caller to sort out.
    ///
    /// # Errors
    /// [`ModelError::DetectorInput`] when there are no pixels, or not width times height of them.
    pub fn detect(
        &self,
        pixels: &[u8],
        width: usize,
        height: usize,
        threshold: f32,
    ) -> Result<Vec<Detection>, ModelError> {
        if pixels.is_empty() || width.checked_mul(height) != Some(pixels.len()) {
            return Err(ModelError::DetectorInput { pixels: pixels.len(), width, height });
        }
        let mut found = Vec::new();
        with_maps(|[x, spare, inner, third, fourth, fifth, sixth]| {
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
            pair(&self.pairs[0], x, third);
            self.down[0].apply(third, None, x);
            pair(&self.pairs[1], x, spare);
            pair(&self.pairs[2], spare, fourth);
            self.down[1].apply(fourth, None, x);
            pair(&self.pairs[3], x, fifth);
            self.down[2].apply(fifth, None, x);
            pair(&self.pairs[4], x, sixth);
            let mut report = |level: usize, map: &Maps, cells: &mut Maps| {
                self.out[level].apply(map, None, cells);
                found.extend(decoded(cells, (FINEST << level) as f32, threshold));
            };
            report(3, sixth, spare);
            std::mem::swap(x, sixth);
            for ((level, map), (up, mix)) in [(2, fifth), (1, fourth), (0, third)].into_iter().zip(&self.up) {
                up.apply(x, None, spare);
                map.add_doubled(spare);
                mix.apply(map, None, x);
                report(level, x, spare);
            }
        });
        Ok(found)
    }
}

/// The faces that the cells (1, rows, columns, [`CELL`]) of `size` pixels report with a score of `threshold` or more.
///
/// A cell holds the score's logit; the distances from its middle to the left, top, right and bottom of the
/// box, as logarithms of cells; five landmarks in cells from its middle; and one value that says nothing.
fn decoded(cells: &Maps, size: f32, threshold: f32) -> impl Iterator<Item = Detection> {
    // Comparing logits spares the exponentials.
    let least = (threshold / (1.0 - threshold).max(1e-6)).ln();
    let columns = cells.width;
    let reports = cells.values().chunks_exact(CELL).enumerate().filter(move |(_, cell)| cell[0] >= least);
    reports.map(move |(at, cell)| {
        let (x, y) = ((at % columns) as f32 + 0.5, (at / columns) as f32 + 0.5);
        // A side beyond e^4 cells would be no face but a broken number.
        let [left, top, right, bottom] = std::array::from_fn(|side| cell[1 + side].clamp(-5.0, 4.0).exp());
        Detection {
            score: 1.0 / (1.0 + (-cell[0]).exp()),
            bounds: [x - left, y - top, left + right, top + bottom].map(|value| value * size),
            landmarks: std::array::from_fn(|at| [(x + cell[5 + 2 * at]) * size, (y + cell[6 + 2 * at]) * size]),
        }
    })
}

/// How a layer steps over its input, and how it ends.
struct Step {
    stride: usize,
    relu: bool,
}

/// The layer with `<name>.weight` (kernel, kernel, in, out) and `<name>.bias`, of the shape [kernel, in, out].
fn convolution(
    tensors: &HashMap<String, Tensor>,
    name: &str,
    [kernel, channels, out]: [usize; 3],
    Step { stride, relu }: Step,
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
    include_bytes!("../../models/detector.safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detector() -> Detector {
        Detector::from_safetensors(embedded()).unwrap()
    }

    #[test]
    fn a_face_is_seen_where_it_stands_at_every_size() {
        let face = image::load_from_memory(include_bytes!("../../models/mean-face.jpg")).unwrap();
        // The bundled picture's own face, in shares of its sides.
        let (left, top, side) = (0.25, 0.25, 0.5);
        for size in [64, 120, 240, 480] {
            let face = face.resize_exact(size, size, image::imageops::FilterType::Triangle).into_luma8();
            let mut picture = image::GrayImage::from_pixel(600, 501, image::Luma([128]));
            image::imageops::replace(&mut picture, &face, 61, 17);
            let found = detector().detect(picture.as_raw(), 600, 501, 0.5).unwrap();
            let best = found.into_iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
            let within = |value: f32, from: f32| (value - from) / size as f32;
            let [x, y, w, h] = best.bounds;
            let (x, y) = (within(x + w / 2.0, 61.0), within(y + h / 2.0, 17.0));
            assert!((x - left - side / 2.0).abs() < 0.1 && (y - top - side / 2.0).abs() < 0.15, "{size}: {x}, {y}");
            let [right_eye, left_eye, nose, ..] = best.landmarks;
            assert!(right_eye[0] < nose[0] && nose[0] < left_eye[0] && right_eye[1] < nose[1], "{best:?}");
        }
    }

    #[test]
    fn pixels_that_do_not_fit_are_refused() {
        for (pixels, width, height) in [(0, 0, 0), (31 * 32, 32, 32), (32 * 32, 32, 64), (1, usize::MAX, 2)] {
            assert!(detector().detect(&vec![0; pixels], width, height, 0.5).is_err());
        }
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        assert!(Detector::from_safetensors(crate::model::estimator::embedded()).is_err());
    }
}
