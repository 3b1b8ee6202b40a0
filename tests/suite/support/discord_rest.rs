//! The REST interface and the file host of a stand-in Discord.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::discord::{STORED_AT, Shared, happened};
use super::discord_faults::{Fault, cut, violation};
use super::discord_gateway::gateway_info;
use super::discord_limits::message_fault;
use super::discord_state::Outcome;
use super::inbox::{RecordedRequest, parse_request};

/// The endpoint that renews attachment links, which Discord's OpenAPI specification omits.
const REFRESH: &str = "/attachments/refresh-urls";

pub async fn attachment(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let what = format!("fetched {name}");
    let fault = shared.faults.next(&what);
    let stale = query.is_some_and(|query| query.contains("ex=1")) && shared.expired.lock().unwrap().contains(&name);
    let record = if fault.is_some() || stale { format!("failed {what}") } else { what };
    let _ = shared.asked.send(happened(record));
    if stale {
        return StatusCode::NOT_FOUND.into_response();
    }
    match (shared.files.clone().take(name).await, fault) {
        (Some(bytes), Some(Fault::Cut { at })) => cut(&bytes, at),
        (_, Some(fault)) => fault.response(),
        (Some(bytes), None) => bytes.into_response(),
        (None, None) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A profile picture; Discord has sizes that are powers of two.
pub async fn avatar(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let size = query.as_deref().and_then(|query| query.strip_prefix("size=")?.parse::<u32>().ok());
    if !size.is_some_and(|size| (16..=4096).contains(&size) && size.is_power_of_two()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let name = path.rsplit('/').next().unwrap().to_owned();
    let _ = shared.asked.send(happened(format!("fetched {path}")));
    let picture = shared.files.clone().take(name).await;
    picture.map_or(StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

fn refused(status: StatusCode, message: &str, code: u64) -> Response {
    (status, axum::Json(json!({ "message": message, "code": code }))).into_response()
}

pub async fn rest(State(shared): State<Arc<Shared>>, Path(path): Path<String>, request: Request) -> Response {
    let path = format!("/{path}");
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 32 << 20).await.unwrap_or_default();
    let method = head.method.as_str().to_lowercase();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let what = format!("{method} {path}");
    if let Some((status, fault)) = violation(&method, &path, &head.headers, &body) {
        if status != StatusCode::UNAUTHORIZED {
            let _ = shared
                .asked
                .send(RecordedRequest { body: fault.clone().into(), ..happened(format!("refused {what}")) });
        }
        return refused(status, &fault, 0);
    }
    let (mut body, files) = parse_request(Request::from_parts(head, body.into())).await;
    if let Some(payload) = body.get_mut("payload_json") {
        body = payload.take();
    }
    let limits = match shared.limits.as_ref().map(|limits| limits.take(&method, &path)) {
        Some(Err(refusal)) => return *refusal,
        Some(Ok(headers)) => headers,
        None => Default::default(),
    };
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    if let Some(fault) = shared.fault((&method, &path, &query), &body, &names) {
        let _ = shared.asked.send(RecordedRequest {
            body: fault.clone().into(),
            files,
            ..happened(format!("refused {what}"))
        });
        return refused(StatusCode::BAD_REQUEST, &fault, 50035);
    }
    let used = |part: &&str| body[*part].as_array().is_some_and(|part| !part.is_empty());
    if shared.forbidden.lock().unwrap().iter().any(used) {
        let _ = shared.asked.send(RecordedRequest { body, files, ..happened(format!("forbidden {what}")) });
        return refused(StatusCode::FORBIDDEN, "Missing Permissions", 50013);
    }
    let fault = shared.faults.next(&what);
    if let Some(fault @ (Fault::Refused(..) | Fault::Page(_))) = &fault {
        let _ = shared.asked.send(RecordedRequest { body, files, ..happened(format!("failed {what}")) });
        return fault.response();
    }
    let outcome = match path.as_str() {
        "/gateway" | "/gateway/bot" => Outcome::answer(gateway_info(&shared)),
        REFRESH => Outcome::answer(refreshed(&body)),
        path => {
            let largest = files.values().map(Bytes::len).max().unwrap_or(0);
            shared.state.check_upload(path, largest).and_then(|()| shared.state.carry_out(&method, path, &body))
        }
    };
    let Outcome { answer, stored_at, duplicate } = match outcome {
        Ok(outcome) => outcome,
        Err((status, code)) => {
            let _ = shared.asked.send(RecordedRequest { body, files, ..happened(format!("unmet {what}")) });
            return refused(StatusCode::from_u16(status).unwrap(), "not found", code);
        }
    };
    if !stored_at.is_empty() {
        body[STORED_AT] = stored_at.into();
    }
    let what = if duplicate { format!("duplicate {what}") } else { what };
    let _ = shared.asked.send(RecordedRequest { what, body, files });
    let answer = match answer {
        _ if fault.is_some() => fault.unwrap().response(),
        Value::Null => StatusCode::NO_CONTENT.into_response(),
        answer => axum::Json(answer).into_response(),
    };
    (limits, answer).into_response()
}

/// The response with fresh links.
fn refreshed(body: &Value) -> Value {
    let links = body["attachment_urls"].as_array().cloned().unwrap_or_default();
    let fresh = |link: &Value| {
        let fresh = link.as_str().unwrap_or_default().replace("ex=1", "ex=2");
        json!({ "original": link, "refreshed": fresh })
    };
    json!({ "refreshed_urls": links.iter().map(fresh).collect::<Vec<_>>() })
}

impl Shared {
    /// Describes how a request violates Discord's specification or a limit.
    fn fault(&self, (method, path, query): (&str, &str, &str), body: &Value, files: &[&str]) -> Option<String> {
        if path == REFRESH {
            let links = body["attachment_urls"].as_array().is_some_and(|links| !links.is_empty() && links.len() <= 50);
            return (method != "post" || !links).then(|| "1 to 50 attachment_urls are required".into());
        }
        let invalid = self.api.as_ref().and_then(|api| api.check(method, path, query, body, files).err());
        let message = if path.ends_with("/callback") { &body["data"] } else { body };
        invalid.or_else(|| message_fault(message, files.len()))
    }
}
