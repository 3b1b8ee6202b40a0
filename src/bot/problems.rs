//! Why a photo gets no guess, and the friendly sentence, with a next step, that it gets instead.

use std::time::Duration;

use super::languages::Language;
use crate::download::DownloadError;
use crate::inference::InferenceError;
use crate::photo::PhotoError;

/// Why a photo gets no guess.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The file could not be fetched.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The photo could not be analysed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The platform does not let bots fetch files of this size.
    #[error("the platform lets bots fetch no file over {limit} bytes")]
    PlatformLimit {
        /// The largest file that bots may fetch, in bytes.
        limit: u64,
    },
    /// The command or message came without a picture.
    #[error("no picture came with the message")]
    NoPhoto,
    /// The person whose picture is asked about has none.
    #[error("the person has no profile picture")]
    NoProfilePicture,
    /// The photo's author has opted out.
    #[error("the photo is by somebody who opted out")]
    OptedOut,
    /// The rate limit of the person or chat is exceeded.
    #[error("too many photos in a short time")]
    RateLimited {
        /// The time until the photos would be admitted.
        wait: Duration,
    },
    /// The photo that a button belongs to is gone.
    #[error("the photo that a button belongs to is gone")]
    PhotoGone,
    /// The program was stopped before it could answer, and restarted too late.
    #[error("the program was interrupted before it could answer")]
    Interrupted,
    /// The bot may not write where the photo was posted.
    #[error("the bot may not write in the chat")]
    CannotWrite,
    /// The settings could not be read or written.
    #[error("the settings store failed")]
    Store,
}

impl Problem {
    /// Whether the fault is this program's or its environment's rather than the photo's.
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Store
                | Self::Download(
                    DownloadError::Failed { .. } | DownloadError::TimedOut { .. } | DownloadError::ForeignPath
                )
                | Self::Inference(InferenceError::Failed(_) | InferenceError::Expired(_) | InferenceError::Overloaded)
        )
    }

    /// Its kind in one or two words, as a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoPhoto => "no_photo",
            Self::NoProfilePicture => "no_profile_picture",
            Self::OptedOut => "opted_out",
            Self::RateLimited { .. } => "rate_limited",
            Self::PhotoGone | Self::Download(DownloadError::Gone { .. }) => "gone",
            Self::Interrupted => "interrupted",
            Self::CannotWrite => "cannot_write",
            Self::Store => "store",
            Self::PlatformLimit { .. }
            | Self::Download(DownloadError::TooLarge { .. })
            | Self::Inference(InferenceError::Photo(PhotoError::TooManyBytes { .. })) => "too_large",
            Self::Download(DownloadError::ForeignHost | DownloadError::ForeignPath) => "foreign_host",
            Self::Download(DownloadError::TimedOut { .. } | DownloadError::Failed { .. }) => "download",
            Self::Inference(InferenceError::Photo(error)) => match error {
                PhotoError::Empty => "empty",
                PhotoError::NotAPicture { .. } => "not_a_picture",
                PhotoError::Unsupported { .. } => "unsupported",
                PhotoError::Truncated => "truncated",
                PhotoError::Damaged { .. } => "damaged",
                PhotoError::TooManyBytes { .. } => "too_large",
                PhotoError::TooManyPixels { .. } => "too_many_pixels",
                PhotoError::TimeLimit => "too_much_work",
            },
            Self::Inference(InferenceError::Unreadable(_)) => "unreadable",
            Self::Inference(InferenceError::Overloaded) => "overloaded",
            Self::Inference(InferenceError::Expired(_)) => "expired",
            Self::Inference(InferenceError::Stopped) => "stopped",
            Self::Inference(InferenceError::NoSuchFace { .. }) => "no_such_face",
            Self::Inference(InferenceError::Failed(_)) => "computation",
        }
    }

    /// The message for the asker.
    pub fn message(&self, language: Language) -> String {
        match self {
            Self::NoPhoto => language.message("problem-no-photo"),
            Self::NoProfilePicture => language.message("problem-no-profile-picture"),
            Self::PlatformLimit { limit } => {
                language.message_with("problem-platform-limit", &[("limit", (&megabytes(*limit)).into())])
            }
            Self::OptedOut => language.message("problem-opted-out"),
            Self::RateLimited { wait } => {
                let seconds = wait.as_secs_f32().ceil().max(1.0);
                language.message_with("problem-too-often", &[("seconds", seconds.into())])
            }
            Self::PhotoGone => language.message("gone"),
            Self::Interrupted => language.message("problem-interrupted"),
            Self::CannotWrite => language.message("problem-cannot-write"),
            Self::Download(error) => download(error, language),
            Self::Inference(error) => inference(error, language),
            Self::Store => language.message("problem-failed"),
        }
    }
}

fn download(error: &DownloadError, language: Language) -> String {
    match error {
        DownloadError::TooLarge { limit } => too_large(*limit, language),
        DownloadError::Gone { .. } => language.message("problem-gone"),
        DownloadError::ForeignHost | DownloadError::ForeignPath => language.message("problem-foreign-host"),
        DownloadError::TimedOut { .. } | DownloadError::Failed { .. } => language.message("problem-download"),
    }
}

fn inference(error: &InferenceError, language: Language) -> String {
    match error {
        InferenceError::Photo(error) => photo(error, language),
        InferenceError::Unreadable(reason) => {
            language.message_with("problem-unreadable", &[("reason", reason.as_str().into())])
        }
        InferenceError::Overloaded => language.message("problem-overloaded"),
        InferenceError::Expired(_) => language.message("problem-expired"),
        InferenceError::Stopped => language.message("problem-stopped"),
        InferenceError::NoSuchFace { faces: 0 } => language.message("no-face"),
        InferenceError::NoSuchFace { faces } => {
            language.message_with("problem-no-such-face", &[("count", (*faces).into())])
        }
        InferenceError::Failed(_) => language.message("problem-failed"),
    }
}

fn photo(error: &PhotoError, language: Language) -> String {
    match error {
        PhotoError::Empty => language.message("problem-empty"),
        PhotoError::NotAPicture { what } => language.message_with("problem-not-a-picture", &[("what", (*what).into())]),
        PhotoError::Unsupported { format } => {
            language.message_with("problem-unsupported", &[("format", (*format).into())])
        }
        PhotoError::Truncated => language.message("problem-truncated"),
        PhotoError::Damaged { format } => language.message_with("problem-damaged", &[("format", (*format).into())]),
        PhotoError::TooManyBytes { limit, .. } => too_large(*limit, language),
        PhotoError::TooManyPixels { width, height, limit } => {
            let (width, height) = (width.to_string(), height.to_string());
            let variables =
                [("width", (&width).into()), ("height", (&height).into()), ("limit", (limit / 1_000_000).into())];
            language.message_with("problem-too-many-pixels", &variables)
        }
        PhotoError::TimeLimit => language.message("problem-too-much-work"),
    }
}

fn too_large(limit: u64, language: Language) -> String {
    language.message_with("problem-too-large", &[("limit", (&megabytes(limit)).into())])
}

fn megabytes(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KB", bytes >> 10) } else { format!("{} MB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_own_sentence_with_a_next_step() {
        let problems = [
            Problem::NoPhoto,
            Problem::NoProfilePicture,
            Problem::PlatformLimit { limit: 20 << 20 },
            Problem::RateLimited { wait: Duration::from_millis(1500) },
            Problem::Interrupted,
            Problem::CannotWrite,
            Problem::Download(DownloadError::TooLarge { limit: 1 << 20 }),
            Problem::Download(DownloadError::Gone { status: 404 }),
            Problem::Download(DownloadError::ForeignHost),
            Problem::Inference(InferenceError::Photo(PhotoError::Empty)),
            Problem::Inference(InferenceError::Photo(PhotoError::NotAPicture { what: "a PDF document" })),
            Problem::Inference(InferenceError::Photo(PhotoError::Truncated)),
            Problem::Inference(InferenceError::Photo(PhotoError::TimeLimit)),
            Problem::Inference(InferenceError::Overloaded),
            Problem::Inference(InferenceError::Stopped),
        ];
        let mut sentences: Vec<String> = problems.iter().map(|problem| problem.message(Language::English)).collect();
        for sentence in &sentences {
            let next_step = ["end", "ttach", "try", "come back in 2 seconds", "pick a message"];
            assert!(next_step.iter().any(|words| sentence.contains(words)), "{sentence}");
        }
        sentences.sort();
        sentences.dedup();
        assert_eq!(sentences.len(), problems.len());
    }
}
