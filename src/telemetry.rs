//! Logs: one line per event, to standard error, with fields and units. They never contain a photo, token,
//! name or message text. With the feature `otel`, spans are exported as well.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};

/// The most verbose level logged for each library, whatever `log.level` says: below these levels they log
/// what they send and receive, including tokens, names and messages.
const LIBRARIES: [(&str, LevelFilter); 11] = [
    ("async_nats", LevelFilter::WARN),
    ("teloxide", LevelFilter::OFF),
    ("teloxide_core", LevelFilter::OFF),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("h2", LevelFilter::WARN),
    ("reqwest", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    ("rusqlite_migration", LevelFilter::WARN),
    ("tungstenite", LevelFilter::WARN),
    ("tokio_tungstenite", LevelFilter::WARN),
];

/// Changes the level of the log that was started.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("log.level: {0:?} is neither a level (error, warn, info, debug, trace) nor a filter")]
pub struct FilterError(String);

/// The exporter of the spans.
#[cfg(feature = "otel")]
static EXPORT: OnceLock<opentelemetry_sdk::trace::SdkTracerProvider> = OnceLock::new();

/// Starts logging for the whole program; further calls have no effect.
///
/// # Errors
/// [`FilterError`] when the level cannot be read.
pub fn start(log: &Log) -> Result<(), FilterError> {
    let (wanted, level) = reload::Layer::new(filter(log)?);
    let bounded = Targets::new().with_default(LevelFilter::TRACE).with_targets(LIBRARIES);
    let in_colour = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(BoxMakeWriter::new(std::io::stderr)).with_ansi(in_colour);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines.with_filter(bounded).with_filter(wanted));
    #[cfg(feature = "otel")]
    let registry = {
        use opentelemetry::trace::TracerProvider;

        let provider = span_provider();
        // Of this crate only: the exporter's own requests would be exported in turn.
        let own = Targets::new().with_target(env!("CARGO_PKG_NAME"), LevelFilter::INFO);
        let layer = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer().with_tracer(provider.tracer(env!("CARGO_PKG_NAME"))).with_filter(own)
        });
        if let Some(provider) = provider {
            let _ = EXPORT.set(provider);
        }
        registry.with(layer)
    };
    // Only tests call it twice; the first subscriber stays.
    if registry.try_init().is_ok() {
        let _ = LEVEL.set(level);
    }
    Ok(())
}

/// Sends what has not been exported yet; to be called at the end of the program.
pub fn end() {
    #[cfg(feature = "otel")]
    if let Some(provider) = EXPORT.get() {
        // The collector may be gone; the program ends all the same.
        let _ = provider.shutdown();
    }
}

/// Sends spans over HTTP to the collector that the standard variables name (OpenTelemetry Protocol Exporter,
/// "Configuration Options"); `None` if they name none.
#[cfg(feature = "otel")]
fn span_provider() -> Option<opentelemetry_sdk::trace::SdkTracerProvider> {
    use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].into_iter().any(is_set) {
        return None;
    }
    let exporter = match opentelemetry_otlp::SpanExporter::builder().with_http().build() {
        Ok(exporter) => exporter,
        Err(error) => {
            eprintln!("faceguesser: spans are not exported: {error}");
            return None;
        }
    };
    let resource = Resource::builder();
    let resource = match is_set("OTEL_SERVICE_NAME") {
        true => resource,
        false => resource.with_service_name(env!("CARGO_PKG_NAME")),
    };
    Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}

/// Changes the level, or filter, of the log that [`start`] started.
///
/// # Errors
/// As [`start`].
pub fn set_level(log: &Log) -> Result<(), FilterError> {
    let wanted = filter(log)?;
    if let Some(level) = LEVEL.get() {
        // It fails only after the log has ended.
        let _ = level.reload(wanted);
    }
    Ok(())
}

fn filter(log: &Log) -> Result<EnvFilter, FilterError> {
    EnvFilter::try_new(&log.level).map_err(|_| FilterError(log.level.clone()))
}
