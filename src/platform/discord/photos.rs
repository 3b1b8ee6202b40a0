//! The pictures of a message or command: links, author, and renewal of expired links.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serenity::all::{ChannelId, MessageId, UserId};
use tracing::debug;
use url::Url;

use super::incoming::{File, IncomingMessage};
use super::payload::MAX_PICTURES;
use super::transport::RestClient;
use crate::bot::{PhotoSource, RenewLink};
use crate::download::AllowedOrigins;

/// Links to pictures, in order, and who posted them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Photos {
    pub links: Vec<Link>,
    pub author: UserId,
    /// The message that shows them, if it can be fetched.
    pub message: Option<(ChannelId, MessageId)>,
}

/// The link to one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Link {
    pub url: Url,
    /// The attachment's id, which identifies it when the link is renewed.
    pub attachment: Option<u64>,
    /// Whether it was posted as a spoiler.
    #[serde(rename = "covered")]
    pub spoiler: bool,
}

impl Photos {
    /// The files of a command, at most [`MAX_PICTURES`].
    pub(super) fn from_files<'a>(files: impl IntoIterator<Item = &'a File>, author: UserId) -> Self {
        let link = |file: &File| Link { url: file.url.clone(), attachment: file.id, spoiler: file.spoiler };
        Self { links: files.into_iter().map(link).take(MAX_PICTURES).collect(), author, message: None }
    }

    /// The pictures of a message that is addressed to the bot: its own, or those of the message it
    /// replies to, unless that is the bot's.
    pub(super) fn from_addressed(message: &IncomingMessage, bot_user: Option<UserId>) -> Self {
        let own = Self::from_message(message);
        match &message.replied_to {
            Some(other) if own.links.is_empty() && Some(other.author) != bot_user => Self::from_message(other),
            _ => own,
        }
    }

    /// The pictures of a message and those it forwards, else the previews of its links, else its other
    /// files: the reply explains what they are.
    pub(super) fn from_message(message: &IncomingMessage) -> Self {
        let uploaded = Self::from_uploads(message);
        if !uploaded.links.is_empty() {
            return uploaded;
        }
        let files = if message.previews.is_empty() { &message.files } else { &message.previews };
        Self::from_message_files(files.iter(), message)
    }

    /// The pictures that were uploaded with a message or one it forwards.
    pub(super) fn from_uploads(message: &IncomingMessage) -> Self {
        Self::from_message_files(message.files.iter().filter(|file| file.picture), message)
    }

    fn from_message_files<'a>(files: impl Iterator<Item = &'a File>, message: &IncomingMessage) -> Self {
        Self { message: Some((message.channel, message.id)), ..Self::from_files(files, message.author) }
    }

    /// Whether any of them was posted as a spoiler.
    pub(super) fn has_spoiler(&self) -> bool {
        self.links.iter().any(|link| link.spoiler)
    }

    /// Sources that are fetched only from `hosts`, with a fresh link where one has expired.
    pub(super) fn sources(&self, hosts: &AllowedOrigins, rest: &Arc<RestClient>) -> Vec<PhotoSource> {
        let source = |link: &Link| PhotoSource::Link {
            url: link.url.clone(),
            hosts: hosts.clone(),
            renew: Some(renewal(rest.clone(), link.clone(), self.message)),
            token: None,
        };
        self.links.iter().map(source).collect()
    }
}

/// Gets a fresh link from the message that shows the picture, or else from Discord's link renewal.
fn renewal(rest: Arc<RestClient>, link: Link, message: Option<(ChannelId, MessageId)>) -> RenewLink {
    RenewLink(Arc::new(move || {
        let (rest, link) = (rest.clone(), link.clone());
        Box::pin(async move {
            if let (Some((channel, message)), Some(attachment)) = (message, link.attachment) {
                match rest.fetch_message(channel, message).await {
                    Ok(message) => {
                        let mut files = message.files.into_iter();
                        if let Some(file) = files.find(|file| file.id == Some(attachment)) {
                            return Some(file.url);
                        }
                    }
                    Err(error) => debug!(%error, "a message could not be fetched for a fresh link"),
                }
            }
            rest.refresh_link(&link.url)
                .await
                .inspect_err(|error| debug!(%error, "a link could not be renewed"))
                .unwrap_or_default()
        })
    }))
}
