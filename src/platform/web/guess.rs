//! `POST /api/guess` answers one photo with one JSON object, `POST /api/guesses` up to ten with a list of them.
//!
//! Owns the answers and the status of each kind; [`upload`](super::upload) reads the photos.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::options::WebOptions;
use super::upload::{MAX_PHOTOS, RequestError, Upload, Uploads};
use super::visitor::{self, ClientAddr};
use crate::bot::actions::{Action, Button};
use crate::bot::languages::Language;
use crate::bot::people::Platform;
use crate::bot::{Bot, Card, CardPolicy, PhotoReport, PhotoSource, Problem, Reply, ReplyOptions, ReplyStyle};
use crate::inference::{FlowId, InferenceError};
use crate::observe::milliseconds;
use crate::photo::PhotoError;

/// This platform's name in logs and metrics.
const PLATFORM: &str = "web";
/// The most characters of a reply. The page scrolls, but a crowd's list must still end.
const MAX_TEXT: usize = 4000;
/// The `Retry-After` of "busy".
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// The state that all requests share.
pub(super) struct GuessState {
    pub(super) bot: Arc<Bot>,
    pub(super) uploads: Uploads,
}

/// The keys of `guess --json`, the reply's text, and with `?card=1` what the page shows.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: PhotoReport,
    text: String,
    #[serde(flatten)]
    shown: Option<Shown>,
}

/// The answers to several photos.
#[derive(Serialize)]
struct Answers {
    photos: Vec<Answer>,
    elapsed_ms: f64,
}

/// The text in parts, the annotated picture and the buttons.
#[derive(Serialize)]
struct Shown {
    lead: String,
    lines: Vec<String>,
    /// What follows the lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<CardJson>,
    buttons: Vec<ButtonJson>,
    /// Of each face, in the order of `faces`, if there are several.
    face_buttons: Vec<ButtonJson>,
}

#[derive(Serialize)]
struct ButtonJson {
    action: String,
    label: String,
}

impl From<Button> for ButtonJson {
    fn from(button: Button) -> Self {
        Self { action: button.action.code(), label: button.label }
    }
}

/// The answer to a button.
#[derive(Serialize)]
struct ButtonAnswer {
    text: String,
    cards: Vec<CardJson>,
}

#[derive(Serialize)]
pub(super) struct CardJson {
    jpeg_base64: String,
    alternative_text: String,
}

impl From<&Card> for CardJson {
    fn from(card: &Card) -> Self {
        Self { jpeg_base64: STANDARD.encode(&card.jpeg), alternative_text: card.alternative_text.clone() }
    }
}

/// The route: the photo is the body or in the field `photo`; `?card=1` requests what the page shows, and `?action=`
/// what a button does, by its identifier.
pub(super) fn route(bot: Arc<Bot>, options: WebOptions) -> MethodRouter {
    let state = Arc::new(GuessState::new(bot, options));
    post(answer).layer(DefaultBodyLimit::max(state.uploads.body_limit(1))).with_state(state)
}

/// The route of several photos: the fields `photo` of one form, answered in their order.
pub(super) fn route_of_several(bot: Arc<Bot>, options: WebOptions) -> MethodRouter {
    let state = Arc::new(GuessState::new(bot, options));
    post(answer_several).layer(DefaultBodyLimit::max(state.uploads.body_limit(MAX_PHOTOS))).with_state(state)
}

async fn answer(
    State(state): State<Arc<GuessState>>,
    Extension(client): Extension<ClientAddr>,
    request: Request,
) -> Response {
    let flow = client.flow(request.headers());
    let started = Instant::now();
    let uri = request.uri();
    let shows_card = visitor::parameter(uri, "card").is_some_and(|value| value == "1");
    let button = visitor::parameter(uri, "action");
    let style = state.bot.default_style(visitor::language(uri, request.headers()));
    let card = if shows_card { CardPolicy::AnyFace } else { CardPolicy::Never };
    let options = ReplyOptions { platform: PLATFORM, max_characters: MAX_TEXT, card, max_cards: 1 };
    let (name, reply) = match state.uploads.one(request).await {
        Ok(Upload { name, photo, _memory, .. }) => {
            let photo = PhotoSource::Bytes(photo);
            if let Some(code) = button {
                let action = Action::from_code(&code, Platform::Telegram).filter(Action::needs_photo);
                let Some(action) = action else {
                    return form_error(
                        StatusCode::BAD_REQUEST,
                        "upload-unknown-action",
                        style.language,
                        started.elapsed(),
                    );
                };
                let answer = state.bot.handle_photo_button(flow, action, photo, &style, options).await;
                let cards = answer.cards.iter().map(CardJson::from).collect();
                return respond(StatusCode::OK, ButtonAnswer { text: answer.text, cards });
            }
            (name, state.bot.guess_alone(flow, photo, &style, options).await)
        }
        Err(RequestError::Problem(problem)) => (String::new(), state.bot.refuse(problem, &style)),
        Err(RequestError::Form(status, id)) => return form_error(status, id, style.language, started.elapsed()),
    };
    let report = state.bot.report(&reply, &style, &name, started.elapsed());
    let status = reply.outcome.as_ref().map_or_else(status, |_| StatusCode::OK);
    let shown = shows_card.then(|| {
        let (lead, lines, note) = match &reply.outcome {
            Ok(analysis) => style.guess_in_parts(analysis),
            Err(_) => (reply.text.clone(), Vec::new(), None),
        };
        let buttons = state.bot.buttons(&reply, &style).into_iter().map(ButtonJson::from).collect();
        let face_buttons = state.bot.face_buttons(&reply, &style).into_iter().map(ButtonJson::from).collect();
        Shown { lead, lines, note, card: reply.card.as_ref().map(CardJson::from), buttons, face_buttons }
    });
    let Reply { text, .. } = reply;
    respond(status, Answer { report, text, shown })
}

async fn answer_several(
    State(state): State<Arc<GuessState>>,
    Extension(client): Extension<ClientAddr>,
    request: Request,
) -> Response {
    let flow = client.flow(request.headers());
    let started = Instant::now();
    let style = state.bot.default_style(visitor::language(request.uri(), request.headers()));
    let options = ReplyOptions { platform: PLATFORM, max_characters: MAX_TEXT, card: CardPolicy::Never, max_cards: 1 };
    match guess_each(&state, flow, request, &style, options).await {
        Ok(photos) => respond(StatusCode::OK, Answers { photos, elapsed_ms: milliseconds(started.elapsed()) }),
        Err(RequestError::Problem(problem)) => {
            let code = status(&problem);
            let reply = state.bot.refuse(problem, &style);
            let report = state.bot.report(&reply, &style, "", started.elapsed());
            respond(code, Answer { report, text: reply.text, shown: None })
        }
        Err(RequestError::Form(code, id)) => form_error(code, id, style.language, started.elapsed()),
    }
}

/// Guesses the photos of a form one after the other, each before the next one is read.
async fn guess_each(
    state: &GuessState,
    flow: FlowId,
    request: Request,
    style: &ReplyStyle,
    options: ReplyOptions,
) -> Result<Vec<Answer>, RequestError> {
    let mut photos = state.uploads.several(request).await?;
    let mut answers = Vec::new();
    while let Some(Upload { name, photo, _memory, .. }) = photos.next().await? {
        let started = Instant::now();
        let reply = state.bot.guess(flow, PhotoSource::Bytes(photo), style, options).await;
        let report = state.bot.report(&reply, style, &name, started.elapsed());
        answers.push(Answer { report, text: reply.text, shown: None });
    }
    Ok(answers)
}

impl GuessState {
    pub(super) fn new(bot: Arc<Bot>, options: WebOptions) -> Self {
        Self { uploads: Uploads::new(&bot, options), bot }
    }
}

fn form_error(status: StatusCode, id: &str, language: Language, elapsed: Duration) -> Response {
    let message = language.message(id);
    let report = PhotoReport {
        photo: String::new(),
        width: None,
        height: None,
        cut_short: false,
        faces: Vec::new(),
        error: Some(message.clone()),
        elapsed_ms: milliseconds(elapsed),
    };
    respond(status, Answer { report, text: message, shown: None })
}

pub(super) fn respond(status: StatusCode, answer: impl Serialize) -> Response {
    let mut response = (status, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

pub(super) fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::NoPhoto
        | Problem::NoProfilePicture
        | Problem::OptedOut
        | Problem::PhotoGone
        | Problem::CannotWrite => StatusCode::BAD_REQUEST,
        Problem::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Problem::Store => StatusCode::INTERNAL_SERVER_ERROR,
        Problem::PlatformLimit { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Problem::Download(_) => StatusCode::BAD_GATEWAY,
        Problem::Inference(InferenceError::Photo(error)) => match error {
            PhotoError::NotAPicture { .. } | PhotoError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PhotoError::TooManyBytes { .. } | PhotoError::TooManyPixels { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            PhotoError::Empty | PhotoError::Truncated | PhotoError::Damaged { .. } | PhotoError::TimeLimit => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        },
        Problem::Inference(InferenceError::Unreadable(_) | InferenceError::NoSuchFace { .. }) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Problem::Interrupted
        | Problem::Inference(InferenceError::Overloaded | InferenceError::Stopped | InferenceError::Expired(_)) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Problem::Inference(InferenceError::Failed(_)) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
