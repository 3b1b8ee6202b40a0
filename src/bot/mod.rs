//! A photo in, a reply in words out; knows no platform.
//!
//! A platform turns its messages into an [`Asker`] and [`PhotoSource`]s, and an [`Answer`] back.
//! [`words`] turns numbers into sentences and [`problems`] errors, in one of the [`languages`];
//! [`card`] draws the annotated pictures, [`report`] writes JSON. [`commands`] and [`game`] answer
//! what is no photo, [`settings`] is what chats and people have chosen and [`sqlite`] where it is
//! kept, [`fair_use`] keeps one from taking the others' share, [`steps`] answers albums as they
//! come.

pub mod actions;
pub mod card;
pub mod commands;
pub mod fair_use;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod game;
pub mod jobs;
pub mod languages;
mod look_again;
pub mod people;
pub mod problems;
pub mod report;
pub mod settings;
pub mod sqlite;
pub mod steps;
mod turns;
pub mod words;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tracing::{error, info, warn};
use url::Url;

use crate::inference::{Analysis, FaceAnalysis, FlowId, Framing, Pool};
use crate::photo::{DecodeLimits, DownloadError, Downloader, Hosts, cause};
use actions::Button;
use fair_use::{FairUse, Rate, RateLimited};
use languages::Language;
use people::{Asker, ChatId, PersonId};
use settings::{ChatSettings, GenderPolicy, Store, StoreError};
use turns::Turns;

pub use problems::Problem;
pub use report::PhotoReport;
pub use words::ReplyStyle;

/// Where a photo is to be had.
#[derive(Debug, Clone)]
pub enum PhotoSource {
    /// Its bytes are here.
    Bytes(Bytes),
    /// It lies on one of the platform's own file hosts. `renew` asks the platform for a fresh link when
    /// this one has expired.
    Link { url: Url, hosts: Hosts, renew: Option<Renew> },
    /// The platform's server shares a folder with this program, and the photo lies below it.
    File { path: PathBuf, folder: PathBuf },
    /// It is not to be had at all, and why.
    Refused(Problem),
}

/// Asks a platform for a fresh link to a photo; `None` when there is none.
#[derive(Clone)]
pub struct Renew(pub Arc<dyn Fn() -> BoxFuture<'static, Option<Url>> + Send + Sync>);

impl std::fmt::Debug for Renew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renew")
    }
}

/// What to say to a message with one photo or several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Plain text, at most [`ReplyOptions::max_characters`] characters.
    pub text: String,
    /// The annotated pictures, in the order of the photos.
    pub cards: Vec<Card>,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// How sure the guess is, if it is one.
    pub tone: Tone,
}

/// How sure an answer is; what platforms show as a colour beside the words, which say it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// No guess.
    #[default]
    Plain,
    /// Every guess in it is sure.
    Sure,
    /// Some guess in it is not.
    Unsure,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// When the annotated picture comes with the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardWhen {
    /// Nobody looks at it.
    Never,
    /// Only where the words need it: they speak of numbered faces.
    SeveralFaces,
    /// Whenever there is a face.
    AnyFace,
}

/// How a platform wants its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyOptions {
    /// The most characters in the text.
    pub max_characters: usize,
    /// When to draw the annotated picture.
    pub card: CardWhen,
    /// The most pictures with one reply; more are put together on one sheet.
    pub max_cards: usize,
}

/// What to say, and what to show with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Plain text, at most [`ReplyOptions::max_characters`] characters.
    pub text: String,
    /// The photo with numbered boxes.
    pub card: Option<Card>,
    /// The numbers behind the words.
    pub outcome: Result<Analysis, Problem>,
}

/// An annotated picture, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// A JPEG.
    pub jpeg: Bytes,
    /// What it shows, for those who do not see it.
    pub alternative_text: String,
}

/// The host's choices.
#[derive(Debug, Clone)]
pub struct BotOptions {
    pub decode_limits: DecodeLimits,
    /// The confidence score in 0..=1 from which a guess is told as sure.
    pub confident: f32,
    /// The most that chats and people may hear of genders.
    pub gender: GenderPolicy,
    /// The probability from which [`GenderPolicy::Sure`] says a gender.
    pub gender_sure: f32,
    pub person_rate: Rate,
    pub chat_rate: Rate,
    /// Photos that are fetched and looked at at once for chats; others wait for their turn.
    pub at_once: usize,
}

/// What the bot holds: the workers, the way to files, what it keeps, the host's choices.
pub struct Bot {
    pool: Arc<Pool>,
    downloader: Downloader,
    store: Arc<dyn Store>,
    options: BotOptions,
    fair_use: FairUse,
    /// One for each photo of a chat that is looked at. Who posts a thousand at once waits longer;
    /// without this the queue would be full, and they would be told to come back.
    turns: Turns,
}

impl Bot {
    pub fn new(pool: Arc<Pool>, downloader: Downloader, store: Arc<dyn Store>, options: BotOptions) -> Self {
        let fair_use = FairUse::new(options.person_rate, options.chat_rate);
        let turns = Turns::new(options.at_once);
        Self { pool, downloader, store, options, fair_use, turns }
    }

    /// The memory for photos that wait for their answer, one permit a byte: uploads share it with
    /// downloads.
    pub fn photo_memory(&self) -> Arc<Semaphore> {
        self.downloader.memory()
    }

    /// How to tell somebody a guess: the chat's language before the person's before the client's,
    /// and of the chat's, the person's and the host's reserve about genders the greatest.
    pub async fn reply_style(&self, asker: &Asker) -> ReplyStyle {
        let Asker { person, chat, language } = *asker;
        let kept = self.kept(move |store| Ok((store.chat(chat)?, store.person(person)?))).await;
        let BotOptions { confident, gender_sure, .. } = self.options;
        let (gender, language) = match kept {
            Ok((chat, person)) => (
                self.options.gender.max(chat.gender).max(person.gender),
                chat.language.or(person.language).or(language),
            ),
            // Nobody knows what they wished: the most reserved will do.
            Err(_) => (GenderPolicy::Never, language),
        };
        ReplyStyle { language: language.unwrap_or_default(), gender, confident, gender_sure }
    }

    /// How to tell a guess to somebody of whom nothing is kept.
    pub fn style_for(&self, language: Option<Language>) -> ReplyStyle {
        let BotOptions { confident, gender, gender_sure, .. } = self.options;
        ReplyStyle { language: language.unwrap_or_default(), gender, confident, gender_sure }
    }

    /// What a chat's admins have chosen; the defaults when that cannot be read.
    pub async fn chat_settings(&self, chat: ChatId) -> ChatSettings {
        self.kept(move |store| store.chat(chat)).await.unwrap_or_default()
    }

    /// Whether a person's photos are to be left alone; also when that cannot be read.
    pub async fn ignores(&self, author: PersonId) -> bool {
        !self.kept(move |store| store.person(author)).await.is_ok_and(|person| !person.opted_out)
    }

    /// A chat has another number now.
    pub async fn chat_moved(&self, from: ChatId, to: ChatId) {
        // A failure is logged; the chat starts with the defaults then.
        let _ = self.kept(move |store| store.move_chat(from, to)).await;
    }

    /// Counts photos against everybody's fair share.
    ///
    /// # Errors
    /// What to tell the asker; nothing when that was told before.
    pub fn admit(&self, asker: &Asker, photos: usize) -> Result<(), Option<Problem>> {
        let photos = u32::try_from(photos).unwrap_or(u32::MAX);
        self.fair_use.take(asker, photos).map_err(|refusal| match refusal {
            RateLimited::FirstTime { wait } => {
                info!(person = ?asker.person, chat = ?asker.chat, wait_s = wait.as_secs(), "too many photos");
                Some(Problem::TooOften { wait })
            }
            RateLimited::Repeated { .. } => None,
        })
    }

    /// As [`Bot::admit`], where silence is no answer: commands, and presses of buttons.
    ///
    /// # Errors
    /// What to tell the asker, told before or not.
    pub fn admit_aloud(&self, asker: &Asker, photos: usize) -> Result<(), Problem> {
        let photos = u32::try_from(photos).unwrap_or(u32::MAX);
        self.fair_use.take(asker, photos).map_err(|refusal| match refusal {
            RateLimited::FirstTime { wait } | RateLimited::Repeated { wait } => Problem::TooOften { wait },
        })
    }

    /// As [`Bot::guess`], but a chat's photos wait for their turn.
    async fn guess_in_turn(
        &self,
        flow: FlowId,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Reply {
        let _turn = self.turns.take(flow).await;
        self.guess(flow, source, style, options).await
    }

    /// Answers one photo of whoever `flow` stands for. Never fails: what goes wrong is told in the
    /// reply.
    pub async fn guess(&self, flow: FlowId, source: PhotoSource, style: &ReplyStyle, options: ReplyOptions) -> Reply {
        let (photo, outcome) = match self.look(flow, source, Framing::Find).await {
            Ok((photo, analysis)) => (photo, Ok(analysis)),
            Err(problem) => (Bytes::new(), Err(problem)),
        };
        let card = match &outcome {
            Ok(analysis) if wants_card(analysis, options.card) => {
                let alternative_text = style.alternative_text(analysis);
                let analysis = analysis.clone();
                self.drawn(alternative_text, move |limits| card::draw(&photo, &limits, &analysis)).await
            }
            _ => None,
        };
        let text = match &outcome {
            Ok(analysis) => style.guess(analysis, options.max_characters),
            Err(problem) => problem.message(style.language),
        };
        Reply { text, card, outcome }
    }

    /// The reply for a problem that the platform itself found, without asking the workers.
    pub fn refuse(&self, problem: Problem, style: &ReplyStyle) -> Reply {
        Reply { text: problem.message(style.language), card: None, outcome: Err(problem) }
    }

    /// The JSON form of a reply, as scripts read it.
    pub fn report(&self, reply: &Reply, style: &ReplyStyle, photo: &str, elapsed: std::time::Duration) -> PhotoReport {
        PhotoReport::new(photo, &reply.outcome, style, elapsed)
    }

    /// Fetches a photo and has it analysed; logs how that went.
    async fn look(&self, flow: FlowId, source: PhotoSource, framing: Framing) -> Result<(Bytes, Analysis), Problem> {
        let started = std::time::Instant::now();
        let mut bytes = 0;
        let looked = async {
            let photo = self.fetch(source).await?;
            bytes = photo.len();
            let analysis = self.pool.analyse(flow, photo.clone(), framing).await?;
            Ok((photo, analysis))
        };
        let outcome: Result<_, Problem> = looked.await;
        let milliseconds = started.elapsed().as_millis() as u64;
        match &outcome {
            Ok((_, analysis)) => info!(faces = analysis.faces.len(), bytes, milliseconds, "photo answered"),
            Err(problem) if problem.is_ours() => warn!(%problem, bytes, milliseconds, "photo failed"),
            Err(problem) => info!(%problem, bytes, milliseconds, "photo refused"),
        }
        outcome
    }

    async fn fetch(&self, source: PhotoSource) -> Result<Bytes, Problem> {
        match source {
            PhotoSource::Bytes(bytes) => Ok(bytes),
            PhotoSource::Link { url, hosts, renew } => match (self.downloader.fetch(url, &hosts).await, renew) {
                (Err(gone @ DownloadError::Gone { .. }), Some(Renew(renew))) => match renew().await {
                    Some(fresh) => Ok(self.downloader.fetch(fresh, &hosts).await?),
                    None => Err(gone.into()),
                },
                (fetched, _) => Ok(fetched?),
            },
            PhotoSource::File { path, folder } => Ok(self.downloader.read(&path, &folder).await?),
            PhotoSource::Refused(problem) => Err(problem),
        }
    }

    /// Draws on a blocking thread; a card that cannot be drawn is left out, the words stand.
    async fn drawn(
        &self,
        alternative_text: String,
        draw: impl FnOnce(DecodeLimits) -> Result<Vec<u8>, card::CardError> + Send + 'static,
    ) -> Option<Card> {
        let limits = self.options.decode_limits.clone();
        match tokio::task::spawn_blocking(move || draw(limits)).await {
            Ok(Ok(jpeg)) => Some(Card { jpeg: jpeg.into(), alternative_text }),
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

    /// Asks the store on a thread that may wait; what fails is logged here.
    async fn kept<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let store = self.store.clone();
        let kept = tokio::task::spawn_blocking(move || ask(&*store)).await;
        let failed = |error: &dyn std::error::Error| {
            error!(error = cause(error), "the store failed");
            Problem::Store
        };
        kept.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

fn wants_card(analysis: &Analysis, when: CardWhen) -> bool {
    match when {
        CardWhen::Never => false,
        CardWhen::SeveralFaces => analysis.faces.len() > 1,
        CardWhen::AnyFace => !analysis.faces.is_empty(),
    }
}

fn tone<'a>(outcomes: impl IntoIterator<Item = &'a Result<Analysis, Problem>>, style: &ReplyStyle) -> Tone {
    let faces: Vec<&FaceAnalysis> = outcomes.into_iter().flatten().flat_map(|analysis| &analysis.faces).collect();
    match faces.as_slice() {
        [] => Tone::Plain,
        faces if faces.iter().all(|face| style.is_sure(face)) => Tone::Sure,
        _ => Tone::Unsure,
    }
}
