//! Settings in the bucket.

use serde::{Deserialize, Serialize};

use super::ClusterStore;
use crate::bot::languages::Language;
use crate::bot::people::{ChatId, PersonId};
use crate::bot::settings::{ChatSettings, GenderPolicy, PersonSettings, SettingsStore, SmilePolicy};
use crate::bot::store::StoreError;

/// [`ChatSettings`] as they are stored. An unknown or missing name, from another version, counts as the most
/// reserved policy; without the defaults, one missing value would make all of them count as missing.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredChat {
    auto: bool,
    language: Option<String>,
    gender: String,
    smile: String,
    private: bool,
}

/// [`PersonSettings`] as they are stored, read as [`StoredChat`] is.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredPerson {
    opted_out: bool,
    language: Option<String>,
    gender: String,
}

impl StoredChat {
    fn new(settings: ChatSettings) -> Self {
        let ChatSettings { auto, language, gender, smile, private } = settings;
        let (gender, smile) = (gender.name().to_owned(), smile.name().to_owned());
        Self { auto, language: code(language), gender, smile, private }
    }

    fn settings(self) -> ChatSettings {
        ChatSettings {
            auto: self.auto,
            language: self.language.as_deref().and_then(Language::from_tag),
            gender: policy(&self.gender),
            smile: SmilePolicy::from_name(&self.smile).unwrap_or(SmilePolicy::Never),
            private: self.private,
        }
    }
}

impl StoredPerson {
    fn new(settings: PersonSettings) -> Self {
        let PersonSettings { opted_out, language, gender } = settings;
        Self { opted_out, language: code(language), gender: gender.name().to_owned() }
    }

    fn settings(self) -> PersonSettings {
        let language = self.language.as_deref().and_then(Language::from_tag);
        PersonSettings { opted_out: self.opted_out, language, gender: policy(&self.gender) }
    }
}

fn code(language: Option<Language>) -> Option<String> {
    language.map(|language| language.code().to_owned())
}

fn policy(name: &str) -> GenderPolicy {
    GenderPolicy::from_name(name).unwrap_or(GenderPolicy::Never)
}

pub(super) fn chat_key(chat: ChatId) -> String {
    format!("chat.{}.{}", chat.platform.name(), chat.id)
}

pub(super) fn person_key(person: PersonId) -> String {
    format!("person.{}.{}", person.platform.name(), person.id)
}

impl SettingsStore for ClusterStore {
    fn chat(&self, chat: ChatId) -> Result<ChatSettings, StoreError> {
        let stored = self.wait(self.state.get::<StoredChat>(&chat_key(chat)))?;
        Ok(stored.map(StoredChat::settings).unwrap_or_default())
    }

    fn change_chat(&self, chat: ChatId, change: &mut dyn FnMut(&mut ChatSettings)) -> Result<ChatSettings, StoreError> {
        self.wait(self.state.change(&chat_key(chat), |stored: Option<StoredChat>| {
            let mut settings = stored.map(StoredChat::settings).unwrap_or_default();
            change(&mut settings);
            (Some(StoredChat::new(settings)), settings)
        }))
    }

    fn person(&self, person: PersonId) -> Result<PersonSettings, StoreError> {
        let stored = self.wait(self.state.get::<StoredPerson>(&person_key(person)))?;
        Ok(stored.map(StoredPerson::settings).unwrap_or_default())
    }

    fn change_person(
        &self,
        person: PersonId,
        change: &mut dyn FnMut(&mut PersonSettings),
    ) -> Result<PersonSettings, StoreError> {
        self.wait(self.state.change(&person_key(person), |stored: Option<StoredPerson>| {
            let mut settings = stored.map(StoredPerson::settings).unwrap_or_default();
            change(&mut settings);
            (Some(StoredPerson::new(settings)), settings)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_other_versions_keep_what_is_known() {
        let person: StoredPerson = serde_json::from_str(r#"{"opted_out":true,"colour":"blue"}"#).unwrap();
        let known = PersonSettings { opted_out: true, language: None, gender: GenderPolicy::Never };
        assert_eq!(person.settings(), known);
        let chat: StoredChat = serde_json::from_str(r#"{"auto":true,"gender":"sure","smile":"broadly"}"#).unwrap();
        let (gender, smile) = (GenderPolicy::Sure, SmilePolicy::Never);
        assert_eq!(chat.settings(), ChatSettings { auto: true, language: None, gender, smile, private: false });
    }
}
