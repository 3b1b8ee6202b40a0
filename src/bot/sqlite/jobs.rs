//! Jobs in the SQLite file.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::Sqlite;
use crate::bot::jobs::{Claim, Job, Jobs, Receipt, UpdateId, unix_now};
use crate::bot::people::{ChatId, PersonId, Platform};
use crate::bot::store::StoreError;

/// How long an update's id is stored, in seconds: Telegram delivers none that is older than a day.
const UPDATE_LIFETIME: i64 = 25 * 3600;
/// Old ids are deleted whenever an update's id is a multiple of this.
const SWEEP_EVERY: i64 = 256;
/// The shortest time between two notices to a chat's admin, in seconds.
const NOTICE_INTERVAL: i64 = 24 * 3600;

impl Jobs for Sqlite {
    fn receive(&self, update: Option<UpdateId>, job: Option<&Job>) -> Result<Receipt, StoreError> {
        self.write(|db| {
            if let Some(UpdateId { bot, update }) = update {
                let insert = "INSERT OR IGNORE INTO received_update VALUES (?1, ?2, ?3)";
                if db.execute(insert, params![bot, update, unix_now()])? == 0 {
                    return Ok(Receipt::Duplicate);
                }
                if update % SWEEP_EVERY == 0 {
                    db.execute("DELETE FROM received_update WHERE received < ?1", [unix_now() - UPDATE_LIFETIME])?;
                }
            }
            let Some(Job { chat, message, person, received, tries, album: _, reference }) = job else {
                return Ok(Receipt::Stored);
            };
            let values = params![chat.platform.name(), chat.id, message, person.id, received, tries, reference];
            let inserted = db.execute("INSERT OR IGNORE INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", values)?;
            Ok(if inserted > 0 { Receipt::Stored } else { Receipt::Duplicate })
        })
    }

    /// Always granted: one process uses this store.
    fn claim_reply(&self, _: ChatId, _: i64) -> Result<Claim, StoreError> {
        Ok(Claim::Granted)
    }

    fn finish(&self, chat: ChatId, message: i64) -> Result<(), StoreError> {
        let key = params![chat.platform.name(), chat.id, message];
        self.write(|db| db.execute("DELETE FROM job WHERE platform = ?1 AND chat = ?2 AND message = ?3", key).map(drop))
    }

    fn resume(&self, platform: Platform) -> Result<Vec<Job>, StoreError> {
        self.write(|db| {
            db.execute("UPDATE job SET tries = tries + 1 WHERE platform = ?1", [platform.name()])?;
            let mut jobs = db.prepare(
                "SELECT chat, message, person, received, tries, reference FROM job WHERE platform = ?1
                    ORDER BY received, message",
            )?;
            let job = |row: &Row<'_>| {
                Ok(Job {
                    chat: ChatId { platform, id: row.get(0)? },
                    message: row.get(1)?,
                    person: PersonId { platform, id: row.get(2)? },
                    received: row.get(3)?,
                    tries: row.get(4)?,
                    album: None,
                    reference: row.get(5)?,
                })
            };
            jobs.query_map([platform.name()], job)?.collect()
        })
    }

    fn claim_admin_notice(&self, chat: ChatId) -> Result<bool, StoreError> {
        let now = unix_now();
        let values = params![chat.platform.name(), chat.id, now, now - NOTICE_INTERVAL];
        self.write(|db| {
            let claimed = db.execute(
                "INSERT INTO admin_notice VALUES (?1, ?2, ?3)
                    ON CONFLICT DO UPDATE SET told = excluded.told WHERE told <= ?4",
                values,
            )?;
            Ok(claimed > 0)
        })
    }

    /// Always zero: one process uses this store, and limits its sessions itself.
    fn claim_session_start(&self, _: Platform, _: Duration) -> Result<Duration, StoreError> {
        Ok(Duration::ZERO)
    }

    fn save_connection(&self, platform: Platform, number: u32, state: Option<&str>) -> Result<(), StoreError> {
        self.write(|db| match state {
            Some(state) => db
                .execute(
                    "INSERT INTO connection VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = excluded.state",
                    params![platform.name(), number, state],
                )
                .map(drop),
            None => db
                .execute("DELETE FROM connection WHERE platform = ?1 AND number = ?2", params![platform.name(), number])
                .map(drop),
        })
    }

    fn load_connection(&self, platform: Platform, number: u32) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            let select = "SELECT state FROM connection WHERE platform = ?1 AND number = ?2";
            db.query_row(select, params![platform.name(), number], |row| row.get(0)).optional()
        })
    }
}
