//! `faceguesser check`: verifies the installation and shows what `run` will serve.

use std::process::ExitCode;

use bytes::Bytes;
use secrecy::SecretString;

use super::output::{print_error, print_line};
use crate::Framing;
use crate::config::Config;
use crate::inference::FlowId;
use crate::setup;

/// The mean of several hundred training crops, large in a grey picture: not a real person, but a face
/// that both networks recognise.
pub(super) const MEAN_FACE: &[u8] = include_bytes!("../../models/mean-face.jpg");

/// Loads everything, guesses the bundled picture and shows what is on and off.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    print_line("configuration: valid")?;
    let pool = setup::pool(config, config.decode_limits())?;
    setup::store(config)?;
    let from = |path: &Option<std::path::PathBuf>| match path {
        Some(path) => path.display().to_string(),
        None => "compiled in".to_owned(),
    };
    print_line(format_args!("store: {}", config.store.path.display()))?;
    print_line(format_args!("detector: loaded ({})", from(&config.models.detector)))?;
    print_line(format_args!("estimator: loaded ({})", from(&config.models.estimator)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = std::time::Instant::now();
    let analysis =
        runtime.block_on(pool.analyse(FlowId::from_key(&()), Bytes::from_static(MEAN_FACE), Framing::Find))?;
    let milliseconds = started.elapsed().as_millis();
    print_line(format_args!("bundled picture ({milliseconds} ms): {}", config.reply_style().guess(&analysis, 400)))?;
    let switch = |token: &Option<SecretString>, variable: &str| match token {
        Some(_) => "on (only `run` verifies the token)".to_owned(),
        None => format!("off: set {variable} to turn it on"),
    };
    print_line(format_args!("Discord: {}", switch(&config.discord.token, "FACEGUESSER__DISCORD__TOKEN")))?;
    let channels = config.discord.channels.len();
    if config.discord.token.is_some() && channels > 0 {
        print_line(format_args!(
            "  answers every picture in {channels} channels; the message content intent must be on"
        ))?;
    }
    print_line(format_args!("Telegram: {}", switch(&config.telegram.token, "FACEGUESSER__TELEGRAM__TOKEN")))?;
    print_line(match config.web.enabled {
        true => format!("chat page: on, http://{}/", config.web.listen),
        false => "chat page: off (web.enabled)".to_owned(),
    })?;
    if analysis.faces.len() == 1 {
        return Ok(ExitCode::SUCCESS);
    }
    print_error(format_args!(
        "faceguesser: the bundled picture has one face, {} were found: these weights do not work",
        analysis.faces.len()
    ));
    Ok(ExitCode::FAILURE)
}
