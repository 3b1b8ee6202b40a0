//! Shared by the tests: the bot with the compiled-in weights, the program as a process, stand-in servers,
//! sample photos, and the folders and programs that only some machines have.
//!
//! # What some tests need
//!
//! A test that lacks something counts as ignored, and its reason names it. `build.rs` decides at build time,
//! by setting a `cfg`; a test that runs all the same fails with a sentence that names what is missing.
//!
//! | variable | `cfg` | what it is |
//! |---|---|---|
//! | `FACEGUESSER_DATA` | `with_data` | folder of the data sets, with `utkface.tar` (face crops, `utkface/train` and `utkface/val`) |
//! | `FACEGUESSER_PHOTOS` | `with_photos` | folder of photographs: `person-woman.jpg`, `person-group.jpg`, `nature-landscape.jpg` … |
//! | `FACEGUESSER_CASES` | `with_cases` | folder of files that were once handled wrongly: `motion-photo.jpg`, `fade-in.gif` … |
//! | `FACEGUESSER_SPECS` | `with_specs` | folder of `discord-openapi.json` and `telegram-bot-api-10.1.json`; without it the stand-in servers accept every well-formed request |
//! | `PATH` | `with_browser` | holds `chromedriver`, and Chromium where that finds it. Installed into a folder that was on `PATH` already: `touch build.rs` |
//! | `PATH` | `with_nats` | holds `nats-server` 2.9 or later |
//! | `FACEGUESSER_REQUIRE_ALL` | all of these | `1`: every test runs, and fails where something is missing (`.ci/run`) |
//!
//! Others change what tests that always run do:
//!
//! | variable | effect |
//! |---|---|
//! | `FACEGUESSER_PROGRAM` | executable for `load`, `soak`, `performance` and gateways and workers in place of the one under test, such as a release build |
//! | `FACEGUESSER_LOAD` | number of photos in `load` |
//! | `FACEGUESSER_SOAK`, `FACEGUESSER_SOAK_SEED` | duration of `soak` in seconds, and its seed |
//! | `FACEGUESSER_KILLS`, `FACEGUESSER_ROUNDS`, `FACEGUESSER_CUT`, `FACEGUESSER_GROWTH` | `cluster_faults`, `cluster_growth`: killed workers, restarted servers, seconds without a link, photos |
//! | `FACEGUESSER_RECORD` | folder into which `recorded` writes its page |
//! | `FACEGUESSER_SCREENSHOTS` | folder into which `browser`, `learn` and `site` write screenshots |
//! | `FACEGUESSER_MUTATIONS`, `FACEGUESSER_FUZZ_TARGETS` | `src/fuzzing/tests.rs`: mutations per seed; which fuzz targets |

pub mod bombs;
pub mod bot_api;
pub mod both;
pub mod browser;
pub mod cluster;
pub mod discord;
pub mod discord_faults;
pub mod discord_gateway;
pub mod discord_limits;
pub mod discord_rest;
pub mod discord_state;
pub mod flood;
pub mod inbox;
#[cfg(feature = "matrix")]
pub mod matrix;
#[cfg(feature = "matrix")]
pub mod matrix_rules;
#[cfg(feature = "matrix")]
pub mod matrix_server;
pub mod nats;
pub mod openapi;
pub mod program;
pub mod secrets;
pub mod telegram;
pub mod telegram_rules;
pub mod telegram_server;
pub mod web;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use faceguesser::bot::Bot;
use faceguesser::bot::jobs::Role;
use faceguesser::config::Config;
use faceguesser::inference::Pool;

/// The bot as the program builds it from its defaults.
pub fn bot() -> (Arc<Bot>, Arc<Pool>) {
    let config = Config::load(None, []).expect("the defaults are complete");
    let store = faceguesser::bot::sqlite::Sqlite::in_memory().unwrap();
    faceguesser::setup::bot(&config, Arc::new(store), Role::All).expect("the compiled-in weights load")
}

/// The folder that `variable` names. Fails the test without one.
pub fn folder(variable: &str) -> PathBuf {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| panic!("{variable} is not set, and this test needs the folder it names"));
    assert!(folder.is_dir(), "{variable} names {}, which is not a folder", folder.display());
    folder
}

/// The file `name` in the folder that `variable` names. Fails the test without it.
pub fn file(variable: &str, name: &str) -> Vec<u8> {
    let path = folder(variable).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{} is needed: {error}", path.display()))
}

/// `count` crops of `utkface/train` or `utkface/val`, spread over the folder: names and JPEG bytes.
pub fn crops(part: &str, count: usize) -> Vec<(String, Vec<u8>)> {
    pictures("utkface.tar", &format!("utkface/{part}/"), 13, count, |_| true)
}

/// `count` JPEG files of a folder in an archive of the data sets: of every `step`th of its files, those that are wanted.
/// Names and bytes.
pub fn pictures(
    archive: &str,
    folder: &str,
    step: usize,
    count: usize,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<(String, Vec<u8>)> {
    let path = self::folder("FACEGUESSER_DATA").join(archive);
    let archive = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{} is needed: {error}", path.display()));
    let mut archive = tar::Archive::new(std::io::BufReader::new(archive));
    let mut pictures = Vec::new();
    for (index, entry) in archive.entries_with_seek().unwrap().enumerate() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let Some((_, name)) = path.split_once(folder) else { continue };
        if index % step == 0 && name.ends_with(".jpg") && is_wanted(name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            pictures.push((name.to_owned(), bytes));
        }
        if pictures.len() == count {
            return pictures;
        }
    }
    panic!("{folder} holds only {} of {count} pictures", pictures.len());
}

/// A platform's own API description; `None` on a machine without them, where the stand-in servers accept
/// every well-formed request and the tests of the descriptions count as ignored.
pub fn specification(name: &str) -> Option<serde_json::Value> {
    cfg!(with_specs).then(|| serde_json::from_slice(&file("FACEGUESSER_SPECS", name)).unwrap())
}

/// The bundled mean of many faces, a tight crop.
pub fn mean_face() -> image::GrayImage {
    image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap().to_luma8()
}

/// A photo with one face in it: the mean of many, enlarged on a plain background.
pub fn photo_with_a_face() -> Vec<u8> {
    let face = image::imageops::resize(&mean_face(), 320, 320, image::imageops::FilterType::Triangle);
    let mut photo = image::GrayImage::from_pixel(640, 480, image::Luma([150]));
    image::imageops::overlay(&mut photo, &face, 160, 80);
    jpeg(&photo)
}

/// A photo with `count` such faces in a row.
pub fn photo_with_faces(count: u32) -> Vec<u8> {
    let face = image::imageops::resize(&mean_face(), 200, 200, image::imageops::FilterType::Triangle);
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

/// A photo of the smallest size that the bot analyses, without a face.
pub fn tiny_photo() -> Vec<u8> {
    jpeg(&image::GrayImage::from_fn(64, 64, |x, _| image::Luma([(x * 2) as u8])))
}

pub fn jpeg(photo: &image::GrayImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(photo).unwrap();
    bytes
}
