//! `faceguesser guess`: photos named on the command line.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::output::{print_error, print_line};
use crate::bot::{PhotoReport, Problem, ReplyStyle, card};
use crate::config::Config;
use crate::inference::{FlowId, InferenceError, Pool};
use crate::setup;
use crate::{Analysis, Framing};

/// Options of `guess`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Photos, or folders whose pictures are all guessed.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object a photo, each on a line of its own.
    #[arg(long)]
    json: bool,
    /// The pictures are tight face crops already: do not look for faces.
    #[arg(long)]
    aligned: bool,
    /// Write the photo with a numbered box around each face to this file (JPEG; one photo only).
    #[arg(long, value_name = "FILE")]
    annotate: Option<PathBuf>,
}

/// Endings of the files taken from a folder; a file named by itself is always tried.
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];
/// Exit status for a call that makes no sense, as clap's own.
const BAD_USAGE: u8 = 2;

/// Guesses each photo in order. Exit status 0: all answered; 1: one failed; 2: bad usage.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let photos: Vec<PathBuf> = arguments.paths.iter().flat_map(|path| pictures(path)).collect();
    if photos.is_empty() {
        print_error(format_args!("faceguesser: no pictures ({}) in the folders named", ENDINGS.join(", ")));
        return Ok(ExitCode::from(BAD_USAGE));
    }
    if arguments.annotate.is_some() && photos.len() != 1 {
        print_error(format_args!("faceguesser: --annotate takes exactly one photo, {} were named", photos.len()));
        return Ok(ExitCode::from(BAD_USAGE));
    }
    let pool = setup::pool(config, config.decode_limits())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let all_answered = runtime.block_on(answer_all(photos, &arguments, config, &pool))?;
    Ok(if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn answer_all(photos: Vec<PathBuf>, arguments: &Arguments, config: &Config, pool: &Pool) -> anyhow::Result<bool> {
    let framing = if arguments.aligned { Framing::Aligned } else { Framing::Find };
    let limits = config.decode_limits();
    let max_bytes = limits.max_bytes;
    let workers = config.pool_options().workers;
    let mut answers = stream::iter(photos)
        .map(|path| async move {
            let started = Instant::now();
            let (bytes, outcome) = answer(&path, framing, max_bytes, pool).await;
            (path, bytes, outcome, started.elapsed())
        })
        .buffered(workers);
    let style = ReplyStyle::plain(config.guess.confident);
    let mut all_answered = true;
    while let Some((path, bytes, outcome, elapsed)) = answers.next().await {
        all_answered &= outcome.is_ok();
        let name = path.display().to_string();
        let line = if arguments.json {
            serde_json::to_string(&PhotoReport::new(&name, &outcome, &style, elapsed))?
        } else {
            let text = match &outcome {
                Ok(analysis) => style.guess(analysis, usize::MAX),
                Err(problem) => problem.message(style.language),
            };
            format!("{name}: {text}")
        };
        if !print_line(line)? {
            break;
        }
        if let (Some(target), Ok(analysis)) = (&arguments.annotate, &outcome) {
            let jpeg = card::draw(&bytes, &limits, analysis)?;
            std::fs::write(target, jpeg).with_context(|| format!("{} cannot be written", target.display()))?;
        }
    }
    Ok(all_answered)
}

async fn answer(path: &Path, framing: Framing, max_bytes: u64, pool: &Pool) -> (Bytes, Result<Analysis, Problem>) {
    match read(path, max_bytes) {
        Ok(bytes) => {
            let bytes = Bytes::from(bytes);
            let outcome = pool.analyse(FlowId::from_key(&()), bytes.clone(), framing).await;
            (bytes, outcome.map_err(Problem::from))
        }
        Err(error) => {
            let reason = format!("{}: {error}", path.display());
            (Bytes::new(), Err(Problem::Inference(InferenceError::Unreadable(reason))))
        }
    }
}

/// The file's bytes, at most one more than the limit, so that a huge file fills no memory.
fn read(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file by itself, or the pictures of a folder and those below it, by name.
fn pictures(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let is_picture = |path: &Path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    };
    let entries = walkdir::WalkDir::new(path).sort_by_file_name().into_iter().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.into_path())
        .filter(|path| is_picture(path))
        .collect()
}
