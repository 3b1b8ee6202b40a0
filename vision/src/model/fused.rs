//! The estimator's forward pass, from pictures to logits.
//!
//! On the CPU it is one candle operation whose convolutions reuse the feature maps of earlier
//! passes; on other devices it runs candle's own operations one by one, which also serve as the
//! reference in tests.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::convolution::{Convolution, Epilogue, values};
use super::feature_maps::{FeatureMaps, with_feature_maps};
use super::flaw_head::{self, FlawHead};
use super::network::{Architecture, Unit};

/// Pictures per pass: enough to share the reads of the deep stages' weights, few enough that the
/// first stages' feature maps stay in the L2 cache.
pub(super) const MICRO_BATCH: usize = 4;

/// A unit's folded weight (kernel, kernel, in, out) and its bias.
pub(super) type FoldedUnit = (Tensor, Arc<[f32]>);

/// All layers, with weights packed for their kernels.
pub(super) struct FusedNetwork {
    stem: Convolution,
    blocks: Vec<ResidualBlock>,
    /// All heads, concatenated.
    heads: Convolution,
    /// The logits of those.
    logits: usize,
    /// Its logit is the last output.
    pub(super) flaws: Option<FlawHead>,
}

struct ResidualBlock {
    first: Convolution,
    second: Convolution,
    shortcut: Option<Convolution>,
}

impl FusedNetwork {
    /// From folded weights by unit name, and the heads' weight (features, logits) and bias.
    ///
    /// # Errors
    /// If a weight is missing or has the wrong shape.
    pub(super) fn new(
        architecture: &Architecture,
        units: &HashMap<String, FoldedUnit>,
        (weight, bias): &(Tensor, Tensor),
    ) -> Result<Self> {
        let convolution = |unit: &Unit| {
            let (weight, bias) = fold(units, unit)?;
            Convolution::new(weight, unit.stride, Epilogue { bias: bias.clone(), relu: unit.relu })
        };
        let blocks = architecture.blocks().into_iter().map(|block| {
            let shortcut = block.shortcut.as_ref().map(convolution).transpose()?;
            Ok(ResidualBlock { first: convolution(&block.first)?, second: convolution(&block.second)?, shortcut })
        });
        // A linear layer is a 1×1 convolution over one pixel, the pooled features.
        let epilogue = Epilogue { bias: bias.to_vec1::<f32>()?.into(), relu: false };
        Ok(Self {
            stem: convolution(&architecture.stem())?,
            blocks: blocks.collect::<Result<_>>()?,
            heads: Convolution::new(&weight.unsqueeze(0)?.unsqueeze(0)?, 1, epilogue)?,
            logits: bias.elem_count(),
            flaws: None,
        })
    }

    /// Logits per picture.
    pub(super) fn outputs(&self) -> usize {
        self.logits + self.flaws.as_ref().map_or(0, |_| flaw_head::OUTPUTS)
    }

    /// Pictures of one size, at most [`MICRO_BATCH`] → (pictures, logits). `read` is shown the maps after
    /// the stem and after each block.
    pub(super) fn logits(
        &self,
        pictures: &[f32],
        [height, width]: [usize; 2],
        logits: &mut [f32],
        mut read: impl FnMut(&FeatureMaps),
    ) {
        with_feature_maps(|[x, inner, skip, out, ..]| {
            out.reshape([logits.len() / self.outputs(), height, width, 1]);
            out.values_mut().copy_from_slice(pictures);
            self.stem.apply(out, None, x);
            read(x);
            for ResidualBlock { first, second, shortcut } in &self.blocks {
                first.apply(x, None, inner);
                match shortcut {
                    Some(shortcut) => {
                        shortcut.apply(x, None, skip);
                        second.apply(inner, Some(skip), out);
                    }
                    None => second.apply(inner, Some(x), out),
                }
                std::mem::swap(x, out);
                read(x);
            }
            x.global_average_pool(inner);
            self.heads.apply(inner, None, out);
            let rows = logits.chunks_exact_mut(self.outputs());
            for (row, heads) in rows.zip(out.values().chunks_exact(self.logits)) {
                row[..self.logits].copy_from_slice(heads);
            }
            if let Some(flaws) = &self.flaws {
                let outputs = self.outputs();
                flaws.logits(x, [inner, out], |picture, of_flaws| {
                    logits[picture * outputs + self.logits..][..flaw_head::OUTPUTS].copy_from_slice(&of_flaws);
                });
            }
        });
    }
}

/// Pictures (batch, height, width, 1) → (batch, logits).
impl CustomOp1 for FusedNetwork {
    fn name(&self) -> &'static str {
        "estimator"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, height, width, channels) = layout.shape().dims4()?;
        if channels != 1 || batch * height * width == 0 {
            bail!("expected pictures (batch, height, width, 1), got {:?}", layout.dims())
        }
        let mut logits = vec![0.0; batch * self.outputs()];
        let batches = values(x, layout)?.chunks(MICRO_BATCH * height * width);
        for (pictures, logits) in batches.zip(logits.chunks_mut(MICRO_BATCH * self.outputs())) {
            self.logits(pictures, [height, width], logits, |_| {});
        }
        Ok((CpuStorage::F32(logits), Shape::from((batch, self.outputs()))))
    }
}

/// The same network as [`FusedNetwork`] through candle's own operations, on the weights' device.
pub(super) fn candle_forward(
    architecture: &Architecture,
    units: &HashMap<String, FoldedUnit>,
    (weight, bias): &(Tensor, Tensor),
    pictures: &Tensor,
) -> Result<Tensor> {
    let features = architecture.walk(pictures, |unit, x, residual| {
        let (weight, bias) = fold(units, unit)?;
        // candle's convolution is NCHW, its weights (out, in, kernel, kernel).
        let weight = weight.permute((3, 2, 0, 1))?.contiguous()?;
        let bias = Tensor::new(&**bias, x.device())?;
        let x = x.permute((0, 3, 1, 2))?.contiguous()?.conv2d(&weight, unit.kernel / 2, unit.stride, 1, 1)?;
        let x = x.permute((0, 2, 3, 1))?.contiguous()?.broadcast_add(&bias)?;
        let x = if let Some(residual) = residual { (x + residual)? } else { x };
        if unit.relu { x.relu() } else { Ok(x) }
    })?;
    features.matmul(weight)?.broadcast_add(bias)
}

fn fold<'a>(units: &'a HashMap<String, FoldedUnit>, unit: &Unit) -> Result<&'a FoldedUnit> {
    units.get(&unit.name).ok_or_else(|| candle_core::Error::Msg(format!("unit {} is missing", unit.name)))
}
