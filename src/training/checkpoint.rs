//! The state of a run in one safetensors file, replaced atomically.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::curve::Epoch;
use super::learner::Learner;
use super::recipe::Recipe;
use super::{TrainingError, TrainingOptions, write_error};

/// A checkpoint that was loaded but not yet restored into a learner.
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
    teachers: Vec<PathBuf>,
    history: Vec<Epoch>,
}

impl Checkpoint {
    /// Writes a temporary file, then renames it: a kill leaves either the old or the new checkpoint.
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
                ("first_moment", &parameter.first_moment),
                ("second_moment", &parameter.second_moment),
                ("ema", &parameter.ema),
            ];
            for (part, values) in parts {
                tensors.insert(format!("{part}/{name}"), Tensor::new(values.as_slice(), &Device::Cpu)?);
            }
        }
        let TrainingOptions { seed, recipe, teachers, .. } = options.clone();
        let state = State { step: learner.step, total_steps, seed, recipe, teachers, history: history.to_vec() };
        let state = serde_json::to_string(&state).map_err(|error| write_error(path, error))?;
        let partial = path.with_extension("partial");
        safetensors::serialize_to_file(&tensors, Some(HashMap::from([("state".to_owned(), state)])), &partial)
            .map_err(|error| write_error(&partial, error))?;
        std::fs::rename(&partial, path).map_err(|error| write_error(path, error))
    }

    /// Loads a checkpoint.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] when the file is not one.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let invalid = |reason: String| TrainingError::Checkpoint { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| invalid(error.to_string()))?;
        let state = header.metadata().as_ref().and_then(|metadata| metadata.get("state"));
        let state = state.ok_or_else(|| invalid("it contains only weights, not a run's state".into()))?;
        let state = serde_json::from_str(state).map_err(|error| invalid(error.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        Ok(Self { path: path.to_owned(), tensors, state })
    }

    fn error(&self, reason: impl Into<String>) -> TrainingError {
        TrainingError::Checkpoint { path: self.path.clone(), reason: reason.into() }
    }

    /// Checks that the run continues with the recipe, seed, teachers and amount of data it started with.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] says what differs.
    pub fn check_matches(&self, options: &TrainingOptions, total_steps: usize) -> Result<(), TrainingError> {
        let fix = "resume with the original settings, or start a new run in another --out";
        if self.state.recipe != options.recipe {
            return Err(self.error(format!("its recipe or number of epochs is different; {fix}")));
        }
        if self.state.seed != options.seed {
            return Err(self.error(format!("its run used --seed {}; {fix}", self.state.seed)));
        }
        if self.state.teachers != options.teachers {
            return Err(self.error(format!("its run used other teachers; {fix}")));
        }
        if self.state.total_steps != total_steps {
            return Err(self.error(format!("its run used other data; {fix}")));
        }
        Ok(())
    }

    /// Restores weights, moments and step into `learner` and returns the finished epochs.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] when a tensor is missing or has the wrong size.
    pub fn restore(self, learner: &mut Learner) -> Result<Vec<Epoch>, TrainingError> {
        for (name, parameter) in &mut learner.parameters {
            let length = parameter.values.len();
            parameter.values = self.tensor(format!("weight/{name}"), length)?;
            parameter.first_moment = self.tensor(format!("first_moment/{name}"), length)?;
            parameter.second_moment = self.tensor(format!("second_moment/{name}"), length)?;
            parameter.ema = self.tensor(format!("ema/{name}"), length)?;
        }
        learner.step = self.state.step;
        Ok(self.state.history)
    }

    /// Loads only the EMA weights into a fresh `learner`, as the start of another schedule.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] when a tensor is missing or has the wrong size.
    pub fn load_ema_into(&self, learner: &mut Learner) -> Result<(), TrainingError> {
        for (name, parameter) in &mut learner.parameters {
            parameter.ema = self.tensor(format!("ema/{name}"), parameter.ema.len())?;
            parameter.values.clone_from(&parameter.ema);
        }
        Ok(())
    }

    fn tensor(&self, name: String, length: usize) -> Result<Vec<f32>, TrainingError> {
        let tensor = self.tensors.get(&name).ok_or_else(|| self.error(format!("{name} is missing")))?;
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if values.len() == length { Ok(values) } else { Err(self.error(format!("{name} has the wrong size"))) }
    }
}
