//! The bot's languages, from the Fluent files in `locales/`: choosing one, and formatting messages.
//!
//! [`wording`](super::wording) and [`problems`](super::problems) choose the messages.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use tracing::error;

/// A supported language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English, `en`: the default, and the fallback for a missing message.
    #[default]
    English,
    /// Czech, `cs`.
    Czech,
    /// German, `de`.
    German,
    /// Spanish, `es`.
    Spanish,
    /// French, `fr`.
    French,
    /// Japanese, `ja`.
    Japanese,
    /// Portuguese, `pt`.
    Portuguese,
    /// Ukrainian, `uk`.
    Ukrainian,
}

impl Language {
    /// All of them, English first.
    pub const ALL: [Self; 8] = [
        Self::English,
        Self::Czech,
        Self::German,
        Self::Spanish,
        Self::French,
        Self::Japanese,
        Self::Portuguese,
        Self::Ukrainian,
    ];

    /// Its ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Czech => "cs",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Japanese => "ja",
            Self::Portuguese => "pt",
            Self::Ukrainian => "uk",
        }
    }

    /// Its name in the language itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Czech => "čeština",
            Self::German => "Deutsch",
            Self::Spanish => "español",
            Self::French => "français",
            Self::Japanese => "日本語",
            Self::Portuguese => "português",
            Self::Ukrainian => "українська",
        }
    }

    /// Parses a tag such as `pt-BR`, as clients send it, or a name as people write it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let tag = tag.trim().to_lowercase();
        let first = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code() == first || language.name().to_lowercase() == tag)
    }

    /// The first supported language of an `Accept-Language` header. Browsers list languages in order of
    /// preference; RFC 9110, 12.5.4, allows other orders, but none occurs.
    pub fn from_accept_language(header: &str) -> Option<Self> {
        header.split(',').filter_map(|part| part.split(';').next()).find_map(Self::from_tag)
    }

    /// Formats the message `id`, which has no variables.
    pub fn message(self, id: &str) -> String {
        self.message_with(id, &[])
    }

    /// Formats the message `id` with `variables`, pairs of name and value.
    ///
    /// A test checks that every language has every message. If one is missing nevertheless, this falls
    /// back to English and then to `id` itself.
    pub fn message_with(self, id: &str, variables: &[(&str, Value<'_>)]) -> String {
        let mut arguments = FluentArgs::with_capacity(variables.len());
        for (name, value) in variables {
            let value = match value {
                Value::Text(text) => FluentValue::from(*text),
                Value::Number(number) => FluentValue::from(*number),
            };
            arguments.set(*name, value);
        }
        [self, Self::English].into_iter().find_map(|language| format(language.bundle(), id, &arguments)).unwrap_or_else(
            || {
                error!(id, "a message is missing");
                id.to_owned()
            },
        )
    }

    /// The message `id` for a page's script, which fills it in: variables stay as `{$name}`, which is what Fluent
    /// writes for those that it is not given.
    pub fn unfilled(self, id: &str) -> String {
        let text = |bundle: &FluentBundle<FluentResource>| {
            let pattern = bundle.get_message(id)?.value()?;
            Some(bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned())
        };
        [self, Self::English].into_iter().find_map(|language| text(language.bundle())).unwrap_or_default()
    }

    /// The ids of all messages that begin with `prefix`.
    pub fn ids(prefix: &str) -> impl Iterator<Item = &'static str> {
        let lines = Self::English.sources().into_iter().flat_map(str::lines);
        lines.filter_map(|line| Some(line.split_once(" =")?.0)).filter(move |id| id.starts_with(prefix))
    }

    /// The contents of its files in `locales/`: the bot's messages, those of the page, and of the page's explanation.
    pub fn sources(self) -> [&'static str; 3] {
        macro_rules! files {
            ($code:literal) => {
                [
                    include_str!(concat!("../../locales/", $code, ".ftl")),
                    include_str!(concat!("../../locales/page/", $code, ".ftl")),
                    include_str!(concat!("../../locales/learn/", $code, ".ftl")),
                ]
            };
        }
        match self {
            Self::English => files!("en"),
            Self::Czech => files!("cs"),
            Self::German => files!("de"),
            Self::Spanish => files!("es"),
            Self::French => files!("fr"),
            Self::Japanese => files!("ja"),
            Self::Portuguese => files!("pt"),
            Self::Ukrainian => files!("uk"),
        }
    }

    fn bundle(self) -> &'static FluentBundle<FluentResource> {
        static BUNDLES: OnceLock<[FluentBundle<FluentResource>; Language::ALL.len()]> = OnceLock::new();
        &BUNDLES.get_or_init(|| Self::ALL.map(load_bundle))[self as usize]
    }
}

/// A variable's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Inserted as it is, or selects the variant of that name where a message has several.
    Text(&'a str),
    /// Selects the plural form where a message has several.
    Number(i64),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Rounded, as messages state ages in whole years.
impl From<f32> for Value<'_> {
    fn from(number: f32) -> Self {
        Self::Number(number.round() as i64)
    }
}

fn load_bundle(language: Language) -> FluentBundle<FluentResource> {
    let identifier = language.code().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
    // Isolation marks around variables are for mixed writing directions, which no language here has.
    bundle.set_use_isolating(false);
    for source in language.sources() {
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, errors)| {
            error!(language = language.code(), errors = errors.len(), "a message file has syntax errors");
            partial
        });
        if bundle.add_resource(resource).is_err() {
            error!(language = language.code(), "a message is defined twice");
        }
    }
    bundle
}

fn format(bundle: &FluentBundle<FluentResource>, id: &str, arguments: &FluentArgs<'_>) -> Option<String> {
    let pattern = bundle.get_message(id)?.value()?;
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(arguments), &mut errors);
    if !errors.is_empty() {
        error!(id, ?errors, "a message could not be formatted");
    }
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Message → the variables it uses, parsed from the source text.
    fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut current = String::new();
        for line in language.sources().into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#')) {
            if let Some((id, _)) = line.split_once(" =").filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase()))
            {
                current = id.to_owned();
                messages.entry(current.clone()).or_default();
            }
            for part in line.split('$').skip(1) {
                let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                messages.get_mut(&current).unwrap().insert(name);
            }
        }
        messages
    }

    #[test]
    fn no_language_lacks_a_message_or_a_variable() {
        let english = messages(Language::English);
        assert!(english.len() > 100);
        for language in Language::ALL {
            for source in language.sources() {
                FluentResource::try_new(source.to_owned())
                    .map_err(|(_, errors)| errors)
                    .unwrap_or_else(|errors| panic!("{language:?}: {errors:?}"));
            }
            let translated = messages(language);
            for (id, variables) in &english {
                assert_eq!(translated.get(id), Some(variables), "{language:?}: {id}");
            }
            assert_eq!(translated.len(), english.len(), "{language:?} has messages that English lacks");
        }
    }

    #[test]
    fn every_message_is_used() {
        let english = messages(Language::English);
        let sources = walkdir::WalkDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        let text: String = sources
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| ["rs", "html", "js"].iter().any(|kind| entry.path().extension() == Some(kind.as_ref())))
            .map(|entry| std::fs::read_to_string(entry.path()).unwrap())
            .collect();
        for id in english.keys() {
            // Commands and flaws have messages of their own names.
            let name = ["name-", "command-", "tip-", "help-"].iter().find_map(|prefix| id.strip_prefix(prefix));
            let name = name.unwrap_or(id);
            let is_used = |id: &str| text.contains(&format!("\"{id}\"")) || text.contains(&format!("{{{{{id}}}}}"));
            assert!(is_used(id) || is_used(name), "{id} is never used");
        }
    }

    #[test]
    fn a_client_gets_its_language_and_others_get_english() {
        for (tag, language) in [
            ("pt-BR", Some(Language::Portuguese)),
            ("uk", Some(Language::Ukrainian)),
            ("EN_gb", Some(Language::English)),
            ("Čeština", Some(Language::Czech)),
            ("ja", Some(Language::Japanese)),
            ("nl", None),
            ("", None),
        ] {
            assert_eq!(Language::from_tag(tag), language, "{tag}");
        }
        assert_eq!(Language::from_accept_language("nl,fr-CH;q=0.9,en;q=0.8"), Some(Language::French));
        assert_eq!(Language::from_accept_language("nl"), None);
        let text = Language::German.message_with("problem-too-often", &[("seconds", Value::Number(1))]);
        assert!(!text.contains("problem") && !text.contains('{'), "{text}");
    }
}
