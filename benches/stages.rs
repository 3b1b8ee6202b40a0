//! Each stage of the pipeline separately: `cargo bench`, or `cargo bench -- forward` for one.
//!
//! The photos are made from the bundled mean face, so that no data is needed. All benchmarks run on
//! one thread except `pool`, which has two workers.

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use faceguesser::face::{CropFrame, FaceCrop, FaceFinder, FinderOptions, measure_quality};
use faceguesser::inference::{FlowId, Pool, PoolOptions};
use faceguesser::model::detector::{self, Detector};
use faceguesser::model::estimator::{self, Estimator};
use faceguesser::photo::{CpuLimit, DecodeLimits, decode};
use faceguesser::{Framing, Guesser};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, ImageEncoder, imageops};

const SIZES: [(u32, u32); 2] = [(1280, 960), (4000, 3000)];

/// A grid of `faces` bundled faces of `side` pixels on grey.
fn picture((width, height): (u32, u32), faces: u32, side: u32) -> GrayImage {
    let face = image::load_from_memory(include_bytes!("../models/mean-face.jpg")).unwrap().into_luma8();
    let face = imageops::resize(&face, side, side, imageops::FilterType::Triangle);
    let mut picture = GrayImage::from_pixel(width, height, image::Luma([128]));
    let columns = faces.min(width / side);
    for at in 0..faces {
        let (x, y) = ((at % columns) * (width / columns) + (width / columns - side) / 2, at / columns * side);
        imageops::replace(&mut picture, &face, i64::from(x), i64::from(y));
    }
    picture
}

/// A colour JPEG with the given EXIF orientation.
fn jpeg(picture: &GrayImage, orientation: u8) -> Bytes {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 85);
    let exif = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]];
    encoder.set_exif_metadata(exif.concat()).unwrap();
    let rgb = DynamicImage::ImageLuma8(picture.clone()).into_rgb8();
    encoder.write_image(&rgb, rgb.width(), rgb.height(), image::ExtendedColorType::Rgb8).unwrap();
    bytes.into_inner().into()
}

fn clock() -> CpuLimit {
    CpuLimit::start(Duration::from_secs(60))
}

fn finder() -> FaceFinder {
    let detector = Detector::from_safetensors(detector::embedded()).unwrap();
    FaceFinder::new(detector, FinderOptions::default())
}

fn photo(criterion: &mut Criterion) {
    let limits = DecodeLimits::default();
    for (name, orientation) in [("decode", 1), ("decode and orient", 6)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let bytes = jpeg(&picture(size, 1, size.1 / 3), orientation);
            group.throughput(Throughput::Elements(u64::from(size.0) * u64::from(size.1)));
            group.bench_with_input(
                BenchmarkId::from_parameter(format!("{}×{}", size.0, size.1)),
                &bytes,
                |b, bytes| {
                    b.iter(|| decode(black_box(bytes), &limits).unwrap());
                },
            );
        }
    }
}

fn face(criterion: &mut Criterion) {
    let finder = finder();
    let mut group = criterion.benchmark_group("detect");
    // For one large face the search exits after the coarse pass; small ones need the full pass as well.
    for (name, faces, side) in [("early exit", 1, 320), ("ten faces", 10, 120), ("small", 1, 60), ("none", 0, 60)] {
        let picture = picture((1280, 960), faces, side);
        group.bench_function(name, |b| b.iter(|| finder.find(black_box(&picture), &clock()).unwrap()));
    }
    drop(group);
    let picture = picture((1280, 960), 1, 320);
    let found = finder.find(&picture, &clock()).unwrap().faces[0];
    criterion.bench_function("align", |b| {
        b.iter(|| {
            let crop = FaceCrop::cut(black_box(&picture), &found.frame);
            measure_quality(&picture, &found, &crop)
        });
    });
}

fn forward(criterion: &mut Criterion) {
    let estimator = Estimator::from_safetensors(estimator::embedded()).unwrap();
    let face = picture((320, 320), 1, 320);
    let crop = FaceCrop::cut(&face, &CropFrame::whole(&face));
    let mut group = criterion.benchmark_group("forward");
    for batch in [1, 4, 16] {
        let crops = vec![crop.pixels(); batch];
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_with_input(BenchmarkId::from_parameter(batch), &crops, |b, crops| {
            b.iter(|| estimator.logits(black_box(crops)).unwrap());
        });
    }
}

fn path(criterion: &mut Criterion) {
    let guesser = Guesser::builtin().unwrap();
    let mut group = criterion.benchmark_group("path");
    for size in SIZES {
        let bytes = jpeg(&picture(size, 1, size.1 / 3), 1);
        group.bench_with_input(BenchmarkId::from_parameter(format!("{}×{}", size.0, size.1)), &bytes, |b, bytes| {
            b.iter(|| guesser.timed(black_box(bytes), Framing::Find).unwrap());
        });
    }
}

fn pool(criterion: &mut Criterion) {
    const PHOTOS: usize = 16;
    let options = PoolOptions { workers: 2, queue: 64, deadline: Duration::from_secs(60) };
    let pool = Pool::start(Arc::new(Guesser::builtin().unwrap()), options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes = jpeg(&picture((1280, 960), 1, 320), 1);
    let mut group = criterion.benchmark_group("pool");
    group.throughput(Throughput::Elements(PHOTOS as u64));
    group.bench_function("16 photos at once", |b| {
        b.iter(|| {
            let requests = (0..PHOTOS).map(|_| pool.analyse(FlowId::from_key(&0), bytes.clone(), Framing::Find));
            runtime.block_on(futures_util::future::try_join_all(requests)).unwrap()
        });
    });
}

criterion_group! {
    name = stages;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = photo, face, forward, path, pool
}
criterion_main!(stages);
