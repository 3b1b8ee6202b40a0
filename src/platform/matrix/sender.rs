//! Sends replies: first in full, then, where the homeserver refuses a part, without it.
//!
//! A reply's transaction id comes from the message that it answers: if it was sent and the program was killed before it
//! could note that, sending it again changes nothing.

use std::collections::HashMap;
use std::io::Cursor;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ruma::api::client::media::create_content;
use ruma::api::client::message::send_message_event;
use ruma::api::client::redact::redact_event;
use ruma::events::MessageLikeEventType;
use ruma::serde::Raw;
use ruma::{OwnedEventId, OwnedMxcUri, OwnedRoomId, OwnedUserId};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::api::Api;
use super::ids::{event_number, number};
use super::incoming::AUTOMATED;
use super::refusals::{ApiError, refusal};
use crate::bot::{Answer, Card};
use crate::platform::refusal::{Backoff, REPLY_DEADLINE, Refusal};

/// Idle rooms are removed when this many are tracked.
const SWEEP_AT: usize = 4096;
/// How long a message that the homeserver does not answer delays those of other rooms.
const TURN_LIMIT: Duration = Duration::from_secs(2);

/// Where a reply goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) room: OwnedRoomId,
    /// The message that asked.
    pub(super) request: OwnedEventId,
    /// The message that the reply refers to.
    pub(super) reply_to: OwnedEventId,
    /// The first message of the thread that it belongs to.
    pub(super) thread: Option<OwnedEventId>,
    pub(super) asker: OwnedUserId,
}

/// The result of sending a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PostOutcome {
    /// The reply's messages.
    Sent(Vec<OwnedEventId>),
    /// Nothing was sent, and a retry would not help.
    Undeliverable,
    /// The homeserver was unavailable for too long. The reply is still owed.
    Deferred,
}

pub(super) struct Sender {
    api: Api,
    /// Homeservers limit an account's messages, not a room's. Whoever waits is served in turn.
    turn: Mutex<()>,
    /// Held while a room's message waits for its turn and is sent, by number: a room with many messages delays another
    /// room by one.
    rooms: std::sync::Mutex<HashMap<i64, Arc<Mutex<()>>>>,
}

/// The parts that a message is sent with.
#[derive(Clone, Copy)]
struct Form {
    picture: bool,
    thread: bool,
    reply: bool,
}

impl Form {
    /// Leaves out the next part; `false` when none is left. The first message of an answer is then its text, further ones
    /// are nothing without their picture.
    fn simplify(&mut self, is_first: bool) -> bool {
        let picture = is_first.then_some(&mut self.picture);
        picture.into_iter().chain([&mut self.thread, &mut self.reply]).any(std::mem::take)
    }
}

impl Sender {
    pub(super) fn new(api: Api) -> Self {
        Self { api, turn: Mutex::default(), rooms: Default::default() }
    }

    /// Sends an answer: as pictures, the first one with the text as its caption, or as text. Failures are logged.
    pub(super) async fn post(&self, to: &Destination, answer: &Answer) -> PostOutcome {
        let mut pictures = Vec::new();
        for card in &answer.cards {
            match self.upload(&card.jpeg).await {
                Ok(uri) => pictures.push((card, uri)),
                Err(error) if matches!(refusal(&error), Refusal::Retry { .. }) => {
                    warn!(%error, "a picture could not be uploaded to Matrix in time");
                    return PostOutcome::Deferred;
                }
                Err(error) => debug!(%error, "a picture was refused, sending the text alone"),
            }
        }
        let mut sent = Vec::new();
        for part in 0..pictures.len().max(1) {
            match self.send_part(to, answer, &pictures, part).await {
                Ok(event) => sent.push(event),
                // What matters is in the first one.
                Err(error) if part > 0 => debug!(%error, "a further picture could not be sent to Matrix"),
                Err(error) => return undelivered(&error),
            }
        }
        PostOutcome::Sent(sent)
    }

    async fn send_part(
        &self,
        to: &Destination,
        answer: &Answer,
        pictures: &[(&Card, OwnedMxcUri)],
        part: usize,
    ) -> Result<OwnedEventId, ApiError> {
        let picture = pictures.get(part);
        let mut form = Form { picture: picture.is_some(), thread: to.thread.is_some(), reply: true };
        loop {
            let content = content(to, answer, picture.filter(|_| form.picture), part, form);
            let transaction = format!("{:016x}-{part}", event_number(&to.request));
            match self.send(to.room.clone(), &content, transaction).await {
                Err(error) if refusal(&error) == Refusal::Simplify && form.simplify(part == 0) => {
                    debug!(%error, "part of a reply was refused, sending it without");
                }
                result => return result,
            }
        }
    }

    /// Sends a message, and waits as long as the homeserver asks. After a rate limit, which is that of the account, all
    /// others wait as well; after other errors and after [`TURN_LIMIT`] without an answer, which may be due to the room,
    /// they go first.
    async fn send(&self, room: OwnedRoomId, content: &Value, transaction: String) -> Result<OwnedEventId, ApiError> {
        let content = serde_json::value::to_raw_value(content);
        let content = Raw::from_json(content.map_err(|error| ApiError::Network { reason: error.to_string() })?);
        let kind = MessageLikeEventType::RoomMessage;
        let room_turn = self.room_turn(number(room.as_str()));
        let request = send_message_event::v3::Request::new_raw(room, transaction.into(), kind, content);
        let _in_room = room_turn.lock().await;
        let mut turn = Some(self.turn.lock().await);
        let mut backoff = Backoff::with_limit(REPLY_DEADLINE);
        loop {
            let held = match turn.take() {
                Some(held) => held,
                None => self.turn.lock().await,
            };
            let mut attempt = pin!(self.api.send(request.clone()));
            let (answer, held) = match timeout(TURN_LIMIT, &mut attempt).await {
                Ok(answer) => (answer, Some(held)),
                Err(_) => {
                    drop(held);
                    (attempt.await, None)
                }
            };
            let error = match answer {
                Ok(response) => return Ok(response.event_id),
                Err(error) => error,
            };
            turn = held.filter(|_| error.status() == Some(429));
            match refusal(&error) {
                Refusal::Retry { after } if backoff.pause(after).await => {}
                _ => return Err(error),
            }
        }
    }

    fn room_turn(&self, room: i64) -> Arc<Mutex<()>> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() >= SWEEP_AT {
            rooms.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        rooms.entry(room).or_default().clone()
    }

    async fn upload(&self, jpeg: &Bytes) -> Result<OwnedMxcUri, ApiError> {
        let mut request = create_content::v3::Request::new(jpeg.to_vec());
        request.content_type = Some("image/jpeg".to_owned());
        request.filename = Some(file_name(0));
        Ok(self.api.send_within(request, REPLY_DEADLINE).await?.content_uri)
    }

    /// Removes messages of the bot.
    pub(super) async fn remove(&self, room: &OwnedRoomId, events: Vec<OwnedEventId>) {
        for event in events {
            let transaction = format!("{:016x}-removed", event_number(&event));
            let request = redact_event::v3::Request::new(room.clone(), event, transaction.into());
            if let Err(error) = self.api.send_within(request, REPLY_DEADLINE).await {
                debug!(%error, "a reply on Matrix could not be removed");
            }
        }
    }
}

fn undelivered(error: &ApiError) -> PostOutcome {
    match refusal(error) {
        Refusal::Gone | Refusal::Forbidden => debug!(%error, "the bot may not write in a room on Matrix"),
        Refusal::Simplify => warn!(%error, "the homeserver refused even the simplest form of a reply"),
        Refusal::Retry { .. } => {
            warn!(%error, "a reply could not be sent to Matrix in time");
            return PostOutcome::Deferred;
        }
    }
    PostOutcome::Undeliverable
}

/// The content of a message; `part` counts the pictures of one answer.
fn content(
    to: &Destination,
    answer: &Answer,
    picture: Option<&(&Card, OwnedMxcUri)>,
    part: usize,
    form: Form,
) -> Value {
    let mut content = match picture {
        // With a file name of its own, the body is a caption (since version 1.10 of the specification).
        Some((card, uri)) => json!({
            "msgtype": "m.image",
            "body": if part == 0 { answer.text.clone() } else { file_name(part) },
            "filename": file_name(part),
            "url": uri,
            "info": picture_info(&card.jpeg),
        }),
        // Bots do not answer notices, so that they do not talk to each other without end.
        None => json!({ "msgtype": "m.notice", "body": answer.text }),
    };
    content[AUTOMATED] = true.into();
    content["m.mentions"] = json!({ "user_ids": [to.asker] });
    let reply = json!({ "event_id": to.reply_to });
    match &to.thread {
        Some(root) if form.thread => {
            content["m.relates_to"] =
                json!({ "rel_type": "m.thread", "event_id": root, "is_falling_back": false, "m.in_reply_to": reply });
        }
        _ if form.reply => content["m.relates_to"] = json!({ "m.in_reply_to": reply }),
        _ => {}
    }
    content
}

/// What clients need to leave room for a picture before they have it.
fn picture_info(jpeg: &Bytes) -> Value {
    let mut info = json!({ "mimetype": "image/jpeg", "size": jpeg.len() });
    let reader = image::ImageReader::with_format(Cursor::new(jpeg), image::ImageFormat::Jpeg);
    if let Ok((width, height)) = reader.into_dimensions() {
        (info["w"], info["h"]) = (width.into(), height.into());
    }
    info
}

fn file_name(part: usize) -> String {
    if part == 0 { "faces.jpg".to_owned() } else { format!("faces-{}.jpg", part + 1) }
}
