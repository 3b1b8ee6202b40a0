//! Messages as Discord tells them, read leniently: a field that is missing or of an unexpected kind
//! costs what it would have said, never the message. Messages from the gateway and over REST are read
//! alike.

use serde_json::Value;
use serenity::all::{ChannelId, GuildId, MessageId, UserId};
use url::Url;

use super::body::SPOILER;

/// Kinds of messages that people write: ordinary ones and replies.
const WRITTEN: [u64; 2] = [0, 19];
/// An attachment's flag: covered until somebody clicks on it.
const IS_SPOILER: u64 = 1 << 3;
/// How deep messages may refer to others.
const DEPTH: usize = 2;

/// A message, as far as the bot cares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IncomingMessage {
    pub id: MessageId,
    pub channel: ChannelId,
    pub guild: Option<GuildId>,
    pub author: UserId,
    /// Whether a bot or a webhook wrote it.
    pub automatic: bool,
    /// Whether somebody wrote it, rather than joined or pinned something.
    pub written: bool,
    pub content: String,
    pub mentions: Vec<UserId>,
    /// Its files and those it forwards, pictures within its components included.
    pub files: Vec<File>,
    /// The pictures of its links, on Discord's image proxy: no other host learns that the bot looked.
    pub previews: Vec<File>,
    /// The message that it replies to, where that came with it.
    pub replied_to: Option<Box<IncomingMessage>>,
    /// Where that one is.
    pub reference: Option<(ChannelId, MessageId)>,
}

/// A file that Discord keeps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct File {
    /// Discord's number of it, where it has one.
    pub id: Option<u64>,
    pub url: Url,
    /// Whether the uploader's client says that it is a picture; its bytes decide later.
    pub picture: bool,
    /// Whether it is covered until somebody clicks on it.
    pub covered: bool,
}

impl IncomingMessage {
    /// A message; `None` for what is none.
    pub(super) fn of(told: &Value) -> Option<Self> {
        Self::nested(told, 0)
    }

    /// One of which no more than this is known.
    pub(super) fn bare(id: MessageId, channel: ChannelId, guild: Option<GuildId>, author: UserId) -> Self {
        Self {
            id,
            channel,
            guild,
            author,
            automatic: false,
            written: true,
            content: String::new(),
            mentions: Vec::new(),
            files: Vec::new(),
            previews: Vec::new(),
            replied_to: None,
            reference: None,
        }
    }

    fn nested(told: &Value, depth: usize) -> Option<Self> {
        let author = &told["author"];
        let channel = ChannelId::new(id(&told["channel_id"])?);
        let snapshots: Vec<&Value> = list(&told["message_snapshots"]).iter().map(|one| &one["message"]).collect();
        let parts = || std::iter::once(told).chain(snapshots.iter().copied());
        let content = told["content"].as_str().unwrap_or_default().to_owned();
        let mut files: Vec<File> = Vec::new();
        for part in parts() {
            files.extend(list(&part["attachments"]).iter().filter_map(File::attached));
            list(&part["components"]).iter().for_each(|component| collect(component, false, &mut files));
        }
        let files = once_each(files);
        let reference = &told["message_reference"];
        let referred = id(&reference["message_id"])
            .map(|message| (id(&reference["channel_id"]).map_or(channel, ChannelId::new), MessageId::new(message)));
        let previews = parts().flat_map(|part| {
            let covered = part["content"].as_str().is_some_and(|content| content.matches("||").count() > 1);
            list(&part["embeds"]).iter().filter_map(move |embed| File::previewed(embed, covered))
        });
        Some(Self {
            id: MessageId::new(id(&told["id"])?),
            channel,
            guild: id(&told["guild_id"]).map(GuildId::new),
            author: UserId::new(id(&author["id"])?),
            automatic: author["bot"] == true || !told["webhook_id"].is_null(),
            written: told["type"].as_u64().is_none_or(|kind| WRITTEN.contains(&kind)),
            mentions: list(&told["mentions"]).iter().filter_map(|user| id(&user["id"])).map(UserId::new).collect(),
            previews: previews.collect(),
            replied_to: (depth < DEPTH)
                .then(|| Self::nested(&told["referenced_message"], depth + 1))
                .flatten()
                .map(Box::new),
            reference: referred,
            content,
            files,
        })
    }
}

impl File {
    /// An attachment of a message or command.
    pub(super) fn attached(told: &Value) -> Option<Self> {
        let kind = told["content_type"].as_str();
        let name = told["filename"].as_str().unwrap_or_default();
        let covered = name.starts_with(SPOILER)
            || told["flags"].as_u64().unwrap_or(0) & IS_SPOILER != 0
            || told["is_spoiler"] == true;
        Self::at(&told["url"], &told["id"], kind.map_or(!told["width"].is_null(), is_image), covered)
    }

    /// The media of a component.
    fn shown(told: &Value, covered: bool) -> Option<Self> {
        let uploaded = id(&told["attachment_id"]).is_some() || told["proxy_url"].is_null();
        let url = if uploaded { &told["url"] } else { &told["proxy_url"] };
        let picture = told["content_type"].as_str().is_none_or(is_image);
        Self::at(url, &told["attachment_id"], picture, covered)
    }

    /// The picture of a link.
    fn previewed(embed: &Value, covered: bool) -> Option<Self> {
        let links = [&embed["image"]["proxy_url"], &embed["thumbnail"]["proxy_url"]];
        Self::at(links.into_iter().find(|link| link.is_string())?, &Value::Null, true, covered)
    }

    fn at(url: &Value, number: &Value, picture: bool, covered: bool) -> Option<Self> {
        let url: Url = url.as_str()?.parse().ok()?;
        let named =
            url.path_segments().and_then(|mut parts| parts.next_back()).is_some_and(|name| name.starts_with(SPOILER));
        Some(Self { id: id(number), url, picture, covered: covered || named })
    }
}

/// The files of a component and of those within it: galleries, thumbnails, files, in containers and
/// sections.
fn collect(component: &Value, covered: bool, files: &mut Vec<File>) {
    let covered = covered || component["spoiler"] == true;
    for media in [&component["media"], &component["file"]] {
        files.extend(File::shown(media, covered));
    }
    for inner in ["components", "items"] {
        list(&component[inner]).iter().for_each(|inner| collect(inner, covered, files));
    }
    if component["accessory"].is_object() {
        collect(&component["accessory"], covered, files);
    }
}

/// A picture within a component can be told as an attachment, too.
fn once_each(all: Vec<File>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for file in all {
        match files.iter_mut().find(|known| known.id.is_some() && known.id == file.id) {
            Some(known) => {
                known.picture |= file.picture;
                known.covered |= file.covered;
            }
            None => files.push(file),
        }
    }
    files
}

fn is_image(kind: &str) -> bool {
    kind.starts_with("image/")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A number of Discord's, which it writes as text.
pub(super) fn id(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_u64()?,
    };
    // serenity's types hold neither.
    (number != 0 && number != u64::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(parts: Value) -> IncomingMessage {
        let mut told = json!({ "id": "1", "channel_id": "2", "author": { "id": "3" } });
        told.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        IncomingMessage::of(&told).unwrap()
    }

    #[test]
    fn fields_of_unexpected_kinds_cost_nothing_but_themselves() {
        let odd = message(json!({
            "type": "new", "mentions": 7, "attachments": [null, { "url": "no url" }, { "id": 9, "url": "https://a.b/c.png",
            "content_type": "image/png", "width": "wide" }], "embeds": {}, "components": "none", "guild_id": 0,
            "referenced_message": { "id": "5" }, "flags": -1
        }));
        assert_eq!((odd.files.len(), odd.written, odd.guild, odd.replied_to), (1, true, None, None));
        assert_eq!(IncomingMessage::of(&json!({ "id": "1" })), None);
        assert_eq!(IncomingMessage::of(&json!([1, 2])), None);
    }

    #[test]
    fn pictures_in_components_are_found_at_every_depth_once_each() {
        let media = |id: u64| json!({ "url": format!("https://cdn.example/{id}.png"), "attachment_id": id.to_string(), "content_type": "image/png" });
        let found = message(
            json!({ "flags": 1 << 15, "attachments": [{ "id": "4", "url": "https://cdn.example/4.png" }], "components": [
            { "type": 17, "spoiler": true, "components": [
                { "type": 9, "components": [{ "type": 10, "content": "hi" }], "accessory": { "type": 11, "media": media(5) } },
            ] },
            { "type": 12, "items": [{ "media": media(6), "spoiler": false }, { "media": media(4) }] },
            { "type": 13, "file": { "url": "https://cdn.example/notes.txt", "attachment_id": "7", "content_type": "text/plain" } },
        ] }),
        );
        let seen: Vec<_> = found.files.iter().map(|file| (file.id.unwrap(), file.picture, file.covered)).collect();
        assert_eq!(seen, [(4, true, false), (5, true, true), (6, true, false), (7, false, false)]);
    }

    #[test]
    fn what_is_covered_is_known_by_name_flag_and_mark() {
        let covered = |attachment: Value| message(json!({ "attachments": [attachment] })).files[0].covered;
        assert!(covered(json!({ "id": "4", "filename": "SPOILER_a.png", "url": "https://a.b/a.png" })));
        assert!(covered(json!({ "id": "4", "flags": 8, "url": "https://a.b/a.png" })));
        assert!(covered(json!({ "id": "4", "url": "https://a.b/SPOILER_a.png?ex=1" })));
        assert!(!covered(json!({ "id": "4", "filename": "a.png", "url": "https://a.b/a.png" })));
        let link = message(
            json!({ "content": "||https://x.y/z||", "embeds": [{ "image": { "proxy_url": "https://a.b/z" } }] }),
        );
        assert!(link.previews[0].covered);
    }
}
