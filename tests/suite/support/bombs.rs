//! Files that cost as much as possible to decode: small ones that expand, and the largest that the limits
//! permit.

use std::io::{Cursor, Write};

use image::{GrayImage, ImageEncoder, Luma};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// The level of a textured pixel.
fn texture(x: u32, y: u32) -> u8 {
    ((x / 3) ^ (y / 5)) as u8 / 2 + (x.wrapping_mul(y) >> 7) as u8 / 8
}

/// A JPEG as a phone writes it.
pub fn jpeg(width: u16, height: u16, progressive: bool) -> Vec<u8> {
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
pub fn deep_png(width: u32, height: u32) -> Vec<u8> {
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

/// A lossless WebP.
pub fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let rgb: Vec<u8> = (0..width * height).flat_map(|at| [(at % width / 40) as u8; 3]).collect();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    encoder.write_image(&rgb, width, height, image::ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// A GIF of one frame.
pub fn gif(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let grey = GrayImage::from_fn(width, height, |x, _| Luma([(x / 40) as u8]));
    image::DynamicImage::ImageLuma8(grey).to_rgba8().write_to(&mut bytes, image::ImageFormat::Gif).unwrap();
    bytes.into_inner()
}

/// A GIF of plain frames, each as large as the screen.
pub fn long_gif(side: u16, frames: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, side, side, &[0, 0, 0, 90, 90, 90]).unwrap();
    for index in 0..frames {
        let pixels = vec![index % 2; usize::from(side) * usize::from(side)];
        encoder.write_frame(&gif::Frame::from_indexed_pixels(side, side, pixels, None)).unwrap();
    }
    drop(encoder);
    bytes
}

/// An APNG of plain frames.
pub fn apng(side: u32, frames: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(u32::from(frames), 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for index in 0..frames {
        writer.write_image_data(&vec![index.wrapping_mul(7); (side * side) as usize]).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// The content of each further scan of [`many_scans`].
#[derive(Debug, Clone, Copy)]
pub enum Scan {
    /// A few bytes that declare a band empty.
    Empty,
    /// The same for one more bit of the band, for which the decoder visits every block.
    RefinesNothing,
    /// One more bit of every block's mean.
    RefinesMeans,
}

/// A progressive JPEG of plain grey, with `scans` scans after the first: a few bytes each, or one bit per
/// block.
pub fn many_scans(width: u16, height: u16, components: u8, scans: usize, kind: Scan) -> Vec<u8> {
    let segment = |marker: u8, body: &[u8]| {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker], &length[..], body].concat()
    };
    let listed = |each: &dyn Fn(u8) -> Vec<u8>| (1..=components).flat_map(each).collect::<Vec<u8>>();
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let mut file = vec![0xff, 0xd8];
    if components == 4 {
        // Adobe's CMYK.
        file.extend(segment(0xee, b"Adobe\0\x64\0\0\0\0\0"));
    }
    file.extend(segment(0xdb, &[&[0], &[1; 64][..]].concat()));
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let sampled = listed(&|id| vec![id, 0x11, 0]);
    file.extend(segment(0xc2, &[&[8], &sides[..], &[components], &sampled[..]].concat()));
    // One code of a single bit in either table: a difference of zero, and "the next 16,384 or more blocks end".
    let lengths = [&[1], &[0; 15][..]].concat();
    file.extend(segment(0xc4, &[&[0x00], &lengths[..], &[0x00]].concat()));
    file.extend(segment(0xc4, &[&[0x10], &lengths[..], &[0xe0]].concat()));
    let head = |ids: &[u8], band: [u8; 3]| {
        let ids: Vec<u8> = ids.iter().flat_map(|id| [*id, 0]).collect();
        segment(0xda, &[&[ids.len() as u8 / 2], &ids[..], &band[..]].concat())
    };
    let all: Vec<u8> = (1..=components).collect();
    file.extend(head(&all, [0, 0, 1]));
    file.extend(vec![0; (blocks * usize::from(components)).div_ceil(8)]);
    for _ in 0..scans {
        match kind {
            Scan::RefinesMeans => {
                file.extend(head(&all, [0, 0, 0x10]));
                file.extend(vec![0x55; (blocks * usize::from(components)).div_ceil(8)]);
            }
            Scan::Empty | Scan::RefinesNothing => {
                file.extend(head(&[1], [1, 63, if matches!(kind, Scan::Empty) { 0 } else { 0x10 }]));
                // A code and 14 ones: 32,767 blocks. No byte of it is FF.
                let bits = (0..15 * blocks.div_ceil(32_767)).map(|at| u8::from(at % 15 != 0));
                let bits: Vec<u8> = bits.collect();
                let bytes =
                    bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit) << (8 - byte.len()));
                file.extend(bytes.flat_map(|byte: u8| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }));
            }
        }
    }
    file.extend([0xff, 0xd9]);
    file
}

/// A PNG whose header announces this size, without the pixels for it.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.write_header().unwrap().write_image_data(&[0; 8]).unwrap();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    bytes
}
