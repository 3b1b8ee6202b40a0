//! Weights in files: safetensors in f32, f16, or eight bits with a scale for each output channel.
//!
//! Eight bits lose nothing that can be measured here (`models/MODEL_CARD.md`) and halve what is
//! carried about. They are for files alone: a network that is loaded holds f32.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};

use super::ModelError;

/// A tensor `<name>` of eight bits has its scales beside it, by this name's ending.
const SCALE: &str = ".scale";
/// What stands for zero, so that unsigned bytes hold both signs.
const ZERO: f64 = 128.0;
/// The largest value beside zero that is used, in both directions.
const MOST: f64 = 127.0;

/// How a file holds the weights of convolutions and heads; biases take little, and stay f16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f16.
    Half,
    /// A byte each.
    EightBits,
}

/// Reads a safetensors file: tensors by name, f32 all of them.
///
/// # Errors
/// [`ModelError::Weights`] when eight bits come without their scales, [`ModelError::Tensor`] when
/// `bytes` are no such file.
pub fn load(bytes: &[u8]) -> std::result::Result<HashMap<String, Tensor>, ModelError> {
    read(candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?)
}

/// The tensors of a file, as f32.
///
/// # Errors
/// As [`load`].
pub(super) fn read(mut stored: HashMap<String, Tensor>) -> std::result::Result<HashMap<String, Tensor>, ModelError> {
    let eight_bit: Vec<String> =
        stored.iter().filter(|(_, t)| t.dtype() == DType::U8).map(|(n, _)| n.clone()).collect();
    for name in eight_bit {
        let scale = stored.remove(&format!("{name}{SCALE}"));
        let unfit = || ModelError::Weights(format!("{name} has no scale for each of its output channels"));
        let (scale, bytes) = scale.zip(stored.remove(&name)).ok_or_else(unfit)?;
        if bytes.dims().last() != Some(&scale.elem_count()) || scale.rank() != 1 {
            return Err(unfit());
        }
        let steps = (bytes.to_dtype(DType::F32)? - ZERO)?;
        stored.insert(name, steps.broadcast_mul(&scale.to_dtype(DType::F32)?)?);
    }
    for tensor in stored.values_mut() {
        *tensor = tensor.to_dtype(DType::F32)?;
    }
    Ok(stored)
}

/// Tensors by name, f32, as a file of this precision holds them. The last axis of a weight is that
/// of its output channels; what has one axis only is a bias.
///
/// # Errors
/// When a tensor operation fails.
pub(super) fn stored(tensors: HashMap<String, Tensor>, precision: Precision) -> Result<HashMap<String, Tensor>> {
    let mut stored = HashMap::new();
    for (name, tensor) in tensors {
        if precision == Precision::Half || tensor.rank() < 2 {
            stored.insert(name, tensor.to_dtype(DType::F16)?);
            continue;
        }
        let rows = tensor.flatten_to(tensor.rank() - 2)?;
        // A channel of nothing but zeros may have any scale.
        let scale = (rows.abs()?.max(0)? / MOST)?.maximum(f64::from(f32::MIN_POSITIVE))?;
        let steps = rows.broadcast_div(&scale)?.round()?.clamp(-MOST, MOST)?;
        let bytes = (steps + ZERO)?.to_dtype(DType::U8)?.reshape(tensor.dims())?;
        stored.insert(format!("{name}{SCALE}"), scale);
        stored.insert(name, bytes);
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(tensors: &HashMap<String, Tensor>, precision: Precision) -> HashMap<String, Tensor> {
        let bytes = safetensors::serialize(&stored(tensors.clone(), precision).unwrap(), None).unwrap();
        load(&bytes).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn eight_bits_are_half_a_step_off_at_most_and_no_more_the_second_time() {
        let weight: Vec<f32> = (0..3 * 3 * 5 * 4).map(|at| ((at * 7919 % 1000) as f32 - 500.0) * 1e-4).collect();
        // One channel is all zeros.
        let weight: Vec<f32> = weight.chunks(4).flat_map(|row| [row[0], 10.0 * row[1], 0.0, row[3]]).collect();
        let tensors = HashMap::from([
            ("a.weight".to_owned(), Tensor::from_vec(weight.clone(), (3, 3, 5, 4), &Device::Cpu).unwrap()),
            ("a.bias".to_owned(), Tensor::new(&[0.5f32, 1.0, -2.0, 3.0], &Device::Cpu).unwrap()),
        ]);
        let once = read_back(&tensors, Precision::EightBits);
        assert_eq!(once.len(), 2);
        assert_eq!(values(&once["a.bias"]), values(&tensors["a.bias"]));
        assert_eq!(once["a.weight"].dims(), [3, 3, 5, 4]);
        let largest = |channel: usize| weight.iter().skip(channel).step_by(4).fold(0f32, |most, w| most.max(w.abs()));
        for (at, (ours, theirs)) in values(&once["a.weight"]).iter().zip(&weight).enumerate() {
            assert!((ours - theirs).abs() <= largest(at % 4) / 127.0 * 0.5001, "{at}: {ours} for {theirs}");
        }
        for (twice, once) in
            values(&read_back(&once, Precision::EightBits)["a.weight"]).iter().zip(values(&once["a.weight"]))
        {
            assert!((twice - once).abs() <= once.abs() * 1e-6);
        }
    }

    #[test]
    fn eight_bits_without_fitting_scales_are_refused() {
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
