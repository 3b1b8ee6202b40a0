//! Properties of the texts that identify a button's action or name a choice. Compiled for fuzzing and
//! tests only.

use std::sync::LazyLock;

use super::actions::Action;
use super::card;
use super::languages::Language;
use super::people::Platform;
use super::settings::GenderPolicy;
use crate::photo::{DecodeLimits, MemoryBudget};

/// A photo of 24×16 pixels, to crop squares from.
static PHOTO: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(24, 16, |x, y| image::Rgb([x as u8 * 10, y as u8 * 15, 90]));
    // Writing to memory does not fail.
    let _ = picture.write_to(&mut bytes, image::ImageFormat::Gif);
    bytes.into_inner()
});

/// A button's code identifies one action, whose own code fits every platform and identifies the same action. A
/// square with any numbers can be cropped.
pub fn button_codes(data: &[u8]) {
    let Ok(code) = std::str::from_utf8(data) else { return };
    for platform in [Platform::Discord, Platform::Telegram] {
        let Some(action) = Action::of(code, platform) else { continue };
        let again = action.code();
        assert!(again.len() <= 64 && again.is_ascii(), "{again}");
        assert_eq!(Action::of(&again, platform), Some(action));
        if let (Action::Crop(square), Platform::Discord) = (action, platform) {
            let limits = DecodeLimits { memory: MemoryBudget::new(16 << 20), ..DecodeLimits::default() };
            let cut = card::cut(&PHOTO, &limits, square);
            assert!(cut.is_ok_and(|jpeg| jpeg.starts_with(b"\xff\xd8")), "{square:?} is not cropped");
        }
    }
}

/// Names of languages as clients and users write them, and of gender policies.
pub fn choices(text: &str) {
    if let Some(language) = Language::of(text) {
        assert_eq!(Language::of(language.code()), Some(language));
    }
    Language::accepted(text);
    if let Some(gender) = GenderPolicy::of(text) {
        assert_eq!(GenderPolicy::of(gender.name()), Some(gender));
    }
}
