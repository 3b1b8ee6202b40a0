//! The kernels of `src/model`, which contain all of the project's pointer arithmetic.

#![allow(dead_code)]

#[path = "../../../src/model/channel_blocks.rs"]
mod channel_blocks;
#[path = "../../../src/model/columns.rs"]
mod columns;
#[path = "../../../src/model/convolution.rs"]
mod convolution;
#[path = "../../../src/model/epilogue.rs"]
mod epilogue;
#[path = "../../../src/model/feature_maps.rs"]
mod feature_maps;
#[path = "../../../src/model/gemm.rs"]
mod gemm;
#[path = "../../../src/model/normalisation.rs"]
mod normalisation;
#[path = "../../../src/model/winograd.rs"]
mod winograd;
#[path = "../../../src/model/winograd_transforms.rs"]
mod winograd_transforms;
