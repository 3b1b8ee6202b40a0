//! Settings in the SQLite file.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use crate::bot::languages::Language;
use crate::bot::people::{ChatId, PersonId};
use crate::bot::settings::{ChatSettings, GenderPolicy, PersonSettings, SettingsStore, SmilePolicy};
use crate::bot::store::StoreError;

impl SettingsStore for Sqlite {
    fn chat(&self, chat: ChatId) -> Result<ChatSettings, StoreError> {
        self.read(|db| read_chat(db, chat))
    }

    fn change_chat(&self, chat: ChatId, change: &mut dyn FnMut(&mut ChatSettings)) -> Result<ChatSettings, StoreError> {
        self.write(|db| {
            let mut settings = read_chat(db, chat)?;
            change(&mut settings);
            let ChatSettings { auto, language, gender, smile, private } = settings;
            let language = language.map(Language::code);
            let statement = "INSERT OR REPLACE INTO chat VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (platform, gender, smile) = (chat.platform.name(), gender.name(), smile.name());
            db.execute(statement, params![platform, chat.id, auto, language, gender, private, smile])?;
            Ok(settings)
        })
    }

    fn person(&self, person: PersonId) -> Result<PersonSettings, StoreError> {
        self.read(|db| read_person(db, person))
    }

    fn change_person(
        &self,
        person: PersonId,
        change: &mut dyn FnMut(&mut PersonSettings),
    ) -> Result<PersonSettings, StoreError> {
        self.write(|db| {
            let mut settings = read_person(db, person)?;
            change(&mut settings);
            let PersonSettings { opted_out, language, gender } = settings;
            let language = language.map(Language::code);
            let statement = "INSERT OR REPLACE INTO person VALUES (?1, ?2, ?3, ?4, ?5)";
            db.execute(statement, params![person.platform.name(), person.id, opted_out, language, gender.name()])?;
            Ok(settings)
        })
    }
}

fn chat_settings(row: &Row<'_>) -> rusqlite::Result<ChatSettings> {
    Ok(ChatSettings {
        auto: row.get("auto")?,
        language: language(row, "language")?,
        gender: gender(row)?,
        smile: SmilePolicy::from_name(&row.get::<_, String>("smile")?).unwrap_or(SmilePolicy::Never),
        private: row.get("private")?,
    })
}

fn read_chat(db: &Connection, chat: ChatId) -> rusqlite::Result<ChatSettings> {
    let query = "SELECT * FROM chat WHERE platform = ?1 AND id = ?2";
    let found = db.query_row(query, params![chat.platform.name(), chat.id], chat_settings).optional()?;
    Ok(found.unwrap_or_default())
}

fn person_settings(row: &Row<'_>) -> rusqlite::Result<PersonSettings> {
    Ok(PersonSettings { opted_out: row.get("opted_out")?, language: language(row, "language")?, gender: gender(row)? })
}

fn read_person(db: &Connection, person: PersonId) -> rusqlite::Result<PersonSettings> {
    let query = "SELECT * FROM person WHERE platform = ?1 AND id = ?2";
    let found = db.query_row(query, params![person.platform.name(), person.id], person_settings).optional()?;
    Ok(found.unwrap_or_default())
}

fn language(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Language>> {
    Ok(row.get::<_, Option<String>>(column)?.as_deref().and_then(Language::from_tag))
}

/// An unknown name, from a later version, counts as the most reserved policy.
fn gender(row: &Row<'_>) -> rusqlite::Result<GenderPolicy> {
    Ok(GenderPolicy::from_name(&row.get::<_, String>("gender")?).unwrap_or(GenderPolicy::Never))
}
