//! `faceguesser guess`: photos named on the command line.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::annotate::{self, Target};
use super::language;
use super::output::{print_error, print_line};
use crate::bot::languages::Language;
use crate::bot::{PhotoReport, Problem, ReplyStyle, card};
use crate::config::Config;
use crate::inference::{FlowId, InferenceError, Pool};
use crate::setup;
use crate::{Analysis, Framing};

/// Options of `guess`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Photos, folders whose pictures are all guessed, or `-` for a photo on standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object per photo, one per line.
    #[arg(long)]
    json: bool,
    /// The pictures are tight face crops: skip face detection.
    #[arg(long)]
    aligned: bool,
    /// Write the photo with a labelled box around each face to this file; its ending (.jpg, .png or .webp) decides the
    /// format. May be repeated: one photo is written to all files, several photos to one file each, in order. A folder
    /// takes any number of photos.
    #[arg(long, value_name = "FILE")]
    annotate: Vec<PathBuf>,
    /// The language of the answers: en, cs, de, es, fr, ja, pt or uk.
    #[arg(long, visible_alias = "language", value_name = "LANGUAGE", default_value = "en", value_parser = language)]
    lang: Language,
    /// Show no progress, and do not report the files of a folder that are not pictures.
    #[arg(long, short)]
    quiet: bool,
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

/// The most skipped files of a folder that are listed by name.
const NAMED: usize = 10;
/// The path that means standard input, and its name in answers.
const STANDARD_INPUT: &str = "-";
const STANDARD_INPUT_NAME: &str = "standard input";

/// Guesses each photo in order. Exit status 0: all answered; 1: one failed; 2: bad usage.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let bad_usage = |message: &str| {
        print_error(format_args!("faceguesser: {message}"));
        Ok(ExitCode::from(BAD_USAGE))
    };
    let mut photos = Vec::new();
    for path in &arguments.paths {
        let Entries { pictures, others } = Entries::of(path);
        if pictures.is_empty() {
            print_error(format_args!("faceguesser: {} has no pictures ({})", path.display(), EXTENSIONS.join(", ")));
        }
        if !others.is_empty() && !arguments.quiet {
            print_error(format_args!("faceguesser: {}", skipped(path, &others)));
        }
        photos.extend(pictures);
    }
    if photos.is_empty() {
        return Ok(ExitCode::from(BAD_USAGE));
    }
    if photos.iter().filter(|photo| is_standard_input(photo)).count() > 1 {
        return bad_usage("standard input (-) holds one photo");
    }
    let files: Vec<Option<&Path>> =
        photos.iter().map(|photo| Some(photo.as_path()).filter(|path| !is_standard_input(path))).collect();
    let targets = match annotate::plan(&arguments.annotate, &files) {
        Ok(targets) => targets,
        Err(message) => return bad_usage(&message),
    };
    let pool = setup::pool(config, config.decode_limits())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let photos = photos.into_iter().zip(targets).collect();
    let all_answered = runtime.block_on(answer_all(photos, &arguments, config, &pool))?;
    Ok(if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A sentence about files of a folder that are not guessed.
fn skipped(folder: &Path, others: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    let names: Vec<String> = others.iter().take(NAMED).map(name).collect();
    let more = match others.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (files, are) = if others.len() == 1 { ("file", "is") } else { ("files", "are") };
    let (folder, count, names) = (folder.display(), others.len(), names.join(", "));
    format!("{folder}: {count} {files} without a picture's ending {are} skipped: {names}{more}")
}

async fn answer_all(
    photos: Vec<(PathBuf, Vec<Target>)>,
    arguments: &Arguments,
    config: &Config,
    pool: &Pool,
) -> anyhow::Result<bool> {
    let framing = if arguments.aligned { Framing::Aligned } else { Framing::Find };
    let limits = config.decode_limits();
    let max_bytes = limits.max_bytes;
    let workers = config.pool_options().workers;
    let progress = progress_bar(photos.len(), arguments.quiet);
    let mut answers = stream::iter(photos)
        .map(|(path, targets)| async move {
            let started = Instant::now();
            let (bytes, outcome) = answer(&path, framing, max_bytes, pool).await;
            (path, targets, bytes, outcome, started.elapsed())
        })
        .buffered(workers);
    let style = ReplyStyle { language: arguments.lang, ..config.reply_style() };
    let mut all_answered = true;
    while let Some((path, targets, bytes, outcome, elapsed)) = answers.next().await {
        all_answered &= outcome.is_ok();
        let name = if is_standard_input(&path) { STANDARD_INPUT_NAME.to_owned() } else { path.display().to_string() };
        let line = if arguments.json {
            serde_json::to_string(&PhotoReport::new(&name, &outcome, &style, elapsed))?
        } else {
            let text = match &outcome {
                Ok(analysis) => style.guess(analysis, usize::MAX),
                Err(problem) => problem.message(style.language),
            };
            format!("{name}: {text}")
        };
        progress.inc(1);
        if !progress.suspend(|| print_line(line))? {
            break;
        }
        let Ok(analysis) = &outcome else { continue };
        for Target { path, format } in targets {
            let picture = card::draw_as(&bytes, &limits, analysis, format)?;
            let cannot = || format!("{} cannot be written", path.display());
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).with_context(cannot)?;
            }
            std::fs::write(&path, picture).with_context(cannot)?;
        }
    }
    progress.finish_and_clear();
    Ok(all_answered)
}

/// A bar on the terminal for several photos, otherwise a hidden one.
fn progress_bar(photos: usize, quiet: bool) -> ProgressBar {
    if photos < 2 || quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(photos as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} photos, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
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

/// The photo's bytes, at most one more than the limit, so that a huge file fills no memory.
fn read(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = limit.saturating_add(1);
    if is_standard_input(path) {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

/// What a path stands for: a file itself, or the files of a folder and those below it, by name.
#[derive(Default)]
struct Entries {
    /// What is guessed. What cannot be read is among them, and reported as a photo that cannot be read.
    pictures: Vec<PathBuf>,
    /// Files of a folder that are not pictures.
    others: Vec<PathBuf>,
}

impl Entries {
    fn of(path: &Path) -> Self {
        if !path.is_dir() {
            return Self { pictures: vec![path.to_owned()], ..Self::default() };
        }
        let is_picture = |path: &Path| extension(path).is_some_and(|extension| EXTENSIONS.contains(&&*extension));
        let mut entries = Self::default();
        for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() && is_picture(entry.path()) => {
                    entries.pictures.push(entry.into_path());
                }
                Ok(entry) if !entry.file_type().is_dir() => entries.others.push(entry.into_path()),
                Err(error) if error.loop_ancestor().is_none() => {
                    entries.pictures.extend(error.path().map(Path::to_owned));
                }
                _ => {}
            }
        }
        entries
    }
}

/// The extension of a file's name, in lower case.
pub(super) fn extension(path: &Path) -> Option<String> {
    path.extension()?.to_str().map(str::to_ascii_lowercase)
}
