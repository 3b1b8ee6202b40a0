//! Weights in files: safetensors in f32, f16, or 8-bit with a scale per output channel.
//!
//! Quantising to 8 bits causes no measurable loss here (`models/MODEL_CARD.md`) and halves the files. It
//! is a file format only: a loaded network is f32, of which [`super::amx_convolution`] finds the integers again.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};

use super::ModelError;

/// The scales of an 8-bit tensor `<name>` are in the tensor `<name>.scale`.
const SCALE: &str = ".scale";
/// Zero point: unsigned bytes represent both signs.
const ZERO_POINT: f64 = 128.0;
/// Largest quantised magnitude, of both signs.
const MAX_QUANTISED: f64 = 127.0;

/// Precision of the weights of convolutions and heads in a file; biases, being small, are always f16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f16.
    F16,
    /// One byte per weight.
    Int8,
}

/// Parses a safetensors file into tensors by name, all f32.
///
/// # Errors
/// [`ModelError::Weights`] if an 8-bit tensor has no valid scales, [`ModelError::Tensor`] if `bytes`
/// are not a safetensors file.
pub fn load(bytes: &[u8]) -> std::result::Result<HashMap<String, Tensor>, ModelError> {
    dequantise(candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?)
}

/// Converts the tensors of a file to f32.
///
/// # Errors
/// As [`load`].
pub(super) fn dequantise(
    mut stored: HashMap<String, Tensor>,
) -> std::result::Result<HashMap<String, Tensor>, ModelError> {
    let eight_bit: Vec<String> =
        stored.iter().filter(|(_, t)| t.dtype() == DType::U8).map(|(n, _)| n.clone()).collect();
    for name in eight_bit {
        let scale = stored.remove(&format!("{name}{SCALE}"));
        let invalid = || ModelError::Weights(format!("{name} has no scale per output channel"));
        let (scale, bytes) = scale.zip(stored.remove(&name)).ok_or_else(invalid)?;
        if bytes.dims().last() != Some(&scale.elem_count()) || scale.rank() != 1 {
            return Err(invalid());
        }
        let steps = (bytes.to_dtype(DType::F32)? - ZERO_POINT)?;
        stored.insert(name, steps.broadcast_mul(&scale.to_dtype(DType::F32)?)?);
    }
    for tensor in stored.values_mut() {
        *tensor = tensor.to_dtype(DType::F32)?;
    }
    Ok(stored)
}

/// Converts f32 tensors by name to the tensors of a file of this precision. The last axis of a weight is
/// its output channels; tensors of one axis are biases.
///
/// # Errors
/// If a tensor operation fails.
pub(super) fn quantise(tensors: HashMap<String, Tensor>, precision: Precision) -> Result<HashMap<String, Tensor>> {
    let mut stored = HashMap::new();
    for (name, tensor) in tensors {
        if precision == Precision::F16 || tensor.rank() < 2 {
            stored.insert(name, tensor.to_dtype(DType::F16)?);
            continue;
        }
        let rows = tensor.flatten_to(tensor.rank() - 2)?;
        // For an all-zero channel any positive scale will do.
        let scale = (rows.abs()?.max(0)? / MAX_QUANTISED)?.maximum(f64::from(f32::MIN_POSITIVE))?;
        let steps = rows.broadcast_div(&scale)?.round()?.clamp(-MAX_QUANTISED, MAX_QUANTISED)?;
        let bytes = (steps + ZERO_POINT)?.to_dtype(DType::U8)?.reshape(tensor.dims())?;
        stored.insert(format!("{name}{SCALE}"), scale);
        stored.insert(name, bytes);
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(tensors: &HashMap<String, Tensor>, precision: Precision) -> HashMap<String, Tensor> {
        let bytes = safetensors::serialize(&quantise(tensors.clone(), precision).unwrap(), None).unwrap();
        load(&bytes).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn quantisation_is_off_by_at_most_half_a_step_and_idempotent() {
        let weight: Vec<f32> = (0..3 * 3 * 5 * 4).map(|at| ((at * 7919 % 1000) as f32 - 500.0) * 1e-4).collect();
        // One channel is all zeros.
        let weight: Vec<f32> = weight.chunks(4).flat_map(|row| [row[0], 10.0 * row[1], 0.0, row[3]]).collect();
        let tensors = HashMap::from([
            ("a.weight".to_owned(), Tensor::from_vec(weight.clone(), (3, 3, 5, 4), &Device::Cpu).unwrap()),
            ("a.bias".to_owned(), Tensor::new(&[0.5f32, 1.0, -2.0, 3.0], &Device::Cpu).unwrap()),
        ]);
        let once = round_trip(&tensors, Precision::Int8);
        assert_eq!(once.len(), 2);
        assert_eq!(values(&once["a.bias"]), values(&tensors["a.bias"]));
        assert_eq!(once["a.weight"].dims(), [3, 3, 5, 4]);
        let largest = |channel: usize| weight.iter().skip(channel).step_by(4).fold(0f32, |max, w| max.max(w.abs()));
        for (at, (actual, expected)) in values(&once["a.weight"]).iter().zip(&weight).enumerate() {
            assert!((actual - expected).abs() <= largest(at % 4) / 127.0 * 0.5001, "{at}: {actual} for {expected}");
        }
        for (twice, once) in
            values(&round_trip(&once, Precision::Int8)["a.weight"]).iter().zip(values(&once["a.weight"]))
        {
            assert!((twice - once).abs() <= once.abs() * 1e-6);
        }
    }

    #[test]
    fn quantised_tensors_without_valid_scales_are_refused() {
        let bytes = Tensor::zeros((2, 3), DType::U8, &Device::Cpu).unwrap();
        for scale in [None, Some(vec![1f32; 2]), Some(vec![1f32; 4])] {
            let mut tensors = HashMap::from([("a.weight".to_owned(), bytes.clone())]);
            if let Some(scale) = scale {
                let count = scale.len();
                tensors.insert("a.weight.scale".to_owned(), Tensor::from_vec(scale, count, &Device::Cpu).unwrap());
            }
            let file = safetensors::serialize(&tensors, None).unwrap();
            assert!(load(&file).unwrap_err().to_string().contains("a.weight has no scale"));
        }
    }
}
