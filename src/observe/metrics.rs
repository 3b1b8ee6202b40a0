//! What the program counts and measures, as Prometheus reads it: text of the OpenMetrics format, version 1.0
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>). No label names a person, a chat or a photo.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Stage;
use super::health::health;

/// The media type of [`Metrics::encode`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One label, or two, with their values.
type Label = [(&'static str, &'static str); 1];
type Labels = [(&'static str, &'static str); 2];
type Histograms = Family<Label, Histogram, fn() -> Histogram>;

/// How a photo was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With a guess of this many faces, or with the words that there is none.
    Faces(usize),
    /// With the reason why not, which lies in the photo, its sender or their number: this kind of refusal.
    Refused(&'static str),
    /// With an apology for a fault of this program or its environment: this kind of refusal.
    Failed(&'static str),
}

/// The counters, gauges and histograms of the process.
pub struct Metrics {
    registry: Registry,
    photos: Family<Labels, Counter>,
    refusals: Family<Labels, Counter>,
    platform_errors: Family<Labels, Counter>,
    platform_ready: Family<Label, Gauge>,
    stages: Histograms,
    batch: Histogram,
    queued: Gauge,
    workers: Gauge,
    busy: Gauge,
    resident: Gauge,
}

/// A worker that is computing, until this is dropped.
pub struct BusyWorker<'a>(&'a Gauge);

impl Drop for BusyWorker<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);
    &METRICS
}

impl Metrics {
    fn new() -> Self {
        // From one millisecond to half a minute: a portrait takes some, a reply in a flood many seconds.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("faceguesser");
        let photos = Family::default();
        own.register("photos", "Photos by platform and by how they were answered", photos.clone());
        let refusals = Family::default();
        own.register("refusals", "Photos that got no guess, by platform and reason", refusals.clone());
        let platform_errors = Family::default();
        own.register("platform_errors", "Failed requests to a platform, by kind", platform_errors.clone());
        let platform_ready = Family::default();
        own.register("platform_ready", "Whether a platform accepts the bot and answers it", platform_ready.clone());
        let stages = Histograms::new_with_constructor(seconds);
        own.register_with_unit("stage", "How long each stage of a photo took", Unit::Seconds, stages.clone());
        let batch = Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0]);
        own.register("batch_faces", "Faces that went through the network together", batch.clone());
        let queued = Gauge::default();
        own.register("queue_depth", "Photos that wait for a worker", queued.clone());
        let workers = Gauge::default();
        own.register("workers", "Worker threads", workers.clone());
        let busy = Gauge::default();
        own.register("workers_busy", "Worker threads that are computing", busy.clone());
        own.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let process = registry.sub_registry_with_prefix("process");
        let resident = Gauge::default();
        process.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, resident.clone());
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        process.register_with_unit("start_time", "Start of the process since the Unix epoch", Unit::Seconds, started);
        // Those that Prometheus would otherwise miss until the first photo.
        for stage in Stage::ALL {
            let _ = stages.get_or_create_owned(&[("stage", stage.names().0)]);
        }
        Self {
            registry,
            photos,
            refusals,
            platform_errors,
            platform_ready,
            stages,
            batch,
            queued,
            workers,
            busy,
            resident,
        }
    }

    /// Counts an answered photo of a platform.
    pub fn count_photo(&self, platform: &'static str, outcome: Outcome) {
        let name = match outcome {
            Outcome::Faces(0) => "no_face",
            Outcome::Faces(_) => "guessed",
            Outcome::Refused(_) => "refused",
            Outcome::Failed(_) => "failed",
        };
        self.photos.get_or_create(&[("platform", platform), ("outcome", name)]).inc();
        if let Outcome::Refused(kind) | Outcome::Failed(kind) = outcome {
            self.refusals.get_or_create(&[("platform", platform), ("kind", kind)]).inc();
        }
    }

    /// Counts a request that a platform did not fulfil.
    pub fn count_platform_error(&self, platform: &'static str, kind: &'static str) {
        self.platform_errors.get_or_create(&[("platform", platform), ("kind", kind)]).inc();
    }

    /// Records the time of a stage.
    pub fn observe_stage(&self, stage: Stage, took: Duration) {
        self.stages.get_or_create(&[("stage", stage.names().0)]).observe(took.as_secs_f64());
    }

    /// Records how many faces went through the network together.
    pub fn observe_batch(&self, faces: usize) {
        self.batch.observe(faces as f64);
    }

    /// Changes the number of photos that wait for a worker by `by`, which may be negative.
    pub fn queue_changed(&self, by: i64) {
        self.queued.inc_by(by);
    }

    /// Sets the number of worker threads.
    pub fn set_workers(&self, workers: usize) {
        self.workers.set(i64::try_from(workers).unwrap_or(i64::MAX));
    }

    /// Counts a worker as computing until the returned value is dropped.
    pub fn busy_worker(&self) -> BusyWorker<'_> {
        self.busy.inc();
        BusyWorker(&self.busy)
    }

    /// The text for Prometheus, of type [`MEDIA_TYPE`].
    pub fn encode(&self) -> String {
        self.resident.set(resident_bytes().unwrap_or_default());
        for platform in health().platforms() {
            let ready = i64::from(platform.problem.is_none());
            self.platform_ready.get_or_create(&[("platform", platform.name)]).set(ready);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The resident memory of this process, from Linux's `/proc`; `None` on other systems.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kilobytes.trim().trim_end_matches("kB").trim().parse::<i64>().ok()? * 1024)
}
