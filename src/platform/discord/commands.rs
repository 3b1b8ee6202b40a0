//! The application commands that the bot registers, in all languages.

use serde_json::{Map, Value, json};

use crate::bot::languages::{Language, Value as Variable};
use crate::bot::settings::GenderPolicy;

pub(super) const GUESS: &str = "guess";
pub(super) const GAME: &str = "game";
pub(super) const SCORES: &str = "scores";
pub(super) const AUTO: &str = "auto";
pub(super) const SETTINGS: &str = "settings";
pub(super) const LANGUAGE: &str = "language";
pub(super) const GENDER: &str = "gender";
pub(super) const OPT_OUT: &str = "optout";
pub(super) const OPT_IN: &str = "optin";
pub(super) const FORGET: &str = "forget";
pub(super) const PRIVACY: &str = "privacy";
const HELP: &str = "help";
/// The command in the context menus of every message and every person.
pub(super) const GUESS_AGE: &str = "Guess age";

/// Options of commands, and their choices.
const PHOTO: &str = "photo";
pub(super) const AGE: &str = "age";
pub(super) const STATE: &str = "state";
pub(super) const ON: &str = "on";
pub(super) const OFF: &str = "off";
pub(super) const TELLING: &str = "telling";
/// The oldest verified age of a person.
const MAX_AGE: u8 = 122;

/// Discord's types of commands and options.
const SLASH: u8 = 1;
pub(super) const USER: u8 = 2;
const MESSAGE: u8 = 3;
const STRING: u8 = 3;
const INTEGER: u8 = 4;
const ATTACHMENT: u8 = 11;

/// The installations of the bot that have a command: in a server, and for a person.
pub(super) const GUILD_INSTALL: &str = "0";
pub(super) const USER_INSTALL: &str = "1";
/// Where Discord offers a command: in servers, in direct messages with the bot, and in those of other people.
const GUILD: u8 = 0;
const BOT_DM: u8 = 1;
pub(super) const PRIVATE_CHANNEL: u8 = 2;

/// All commands, as they are registered. Built as JSON, because serenity's builder adds fields that
/// Discord's specification of this request does not have.
pub(super) fn all() -> Value {
    let photo = || described(PHOTO, ATTACHMENT, "command-guess-photo", json!({ "required": true }));
    let range = json!({ "required": false, "min_value": 0, "max_value": MAX_AGE });
    let age = described(AGE, INTEGER, "command-game-age", range);
    let states = [(ON, "yes"), (OFF, "no")].map(|(value, on)| choice(value, "settings-auto", &[("on", on.into())]));
    let state = described(STATE, STRING, "command-auto", json!({ "required": false, "choices": states }));
    let languages = Language::ALL.map(|one| json!({ "name": one.name(), "value": one.code() }));
    let language = described(LANGUAGE, STRING, "command-language", json!({ "required": true, "choices": languages }));
    let policies = GenderPolicy::ALL.map(|one| choice(one.name(), "settings-gender", &[("gender", one.name().into())]));
    let telling = described(TELLING, STRING, "command-gender", json!({ "required": true, "choices": policies }));
    let menu =
        |kind: u8| json!({ "name": GUESS_AGE, "type": kind, "name_localizations": localized("name-guess-age", &[]) });
    json!([
        everywhere(slash(GUESS, vec![photo()])),
        for_members(slash(GAME, vec![photo(), age])),
        for_members(slash(SCORES, vec![])),
        for_members(slash(AUTO, vec![state])),
        for_members(slash(SETTINGS, vec![])),
        everywhere(slash(LANGUAGE, vec![language])),
        everywhere(slash(GENDER, vec![telling])),
        everywhere(slash(OPT_OUT, vec![])),
        everywhere(slash(OPT_IN, vec![])),
        everywhere(slash(FORGET, vec![])),
        everywhere(slash(PRIVACY, vec![])),
        everywhere(slash(HELP, vec![])),
        everywhere(menu(MESSAGE)),
        everywhere(menu(USER)),
    ])
}

/// The same commands where the application cannot be installed by people for themselves.
pub(super) fn for_servers(commands: &Value) -> Value {
    commands.as_array().into_iter().flatten().cloned().map(for_members).collect()
}

/// A command that people can use wherever they are, even where the bot is not a member.
fn everywhere(mut command: Value) -> Value {
    command["integration_types"] = json!([0, 1]);
    command["contexts"] = json!([GUILD, BOT_DM, PRIVATE_CHANNEL]);
    command
}

/// A command that needs the bot in the chat.
fn for_members(mut command: Value) -> Value {
    command["integration_types"] = json!([0]);
    command["contexts"] = json!([GUILD, BOT_DM]);
    command
}

/// Whether Discord has these commands already, regardless of the fields that it adds and of their order.
pub(super) fn is_registered(registered: &Value, wanted: &Value) -> bool {
    let normalised = |commands: &Value| {
        let mut commands: Vec<Value> = commands.as_array().into_iter().flatten().map(normalised).collect();
        commands.sort_by_key(|command| (command["type"].as_u64(), command["name"].to_string()));
        commands
    };
    normalised(registered) == normalised(wanted)
}

/// A command, option or choice without the fields that Discord adds, and with those that it omits.
fn normalised(part: &Value) -> Value {
    let map = |key: &str| part[key].as_object().cloned().unwrap_or_default();
    let list = |key: &str| part[key].as_array().into_iter().flatten().map(normalised).collect::<Vec<_>>();
    let numbers = |key: &str| {
        let mut numbers: Vec<_> = part[key].as_array().into_iter().flatten().map(Value::as_u64).collect();
        numbers.sort_unstable();
        numbers
    };
    json!({
        "name": part["name"],
        "name_localizations": map("name_localizations"),
        "type": part["type"],
        "description": part["description"].as_str().unwrap_or_default(),
        "description_localizations": map("description_localizations"),
        "required": part["required"] == true,
        // As one number type: 0 and 0.0 are the same bound.
        "min_value": part["min_value"].as_f64(),
        "max_value": part["max_value"].as_f64(),
        "value": part["value"],
        "integration_types": numbers("integration_types"),
        "contexts": numbers("contexts"),
        "options": list("options"),
        "choices": list("choices"),
    })
}

/// A slash command; its localised name and description are the messages `name-…` and `command-…`.
fn slash(name: &str, options: Vec<Value>) -> Value {
    let names = localized(&format!("name-{name}"), &[]);
    let fields = json!({ "name_localizations": names, "options": options });
    described(name, SLASH, &format!("command-{name}"), fields)
}

/// A command or option with its description in all languages, and further fields.
fn described(name: &str, kind: u8, description_id: &str, fields: Value) -> Value {
    let mut part = json!({
        "name": name, "type": kind, "description": Language::English.message(description_id),
        "description_localizations": localized(description_id, &[]),
    });
    if let (Value::Object(part), Value::Object(fields)) = (&mut part, fields) {
        part.extend(fields);
    }
    part
}

fn choice(value: &str, id: &str, variables: &[(&str, Variable<'_>)]) -> Value {
    let name = Language::English.message_with(id, variables);
    json!({ "name": name, "value": value, "name_localizations": localized(id, variables) })
}

/// A message in all languages but English, by Discord's locale codes.
fn localized(id: &str, variables: &[(&str, Variable<'_>)]) -> Value {
    let mut messages = Map::new();
    for language in Language::ALL {
        for locale in locales(language) {
            messages.insert((*locale).to_owned(), language.message_with(id, variables).into());
        }
    }
    messages.into()
}

/// Discord's locale codes of a language.
fn locales(language: Language) -> &'static [&'static str] {
    match language {
        // The default, which Discord shows for every other locale.
        Language::English => &[],
        Language::Czech => &["cs"],
        Language::German => &["de"],
        Language::Spanish => &["es-ES", "es-419"],
        Language::French => &["fr"],
        Language::Japanese => &["ja"],
        Language::Portuguese => &["pt-BR"],
        Language::Ukrainian => &["uk"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_discord_adds_or_omits_are_no_change() {
        let wanted = all();
        let mut registered = wanted.clone();
        for command in registered.as_array_mut().unwrap() {
            command["id"] = "5".into();
            command["version"] = "6".into();
            command["nsfw"] = false.into();
            for option in command["options"].as_array_mut().into_iter().flatten() {
                option.as_object_mut().unwrap().retain(|key, value| key != "required" || value == true);
            }
        }
        registered[12]["description"] = "".into();
        registered[13]["contexts"] = json!([2, 0, 1]);
        registered.as_array_mut().unwrap().reverse();
        assert!(is_registered(&registered, &wanted));
        registered[5]["description_localizations"]["de"] = "etwas anderes".into();
        assert!(!is_registered(&registered, &wanted));
        assert!(!is_registered(&json!([]), &wanted));
        // As an earlier version registered them: for servers alone.
        assert!(!is_registered(&for_servers(&wanted), &wanted));
    }

    #[test]
    fn commands_meet_discords_length_limits_in_every_language() {
        let check_length = |text: &Value, max: usize| {
            let length = text.as_str().unwrap().chars().count();
            assert!((1..=max).contains(&length), "{text} has {length} characters");
        };
        for command in all().as_array().unwrap() {
            check_length(&command["name"], 32);
            let names = command["name_localizations"].as_object().unwrap().values();
            for name in names {
                check_length(name, 32);
                let text = name.as_str().unwrap();
                let is_allowed = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || "-_'ー".contains(c);
                assert!(command["type"] != SLASH || text.chars().all(is_allowed), "{text}");
            }
            let options = command["options"].as_array().into_iter().flatten();
            for described in options.chain([command]).filter(|one| one.get("description").is_some()) {
                check_length(&described["description"], 100);
                described["description_localizations"]
                    .as_object()
                    .unwrap()
                    .values()
                    .for_each(|one| check_length(one, 100));
            }
        }
        for language in Language::ALL.into_iter().filter(|language| *language != Language::English) {
            let locale = locales(language)[0];
            let commands = all();
            let named = |command: &Value| format!("{} {}", command["type"], command["name_localizations"][locale]);
            let mut names: Vec<String> = commands.as_array().unwrap().iter().map(named).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 14, "{language:?}: two commands of one type share a name");
        }
    }
}
