//! The rules of the client-server API that a stand-in homeserver applies: what a batch and a page of history hold, and
//! what a message needs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::matrix::ME;
use super::matrix_server::{Entry, Homeserver, INVALID};

/// The largest event (client-server API, size limits).
const LARGEST_EVENT: usize = 65_536;

/// What happened after `since`; without it, the rooms with their last events, and the invitations.
pub fn batch(state: &Homeserver, since: Option<usize>, limit: usize, kinds: &[Value]) -> Value {
    let start = since.unwrap_or(0);
    let (mut join, mut invite, mut leave) = (json!({}), json!({}), json!({}));
    for entry in &state.stream[start..] {
        match entry {
            Entry::Invited { room } if !state.is_member(room) => {
                invite[room] = json!({ "invite_state": { "events": [] } })
            }
            Entry::Left { room } if !state.is_member(room) => leave[room] = json!({ "timeline": { "events": [] } }),
            _ => {}
        }
    }
    for room in state.rooms.keys().filter(|room| state.is_member(room)) {
        let is_mine = |event: &Value| event["type"] == "m.room.member" && event["state_key"] == ME;
        // The history of a room that was joined since then comes with it.
        let has_joined = state
            .events(room)
            .any(|(place, event)| place >= start && is_mine(event) && event["content"]["membership"] == "join");
        let from = if has_joined { 0 } else { start };
        let new: Vec<_> =
            state.events(room).filter(|(place, event)| *place >= from && kinds.contains(&event["type"])).collect();
        let shown = &new[new.len().saturating_sub(limit)..];
        if let Some((place, _)) = shown.first() {
            let events: Vec<&Value> = shown.iter().map(|(_, event)| *event).collect();
            let timeline =
                json!({ "events": events, "limited": shown.len() < new.len(), "prev_batch": format!("p{place}") });
            join[room] = json!({ "timeline": timeline, "state": { "events": [] } });
        }
    }
    json!({ "next_batch": format!("s{}", state.stream.len()), "rooms": { "join": join, "invite": invite, "leave": leave } })
}

/// A page of a room's history before `from`, newest first.
pub fn page(state: &Homeserver, room: &str, query: &BTreeMap<String, String>) -> Option<Value> {
    let place = |name: &str, start: char| query.get(name)?.strip_prefix(start)?.parse::<usize>().ok();
    let to = place("to", 's')?;
    // A page may be empty although there are more: the first of each look-up is.
    if let Some(from) = place("from", 'p') {
        return Some(json!({ "start": query["from"], "end": format!("e{from}"), "chunk": [] }));
    }
    let from = place("from", 'e')?;
    let limit: usize = query.get("limit")?.parse().ok()?;
    let filter: Value = serde_json::from_str(query.get("filter")?).ok()?;
    let kinds = filter["types"].as_array()?;
    if query.get("dir")? != "b" {
        return None;
    }
    let older =
        state.events(room).rev().filter(|(place, event)| (to..from).contains(place) && kinds.contains(&event["type"]));
    let chunk: Vec<_> = older.take(limit).collect();
    let end = chunk.last().filter(|_| chunk.len() == limit).map(|(place, _)| format!("e{place}"));
    let events: Vec<&Value> = chunk.iter().map(|(_, event)| *event).collect();
    Some(json!({ "start": query["from"], "end": end, "chunk": events }))
}

/// Checks what clients and servers need of a message.
pub fn check_message(state: &Homeserver, room: &str, content: &Value) -> Result<(), (u16, &'static str)> {
    let has_text = |key: &str| content[key].as_str().is_some_and(|text| !text.is_empty());
    let is_form = match content["msgtype"].as_str() {
        Some("m.notice") => has_text("body"),
        Some("m.image") => {
            let info = &content["info"];
            let is_uploaded = content["url"].as_str().is_some_and(|uri| state.uploads.contains(uri));
            let is_described = info["mimetype"] == "image/jpeg" && info["w"].is_u64() && info["h"].is_u64();
            has_text("body") && has_text("filename") && is_uploaded && is_described && info["size"].is_u64()
        }
        _ => false,
    };
    let exists = |id: &Value| id.as_str().is_some_and(|id| state.event(room, id).is_some());
    let relation = &content["m.relates_to"];
    let is_related = exists(&relation["m.in_reply_to"]["event_id"])
        && (relation["rel_type"].is_null() || relation["rel_type"] == "m.thread" && exists(&relation["event_id"]));
    if content.to_string().len() > LARGEST_EVENT {
        return Err((413, "M_TOO_LARGE"));
    }
    if is_form && is_related { Ok(()) } else { Err(INVALID) }
}
