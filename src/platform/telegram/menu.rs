//! The commands in Telegram's menus: for private chats, groups and groups' admins, in every
//! language.

use std::time::Duration;

use teloxide::payloads::{SetMyCommands, SetMyCommandsSetters};
use teloxide::types::{BotCommand, BotCommandScope};
use tracing::warn;

use super::api::{Api, Fault};
use crate::bot::languages::Language;

/// How long one menu is tried.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command and the message that describes it.
type Entry = (&'static str, &'static str);

const GUESS: Entry = ("guess", "command-guess");
const GAME: Entry = ("game", "command-game");
const SCORES: Entry = ("scores", "command-scores");
const AUTO: Entry = ("auto", "command-auto");
const SETTINGS: Entry = ("settings", "command-settings");
const LANGUAGE: Entry = ("language", "command-language");
const GENDER: Entry = ("gender", "command-gender");
const OPTOUT: Entry = ("optout", "command-optout");
const OPTIN: Entry = ("optin", "command-optin");
const FORGET: Entry = ("forget", "command-forget");
const PRIVACY: Entry = ("privacy", "command-privacy");
const HELP: Entry = ("help", "command-help");

/// Where nothing narrower applies: private chats.
const ANYWHERE: &[Entry] = &[GUESS, GAME, SCORES, LANGUAGE, GENDER, OPTOUT, OPTIN, FORGET, PRIVACY, HELP];
const GROUPS: &[Entry] = ANYWHERE;
const ADMINS: &[Entry] = &[GUESS, GAME, SCORES, AUTO, SETTINGS, LANGUAGE, GENDER, OPTOUT, OPTIN, FORGET, PRIVACY, HELP];

/// Registers all menus. A failure costs the menu alone, so it is logged and the next one is tried.
pub(super) async fn register(api: &Api) {
    let scopes = [
        (BotCommandScope::Default, ANYWHERE),
        (BotCommandScope::AllPrivateChats, ANYWHERE),
        (BotCommandScope::AllGroupChats, GROUPS),
        (BotCommandScope::AllChatAdministrators, ADMINS),
    ];
    for language in Language::ALL {
        for (scope, entries) in &scopes {
            if let Err(error) = set(api, scope.clone(), entries, language).await {
                let language = language.code();
                warn!(language, %error, "a menu of commands could not be registered with Telegram");
            }
        }
    }
}

async fn set(api: &Api, scope: BotCommandScope, entries: &[Entry], language: Language) -> Result<(), Fault> {
    let commands = entries.iter().map(|(name, description)| BotCommand::new(*name, language.say(description)));
    let mut request = SetMyCommands::new(commands).scope(scope);
    // English is what people get whose language has no menu of its own.
    if language != Language::default() {
        request = request.language_code(language.code());
    }
    api.call_within(&request, PATIENCE).await.map(drop)
}
