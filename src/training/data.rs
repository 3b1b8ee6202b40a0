//! The crops of a run: training, validation and extra sets, and the order of each epoch.

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use tracing::info;

use super::augmentation::augment_batch;
use super::dataset::{Age, Dataset, Example};
use super::distillation::add_teacher_predictions;
use super::recipe::Recipe;
use super::{TrainingError, TrainingOptions, load_estimator};
use crate::model::network::SIDE;

/// The number of training crops that are scored, without augmentation, next to the validation crops.
const MONITORED_CROPS: usize = 1000;

/// Batches over which batch-norm statistics of the EMA weights are measured: 2,048 crops at a batch
/// size of 64, some seconds per validation; fewer left visible noise in the validation figures.
const STATISTICS_BATCHES: usize = 32;

/// Batches of crops, 128×128 pixels each.
pub(super) type StatisticsBatches = Vec<Vec<Vec<u8>>>;

/// All crops of a run in memory.
pub(super) struct TrainingData {
    pub(super) train: Dataset,
    pub(super) val: Dataset,
    pub(super) extra: Vec<Example>,
}

impl TrainingData {
    /// Loads the folders and adds the teachers' predictions to all but the validation crops.
    pub(super) fn load(options: &TrainingOptions) -> Result<Self, TrainingError> {
        let in_colour = options.recipe.augmentation.channel_mix > 0.0;
        let mut train = Dataset::from_folders(&options.train, |folder| Dataset::utkface(folder, in_colour))?;
        let val = Dataset::utkface(&options.val, false)?;
        let mut extra = Dataset::from_folders(&options.extra, Dataset::listed)?.examples;
        if options.recipe.smile_weight > 0.0 && extra.iter().all(|example| example.smile.is_none()) {
            return Err(TrainingError::Recipe("smile_weight needs an --extra folder with labelled smiles".into()));
        }
        info!(train = train.examples.len(), val = val.examples.len(), extra = extra.len(), "data loaded");
        if !options.teachers.is_empty() {
            let teachers = options.teachers.iter().map(|path| load_estimator(path)).collect::<Result<Vec<_>, _>>()?;
            add_teacher_predictions(&teachers, &mut train.examples)?;
            add_teacher_predictions(&teachers, &mut extra)?;
            info!(teachers = teachers.len(), "teachers' predictions computed");
        }
        Ok(Self { train, val, extra })
    }

    /// All training crops and a new random sample of the extra ones, shuffled. Extra faces below 20
    /// and from 60 on are `rare_age_weight` times as likely to be drawn.
    pub(super) fn epoch_order(&self, recipe: &Recipe, seed: u64, epoch: usize) -> Vec<&Example> {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x6f72_6465_7200_0000);
        random.set_stream(epoch as u64);
        let train = &self.train.examples;
        let count = ((train.len() as f64 * recipe.extra_ratio) as usize).min(self.extra.len());
        let mut order: Vec<&Example> = train.iter().collect();
        let weight = |example: &Example| match example.age {
            Age::Bin(first, end) if end <= 20 || first >= 60 => recipe.rare_age_weight,
            _ => 1.0,
        };
        // `sample_weighted` cannot fail: the recipe was validated, so weights are positive and finite.
        order.extend(self.extra.sample_weighted(&mut random, count, weight).into_iter().flatten());
        order.shuffle(&mut random);
        order
    }

    /// A fixed random sample of the training crops.
    pub(super) fn monitored_sample(&self, seed: u64) -> Vec<Example> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let train = &self.train.examples;
        train.sample(&mut random, MONITORED_CROPS.min(train.len())).cloned().collect()
    }

    /// A fixed set of augmented crops for the batch-norm statistics of the EMA weights; whole batches
    /// only, unless there is not even one.
    pub(super) fn statistics_batches(&self, recipe: &Recipe, seed: u64) -> StatisticsBatches {
        // Random streams that no training step uses.
        const FIRST_STREAM: u64 = 1 << 60;
        let order = self.epoch_order(recipe, seed, usize::MAX);
        let whole = (order.len() / recipe.batch_size).max(1);
        let batches = order.chunks(recipe.batch_size).take(whole.min(STATISTICS_BATCHES)).enumerate();
        let crops = |(index, batch): (usize, &[&Example])| {
            let stream = FIRST_STREAM + (index * recipe.batch_size) as u64;
            let samples = augment_batch(batch, &recipe.augmentation, SIDE, (seed, stream));
            samples.into_iter().map(|sample| sample.pixels).collect()
        };
        batches.map(crops).collect()
    }
}
