//! Where the bot may not write: the asker is told in private, and an admin once a day.

use std::time::Duration;

use teloxide::payloads::{GetChat, GetChatAdministrators};
use tracing::{debug, info};

use super::delivery::{Outbox, Place};
use super::incoming::User;
use super::request;
use crate::bot::Problem;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, PersonId, Platform};

/// How long Telegram is asked who the admins are.
const PATIENCE: Duration = Duration::from_secs(30);

impl Outbox {
    /// Tells those who can do something about it that the bot may not write at a place.
    pub(super) async fn cannot_write(&self, place: Place) {
        let person = place.asker.person.id;
        // In a private chat there is nobody else to tell, and a chat that asks has no private one.
        if place.chat.0 > 0 {
            return;
        }
        if place.asked && person > 0 {
            let language = self.bot.reply_style(&place.asker).await.language;
            self.tell(place, person, &Problem::CannotWrite.message(language)).await;
        }
        if self.bot.claim_admin_notice(request::chat(place.chat)).await {
            self.tell_an_admin(place).await;
        }
    }

    /// Tells the first admin who has a chat with the bot.
    async fn tell_an_admin(&self, place: Place) {
        let title = self.api.call_within(&GetChat::new(place.chat), PATIENCE).await;
        let title = title.ok().and_then(|chat| chat["title"].as_str().map(str::to_owned)).unwrap_or_default();
        let admins = match self.api.call_within(&GetChatAdministrators::new(place.chat), PATIENCE).await {
            Ok(admins) => admins,
            Err(error) => return debug!(%error, "Telegram did not say who is an admin"),
        };
        let admins = admins.as_array().into_iter().flatten().filter_map(|member| User::of(&member["user"]));
        for admin in admins.filter(|admin| !admin.is_bot) {
            let asker = Asker {
                person: PersonId { platform: Platform::Telegram, id: admin.id },
                chat: request::chat(teloxide::types::ChatId(admin.id)),
                language: admin.language.as_deref().and_then(Language::of),
            };
            let language = self.bot.reply_style(&asker).await.language;
            let text = language.say_with("admin-cannot-write", &[("chat", (&title).into())]);
            if self.tell(place, admin.id, &text).await {
                return info!("an admin of a chat was told that the bot may not write there");
            }
        }
    }

    /// Writes to somebody in private; whether that was possible.
    async fn tell(&self, place: Place, person: i64, text: &str) -> bool {
        let told = self.send(place.private(person), &text.to_owned().into()).await;
        told.inspect_err(|error| debug!(%error, "somebody could not be told in private")).is_ok()
    }
}
