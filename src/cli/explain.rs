//! `faceguesser explain`: what the network sees in one face of a photo.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::language;
use super::output::{print_error, print_line};
use crate::bot::languages::Language;
use crate::bot::{Problem, ReplyStyle, explanation_report};
use crate::config::Config;
use crate::explain::{draw, explain};
use crate::inference::InferenceError;
use crate::setup;

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The photo.
    #[arg(value_name = "PHOTO")]
    photo: PathBuf,
    /// Write a picture of each part, and two cards with their alternative texts, to this folder.
    #[arg(long, value_name = "DIR", required_unless_present = "json")]
    out: Option<PathBuf>,
    /// Print everything as one JSON object, with pictures as data URLs.
    #[arg(long)]
    json: bool,
    /// The face's number, in the order of `guess`.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    face: u16,
    /// The language of the words: en, cs, de, es, fr, ja, pt or uk.
    #[arg(long, visible_alias = "language", value_name = "LANGUAGE", default_value = "en", value_parser = language)]
    lang: Language,
}

/// Explains one face. Exit status 0: explained; 1: the photo or the face cannot be explained; 2: bad usage.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let limits = config.decode_limits();
    let style = ReplyStyle { language: arguments.lang, ..config.reply_style() };
    let mut photo = Vec::new();
    let opened = std::fs::File::open(&arguments.photo);
    opened
        .and_then(|file| file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut photo))
        .with_context(|| format!("{} cannot be read", arguments.photo.display()))?;
    let guesser = setup::guesser(config, limits)?;
    let explanation = match explain(&guesser, &photo, usize::from(arguments.face) - 1) {
        Ok(explanation) => explanation,
        Err(error) => {
            let problem = Problem::from(InferenceError::from(error));
            print_error(format_args!("{}: {}", arguments.photo.display(), problem.message(style.language)));
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        let words = style.words(&explanation);
        let write = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, content).with_context(|| format!("{} cannot be written", path.display()))
        };
        for (name, png) in draw::parts(&explanation, &words)? {
            write(&format!("{name}.png"), &png)?;
        }
        let texts = style.explanation_alternative_texts(&explanation);
        for (index, (jpeg, text)) in draw::cards(&explanation, &words)?.iter().zip(texts).enumerate() {
            write(&format!("card-{}.jpg", index + 1), jpeg)?;
            write(&format!("card-{}.txt", index + 1), text.as_bytes())?;
        }
    }
    if arguments.json {
        print_line(explanation_report::report(&explanation, &style))?;
    } else {
        print_line(style.explanation(&explanation))?;
    }
    Ok(ExitCode::SUCCESS)
}
