//! Measures the face finder by itself: photographs with the boxes of their faces, and pictures without any.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use walkdir::WalkDir;

use super::EvaluationError;
use crate::face::{Bounds, FaceFinder};
use crate::photo::{CpuLimit, DecodeLimits, PhotoError, decode_reduced};

/// The IoU from which a box counts as the labelled one. It is low because data sets differ in how much of the head
/// their boxes enclose.
const MATCHING_IOU: f32 = 0.3;
/// Lower ends of the ranges of face sizes, in pixels of the box's side.
const SIZES: [f32; 5] = [0.0, 24.0, 36.0, 60.0, 120.0];
/// Of each folder, every third picture by name was kept from the detector's training, up to this many.
const HELD_OUT: usize = 400;

/// A picture and the boxes of the faces in it.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The file.
    pub path: PathBuf,
    /// The labelled boxes, in pixels.
    pub labelled: Vec<Bounds>,
}

/// The finder's result for one scene.
#[derive(Debug, Clone)]
pub struct SceneResult {
    /// The scene.
    pub scene: Scene,
    /// For each labelled box whether it was found.
    pub found: Vec<bool>,
    /// The boxes that match none.
    pub extra: Vec<Bounds>,
    /// How long decoding and finding took.
    pub time: Duration,
}

impl SceneResult {
    /// The labelled boxes that were not found.
    pub fn missed(&self) -> impl Iterator<Item = &Bounds> {
        self.scene.labelled.iter().zip(&self.found).filter(|(_, found)| !**found).map(|(labelled, _)| labelled)
    }
}

/// Faces of a range of sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeScores {
    /// The lower end, in pixels of the box's side.
    pub from: f32,
    /// Labelled faces.
    pub faces: usize,
    /// Those found.
    pub found: usize,
}

/// The finder's metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SceneScores {
    /// Photographs with labelled faces.
    pub photographs: usize,
    /// Labelled faces.
    pub faces: usize,
    /// Share of them that was found.
    pub recall: f64,
    /// The same over faces of 60 pixels and more.
    pub recall_from_60: f64,
    /// Boxes per hundred photographs that match no labelled face.
    pub extra_per_100: f64,
    /// Faces by size.
    pub sizes: Vec<SizeScores>,
    /// Pictures without faces.
    pub nobody: usize,
    /// Those in which a face was found.
    pub false_alarms: usize,
    /// Milliseconds to decode a picture and find its faces, on one thread: median and 95th percentile, with faces.
    pub milliseconds: [f64; 2],
    /// The same of the pictures without faces.
    pub milliseconds_nobody: [f64; 2],
}

/// Lists the pictures below `folder` with the boxes that its `boxes.csv` (file, x, y, w, h) gives them; those that it
/// does not name have no faces. `held_out` leaves only the pictures that the detector was not trained on.
///
/// # Errors
/// [`EvaluationError::Folder`] when the folder or its `boxes.csv` cannot be read or names no picture.
pub fn scenes(folder: &Path, held_out: bool) -> Result<Vec<Scene>, EvaluationError> {
    let refused = |reason: String| EvaluationError::Folder { path: folder.to_owned(), reason };
    let unreadable = |error: csv::Error| refused(format!("has no usable boxes.csv: {error}"));
    let mut boxes: HashMap<PathBuf, Vec<Bounds>> = HashMap::new();
    for row in csv::Reader::from_path(folder.join("boxes.csv")).map_err(unreadable)?.deserialize() {
        let (file, x, y, w, h): (PathBuf, f32, f32, f32, f32) = row.map_err(unreadable)?;
        boxes.entry(folder.join(file)).or_default().push(Bounds { x, y, w, h });
    }
    let mut by_folder: HashMap<PathBuf, usize> = HashMap::new();
    let mut scenes = Vec::new();
    for entry in WalkDir::new(folder).min_depth(2).sort_by_file_name() {
        let entry = entry.map_err(|error| refused(error.to_string()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.into_path();
        let index = by_folder.entry(path.parent().unwrap_or(folder).to_owned()).or_default();
        let is_held_out = index.is_multiple_of(3) && *index / 3 < HELD_OUT;
        *index += 1;
        if !held_out || is_held_out {
            let labelled = boxes.remove(&path).unwrap_or_default();
            scenes.push(Scene { path, labelled });
        }
    }
    if scenes.iter().all(|scene| scene.labelled.is_empty()) {
        return Err(refused("contains no picture that its boxes.csv names".into()));
    }
    Ok(scenes)
}

/// Finds the faces of a scene; each labelled box is matched with at most one, the best score first.
///
/// # Errors
/// [`EvaluationError::Folder`] when the picture cannot be read.
pub fn measure_scene(scene: &Scene, finder: &FaceFinder, search_side: u32) -> Result<SceneResult, EvaluationError> {
    let refused = |reason: String| EvaluationError::Folder {
        path: scene.path.clone(),
        reason: format!("cannot be measured: {reason}"),
    };
    let bytes = std::fs::read(&scene.path).map_err(|error| refused(error.to_string()))?;
    let limits = DecodeLimits::default();
    let started = Instant::now();
    let photo = decode_reduced(&bytes, &limits, search_side).map_err(|error: PhotoError| refused(error.to_string()))?;
    let found =
        finder.find(&photo.luma, &CpuLimit::start(limits.cpu_time)).map_err(|error| refused(error.to_string()))?;
    let time = started.elapsed();
    let mut faces = found.faces;
    faces.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut found = vec![false; scene.labelled.len()];
    let mut extra = Vec::new();
    for face in faces {
        let bounds = face.scaled(photo.reduction as f32).bounds;
        let open = scene.labelled.iter().enumerate().filter(|(index, _)| !found[*index]);
        let best = open.map(|(index, labelled)| (index, labelled.iou(&bounds))).max_by(|a, b| a.1.total_cmp(&b.1));
        match best.filter(|(_, iou)| *iou >= MATCHING_IOU) {
            Some((index, _)) => found[index] = true,
            None => extra.push(bounds),
        }
    }
    Ok(SceneResult { scene: scene.clone(), found, extra, time })
}

/// The metrics of all results.
pub fn scene_scores(results: &[SceneResult]) -> SceneScores {
    let (with_faces, nobody): (Vec<&SceneResult>, Vec<_>) =
        results.iter().partition(|result| !result.scene.labelled.is_empty());
    let faces: Vec<(f32, bool)> = with_faces
        .iter()
        .flat_map(|result| result.scene.labelled.iter().map(Bounds::side).zip(result.found.iter().copied()))
        .collect();
    let recall = |from: f32| {
        let sized = faces.iter().filter(|(side, _)| *side >= from);
        sized.clone().filter(|(_, found)| *found).count() as f64 / sized.count() as f64
    };
    let sizes = SIZES.iter().enumerate().map(|(index, from)| {
        let to = SIZES.get(index + 1).copied().unwrap_or(f32::INFINITY);
        let sized = faces.iter().filter(|(side, _)| (*from..to).contains(side));
        SizeScores { from: *from, faces: sized.clone().count(), found: sized.filter(|(_, found)| *found).count() }
    });
    let extra: usize = with_faces.iter().map(|result| result.extra.len()).sum();
    SceneScores {
        photographs: with_faces.len(),
        faces: faces.len(),
        recall: recall(0.0),
        recall_from_60: recall(60.0),
        extra_per_100: 100.0 * extra as f64 / with_faces.len() as f64,
        sizes: sizes.collect(),
        nobody: nobody.len(),
        false_alarms: nobody.iter().filter(|result| !result.extra.is_empty()).count(),
        milliseconds: times(&with_faces),
        milliseconds_nobody: times(&nobody),
    }
}

/// Median and 95th percentile, in milliseconds; NaN of nothing.
fn times(results: &[&SceneResult]) -> [f64; 2] {
    let mut times: Vec<f64> = results.iter().map(|result| result.time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    [0.5, 0.95].map(|share| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f32, side: f32) -> Bounds {
        Bounds { x, y: 0.0, w: side, h: side }
    }

    fn result(labelled: &[(f32, bool)], extra: usize, milliseconds: u64) -> SceneResult {
        SceneResult {
            scene: Scene {
                path: PathBuf::new(),
                labelled: labelled.iter().map(|(side, _)| square(0.0, *side)).collect(),
            },
            found: labelled.iter().map(|(_, found)| *found).collect(),
            extra: vec![square(0.0, 10.0); extra],
            time: Duration::from_millis(milliseconds),
        }
    }

    #[test]
    fn recall_is_counted_by_size_and_false_alarms_in_pictures_of_nobody_alone() {
        let scores = scene_scores(&[
            result(&[(20.0, false), (30.0, true), (60.0, true), (200.0, false)], 1, 10),
            result(&[(59.0, true)], 0, 30),
            result(&[], 2, 5),
            result(&[], 0, 7),
        ]);
        assert_eq!((scores.photographs, scores.faces, scores.nobody, scores.false_alarms), (2, 5, 2, 1));
        assert_eq!((scores.recall, scores.recall_from_60, scores.extra_per_100), (0.6, 0.5, 50.0));
        let sizes: Vec<_> = scores.sizes.iter().map(|size| (size.faces, size.found)).collect();
        assert_eq!(sizes, [(1, 0), (1, 1), (1, 1), (1, 1), (1, 0)]);
        assert_eq!((scores.milliseconds[0], scores.milliseconds_nobody[1]), (30.0, 7.0));
    }

    #[test]
    fn held_out_pictures_are_every_third_of_each_folder() {
        let folder = tempfile::tempdir().unwrap();
        for (name, count) in [("photos", 5), ("nobody", 4)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            for index in 0..count {
                std::fs::write(folder.path().join(name).join(format!("{index}.png")), "").unwrap();
            }
        }
        let boxes = "file,x,y,w,h\nphotos/0.png,1,2,3,4\nphotos/0.png,5,6,7,8\nphotos/1.png,1,1,1,1\n";
        std::fs::write(folder.path().join("boxes.csv"), boxes).unwrap();
        let held_out = scenes(folder.path(), true).unwrap();
        let found: Vec<_> =
            held_out.iter().map(|scene| (scene.path.file_name().unwrap(), scene.labelled.len())).collect();
        assert_eq!(found, [("0.png".as_ref(), 0), ("3.png".as_ref(), 0), ("0.png".as_ref(), 2), ("3.png".as_ref(), 0)]);
        assert_eq!(scenes(folder.path(), false).unwrap().len(), 9);
    }
}
