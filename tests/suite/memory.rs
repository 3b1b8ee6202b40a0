//! What the program holds at its worst: many askers at once with the largest files that it takes.

use std::io::Write;

use image::{GrayImage, ImageEncoder, Luma};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::support::program::Program;

/// Above what it holds when idle, in megabytes.
const MOST: f64 = 256.0;
const ASKERS: usize = 64;

/// Pixels of some texture.
fn texture(x: u32, y: u32) -> u8 {
    ((x / 3) ^ (y / 5)) as u8 / 2 + (x.wrapping_mul(y) >> 7) as u8 / 8
}

fn jpeg(width: u16, height: u16, progressive: bool) -> Vec<u8> {
    let pixels: Vec<u8> = (0..u32::from(height))
        .flat_map(|y| (0..u32::from(width)).flat_map(move |x| [texture(x, y), texture(y, x), 90]))
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 60);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels, width, height, ColorType::Rgb).unwrap();
    bytes
}

/// A PNG of 16 bits and four channels, all of one colour, so that it is quick to make.
fn deep_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![200; 8 * width as usize];
    (0..height).for_each(|_| stream.write_all(&row).unwrap());
    stream.finish().unwrap();
    drop(writer);
    bytes
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let rgb: Vec<u8> = (0..width * height).flat_map(|at| [(at % width / 40) as u8; 3]).collect();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    encoder.write_image(&rgb, width, height, image::ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn gif(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let grey = GrayImage::from_fn(width, height, |x, _| Luma([(x / 40) as u8]));
    image::DynamicImage::ImageLuma8(grey).to_rgba8().write_to(&mut bytes, image::ImageFormat::Gif).unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_askers_with_the_largest_files_stay_within_the_budget() {
    let mut program = Program::start(&[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    let page = program.page().await;
    let client = reqwest::Client::new();
    let ask = async |file: Vec<u8>| {
        let form = reqwest::multipart::Form::new().part("photo", reqwest::multipart::Part::bytes(file).file_name("x"));
        let answer = client.post(format!("{page}api/guess?card=1")).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // Both networks have done their work once before the idle program is weighed.
    assert_eq!(ask(super::support::photo_with_faces(3)).await.0, 200);
    let idle = program.resident_megabytes();
    let files = [
        jpeg(8000, 6000, true),
        jpeg(8000, 6000, false),
        deep_png(7000, 7000),
        webp(3900, 3000),
        gif(3000, 2000),
        super::support::photo_with_faces(8),
    ];
    for file in &files {
        assert!(file.len() < 20 << 20, "{} bytes", file.len());
    }
    let asked = (0..ASKERS).map(|index| ask(files[index % files.len()].clone()));
    let answers = futures_util::future::join_all(asked).await;
    let peak = program.peak_megabytes();
    let count = |status: u16| answers.iter().filter(|(answered, _)| *answered == status).count();
    println!(
        "idle {idle:.0} MB, {:.0} MB above it at most; {} answered, {} told to wait",
        peak - idle,
        count(200),
        count(503)
    );
    assert_eq!(
        count(200) + count(503),
        ASKERS,
        "{:?}",
        answers.iter().find(|(status, _)| ![200, 503].contains(status))
    );
    assert!(count(200) >= ASKERS / 4);
    assert!(peak - idle <= MOST, "{peak:.0} MB at most, {idle:.0} MB idle");
    assert!(program.is_running());
}
