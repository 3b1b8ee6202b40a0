//! Training end to end: the loss falls, runs are reproducible to the bit over stops and kills, and invalid
//! input is reported with its remedy.
//!
//! Most tests draw their own faces: a disk whose size encodes the age and whose shade encodes the gender. One
//! reads real crops.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use faceguesser::model::estimator::Estimator;
use faceguesser::training::curve::{Epoch, EpochScores};
use faceguesser::training::learner::Learner;
use faceguesser::training::recipe::{Recipe, ResizingStage};
use faceguesser::training::{TrainingError, TrainingOptions, train};
use image::GrayImage;
use tempfile::TempDir;

use crate::support::crops;
use crate::support::program::PROGRAM;

/// A small network and a fast-moving weight average, so that a run takes a second or two.
const RECIPE: &str = r#"
architecture = "8:8x1,16x1,16x1"
epochs = 3
batch_size = 16
learning_rate = 1e-2
warmup = 0.2
weight_decay = 0.02
ema_decay = 0.8
dropout = 0.1
age_l1_weight = 0.1
age_sigma = 0.8
age_sigma_per_year = 0.04
age_bin_weight = 0.7
extra_ratio = 0.5
[augmentation]
roll = 15.0
scale = 0.15
shift = 0.08
gamma = 0.6
blur = 0.1
cutout = 0.2
constant_border = 0.5
"#;

/// A temporary folder with drawn faces, for data and results.
pub struct Scene {
    folder: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        scene.draw("train", 96);
        scene.draw("val", 32);
        std::fs::write(scene.path("recipe.toml"), RECIPE).unwrap();
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn draw(&self, name: &str, count: u32) {
        self.draw_labelled(name, count, |gender| gender);
    }

    /// Draws faces whose file names hold the gender that `label` makes of the true one.
    pub fn draw_labelled(&self, name: &str, count: u32, label: impl Fn(u32) -> u32) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        for index in 0..count {
            let (age, gender) = (index * 7 % 80, index / 2 % 2);
            let face = drawn_face(age, gender == 1, index);
            let gender = label(gender);
            face.save(self.path(name).join(format!("{age}_{gender}_{}_{index}.png", index % 5))).unwrap();
        }
    }

    pub fn options(&self, out: &str) -> TrainingOptions {
        TrainingOptions {
            train: vec![self.path("train")],
            val: self.path("val"),
            extra: Vec::new(),
            out: self.path(out),
            recipe: Recipe::load(Some(&self.path("recipe.toml"))).unwrap(),
            resume: false,
            start_from: Vec::new(),
            teachers: Vec::new(),
            validate_every: 1,
            stop_after: None,
            seed: 5,
        }
    }

    pub fn weights(&self, out: &str) -> Weights {
        weights(&self.path(out).join("estimator.safetensors"))
    }

    pub fn evaluate(&self, arguments: &[&str]) -> std::process::Output {
        let weights = self.path("out/estimator.safetensors");
        let mut command = Command::new(PROGRAM);
        command.args(["evaluate", "--aligned", "--weights"]).arg(weights).arg("--data").arg(self.path("val"));
        command.args(arguments).output().unwrap()
    }
}

/// A disk on a textured background: larger with age, bright for female and dark for male.
fn drawn_face(age: u32, female: bool, seed: u32) -> GrayImage {
    let radius = 10.0 + age as f32 * 0.3;
    GrayImage::from_fn(100, 100, |x, y| {
        let distance = ((x as f32 - 50.0).powi(2) + (y as f32 - 50.0).powi(2)).sqrt();
        let grain = (x * 31 + y * 17 + seed * 13) % 23;
        let disk = if female { 200 } else { 40 };
        image::Luma([(if distance < radius { disk } else { 120 } + grain) as u8])
    })
}

pub type Weights = Vec<(String, Vec<u8>)>;

/// Loads the network in a file.
pub fn estimator(path: &Path) -> Estimator {
    Estimator::from_safetensors(&std::fs::read(path).unwrap()).unwrap()
}

/// All tensors of a file: names and raw bytes, sorted.
pub fn weights(path: &Path) -> Weights {
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Weights = tensors.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
    all.sort();
    all
}

fn without_time(history: &[Epoch]) -> Vec<Epoch> {
    history.iter().map(|epoch| Epoch { seconds: 0.0, ..*epoch }).collect()
}

fn scores(epoch: &Epoch) -> EpochScores {
    epoch.scores.expect("a scored epoch")
}

fn refusal(options: &TrainingOptions) -> TrainingError {
    train(options).expect_err("training refuses this")
}

#[test]
fn training_lowers_the_loss_and_saves_accurate_weights() {
    let scene = Scene::new();
    let mut options = scene.options("out");
    options.recipe.epochs = 16;
    let history = train(&options).unwrap();
    let (first, last) = (history[0], history[15]);
    assert_eq!(history.len(), 16);
    assert!(last.loss < first.loss * 0.85, "loss went from {} to {}", first.loss, last.loss);
    let (first, last) = (scores(&first), scores(&last));
    assert!(last.val_gender_accuracy >= 0.9, "gender accuracy {}", last.val_gender_accuracy);
    assert!(last.val_age_mae < first.val_age_mae, "age MAE went from {} to {}", first.val_age_mae, last.val_age_mae);
    let picture = image::open(scene.path("out/curve.png")).unwrap();
    assert!(picture.width() > picture.height());
    let rows = std::fs::read_to_string(scene.path("out/curve.csv")).unwrap();
    assert_eq!(rows.lines().count(), 17, "a header and sixteen epochs");
}

#[test]
fn a_run_that_was_stopped_and_resumed_ends_with_identical_weights() {
    let scene = Scene::new();
    let whole = train(&scene.options("whole")).unwrap();
    let first = train(&TrainingOptions { stop_after: Some(1), ..scene.options("parts") }).unwrap();
    assert_eq!(first.len(), 1);
    assert!(scene.weights("whole") != scene.weights("parts"));
    let parts = train(&TrainingOptions { resume: true, ..scene.options("parts") }).unwrap();
    assert_eq!(without_time(&whole), without_time(&parts));
    assert!(scene.weights("whole") == scene.weights("parts"));
}

#[test]
fn scoring_less_often_changes_no_weights_and_leaves_gaps_in_the_curve() {
    let scene = Scene::new();
    train(&scene.options("each")).unwrap();
    let history = train(&TrainingOptions { validate_every: 2, ..scene.options("second") }).unwrap();
    let scored: Vec<bool> = history.iter().map(|epoch| epoch.scores.is_some()).collect();
    assert_eq!(scored, [false, true, true], "the second and the last epoch");
    assert!(scene.weights("each") == scene.weights("second"));
    let rows = std::fs::read_to_string(scene.path("second/curve.csv")).unwrap();
    let columns: Vec<usize> = rows.lines().map(|row| row.split(',').count()).collect();
    assert_eq!(columns, [7; 4], "{rows}");
    assert!(rows.lines().nth(1).unwrap().ends_with(",,,,"), "{rows}");
}

#[test]
fn training_with_mixup_is_reproducible() {
    let scene = Scene::new();
    let mut options = scene.options("whole");
    options.recipe.epochs = 8;
    options.recipe.augmentation.mixup = 0.5;
    let history = train(&options).unwrap();
    assert!(history[7].loss < history[0].loss, "{history:?}");
    for stop_after in [Some(3), None] {
        train(&TrainingOptions { out: scene.path("parts"), resume: true, stop_after, ..options.clone() }).unwrap();
    }
    assert!(scene.weights("whole") == scene.weights("parts"));
}

#[test]
fn a_run_can_start_from_an_earlier_runs_weights_with_another_schedule() {
    let scene = Scene::new();
    let first = train(&scene.options("first")).unwrap();
    let mut options = scene.options("second");
    options.recipe.epochs = 1;
    options.recipe.learning_rate = 1e-4;
    options.start_from = vec![scene.path("first/checkpoint.safetensors")];
    let second = train(&options).unwrap();
    assert!(second[0].loss < (first[0].loss + first[1].loss) / 2.0, "{} after {first:?}", second[0].loss);
    options.out = scene.path("third");
    options.start_from = vec![scene.path("nowhere.safetensors")];
    assert!(matches!(train(&options), Err(TrainingError::Checkpoint { .. })));
}

#[test]
fn a_killed_run_resumes_to_identical_weights() {
    let scene = Scene::new();
    let command = |out: &str| {
        let mut command = Command::new(PROGRAM);
        command.arg("train").arg("--train").arg(scene.path("train")).arg("--val").arg(scene.path("val"));
        command.arg("--out").arg(scene.path(out)).arg("--recipe").arg(scene.path("recipe.toml"));
        command.args(["--seed", "5", "--epochs", "4"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let mut program = command("killed").spawn().unwrap();
    // An epoch is reported after its checkpoint has been written.
    let lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let reported = lines.map_while(Result::ok).any(|line| line.contains("epoch 1/4"));
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(reported, "the program ended before it reported its first epoch");
    assert!(command("killed").arg("--resume").output().unwrap().status.success());
    assert!(command("whole").output().unwrap().status.success());
    assert!(scene.weights("killed") == scene.weights("whole"));
}

#[test]
fn the_seed_determines_the_weights() {
    let scene = Scene::new();
    for (out, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        train(&TrainingOptions { seed, stop_after: Some(1), ..scene.options(out) }).unwrap();
    }
    assert!(scene.weights("a") == scene.weights("b"));
    assert!(scene.weights("a") != scene.weights("c"));
}

#[test]
fn a_run_can_begin_with_smaller_crops_and_resume_during_them() {
    let scene = Scene::new();
    let mut options = scene.options("whole");
    options.recipe.progressive_resizing = vec![ResizingStage { epochs: 2, side: 64 }];
    let history = train(&options).unwrap();
    assert!(history[2].loss < history[0].loss, "{history:?}");
    for stop_after in [Some(1), None] {
        train(&TrainingOptions { out: scene.path("parts"), resume: true, stop_after, ..options.clone() }).unwrap();
    }
    assert!(scene.weights("whole") == scene.weights("parts"));
    train(&scene.options("large")).unwrap();
    assert!(scene.weights("whole") != scene.weights("large"));
}

#[test]
fn a_teacher_outweighs_wrong_labels_as_far_as_the_recipe_says() {
    let scene = Scene::new();
    let mut options = scene.options("teacher");
    options.recipe.epochs = 16;
    train(&options).unwrap();
    scene.draw_labelled("mislabelled", 96, |gender| 1 - gender);
    options.train = vec![scene.path("mislabelled")];
    options.teachers = vec![scene.path("teacher/estimator.safetensors")];
    let mut accuracy = |distillation_weight: f32| {
        options.recipe.distillation_weight = distillation_weight;
        options.out = scene.path(&format!("student-{distillation_weight}"));
        scores(&train(&options).unwrap()[15]).val_gender_accuracy
    };
    let (taught, untaught) = (accuracy(1.0), accuracy(0.0));
    assert!(taught >= 0.8 && untaught <= 0.2, "{taught} with the teacher, {untaught} without");
    options.teachers = vec![scene.path("val")];
    options.out = scene.path("other");
    assert!(refusal(&options).to_string().contains("val"));
}

#[test]
fn extra_crops_with_age_bins_are_trained_on() {
    let scene = Scene::new();
    scene.draw("extra/train", 40);
    let mut labels = "file,age,gender,race\n".to_owned();
    for entry in std::fs::read_dir(scene.path("extra/train")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let parts: Vec<&str> = name.split('_').collect();
        let decade = parts[0].parse::<u32>().unwrap() / 10 * 10;
        let gender = if parts[1] == "1" { "Female" } else { "Male" };
        labels += &format!("train/{name},{decade}-{},{gender},x\n", decade + 9);
    }
    std::fs::write(scene.path("extra/labels.csv"), &labels).unwrap();
    let with_extra = |out| TrainingOptions { extra: vec![scene.path("extra")], ..scene.options(out) };
    let history = train(&with_extra("out")).unwrap();
    assert!(history[2].loss < history[0].loss);
    train(&scene.options("without")).unwrap();
    assert!(scene.weights("out") != scene.weights("without"));
    std::fs::write(scene.path("extra/labels.csv"), labels.replace("Female", "unknown")).unwrap();
    let error = refusal(&with_extra("other")).to_string();
    assert!(error.contains("labels.csv") && error.contains("unknown"), "{error}");
}

#[test]
fn invalid_input_is_named_with_its_remedy() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("empty")).unwrap();
    let error = refusal(&TrainingOptions { train: vec![scene.path("empty")], ..scene.options("out") }).to_string();
    assert!(error.contains("empty") && error.contains("AGE_GENDER_RACE_TIME"), "{error}");
    std::fs::write(scene.path("empty/readme.txt"), "no picture").unwrap();
    let error = refusal(&TrainingOptions { train: vec![scene.path("empty")], ..scene.options("out") }).to_string();
    assert!(error.contains("1 other entries"), "{error}");
    let error = refusal(&TrainingOptions { val: scene.path("missing"), ..scene.options("out") }).to_string();
    assert!(error.contains("missing") && error.contains("cannot be read"), "{error}");
    std::fs::write(scene.path("train/30_1_0_9.jpg"), "this is text").unwrap();
    let error = refusal(&scene.options("out")).to_string();
    assert!(error.contains("30_1_0_9.jpg") && error.contains("remove it"), "{error}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let scene = Scene::new();
    let stopped = TrainingOptions { stop_after: Some(1), ..scene.options("out") };
    train(&stopped).unwrap();
    assert!(matches!(refusal(&stopped), TrainingError::OutInUse { .. }));
    let resumed = TrainingOptions { resume: true, ..scene.options("out") };
    let error = refusal(&TrainingOptions { seed: 6, ..resumed.clone() }).to_string();
    assert!(error.contains("--seed 5"), "{error}");
    let mut longer = resumed.clone();
    longer.recipe.epochs = 9;
    assert!(refusal(&longer).to_string().contains("number of epochs"));
    let teachers = vec![scene.path("out/estimator.safetensors")];
    assert!(refusal(&TrainingOptions { teachers, ..resumed.clone() }).to_string().contains("other teachers"));
    // Weights alone are not a checkpoint, and neither are arbitrary bytes.
    std::fs::copy(scene.path("out/estimator.safetensors"), scene.path("out/checkpoint.safetensors")).unwrap();
    assert!(refusal(&resumed).to_string().contains("not a run's state"));
    std::fs::write(scene.path("out/checkpoint.safetensors"), "garbage").unwrap();
    assert!(matches!(refusal(&resumed), TrainingError::Checkpoint { .. }));
}

#[test]
fn a_batch_gives_the_estimates_of_its_crops_one_by_one() {
    let recipe = Recipe::load(None).unwrap();
    let faces: Vec<Vec<u8>> = (0..7).map(|k| resized(&drawn_face(k * 12, k % 2 == 0, k))).collect();
    let estimator = Learner::new(&recipe, 7).unwrap().ema_estimator(std::slice::from_ref(&faces)).unwrap();
    let faces: Vec<&[u8]> = faces.iter().map(Vec::as_slice).collect();
    let together = estimator.estimate(&faces).unwrap();
    assert_eq!(together.len(), faces.len());
    for (face, together) in faces.iter().zip(&together) {
        let alone = &estimator.estimate(&[face]).unwrap()[0];
        assert!((alone.female_probability - together.female_probability).abs() < 1e-4);
        let mut ages = alone.age_probabilities.iter().zip(&together.age_probabilities);
        assert!(ages.all(|(a, b)| (a - b).abs() < 1e-4));
    }
    assert!(estimator.estimate(&[&[0; 100]]).is_err(), "a crop of another size");
    assert!(Estimator::from_safetensors(b"no weights").is_err());
}

/// The pixels of a network input, 128×128.
fn resized(face: &GrayImage) -> Vec<u8> {
    image::imageops::resize(face, 128, 128, image::imageops::FilterType::Triangle).into_raw()
}

#[test]
#[cfg_attr(not(with_data), ignore = "set FACEGUESSER_DATA to the folder of the data sets")]
fn the_loss_falls_on_real_crops() {
    let crops = crops("train", 256);
    let scene = Scene { folder: tempfile::tempdir().unwrap() };
    std::fs::write(scene.path("recipe.toml"), RECIPE).unwrap();
    for (index, (name, bytes)) in crops.iter().enumerate() {
        let folder = scene.path(if index % 5 == 0 { "val" } else { "train" });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let history = train(&scene.options("out")).unwrap();
    assert!(history[2].loss < history[0].loss * 0.95, "loss went from {} to {}", history[0].loss, history[2].loss);
    assert!(scores(&history[2]).val_age_mae < 25.0, "age MAE {}", scores(&history[2]).val_age_mae);
}
