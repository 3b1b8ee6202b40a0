//! Reads photos out of requests within limits of bytes, memory and time: the body itself, or the fields `photo` of a
//! multipart form.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval, timeout, timeout_at};

use super::body::{Meter, MeteredBody};
use super::options::WebOptions;
use super::visitor;
use crate::bot::{Bot, Problem};
use crate::inference::InferenceError;
use crate::photo::PhotoError;

/// Allowance for the rest of the form: boundaries, part headers, other fields.
const FORM_BYTES: u64 = 64 << 10;
/// The most characters of a file name; longer names are cut.
pub(super) const MAX_NAME: usize = 100;
/// The most photos of one request.
pub(super) const MAX_PHOTOS: usize = 10;
/// The step in which an upload's buffer grows, in bytes.
const BUFFER_STEP: usize = 256 << 10;
/// How often an upload's pace is checked.
const CHECK_PACE: Duration = Duration::from_secs(1);

const NOT_A_FORM: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-not-a-form");
const NOT_A_NUMBER: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-not-a-number");
const SEVERAL_PHOTOS: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-several-photos");
const TOO_MANY_PHOTOS: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-too-many-photos");
const INTERRUPTED: RequestError = RequestError::Form(StatusCode::BAD_REQUEST, "upload-interrupted");
const TIMED_OUT: RequestError = RequestError::Form(StatusCode::REQUEST_TIMEOUT, "upload-timed-out");

/// Why a request has no photo that can be answered.
pub(super) enum RequestError {
    /// A problem with the photo, answered like those of the bot.
    Problem(Problem),
    /// An invalid request: the status and the id of the message.
    Form(StatusCode, &'static str),
}

/// Reads uploads.
pub(super) struct Uploads {
    options: WebOptions,
    /// One permit per byte of photo in memory.
    memory: Arc<Semaphore>,
}

/// An uploaded photo, and the permits for the memory that it uses.
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) photo: Bytes,
    /// The number of a face, from the form's field or the query's parameter `face`; 0 without one.
    pub(super) face: u16,
    pub(super) _memory: Option<OwnedSemaphorePermit>,
}

/// Where a photo's bytes come from.
enum Pieces<'a> {
    Field(Box<Field<'a>>),
    Body(MeteredBody),
}

/// Why the next piece of a request did not arrive.
enum PieceError {
    TooLarge,
    Invalid,
}

impl From<MultipartError> for PieceError {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE { Self::TooLarge } else { Self::Invalid }
    }
}

impl Pieces<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, PieceError> {
        match self {
            Self::Field(field) => Ok(field.chunk().await?),
            Self::Body(body) => body.next().await.transpose().map_err(|_| PieceError::Invalid),
        }
    }
}

/// The photos of one form, read one at a time, so that those before need not be kept.
pub(super) struct Photos<'a> {
    uploads: &'a Uploads,
    meter: Arc<Meter>,
    form: Multipart,
    count: usize,
    /// When all of them must have been read.
    deadline: Instant,
}

impl Photos<'_> {
    /// The next photo; `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Upload>, RequestError> {
        timeout_at(self.deadline, self.read()).await.unwrap_or(Err(TIMED_OUT))
    }

    async fn read(&mut self) -> Result<Option<Upload>, RequestError> {
        while let Some(field) = self.uploads.within_pause(&self.meter, self.form.next_field()).await? {
            if field.name() != Some("photo") {
                continue;
            }
            if self.count == MAX_PHOTOS {
                return Err(TOO_MANY_PHOTOS);
            }
            self.count += 1;
            return self.uploads.read_field(&self.meter, field).await.map(Some);
        }
        if self.count == 0 { Err(RequestError::Problem(Problem::NoPhoto)) } else { Ok(None) }
    }
}

impl Uploads {
    pub(super) fn new(bot: &Bot, options: WebOptions) -> Self {
        Self { memory: bot.photo_memory(), options }
    }

    /// The most bytes of a request with this many photos.
    pub(super) fn body_limit(&self, photos: usize) -> usize {
        let photo_limit = usize::try_from(self.options.photo_bytes).unwrap_or(usize::MAX);
        photo_limit.saturating_mul(photos).saturating_add(FORM_BYTES as usize)
    }

    /// Reads one photo within the time that an upload may take.
    pub(super) async fn one(&self, request: Request) -> Result<Upload, RequestError> {
        let read = async {
            if is_photo(request.headers()) { self.read_body(request).await } else { self.read_form(request).await }
        };
        timeout(self.options.upload_timeout, read).await.unwrap_or(Err(TIMED_OUT))
    }

    /// The photos of a form, of which at most [`MAX_PHOTOS`] are read.
    pub(super) async fn several(&self, request: Request) -> Result<Photos<'_>, RequestError> {
        let deadline = Instant::now() + self.options.upload_timeout;
        let (meter, form) = self.form(request, MAX_PHOTOS).await?;
        Ok(Photos { uploads: self, meter, form, count: 0, deadline })
    }

    async fn read_body(&self, request: Request) -> Result<Upload, RequestError> {
        let face = match visitor::parameter(request.uri(), "face") {
            Some(number) => number.trim().parse().map_err(|_| NOT_A_NUMBER)?,
            None => 0,
        };
        let meter = self.meter(&request, 1)?;
        let body = Pieces::Body(MeteredBody::new(request.into_body(), meter.clone()));
        Ok(Upload { face, ..self.read_photo(&meter, "", body).await? })
    }

    async fn read_form(&self, request: Request) -> Result<Upload, RequestError> {
        let (meter, mut form) = self.form(request, 1).await?;
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
            upload = Some(self.read_field(&meter, field).await?);
        }
        let upload = upload.ok_or(RequestError::Problem(Problem::NoPhoto))?;
        Ok(Upload { face, ..upload })
    }

    /// The meter of a request's body, unless its length says that it is too large.
    fn meter(&self, request: &Request, photos: usize) -> Result<Arc<Meter>, RequestError> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > self.body_limit(photos) as u64) {
            return Err(self.too_large());
        }
        Ok(Meter::new(FORM_BYTES))
    }

    /// The form of a request with at most this many photos.
    async fn form(&self, request: Request, photos: usize) -> Result<(Arc<Meter>, Multipart), RequestError> {
        let meter = self.meter(&request, photos)?;
        let request = request.map(|body| Body::from_stream(MeteredBody::new(body, meter.clone())));
        let form = Multipart::from_request(request, &()).await.map_err(|_| NOT_A_FORM)?;
        Ok((meter, form))
    }

    async fn read_field(&self, meter: &Meter, field: Field<'_>) -> Result<Upload, RequestError> {
        let name = field.file_name().unwrap_or_default().to_owned();
        self.read_photo(meter, &name, Pieces::Field(Box::new(field))).await
    }

    async fn read_photo(&self, meter: &Meter, name: &str, mut pieces: Pieces<'_>) -> Result<Upload, RequestError> {
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let mut photo = Vec::new();
        while let Some(piece) = self.within_pause(meter, pieces.next()).await? {
            meter.credit(piece.len());
            if (photo.len() + piece.len()) as u64 > self.options.photo_bytes {
                return Err(self.too_large());
            }
            let permits = u32::try_from(piece.len())
                .ok()
                .and_then(|bytes| self.memory.clone().try_acquire_many_owned(bytes).ok());
            let Some(permits) = permits else {
                return Err(RequestError::Problem(Problem::Inference(InferenceError::Overloaded)));
            };
            match &mut memory {
                Some(memory) => memory.merge(permits),
                None => memory = Some(permits),
            }
            if photo.capacity() - photo.len() < piece.len() {
                // Doubling would allocate up to twice the granted memory.
                photo.reserve_exact(piece.len().max(BUFFER_STEP));
            }
            photo.extend_from_slice(&piece);
        }
        Ok(Upload { name: sanitise_name(name), photo: photo.into(), face: 0, _memory: memory })
    }

    /// Waits for the next piece of a request, at most as long as a client may pause.
    async fn within_pause<T, E: Into<PieceError>>(
        &self,
        meter: &Meter,
        piece: impl Future<Output = Result<T, E>>,
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
            Ok(Some(Err(error))) => Err(match error.into() {
                PieceError::TooLarge => self.too_large(),
                PieceError::Invalid if meter.is_interrupted() => INTERRUPTED,
                PieceError::Invalid => NOT_A_FORM,
            }),
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

/// Whether the body is a photo itself rather than a form.
fn is_photo(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    kind.starts_with("image/") || kind.split(';').next().is_some_and(|kind| kind.trim() == "application/octet-stream")
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
