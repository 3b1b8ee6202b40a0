//! Receives events: requests the next batch once the jobs of the last one are stored.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use ruma::api::client::filter::{FilterDefinition, RoomEventFilter, RoomFilter};
use ruma::api::client::message::get_message_events;
use ruma::api::client::sync::sync_events::v3::{self as sync, Timeline};
use ruma::{OwnedRoomId, UInt};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::api::Api;
use super::dispatch::is_recent;
use super::error::MatrixError;
use super::handler::Handler;
use super::incoming::RoomEvent;
use super::options::MatrixOptions;
use super::refusals::{ApiError, refusal};
use super::session::{self, FIRST_PAUSE, LONGEST_PAUSE};
use crate::platform::refusal::Refusal;

/// How long the homeserver may hold a batch while there are no events.
const POLL_TIMEOUT: Duration = Duration::from_secs(25);
/// After a failure, an answer soon shows that the homeserver is back, even where no event is waiting.
const POLL_TIMEOUT_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The most events of one room in a batch; older ones are asked for.
const BATCH: u32 = 50;
/// How many times older events of a room are requested, and how many at once.
const MAX_PAGES: usize = 10;
const PAGE: u32 = 100;
/// Of how many rooms they are asked for at the same time.
const MAX_LOOKUPS: usize = 8;
/// How long this may take for all rooms of a batch. What cannot be looked up until then is not answered.
const HISTORY_LIMIT: Duration = Duration::from_secs(180);
/// The kinds of events that the bot needs.
const KINDS: [&str; 4] = ["m.room.message", "m.room.encrypted", "m.room.redaction", "m.room.member"];

/// Receives events and handles them until `shutdown`.
pub(super) async fn receive(
    handler: &Arc<Handler>,
    options: &MatrixOptions,
    shutdown: &CancellationToken,
) -> Result<(), MatrixError> {
    loop {
        let mut since = handler.progress().since.clone();
        let batch = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            batch = next_batch(&handler.api, options, &mut since) => batch?,
        };
        tokio::select! {
            // The next start is sent the rest of the batch again.
            () = shutdown.cancelled() => return Ok(()),
            () = handle_batch(handler, batch.rooms, since.as_deref()) => {}
        }
        let progress = {
            let mut progress = handler.progress();
            progress.since = Some(batch.next_batch);
            progress.clone()
        };
        progress.save(&handler.bot).await;
    }
}

/// The next batch after `since`, with growing pauses between attempts, until the homeserver answers or refuses the
/// account. One that does not know `since`, or has nothing after it that can be received, begins anew, which sets it to
/// `None`.
async fn next_batch(
    api: &Api,
    options: &MatrixOptions,
    since: &mut Option<String>,
) -> Result<sync::Response, MatrixError> {
    let mut pause = FIRST_PAUSE;
    let mut poll = POLL_TIMEOUT;
    let mut limit = BATCH;
    loop {
        // The first batch has no events to wait for; of it, only the invitations are used.
        let hold = if since.is_some() { poll } else { Duration::ZERO };
        let mut request = sync::Request::new();
        request.filter = Some(filter(if since.is_some() { limit } else { 1 }).into());
        request.since = since.clone();
        request.timeout = Some(hold);
        let error = match api.send_held(request, hold).await {
            Ok(batch) => return Ok(batch),
            Err(error) => error,
        };
        if error.is_invalid_token() {
            // Somebody removed the device: with a password, the bot logs in again.
            session::log_in(api, options).await?;
            info!("logged in to Matrix again");
            // Another bot with this account may do the same.
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            continue;
        }
        if matches!(error, ApiError::InvalidResponse { status: 200, .. }) {
            match fewer(limit, pause) {
                Some(fewer) => limit = fewer,
                None => *since = None,
            }
        }
        let mut wait = pause;
        match refusal(&error) {
            Refusal::Retry { after } => wait = after.unwrap_or_default().max(pause),
            // The homeserver does not know `since`: its database is new, and there is nothing to catch up with.
            Refusal::Simplify if matches!(error, ApiError::Refused { status: 400, .. }) => *since = None,
            _ => {}
        }
        warn!(%error, pause_s = wait.as_secs(), "the next events on Matrix could not be received, trying again");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        poll = POLL_TIMEOUT_AFTER_FAILURE;
    }
}

/// How many events of each room to ask for after a batch with `limit` of them was too large or could not be parsed.
/// `None` if not even single ones can be received, for longer than a proxy's page takes the homeserver's place.
fn fewer(limit: u32, pause: Duration) -> Option<u32> {
    (limit > 1 || pause < LONGEST_PAUSE).then_some((limit / 4).max(1))
}

/// What the bot needs of a batch, with at most `limit` events of each room.
fn filter(limit: u32) -> FilterDefinition {
    let mut room = RoomFilter::empty();
    (room.account_data, room.ephemeral, room.state) =
        (RoomEventFilter::ignore_all(), RoomEventFilter::ignore_all(), RoomEventFilter::ignore_all());
    room.timeline = event_filter();
    room.timeline.limit = Some(limit.into());
    let mut filter = FilterDefinition::ignore_all();
    filter.room = room;
    filter
}

fn event_filter() -> RoomEventFilter {
    let mut filter = RoomEventFilter::empty();
    filter.types = Some(KINDS.map(str::to_owned).into());
    filter
}

async fn handle_batch(handler: &Arc<Handler>, rooms: sync::Rooms, since: Option<&str>) {
    for (room, _) in rooms.invite {
        if handler.progress().add_invite(&room) {
            handler.start_joining(room);
        }
    }
    for (room, _) in rooms.leave {
        handler.progress().remove_invite(&room);
        let handler = handler.clone();
        handler.clone().tasks.spawn(async move { handler.forget(room).await });
    }
    // What was said before the bot came is not for it.
    let Some(since) = since else { return };
    let deadline = Instant::now() + HISTORY_LIMIT;
    let lookups = rooms.join.into_iter().map(|(room, joined)| {
        let (handler, since) = (handler.clone(), since.to_owned());
        async move {
            let events = events(&handler, &room, joined.timeline, &since, deadline).await;
            (room, events)
        }
    });
    let mut lookups = pin!(stream::iter(lookups).buffer_unordered(MAX_LOOKUPS));
    while let Some((room, events)) = lookups.next().await {
        for event in events {
            handler.handle_event(&room, event).await;
        }
    }
}

/// The events of a room since the last batch, and since the bot was invited, oldest first.
async fn events(
    handler: &Handler,
    room: &OwnedRoomId,
    timeline: Timeline,
    since: &str,
    deadline: Instant,
) -> Vec<RoomEvent> {
    if timeline.limited {
        // Who has come or gone may be among what cannot be looked up.
        handler.rooms.members_changed(room);
    }
    let mut events: Vec<RoomEvent> = timeline.events.iter().filter_map(RoomEvent::from_raw).collect();
    let arrival = |events: &[RoomEvent]| events.iter().rposition(|event| is_arrival(event, handler.me.user.as_str()));
    let mut start = arrival(&events);
    let mut from = timeline.prev_batch.filter(|_| timeline.limited && start.is_none());
    for _ in 0..MAX_PAGES {
        let Some(token) = from.take() else { break };
        let mut request = get_message_events::v3::Request::backward(room.clone()).from(token);
        (request.to, request.limit, request.filter) = (Some(since.to_owned()), UInt::from(PAGE), event_filter());
        let page = match handler.api.send_within(request, deadline.saturating_duration_since(Instant::now())).await {
            Ok(page) => page,
            Err(error) => {
                warn!(%error, "earlier messages of a room on Matrix could not be received and are not answered");
                break;
            }
        };
        let mut older: Vec<RoomEvent> = page.chunk.iter().filter_map(RoomEvent::from_raw).collect();
        older.reverse();
        let is_old = older.first().is_some_and(|event| sent(event).is_some_and(|sent| !is_recent(sent)));
        events.splice(..0, older);
        start = arrival(&events);
        from = page.end.filter(|_| !is_old && start.is_none());
    }
    if from.is_some() {
        debug!("a room on Matrix has more messages than are looked at");
    }
    events.split_off(start.unwrap_or(0))
}

/// Whether the bot was invited, or joined without an invitation: not merely a change of its profile.
fn is_arrival(event: &RoomEvent, me: &str) -> bool {
    let RoomEvent::Member { user, membership, before } = event else { return false };
    let was = before.as_deref();
    user == me && (membership == "invite" || membership == "join" && !matches!(was, Some("join" | "invite")))
}

fn sent(event: &RoomEvent) -> Option<i64> {
    match event {
        RoomEvent::Message(message) => Some(message.sent),
        RoomEvent::Encrypted { sent, .. } => Some(*sent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_cannot_be_received_is_asked_for_in_ever_smaller_parts_and_given_up_after_a_minute() {
        let (mut limit, mut pause, mut waited) = (Some(BATCH), FIRST_PAUSE, Duration::ZERO);
        let mut limits = Vec::new();
        while let Some(last) = limit {
            limits.push(last);
            waited += pause;
            limit = fewer(last, pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        assert_eq!(limits, [50, 12, 3, 1, 1, 1, 1]);
        assert!(waited >= Duration::from_secs(60), "{waited:?}");
    }

    #[test]
    fn the_bots_arrival_is_no_change_of_its_profile() {
        let member = |membership: &str, before: Option<&str>| RoomEvent::Member {
            user: "@me:a.example".into(),
            membership: membership.into(),
            before: before.map(Into::into),
        };
        let arrives = |membership, before| is_arrival(&member(membership, before), "@me:a.example");
        assert!(arrives("invite", None) && arrives("join", Some("leave")) && arrives("join", None));
        assert!(!arrives("join", Some("join")) && !arrives("join", Some("invite")) && !arrives("leave", Some("join")));
        assert!(!is_arrival(&member("invite", None), "@other:a.example"));
    }
}
