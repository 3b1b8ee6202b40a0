//! `POST /api/guess`: one photo in a multipart form, one JSON object back.
//!
//! Owns the reading of the form under its limits, and the status of each kind of answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LENGTH, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::WebOptions;
use crate::bot::languages::Language;
use crate::bot::{Bot, Card, CardWhen, PhotoReport, PhotoSource, Problem, Reply, ReplyOptions};
use crate::inference::{FlowId, InferenceError};
use crate::photo::PhotoError;

/// Room for what a form has beside the photo: boundaries, part headers, other fields.
const FORM_BYTES: u64 = 64 << 10;
/// Longer names say nothing more to a person.
pub(super) const NAME_CHARACTERS: usize = 100;
/// The page scrolls; a crowd's list ends all the same.
const TEXT_CHARACTERS: usize = 4000;
/// How far an upload's buffer grows at a time.
const GROWTH: usize = 256 << 10;
/// When to come back after "busy".
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

const NOT_A_FORM: RequestError =
    RequestError::Form(StatusCode::BAD_REQUEST, "Please send the photo as a form with one file field named \"photo\".");
const SEVERAL: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "Please send one photo at a time.");
const BROKEN_OFF: RequestError =
    RequestError::Form(StatusCode::BAD_REQUEST, "The upload broke off before its end. Please send the photo again.");
const STALLED: RequestError = RequestError::Form(
    StatusCode::REQUEST_TIMEOUT,
    "The upload took too long, so I stopped waiting. Please try again.",
);

/// Why a request holds no photo to answer.
enum RequestError {
    /// One of the bot's own problems.
    Problem(Problem),
    /// The request itself is amiss: the status and a kind sentence.
    Form(StatusCode, &'static str),
}

/// What answering photos takes, shared by all requests.
struct Desk {
    bot: Arc<Bot>,
    options: WebOptions,
    /// One permit a byte of photo in memory.
    memory: Arc<Semaphore>,
}

/// Where a visitor's connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor(pub IpAddr);

impl Visitor {
    /// The share of the workers that its photos take: behind a reverse proxy on this machine, that
    /// of the address that the proxy names last.
    pub(super) fn flow(self, headers: &HeaderMap) -> FlowId {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back().filter(|_| self.0.is_loopback());
        let named = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        FlowId::of(&named.unwrap_or(self.0))
    }
}

/// A photo as it came, and the memory it was granted.
struct Upload {
    name: String,
    photo: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

/// The keys of `guess --json`, the reply's words, and the annotated picture when asked for.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: PhotoReport,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<CardJson>,
}

#[derive(Serialize)]
struct CardJson {
    jpeg_base64: String,
    alternative_text: String,
}

impl From<&Card> for CardJson {
    fn from(card: &Card) -> Self {
        Self { jpeg_base64: STANDARD.encode(&card.jpeg), alternative_text: card.alternative_text.clone() }
    }
}

/// The route: a photo in the field `photo`, and `?card=1` for the annotated picture.
pub(super) fn route(bot: Arc<Bot>, options: WebOptions) -> MethodRouter {
    let largest = usize::try_from(options.photo_bytes).unwrap_or(usize::MAX);
    let body_limit = largest.saturating_add(FORM_BYTES as usize);
    let desk = Arc::new(Desk { memory: bot.photo_memory(), bot, options });
    post(answer).layer(DefaultBodyLimit::max(body_limit)).with_state(desk)
}

async fn answer(State(desk): State<Arc<Desk>>, Extension(visitor): Extension<Visitor>, request: Request) -> Response {
    let flow = visitor.flow(request.headers());
    let started = Instant::now();
    let wants_card = request
        .uri()
        .query()
        .is_some_and(|query| url::form_urlencoded::parse(query.as_bytes()).any(|(key, is)| key == "card" && is == "1"));
    let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    let style = desk.bot.style_for(accepted.and_then(Language::accepted));
    let received = timeout(desk.options.upload_timeout, desk.receive(request)).await.unwrap_or(Err(STALLED));
    let (name, reply) = match received {
        Ok(Upload { name, photo, _memory }) => {
            let card = if wants_card { CardWhen::AnyFace } else { CardWhen::Never };
            let options = ReplyOptions { max_characters: TEXT_CHARACTERS, card, max_cards: 1 };
            (name, desk.bot.guess(flow, PhotoSource::Bytes(photo), &style, options).await)
        }
        Err(RequestError::Problem(problem)) => (String::new(), desk.bot.refuse(problem, &style)),
        Err(RequestError::Form(status, sentence)) => return misread(status, sentence, started.elapsed()),
    };
    let report = desk.bot.report(&reply, &style, &name, started.elapsed());
    let status = reply.outcome.as_ref().map_or_else(status, |_| StatusCode::OK);
    let card = reply.card.as_ref().map(CardJson::from);
    let Reply { text, .. } = reply;
    respond(status, Answer { report, text, card })
}

impl Desk {
    async fn receive(&self, request: Request) -> Result<Upload, RequestError> {
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > self.options.photo_bytes.saturating_add(FORM_BYTES)) {
            return Err(self.too_large());
        }
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| NOT_A_FORM)?;
        let mut upload = None;
        while let Some(field) = self.soon(form.next_field()).await? {
            if field.name() != Some("photo") {
                continue;
            }
            if upload.is_some() {
                return Err(SEVERAL);
            }
            upload = Some(self.read(field).await?);
        }
        upload.ok_or(RequestError::Problem(Problem::NoPhoto))
    }

    async fn read(&self, mut field: Field<'_>) -> Result<Upload, RequestError> {
        let name = base_name(field.file_name().unwrap_or_default());
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let mut photo = Vec::new();
        while let Some(chunk) = self.soon(field.chunk()).await? {
            if (photo.len() + chunk.len()) as u64 > self.options.photo_bytes {
                return Err(self.too_large());
            }
            let granted = u32::try_from(chunk.len())
                .ok()
                .and_then(|bytes| self.memory.clone().try_acquire_many_owned(bytes).ok());
            let Some(granted) = granted else {
                return Err(RequestError::Problem(Problem::Inference(InferenceError::Overloaded)));
            };
            match &mut memory {
                Some(memory) => memory.merge(granted),
                None => memory = Some(granted),
            }
            if photo.capacity() - photo.len() < chunk.len() {
                // A vector that doubles would hold up to twice what it was granted.
                photo.reserve_exact(chunk.len().max(GROWTH));
            }
            photo.extend_from_slice(&chunk);
        }
        Ok(Upload { name, photo: photo.into(), _memory: memory })
    }

    /// Waits for the next piece of a form, but not for a client that stopped sending.
    async fn soon<T>(&self, piece: impl Future<Output = Result<T, MultipartError>>) -> Result<T, RequestError> {
        match timeout(self.options.pause_timeout, piece).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(self.too_large()),
            Ok(Err(_)) => Err(BROKEN_OFF),
            Err(_) => Err(STALLED),
        }
    }

    fn too_large(&self) -> RequestError {
        let limit = self.options.photo_bytes;
        // How large it is stays unknown: nobody counts what is not read.
        let error = PhotoError::TooManyBytes { bytes: limit.saturating_add(1), limit };
        RequestError::Problem(Problem::Inference(InferenceError::Photo(error)))
    }
}

/// The last part of a file name as a browser or script gave it, fit to be shown: no folders, no
/// control characters, none that turn the direction of writing.
pub(super) fn base_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = |c: &char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = last.chars().filter(shown).take(NAME_CHARACTERS).collect();
    if name.trim_matches(['.', ' ']).is_empty() { "photo".to_owned() } else { name }
}

fn misread(status: StatusCode, sentence: &str, elapsed: Duration) -> Response {
    let report = PhotoReport {
        photo: String::new(),
        width: None,
        height: None,
        cut_short: false,
        faces: Vec::new(),
        error: Some(sentence.to_owned()),
        elapsed_ms: (elapsed.as_secs_f64() * 1e5).round() / 100.0,
    };
    respond(status, Answer { report, text: sentence.to_owned(), card: None })
}

fn respond(status: StatusCode, answer: Answer) -> Response {
    let mut response = (status, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::NoPhoto | Problem::OptedOut | Problem::Gone | Problem::CannotWrite => StatusCode::BAD_REQUEST,
        Problem::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
        Problem::Store => StatusCode::INTERNAL_SERVER_ERROR,
        Problem::PlatformLimit { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Problem::Download(_) => StatusCode::BAD_GATEWAY,
        Problem::Inference(InferenceError::Photo(error)) => match error {
            PhotoError::NotAPicture { .. } | PhotoError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PhotoError::TooManyBytes { .. } | PhotoError::TooManyPixels { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            PhotoError::Empty | PhotoError::Truncated | PhotoError::Damaged { .. } | PhotoError::TooMuchWork => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        },
        Problem::Inference(InferenceError::Unreadable(_)) => StatusCode::UNPROCESSABLE_ENTITY,
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
    fn a_file_name_keeps_its_last_part_alone() {
        assert_eq!(base_name("../../etc/passwd"), "passwd");
        assert_eq!(base_name("C:\\photos\\me.jpg"), "me.jpg");
        assert_eq!(base_name("me\u{202e}gpj.\r\n.jpg"), "megpj..jpg");
        assert_eq!(base_name("Grüße aus Wien.jpg"), "Grüße aus Wien.jpg");
        for nothing in ["", "..", "folder/", "\0"] {
            assert_eq!(base_name(nothing), "photo");
        }
        assert_eq!(base_name(&"x".repeat(5000)).len(), NAME_CHARACTERS);
    }
}
