//! Turns a photo into a reply; independent of any platform.
//!
//! A platform converts its messages to an [`Asker`] and [`PhotoSource`]s, and sends the [`Answer`].
//! [`wording`] turns numbers into sentences and [`problems`] errors, in one of the [`languages`];
//! [`card`] draws the annotated pictures, [`report`] writes JSON; `explanation` and
//! [`explanation_report`] do both for explanations. [`album`] answers albums
//! incrementally. [`commands`] and [`game`] handle requests without a photo, `photo_buttons` buttons
//! that need one. [`settings`] is what chats and people have chosen, [`store`] what has to be
//! persisted and [`sqlite`] how; [`rate_limit`] limits the rate of people and chats.

pub mod actions;
pub mod album;
pub mod card;
pub mod commands;
mod explanation;
pub mod explanation_report;
mod fair_semaphore;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod game;
pub mod jobs;
pub mod languages;
pub mod people;
mod photo_buttons;
mod photo_source;
pub mod problems;
pub mod rate_limit;
mod reply;
pub mod report;
pub mod settings;
pub mod sqlite;
pub mod store;
pub mod wording;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tracing::field::Empty;
use tracing::{Instrument, Span, error, info, info_span, warn};

use crate::download::{Downloader, cause};
use crate::inference::{FlowId, Pool};
use crate::observe::metrics::{Outcome, metrics};
use crate::observe::{Stage, record_stage};
use crate::photo::DecodeLimits;
use crate::{Analysis, Framing};
use actions::Button;
use fair_semaphore::FairSemaphore;
use jobs::Role;
use languages::Language;
use people::{Asker, ChatId, PersonId};
use photo_buttons::{face_buttons, photo_buttons};
use rate_limit::{Rate, RateLimited, RateLimiter};
use settings::{ChatSettings, GenderPolicy, SmilePolicy};
use store::{Store, StoreError};

pub use crate::explain::probe::{DropoutOptions, Probe};
pub use explanation::Explained;
pub use photo_source::{PhotoSource, RenewLink};
pub use problems::Problem;
pub use reply::{Answer, Card, CardPolicy, Certainty, Reply, ReplyOptions};
pub use report::PhotoReport;
pub use wording::ReplyStyle;

/// The operator's configuration.
#[derive(Debug, Clone)]
pub struct BotOptions {
    /// Limits of decoding photos to draw on them or to crop them.
    pub decode_limits: DecodeLimits,
    /// The confidence score in 0..=1 from which a guess counts as sure.
    pub confident: f32,
    /// The most open policy that chats and people can choose.
    pub gender: GenderPolicy,
    /// The probability from which [`GenderPolicy::Sure`] states a gender.
    pub gender_sure: f32,
    /// The most open policy that chats can choose.
    pub smile: SmilePolicy,
    /// The limit on photos of one person.
    pub person_rate: Rate,
    /// The limit on photos in one chat.
    pub chat_rate: Rate,
    /// The most photos from chats that are fetched and analysed concurrently; others wait.
    pub max_concurrent: usize,
}

impl BotOptions {
    fn style(&self) -> ReplyStyle {
        let Self { confident, gender, gender_sure, smile, .. } = *self;
        ReplyStyle { language: Language::English, gender, smile, confident, gender_sure }
    }
}

/// Answers photos, commands and buttons.
pub struct Bot {
    pool: Arc<Pool>,
    downloader: Downloader,
    store: Arc<dyn Store>,
    options: BotOptions,
    /// How replies are phrased where nobody has chosen otherwise; the most open policies that can be chosen.
    style: RwLock<ReplyStyle>,
    rate_limiter: RateLimiter,
    /// One permit for each photo from a chat being analysed. Whoever posts a thousand at once waits
    /// longer; without this the queue would be full and their photos would be refused.
    permits: FairSemaphore,
    role: Role,
    peers: Arc<AtomicU32>,
}

impl Bot {
    /// Photos are analysed in `pool` and fetched by `downloader`; settings, games and jobs are in `store`.
    pub fn new(pool: Arc<Pool>, downloader: Downloader, store: Arc<dyn Store>, options: BotOptions) -> Self {
        let rate_limiter = RateLimiter::new(options.person_rate, options.chat_rate);
        let permits = FairSemaphore::new(options.max_concurrent);
        let style = RwLock::new(options.style());
        let peers = Arc::new(AtomicU32::new(1));
        Self { pool, downloader, store, options, style, rate_limiter, permits, role: Role::All, peers }
    }

    /// How many processes share the platforms' rate limits, this one included: more than one only with
    /// a [role](Role).
    pub fn peers(&self) -> Arc<AtomicU32> {
        self.peers.clone()
    }

    /// The same bot with another role.
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Adopts the reply settings and rates of `options`. The limits on decoding and on concurrency stay.
    pub fn reconfigure(&self, options: &BotOptions) {
        *self.style.write().unwrap_or_else(PoisonError::into_inner) = options.style();
        self.rate_limiter.set_rates(options.person_rate, options.chat_rate);
    }

    fn configured_style(&self) -> ReplyStyle {
        *self.style.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory budget for photos that wait for their answer, one permit per byte; uploads and
    /// downloads share it.
    pub fn photo_memory(&self) -> Arc<Semaphore> {
        self.downloader.memory_budget()
    }

    /// How to reply to somebody: the chat's language takes precedence over the person's, and that over
    /// the client's; of the chat's, the person's and the operator's policies on gender and smile the most
    /// reserved ones apply.
    pub async fn reply_style(&self, asker: &Asker) -> ReplyStyle {
        let Asker { person, chat, language } = *asker;
        let settings = self.with_store(move |store| Ok((store.chat(chat)?, store.person(person)?))).await;
        let configured = self.configured_style();
        let (gender, smile, language) = match settings {
            Ok((chat, person)) => (
                configured.gender.max(chat.gender).max(person.gender),
                configured.smile.max(chat.smile),
                chat.language.or(person.language).or(language),
            ),
            // Their choice is unknown, so the most reserved policies apply.
            Err(_) => (GenderPolicy::Never, SmilePolicy::Never, language),
        };
        ReplyStyle { language: language.unwrap_or_default(), gender, smile, ..configured }
    }

    /// How to reply to somebody who has no stored settings.
    pub fn default_style(&self, language: Option<Language>) -> ReplyStyle {
        ReplyStyle { language: language.unwrap_or_default(), ..self.configured_style() }
    }

    /// What a chat's admins have chosen; the defaults when the store cannot be read.
    pub async fn chat_settings(&self, chat: ChatId) -> ChatSettings {
        self.with_store(move |store| store.chat(chat)).await.unwrap_or_default()
    }

    /// Whether a person has opted out; also `true` when the store cannot be read.
    pub async fn has_opted_out(&self, author: PersonId) -> bool {
        !self.with_store(move |store| store.person(author)).await.is_ok_and(|person| !person.opted_out)
    }

    /// Moves what is stored about a chat whose id has changed.
    pub async fn move_chat(&self, from: ChatId, to: ChatId) {
        // A failure is logged; the chat then starts with the defaults.
        let _ = self.with_store(move |store| store.move_chat(from, to)).await;
    }

    /// Counts photos against the rate limits of the asker and the chat.
    ///
    /// # Errors
    /// The problem to report to the asker; `None` when it has already been reported.
    pub fn admit(&self, asker: &Asker, photos: usize) -> Result<(), Option<Problem>> {
        self.take(asker, photos).map_err(|refusal| match refusal {
            RateLimited::FirstTime { wait } => {
                info!(person = ?asker.person, chat = ?asker.chat, wait_s = wait.as_secs(), "too many photos");
                Some(Problem::RateLimited { wait })
            }
            RateLimited::Repeated { .. } => None,
        })
    }

    /// As [`Bot::admit`] for commands and button presses, which always need a response.
    ///
    /// # Errors
    /// The problem to report to the asker, each time.
    pub fn admit_or_explain(&self, asker: &Asker, photos: usize) -> Result<(), Problem> {
        self.take(asker, photos).map_err(|refusal| match refusal {
            RateLimited::FirstTime { wait } | RateLimited::Repeated { wait } => Problem::RateLimited { wait },
        })
    }

    /// Counts photos against the rate limits, and those that are refused in the metrics.
    fn take(&self, asker: &Asker, photos: usize) -> Result<(), RateLimited> {
        let taken = self.rate_limiter.take(asker, u32::try_from(photos).unwrap_or(u32::MAX));
        if let Err(RateLimited::FirstTime { wait } | RateLimited::Repeated { wait }) = taken {
            let outcome = Outcome::Refused(Problem::RateLimited { wait }.kind());
            (0..photos).for_each(|_| metrics().count_photo(asker.chat.platform.name(), outcome));
        }
        taken
    }

    /// Answers one photo; `flow` identifies the asker in the queue. Never fails: a problem becomes the
    /// reply's text.
    pub async fn guess(&self, flow: FlowId, source: PhotoSource, style: &ReplyStyle, options: ReplyOptions) -> Reply {
        self.guess_photo(flow, source, style, options).await.1
    }

    /// As [`Bot::guess`], for a photo that is answered on its own: also finds out whether a crop would help.
    pub async fn guess_alone(
        &self,
        flow: FlowId,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Reply {
        let (photo, mut reply) = self.guess_photo(flow, source, style, options).await;
        if let Ok(analysis) = &reply.outcome {
            reply.crop = self.helpful_crop(flow, &photo, analysis, style).await;
        }
        reply
    }

    /// As [`Bot::guess`], with the photo's bytes; empty if it could not be analysed.
    async fn guess_photo(
        &self,
        flow: FlowId,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> (Bytes, Reply) {
        let (photo, outcome) = match self.analyse(options.platform, flow, source, Framing::Find).await {
            Ok((photo, analysis)) => (photo, Ok(analysis)),
            Err(problem) => (Bytes::new(), Err(problem)),
        };
        let card = match &outcome {
            Ok(analysis) if options.card.applies_to(analysis) => {
                let alternative_text = style.alternative_text(analysis);
                let (photo, analysis) = (photo.clone(), analysis.clone());
                self.draw_card(alternative_text, move |limits| card::draw(&photo, &limits, &analysis)).await
            }
            _ => None,
        };
        let text = match &outcome {
            Ok(analysis) => style.guess(analysis, options.max_characters),
            Err(problem) => problem.message(style.language),
        };
        (photo, Reply { text, card, crop: None, outcome })
    }

    /// The reply for a problem that the platform itself found.
    pub fn refuse(&self, problem: Problem, style: &ReplyStyle) -> Reply {
        Reply { text: problem.message(style.language), card: None, crop: None, outcome: Err(problem) }
    }

    /// The network's answer for a crop, 128×128 grey bytes, also with some of its features switched off at random.
    ///
    /// # Errors
    /// Why the crop was not guessed.
    pub async fn probe(&self, flow: FlowId, crop: Bytes, lots: DropoutOptions) -> Result<Probe, Problem> {
        Ok(self.pool.probe(flow, crop, lots).await?)
    }

    /// The JSON form of a reply, as scripts read it.
    pub fn report(&self, reply: &Reply, style: &ReplyStyle, photo: &str, elapsed: std::time::Duration) -> PhotoReport {
        PhotoReport::new(photo, &reply.outcome, style, elapsed)
    }

    /// The buttons that need the photo, under its reply.
    pub fn buttons(&self, reply: &Reply, style: &ReplyStyle) -> Vec<Button> {
        reply.outcome.as_ref().map(|analysis| photo_buttons(analysis, reply.crop, style)).unwrap_or_default()
    }

    /// For each face of several, in order, the button that explains it.
    pub fn face_buttons(&self, reply: &Reply, style: &ReplyStyle) -> Vec<Button> {
        reply.outcome.as_ref().map(|analysis| face_buttons(analysis, style)).unwrap_or_default()
    }

    /// Fetches and analyses a photo, and logs the outcome.
    async fn analyse(
        &self,
        platform: &'static str,
        flow: FlowId,
        source: PhotoSource,
        framing: Framing,
    ) -> Result<(Bytes, Analysis), Problem> {
        let span = photo_span(platform);
        let started = std::time::Instant::now();
        let mut bytes = 0;
        let outcome: Result<_, Problem> = async {
            let photo = source.fetch(&self.downloader).await?;
            bytes = photo.len();
            record_stage(Stage::Fetch, started.elapsed());
            let analysis = self.pool.analyse(flow, photo.clone(), framing).await?;
            Ok((photo, analysis))
        }
        .instrument(span.clone())
        .await;
        let faces = outcome.as_ref().map(|(_, analysis)| analysis.faces.len());
        metrics().count_photo(
            platform,
            match faces {
                Ok(faces) => Outcome::Faces(faces),
                Err(problem) if problem.is_internal() => Outcome::Failed(problem.kind()),
                Err(problem) => Outcome::Refused(problem.kind()),
            },
        );
        span.in_scope(|| log(faces, bytes, started));
        outcome
    }

    /// Draws a card on a blocking thread; `None` when that fails, which is logged: the reply is then only text.
    async fn draw_card(
        &self,
        alternative_text: String,
        draw: impl FnOnce(DecodeLimits) -> Result<Vec<u8>, card::CardError> + Send + 'static,
    ) -> Option<Card> {
        let jpeg = self.draw(draw).await?;
        Some(Card { jpeg: jpeg.into(), alternative_text })
    }

    /// Draws on a blocking thread; `None` when that fails, which is logged.
    async fn draw<T: Send + 'static>(
        &self,
        draw: impl FnOnce(DecodeLimits) -> Result<T, card::CardError> + Send + 'static,
    ) -> Option<T> {
        let limits = self.options.decode_limits.clone();
        let started = std::time::Instant::now();
        let drawn = tokio::task::spawn_blocking(move || draw(limits)).await;
        record_stage(Stage::Draw, started.elapsed());
        match drawn {
            Ok(Ok(drawn)) => Some(drawn),
            Ok(Err(error)) => {
                warn!(%error, "a picture could not be drawn");
                None
            }
            Err(error) => {
                warn!(%error, "drawing a picture panicked");
                None
            }
        }
    }

    /// Uses the store on a blocking thread; failures are logged here.
    async fn with_store<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        let result = tokio::task::spawn_blocking(move || operation(&*store)).await;
        let failed = |error: &dyn std::error::Error| {
            error!(error = cause(error), "the store failed");
            Problem::Store
        };
        result.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

/// The span of one photo. Its job is a number that counts from the start of the program.
fn photo_span(platform: &'static str) -> Span {
    static JOBS: AtomicU64 = AtomicU64::new(1);
    info_span!(
        "photo",
        platform,
        job = JOBS.fetch_add(1, Ordering::Relaxed),
        faces = Empty,
        fetch_ms = Empty,
        wait_ms = Empty,
        decode_ms = Empty,
        find_ms = Empty,
        cut_ms = Empty,
        estimate_ms = Empty,
    )
}

/// Logs the outcome of a photo, with the number of its faces.
fn log(outcome: Result<usize, &Problem>, bytes: usize, started: std::time::Instant) {
    let milliseconds = started.elapsed().as_millis() as u64;
    if let Ok(faces) = outcome {
        Span::current().record("faces", faces);
    }
    match outcome {
        Ok(faces) => info!(faces, bytes, milliseconds, "photo answered"),
        Err(problem) if problem.is_internal() => warn!(%problem, bytes, milliseconds, "photo failed"),
        Err(problem) => info!(%problem, bytes, milliseconds, "photo refused"),
    }
}
