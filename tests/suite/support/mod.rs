//! What the tests share: the bot with the compiled-in weights, the program as a process, stand-in
//! servers, and the folders that tests may be given.

pub mod bombs;
pub mod bot_api;
pub mod both;
pub mod discord;
pub mod discord_faults;
pub mod discord_gateway;
pub mod discord_limits;
pub mod discord_rest;
pub mod discord_state;
pub mod flood;
pub mod inbox;
pub mod openapi;
pub mod program;
pub mod secrets;
pub mod telegram;
pub mod telegram_rules;
pub mod telegram_server;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use faceguesser::bot::Bot;
use faceguesser::config::Config;
use faceguesser::inference::Pool;

/// The bot as the program builds it from its defaults.
pub fn bot() -> (Arc<Bot>, Arc<Pool>) {
    let config = Config::load(None, []).expect("the defaults are complete");
    let store = faceguesser::bot::sqlite::Sqlite::in_memory().unwrap();
    faceguesser::cli::wire::bot(&config, Arc::new(store)).expect("the compiled-in weights load")
}

/// The folder that `variable` names, if it does; prints why a test is left out otherwise.
pub fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        left_out(&format!("{variable} names no folder"));
    }
    folder
}

/// Says why a test is left out; where all must run (`FACEGUESSER_REQUIRE_ALL=1`), fails it.
pub fn left_out(why: &str) {
    let all = std::env::var_os("FACEGUESSER_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!all, "all tests must run here, and {why}");
    eprintln!("left out: {why}");
}

/// `count` crops of `utkface/train` or `utkface/val`, spread over the folder: names and JPEG bytes.
pub fn crops(part: &str, count: usize) -> Option<Vec<(String, Vec<u8>)>> {
    let archive = folder("FACEGUESSER_DATA")?.join("utkface.tar");
    let folder = format!("utkface/{part}/");
    let mut archive = tar::Archive::new(std::io::BufReader::new(std::fs::File::open(archive).unwrap()));
    let mut crops = Vec::new();
    for (index, entry) in archive.entries_with_seek().unwrap().enumerate() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let Some((_, name)) = path.split_once(&folder) else { continue };
        if index % 13 == 0 && name.ends_with(".jpg") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            crops.push((name.to_owned(), bytes));
        }
        if crops.len() == count {
            return Some(crops);
        }
    }
    panic!("{folder} holds {} crops of the {count} wanted", crops.len());
}

/// A platform's own interface description, where FACEGUESSER_SPECS names the folder of them;
/// without it the stand-ins take every well-formed request.
pub fn specification(file: &str) -> Option<serde_json::Value> {
    let folder = folder("FACEGUESSER_SPECS")?;
    Some(serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap())
}

/// A bundled picture with one face in it: the mean of many, enlarged onto a plain ground.
pub fn photo_with_a_face() -> Vec<u8> {
    let face = image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap().to_luma8();
    let face = image::imageops::resize(&face, 320, 320, image::imageops::FilterType::Triangle);
    let mut photo = image::GrayImage::from_pixel(640, 480, image::Luma([150]));
    image::imageops::overlay(&mut photo, &face, 160, 80);
    jpeg(&photo)
}

/// Several of them, from left to right.
pub fn photo_with_faces(count: u32) -> Vec<u8> {
    let face = image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap().to_luma8();
    let face = image::imageops::resize(&face, 200, 200, image::imageops::FilterType::Triangle);
    let mut photo = image::GrayImage::from_pixel(count * 260, 400, image::Luma([150]));
    for index in 0..count {
        image::imageops::overlay(&mut photo, &face, i64::from(index * 260 + 30), 100);
    }
    jpeg(&photo)
}

/// A plain picture without a face.
pub fn photo_without_a_face() -> Vec<u8> {
    jpeg(&image::GrayImage::from_fn(320, 240, |x, _| image::Luma([(x / 2) as u8])))
}

/// The smallest picture that is worth looking at, without a face.
pub fn tiny_photo() -> Vec<u8> {
    jpeg(&image::GrayImage::from_fn(64, 64, |x, _| image::Luma([(x * 2) as u8])))
}

pub fn jpeg(photo: &image::GrayImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(photo).unwrap();
    bytes
}
