//! `POST /api/guess`: takes one photo in a multipart form and returns one JSON object.
//!
//! Owns reading the form within its limits, and the status of each kind of answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{interval, timeout};

use super::body::{Meter, MeteredBody};
use super::options::WebOptions;
use super::visitor::{self, ClientAddr};
use crate::bot::actions::{Action, Button};
use crate::bot::languages::Language;
use crate::bot::people::Platform;
use crate::bot::{Bot, Card, CardPolicy, PhotoReport, PhotoSource, Problem, Reply, ReplyOptions};
use crate::inference::InferenceError;
use crate::photo::PhotoError;

/// Allowance for the rest of the form: boundaries, part headers, other fields.
const FORM_BYTES: u64 = 64 << 10;
/// The most characters of a file name; longer names are cut.
pub(super) const MAX_NAME: usize = 100;
/// The most characters of a reply. The page scrolls, but a crowd's list must still end.
const MAX_TEXT: usize = 4000;
/// The step in which an upload's buffer grows, in bytes.
const BUFFER_STEP: usize = 256 << 10;
/// How often an upload's pace is checked.
const CHECK_PACE: Duration = Duration::from_secs(1);
/// The `Retry-After` of "busy".
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

const NOT_A_FORM: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-not-a-form");
const NOT_A_NUMBER: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-not-a-number");
const SEVERAL_PHOTOS: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-several-photos");
const INTERRUPTED: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-interrupted");
const TIMED_OUT: RequestError = RequestError::Form(StatusCode::REQUEST_TIMEOUT, "upload-timed-out");

/// Why a request has no photo that can be answered.
pub(super) enum RequestError {
    /// A problem with the photo, answered like those of the bot.
    Problem(Problem),
    /// An invalid form: the status and the id of the message.
    Form(StatusCode, &'static str),
}

/// The state that all requests share.
pub(super) struct GuessState {
    pub(super) bot: Arc<Bot>,
    options: WebOptions,
    /// One permit per byte of photo in memory.
    memory: Arc<Semaphore>,
}

/// An uploaded photo, and the permits for the memory that it uses.
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) photo: Bytes,
    /// The number in the field `face`; 0 without one.
    pub(super) face: u16,
    pub(super) _memory: Option<OwnedSemaphorePermit>,
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
    /// Of each face, from left to right, if there are several.
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

/// The route: the photo is in the field `photo`; `?card=1` requests what the page shows, and `?action=` what a button
/// does, by its identifier.
pub(super) fn route(bot: Arc<Bot>, options: WebOptions) -> MethodRouter {
    let state = Arc::new(GuessState::new(bot, options));
    post(answer).layer(DefaultBodyLimit::max(state.body_limit())).with_state(state)
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
    let options = ReplyOptions { max_characters: MAX_TEXT, card, max_cards: 1 };
    let (name, reply) = match state.upload(request).await {
        Ok(Upload { name, photo, _memory, .. }) => {
            let photo = PhotoSource::Bytes(photo);
            if let Some(code) = button {
                let action = Action::from_code(&code, Platform::Telegram).filter(Action::needs_photo);
                let Some(action) = action else {
                    return form_error(StatusCode::BAD_REQUEST, "upload-not-a-form", style.language, started.elapsed());
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

impl GuessState {
    pub(super) fn new(bot: Arc<Bot>, options: WebOptions) -> Self {
        Self { memory: bot.photo_memory(), bot, options }
    }

    /// The most bytes of a form.
    pub(super) fn body_limit(&self) -> usize {
        let photo_limit = usize::try_from(self.options.photo_bytes).unwrap_or(usize::MAX);
        photo_limit.saturating_add(FORM_BYTES as usize)
    }

    /// Reads the form within the time that an upload may take.
    pub(super) async fn upload(&self, request: Request) -> Result<Upload, RequestError> {
        timeout(self.options.upload_timeout, self.read_form(request)).await.unwrap_or(Err(TIMED_OUT))
    }

    async fn read_form(&self, request: Request) -> Result<Upload, RequestError> {
        let content_length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if content_length.is_some_and(|length: u64| length > self.options.photo_bytes.saturating_add(FORM_BYTES)) {
            return Err(self.too_large());
        }
        let meter = Meter::new(FORM_BYTES);
        let request = request.map(|body| Body::from_stream(MeteredBody::new(body, meter.clone())));
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| NOT_A_FORM)?;
        let (mut upload, mut face) = (None, 0);
        while let Some(mut field) = self.within_pause(&meter, form.next_field()).await? {
            if field.name() == Some("face") {
                let number = self.within_pause(&meter, field.chunk()).await?.unwrap_or_default();
                face =
                    std::str::from_utf8(&number).ok().and_then(|text| text.trim().parse().ok()).ok_or(NOT_A_NUMBER)?;
                continue;
            }
            if field.name() != Some("photo") {
                continue;
            }
            if upload.is_some() {
                return Err(SEVERAL_PHOTOS);
            }
            upload = Some(self.read_photo(&meter, field).await?);
        }
        let upload = upload.ok_or(RequestError::Problem(Problem::NoPhoto))?;
        Ok(Upload { face, ..upload })
    }

    async fn read_photo(&self, meter: &Meter, mut field: Field<'_>) -> Result<Upload, RequestError> {
        let name = sanitise_name(field.file_name().unwrap_or_default());
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let mut photo = Vec::new();
        while let Some(chunk) = self.within_pause(meter, field.chunk()).await? {
            meter.credit(chunk.len());
            if (photo.len() + chunk.len()) as u64 > self.options.photo_bytes {
                return Err(self.too_large());
            }
            let permits = u32::try_from(chunk.len())
                .ok()
                .and_then(|bytes| self.memory.clone().try_acquire_many_owned(bytes).ok());
            let Some(permits) = permits else {
                return Err(RequestError::Problem(Problem::Inference(InferenceError::Overloaded)));
            };
            match &mut memory {
                Some(memory) => memory.merge(permits),
                None => memory = Some(permits),
            }
            if photo.capacity() - photo.len() < chunk.len() {
                // Doubling would allocate up to twice the granted memory.
                photo.reserve_exact(chunk.len().max(BUFFER_STEP));
            }
            photo.extend_from_slice(&chunk);
        }
        Ok(Upload { name, photo: photo.into(), face: 0, _memory: memory })
    }

    /// Waits for the next piece of a form, at most as long as a client may pause.
    async fn within_pause<T>(
        &self,
        meter: &Meter,
        piece: impl Future<Output = Result<T, MultipartError>>,
    ) -> Result<T, RequestError> {
        let mut piece = pin!(piece);
        let mut progress = interval(CHECK_PACE);
        let arrived = timeout(self.options.pause_timeout, async {
            loop {
                tokio::select! {
                    piece = &mut piece => return Some(piece),
                    _ = progress.tick() => if meter.is_too_slow() { return None },
                }
            }
        });
        match arrived.await {
            Ok(Some(Ok(piece))) => Ok(piece),
            Ok(Some(Err(error))) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(self.too_large()),
            Ok(Some(Err(_))) if meter.is_interrupted() => Err(INTERRUPTED),
            Ok(Some(Err(_))) => Err(NOT_A_FORM),
            Ok(None) | Err(_) => Err(TIMED_OUT),
        }
    }

    fn too_large(&self) -> RequestError {
        let limit = self.options.photo_bytes;
        // The real size is unknown, because the rest of the photo is not read.
        let error = PhotoError::TooManyBytes { bytes: limit.saturating_add(1), limit };
        RequestError::Problem(Problem::Inference(InferenceError::Photo(error)))
    }
}

/// A client's file name made safe to show: without folders, control characters and characters that
/// change the writing direction; "photo" if nothing is left.
pub(super) fn sanitise_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_allowed = |c: &char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = last.chars().filter(is_allowed).take(MAX_NAME).collect();
    if name.trim_matches(['.', ' ']).is_empty() { "photo".to_owned() } else { name }
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

/// A duration in milliseconds with two decimals.
pub(super) fn milliseconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e5).round() / 100.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_loses_its_folders_and_unsafe_characters() {
        assert_eq!(sanitise_name("../../etc/passwd"), "passwd");
        assert_eq!(sanitise_name("C:\\photos\\me.jpg"), "me.jpg");
        assert_eq!(sanitise_name("me\u{202e}gpj.\r\n.jpg"), "megpj..jpg");
        assert_eq!(sanitise_name("Grüße aus Wien.jpg"), "Grüße aus Wien.jpg");
        for nothing in ["", "..", "folder/", "\0"] {
            assert_eq!(sanitise_name(nothing), "photo");
        }
        assert_eq!(sanitise_name(&"x".repeat(5000)).len(), MAX_NAME);
    }
}
