//! The kernels of `src/model`, which contain all of the project's pointer arithmetic.

#![allow(dead_code)]

#[path = "../../../src/model/columns.rs"]
mod columns;
#[path = "../../../src/model/convolution.rs"]
mod convolution;
#[path = "../../../src/model/lanes.rs"]
mod lanes;
#[path = "../../../src/model/maps.rs"]
mod maps;
#[path = "../../../src/model/normalisation.rs"]
mod normalisation;
#[path = "../../../src/model/product.rs"]
mod product;
#[path = "../../../src/model/winograd.rs"]
mod winograd;
