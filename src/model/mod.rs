//! Both networks: every tensor shape, weight and kernel lives here.
//!
//! [`detector`] finds faces; [`estimator`] guesses age and gender of a crop, [`network`] is its
//! architecture, shared with training, and [`calibration`] makes its answers mean what they say;
//! [`weights`] is how files hold them. Below them lie the kernels: [`convolution`] (through
//! [`winograd`] or [`columns`] and the matrix [`product`]) and [`normalisation`].

// Only training uses the backward passes.
#![cfg_attr(not(feature = "training"), allow(dead_code))]

mod body;
pub mod calibration;
pub(crate) mod columns;
pub mod convolution;
pub mod detector;
pub mod estimator;
mod lanes;
mod maps;
pub mod network;
pub mod normalisation;
mod product;
pub mod weights;
mod winograd;

/// What the age and gender network runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor, through the kernels here.
    #[default]
    Cpu,
    /// The first NVIDIA device, through candle's operations (cargo feature `cuda`).
    Cuda,
    /// The first Apple device, through candle's operations (cargo feature `metal`).
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
    /// The weights file is no safetensors file, or not this network's.
    #[error("these are no weights of this network: {0}")]
    Weights(String),
    /// A crop of another size than 128×128.
    #[error("a crop has {0} pixels, the network wants 128×128")]
    CropSize(usize),
    /// Pixels that are none, or do not make up the picture.
    #[error("{pixels} pixels are no picture of {width}×{height}")]
    DetectorInput { pixels: usize, width: usize, height: usize },
    /// A device that this build cannot use.
    #[error(
        "this program was built without {0} support: build it with --features {0}, or set inference.device = \"cpu\""
    )]
    Device(&'static str),
    /// A tensor operation failed.
    #[error("the computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// The vector instructions that the kernels use on this machine.
pub fn instruction_set() -> &'static str {
    match pulp::Arch::new() {
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        pulp::Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        pulp::Arch::Neon(_) => "NEON",
        _ => "any processor (plain)",
    }
}
