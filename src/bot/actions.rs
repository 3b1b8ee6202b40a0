//! The buttons under replies: their actions, and how these are encoded as a platform's identifier.
//!
//! An identifier contains everything needed to handle the button, so that it works after a restart.

use super::people::{PersonId, Platform};

/// The action of a button.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Explains the guess at one face.
    Explain {
        /// Its index among the photo's faces, from 0.
        face: u8,
    },
    /// Crops the photo to the suggested square and guesses again.
    Crop(Square),
    /// Guesses from the square in the middle of a photo without a face.
    GuessAnyway,
    /// Deletes the reply; for the asker alone.
    Delete {
        /// The person whom the reply answers.
        asker: PersonId,
    },
    /// Steps to the next value of a chat's setting; for admins.
    ChangeSetting(Setting),
    /// A player's guess in a game.
    Guess {
        /// The game's number in the store.
        game: i64,
        /// The guessed age, 0 to 100 years.
        age: u8,
    },
    /// Ends a game; for its host.
    Reveal {
        /// The game's number in the store.
        game: i64,
    },
}

/// A setting of a chat that has a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Whether every photo is answered without a request.
    Auto,
    /// Whether replies are visible to the asker alone.
    Private,
    /// Whether replies state a gender.
    Gender,
    /// Whether replies mention a smile.
    Smile,
    /// The language of replies, or each person's own.
    Language,
}

/// A square in a photo, in ten-thousandths: `left` and `side` of the photo's width, `top` of its height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    /// Left edge, in ten-thousandths of the photo's width.
    pub left: u16,
    /// Top edge, in ten-thousandths of the photo's height.
    pub top: u16,
    /// Side, in ten-thousandths of the photo's width.
    pub side: u16,
}

/// The whole width or height, in the unit of [`Square`].
pub const SQUARE_SCALE: f32 = 10_000.0;

impl Action {
    /// Its identifier: ASCII, at most 64 bytes, Telegram's limit (Discord's is 100).
    pub fn code(&self) -> String {
        match self {
            Self::Explain { face: 0 } => "see".into(),
            Self::Explain { face } => format!("see:{}", u16::from(*face) + 1),
            Self::Crop(Square { left, top, side }) => format!("crop:{left}:{top}:{side}"),
            Self::GuessAnyway => "anyway".into(),
            Self::Delete { asker } => format!("delete:{}", asker.id),
            Self::ChangeSetting(Setting::Auto) => "set:auto".into(),
            Self::ChangeSetting(Setting::Private) => "set:private".into(),
            Self::ChangeSetting(Setting::Gender) => "set:gender".into(),
            Self::ChangeSetting(Setting::Smile) => "set:smile".into(),
            Self::ChangeSetting(Setting::Language) => "set:language".into(),
            Self::Guess { game, age } => format!("guess:{game}:{age}"),
            Self::Reveal { game } => format!("reveal:{game}"),
        }
    }

    /// Parses an identifier from `platform`; `None` when it is not valid.
    pub fn from_code(code: &str, platform: Platform) -> Option<Self> {
        let (name, rest) = code.split_once(':').unwrap_or((code, ""));
        let mut numbers = rest.split(':').map(str::parse::<i64>);
        let mut number = || numbers.next()?.ok();
        let action = match name {
            "see" if rest.is_empty() => Self::Explain { face: 0 },
            "see" => Self::Explain { face: u8::try_from(number()?.checked_sub(1)?).ok()? },
            "anyway" => Self::GuessAnyway,
            "crop" => {
                let mut part = || number().and_then(|part| u16::try_from(part).ok());
                Self::Crop(Square { left: part()?, top: part()?, side: part().filter(|side| *side > 0)? })
            }
            "delete" => Self::Delete { asker: PersonId { platform, id: number()? } },
            "set" => Self::ChangeSetting(match rest {
                "auto" => Setting::Auto,
                "private" => Setting::Private,
                "gender" => Setting::Gender,
                "smile" => Setting::Smile,
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
        matches!(self, Self::Explain { .. } | Self::Crop(_) | Self::GuessAnyway)
    }

    /// Whether it is for a chat's admins only.
    pub fn needs_admin(&self) -> bool {
        matches!(self, Self::ChangeSetting(_))
    }
}

/// A button under a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Button {
    /// What pressing it does.
    pub action: Action,
    /// At most 80 characters, Discord's limit.
    pub label: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_survives_encoding_and_parsing() {
        let platform = Platform::Discord;
        for action in [
            Action::Explain { face: 0 },
            Action::Explain { face: 31 },
            Action::Crop(Square { left: 0, top: 10_000, side: 4321 }),
            Action::GuessAnyway,
            Action::Delete { asker: PersonId { platform, id: i64::MIN } },
            Action::ChangeSetting(Setting::Auto),
            Action::ChangeSetting(Setting::Private),
            Action::ChangeSetting(Setting::Gender),
            Action::ChangeSetting(Setting::Language),
            Action::Guess { game: i64::MAX, age: 100 },
            Action::Reveal { game: i64::MAX },
        ] {
            let code = action.code();
            assert!(code.len() <= 64 && code.is_ascii(), "{code}");
            assert_eq!(Action::from_code(&code, platform), Some(action), "{code}");
        }
        for invalid in [
            "",
            "crop",
            "crop:1:2",
            "crop:1:2:0",
            "crop:-1:2:3",
            "set:all",
            "guess:1:300",
            "delete:x",
            "hm",
            "see:0",
            "see:x",
        ] {
            assert_eq!(Action::from_code(invalid, platform), None, "{invalid}");
        }
    }
}
