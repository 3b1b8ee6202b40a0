//! The face detector: CenterFace (Xu et al. 2019, arXiv:1911.03599) on a grey picture.
//!
//! A MobileNetV2 whose four last stages are brought together at a quarter of the input's size;
//! each cell there says whether a face's centre lies in it, how large the face is and where its
//! five landmarks lie. Weights and their conversion: `models/MODEL_CARD.md`.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::ModelError;
use super::convolution::{Convolution, Epilogue};
use super::inverted::{Inverted, Pointwise};
use super::weights;

/// Both sides of the detector's input are multiples of this many pixels.
pub const STEP: usize = 32;
/// Pixels of input a cell of the output stands for, in both directions.
const CELL: f32 = 4.0;
/// MobileNetV2's stages: expansion, blocks, stride of the first block.
const STAGES: [(usize, usize, usize); 7] =
    [(1, 1, 1), (6, 2, 2), (6, 3, 2), (6, 4, 2), (6, 3, 1), (6, 3, 2), (6, 1, 1)];
/// The blocks after which a lateral connection leaves, deepest first.
const LATERALS: [usize; 3] = [12, 5, 2];

/// A face as the detector sees it, in pixels of its input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// 0 to 1.
    pub score: f32,
    /// Left, top, width, height.
    pub bounds: [f32; 4],
    /// x and y of the eye on the picture's left, the one on its right, the nose's tip, and the
    /// corners of the mouth on the left and on the right.
    pub landmarks: [[f32; 2]; 5],
}

/// A network that finds faces in grey pixels.
pub trait Detect: Send + Sync {
    /// Finds faces whose score reaches `threshold` in grey pixels, row by row from the top;
    /// neighbouring cells report the same face again, which is for the caller to sort out.
    ///
    /// # Errors
    /// When a side is no multiple of [`STEP`] or does not fit the number of pixels.
    fn detect(&self, pixels: &[u8], width: usize, height: usize, threshold: f32) -> Result<Vec<Detection>, ModelError>;
}

/// The network, ready to run on the CPU from any thread.
pub struct Detector {
    stem: Convolution,
    blocks: Vec<Inverted>,
    top: Convolution,
    /// Up-sampling and the lateral connection that joins it, coarsest first.
    ups: Vec<(Convolution, Convolution)>,
    head: Convolution,
    out: Convolution,
}

impl Detector {
    /// Loads the weights that `models/convert_detector.py` writes.
    ///
    /// # Errors
    /// [`ModelError::Weights`] when `bytes` are something else.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        let tensors = weights::load(bytes)?;
        let load = Loader(&tensors);
        let mut blocks = Vec::new();
        for (expansion, count, first_stride) in STAGES {
            for index in 0..count {
                let name = format!("block{}", blocks.len());
                let expand = format!("{name}.expand");
                blocks.push(Inverted {
                    expand: if expansion > 1 { Some(load.pointwise(&expand, true)?) } else { None },
                    depthwise: load.depthwise(&format!("{name}.depthwise"))?,
                    project: load.pointwise(&format!("{name}.project"), false)?,
                    stride: if index == 0 { first_stride } else { 1 },
                    skips: index > 0,
                });
            }
        }
        let up = |step: usize| -> Result<_, ModelError> {
            Ok((load.layer(&format!("up{step}"), 1, true)?, load.layer(&format!("lateral{step}"), 1, true)?))
        };
        Ok(Self {
            stem: load.layer("stem", 2, true)?,
            blocks,
            top: load.layer("top", 1, true)?,
            ups: (0..LATERALS.len()).map(up).collect::<Result<_, _>>()?,
            head: load.layer("head", 1, true)?,
            out: load.layer("out", 1, false)?,
        })
    }

    /// Grey values (1, height, width, 1), 0 to 255 → (1, height / 4, width / 4, 15).
    fn forward(&self, grey: &Tensor) -> Result<Tensor, ModelError> {
        let mut x = grey.apply_op1_no_bwd(&self.stem)?;
        let mut laterals = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            x = x.apply_op1_no_bwd(block)?;
            if LATERALS.contains(&index) {
                laterals.push(x.clone());
            }
        }
        let mut x = x.apply_op1_no_bwd(&self.top)?;
        for ((up, lateral), from) in self.ups.iter().zip(laterals.iter().rev()) {
            let (batch, height, width, channels) = x.dims4()?;
            // Four values a pixel become two rows of two.
            let wide = x.apply_op1_no_bwd(up)?.reshape((batch, height, width, 2, 2 * channels))?;
            let wide =
                wide.permute((0, 1, 3, 2, 4))?.contiguous()?.reshape((batch, 2 * height, 2 * width, channels))?;
            x = (wide + from.apply_op1_no_bwd(lateral)?)?;
        }
        Ok(x.apply_op1_no_bwd(&self.head)?.apply_op1_no_bwd(&self.out)?)
    }
}

impl Detect for Detector {
    fn detect(&self, pixels: &[u8], width: usize, height: usize, threshold: f32) -> Result<Vec<Detection>, ModelError> {
        if width == 0
            || height == 0
            || !width.is_multiple_of(STEP)
            || !height.is_multiple_of(STEP)
            || pixels.len() != width * height
        {
            return Err(ModelError::DetectorInput { width, height });
        }
        let grey: Vec<f32> = pixels.iter().map(|&value| f32::from(value)).collect();
        let out = self.forward(&Tensor::from_vec(grey, (1, height, width, 1), &Device::Cpu)?)?;
        let (_, _, columns, channels) = out.dims4()?;
        Ok(detections(&out.flatten_all()?.to_vec1::<f32>()?, columns, channels, CELL, threshold))
    }
}

/// The faces in output cells (rows, columns, channels) of `size` pixels whose score reaches `threshold`.
pub(super) fn detections(cells: &[f32], columns: usize, channels: usize, size: f32, threshold: f32) -> Vec<Detection> {
    // The heat map holds logits: compare those, and spare the exponentials.
    let least = (threshold / (1.0 - threshold).max(1e-6)).ln();
    let found = cells.chunks_exact(channels).enumerate().filter(|(_, cell)| cell[0] > least);
    found.map(|(at, cell)| decoded(cell, at / columns, at % columns, size)).collect()
}

/// The face whose centre lies in or near the cell of `size` pixels at `row` and `column`.
fn decoded(cell: &[f32], row: usize, column: usize, size: f32) -> Detection {
    let score = 1.0 / (1.0 + (-cell[0]).exp());
    // A side beyond e^8 cells would be no face but a broken number.
    let (height, width) = (cell[1].clamp(-8.0, 8.0).exp() * size, cell[2].clamp(-8.0, 8.0).exp() * size);
    let center_y = (row as f32 + cell[3] + 0.5) * size;
    let center_x = (column as f32 + cell[4] + 0.5) * size;
    let (left, top) = (center_x - width / 2.0, center_y - height / 2.0);
    let landmarks = std::array::from_fn(|at| [left + cell[6 + 2 * at] * width, top + cell[5 + 2 * at] * height]);
    Detection { score, bounds: [left, top, width, height], landmarks }
}

/// Weights by name.
pub(super) struct Loader<'a>(pub(super) &'a HashMap<String, Tensor>);

impl Loader<'_> {
    fn tensor(&self, name: String, rank: usize) -> Result<Tensor, ModelError> {
        let tensor = self.0.get(&name).ok_or_else(|| ModelError::Weights(format!("{name} is missing")))?;
        if tensor.rank() != rank {
            return Err(ModelError::Weights(format!("{name} has shape {:?}", tensor.dims())));
        }
        Ok(tensor.contiguous()?)
    }

    fn bias(&self, name: &str, channels: usize) -> Result<Arc<[f32]>, ModelError> {
        let bias = self.tensor(format!("{name}.bias"), 1)?.to_vec1::<f32>()?;
        if bias.len() != channels {
            return Err(ModelError::Weights(format!("{name}.bias has {} values, not {channels}", bias.len())));
        }
        Ok(bias.into())
    }

    /// `<name>.weight` (kernel, kernel, in, out) and `<name>.bias`.
    pub(super) fn layer(&self, name: &str, stride: usize, relu: bool) -> Result<Convolution, ModelError> {
        let weight = self.tensor(format!("{name}.weight"), 4)?;
        let bias = self.bias(name, weight.dim(3)?)?;
        Ok(Convolution::new(&weight, stride, Epilogue { bias, relu })?)
    }

    fn pointwise(&self, name: &str, relu: bool) -> Result<Pointwise, ModelError> {
        let weight = self.tensor(format!("{name}.weight"), 4)?;
        let bias = self.bias(name, weight.dim(3)?)?;
        Ok(Pointwise::new(&weight.flatten_all()?.to_vec1::<f32>()?, Epilogue { bias, relu }))
    }

    fn depthwise(&self, name: &str) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
        let weight = self.tensor(format!("{name}.weight"), 3)?;
        let bias = self.bias(name, weight.dim(2)?)?;
        Ok((weight.flatten_all()?.to_vec1()?, bias.to_vec()))
    }
}

/// The compiled-in weights.
pub fn embedded() -> &'static [u8] {
    include_bytes!("../../models/detector.safetensors")
}
