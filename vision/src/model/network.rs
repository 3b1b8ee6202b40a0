//! The estimator's architecture, shared by training and inference.
//!
//! A residual network of plain 3×3 convolutions (He et al. 2016): a stem of stride two, optional
//! blocks at that size, stages of two-convolution blocks of which each stage's first has stride
//! two, global average pooling, and up to three heads: age, gender, smile. Activations are NHWC.

use candle_core::{Result, Tensor};

use super::ModelError;

/// Side of the input in pixels.
pub const SIDE: usize = 128;
/// Age logits, one for each of the years 0 to 100.
pub const AGES: usize = 101;

/// Widths and depths, written as `16:24x2,48x2`: the stem's channels, then channels × blocks of
/// each stage; `16x1:24x2,48x2` also has a block between the stem and the first stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Architecture {
    /// Channels of the stem, and number of blocks of that width after it.
    stem: (usize, usize),
    stages: Vec<(usize, usize)>,
}

impl std::str::FromStr for Architecture {
    type Err = ModelError;

    fn from_str(text: &str) -> std::result::Result<Self, ModelError> {
        let parse = || {
            let (stem, stages) = text.split_once(':')?;
            let part = |part: &str| {
                let (channels, blocks) = part.split_once('x')?;
                Some((channels.parse().ok()?, blocks.parse().ok()?))
            };
            let stem: (usize, usize) = stem.parse().map_or_else(|_| part(stem), |channels| Some((channels, 0)))?;
            let stages: Vec<(usize, usize)> = stages.split(',').map(part).collect::<Option<_>>()?;
            // Beyond these limits no real network exists, and a file could cause any allocation.
            let valid =
                |&(channels, blocks): &(usize, usize)| (1..=1024).contains(&channels) && (1..=16).contains(&blocks);
            ((1..=1024).contains(&stem.0) && stem.1 <= 16 && stages.len() <= 6 && stages.iter().all(valid))
                .then_some(Self { stem, stages })
        };
        parse().ok_or_else(|| ModelError::Weights(format!("architecture {text:?} is not of the form 16:24x2,48x2")))
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stages: Vec<String> = self.stages.iter().map(|(channels, blocks)| format!("{channels}x{blocks}")).collect();
        match self.stem {
            (channels, 0) => write!(f, "{channels}:{}", stages.join(",")),
            (channels, blocks) => write!(f, "{channels}x{blocks}:{}", stages.join(",")),
        }
    }
}

/// A convolution with batch normalisation and an optional ReLU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Prefix of its tensors' names.
    pub name: String,
    /// Side of the square kernel: 3, or 1 for a shortcut.
    pub kernel: usize,
    /// Stride in both directions: 1 or 2.
    pub stride: usize,
    /// Channels of the input.
    pub channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Whether it ends with a ReLU.
    pub relu: bool,
}

/// A residual block: two 3×3 units and a skip connection, through a 1×1 unit if the shape changes.
#[derive(Debug, Clone)]
pub struct Block {
    /// 3×3 with the block's stride, from its input to its output channels.
    pub first: Unit,
    /// 3×3 with stride one; the skip connection is added before its ReLU.
    pub second: Unit,
    /// 1×1 without ReLU; absent if input and output have the same shape.
    pub shortcut: Option<Unit>,
}

impl Architecture {
    /// Channels of the pooled features.
    pub fn features(&self) -> usize {
        self.stages.last().map_or(self.stem.0, |stage| stage.0)
    }

    /// The stem: (batch, 128, 128, 1) → (batch, 64, 64, stem).
    pub fn stem(&self) -> Unit {
        unit("stem".into(), 3, 2, 1, self.stem.0)
    }

    /// The residual blocks in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let (mut channels, _) = self.stem;
        for (stage, (out_channels, count)) in std::iter::once(&self.stem).chain(&self.stages).copied().enumerate() {
            for index in 0..count {
                // The blocks after the stem are at its size.
                let stride = if index == 0 && stage > 0 { 2 } else { 1 };
                let name = |part: &str| format!("stage{stage}.block{index}.{part}");
                let shortcut = (stride != 1 || channels != out_channels)
                    .then(|| Unit { relu: false, ..unit(name("shortcut"), 1, stride, channels, out_channels) });
                blocks.push(Block {
                    first: unit(name("first"), 3, stride, channels, out_channels),
                    second: unit(name("second"), 3, 1, out_channels, out_channels),
                    shortcut,
                });
                channels = out_channels;
            }
        }
        blocks
    }

    /// Whether this is `other` with zero or more blocks appended to its stages.
    pub fn is_deeper_version_of(&self, other: &Self) -> bool {
        let mut both = std::iter::once((&self.stem, &other.stem)).chain(self.stages.iter().zip(&other.stages));
        self.stages.len() == other.stages.len() && both.all(|(one, other)| one.0 == other.0 && one.1 >= other.1)
    }

    /// Every unit, in the order of the forward pass.
    pub fn units(&self) -> Vec<Unit> {
        let blocks = self.blocks().into_iter();
        let parts = blocks.flat_map(|block| [Some(block.first), block.shortcut, Some(block.second)]);
        std::iter::once(self.stem()).chain(parts.flatten()).collect()
    }

    /// Multiply-adds of one forward pass.
    pub fn multiply_adds(&self) -> usize {
        let mut side = SIDE;
        let mut total = 0;
        let mut cost = |unit: &Unit, side: usize| {
            total += unit.kernel * unit.kernel * unit.channels * unit.out_channels * side * side;
        };
        side = side.div_ceil(2);
        cost(&self.stem(), side);
        for block in self.blocks() {
            side = side.div_ceil(block.first.stride);
            cost(&block.first, side);
            cost(&block.second, side);
            block.shortcut.iter().for_each(|shortcut| cost(shortcut, side));
        }
        total + self.features() * (AGES + 2)
    }

    /// Runs the body: pictures (batch, height, width, 1) → features (batch, [`Self::features`]). `apply`
    /// runs one unit, given its input and the residual to add before its ReLU.
    pub fn walk(
        &self,
        pictures: &Tensor,
        mut apply: impl FnMut(&Unit, &Tensor, Option<&Tensor>) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut x = apply(&self.stem(), pictures, None)?;
        for block in self.blocks() {
            let inner = apply(&block.first, &x, None)?;
            let skip = match &block.shortcut {
                Some(shortcut) => apply(shortcut, &x, None)?,
                None => x,
            };
            x = apply(&block.second, &inner, Some(&skip))?;
        }
        x.mean((1, 2))
    }
}

fn unit(name: String, kernel: usize, stride: usize, channels: usize, out_channels: usize) -> Unit {
    Unit { name, kernel, stride, channels, out_channels, relu: true }
}

/// Crops as network input, concatenated: each shifted to mean 0 and scaled to standard deviation 1,
/// so that exposure and contrast of the photo matter little.
///
/// All crops have one size; inference uses 128×128 pixels, training may start with smaller ones.
pub fn standardise(crops: &[&[u8]]) -> Vec<f32> {
    let mut values = Vec::with_capacity(crops.iter().map(|crop| crop.len()).sum());
    for crop in crops {
        let count = crop.len() as f32;
        let mean = crop.iter().map(|&value| u32::from(value)).sum::<u32>() as f32 / count;
        let square = crop.iter().map(|&value| u64::from(value).pow(2)).sum::<u64>() as f32 / count;
        // A flat crop stays flat: below a deviation of 4 grey levels only noise would be amplified.
        let deviation = (square - mean * mean).max(16.0).sqrt();
        values.extend(crop.iter().map(|&value| (f32::from(value) - mean) / deviation));
    }
    values
}

/// [`standardise`]d crops as a tensor: (batch, 128, 128, 1).
///
/// # Errors
/// If a crop is not 128×128 pixels.
pub fn input(crops: &[&[u8]]) -> std::result::Result<Tensor, ModelError> {
    if let Some(crop) = crops.iter().find(|crop| crop.len() != SIDE * SIDE) {
        return Err(ModelError::CropSize(crop.len()));
    }
    Ok(Tensor::from_vec(standardise(crops), (crops.len(), SIDE, SIDE, 1), &candle_core::Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_round_trip_through_text_and_compare_by_depth() {
        let parse = |text: &str| text.parse::<Architecture>().unwrap();
        for text in ["16:24x2,48x2", "16x1:24x2,48x2", "8:8x1"] {
            assert_eq!(parse(text).to_string(), text);
        }
        for text in ["", "16", "16x:8x1", "x2:8x1", "16x99:8x1", "0:8x1", "16:8x0"] {
            assert!(text.parse::<Architecture>().is_err(), "{text:?}");
        }
        let plain = parse("16:24x2,48x2");
        for deeper in ["16:24x2,48x2", "16x1:24x2,48x2", "16:24x3,48x2"] {
            assert!(parse(deeper).is_deeper_version_of(&plain), "{deeper}");
        }
        for other in ["16:24x1,48x2", "16:24x2,64x2", "8:24x2,48x2", "16:24x2,48x2,64x1", "16:24x2"] {
            assert!(!parse(other).is_deeper_version_of(&plain), "{other}");
        }
        // 64×64 pixels, two convolutions of 16 to 16 channels with nine weights each.
        let added = parse("16x1:24x2,48x2").multiply_adds() - plain.multiply_adds();
        assert_eq!(added, 64 * 64 * 2 * 9 * 16 * 16);
    }
}
