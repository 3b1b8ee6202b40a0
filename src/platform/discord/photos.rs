//! Which pictures a message brings, whose they are, and fresh links to them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serenity::all::{ChannelId, MessageId, UserId};
use tracing::debug;
use url::Url;

use super::body::MAX_PICTURES;
use super::incoming::{File, IncomingMessage};
use super::rest::Rest;
use crate::bot::{PhotoSource, Renew};
use crate::photo::Hosts;

/// Where pictures are to be had, in their order, and who posted them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Photos {
    pub links: Vec<Link>,
    pub author: UserId,
    /// The message that shows them, where it can be asked for.
    pub message: Option<(ChannelId, MessageId)>,
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Link {
    pub url: Url,
    /// Discord's number of the attachment, by which it is found again.
    pub attachment: Option<u64>,
    /// Whether it is covered where it was posted.
    pub covered: bool,
}

impl Photos {
    /// Files that came with a command.
    pub(super) fn given<'a>(files: impl IntoIterator<Item = &'a File>, author: UserId) -> Self {
        let link = |file: &File| Link { url: file.url.clone(), attachment: file.id, covered: file.covered };
        Self { links: files.into_iter().map(link).take(MAX_PICTURES).collect(), author, message: None }
    }

    /// The pictures of a message that speaks to the bot: its own, or those of the message it
    /// replies to, unless that is the bot's.
    pub(super) fn addressed(message: &IncomingMessage, me: Option<UserId>) -> Self {
        let own = Self::of(message);
        match &message.replied_to {
            Some(other) if own.links.is_empty() && Some(other.author) != me => Self::of(other),
            _ => own,
        }
    }

    /// All that a message shows: its pictures and those it forwards, else what its links show, else
    /// its other files: the reply says what they are.
    pub(super) fn of(message: &IncomingMessage) -> Self {
        let uploaded = Self::uploaded(message);
        if !uploaded.links.is_empty() {
            return uploaded;
        }
        let files = if message.previews.is_empty() { &message.files } else { &message.previews };
        Self::shown(files.iter(), message)
    }

    /// The pictures that a message was sent with, its own and those it forwards.
    pub(super) fn uploaded(message: &IncomingMessage) -> Self {
        Self::shown(message.files.iter().filter(|file| file.picture), message)
    }

    fn shown<'a>(files: impl Iterator<Item = &'a File>, message: &IncomingMessage) -> Self {
        Self { message: Some((message.channel, message.id)), ..Self::given(files, message.author) }
    }

    /// Whether any of them is covered where it was posted.
    pub(super) fn covered(&self) -> bool {
        self.links.iter().any(|link| link.covered)
    }

    /// To be fetched from nowhere but Discord's own hosts, with a fresh link where one has expired.
    pub(super) fn sources(&self, hosts: &Hosts, rest: &Arc<Rest>) -> Vec<PhotoSource> {
        let source = |link: &Link| PhotoSource::Link {
            url: link.url.clone(),
            hosts: hosts.clone(),
            renew: Some(renewed(rest.clone(), link.clone(), self.message)),
        };
        self.links.iter().map(source).collect()
    }
}

/// Asks for a fresh link: the message that shows the picture, or Discord's own renewal of links.
fn renewed(rest: Arc<Rest>, link: Link, message: Option<(ChannelId, MessageId)>) -> Renew {
    Renew(Arc::new(move || {
        let (rest, link) = (rest.clone(), link.clone());
        Box::pin(async move {
            if let (Some((channel, message)), Some(attachment)) = (message, link.attachment) {
                match rest.message(channel, message).await {
                    Ok(message) => {
                        let mut files = message.files.into_iter();
                        if let Some(file) = files.find(|file| file.id == Some(attachment)) {
                            return Some(file.url);
                        }
                    }
                    Err(error) => debug!(%error, "a message could not be asked for a fresh link"),
                }
            }
            match rest.refreshed(&link.url).await {
                Ok(fresh) => fresh,
                Err(error) => {
                    debug!(%error, "a link could not be renewed");
                    None
                }
            }
        })
    }))
}
