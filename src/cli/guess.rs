//! `faceguesser guess`: photos named on the command line.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::output::{print_error, print_line};
use crate::bot::{PhotoReport, Problem, card};
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
    /// Print one JSON object per photo, one per line.
    #[arg(long)]
    json: bool,
    /// The pictures are tight face crops: skip face detection.
    #[arg(long)]
    aligned: bool,
    /// Write the photo with a numbered box around each face to this file (JPEG; one photo only).
    #[arg(long, value_name = "FILE")]
    annotate: Option<PathBuf>,
}

/// Extensions of the files that are taken from a folder; a file that is named itself is always tried.
const EXTENSIONS: &[&str] = &[
    "jpg",
    "jpeg",
    "jpe",
    "jfif",
    "png",
    "apng",
    "webp",
    "gif",
    #[cfg(feature = "heic")]
    "heic",
    #[cfg(feature = "heic")]
    "heif",
];
/// Exit status for a call that makes no sense, as clap's own.
const BAD_USAGE: u8 = 2;

/// Guesses each photo in order. Exit status 0: all answered; 1: one failed; 2: bad usage.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let mut photos = Vec::new();
    for path in &arguments.paths {
        let found = pictures(path);
        if found.is_empty() {
            print_error(format_args!("faceguesser: {} has no pictures ({})", path.display(), EXTENSIONS.join(", ")));
        }
        photos.extend(found);
    }
    if photos.is_empty() {
        return Ok(ExitCode::from(BAD_USAGE));
    }
    if let Some(target) = &arguments.annotate {
        if photos.len() != 1 {
            print_error(format_args!("faceguesser: --annotate takes exactly one photo, {} were named", photos.len()));
            return Ok(ExitCode::from(BAD_USAGE));
        }
        let is_jpeg = extension(target).is_some_and(|extension| ["jpg", "jpeg", "jpe", "jfif"].contains(&&*extension));
        if !is_jpeg {
            print_error("faceguesser: --annotate writes a JPEG: name a file that ends in .jpg");
            return Ok(ExitCode::from(BAD_USAGE));
        }
        let same = |path: &Path| Some(target.canonicalize().ok()? == path.canonicalize().ok()?);
        if same(&photos[0]) == Some(true) {
            print_error("faceguesser: --annotate would overwrite the photo: name another file");
            return Ok(ExitCode::from(BAD_USAGE));
        }
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
    let style = config.reply_style();
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

/// A file itself, or the pictures of a folder and those below it, by name.
fn pictures(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let is_picture = |path: &Path| extension(path).is_some_and(|extension| EXTENSIONS.contains(&&*extension));
    let mut pictures = Vec::new();
    for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_picture(entry.path()) => pictures.push(entry.into_path()),
            // It is reported as a photo that cannot be read.
            Err(error) if error.loop_ancestor().is_none() => pictures.extend(error.path().map(Path::to_owned)),
            _ => {}
        }
    }
    pictures
}

/// The extension of a file's name, in lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension()?.to_str().map(str::to_ascii_lowercase)
}
