//! Renders answers as Bot API requests, and leaves out the parts that Telegram refuses.

use serde_json::{Value, json};
use teloxide::payloads::{
    EditMessageCaption, EditMessageMedia, EditMessageText, SendMediaGroup, SendMessage, SendPhoto,
};
use teloxide::types::{
    ChatId, FileId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMedia, InputMediaPhoto,
    LinkPreviewOptions, MessageId, ReplyParameters,
};

use super::api::{ApiRequest, PICTURE};
use super::destination::Destination;
use super::incoming::{MediaFlags, Topic};
use super::refusals::{ApiError, ErrorKind, MessagePart};
use crate::bot::wording::clipped;
use crate::bot::{Answer, Card};

/// The most characters of a picture's caption (Bot API, sendPhoto).
pub(super) const MAX_CAPTION: usize = 1024;
/// The most characters of a message (Bot API, sendMessage).
pub(super) const MAX_TEXT: usize = 4096;
/// A text that is refused as too long is not shortened below this.
const MIN_TEXT: usize = 256;

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentMessage {
    pub(super) chat: ChatId,
    pub(super) id: MessageId,
    /// Whether it is a picture with a caption, rather than text.
    pub(super) is_picture: bool,
}

/// The parts that a message is sent with.
pub(super) struct MessageForm {
    pub(super) reply_reference: bool,
    topic: bool,
    buttons: bool,
    pub(super) picture: bool,
    max_characters: usize,
}

impl MessageForm {
    pub(super) fn new(destination: Destination, answer: &Answer) -> Self {
        Self {
            reply_reference: destination.reply_to.is_some(),
            topic: destination.topic.is_some(),
            buttons: !answer.buttons.is_empty(),
            picture: !cards(answer).is_empty(),
            max_characters: MAX_TEXT,
        }
    }

    /// Leaves out the part that was refused, else the next optional one; `false` when only the text
    /// is left.
    pub(super) fn simplify(&mut self, error: &ApiError) -> bool {
        let ErrorKind::Part(part) = error.kind() else { return self.drop_next_part() };
        let Self { reply_reference, topic, buttons, picture, .. } = self;
        let has_changed = match part {
            MessagePart::ReplyReference => std::mem::take(reply_reference),
            MessagePart::Topic => std::mem::take(topic),
            MessagePart::ClosedTopic => std::mem::take(topic) | std::mem::take(reply_reference),
            MessagePart::Buttons => std::mem::take(buttons),
            MessagePart::Picture => std::mem::take(picture),
            MessagePart::Length => std::mem::take(picture) || halve(&mut self.max_characters),
        };
        has_changed || self.drop_next_part()
    }

    fn drop_next_part(&mut self) -> bool {
        let parts = [&mut self.reply_reference, &mut self.topic, &mut self.buttons, &mut self.picture];
        parts.into_iter().any(std::mem::take)
    }

    pub(super) fn request(&self, destination: Destination, answer: &Answer) -> ApiRequest {
        // The message may be deleted by now: the answer is sent all the same.
        let reply_to = destination.reply_to.filter(|_| self.reply_reference);
        let reply = reply_to.map(|message| ReplyParameters::new(message).allow_sending_without_reply());
        let (thread, direct) = match destination.topic.filter(|_| self.topic) {
            Some(Topic::Thread(thread)) => (Some(thread), None),
            Some(Topic::Direct(direct)) => (None, Some(direct)),
            None => (None, None),
        };
        let keyboard = keyboard(answer, reply_to.is_some()).filter(|_| self.buttons).map(Into::into);
        let protect = destination.flags.protected.then_some(true);
        let request = match cards(answer) {
            [card] if self.picture => {
                let mut photo = SendPhoto::new(destination.chat, picture(0));
                photo.caption = Some(answer.text.clone());
                photo.has_spoiler = destination.flags.spoiler.then_some(true);
                photo.protect_content = protect;
                photo.reply_parameters = reply;
                photo.message_thread_id = thread;
                photo.reply_markup = keyboard;
                ApiRequest::new(&photo).with_pictures([card.jpeg.clone()])
            }
            cards @ [_, ..] if self.picture => {
                // An album has no buttons; clients show the only caption below the whole of it.
                let photo = |index| InputMediaPhoto {
                    has_spoiler: destination.flags.spoiler,
                    ..InputMediaPhoto::new(picture(index))
                };
                let mut photos: Vec<_> = (0..cards.len()).map(photo).collect();
                photos[0].caption = Some(answer.text.clone());
                let mut album = SendMediaGroup::new(destination.chat, photos.into_iter().map(InputMedia::Photo));
                album.protect_content = protect;
                album.reply_parameters = reply;
                album.message_thread_id = thread;
                ApiRequest::new(&album).with_pictures(cards.iter().map(|card| card.jpeg.clone()))
            }
            _ => {
                let text = shortened(&answer.text, self.max_characters);
                let mut message = SendMessage::new(destination.chat, text);
                message.link_preview_options = Some(no_preview());
                message.protect_content = protect;
                message.reply_parameters = reply;
                message.message_thread_id = thread;
                message.reply_markup = keyboard;
                ApiRequest::new(&message)
            }
        };
        match direct {
            Some(direct) => request.with_field("direct_messages_topic_id", direct),
            None => request,
        }
    }
}

/// The parts that an edit is sent with.
pub(super) struct EditForm {
    buttons: bool,
    pub(super) picture: bool,
    max_characters: usize,
}

impl EditForm {
    pub(super) fn new(answer: &Answer) -> Self {
        Self { buttons: true, picture: !cards(answer).is_empty(), max_characters: MAX_TEXT }
    }

    /// Leaves out the part that was refused, else the next optional one; `false` when only the text
    /// is left.
    pub(super) fn simplify(&mut self, error: &ApiError) -> bool {
        let has_changed = match error.kind() {
            ErrorKind::Part(MessagePart::Buttons) => std::mem::take(&mut self.buttons),
            ErrorKind::Part(MessagePart::Picture) => std::mem::take(&mut self.picture),
            ErrorKind::Part(MessagePart::Length) => {
                std::mem::take(&mut self.picture) || halve(&mut self.max_characters)
            }
            _ => false,
        };
        has_changed || std::mem::take(&mut self.buttons) || std::mem::take(&mut self.picture)
    }

    /// `None` when the message is a picture and the text does not fit into its caption.
    pub(super) fn request(&self, sent: SentMessage, flags: MediaFlags, answer: &Answer) -> Option<ApiRequest> {
        let SentMessage { chat, id, is_picture } = sent;
        let keyboard = keyboard(answer, true).filter(|_| self.buttons);
        if let Some(card) = cards(answer).first().filter(|_| self.picture) {
            let mut photo = InputMediaPhoto::new(picture(0)).caption(&answer.text);
            photo.has_spoiler = flags.spoiler;
            let mut edit = EditMessageMedia::new(chat, id, InputMedia::Photo(photo));
            edit.reply_markup = keyboard;
            return Some(ApiRequest::new(&edit).with_pictures([card.jpeg.clone()]));
        }
        if is_picture {
            if !fits_caption(&answer.text) {
                return None;
            }
            let mut edit = EditMessageCaption::new(chat, id);
            edit.caption = Some(shortened(&answer.text, self.max_characters.min(MAX_CAPTION)));
            edit.reply_markup = keyboard;
            return Some(ApiRequest::new(&edit));
        }
        let mut edit = EditMessageText::new(chat, id, shortened(&answer.text, self.max_characters));
        edit.link_preview_options = Some(no_preview());
        edit.reply_markup = keyboard;
        Some(ApiRequest::new(&edit))
    }
}

/// Halves a limit; `false` when that is below [`MIN_TEXT`].
fn halve(max_characters: &mut usize) -> bool {
    *max_characters /= 2;
    *max_characters >= MIN_TEXT
}

/// What a guest's text is for.
#[derive(Clone, Copy)]
pub(super) enum GuestTarget<'a> {
    /// The query that it answers.
    Query(&'a str),
    /// The id of the answer that it replaces.
    Message(&'a str),
}

/// The parts that an answer is posted or edited with as a guest, where neither pictures nor buttons that need the
/// photo work.
pub(super) struct GuestForm {
    buttons: bool,
    max_characters: usize,
}

impl GuestForm {
    pub(super) fn new() -> Self {
        Self { buttons: true, max_characters: MAX_TEXT }
    }

    /// Leaves out the part that was refused; `false` when only the text is left.
    pub(super) fn simplify(&mut self, error: &ApiError) -> bool {
        match error.kind() {
            ErrorKind::Part(MessagePart::Length) => halve(&mut self.max_characters),
            _ => std::mem::take(&mut self.buttons),
        }
    }

    pub(super) fn request(&self, target: GuestTarget<'_>, answer: &Answer) -> ApiRequest {
        let text = shortened(&answer.text, self.max_characters);
        let keyboard = keyboard(answer, false).filter(|_| self.buttons);
        let with_keyboard = |mut fields: Value| {
            if let Some(keyboard) = &keyboard {
                fields["reply_markup"] = json!(keyboard);
            }
            fields
        };
        match target {
            GuestTarget::Query(query) => {
                let content = json!({ "message_text": text, "link_preview_options": no_preview() });
                let result = json!({
                    "type": "article", "id": "answer", "title": "FaceGuesser", "input_message_content": content
                });
                let fields = json!({ "guest_query_id": query, "result": with_keyboard(result) });
                ApiRequest::untyped("answerGuestQuery", fields)
            }
            GuestTarget::Message(message) => {
                let fields =
                    json!({ "inline_message_id": message, "text": text, "link_preview_options": no_preview() });
                ApiRequest::untyped("editMessageText", with_keyboard(fields))
            }
        }
    }
}

/// A text of at most `max_characters` as Telegram counts them, in UTF-16 units.
fn shortened(text: &str, max_characters: usize) -> String {
    let excess = text.encode_utf16().count().saturating_sub(text.chars().count());
    clipped(text, max_characters.saturating_sub(excess.min(max_characters / 2)))
}

/// The pictures of an answer. A text that is too long for a caption is sent without them, because it describes the
/// faces in order.
fn cards(answer: &Answer) -> &[Card] {
    if fits_caption(&answer.text) { &answer.cards } else { &[] }
}

fn fits_caption(text: &str) -> bool {
    text.encode_utf16().count() <= MAX_CAPTION
}

/// One of the pictures that are uploaded with a request.
fn picture(index: usize) -> InputFile {
    InputFile::file_id(FileId(format!("{PICTURE}{index}")))
}

/// The buttons of an answer; those that need the photo only if the answer replies to it.
fn keyboard(answer: &Answer, replies_to_photo: bool) -> Option<InlineKeyboardMarkup> {
    let rows = answer.buttons.iter().map(|row| {
        let usable = row.iter().filter(|button| replies_to_photo || !button.action.needs_photo());
        usable.map(|button| InlineKeyboardButton::callback(&button.label, button.action.code())).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.filter(|row| !row.is_empty()).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

/// No link previews: a name on the scoreboard may look like a link.
fn no_preview() -> LinkPreviewOptions {
    LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    }
}
