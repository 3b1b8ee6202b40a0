//! Both networks: every tensor shape, weight and kernel lives here.
//!
//! [`detector`] finds faces; [`estimator`] guesses age and gender of a crop, [`network`] is its
//! architecture, shared with training, and [`calibration`] makes its answers mean what they say. Below them lie the kernels: [`convolution`] (through
//! [`winograd`] or [`columns`] and the matrix [`product`]), [`inverted`] and [`normalisation`].

pub mod calibration;
pub(crate) mod columns;
pub mod convolution;
pub mod detector;
pub mod estimator;
pub mod inverted;
mod lanes;
pub mod network;
pub mod normalisation;
mod product;
mod winograd;

/// Why a network cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The weights file is no safetensors file, or not this network's.
    #[error("these are no weights of this network: {0}")]
    Weights(String),
    /// A crop of another size than 128×128.
    #[error("a crop has {0} pixels, the network wants 128×128")]
    CropSize(usize),
    /// A picture whose sides do not fit the detector.
    #[error("the detector wants sides that are multiples of 32 pixels, not {width}×{height}")]
    DetectorInput { width: usize, height: usize },
    /// A tensor operation failed.
    #[error("the computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}
