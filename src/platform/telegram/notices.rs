//! Private notices: about chats in which the bot may not write, to the asker and once a day to an admin; and to
//! people who connect it to their business account.

use std::time::Duration;

use teloxide::payloads::{GetChat, GetChatAdministrators};
use teloxide::types::ChatId;
use tracing::{debug, info};

use super::destination::Destination;
use super::identity::{chat_id, person_id};
use super::incoming::{MediaFlags, User};
use super::sender::Sender;
use super::updates::BusinessConnection;
use crate::bot::Problem;
use crate::bot::languages::Language;
use crate::bot::people::Asker;

/// How long a request for a chat's title or admins is retried.
const LOOKUP_LIMIT: Duration = Duration::from_secs(30);

impl Sender {
    /// Notifies those who can do something about it that the bot may not write to a chat.
    pub(super) async fn notify_cannot_write(&self, destination: Destination) {
        // In a private chat there is nobody else to notify.
        if destination.chat.0 > 0 {
            return;
        }
        let person = destination.asker.person.id;
        // Only users have a private chat; an asker that is itself a chat has none.
        if destination.is_requested && person > 0 {
            let language = self.bot.reply_style(&destination.asker).await.language;
            self.send_in_private(destination, person, &Problem::CannotWrite.message(language)).await;
        }
        if self.bot.claim_admin_notice(chat_id(destination.chat)).await {
            self.notify_admin(destination).await;
        }
    }

    /// Tells somebody who connected the bot to their business account, at most once a day, that it neither reads
    /// nor answers the messages of their customers.
    pub(super) async fn decline_business(&self, connection: &BusinessConnection) {
        let BusinessConnection { user, chat, .. } = connection;
        let asker = Asker {
            person: person_id(user.id),
            chat: chat_id(*chat),
            language: user.language.as_deref().and_then(Language::from_tag),
        };
        if !self.bot.claim_admin_notice(asker.chat).await {
            return;
        }
        let destination = Destination {
            chat: *chat,
            topic: None,
            reply_to: None,
            flags: MediaFlags::default(),
            asker,
            is_requested: false,
        };
        let language = self.bot.reply_style(&asker).await.language;
        self.post(destination, &language.message("business-declined").into()).await;
        info!("somebody connected the bot to a business account, whose chats it does not answer");
    }

    /// Notifies the first admin who has a chat with the bot.
    async fn notify_admin(&self, destination: Destination) {
        let title = self.api.call_within(&GetChat::new(destination.chat), LOOKUP_LIMIT).await;
        let title = title.ok().and_then(|chat| chat["title"].as_str().map(str::to_owned)).unwrap_or_default();
        let admins = match self.api.call_within(&GetChatAdministrators::new(destination.chat), LOOKUP_LIMIT).await {
            Ok(admins) => admins,
            Err(error) => return debug!(%error, "the admins of a chat could not be fetched"),
        };
        let admins = admins.as_array().into_iter().flatten().filter_map(|member| User::from_json(&member["user"]));
        for admin in admins.filter(|admin| !admin.is_bot) {
            let asker = Asker {
                person: person_id(admin.id),
                chat: chat_id(ChatId(admin.id)),
                language: admin.language.as_deref().and_then(Language::from_tag),
            };
            let language = self.bot.reply_style(&asker).await.language;
            let text = language.message_with("admin-cannot-write", &[("chat", (&title).into())]);
            if self.send_in_private(destination, admin.id, &text).await {
                return info!("an admin was notified that the bot may not write in their chat");
            }
        }
    }

    /// Sends a private message; `false` when that failed.
    async fn send_in_private(&self, destination: Destination, person: i64, text: &str) -> bool {
        let sent = self.send(destination.in_private(person), &text.to_owned().into()).await;
        sent.inspect_err(|error| debug!(%error, "a private notice could not be sent")).is_ok()
    }
}
