//! Fuzz targets: every place where untrusted bytes enter the program, each with a property that holds for all
//! inputs.
//!
//! `fuzz/` runs them with libFuzzer; the tests here run each target's seeds and mutations of
//! them. A property panics when it does not hold; the caller measures memory and time.

#[cfg(all(test, feature = "heic"))]
mod heic_bombs;
mod memory;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::config::Config;
use crate::model::estimator::Estimator;
use crate::model::weights;
use crate::{bot, photo, platform};

pub use memory::{CountingAllocator, peak_memory};

/// A fuzz target.
pub struct Target {
    /// Also the name of the folder of its seeds.
    pub name: &'static str,
    /// Panics when it does not hold for the input.
    pub property: fn(&[u8]),
    /// Bytes that it may allocate, in addition to the size of the input.
    pub memory: usize,
}

/// Memory limit for parsing text, in bytes.
const TEXT: usize = 8 << 20;

impl Target {
    /// Runs the property on an input.
    ///
    /// # Panics
    /// When the property does not hold, or allocated more than its limit.
    pub fn run(&self, data: &[u8]) {
        let limit = self.memory + data.len();
        // Allocations far beyond the limit fail immediately, so that the machine does not run out of memory.
        let peak = peak_memory(8 * limit, || (self.property)(data));
        assert!(peak <= limit, "{} allocated {peak} bytes, the limit is {limit}", self.name);
    }
}

/// All fuzz targets.
pub const TARGETS: &[Target] = &[
    Target { name: "photo_bytes", property: photo::fuzzing::photo_bytes, memory: photo::fuzzing::WEBP_MEMORY },
    Target { name: "jpeg", property: photo::fuzzing::jpeg, memory: photo::fuzzing::MEMORY },
    Target { name: "jpeg_general", property: photo::fuzzing::jpeg_general, memory: photo::fuzzing::MEMORY },
    Target { name: "jpeg_differential", property: photo::fuzzing::jpeg_differential, memory: photo::fuzzing::MEMORY },
    Target { name: "jpeg_outline", property: photo::fuzzing::jpeg_outline, memory: TEXT },
    Target { name: "png", property: photo::fuzzing::png, memory: photo::fuzzing::PNG_MEMORY },
    Target { name: "gif", property: photo::fuzzing::gif, memory: photo::fuzzing::GIF_MEMORY },
    Target { name: "webp", property: photo::fuzzing::webp, memory: photo::fuzzing::WEBP_MEMORY },
    #[cfg(feature = "heic")]
    Target { name: "heic", property: photo::fuzzing::heic, memory: photo::fuzzing::HEIC_MEMORY },
    Target { name: "animation", property: photo::fuzzing::animation, memory: photo::fuzzing::WEBP_MEMORY },
    Target { name: "exif", property: photo::fuzzing::exif, memory: TEXT },
    Target { name: "config", property: config_text, memory: TEXT },
    Target { name: "command_text", property: platform::telegram::fuzzing::command_text, memory: TEXT },
    Target { name: "button_codes", property: bot::fuzzing::button_codes, memory: TEXT },
    Target { name: "discord_event", property: platform::discord::fuzzing::discord_event, memory: TEXT },
    Target { name: "telegram_update", property: platform::telegram::fuzzing::telegram_update, memory: TEXT },
    #[cfg(feature = "matrix")]
    Target { name: "matrix_event", property: platform::matrix::fuzzing::matrix_event, memory: TEXT },
    Target { name: "web_request", property: platform::web::fuzzing::web_request, memory: TEXT },
    Target { name: "weights_file", property: weights_file, memory: TEXT },
];

/// A configuration file: usable, or refused with a message that names the line or key.
fn config_text(data: &[u8]) {
    // It would read the files that it names, which only the operator can make it do.
    if memchr::memmem::find(data, b"_file").is_some() {
        return;
    }
    let path = Path::new("settings.toml");
    match Config::from_bytes(path, data.to_vec()) {
        Ok(config) => {
            config.decode_limits();
            config.pool_options();
            config.bot_options(config.decode_limits());
            platform::discord::DiscordOptions::new(&config);
            platform::telegram::TelegramOptions::new(&config);
            let _ = format!("{config:?}");
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains("settings.toml, line "), "{message}");
        }
    }
}

/// A weights file: tensors no larger than the file, or an error; such small files never hold a whole network.
fn weights_file(data: &[u8]) {
    if let Err(error) = weights::load(data) {
        assert!(!error.to_string().is_empty());
    }
    assert!(Estimator::from_safetensors(data).is_err(), "{} bytes were loaded as a network", data.len());
}
