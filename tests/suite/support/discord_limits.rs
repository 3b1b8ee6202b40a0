//! Discord's limits on the parts of a message and on the rate of requests.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Describes which parts of a message exceed a limit.
pub fn message_fault(message: &Value, files: usize) -> Option<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let mut sizes = Vec::new();
    let mut check = |what: &'static str, is: usize, most: usize| sizes.push((what, is, most));
    check("content", length(&message["content"]), 2000);
    check("files", files, 10);
    check("attachments", list(&message["attachments"]).len(), 10);
    let embeds = list(&message["embeds"]);
    check("embeds", embeds.len(), 10);
    check("all embeds", embeds.iter().map(|embed| length(&embed["description"])).sum(), 6000);
    for embed in &embeds {
        check("description", length(&embed["description"]), 4096);
    }
    let rows = list(&message["components"]);
    check("rows", rows.len(), 5);
    let mut ids = Vec::new();
    for row in &rows {
        let buttons = list(&row["components"]);
        check("buttons in a row", buttons.len(), 5);
        for button in buttons {
            check("label", length(&button["label"]), 80);
            check("custom_id", length(&button["custom_id"]), 100);
            ids.push(button["custom_id"].to_string());
        }
    }
    for attachment in list(&message["attachments"]) {
        check("file description", length(&attachment["description"]), 1024);
    }
    let too_large = sizes.into_iter().filter(|(_, is, most)| is > most);
    let mut faults: Vec<String> = too_large.map(|(what, is, most)| format!("{what}: {is} of at most {most}")).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    if ids.len() < all {
        faults.push("two buttons share an identifier".into());
    }
    let empty = message.is_object() && message.get("content").is_some() && length(&message["content"]) == 0;
    if empty && embeds.is_empty() && files == 0 {
        faults.push("an empty message".into());
    }
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// How many requests a bucket allows in one window, as for messages on Discord.
const BUCKET_LIMIT: usize = 5;
const WINDOW: Duration = Duration::from_secs(5);
/// How many requests are allowed in one second over all buckets.
const GLOBAL_LIMIT: usize = 50;

/// Enforces rate limits and counts 429s.
#[derive(Default)]
pub struct Limits {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When each bucket's window began, and its requests so far.
    windows: HashMap<String, (Option<Instant>, usize)>,
    all: VecDeque<Instant>,
    in_a_row: HashMap<String, usize>,
    most_in_a_row: usize,
    refused: usize,
}

impl Limits {
    /// Counts a request; the rate-limit headers of its response, or a 429.
    pub fn take(&self, method: &str, path: &str) -> Result<HeaderMap, Box<Response>> {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        if path.starts_with("/interactions") || path.starts_with("/webhooks") || path.starts_with("/gateway") {
            return Ok(HeaderMap::new());
        }
        while state.all.front().is_some_and(|first| now - *first >= Duration::from_secs(1)) {
            state.all.pop_front();
        }
        // A bucket is an endpoint and a channel, whatever the message.
        let parts: Vec<&str> = path.split('/').collect();
        let bucket = format!("{method} {} {}", parts.get(2).unwrap_or(&""), parts.get(3).unwrap_or(&""));
        if state.all.len() >= GLOBAL_LIMIT {
            let wait = Duration::from_secs(1) - (now - *state.all.front().unwrap());
            return Err(Box::new(state.refuse(bucket, wait, true)));
        }
        let (begun, count) = state.windows.entry(bucket.clone()).or_default();
        if begun.is_none_or(|begun| now - begun >= WINDOW) {
            (*begun, *count) = (Some(now), 0);
        }
        let left = WINDOW - (now - begun.unwrap_or(now));
        if *count >= BUCKET_LIMIT {
            return Err(Box::new(state.refuse(bucket, left, false)));
        }
        *count += 1;
        let remaining = BUCKET_LIMIT - *count;
        state.all.push_back(now);
        state.in_a_row.remove(&bucket);
        let headers = [
            ("x-ratelimit-bucket", method.to_owned() + parts.get(3).unwrap_or(&"")),
            ("x-ratelimit-limit", BUCKET_LIMIT.to_string()),
            ("x-ratelimit-remaining", remaining.to_string()),
            ("x-ratelimit-reset-after", format!("{:.3}", left.as_secs_f64())),
        ];
        Ok(headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
    }

    /// The most consecutive 429s in one bucket, and the number of all 429s.
    pub fn refusals(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.most_in_a_row, state.refused)
    }
}

impl State {
    fn refuse(&mut self, bucket: String, wait: Duration, all: bool) -> Response {
        let in_a_row = self.in_a_row.entry(bucket).or_default();
        *in_a_row += 1;
        self.most_in_a_row = self.most_in_a_row.max(*in_a_row);
        self.refused += 1;
        let seconds = wait.as_secs_f64();
        let body = json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": all });
        let mut answer = (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response();
        let headers = answer.headers_mut();
        headers.insert("retry-after", format!("{}", seconds.ceil()).parse().unwrap());
        if all {
            headers.insert("x-ratelimit-global", "true".parse().unwrap());
        }
        answer
    }
}
