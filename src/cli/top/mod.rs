//! `faceguesser top`: a terminal view of a running bot, read from its `/metrics` and `/readyz`.

mod sample;
mod view;

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Terminal};
use url::Url;

use super::output::print_line;
use crate::config::Config;
use sample::Sample;

/// The window over which rates and times are shown.
const WINDOW: Duration = Duration::from_secs(60);
/// How many rates are kept for the bars, more than terminals are wide.
const MOST_RATES: usize = 512;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Far more than a bot's answers have.
const MOST_BYTES: usize = 4 << 20;
/// The size of the text without a terminal.
const TEXT_SIZE: (u16, u16) = (110, 30);

/// Options of `top`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The bot's address [default: status.listen, or else web.listen, of the configuration].
    #[arg(value_name = "URL")]
    url: Option<Url>,

    /// Seconds between two readings.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    every: f64,

    /// Print the figures since the bot's start as text, and exit. Without a terminal this is what happens anyway.
    #[arg(long)]
    once: bool,
}

/// The readings of the last minute, and what is shown of them.
#[derive(Debug, Default)]
struct History {
    samples: VecDeque<Sample>,
    /// Photos per second, rounded up, from one reading to the next.
    rates: Vec<u64>,
    /// Why the bot is not ready.
    reasons: Vec<String>,
    /// Why the latest reading failed.
    problem: Option<String>,
}

impl History {
    fn add(&mut self, sample: Sample, reasons: Vec<String>) {
        if let Some(previous) = self.samples.back() {
            let photos: f64 = sample.since(Some(previous), "faceguesser_photos_total", "platform").values().sum();
            let rate = photos / sample.elapsed(Some(previous)).as_secs_f64().max(0.001);
            self.rates.push(rate.ceil() as u64);
            let surplus = self.rates.len().saturating_sub(MOST_RATES);
            self.rates.drain(..surplus);
        }
        let begin = sample.at - WINDOW.as_secs_f64();
        while self.samples.front().is_some_and(|oldest| oldest.at < begin) {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        (self.reasons, self.problem) = (reasons, None);
    }

    fn latest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// The reading to compare the latest one with; `None` compares it with the bot's start.
    fn oldest(&self) -> Option<&Sample> {
        self.samples.front().filter(|_| self.samples.len() > 1)
    }

    /// The window that the figures cover, in words.
    fn span(&self, now: &Sample) -> String {
        let length = view::duration(now.elapsed(self.oldest()).as_secs());
        if self.oldest().is_some() { format!("last {length}") } else { format!("since the start, {length}") }
    }
}

/// Shows the figures until a key ends it.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let base = arguments.url.unwrap_or_else(|| address(config));
    anyhow::ensure!((0.1..=3600.0).contains(&arguments.every), "--every: must be 0.1 to 3600 seconds");
    let every = Duration::from_secs_f64(arguments.every);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build().context("no HTTP client")?;
    let mut history = History::default();
    let read = |history: &mut History| match runtime.block_on(fetch(&client, &base)) {
        Ok((sample, reasons)) => history.add(sample, reasons),
        Err(error) => history.problem = Some(format!("{error:#}")),
    };
    read(&mut history);
    if arguments.once || !std::io::stdout().is_terminal() {
        if let Some(problem) = history.problem {
            anyhow::bail!("{problem}");
        }
        print_line(text(&history)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    let shown = watch(&mut terminal, &mut history, every, read);
    ratatui::restore();
    shown?;
    Ok(ExitCode::SUCCESS)
}

/// Draws, waits and reads until a key ends it.
fn watch(
    terminal: &mut DefaultTerminal,
    history: &mut History,
    every: Duration,
    read: impl Fn(&mut History),
) -> std::io::Result<()> {
    loop {
        terminal.draw(|frame| view::draw(frame, history))?;
        if ends_within(every)? {
            return Ok(());
        }
        read(history);
    }
}

/// Whether a key ends the view within this time.
fn ends_within(time: Duration) -> std::io::Result<bool> {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if !event::poll(left)? {
            return Ok(false);
        }
        match event::read()? {
            Event::Key(key) if key.kind == KeyEventKind::Press && is_end(&key) => return Ok(true),
            // Drawn again in the new size.
            Event::Resize(..) => return Ok(false),
            _ => {}
        }
    }
}

fn is_end(key: &KeyEvent) -> bool {
    let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

/// The view as text.
fn text(history: &History) -> anyhow::Result<String> {
    let (width, height) = TEXT_SIZE;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).context("the view cannot be drawn")?;
    terminal.draw(|frame| view::draw(frame, history)).context("the view cannot be drawn")?;
    let lines = terminal.backend().buffer().content().chunks(usize::from(width));
    let lines = lines.map(|cells| cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned());
    Ok(lines.collect::<Vec<_>>().join("\n").trim_end().to_owned())
}

/// The address at which the configured bot serves its metrics on this machine.
fn address(config: &Config) -> Url {
    let mut address = config.status.listen.unwrap_or(config.web.listen);
    if address.ip().is_unspecified() {
        let loopback: IpAddr = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address = SocketAddr::new(loopback, address.port());
    }
    Url::parse(&format!("http://{address}/")).expect("a socket address is a host and a port")
}

/// The metrics, and the reasons why the bot is not ready.
async fn fetch(client: &reqwest::Client, base: &Url) -> anyhow::Result<(Sample, Vec<String>)> {
    let advice = || {
        format!(
            "no figures of a bot at {base}: is it running there? /metrics is on status.listen, or else on the chat page's \
             address for this machine only"
        )
    };
    let (status, metrics) = get(client, base, "metrics").await.with_context(advice)?;
    let sample = Sample::parse(&metrics);
    anyhow::ensure!(status.is_success() && sample.is_of_a_bot(), advice());
    let (_, readiness) = get(client, base, "readyz").await.with_context(advice)?;
    let readiness: serde_json::Value = serde_json::from_str(&readiness).unwrap_or_default();
    let reasons = readiness["reasons"].as_array().into_iter().flatten();
    Ok((sample, reasons.filter_map(|reason| Some(reason.as_str()?.to_owned())).collect()))
}

async fn get(client: &reqwest::Client, base: &Url, path: &str) -> anyhow::Result<(reqwest::StatusCode, String)> {
    let mut response = client.get(base.join(path)?).send().await?;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        anyhow::ensure!(body.len() + piece.len() <= MOST_BYTES, "the answer is too long");
        body.extend_from_slice(&piece);
    }
    Ok((response.status(), String::from_utf8_lossy(&body).into_owned()))
}
