//! Finds the faces of a photo in two stages: the detector runs over the whole photo, then refines each candidate. The
//! estimator's [face head](crate::model::face_head) decides about the candidates that are neither certain nor hopeless.

use std::ops::Range;
use std::sync::Arc;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::GrayImage;

use super::crop::window;
use super::{Bounds, CropFrame, Face, FaceCrop, FaceError, Rotation, align};
use crate::model::detector::{Detection, Detector};
use crate::model::estimator::Estimator;
use crate::model::face_head::DetectorEvidence;
use crate::model::network::standardise;
use crate::photo::CpuLimit;

/// Thresholds and limits of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinderOptions {
    /// Maximum number of faces returned, largest first.
    pub max_faces: usize,
    /// Minimum score of a candidate in the first stage.
    pub candidate_threshold: f32,
    /// Minimum final score of a face without an estimator that verifies it: the geometric mean of both stages' scores.
    pub threshold: f32,
    /// The same for a face of fewer than [`SMALL`] pixels in the first stage: the score predicts the IoU of
    /// the box, which is lower for small faces.
    pub small_threshold: f32,
    /// Minimum probability, according to the estimator, of the likeliest face of a photo: if no candidate reaches it,
    /// the photo counts as one without faces. An uncertain face inside another needs it as well.
    pub best_probability: f32,
    /// Minimum probability of the other faces: where one person is, there may be others.
    pub probability: f32,
}

impl Default for FinderOptions {
    /// Chosen on 400 scenes and 87 pictures of animals and things (`models/MODEL_CARD.md` has the table).
    fn default() -> Self {
        Self {
            max_faces: 32,
            candidate_threshold: 0.28,
            threshold: 0.67,
            small_threshold: 0.56,
            best_probability: 0.93,
            probability: 0.58,
        }
    }
}

/// Longer side, in pixels, of the photo in the full pass.
const FULL_SIDE: f32 = 576.0;
/// Longer side in the coarse pass before it, after which portraits exit early: a fifth of the work.
const COARSE_SIDE: f32 = 256.0;
/// The same in a third pass, for photos in which the full pass finds no face with [`CLEAR_SCORE`]: a face that fills the
/// photo is found more easily where it is smaller, above all one in profile.
const CLOSE_SIDE: f32 = 128.0;
const CLEAR_SCORE: f32 = 0.8;
/// Maximum enlargement of a small photo.
const MAX_UPSCALING: f32 = 2.0;
/// Side of a face, in pixels of the first stage, from which it is not small.
pub const SMALL: f32 = 36.0;
/// The full pass is skipped if the coarse pass finds one or two faces, all with at least this score and this
/// side relative to the photo's shorter side: it would also have found faces down to a third of that side.
const EARLY_EXIT_SCORE: f32 = 0.8;
const EARLY_EXIT_SIDE: f32 = 0.2;
const EARLY_EXIT_FACES: usize = 2;
/// Scores (geometric means of both stages') between which the estimator decides whether a candidate is a face.
const UNCERTAIN: Range<f32> = 0.43..0.88;
/// The same in a photo with a face above that range.
const UNCERTAIN_BESIDE_A_FACE: Range<f32> = 0.48..0.65;
/// How many candidates go through a network in one pass, which takes a quarter less time than one by one, and at most
/// this long without asking the clock.
const CANDIDATES_TOGETHER: usize = 8;
/// IoU from which two detections are the same face (non-maximum suppression).
const NMS_IOU: f32 = 0.45;
/// Share of the smaller of two boxes in the larger one from which the smaller one counts as inside. Of 5,263 labelled faces
/// in photographs of groups, three are inside another.
const NESTED: f32 = 0.75;
/// Side of the refinement window relative to the face's box, and in pixels.
const WINDOW: f32 = 2.0;
const WINDOW_PIXELS: usize = 160;
/// Minimum score of the detections in a window that are averaged.
const WINDOW_THRESHOLD: f32 = 0.1;
/// IoU with the best detection in a window above which detections are averaged with it.
const AVERAGING_IOU: f32 = 0.6;
/// Grey level of the parts of a window outside the photo, as in training.
const PADDING: u8 = 128;

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Largest first.
    pub faces: Vec<Face>,
    /// The rotation that makes the largest face upright, if it is not.
    pub rotation: Option<Rotation>,
}

/// Finds faces; usable from any thread.
pub struct FaceFinder {
    detector: Detector,
    /// Has a face head.
    verifier: Option<Arc<Estimator>>,
    options: FinderOptions,
}

/// What both stages make of a place in the photo.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// As refined by the second stage; the score is the geometric mean of both stages'.
    pub face: Face,
    /// What the estimator gets in addition to the crop.
    pub evidence: DetectorEvidence,
}

impl FaceFinder {
    /// From the network and the options.
    pub fn new(detector: Detector, options: FinderOptions) -> Self {
        Self { detector, verifier: None, options }
    }

    /// Lets `estimator` decide about uncertain candidates, if it has a face head.
    pub fn with_verifier(self, estimator: &Arc<Estimator>) -> Self {
        Self { verifier: estimator.has_face_head().then(|| estimator.clone()), ..self }
    }

    /// The faces in `luma`, largest first. Once the time in `clock` is used up, refinement and verification are
    /// skipped and the thresholds for a single score apply.
    ///
    /// # Errors
    /// If a network cannot be run.
    pub fn find(&self, luma: &GrayImage, clock: &CpuLimit) -> Result<Found, FaceError> {
        let candidates = self.candidates(luma, clock)?;
        let mut faces = match &self.verifier {
            Some(estimator) if clock.check().is_ok() => self.verified(luma, candidates, estimator, clock)?,
            _ => candidates.into_iter().filter(|one| self.reaches_threshold(one)).map(|one| one.face).collect(),
        };
        faces.sort_by(|a, b| b.frame.side.total_cmp(&a.frame.side));
        faces.truncate(self.options.max_faces);
        Ok(Found { rotation: faces.first().and_then(|face| Rotation::for_roll(face.frame.roll)), faces })
    }

    /// The places in `luma` that may be faces, the best first.
    ///
    /// The second stage runs the detector again on a level, enlarged window around each detection of the first: it
    /// confirms or rejects the face and makes its frame depend little on the first detection.
    ///
    /// # Errors
    /// If the network cannot be run.
    pub fn candidates(&self, luma: &GrayImage, clock: &CpuLimit) -> Result<Vec<Candidate>, FaceError> {
        if luma.width() == 0 || luma.height() == 0 {
            return Ok(Vec::new());
        }
        let (mut detections, mut scale) = self.first_stage(luma, COARSE_SIDE)?;
        let min_side = EARLY_EXIT_SIDE * luma.width().min(luma.height()) as f32;
        let certain = |face: &Face| face.score >= EARLY_EXIT_SCORE && face.bounds.side() >= min_side;
        if detections.is_empty() || detections.len() > EARLY_EXIT_FACES || !detections.iter().all(certain) {
            let coarse = detections;
            (detections, scale) = self.first_stage(luma, FULL_SIDE)?;
            if !detections.iter().any(|face| face.score >= CLEAR_SCORE) {
                let (close, _) = self.first_stage(luma, CLOSE_SIDE)?;
                let large = coarse.into_iter().chain(close).filter(|face| face.bounds.side() >= min_side);
                let all = detections.into_iter().chain(large).collect();
                detections = non_maximum_suppression(all, |face| face);
            }
        } else {
            scale *= COARSE_SIDE / FULL_SIDE;
        }
        let mut candidates = Vec::new();
        detections.truncate(4 * self.options.max_faces);
        for batch in detections.chunks(CANDIDATES_TOGETHER) {
            let refined = match clock.check() {
                Ok(()) => self.second_stage(luma, batch)?,
                Err(_) => batch.iter().copied().map(Some).collect(),
            };
            for (detection, refined) in batch.iter().zip(refined) {
                let Some(face) = refined else { continue };
                let side = detection.bounds.side() / scale;
                let scores = [detection.score, face.score];
                let face = Face { score: (detection.score * face.score).sqrt(), ..face };
                candidates.push(Candidate { face, evidence: DetectorEvidence { scores, side } });
            }
        }
        Ok(non_maximum_suppression(candidates, |candidate| &candidate.face))
    }

    /// The candidates that are certain or that `estimator` takes for faces; none if the likeliest of them is below
    /// [`FinderOptions::best_probability`].
    fn verified(
        &self,
        luma: &GrayImage,
        candidates: Vec<Candidate>,
        estimator: &Estimator,
        clock: &CpuLimit,
    ) -> Result<Vec<Face>, FaceError> {
        let has_certain_face = candidates.iter().any(|one| one.face.score >= UNCERTAIN.end);
        let uncertain = if has_certain_face { UNCERTAIN_BESIDE_A_FACE } else { UNCERTAIN };
        let likely = candidates.into_iter().filter(|one| one.face.score >= uncertain.start);
        let (certain, asked): (Vec<_>, Vec<_>) = likely.partition(|one| one.face.score >= uncertain.end);
        let mut probable: Vec<(Face, f32)> = Vec::new();
        // What there is no time for is left out.
        for batch in asked.chunks(CANDIDATES_TOGETHER).take_while(|_| clock.check().is_ok()) {
            let crops: Vec<FaceCrop> = batch.iter().map(|one| FaceCrop::cut(luma, &one.face.frame)).collect();
            let pixels: Vec<&[u8]> = crops.iter().map(FaceCrop::pixels).collect();
            let evidence: Vec<_> = batch.iter().map(|one| one.evidence).collect();
            let probabilities = estimator.face_probabilities(&standardise(&pixels), &evidence)?;
            let accepted = batch.iter().zip(probabilities).filter(|(_, one)| *one >= self.options.probability);
            probable.extend(accepted.map(|(candidate, probability)| (candidate.face, probability)));
        }
        probable.sort_by(|a, b| b.1.total_cmp(&a.1));
        if certain.is_empty() && probable.first().is_none_or(|best| best.1 < self.options.best_probability) {
            return Ok(Vec::new());
        }
        let faces = certain.into_iter().map(|one| one.face);
        Ok(with_probable(faces.collect(), &probable, self.options.best_probability))
    }

    fn reaches_threshold(&self, Candidate { face, evidence }: &Candidate) -> bool {
        let FinderOptions { threshold, small_threshold, .. } = self.options;
        face.score >= if evidence.side < SMALL { small_threshold } else { threshold }
    }

    /// First stage at a longer side of `side` pixels: faces, best first, and the photo's pixels per pixel of
    /// the resized photo.
    fn first_stage(&self, luma: &GrayImage, side: f32) -> Result<(Vec<Face>, f32), FaceError> {
        let (resized, scale) = resized(luma, side)?;
        let (width, height) = (resized.width() as usize, resized.height() as usize);
        let detections = self.detector.detect(resized.as_raw(), width, height, self.options.candidate_threshold)?;
        let faces = detections.iter().map(|detection| face(detection).scaled(scale)).collect();
        Ok((non_maximum_suppression(faces, |face| face), scale))
    }

    /// Refines faces, for example those found in a smaller version of the photo. Those that the second stage does not
    /// confirm stay as they are.
    ///
    /// # Errors
    /// If the network cannot be run.
    pub fn refine(&self, luma: &GrayImage, mut faces: Vec<Face>) -> Result<Vec<Face>, FaceError> {
        for batch in faces.chunks_mut(CANDIDATES_TOGETHER) {
            let refined = self.second_stage(luma, batch)?;
            for (face, refined) in batch.iter_mut().zip(refined) {
                let confirmed = |one: &Face| (face.score * one.score).sqrt() >= self.options.small_threshold;
                *face = refined.filter(confirmed).unwrap_or(*face);
            }
        }
        Ok(faces)
    }

    /// Second stage: each face as detected in a level window around it; `None` if the window shows no face.
    fn second_stage(&self, luma: &GrayImage, faces: &[Face]) -> Result<Vec<Option<Face>>, FaceError> {
        let frame = |face: &Face| {
            let Bounds { x, y, w, h } = face.bounds;
            let side = face.bounds.side() * WINDOW;
            CropFrame { center_x: x + w / 2.0, center_y: y + h / 2.0, side, roll: face.frame.roll }
        };
        let frames: Vec<CropFrame> = faces.iter().map(frame).collect();
        let windows: Vec<_> = frames.iter().map(|frame| window(luma, frame, WINDOW_PIXELS, PADDING)).collect();
        let detections = self.detector.detect_each(&windows, WINDOW_PIXELS, WINDOW_PIXELS, WINDOW_THRESHOLD)?;
        Ok(frames.iter().zip(detections).map(|(frame, detections)| face_in_window(frame, detections)).collect())
    }
}

/// The face in the centre of a window of the photo with this frame, from the detections in it.
fn face_in_window(frame: &CropFrame, mut detections: Vec<Detection>) -> Option<Face> {
    // The face is in the centre of the window; a neighbour's may be at its edge.
    let window_side = WINDOW_PIXELS as f32;
    let centre = window_side / 2.0;
    detections.retain(|detection| {
        let [left, top, width, height] = detection.bounds;
        (left + width / 2.0 - centre).hypot(top + height / 2.0 - centre) < window_side / 4.0
    });
    let mean = weighted_mean(&detections)?;
    let to_photo = |[x, y]: [f32; 2]| {
        let (x, y) = frame.to_photo(x / window_side - 0.5, y / window_side - 0.5);
        [x, y]
    };
    let landmarks = mean.landmarks.map(to_photo);
    let [left, top, width, height] = mean.bounds;
    let [center_x, center_y] = to_photo([left + width / 2.0, top + height / 2.0]);
    let scale = frame.side / window_side;
    // The upright box of about the same area as the rolled one.
    let (sin, cos) = frame.roll.sin_cos();
    let (w, h) = ((width * cos).hypot(height * sin) * scale, (width * sin).hypot(height * cos) * scale);
    let bounds = Bounds { x: center_x - w / 2.0, y: center_y - h / 2.0, w, h };
    let frame = align::frame(&landmarks, (width * height).sqrt() * scale);
    Some(Face { bounds, landmarks, score: mean.score, frame })
}

impl Rotation {
    /// The rotation for a face that is rolled clockwise by `roll` radians, −π to π, in the photo.
    fn for_roll(roll: f32) -> Option<Self> {
        match (roll / std::f32::consts::FRAC_PI_2).round() as i32 {
            0 => None,
            1 => Some(Self::Left),
            -1 => Some(Self::Right),
            _ => Some(Self::UpsideDown),
        }
    }
}

/// The picture resized to a longer side of `side` pixels, and original pixels per resized pixel. An elongated
/// picture is not reduced below half of `side`² pixels, so that its shorter side does not become too small.
fn resized(picture: &GrayImage, side: f32) -> Result<(GrayImage, f32), FaceError> {
    let (width, height) = picture.dimensions();
    let longer = side / width.max(height) as f32;
    let area = side / (2.0 * width as f32 * height as f32).sqrt();
    let factor = longer.max(area.min(1.0)).min(MAX_UPSCALING);
    let sized = |pixels: u32| ((pixels as f32 * factor).round() as u32).max(1);
    let failed = |error: &dyn std::fmt::Display| FaceError::Resize(error.to_string());
    let source = ImageRef::new(width, height, picture.as_raw(), PixelType::U8).map_err(|error| failed(&error))?;
    let mut target = Image::new(sized(width), sized(height), PixelType::U8);
    let filter = if factor < 1.0 { FilterType::Box } else { FilterType::Bilinear };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    let resized = GrayImage::from_raw(sized(width), sized(height), target.into_vec());
    Ok((resized.ok_or_else(|| failed(&"the buffer does not match the size"))?, 1.0 / factor))
}

/// The mean, weighted by score, of the best detection and those of the same face: the errors of
/// neighbouring cells partly cancel.
fn weighted_mean(detections: &[Detection]) -> Option<Detection> {
    let best = *detections.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let best_bounds = bounds(&best);
    let same: Vec<&Detection> =
        detections.iter().filter(|other| bounds(other).iou(&best_bounds) > AVERAGING_IOU).collect();
    let total: f32 = same.iter().map(|one| one.score).sum();
    let mean = |value: &dyn Fn(&Detection) -> f32| same.iter().map(|one| one.score * value(one)).sum::<f32>() / total;
    Some(Detection {
        bounds: std::array::from_fn(|at| mean(&|one| one.bounds[at])),
        landmarks: std::array::from_fn(|point| std::array::from_fn(|axis| mean(&|one| one.landmarks[point][axis]))),
        ..best
    })
}

fn bounds(detection: &Detection) -> Bounds {
    let [x, y, w, h] = detection.bounds;
    Bounds { x, y, w, h }
}

fn face(detection: &Detection) -> Face {
    let bounds = bounds(detection);
    let frame = align::frame(&detection.landmarks, bounds.side());
    Face { bounds, landmarks: detection.landmarks, score: detection.score, frame }
}

/// Of faces that overlap, keeps the one with the highest score; best first.
fn non_maximum_suppression<T>(mut all: Vec<T>, face: impl Fn(&T) -> &Face) -> Vec<T> {
    all.sort_by(|a, b| face(b).score.total_cmp(&face(a).score));
    let mut distinct: Vec<T> = Vec::new();
    for one in all {
        if distinct.iter().all(|other| face(other).bounds.iou(&face(&one).bounds) < NMS_IOU) {
            distinct.push(one);
        }
    }
    distinct
}

/// Adds faces with their probabilities, the likeliest first. One that lies in another needs `nested_probability`: most of
/// these are an eye or a mouth in a face that fills the photo, but it may be a baby in somebody's arms.
fn with_probable(mut faces: Vec<Face>, probable: &[(Face, f32)], nested_probability: f32) -> Vec<Face> {
    for (face, probability) in probable {
        let bounds = face.bounds;
        let is_around =
            |other: &Face| other.bounds.side() > bounds.side() && other.bounds.containment(&bounds) >= NESTED;
        if *probability >= nested_probability || !faces.iter().any(is_around) {
            faces.push(*face);
        }
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_in_another_has_to_be_certain_or_very_likely() {
        let at = |x: f32, y: f32, side: f32| {
            let bounds = Bounds { x, y, w: side, h: side };
            let frame = CropFrame { center_x: x, center_y: y, side, roll: 0.0 };
            Face { bounds, landmarks: [[x, y]; 5], score: 0.6, frame }
        };
        let (large, inside, neighbour) = (at(0.0, 0.0, 100.0), at(20.0, 30.0, 20.0), at(70.0, 0.0, 90.0));
        let found = |certain: &[Face], probable: &[(Face, f32)]| with_probable(certain.to_vec(), probable, 0.95);
        assert_eq!(found(&[], &[(large, 0.98), (neighbour, 0.9), (inside, 0.8)]), [large, neighbour]);
        assert_eq!(found(&[large], &[(inside, 0.8)]), [large]);
        assert_eq!(found(&[large], &[(inside, 0.96)]), [large, inside]);
        // On a poster or a telephone before somebody.
        assert_eq!(found(&[inside], &[(large, 0.6)]), [inside, large]);
        assert_eq!(found(&[large, inside], &[]), [large, inside]);
    }

    fn finder() -> FaceFinder {
        let detector = Detector::from_safetensors(crate::model::detector::embedded()).unwrap();
        FaceFinder::new(detector, FinderOptions::default())
    }

    #[test]
    fn the_rotation_that_makes_a_face_upright_is_reported() {
        let face = image::load_from_memory(include_bytes!("../../../models/mean-face.jpg")).unwrap().into_luma8();
        let face = image::imageops::resize(&face, 240, 240, image::imageops::FilterType::Triangle);
        let mut upright = GrayImage::from_pixel(480, 640, image::Luma([128]));
        image::imageops::replace(&mut upright, &face, 90, 150);
        let photos = [
            (upright.clone(), None),
            (image::imageops::rotate90(&upright), Some(Rotation::Left)),
            (image::imageops::rotate180(&upright), Some(Rotation::UpsideDown)),
            (image::imageops::rotate270(&upright), Some(Rotation::Right)),
        ];
        let clock = CpuLimit::start(std::time::Duration::from_secs(60));
        for (photo, rotation) in photos {
            let found = finder().find(&photo, &clock).unwrap();
            assert_eq!((found.faces.len(), found.rotation), (1, rotation));
        }
    }

    #[test]
    fn pictures_of_extreme_sizes_contain_no_face() {
        let finder = finder();
        let clock = CpuLimit::start(std::time::Duration::from_secs(60));
        for (width, height) in [(0, 0), (1, 1), (1, 4000), (3000, 2), (333, 77)] {
            let flat = GrayImage::from_pixel(width, height, image::Luma([120]));
            assert_eq!(finder.find(&flat, &clock).unwrap(), Found::default(), "{width}×{height}");
        }
    }
}
