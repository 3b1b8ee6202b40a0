//! The commands that Discord offers people for this bot, in all languages.

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
/// Offered in the menu of every message.
pub(super) const GUESS_AGE: &str = "Guess age";

/// Options of commands, and what they may be.
const PHOTO: &str = "photo";
pub(super) const AGE: &str = "age";
pub(super) const STATE: &str = "state";
pub(super) const ON: &str = "on";
pub(super) const OFF: &str = "off";
pub(super) const TELLING: &str = "telling";
/// The oldest age that was ever shown to be true is 122.
const OLDEST: u8 = 122;

/// Discord's numbers for kinds of commands and options.
const SLASH: u8 = 1;
const MESSAGE: u8 = 3;
const STRING: u8 = 3;
const INTEGER: u8 = 4;
const ATTACHMENT: u8 = 11;

/// All commands, as they are registered. Written out, because serenity's own builder adds fields
/// that Discord's description of this request does not know.
pub(super) fn all() -> Value {
    let photo = || option(PHOTO, ATTACHMENT, "command-guess-photo", true);
    let age = merged(option(AGE, INTEGER, "command-game-age", false), json!({ "min_value": 0, "max_value": OLDEST }));
    let state = {
        let on_off = [(ON, "yes"), (OFF, "no")];
        let choices = on_off.map(|(value, on)| choice(value, "settings-auto", &[("on", on.into())]));
        merged(option(STATE, STRING, "command-auto", false), json!({ "choices": choices }))
    };
    let language = {
        let choices = Language::ALL.map(|one| json!({ "name": one.name(), "value": one.code() }));
        merged(option(LANGUAGE, STRING, "command-language", true), json!({ "choices": choices }))
    };
    let telling = {
        let choices =
            GenderPolicy::ALL.map(|one| choice(one.name(), "settings-gender", &[("gender", one.name().into())]));
        merged(option(TELLING, STRING, "command-gender", true), json!({ "choices": choices }))
    };
    json!([
        slash(GUESS, "name-guess", "command-guess", vec![photo()]),
        slash(GAME, "name-game", "command-game", vec![photo(), age]),
        slash(SCORES, "name-scores", "command-scores", vec![]),
        slash(AUTO, "name-auto", "command-auto", vec![state]),
        slash(SETTINGS, "name-settings", "command-settings", vec![]),
        slash(LANGUAGE, "name-language", "command-language", vec![language]),
        slash(GENDER, "name-gender", "command-gender", vec![telling]),
        slash(OPT_OUT, "name-optout", "command-optout", vec![]),
        slash(OPT_IN, "name-optin", "command-optin", vec![]),
        slash(FORGET, "name-forget", "command-forget", vec![]),
        slash(PRIVACY, "name-privacy", "command-privacy", vec![]),
        slash(HELP, "name-help", "command-help", vec![]),
        { "name": GUESS_AGE, "type": MESSAGE, "name_localizations": localized("name-guess-age", &[]) },
    ])
}

/// Whether Discord knows these very commands already, whatever it adds to them and in whatever
/// order it tells them.
pub(super) fn same(registered: &Value, wanted: &Value) -> bool {
    let normal = |commands: &Value| {
        let mut commands: Vec<Value> = commands.as_array().into_iter().flatten().map(normal).collect();
        commands.sort_by_key(|command| (command["type"].as_u64(), command["name"].to_string()));
        commands
    };
    normal(registered) == normal(wanted)
}

/// A command, option or choice without what Discord adds, and with what it leaves out.
fn normal(part: &Value) -> Value {
    const PLAIN: [&str; 6] = ["name", "type", "description", "value", "min_value", "max_value"];
    const MAPS: [&str; 2] = ["name_localizations", "description_localizations"];
    let mut normal = Map::new();
    for key in PLAIN {
        let default = if key == "description" { json!("") } else { Value::Null };
        let number = part[key].as_f64().filter(|_| key.ends_with("_value"));
        let told = Some(part[key].clone()).filter(|value| !value.is_null());
        normal.insert(key.into(), number.map(Value::from).or(told).unwrap_or(default));
    }
    for key in MAPS {
        normal.insert(key.into(), Some(part[key].clone()).filter(Value::is_object).unwrap_or_else(|| json!({})));
    }
    normal.insert("required".into(), (part["required"] == true).into());
    for key in ["options", "choices"] {
        let parts: Vec<Value> = part[key].as_array().into_iter().flatten().map(self::normal).collect();
        normal.insert(key.into(), parts.into());
    }
    normal.into()
}

fn slash(name: &str, name_id: &str, description_id: &str, options: Vec<Value>) -> Value {
    let mut command = described(name, SLASH, description_id);
    command["name_localizations"] = localized(name_id, &[]);
    command["options"] = options.into();
    command
}

fn option(name: &str, kind: u8, description_id: &str, required: bool) -> Value {
    merged(described(name, kind, description_id), json!({ "required": required }))
}

fn described(name: &str, kind: u8, description_id: &str) -> Value {
    json!({
        "name": name, "type": kind, "description": Language::English.say(description_id),
        "description_localizations": localized(description_id, &[]),
    })
}

fn choice(value: &str, id: &str, variables: &[(&str, Variable<'_>)]) -> Value {
    let name = Language::English.say_with(id, variables);
    json!({ "name": name, "value": value, "name_localizations": localized(id, variables) })
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// A message in all languages but English, by Discord's names of them.
fn localized(id: &str, variables: &[(&str, Variable<'_>)]) -> Value {
    let locales =
        Language::ALL.into_iter().flat_map(|language| locales(language).iter().map(move |one| (one, language)));
    locales
        .map(|(locale, language)| ((*locale).to_owned(), language.say_with(id, variables).into()))
        .collect::<Map<_, _>>()
        .into()
}

/// Discord's names of a language.
fn locales(language: Language) -> &'static [&'static str] {
    match language {
        // What Discord shows where there is nothing better.
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
    fn what_discord_adds_or_leaves_out_is_no_change() {
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
        registered.as_array_mut().unwrap().reverse();
        assert!(same(&registered, &wanted));
        registered[5]["description_localizations"]["de"] = "etwas anderes".into();
        assert!(!same(&registered, &wanted));
        assert!(!same(&json!([]), &wanted));
    }

    #[test]
    fn commands_keep_to_discords_lengths_in_every_language() {
        let longest = |text: &Value, most: usize| {
            let length = text.as_str().unwrap().chars().count();
            assert!((1..=most).contains(&length), "{text} has {length} characters");
        };
        for command in all().as_array().unwrap() {
            longest(&command["name"], 32);
            let names = command["name_localizations"].as_object().unwrap().values();
            for name in names {
                longest(name, 32);
                let text = name.as_str().unwrap();
                let fits = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || "-_'ー".contains(c);
                assert!(command["type"] == MESSAGE || text.chars().all(fits), "{text}");
            }
            let options = command["options"].as_array().into_iter().flatten();
            for described in options.chain([command]).filter(|one| one.get("description").is_some()) {
                longest(&described["description"], 100);
                described["description_localizations"].as_object().unwrap().values().for_each(|one| longest(one, 100));
            }
        }
        for language in Language::ALL.into_iter().filter(|language| *language != Language::English) {
            let locale = locales(language)[0];
            let commands = all();
            let mut names: Vec<&Value> =
                commands.as_array().unwrap().iter().map(|command| &command["name_localizations"][locale]).collect();
            names.sort_by_key(|name| name.to_string());
            names.dedup();
            assert_eq!(names.len(), 13, "{language:?}: two commands share a name");
        }
    }
}
