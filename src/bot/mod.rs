//! A photo in, a reply in words out; knows no platform.
//!
//! [`words`] turns numbers and errors into sentences, [`report`] into JSON, [`card`] draws the
//! numbered boxes. A platform converts its messages to a [`PhotoSource`] and a [`Reply`] back.

pub mod card;
pub mod report;
pub mod words;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use tracing::{info, warn};
use url::Url;

use crate::inference::{Analysis, Framing, InferenceError, Pool};
use crate::photo::{DecodeLimits, DownloadError, Downloader, Hosts};

pub use report::PhotoReport;
pub use words::Problem;

/// Where a photo is to be had.
#[derive(Debug, Clone)]
pub enum PhotoSource {
    /// Its bytes are here.
    Bytes(Bytes),
    /// It lies on one of the platform's own file hosts.
    Link { url: Url, hosts: Hosts },
}

/// What to say to a message with one photo or several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Plain text, at most [`ReplyOptions::max_characters`] characters.
    pub text: String,
    /// The annotated pictures, in the order of the photos.
    pub cards: Vec<Card>,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, cards: Vec::new() }
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

/// What the bot holds: the workers, the way to files, its threshold.
pub struct Bot {
    pool: Arc<Pool>,
    downloader: Downloader,
    decode_limits: DecodeLimits,
    confident: f32,
}

impl Bot {
    /// `confident` is the confidence score in 0..=1 from which a guess is told as sure.
    pub fn new(pool: Arc<Pool>, downloader: Downloader, decode_limits: DecodeLimits, confident: f32) -> Self {
        Self { pool, downloader, decode_limits, confident }
    }

    /// Answers one photo. Never fails: what goes wrong is told in the reply.
    pub async fn guess(&self, source: PhotoSource, options: ReplyOptions) -> Reply {
        let started = std::time::Instant::now();
        let (photo, outcome) = match self.fetch(source).await {
            Ok(photo) => (photo.clone(), self.pool.analyse(photo, Framing::Find).await.map_err(Problem::from)),
            Err(problem) => (Bytes::new(), Err(problem)),
        };
        let milliseconds = started.elapsed().as_millis() as u64;
        match &outcome {
            Ok(analysis) => info!(faces = analysis.faces.len(), bytes = photo.len(), milliseconds, "photo answered"),
            Err(problem) if problem.is_ours() => warn!(%problem, bytes = photo.len(), milliseconds, "photo failed"),
            Err(problem) => info!(%problem, bytes = photo.len(), milliseconds, "photo refused"),
        }
        let card = match &outcome {
            Ok(analysis) if wants_card(analysis, options.card) => self.card(photo, analysis.clone()).await,
            _ => None,
        };
        let text = match &outcome {
            Ok(analysis) => words::guess(analysis, self.confident, options.max_characters),
            Err(problem) => words::problem(problem),
        };
        Reply { text, card, outcome }
    }

    /// Answers all photos of one message in their order, with one text.
    pub async fn answer(&self, photos: Vec<PhotoSource>, options: ReplyOptions) -> Answer {
        let count = photos.len().max(1);
        // Room for "Photo 10: " and an empty line each.
        let share = if count == 1 { options.max_characters } else { options.max_characters / count - 12 };
        let options = ReplyOptions { max_characters: share, ..options };
        let replies = join_all(photos.into_iter().map(|photo| self.guess(photo, options))).await;
        let texts: Vec<&str> = replies.iter().map(|reply| reply.text.as_str()).collect();
        let text = words::numbered_photos(&texts);
        Answer { text, cards: replies.into_iter().filter_map(|reply| reply.card).collect() }
    }

    /// The reply for a problem that the platform itself found, without asking the workers.
    pub fn refuse(&self, problem: Problem) -> Reply {
        Reply { text: words::problem(&problem), card: None, outcome: Err(problem) }
    }

    /// The JSON form of a reply, as scripts read it.
    pub fn report(&self, reply: &Reply, photo: &str, elapsed: std::time::Duration) -> PhotoReport {
        PhotoReport::new(photo, &reply.outcome, self.confident, elapsed)
    }

    async fn fetch(&self, source: PhotoSource) -> Result<Bytes, Problem> {
        match source {
            PhotoSource::Bytes(bytes) => Ok(bytes),
            PhotoSource::Link { url, hosts } => Ok(self.downloader.fetch(url, &hosts).await?),
        }
    }

    /// Draws on a blocking thread; a card that cannot be drawn is left out, the words stand.
    async fn card(&self, photo: Bytes, analysis: Analysis) -> Option<Card> {
        let (limits, confident) = (self.decode_limits, self.confident);
        let alternative_text = words::alternative_text(&analysis, confident);
        let drawn = tokio::task::spawn_blocking(move || card::draw(&photo, &limits, &analysis)).await;
        match drawn {
            Ok(Ok(jpeg)) => Some(Card { jpeg: jpeg.into(), alternative_text }),
            Ok(Err(error)) => {
                warn!(%error, "the annotated picture could not be drawn");
                None
            }
            Err(error) => {
                warn!(%error, "drawing the annotated picture panicked");
                None
            }
        }
    }
}

fn wants_card(analysis: &Analysis, when: CardWhen) -> bool {
    match when {
        CardWhen::Never => false,
        CardWhen::SeveralFaces => analysis.faces.len() > 1,
        CardWhen::AnyFace => !analysis.faces.is_empty(),
    }
}

impl From<DownloadError> for Problem {
    fn from(error: DownloadError) -> Self {
        Self::Download(error)
    }
}

impl From<InferenceError> for Problem {
    fn from(error: InferenceError) -> Self {
        Self::Inference(error)
    }
}
