//! Builds the parts of the program from its settings: networks, store, worker pool, bot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use crate::Guesser;
use crate::bot::Bot;
use crate::bot::jobs::Role;
use crate::bot::sqlite::{self, Sqlite};
use crate::bot::store::Store;
#[cfg(feature = "cluster")]
use crate::cluster::{ClusterOptions, ClusterStore};
#[cfg(feature = "cluster")]
use crate::config::Cluster;
use crate::config::Config;
use crate::download::Downloader;
use crate::face::{FaceFinder, FinderOptions};
use crate::inference::Pool;
use crate::model::detector::{self, Detector};
use crate::model::estimator::{self, Estimator};
use crate::photo::DecodeLimits;

/// Both networks, from the configured files or the compiled-in weights, decoding within `limits`.
pub fn guesser(config: &Config, limits: DecodeLimits) -> anyhow::Result<Guesser> {
    Ok(Guesser::new(unverified_finder(config, config.limits.faces)?, face_estimator(config)?, limits))
}

/// The finder of at most `max_faces` faces that a [`guesser`] has: with the configured or compiled-in networks.
pub fn face_finder(config: &Config, max_faces: usize) -> anyhow::Result<FaceFinder> {
    Ok(unverified_finder(config, max_faces)?.with_verifier(&Arc::new(face_estimator(config)?)))
}

fn unverified_finder(config: &Config, max_faces: usize) -> anyhow::Result<FaceFinder> {
    let place = config.place("models.detector");
    let detector = weights(&config.models.detector, place, detector::embedded(), Detector::from_safetensors)?;
    Ok(FaceFinder::new(detector, FinderOptions { max_faces, ..FinderOptions::default() }))
}

/// The configured or compiled-in estimator.
pub fn face_estimator(config: &Config) -> anyhow::Result<Estimator> {
    let load = Estimator::from_safetensors;
    let place = config.place("models.estimator");
    let estimator = weights(&config.models.estimator, place, estimator::embedded(), load)?;
    estimator.to_device(config.inference.device).with_context(|| config.place("inference.device").to_owned())
}

/// The estimator in `file` where a command was given one, otherwise [`face_estimator`].
pub fn face_estimator_or(file: Option<&Path>, config: &Config) -> anyhow::Result<Estimator> {
    file.map_or_else(|| face_estimator(config), |file| face_estimator_in(file, "--weights"))
}

/// The estimator in the `file` that was given as `option`.
pub fn face_estimator_in(file: &Path, option: &str) -> anyhow::Result<Estimator> {
    weights(&Some(file.to_owned()), option, estimator::embedded(), Estimator::from_safetensors)
}

fn weights<T, E: std::error::Error + Send + Sync + 'static>(
    file: &Option<PathBuf>,
    place: &str,
    embedded: &[u8],
    load: impl Fn(&[u8]) -> Result<T, E>,
) -> anyhow::Result<T> {
    let Some(path) = file else { return load(embedded).context("the compiled-in weights are unusable") };
    let bytes = std::fs::read(path).with_context(|| format!("{place}: {} cannot be read", path.display()))?;
    load(&bytes).with_context(|| format!("{place}: {} does not contain weights of this network", path.display()))
}

/// The store of settings, games and jobs.
pub fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let path = &config.store.path;
    let unusable = |error| {
        let advice = sqlite::advice(&error);
        anyhow::Error::new(error).context(format!(
            "{}: {} cannot be used: {advice}",
            config.place("store.path"),
            path.display()
        ))
    };
    let store = Sqlite::open(path).map_err(unusable)?;
    Ok(Arc::new(store))
}

/// The store that gateways and workers share.
#[cfg(feature = "cluster")]
pub async fn cluster_store(config: &Config) -> anyhow::Result<Arc<ClusterStore>> {
    let Cluster { servers, token, name, replicas, queue, .. } = config.cluster.clone();
    let options = ClusterOptions { servers, token, name, replicas, queue: queue.into() };
    ClusterStore::connect(options).await.context("[cluster] cannot be used")
}

/// The worker pool, started.
pub fn pool(config: &Config, limits: DecodeLimits) -> anyhow::Result<Arc<Pool>> {
    Ok(Arc::new(Pool::start(Arc::new(guesser(config, limits)?), config.pool_options()).context("no worker threads")?))
}

/// The bot and its worker pool.
pub fn bot(config: &Config, store: Arc<dyn Store>, role: Role) -> anyhow::Result<(Arc<Bot>, Arc<Pool>)> {
    // Workers and drawing share one budget of memory.
    let limits = config.decode_limits();
    let pool = pool(config, limits.clone())?;
    let downloader = Downloader::new(config.download_limits())?;
    let bot = Bot::new(pool.clone(), downloader, store, config.bot_options(limits));
    Ok((Arc::new(bot.with_role(role)), pool))
}
