//! `POST /api/explain`: takes one photo, and the number of a face, in a multipart form and returns what the network
//! sees in that face as one JSON object. Limits and statuses are those of `/api/guess`.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use serde_json::{Value, json};

use super::guess::{CardJson, GuessState, respond, status};
use super::options::WebOptions;
use super::upload::{RequestError, Upload};
use super::visitor::{self, ClientAddr};
use crate::bot::{Bot, PhotoSource, explanation_report};
use crate::observe::milliseconds;

/// The route: the photo is the body or in the field `photo`, the face's number, in the order of the answer, from 1, in the
/// query's or the form's `face`; `?card=1` requests the cards.
pub(super) fn route(bot: Arc<Bot>, options: WebOptions) -> MethodRouter {
    let state = Arc::new(GuessState::new(bot, options));
    post(answer).layer(DefaultBodyLimit::max(state.uploads.body_limit(1))).with_state(state)
}

async fn answer(
    State(state): State<Arc<GuessState>>,
    Extension(client): Extension<ClientAddr>,
    request: Request,
) -> Response {
    let flow = client.flow(request.headers());
    let started = Instant::now();
    let uri = request.uri();
    let card = visitor::parameter(uri, "card").is_some_and(|value| value == "1");
    let style = state.bot.default_style(visitor::language(uri, request.headers()));
    let (name, explained) = match state.uploads.one(request).await {
        Ok(Upload { name, photo, face, _memory }) => {
            let face = usize::from(face.max(1)) - 1;
            (name, state.bot.explain(flow, PhotoSource::Bytes(photo), face, &style, card).await)
        }
        Err(RequestError::Problem(problem)) => (String::new(), Err(problem)),
        Err(RequestError::Form(code, id)) => {
            return respond(code, refusal("", &style.language.message(id), started));
        }
    };
    match explained {
        Ok(explained) => {
            let mut json = json!({
                "photo": name,
                "elapsed_ms": milliseconds(started.elapsed()),
                "error": null,
                "text": explained.answer.text,
                "explanation": explanation_report::report(&explained.explanation, &style),
            });
            if card {
                json["cards"] = explained.answer.cards.iter().map(|card| json!(CardJson::from(card))).collect();
            }
            respond(StatusCode::OK, json)
        }
        Err(problem) => {
            let message = problem.message(style.language);
            respond(status(&problem), refusal(&name, &message, started))
        }
    }
}

fn refusal(name: &str, message: &str, started: Instant) -> Value {
    json!({
        "photo": name,
        "elapsed_ms": milliseconds(started.elapsed()),
        "error": message,
        "text": message,
        "explanation": null,
    })
}
