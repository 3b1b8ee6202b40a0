//! A forward pass of the estimator, from pictures to logits.
//!
//! On the CPU it is one candle operation, in which every convolution writes over the maps that an
//! earlier pass has left; on any other device it is candle's own operations, one by one, which is
//! also what the kernels are tested against.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::convolution::{Convolution, Epilogue, values};
use super::maps::with_maps;
use super::network::{Architecture, Unit};

/// Pictures that pass together: enough that the deep stages' weights are read for several, few
/// enough that the first stages' maps stay in the second-level cache.
const TOGETHER: usize = 4;

/// A unit's folded weight (kernel, kernel, in, out) and its bias.
pub(super) type Folded = (Tensor, Arc<[f32]>);

/// Every layer, with its weights in the form that its kernel wants.
pub(super) struct Body {
    stem: Convolution,
    blocks: Vec<Block>,
    /// Both heads side by side.
    heads: Convolution,
    logits: usize,
}

struct Block {
    first: Convolution,
    second: Convolution,
    shortcut: Option<Convolution>,
}

impl Body {
    /// From weights by unit name, and the heads' weight (features, logits) and bias.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub(super) fn new(
        architecture: &Architecture,
        units: &HashMap<String, Folded>,
        (weight, bias): &(Tensor, Tensor),
    ) -> Result<Self> {
        let convolution = |unit: &Unit| {
            let (weight, bias) = folded(units, unit)?;
            Convolution::new(weight, unit.stride, Epilogue { bias: bias.clone(), relu: unit.relu })
        };
        let blocks = architecture.blocks().into_iter().map(|block| {
            let shortcut = block.shortcut.as_ref().map(convolution).transpose()?;
            Ok(Block { first: convolution(&block.first)?, second: convolution(&block.second)?, shortcut })
        });
        // A product with pooled features is a convolution over a picture of one pixel.
        let epilogue = Epilogue { bias: bias.to_vec1::<f32>()?.into(), relu: false };
        Ok(Self {
            stem: convolution(&architecture.stem())?,
            blocks: blocks.collect::<Result<_>>()?,
            heads: Convolution::new(&weight.unsqueeze(0)?.unsqueeze(0)?, 1, epilogue)?,
            logits: bias.elem_count(),
        })
    }

    /// Pictures of one size, at most [`TOGETHER`] → (pictures, logits).
    fn logits(&self, pictures: &[f32], [height, width]: [usize; 2], logits: &mut [f32]) {
        with_maps(|[x, inner, skip, out, ..]| {
            out.reshape([logits.len() / self.logits, height, width, 1]);
            out.values_mut().copy_from_slice(pictures);
            self.stem.apply(out, None, x);
            for Block { first, second, shortcut } in &self.blocks {
                first.apply(x, None, inner);
                match shortcut {
                    Some(shortcut) => {
                        shortcut.apply(x, None, skip);
                        second.apply(inner, Some(skip), out);
                    }
                    None => second.apply(inner, Some(x), out),
                }
                std::mem::swap(x, out);
            }
            x.pool(inner);
            self.heads.apply(inner, None, out);
            logits.copy_from_slice(out.values());
        });
    }
}

/// Pictures (batch, height, width, 1) → (batch, logits).
impl CustomOp1 for Body {
    fn name(&self) -> &'static str {
        "estimator"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        if channels != 1 || batch * height * width == 0 {
            bail!("the network wants pictures of one channel, not {:?}", layout.dims())
        }
        let mut logits = vec![0.0; batch * self.logits];
        let parts = values(x, layout)?.chunks(TOGETHER * height * width);
        for (pictures, logits) in parts.zip(logits.chunks_mut(TOGETHER * self.logits)) {
            self.logits(pictures, [height, width], logits);
        }
        Ok((CpuStorage::F32(logits), Shape::from((batch, self.logits))))
    }
}

/// The same as [`Body`], on the pictures' device, by candle's own operations.
pub(super) fn plain(
    architecture: &Architecture,
    units: &HashMap<String, Folded>,
    (weight, bias): &(Tensor, Tensor),
    pictures: &Tensor,
) -> Result<Tensor> {
    let features = architecture.walk(pictures, |unit, x, residual| {
        let (weight, bias) = folded(units, unit)?;
        // candle convolves channels first: (out, in, kernel, kernel).
        let weight = weight.permute((3, 2, 0, 1))?.contiguous()?;
        let bias = Tensor::new(&**bias, x.device())?;
        let x = x.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&weight, unit.kernel / 2, unit.stride, 1, 1)?;
        let x = x.permute((0, 2, 3, 1))?.contiguous()?.broadcast_add(&bias)?;
        let x = if let Some(residual) = residual { (x + residual)? } else { x };
        if unit.relu { x.relu() } else { Ok(x) }
    })?;
    features.matmul(weight)?.broadcast_add(bias)
}

fn folded<'a>(units: &'a HashMap<String, Folded>, unit: &Unit) -> Result<&'a Folded> {
    units.get(&unit.name).ok_or_else(|| candle_core::Error::Msg(format!("unit {} is missing", unit.name)))
}
