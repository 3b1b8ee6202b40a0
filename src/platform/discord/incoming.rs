//! Messages from Discord's JSON, from the gateway and over REST alike. Parsed leniently: a field that is
//! missing or of an unexpected type is ignored, and never discards the message.

use serde_json::Value;
use serenity::all::{ChannelId, GuildId, MessageId, UserId};
use url::Url;

use super::payload::SPOILER;

/// The message types that users write: ordinary messages and replies.
const USER_TYPES: [u64; 2] = [0, 19];
/// The attachment flag of a spoiler.
const IS_SPOILER: u64 = 1 << 3;
/// How deep messages are followed to those that they reply to.
const MAX_DEPTH: usize = 2;

/// The parts of a message that the bot uses.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IncomingMessage {
    pub id: MessageId,
    pub channel: ChannelId,
    pub guild: Option<GuildId>,
    pub author: UserId,
    /// Whether a bot or a webhook wrote it.
    pub automated: bool,
    /// Whether Discord wrote it, as when somebody joins or pins a message.
    pub system: bool,
    pub content: String,
    pub mentions: Vec<UserId>,
    /// Its files and those of forwarded messages, including the media of components.
    pub files: Vec<File>,
    /// The pictures of its link embeds, on Discord's image proxy: no other host learns of the request.
    pub previews: Vec<File>,
    /// The message that it replies to, where that is included.
    pub replied_to: Option<Box<IncomingMessage>>,
    /// The address of that message.
    pub reference: Option<(ChannelId, MessageId)>,
}

/// A file on Discord's hosts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct File {
    /// The attachment's id, where it has one.
    pub id: Option<u64>,
    pub url: Url,
    /// Whether it is declared to be a picture; its bytes decide later.
    pub picture: bool,
    /// Whether Discord hides it until it is clicked.
    pub spoiler: bool,
}

impl IncomingMessage {
    /// `None` when an id is missing.
    pub(super) fn from_json(json: &Value) -> Option<Self> {
        Self::parse(json, 0)
    }

    /// A message of which only this is known.
    pub(super) fn from_ids(id: MessageId, channel: ChannelId, guild: Option<GuildId>, author: UserId) -> Self {
        Self {
            id,
            channel,
            guild,
            author,
            automated: false,
            system: false,
            content: String::new(),
            mentions: Vec::new(),
            files: Vec::new(),
            previews: Vec::new(),
            replied_to: None,
            reference: None,
        }
    }

    fn parse(json: &Value, depth: usize) -> Option<Self> {
        let author = &json["author"];
        let channel = ChannelId::new(snowflake(&json["channel_id"])?);
        let forwarded: Vec<&Value> = list(&json["message_snapshots"]).iter().map(|one| &one["message"]).collect();
        let parts = || std::iter::once(json).chain(forwarded.iter().copied());
        let mut files: Vec<File> = Vec::new();
        for part in parts() {
            files.extend(list(&part["attachments"]).iter().filter_map(File::from_attachment));
            list(&part["components"]).iter().for_each(|component| collect_media(component, false, &mut files));
        }
        let reference = &json["message_reference"];
        let reference = snowflake(&reference["message_id"]).map(|message| {
            (snowflake(&reference["channel_id"]).map_or(channel, ChannelId::new), MessageId::new(message))
        });
        let previews = parts().flat_map(|part| {
            let spoiler = part["content"].as_str().is_some_and(|content| content.matches("||").count() > 1);
            list(&part["embeds"]).iter().filter_map(move |embed| File::from_embed(embed, spoiler))
        });
        let replied_to = if depth < MAX_DEPTH { Self::parse(&json["referenced_message"], depth + 1) } else { None };
        Some(Self {
            id: MessageId::new(snowflake(&json["id"])?),
            channel,
            guild: snowflake(&json["guild_id"]).map(GuildId::new),
            author: UserId::new(snowflake(&author["id"])?),
            automated: author["bot"] == true || !json["webhook_id"].is_null(),
            system: json["type"].as_u64().is_some_and(|kind| !USER_TYPES.contains(&kind)),
            content: json["content"].as_str().unwrap_or_default().to_owned(),
            mentions: list(&json["mentions"])
                .iter()
                .filter_map(|user| snowflake(&user["id"]))
                .map(UserId::new)
                .collect(),
            previews: previews.collect(),
            replied_to: replied_to.map(Box::new),
            reference,
            files: merge_duplicates(files),
        })
    }
}

impl File {
    /// An attachment of a message or command.
    pub(super) fn from_attachment(json: &Value) -> Option<Self> {
        let content_type = json["content_type"].as_str();
        let name = json["filename"].as_str().unwrap_or_default();
        let spoiler = name.starts_with(SPOILER)
            || json["flags"].as_u64().unwrap_or(0) & IS_SPOILER != 0
            || json["is_spoiler"] == true;
        Self::new(&json["url"], &json["id"], content_type.map_or(!json["width"].is_null(), is_image), spoiler)
    }

    /// The media item of a component.
    fn from_media(json: &Value, spoiler: bool) -> Option<Self> {
        let uploaded = snowflake(&json["attachment_id"]).is_some() || json["proxy_url"].is_null();
        let url = if uploaded { &json["url"] } else { &json["proxy_url"] };
        let picture = json["content_type"].as_str().is_none_or(is_image);
        Self::new(url, &json["attachment_id"], picture, spoiler)
    }

    /// The picture of a link's embed.
    fn from_embed(json: &Value, spoiler: bool) -> Option<Self> {
        let urls = [&json["image"]["proxy_url"], &json["thumbnail"]["proxy_url"]];
        Self::new(urls.into_iter().find(|url| url.is_string())?, &Value::Null, true, spoiler)
    }

    fn new(url: &Value, id: &Value, picture: bool, spoiler: bool) -> Option<Self> {
        let url: Url = url.as_str()?.parse().ok()?;
        let named =
            url.path_segments().and_then(|mut parts| parts.next_back()).is_some_and(|name| name.starts_with(SPOILER));
        Some(Self { id: snowflake(id), url, picture, spoiler: spoiler || named })
    }
}

/// Collects the files of a component and of those within it: galleries, thumbnails and files, in
/// containers and sections.
fn collect_media(component: &Value, spoiler: bool, files: &mut Vec<File>) {
    let spoiler = spoiler || component["spoiler"] == true;
    for media in [&component["media"], &component["file"]] {
        files.extend(File::from_media(media, spoiler));
    }
    for inner in ["components", "items"] {
        list(&component[inner]).iter().for_each(|inner| collect_media(inner, spoiler, files));
    }
    if component["accessory"].is_object() {
        collect_media(&component["accessory"], spoiler, files);
    }
}

/// Merges files with the same id: a component's picture can be among the attachments as well.
fn merge_duplicates(all: Vec<File>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for file in all {
        match files.iter_mut().find(|known| known.id.is_some() && known.id == file.id) {
            Some(known) => {
                known.picture |= file.picture;
                known.spoiler |= file.spoiler;
            }
            None => files.push(file),
        }
    }
    files
}

fn is_image(content_type: &str) -> bool {
    content_type.starts_with("image/")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Parses one of Discord's ids, which are strings of digits.
pub(super) fn snowflake(value: &Value) -> Option<u64> {
    let id = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_u64()?,
    };
    // serenity's id types can hold neither.
    (id != 0 && id != u64::MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(parts: Value) -> IncomingMessage {
        let mut whole = json!({ "id": "1", "channel_id": "2", "author": { "id": "3" } });
        whole.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        IncomingMessage::from_json(&whole).unwrap()
    }

    #[test]
    fn fields_of_unexpected_types_are_ignored() {
        let odd = message(json!({
            "type": "new", "mentions": 7, "attachments": [null, { "url": "no url" }, { "id": 9, "url": "https://a.b/c.png",
            "content_type": "image/png", "width": "wide" }], "embeds": {}, "components": "none", "guild_id": 0,
            "referenced_message": { "id": "5" }, "flags": -1
        }));
        assert_eq!((odd.files.len(), odd.system, odd.guild, odd.replied_to), (1, false, None, None));
        assert_eq!(IncomingMessage::from_json(&json!({ "id": "1" })), None);
        assert_eq!(IncomingMessage::from_json(&json!([1, 2])), None);
    }

    #[test]
    fn pictures_in_components_are_found_once_at_every_depth() {
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
        let files: Vec<_> = found.files.iter().map(|file| (file.id.unwrap(), file.picture, file.spoiler)).collect();
        assert_eq!(files, [(4, true, false), (5, true, true), (6, true, false), (7, false, false)]);
    }

    #[test]
    fn spoilers_are_recognised_by_name_flag_and_mark() {
        let is_spoiler = |attachment: Value| message(json!({ "attachments": [attachment] })).files[0].spoiler;
        assert!(is_spoiler(json!({ "id": "4", "filename": "SPOILER_a.png", "url": "https://a.b/a.png" })));
        assert!(is_spoiler(json!({ "id": "4", "flags": 8, "url": "https://a.b/a.png" })));
        assert!(is_spoiler(json!({ "id": "4", "url": "https://a.b/SPOILER_a.png?ex=1" })));
        assert!(!is_spoiler(json!({ "id": "4", "filename": "a.png", "url": "https://a.b/a.png" })));
        let link = message(
            json!({ "content": "||https://x.y/z||", "embeds": [{ "image": { "proxy_url": "https://a.b/z" } }] }),
        );
        assert!(link.previews[0].spoiler);
    }
}
