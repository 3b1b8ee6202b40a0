//! Properties of button identifiers and of texts that name a choice. Compiled for fuzzing and tests only.

use std::sync::LazyLock;

use super::actions::Action;
use super::card;
use super::languages::Language;
use super::people::Platform;
use super::settings::GenderPolicy;
use crate::photo::{DecodeLimits, MemoryBudget};

/// A photo of 24×16 pixels to crop.
static PHOTO: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(24, 16, |x, y| image::Rgb([x as u8 * 10, y as u8 * 15, 90]));
    // Writing to memory cannot fail.
    let _ = picture.write_to(&mut bytes, image::ImageFormat::Gif);
    bytes.into_inner()
});

/// An identifier that parses has a canonical form that fits every platform and parses to the same
/// action. Any square can be cropped.
pub fn button_codes(data: &[u8]) {
    let Ok(code) = std::str::from_utf8(data) else { return };
    for platform in [Platform::Discord, Platform::Telegram] {
        let Some(action) = Action::from_code(code, platform) else { continue };
        let canonical = action.code();
        assert!(canonical.len() <= 64 && canonical.is_ascii(), "{canonical}");
        assert_eq!(Action::from_code(&canonical, platform), Some(action));
        if let (Action::Crop(square), Platform::Discord) = (action, platform) {
            let limits = DecodeLimits { memory: MemoryBudget::new(16 << 20), ..DecodeLimits::default() };
            let cropped = card::crop(&PHOTO, &limits, square);
            assert!(cropped.is_ok_and(|jpeg| jpeg.starts_with(b"\xff\xd8")), "{square:?} cannot be cropped");
        }
    }
}

/// Names of choices: languages as clients and people write them, and gender policies.
pub fn choices(text: &str) {
    if let Some(language) = Language::from_tag(text) {
        assert_eq!(Language::from_tag(language.code()), Some(language));
    }
    Language::from_accept_language(text);
    if let Some(gender) = GenderPolicy::from_name(text) {
        assert_eq!(GenderPolicy::from_name(gender.name()), Some(gender));
    }
}
