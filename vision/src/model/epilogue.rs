//! What is fused into a convolution after its sums: bias, residual and ReLU.

use std::sync::Arc;

use pulp::{Simd, WithSimd};

/// Adds the bias, then the residual (if any), then applies ReLU.
#[derive(Debug, Clone)]
pub struct Epilogue {
    /// One value per output channel.
    pub bias: Arc<[f32]>,
    /// Whether to apply ReLU.
    pub relu: bool,
}

impl Epilogue {
    /// Applies it to pixels (pixels, out) in place; `residual` has the same shape.
    pub(super) fn apply(&self, out: &mut [f32], residual: Option<&[f32]>) {
        pulp::Arch::new().dispatch(Apply { out, residual, epilogue: self });
    }
}

struct Apply<'a> {
    out: &'a mut [f32],
    residual: Option<&'a [f32]>,
    epilogue: &'a Epilogue,
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { out, residual, epilogue } = self;
        let floor = if epilogue.relu { 0.0 } else { f32::NEG_INFINITY };
        let floors = simd.splat_f32s(floor);
        let bias = &*epilogue.bias;
        let (bias_lanes, bias_tail) = S::as_simd_f32s(bias);
        for (at, pixel) in out.chunks_exact_mut(bias.len()).enumerate() {
            let (lanes, tail) = S::as_mut_simd_f32s(pixel);
            lanes.iter_mut().zip(bias_lanes).for_each(|(value, bias)| *value = simd.add_f32s(*value, *bias));
            tail.iter_mut().zip(bias_tail).for_each(|(value, bias)| *value += bias);
            if let Some(residual) = residual {
                let (skips, skip_tail) = S::as_simd_f32s(&residual[at * bias.len()..][..bias.len()]);
                lanes.iter_mut().zip(skips).for_each(|(value, skip)| *value = simd.add_f32s(*value, *skip));
                tail.iter_mut().zip(skip_tail).for_each(|(value, skip)| *value += skip);
            }
            lanes.iter_mut().for_each(|value| *value = simd.max_f32s(*value, floors));
            tail.iter_mut().for_each(|value| *value = value.max(floor));
        }
    }
}
