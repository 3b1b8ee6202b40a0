//! The optional key (`web.api_key`) without which neither the API nor the pages answer.
//!
//! Programs send it as `Authorization: Bearer KEY` or `X-Api-Key: KEY`. Browsers are asked for it as the password of
//! HTTP Basic authentication (RFC 7617), with any user name, and then send it with every request of the page: so the
//! page works for those who know the key. A key for the API alone would protect nothing while everybody could use the
//! page.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::visitor;
use crate::platform::secret::constant_time_eq;

/// What a client is asked for: browsers use the first, programs either.
const CHALLENGES: [&str; 2] = [r#"Basic realm="FaceGuesser", charset="UTF-8""#, r#"Bearer realm="FaceGuesser""#];

/// Answers only requests with the key, if there is one.
pub(super) fn protected(router: Router, key: Option<Arc<SecretString>>) -> Router {
    let Some(key) = key else { return router };
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let key = key.clone();
        async move {
            if is_known(request.headers(), key.expose_secret()) { next.run(request).await } else { refusal(&request) }
        }
    }))
}

fn refusal(request: &Request) -> Response {
    let language = visitor::language(request.uri(), request.headers()).unwrap_or_default();
    let message = language.message("key-needed");
    let mut response = match request.uri().path().starts_with("/api/") {
        true => Json(json!({ "error": message, "text": message })).into_response(),
        false => format!("{message}\n").into_response(),
    };
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for challenge in CHALLENGES {
        response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

fn is_known(headers: &HeaderMap, key: &str) -> bool {
    let given = headers.get("x-api-key").or_else(|| headers.get(AUTHORIZATION)).map(HeaderValue::as_bytes);
    let Some(given) = given else { return false };
    let password = scheme(given, b"basic ").and_then(|pair| STANDARD.decode(pair).ok()).and_then(|pair| {
        let colon = pair.iter().position(|byte| *byte == b':')?;
        Some(pair[colon + 1..].to_vec())
    });
    let given = password.as_deref().or_else(|| scheme(given, b"bearer ")).unwrap_or(given);
    constant_time_eq(given, key.as_bytes())
}

/// What follows an authentication scheme, whose case does not matter.
fn scheme<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_taken_from_every_documented_header_and_nothing_else_is_let_in() {
        let known = |name: &'static str, value: &str| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            is_known(&headers, "correct horse battery")
        };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(known("x-api-key", "correct horse battery"));
        assert!(known("authorization", "Bearer correct horse battery"));
        assert!(known("authorization", "bearer  correct horse battery"));
        assert!(known("authorization", &basic("anyone:correct horse battery")));
        assert!(known("authorization", &basic(":correct horse battery")));
        for wrong in ["", "Bearer", "Bearer ", "Bearer correct", "Basic", "Basic !", &basic("correct horse battery")] {
            assert!(!known("authorization", wrong), "{wrong}");
        }
        assert!(!known("x-api-key", "") && !known("cookie", "correct horse battery"));
        assert!(!is_known(&HeaderMap::new(), "correct horse battery"));
    }
}
