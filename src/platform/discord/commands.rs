//! The commands that Discord offers people for this bot.

use serenity::all::{CommandOptionType, CommandType, CreateCommand, CreateCommandOption};

pub(super) const GUESS: &str = "guess";
pub(super) const PHOTO: &str = "photo";
pub(super) const HELP: &str = "help";
pub(super) const PRIVACY: &str = "privacy";
/// Offered in the menu of every message.
pub(super) const GUESS_AGE: &str = "Guess age";

/// All commands, as they are registered.
pub(super) fn all() -> Vec<CreateCommand> {
    let photo = CreateCommandOption::new(CommandOptionType::Attachment, PHOTO, "A photo with a face, or several")
        .required(true);
    vec![
        CreateCommand::new(GUESS).description("Guess how old the people in a photo look").add_option(photo),
        CreateCommand::new(HELP).description("What I can do, and how to take a good photo"),
        CreateCommand::new(PRIVACY).description("What happens to your photo"),
        CreateCommand::new(GUESS_AGE).kind(CommandType::Message),
    ]
}
