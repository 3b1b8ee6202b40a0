//! Who asks on Discord, where, and which settings hold there.

use serenity::all::{
    ChannelId, ChannelType, CommandInteraction, ComponentInteraction, GuildId, Member, Message, PartialChannel,
    Permissions, User, UserId,
};

use super::handler::Handler;
use super::rest::Ticket;
use crate::bot::commands::Standing;
use crate::bot::languages::Language;
use crate::bot::people::{Asker, ChatId, PersonId, Platform};
use crate::bot::settings::ChatSettings;
use crate::bot::{Manners, Problem};

/// Who asks, and where.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub asker: Asker,
    pub standing: Standing,
    /// The channel of the thread that they ask in.
    pub parent: Option<ChatId>,
}

/// How an interaction with the bot is answered, and who it is.
pub(super) trait Visit {
    fn ticket(&self) -> Ticket;
    fn guest(&self) -> Guest;
}

impl Visit for CommandInteraction {
    fn ticket(&self) -> Ticket {
        Ticket { id: self.id, application: self.application_id, token: self.token.clone() }
    }

    fn guest(&self) -> Guest {
        let place = (self.channel_id, self.guild_id, self.channel.as_ref());
        guest(&self.user, self.member.as_deref(), place, &self.locale)
    }
}

impl Visit for ComponentInteraction {
    fn ticket(&self) -> Ticket {
        Ticket { id: self.id, application: self.application_id, token: self.token.clone() }
    }

    fn guest(&self) -> Guest {
        guest(&self.user, self.member.as_ref(), (self.channel_id, self.guild_id, self.channel.as_ref()), &self.locale)
    }
}

fn guest(
    user: &User,
    member: Option<&Member>,
    (channel, guild, known): (ChannelId, Option<GuildId>, Option<&PartialChannel>),
    locale: &str,
) -> Guest {
    let direct = guild.is_none();
    let permissions = member.and_then(|member| member.permissions).unwrap_or_default();
    let admin = direct || permissions.intersects(Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR);
    let name = member.map_or_else(|| user.display_name(), Member::display_name);
    Guest {
        asker: Asker { language: Language::of(locale), ..asker(user.id, channel) },
        standing: Standing { name: unmarked(name), admin, direct },
        parent: known.and_then(|known| thread_parent(known.kind, known.parent_id)).map(chat),
    }
}

/// The one who wrote a message; a message does not tell their client's language.
pub(super) fn asker_of(message: &Message) -> Asker {
    asker(message.author.id, message.channel_id)
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
pub(super) fn thread_parent(kind: ChannelType, parent: Option<ChannelId>) -> Option<ChannelId> {
    let thread = matches!(kind, ChannelType::NewsThread | ChannelType::PublicThread | ChannelType::PrivateThread);
    parent.filter(|_| thread)
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
    pub(super) async fn manners(&self, asker: &Asker, settled: ChatId) -> Manners {
        self.bot.manners(&Asker { chat: settled, ..*asker }).await
    }

    /// The channel of the thread that `channel` is; asks Discord once.
    pub(super) async fn parent(&self, channel: ChannelId) -> Option<ChannelId> {
        if let Some(known) = self.parents.get(channel) {
            return known;
        }
        let parent = match self.rest.channel(channel).await {
            Ok(placed) => thread_parent(placed.kind, placed.parent_id),
            // Not to be seen, now or a moment later: it stands for itself.
            Err(error) if error.is_forbidden() || error.is_gone() => None,
            Err(error) => {
                tracing::warn!(%error, "a channel could not be looked up on Discord");
                return None;
            }
        };
        self.parents.keep(channel, parent);
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
