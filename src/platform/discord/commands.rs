//! The commands that Discord offers people for this bot.

use serde_json::{Value, json};

pub(super) const GUESS: &str = "guess";
const PHOTO: &str = "photo";
const HELP: &str = "help";
pub(super) const PRIVACY: &str = "privacy";
/// Offered in the menu of every message.
pub(super) const GUESS_AGE: &str = "Guess age";

/// All commands, as they are registered. Written out, because serenity's own builder adds fields
/// that Discord's description of this request does not know.
pub(super) fn all() -> Value {
    const SLASH: u8 = 1;
    const MESSAGE: u8 = 3;
    const ATTACHMENT: u8 = 11;
    json!([
        {
            "name": GUESS, "type": SLASH, "description": "Guess how old the people in a photo look",
            "options": [{
                "name": PHOTO, "type": ATTACHMENT, "description": "A photo with a face, or several", "required": true
            }],
        },
        { "name": HELP, "type": SLASH, "description": "What I can do, and how to take a good photo" },
        { "name": PRIVACY, "type": SLASH, "description": "What happens to your photo" },
        { "name": GUESS_AGE, "type": MESSAGE },
    ])
}
