//! The doors through which strangers' bytes come in, each with a property that holds for all bytes.
//!
//! `fuzz/` hands them to libFuzzer, and the tests here try each door's seeds and some mutations of
//! them. A property panics where it does not hold; whoever calls it watches memory and time.

mod memory;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::config::Config;
use crate::model::estimator::Estimator;
use crate::model::weights;
use crate::{bot, photo, platform};

pub use memory::{Counting, most_held};

/// A door.
pub struct Door {
    /// Also the name of the folder of its seeds.
    pub name: &'static str,
    /// What must hold for the bytes that come in.
    pub property: fn(&[u8]),
    /// Bytes that it may hold, beside those that came in.
    pub memory: usize,
}

/// What a text's reading may hold.
const TEXT: usize = 8 << 20;

impl Door {
    /// Tries the property with these bytes.
    ///
    /// # Panics
    /// When it does not hold, or held more than it may.
    pub fn try_with(&self, data: &[u8]) {
        let may = self.memory + data.len();
        // Far too much is refused at once, so that the machine survives it.
        let held = most_held(8 * may, || (self.property)(data));
        assert!(held <= may, "{} held {held} bytes, and may {may}", self.name);
    }
}

/// All of them.
pub const DOORS: &[Door] = &[
    Door { name: "photo_bytes", property: photo::fuzzing::photo_bytes, memory: photo::fuzzing::WEBP_MEMORY },
    Door { name: "jpeg", property: photo::fuzzing::jpeg, memory: photo::fuzzing::MEMORY },
    Door { name: "jpeg_general", property: photo::fuzzing::jpeg_general, memory: photo::fuzzing::MEMORY },
    Door { name: "jpeg_differential", property: photo::fuzzing::jpeg_differential, memory: photo::fuzzing::MEMORY },
    Door { name: "jpeg_outline", property: photo::fuzzing::jpeg_outline, memory: TEXT },
    Door { name: "png", property: photo::fuzzing::png, memory: photo::fuzzing::PNG_MEMORY },
    Door { name: "gif", property: photo::fuzzing::gif, memory: photo::fuzzing::GIF_MEMORY },
    Door { name: "webp", property: photo::fuzzing::webp, memory: photo::fuzzing::WEBP_MEMORY },
    #[cfg(feature = "heic")]
    Door { name: "heic", property: photo::fuzzing::heic, memory: photo::fuzzing::MEMORY },
    Door { name: "animation", property: photo::fuzzing::animation, memory: photo::fuzzing::WEBP_MEMORY },
    Door { name: "exif", property: photo::fuzzing::exif, memory: TEXT },
    Door { name: "config", property: config_text, memory: TEXT },
    Door { name: "command_text", property: platform::telegram::fuzzing::command_text, memory: TEXT },
    Door { name: "button_codes", property: bot::fuzzing::button_codes, memory: TEXT },
    Door { name: "discord_event", property: platform::discord::fuzzing::discord_event, memory: TEXT },
    Door { name: "telegram_update", property: platform::telegram::fuzzing::telegram_update, memory: TEXT },
    Door { name: "web_request", property: platform::web::fuzzing::web_request, memory: TEXT },
    Door { name: "weights_file", property: weights_file, memory: TEXT },
];

/// A file of settings: refused in a sentence that names its line or key, or usable.
fn config_text(data: &[u8]) {
    // Files that it names would be read; only the host can do that.
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
            let sentence = error.to_string();
            assert!(sentence.contains("settings.toml, line "), "{sentence}");
        }
    }
}

/// A file of weights: tensors that hold no more than the file can, or the reason why not.
fn weights_file(data: &[u8]) {
    if let Err(error) = weights::load(data) {
        assert!(!error.to_string().is_empty());
    }
    assert!(Estimator::from_safetensors(data).is_err(), "a network in {} bytes", data.len());
}
