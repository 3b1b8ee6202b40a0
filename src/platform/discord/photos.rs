//! Which pictures a message brings, and whose they are.

use serenity::all::{Attachment, Embed, Message, UserId};
use url::Url;

use super::body::MAX_PICTURES;
use super::guest::person;
use crate::bot::PhotoSource;
use crate::bot::people::PersonId;
use crate::photo::Hosts;

/// Where pictures are to be had, in their order, and who posted them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Photos {
    pub urls: Vec<Url>,
    pub author: PersonId,
}

impl Photos {
    /// A file that came with a command.
    pub(super) fn given<'a>(files: impl IntoIterator<Item = &'a Attachment>, author: UserId) -> Self {
        Self::at(files.into_iter().map(|file| file.url.as_str()), author)
    }

    /// The pictures of a message that speaks to the bot: its own, or those of the message it
    /// replies to, unless that is the bot's.
    pub(super) fn addressed(message: &Message, me: Option<UserId>) -> Self {
        let own = Self::of(message);
        match &message.referenced_message {
            Some(other) if own.urls.is_empty() && Some(other.author.id) != me => Self::of(other),
            _ => own,
        }
    }

    /// All that a message shows: its pictures and those it forwards, else what its links show, else
    /// its other files: the reply says what they are.
    pub(super) fn of(message: &Message) -> Self {
        let uploaded = Self::uploaded(message);
        if !uploaded.urls.is_empty() {
            return uploaded;
        }
        let forwarded = message.message_snapshots.iter().flat_map(|forwarded| &forwarded.embeds);
        let shown = Self::at(message.embeds.iter().chain(forwarded).filter_map(shown), message.author.id);
        if shown.urls.is_empty() { Self::given(files(message), message.author.id) } else { shown }
    }

    /// The pictures that a message was sent with, its own and those it forwards.
    pub(super) fn uploaded(message: &Message) -> Self {
        Self::given(files(message).filter(|file| is_picture(file)), message.author.id)
    }

    fn at<'a>(links: impl Iterator<Item = &'a str>, author: UserId) -> Self {
        let urls = links.filter_map(|link| Url::parse(link).ok()).take(MAX_PICTURES).collect();
        Self { urls, author: person(author) }
    }

    /// To be fetched from nowhere but Discord's own hosts.
    pub(super) fn sources(&self, hosts: &Hosts) -> Vec<PhotoSource> {
        self.urls.iter().map(|url| PhotoSource::Link { url: url.clone(), hosts: hosts.clone(), renew: None }).collect()
    }
}

fn files(message: &Message) -> impl Iterator<Item = &Attachment> {
    let forwarded = message.message_snapshots.iter().flat_map(|forwarded| &forwarded.attachments);
    message.attachments.iter().chain(forwarded)
}

/// What the uploader's client says the file is; its bytes decide later.
fn is_picture(file: &Attachment) -> bool {
    match &file.content_type {
        Some(kind) => kind.starts_with("image/"),
        None => file.width.is_some(),
    }
}

/// The picture of a link, from Discord's image proxy: no other host learns that the bot looked.
fn shown(embed: &Embed) -> Option<&str> {
    let image = embed.image.as_ref().and_then(|image| image.proxy_url.as_deref());
    image.or_else(|| embed.thumbnail.as_ref().and_then(|thumbnail| thumbnail.proxy_url.as_deref()))
}
