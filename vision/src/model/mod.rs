//! Both networks: tensor shapes, weights and kernels.
//!
//! [`detector`] finds faces; [`estimator`] guesses age, gender and smile of a crop, [`network`] is its architecture,
//! shared with training, and [`calibration`] corrects its probabilities; [`weights`] is their file format;
//! [`read_out`] returns the maps of a forward pass, and [`dropout`] guesses without some of the features;
//! [`face_head`] tells faces from what resembles them, and [`flaw_head`] what is wrong with a photo. The
//! kernels are [`convolution`] (by [`winograd`], by im2col in [`im2col`] and [`gemm`], or on a matrix unit in [`amx`],
//! [`amx_windows`] and [`amx_convolution`]) and [`normalisation`].

mod amx;
mod amx_convolution;
mod amx_windows;
pub mod calibration;
mod channel_blocks;
pub mod convolution;
pub mod detector;
pub mod dropout;
mod epilogue;
mod estimate;
pub mod estimator;
pub mod face_head;
mod feature_maps;
pub mod flaw_head;
mod fused;
mod gemm;
pub mod im2col;
pub mod network;
pub mod normalisation;
mod perceptron;
pub mod read_out;
pub mod weights;
mod winograd;
mod winograd_transforms;

/// The device that the age and gender network runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The CPU, with the kernels of this module.
    #[default]
    Cpu,
    /// The first NVIDIA GPU, with candle's operations (cargo feature `cuda`).
    Cuda,
    /// The first Apple GPU, with candle's operations (cargo feature `metal`).
    Metal,
}

impl DeviceKind {
    fn open(self) -> Result<candle_core::Device, ModelError> {
        let (name, built_in, open): (_, _, fn(usize) -> candle_core::Result<candle_core::Device>) = match self {
            Self::Cpu => return Ok(candle_core::Device::Cpu),
            Self::Cuda => ("cuda", cfg!(feature = "cuda"), candle_core::Device::new_cuda),
            Self::Metal => ("metal", cfg!(feature = "metal"), candle_core::Device::new_metal),
        };
        if built_in { Ok(open(0)?) } else { Err(ModelError::Device(name)) }
    }
}

/// Why a network cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The weights are not a safetensors file or do not fit this network.
    #[error("invalid weights: {0}")]
    Weights(String),
    /// A crop is not 128×128 pixels.
    #[error("a crop has {0} pixels, expected 128×128")]
    CropSize(usize),
    /// A picture is empty, or its number of pixels is not width times height.
    #[error("{pixels} pixels do not make a picture of {width}×{height}")]
    DetectorInput {
        /// The number of pixels given.
        pixels: usize,
        /// The stated width in pixels.
        width: usize,
        /// The stated height in pixels.
        height: usize,
    },
    /// This build does not support the device.
    #[error(
        "this program was built without {0} support: build it with --features {0}, or set inference.device = \"cpu\""
    )]
    Device(&'static str),
    /// A tensor operation failed.
    #[error("the computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// The instruction set that the kernels use on this machine.
pub fn instruction_set() -> &'static str {
    match pulp::Arch::new() {
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(_) if amx::MatrixUnit::is_available() => "AVX-512 and AMX",
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        pulp::Arch::Neon(_) => "NEON",
        _ => "any processor (plain)",
    }
}
