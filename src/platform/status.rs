//! The operator's view over HTTP: `/healthz` says that the program is alive, `/readyz` whether every platform accepts
//! the bot and answers it, `/metrics` what Prometheus reads.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connections::{self, ConnectionLimits};
use crate::observe::health::health;
use crate::observe::metrics::{MEDIA_TYPE, metrics as all_metrics};

/// Serves all three on a listener of their own until `shutdown`.
pub async fn run(listener: TcpListener, shutdown: CancellationToken) {
    let router = health_routes().route("/metrics", get(async || metrics()));
    connections::serve(listener, ConnectionLimits::default(), |_| router.clone(), &shutdown).await;
}

/// The two routes that anybody may request: they reveal only the names of platforms and whether these answer.
pub(super) fn health_routes() -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(async || readiness()))
}

fn readiness() -> Response {
    let platforms = health().platforms();
    let problems: Vec<String> = platforms
        .iter()
        .filter_map(|platform| Some(format!("{}: {}", platform.name, platform.problem.as_ref()?)))
        .collect();
    let is_ready = problems.is_empty();
    let each: Map<_, _> = platforms
        .into_iter()
        .map(|platform| (platform.name.to_owned(), platform.problem.unwrap_or_else(|| "ready".to_owned()).into()))
        .collect();
    let (code, status) = match is_ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let body = json!({ "status": status, "reasons": problems, "platforms": each });
    (code, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The text that Prometheus reads.
pub(super) fn metrics() -> Response {
    ([(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")], all_metrics().encode()).into_response()
}
