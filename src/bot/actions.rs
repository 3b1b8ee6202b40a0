//! The buttons under replies: what they do, and how that fits into a platform's identifier.
//!
//! A button carries all that is needed to act on it, so that it works after a restart.

use super::people::{PersonId, Platform};

/// What pressing a button does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Shows the pixels that the network sees.
    See,
    /// Cuts the suggested square and guesses again.
    Crop(Square),
    /// Guesses the square in the middle of a photo without a face.
    Anyway,
    /// Deletes the reply; for the one who asked alone.
    Delete { asker: PersonId },
    /// Steps through the values of a chat's setting; for admins.
    Set(Setting),
    /// Somebody's guess in a game.
    Guess { game: i64, age: u8 },
    /// Ends a game; for its host.
    Reveal { game: i64 },
}

/// A setting of a chat that has a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    Auto,
    Private,
    Gender,
    Language,
}

/// A square in a photo, in ten-thousandths: its left edge and side of the photo's width, its top
/// edge of the photo's height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    pub left: u16,
    pub top: u16,
    pub side: u16,
}

/// What [`Square`] counts in.
pub const WHOLE: f32 = 10_000.0;

impl Action {
    /// Its identifier: ASCII, at most 64 bytes, which is what Telegram takes (Discord takes 100).
    pub fn code(&self) -> String {
        match self {
            Self::See => "see".into(),
            Self::Crop(Square { left, top, side }) => format!("crop:{left}:{top}:{side}"),
            Self::Anyway => "anyway".into(),
            Self::Delete { asker } => format!("delete:{}", asker.id),
            Self::Set(Setting::Auto) => "set:auto".into(),
            Self::Set(Setting::Private) => "set:private".into(),
            Self::Set(Setting::Gender) => "set:gender".into(),
            Self::Set(Setting::Language) => "set:language".into(),
            Self::Guess { game, age } => format!("guess:{game}:{age}"),
            Self::Reveal { game } => format!("reveal:{game}"),
        }
    }

    /// The action of an identifier that was given to a button on `platform`; `None` for any other text.
    pub fn of(code: &str, platform: Platform) -> Option<Self> {
        let (name, rest) = code.split_once(':').unwrap_or((code, ""));
        let mut numbers = rest.split(':').map(str::parse::<i64>);
        let mut number = || numbers.next()?.ok();
        let action = match name {
            "see" => Self::See,
            "anyway" => Self::Anyway,
            "crop" => {
                let mut part = || number().and_then(|part| u16::try_from(part).ok());
                Self::Crop(Square { left: part()?, top: part()?, side: part().filter(|side| *side > 0)? })
            }
            "delete" => Self::Delete { asker: PersonId { platform, id: number()? } },
            "set" => Self::Set(match rest {
                "auto" => Setting::Auto,
                "private" => Setting::Private,
                "gender" => Setting::Gender,
                "language" => Setting::Language,
                _ => return None,
            }),
            "guess" => Self::Guess { game: number()?, age: u8::try_from(number()?).ok().filter(|age| *age <= 100)? },
            "reveal" => Self::Reveal { game: number()? },
            _ => return None,
        };
        Some(action)
    }

    /// Whether it needs the photo that the reply was about.
    pub fn needs_photo(&self) -> bool {
        matches!(self, Self::See | Self::Crop(_) | Self::Anyway)
    }

    /// Whether only a chat's admins may do it.
    pub fn needs_admin(&self) -> bool {
        matches!(self, Self::Set(_))
    }
}

/// A button under a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    pub action: Action,
    /// At most 80 characters, which is what Discord takes.
    pub label: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_means_after_a_restart_what_it_meant_before() {
        let platform = Platform::Discord;
        for action in [
            Action::See,
            Action::Crop(Square { left: 0, top: 10_000, side: 4321 }),
            Action::Anyway,
            Action::Delete { asker: PersonId { platform, id: i64::MIN } },
            Action::Set(Setting::Auto),
            Action::Set(Setting::Private),
            Action::Set(Setting::Gender),
            Action::Set(Setting::Language),
            Action::Guess { game: i64::MAX, age: 100 },
            Action::Reveal { game: i64::MAX },
        ] {
            let code = action.code();
            assert!(code.len() <= 64 && code.is_ascii(), "{code}");
            assert_eq!(Action::of(&code, platform), Some(action), "{code}");
        }
        for foreign in ["", "crop", "crop:1:2", "crop:1:2:0", "crop:-1:2:3", "set:all", "guess:1:300", "delete:x", "hm"]
        {
            assert_eq!(Action::of(foreign, platform), None, "{foreign}");
        }
    }
}
