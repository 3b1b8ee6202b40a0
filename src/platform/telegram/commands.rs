//! Answers commands that are not about photos.

use teloxide::payloads::GetMe;
use teloxide::types::ChatId;

use super::destination::Destination;
use super::handler::{Handler, LOOKUP_LIMIT};
use super::identity;
use super::incoming::{ChatKind, Message};
use crate::bot::commands::{AskerRole, Command};

impl Handler {
    pub(super) async fn handle_command(&self, command: Command, message: &Message) {
        let asker = identity::asker(message);
        let is_group = message.chat_kind == ChatKind::Group;
        let needs_role = command.needs_admin() || command == Command::Forget;
        let admin = identity::is_sent_by_admin(message)
            || match &message.from {
                Some(user) if needs_role => self.is_admin(message.chat, user.id).await,
                _ => false,
            };
        let name = message.from.as_ref().map(|user| user.name.clone()).unwrap_or_default();
        let role = AskerRole { name, admin, direct: message.chat_kind == ChatKind::Private };
        let switches_auto_on = command == Command::Auto(Some(true)) && admin && is_group;
        let mut answer = self.bot.command(command, &asker, &role).await;
        if switches_auto_on && !self.receives_all_photos(message.chat).await {
            let language = self.bot.reply_style(&asker).await.language;
            answer.text = format!("{}\n\n{}", answer.text, language.message("privacy-mode"));
        }
        self.sender.post(Destination::reply_to(message), &answer).await;
    }

    /// Whether the bot also receives a group's photos that are not addressed to it.
    async fn receives_all_photos(&self, chat: ChatId) -> bool {
        // Fetched again: the operator may have turned privacy mode off since the start.
        let me = self.api().call_within(&GetMe::new(), LOOKUP_LIMIT).await;
        let can_read_all = me.ok().and_then(|me| me["can_read_all_group_messages"].as_bool());
        can_read_all.unwrap_or(self.me.can_read_all) || self.is_admin(chat, self.me.id).await
    }
}
