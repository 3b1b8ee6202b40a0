//! What the homeserver knows about rooms: how many are in them, and who may change their settings.

use std::time::Duration;

use ruma::api::client::membership::joined_members;
use ruma::api::client::state::get_state_event_for_key::v3 as get_state;
use ruma::events::StateEventType;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::Value;
use tracing::warn;

use super::api::Api;
use super::ids::number;
use super::refusals::ApiError;
use crate::platform::fifo_cache::FifoCache;

/// How long questions about rooms are repeated.
pub(super) const LOOKUP_LIMIT: Duration = Duration::from_secs(60);
/// For how many rooms the number of members is cached.
const CAPACITY: usize = 10_000;
/// What changing a room's settings takes where the room does not say (client-server API, m.room.power_levels).
const MODERATOR: i64 = 50;
/// From this version on, whoever created a room may do everything in it, without a power level.
const CREATORS_SINCE: u32 = 12;

pub(super) struct Rooms {
    api: Api,
    /// The number of joined members; `None` once they have changed.
    members: FifoCache<i64, Option<usize>>,
}

impl Rooms {
    pub(super) fn new(api: Api) -> Self {
        Self { api, members: FifoCache::new(CAPACITY) }
    }

    /// The number of joined members, if it is known.
    pub(super) fn known_members(&self, room: &RoomId) -> Option<usize> {
        self.members.get(number(room.as_str())).flatten()
    }

    /// Notes that members have come or gone.
    pub(super) fn members_changed(&self, room: &RoomId) {
        self.members.insert(number(room.as_str()), None);
    }

    /// The number of joined members, the bot included.
    pub(super) async fn members(&self, room: &OwnedRoomId) -> Result<usize, ApiError> {
        if let Some(known) = self.known_members(room) {
            return Ok(known);
        }
        let request = joined_members::v3::Request::new(room.clone());
        let members = self.api.send_within(request, LOOKUP_LIMIT).await?.joined.len();
        self.members.insert(number(room.as_str()), Some(members));
        Ok(members)
    }

    /// Whether a user may change the settings of a room; `false` if that cannot be determined.
    pub(super) async fn is_admin(&self, room: &OwnedRoomId, user: &UserId) -> bool {
        let Some(levels) = self.state(room, StateEventType::RoomPowerLevels).await else { return false };
        let level = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let own = levels["users"].get(user.as_str()).and_then(level).or_else(|| level(&levels["users_default"]));
        own.unwrap_or(0) >= level(&levels["state_default"]).unwrap_or(MODERATOR).max(1)
            || self.has_created(room, user, levels.is_null()).await
    }

    /// Whether a user may do everything in a room because they created it: also before `CREATORS_SINCE` where there
    /// are no power levels.
    async fn has_created(&self, room: &OwnedRoomId, user: &UserId, lacks_levels: bool) -> bool {
        let Some(create) = self.state(room, StateEventType::RoomCreate).await else { return false };
        let content = &create["content"];
        let version = content["room_version"].as_str().and_then(|version| version.parse::<u32>().ok());
        let more = content["additional_creators"].as_array();
        let is_creator =
            create["sender"] == user.as_str() || more.is_some_and(|more| more.contains(&user.as_str().into()));
        is_creator && (lacks_levels || version.is_some_and(|version| version >= CREATORS_SINCE))
    }

    /// The content of a state event, or, of the one that created the room, the whole event: null if there is none, and
    /// `None` if the homeserver does not tell.
    async fn state(&self, room: &OwnedRoomId, kind: StateEventType) -> Option<Value> {
        let is_whole = kind == StateEventType::RoomCreate;
        let mut request = get_state::Request::new(room.clone(), kind, String::new());
        request.format =
            if is_whole { get_state::StateEventFormat::Event } else { get_state::StateEventFormat::Content };
        match self.api.send_within(request, LOOKUP_LIMIT).await {
            Ok(state) => serde_json::from_str(state.event_or_content.get()).ok(),
            Err(ApiError::Refused { status: 404, .. }) => Some(Value::Null),
            Err(error) => {
                warn!(%error, "whether a user may change the settings of a room could not be determined");
                None
            }
        }
    }
}
