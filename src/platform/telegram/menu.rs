//! Registers the command menus: for private chats, groups and group admins, in every language.

use std::time::Duration;

use teloxide::payloads::{SetMyCommands, SetMyCommandsSetters};
use teloxide::types::{BotCommand, BotCommandScope};
use tracing::warn;

use super::api::Api;
use super::refusals::ApiError;
use crate::bot::languages::Language;

/// How long the registration of one menu is retried.
const MENU_LIMIT: Duration = Duration::from_secs(120);

/// A command and the key of the message that describes it.
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

/// The commands that everyone can use, and those of group admins.
const EVERYONE: &[Entry] = &[GUESS, GAME, SCORES, LANGUAGE, GENDER, OPTOUT, OPTIN, FORGET, PRIVACY, HELP];
const ADMINS: &[Entry] = &[GUESS, GAME, SCORES, AUTO, SETTINGS, LANGUAGE, GENDER, OPTOUT, OPTIN, FORGET, PRIVACY, HELP];

/// Registers all menus. A failure affects only its menu, so it is logged and the next one follows.
pub(super) async fn register(api: &Api) {
    let scopes = [
        (BotCommandScope::Default, EVERYONE),
        (BotCommandScope::AllPrivateChats, EVERYONE),
        (BotCommandScope::AllGroupChats, EVERYONE),
        (BotCommandScope::AllChatAdministrators, ADMINS),
    ];
    for language in Language::ALL {
        for (scope, entries) in &scopes {
            if let Err(error) = set_menu(api, scope.clone(), entries, language).await {
                let language = language.code();
                warn!(language, %error, "a command menu could not be registered with Telegram");
            }
        }
    }
}

async fn set_menu(api: &Api, scope: BotCommandScope, entries: &[Entry], language: Language) -> Result<(), ApiError> {
    let commands = entries.iter().map(|(name, description)| BotCommand::new(*name, language.message(description)));
    let mut request = SetMyCommands::new(commands).scope(scope);
    // The English menu has no language code: it is the fallback for languages without a menu.
    if language != Language::default() {
        request = request.language_code(language.code());
    }
    api.call_within(&request, MENU_LIMIT).await.map(drop)
}
