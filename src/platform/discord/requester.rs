//! Who sends a request on Discord, from which channel, and which settings apply there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serenity::all::{ChannelId, Permissions, UserId};

use super::commands;
use super::handler::Handler;
use super::incoming::{IncomingMessage, snowflake};
use crate::bot::commands::AskerRole;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};
use crate::bot::settings::ChatSettings;
use crate::bot::{Problem, ReplyStyle};

/// Discord's channel types of threads: announcement, public, private.
const THREADS: [u64; 3] = [10, 11, 12];

/// The user of an interaction, as far as the answer needs it; never their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Requester {
    pub user: UserId,
    pub channel: ChannelId,
    /// The channel of the thread, if `channel` is one.
    pub parent: Option<ChannelId>,
    /// Whether it is a chat with the bot alone.
    pub direct: bool,
    /// Whether the bot is not a member there, because only the user installed it: then it can send responses to the
    /// interaction, and nothing else.
    #[serde(default)]
    pub external: bool,
    /// The client's language, where the bot speaks it.
    #[serde(with = "language")]
    pub language: Option<Language>,
}

impl Requester {
    /// The user of an interaction and their role; `None` when an id is missing.
    pub(super) fn from_interaction(json: &Value) -> Option<(Self, AskerRole)> {
        let member = &json["member"];
        let user = if member["user"].is_object() { &member["user"] } else { &json["user"] };
        let channel = &json["channel"];
        let channel_id = snowflake(&json["channel_id"]).or_else(|| snowflake(&channel["id"]))?;
        let parent = snowflake(&channel["parent_id"]).map(ChannelId::new);
        let private_channel = json["context"] == commands::PRIVATE_CHANNEL;
        let direct = json["guild_id"].is_null() && !private_channel;
        let installed = |how: &str| json["authorizing_integration_owners"].get(how).is_some();
        let for_user_only = installed(commands::USER_INSTALL) && !installed(commands::GUILD_INSTALL);
        let requester = Self {
            user: UserId::new(snowflake(&user["id"])?),
            channel: ChannelId::new(channel_id),
            parent: thread_parent(channel["type"].as_u64().unwrap_or(0), parent),
            direct,
            external: private_channel || !direct && for_user_only,
            language: json["locale"].as_str().and_then(Language::from_tag),
        };
        let permissions = member["permissions"].as_str().and_then(|bits| bits.parse().ok()).unwrap_or(0);
        let permissions = Permissions::from_bits_truncate(permissions);
        let admin = requester.direct || permissions.intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR);
        let name = [&member["nick"], &user["global_name"], &user["username"]].into_iter().find_map(Value::as_str);
        let name = escape_markdown(name.unwrap_or_default());
        Some((requester, AskerRole { name, admin, direct: requester.direct }))
    }

    pub(super) fn asker(&self) -> Asker {
        Asker { language: self.language, ..asker(self.user, self.channel) }
    }
}

/// The author of a message, which does not contain their client's language.
pub(super) fn author(message: &IncomingMessage) -> Asker {
    asker(message.author, message.channel)
}

fn asker(user: UserId, channel: ChannelId) -> Asker {
    Asker { person: person_id(user), chat: chat_id(channel), language: None }
}

pub(super) fn person_id(user: UserId) -> PersonId {
    PersonId { platform: Platform::Discord, id: user.get().cast_signed() }
}

pub(super) fn chat_id(channel: ChannelId) -> ChatId {
    ChatId { platform: Platform::Discord, id: channel.get().cast_signed() }
}

/// The channel that a thread or forum post belongs to; the parent of any other channel is a category.
fn thread_parent(channel_type: u64, parent: Option<ChannelId>) -> Option<ChannelId> {
    parent.filter(|_| THREADS.contains(&channel_type))
}

/// Serialises a language as its tag.
mod language {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::bot::languages::Language;

    pub(super) fn serialize<S: Serializer>(language: &Option<Language>, to: S) -> Result<S::Ok, S::Error> {
        language.map(Language::code).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Language>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.and_then(|tag| Language::from_tag(&tag)))
    }
}

/// Escapes a name so that Discord displays it without Markdown or links.
fn escape_markdown(name: &str) -> String {
    let is_special = |c: char| "\\*_~|`[]<>#".contains(c);
    name.chars().flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c])).collect()
}

impl Handler {
    /// The settings of a channel, or its parent's where it has only defaults, and the chat that they
    /// belong to. Automatic replies in a channel extend to its threads.
    pub(super) async fn settings(&self, channel: ChannelId, parent: Option<ChannelId>) -> (ChatId, ChatSettings) {
        let chat = chat_id(channel);
        let own = self.bot.chat_settings(chat).await;
        let Some(parent) = parent.map(chat_id) else { return (chat, own) };
        let inherited = self.bot.chat_settings(parent).await;
        let auto = own.auto || inherited.auto;
        let (chat, settings) = if own == ChatSettings::default() { (parent, inherited) } else { (chat, own) };
        (chat, ChatSettings { auto, ..settings })
    }

    /// The reply style for somebody under the settings of `chat`.
    pub(super) async fn reply_style(&self, asker: &Asker, chat: ChatId) -> ReplyStyle {
        self.bot.reply_style(&Asker { chat, ..*asker }).await
    }

    /// The reply style for an interaction.
    pub(super) async fn requester_style(&self, requester: &Requester) -> ReplyStyle {
        let (chat, _) = self.settings(requester.channel, requester.parent).await;
        self.reply_style(&requester.asker(), chat).await
    }

    /// The channel of the thread that `channel` is; fetched from Discord once.
    pub(super) async fn thread_parent(&self, channel: ChannelId) -> Option<ChannelId> {
        if let Some(known) = self.thread_parents.get(channel) {
            return known;
        }
        let parent = match self.rest.fetch_channel(channel).await {
            Ok(channel) => thread_parent(channel.kind, channel.parent),
            // Hidden from the bot, now and later: treated as a channel without a parent.
            Err(error) if error.is_forbidden() || error.is_gone() => None,
            Err(error) => {
                tracing::warn!(%error, "a channel could not be fetched from Discord");
                return None;
            }
        };
        self.thread_parents.insert(channel, parent);
        parent
    }

    /// Checks whether photos of `author` may be processed for somebody who needs an answer either way.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn admit(&self, asker: &Asker, author: PersonId, photos: usize) -> Result<(), Problem> {
        if self.bot.has_opted_out(author).await {
            return Err(Problem::OptedOut);
        }
        self.bot.admit_or_explain(asker, photos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_in_names_is_escaped() {
        assert_eq!(escape_markdown("Anna"), "Anna");
        assert_eq!(escape_markdown("[x](http://y) **z**"), "\\[x\\](http://y) \\*\\*z\\*\\*");
    }
}
