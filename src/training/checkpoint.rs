//! Everything a run needs to go on, in one safetensors file that is replaced in one step.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::curve::Epoch;
use super::learner::Learner;
use super::recipe::Recipe;
use super::{TrainingError, TrainingOptions, unwritable};

/// A checkpoint that was read and not yet put to use.
pub struct Checkpoint {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    step: usize,
    total_steps: usize,
    seed: u64,
    recipe: Recipe,
    /// Not in checkpoints from before there were any.
    #[serde(default)]
    teachers: Vec<PathBuf>,
    history: Vec<Epoch>,
}

impl Checkpoint {
    /// Writes beside `path`, then renames over it: a kill leaves the old or the new one, whole.
    ///
    /// # Errors
    /// [`TrainingError::Write`].
    pub fn save(
        path: &Path,
        learner: &Learner,
        history: &[Epoch],
        options: &TrainingOptions,
        total_steps: usize,
    ) -> Result<(), TrainingError> {
        let mut tensors = HashMap::new();
        for (name, parameter) in &learner.parameters {
            let parts = [
                ("weight", &parameter.values),
                ("first", &parameter.first),
                ("second", &parameter.second),
                ("average", &parameter.average),
            ];
            for (part, values) in parts {
                tensors.insert(format!("{part}/{name}"), Tensor::new(values.as_slice(), &Device::Cpu)?);
            }
        }
        let TrainingOptions { seed, recipe, teachers, .. } = options.clone();
        let state = State { step: learner.step, total_steps, seed, recipe, teachers, history: history.to_vec() };
        let state = serde_json::to_string(&state).map_err(|error| unwritable(path, error))?;
        let partial = path.with_extension("partial");
        safetensors::serialize_to_file(&tensors, Some(HashMap::from([("state".to_owned(), state)])), &partial)
            .map_err(|error| unwritable(&partial, error))?;
        std::fs::rename(&partial, path).map_err(|error| unwritable(path, error))
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] when it is not one.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let unusable = |reason: String| TrainingError::Checkpoint { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| unusable(error.to_string()))?;
        let state = header.metadata().as_ref().and_then(|notes| notes.get("state"));
        let state = state.ok_or_else(|| unusable("it holds weights alone, not a run's state".into()))?;
        let state = serde_json::from_str(state).map_err(|error| unusable(error.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        Ok(Self { path: path.to_owned(), tensors, state })
    }

    fn unusable(&self, reason: impl Into<String>) -> TrainingError {
        TrainingError::Checkpoint { path: self.path.clone(), reason: reason.into() }
    }

    /// Refuses to go on with another recipe, seed, teachers or amount of data than the run began with.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] says what differs.
    pub fn check(&self, options: &TrainingOptions, total_steps: usize) -> Result<(), TrainingError> {
        let fix = "resume with what it began with, or start afresh with another --out";
        if self.state.recipe != options.recipe {
            return Err(self.unusable(format!("it was made with another recipe or number of epochs; {fix}")));
        }
        if self.state.seed != options.seed {
            return Err(self.unusable(format!("it was made with --seed {}; {fix}", self.state.seed)));
        }
        if self.state.teachers != options.teachers {
            return Err(self.unusable(format!("it was made with other teachers; {fix}")));
        }
        if self.state.total_steps != total_steps {
            return Err(self.unusable(format!("it was made with other data; {fix}")));
        }
        Ok(())
    }

    /// Puts everything back into `learner` and returns the finished epochs.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] when a tensor is missing or has another size.
    pub fn restore(self, learner: &mut Learner) -> Result<Vec<Epoch>, TrainingError> {
        for (name, parameter) in &mut learner.parameters {
            let length = parameter.first.len();
            parameter.values = self.values(format!("weight/{name}"), length)?;
            parameter.first = self.values(format!("first/{name}"), length)?;
            parameter.second = self.values(format!("second/{name}"), length)?;
            parameter.average = self.values(format!("average/{name}"), length)?;
        }
        learner.step = self.state.step;
        Ok(self.state.history)
    }

    /// Gives a fresh `learner` the averaged weights alone, as the start of another schedule.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] when a tensor is missing or has another size.
    pub fn hand_weights_to(&self, learner: &mut Learner) -> Result<(), TrainingError> {
        for (name, parameter) in &mut learner.parameters {
            parameter.average = self.values(format!("average/{name}"), parameter.average.len())?;
            parameter.values.clone_from(&parameter.average);
        }
        Ok(())
    }

    fn values(&self, name: String, length: usize) -> Result<Vec<f32>, TrainingError> {
        let tensor = self.tensors.get(&name).ok_or_else(|| self.unusable(format!("{name} is missing")))?;
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if values.len() == length { Ok(values) } else { Err(self.unusable(format!("{name} has another size"))) }
    }
}
