//! The page "How it works": its files, and what its figures ask the network.
//!
//! `POST /api/learn/guess` returns the network's answer for a crop. The body is the crop, 128×128 grey bytes.
//! `?off=96&draws=16&seed=1` also guesses with 96 of the last layer's features switched off, in 16 random draws;
//! `&strongest=1` switches off the strongest instead.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Duration, timeout};

use super::site::{CSS, JAVASCRIPT};
use super::visitor::ClientAddr;
use crate::bot::{Bot, DropoutOptions};

/// The page's main part.
pub(super) const PAGE: &str = include_str!("learn/how.html");

const JPEG: &str = "image/jpeg";

/// The files that it loads: path, type and content.
pub(super) const ASSETS: [(&str, &str, &[u8]); 20] = [
    ("/learn/how.css", CSS, include_bytes!("learn/how.css")),
    ("/learn/how.js", JAVASCRIPT, include_bytes!("learn/how.js")),
    ("/learn/ages.js", JAVASCRIPT, include_bytes!("learn/ages.js")),
    ("/learn/breaking.js", JAVASCRIPT, include_bytes!("learn/breaking.js")),
    ("/learn/dropout.js", JAVASCRIPT, include_bytes!("learn/dropout.js")),
    ("/learn/face.js", JAVASCRIPT, include_bytes!("learn/face.js")),
    ("/learn/filter.js", JAVASCRIPT, include_bytes!("learn/filter.js")),
    ("/learn/layers.js", JAVASCRIPT, include_bytes!("learn/layers.js")),
    ("/learn/overfitting.js", JAVASCRIPT, include_bytes!("learn/overfitting.js")),
    ("/learn/plot.js", JAVASCRIPT, include_bytes!("learn/plot.js")),
    ("/learn/probe.js", JAVASCRIPT, include_bytes!("learn/probe.js")),
    ("/learn/shower.js", JAVASCRIPT, include_bytes!("learn/shower.js")),
    ("/learn/split.js", JAVASCRIPT, include_bytes!("learn/split.js")),
    ("/learn/view.js", JAVASCRIPT, include_bytes!("learn/view.js")),
    ("/learn/zoom.js", JAVASCRIPT, include_bytes!("learn/zoom.js")),
    ("/learn/overfitting.csv", "text/csv; charset=utf-8", include_bytes!("learn/overfitting.csv")),
    ("/learn/woman.jpg", JPEG, include_bytes!("learn/woman.jpg")),
    ("/learn/man.jpg", JPEG, include_bytes!("learn/man.jpg")),
    ("/learn/girl.jpg", JPEG, include_bytes!("learn/girl.jpg")),
    ("/learn/elder.jpg", JPEG, include_bytes!("learn/elder.jpg")),
];

/// Its style sheet and script, as elements of the head. The scripts that this one imports are fetched along with it,
/// not each once another has named it.
pub(super) fn head() -> String {
    let scripts = ASSETS.iter().map(|(path, ..)| *path).filter(|path| path.ends_with(".js"));
    let preload = |path: &str| format!(r#"<link rel="modulepreload" href="{path}">"#);
    let preloads: String = std::iter::once("/dom.js").chain(scripts).map(preload).collect();
    format!(
        r#"<link rel="stylesheet" href="/learn/how.css">{preloads}<script type="module" src="/learn/how.js"></script>"#
    )
}

/// A crop fits in one or two packets; a slower upload is refused.
const UPLOAD_TIME: Duration = Duration::from_secs(15);
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// Bytes of a crop: 128×128 grey pixels.
const CROP_BYTES: usize = 128 * 128;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    off: usize,
    draws: usize,
    seed: u64,
    strongest: u8,
}

/// The route.
pub(super) fn route(bot: Arc<Bot>) -> MethodRouter {
    post(answer).with_state(bot)
}

async fn answer(
    State(bot): State<Arc<Bot>>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
    body: Body,
) -> Response {
    let Ok(Query(Parameters { off, draws, seed, strongest })) = parameters else {
        return refusal(StatusCode::BAD_REQUEST, "the parameters are off, draws, seed and strongest, whole numbers");
    };
    let crop = match timeout(UPLOAD_TIME, to_bytes(body, CROP_BYTES)).await {
        Ok(Ok(crop)) if crop.len() == CROP_BYTES => crop,
        Ok(_) => return refusal(StatusCode::BAD_REQUEST, "the body has to be 128×128 grey bytes"),
        Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the upload took too long"),
    };
    let options = DropoutOptions { off, draws, seed, strongest: strongest != 0 };
    match bot.probe(client.flow(&headers), crop, options).await {
        Ok(probe) => ([(CACHE_CONTROL, "no-store")], Json(probe)).into_response(),
        Err(error) => {
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
            response
        }
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(json!({ "error": message }))).into_response()
}
