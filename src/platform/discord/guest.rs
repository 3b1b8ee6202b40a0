//! Who asks on Discord, where, and which settings hold there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serenity::all::{ChannelId, Permissions, UserId};

use super::handler::Handler;
use super::incoming::{IncomingMessage, id};
use crate::bot::commands::AskerRole;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};
use crate::bot::settings::ChatSettings;
use crate::bot::{Problem, ReplyStyle};

/// Discord's numbers of threads: of announcements, public, private.
const THREADS: [u64; 3] = [10, 11, 12];

/// Who asks, and where.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub asker: Asker,
    pub role: AskerRole,
    /// The channel of the thread that they ask in.
    pub parent: Option<ChatId>,
}

/// Who used a command or pressed a button, as far as the answer needs it; never their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visitor {
    pub user: UserId,
    pub channel: ChannelId,
    pub parent: Option<ChannelId>,
    /// Whether it is a chat with the bot alone.
    pub direct: bool,
    /// The tag of the client's language, where the bot speaks it.
    #[serde(with = "language")]
    pub language: Option<Language>,
}

impl Visitor {
    pub(super) fn asker(&self) -> Asker {
        Asker { language: self.language, ..asker(self.user, self.channel) }
    }
}

/// Who an interaction comes from; `None` when that cannot be read.
pub(super) fn guest(told: &Value) -> Option<(Guest, Visitor)> {
    let member = &told["member"];
    let user = if member["user"].is_object() { &member["user"] } else { &told["user"] };
    let place = &told["channel"];
    let channel = ChannelId::new(id(&told["channel_id"]).or_else(|| id(&place["id"]))?);
    let visitor = Visitor {
        user: UserId::new(id(&user["id"])?),
        channel,
        parent: thread_parent(place["type"].as_u64().unwrap_or(0), id(&place["parent_id"]).map(ChannelId::new)),
        direct: told["guild_id"].is_null(),
        language: told["locale"].as_str().and_then(Language::of),
    };
    let permissions = member["permissions"].as_str().and_then(|bits| bits.parse().ok()).unwrap_or(0);
    let permissions = Permissions::from_bits_truncate(permissions);
    let admin = visitor.direct || permissions.intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR);
    let name = [&member["nick"], &user["global_name"], &user["username"]].into_iter().find_map(Value::as_str);
    let role = AskerRole { name: unmarked(name.unwrap_or_default()), admin, direct: visitor.direct };
    Some((Guest { asker: visitor.asker(), role, parent: visitor.parent.map(chat) }, visitor))
}

/// The one who wrote a message; a message does not tell their client's language.
pub(super) fn asker_of(message: &IncomingMessage) -> Asker {
    asker(message.author, message.channel)
}

fn asker(person_id: UserId, channel: ChannelId) -> Asker {
    Asker { person: person(person_id), chat: chat(channel), language: None }
}

pub(super) fn person(id: UserId) -> PersonId {
    PersonId { platform: Platform::Discord, id: id.get().cast_signed() }
}

pub(super) fn chat(id: ChannelId) -> ChatId {
    ChatId { platform: Platform::Discord, id: id.get().cast_signed() }
}

/// The channel that a thread or forum post belongs to; other channels lie below a category.
pub(super) fn thread_parent(kind: u64, parent: Option<ChannelId>) -> Option<ChannelId> {
    parent.filter(|_| THREADS.contains(&kind))
}

/// A language as its tag.
mod language {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::bot::languages::Language;

    pub(super) fn serialize<S: Serializer>(language: &Option<Language>, to: S) -> Result<S::Ok, S::Error> {
        language.map(Language::code).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Language>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.and_then(|tag| Language::of(&tag)))
    }
}

/// A name that means nothing but itself where Discord reads Markdown, links included.
fn unmarked(name: &str) -> String {
    let marked = |c: char| "\\*_~|`[]<>#".contains(c);
    name.chars().flat_map(|c| marked(c).then_some('\\').into_iter().chain([c])).collect()
}

impl Handler {
    /// The settings that hold for a chat: its own, or if it has none its parent's; and where they
    /// are kept. Automatic replies hold in a channel's threads, too.
    pub(super) async fn settings(&self, chat: ChatId, parent: Option<ChatId>) -> (ChatId, ChatSettings) {
        let own = self.bot.chat_settings(chat).await;
        let Some(parent) = parent else { return (chat, own) };
        let theirs = self.bot.chat_settings(parent).await;
        let auto = own.auto || theirs.auto;
        let (chat, settings) = if own == ChatSettings::default() { (parent, theirs) } else { (chat, own) };
        (chat, ChatSettings { auto, ..settings })
    }

    /// How to tell somebody a guess there.
    pub(super) async fn reply_style(&self, asker: &Asker, settled: ChatId) -> ReplyStyle {
        self.bot.reply_style(&Asker { chat: settled, ..*asker }).await
    }

    /// The channel of the thread that `channel` is; asks Discord once.
    pub(super) async fn parent(&self, channel: ChannelId) -> Option<ChannelId> {
        if let Some(known) = self.parents.get(channel) {
            return known;
        }
        let parent = match self.rest.channel(channel).await {
            Ok(channel) => thread_parent(channel.kind, channel.parent),
            // Not to be seen, now or a moment later: it stands for itself.
            Err(error) if error.is_forbidden() || error.is_gone() => None,
            Err(error) => {
                tracing::warn!(%error, "a channel could not be looked up on Discord");
                return None;
            }
        };
        self.parents.insert(channel, parent);
        parent
    }

    /// Whether photos may be looked at for somebody who cannot be left without an answer.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn may_look(&self, asker: &Asker, author: PersonId, photos: usize) -> Result<(), Problem> {
        if self.bot.ignores(author).await {
            return Err(Problem::OptedOut);
        }
        self.bot.admit_aloud(asker, photos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_on_the_scoreboard_is_neither_bold_nor_a_link() {
        assert_eq!(unmarked("Anna"), "Anna");
        assert_eq!(unmarked("[x](http://y) **z**"), "\\[x\\](http://y) \\*\\*z\\*\\*");
    }
}
