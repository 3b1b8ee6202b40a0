//! The computation for one photo: decode, find faces, cut crops, estimate all faces in a batch.

use std::time::{Duration, Instant};

use super::InferenceError;
use super::analysis::{Analysis, FaceAnalysis, Framing};
use super::pool::Analyser;
use crate::face::{Bounds, CropFrame, Face, FaceCrop, FaceFinder, Flaw, Found, judge};
use crate::model::estimator::Estimator;
use crate::photo::{DecodeLimits, Photo, WorkClock, decode, decode_reduced, later_frames};

/// Wall time per stage for one photo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From bytes to upright luma.
    pub decode: Duration,
    /// Both stages of face detection.
    pub find: Duration,
    /// Decoding again at a larger size and refining faces there (if needed), cutting crops, measuring quality.
    pub cut: Duration,
    /// The estimator's forward passes.
    pub estimate: Duration,
}

/// Both networks and the limits, loaded once and shared by all workers.
pub struct Engine {
    finder: FaceFinder,
    estimator: Estimator,
    limits: DecodeLimits,
}

impl Engine {
    /// From both networks and the limits beyond which photos are refused.
    pub fn new(finder: FaceFinder, estimator: Estimator, limits: DecodeLimits) -> Self {
        Self { finder, estimator, limits }
    }

    /// Analyses one photo and measures each stage.
    ///
    /// # Errors
    /// As [`Analyser::analyse`].
    pub fn timed(&self, bytes: &[u8], framing: Framing) -> Result<(Analysis, StageTimes), InferenceError> {
        let prepared = self.prepare(bytes, framing)?;
        let mut times = prepared.times;
        let started = Instant::now();
        let analysis = self.estimate(prepared)?;
        times.estimate = started.elapsed();
        Ok((analysis, times))
    }

    fn prepare(&self, bytes: &[u8], framing: Framing) -> Result<Prepared, InferenceError> {
        let mut times = StageTimes::default();
        let work = WorkClock::start(self.limits.cpu_time);
        let mut stage_start = Instant::now();
        let mut lap = || std::mem::replace(&mut stage_start, Instant::now()).elapsed();
        let photo = match framing {
            Framing::Aligned => decode(bytes, &self.limits)?,
            Framing::Find => decode_reduced(bytes, &self.limits, SEARCH_SIDE)?,
        };
        times.decode = lap();
        let (width, height) = photo.size;
        let cut_short = !photo.whole;
        let mut frame = 0;
        let (faces, rotation) = match framing {
            Framing::Aligned => {
                let frame = CropFrame::whole(&photo.luma);
                let CropFrame { center_x, center_y, side, .. } = frame;
                let bounds = Bounds { x: center_x - side / 2.0, y: center_y - side / 2.0, w: side, h: side };
                (vec![CutFace { bounds, frame, flaws: Vec::new(), crop: FaceCrop::cut(&photo.luma, &frame) }], None)
            }
            Framing::Find => {
                let Found { mut faces, mut rotation } = self.finder.find(&photo.luma, &work)?;
                let mut photo = photo;
                if faces.is_empty() {
                    // Release the memory reservation: a thread holds at most one at a time.
                    photo.memory = None;
                    for (index, later) in later_frames(bytes, &self.limits) {
                        if work.check().is_err() {
                            break;
                        }
                        let found = self.finder.find(&later.luma, &work)?;
                        if !found.faces.is_empty() {
                            (faces, rotation, frame, photo) = (found.faces, found.rotation, index, later);
                            break;
                        }
                    }
                }
                times.find = lap();
                let (photo, mut faces) = self.with_detail(bytes, photo, faces, &work)?;
                faces.sort_by(|a, b| (a.bounds.x + a.bounds.w / 2.0).total_cmp(&(b.bounds.x + b.bounds.w / 2.0)));
                let factor = photo.reduction as f32;
                let cut = faces.iter().map(|face| {
                    let crop = FaceCrop::cut(&photo.luma, &face.frame);
                    let flaws = judge(&photo.luma, face, &crop).flaws();
                    let Face { bounds, frame, .. } = face.scaled(factor);
                    CutFace { bounds, frame, flaws, crop }
                });
                (cut.collect(), rotation)
            }
        };
        times.cut = lap();
        Ok(Prepared {
            analysis: Analysis { frame, cut_short, rotation, ..Analysis::empty(width, height) },
            faces,
            times,
        })
    }

    /// If the crop of a face would lack detail that the original photo has, decodes the photo again at a
    /// larger size and refines the faces in it.
    fn with_detail(
        &self,
        bytes: &[u8],
        photo: Photo,
        faces: Vec<Face>,
        work: &WorkClock,
    ) -> Result<(Photo, Vec<Face>), InferenceError> {
        let smallest = faces.iter().map(|face| face.frame.side).fold(f32::MAX, f32::min);
        // With half of the time used up, decoding at a larger size might exceed the limit.
        if photo.reduction == 1 || smallest >= CROP_SIDE || work.left() < self.limits.cpu_time / 2 {
            return Ok((photo, faces));
        }
        let longer_side = photo.luma.width().max(photo.luma.height()) as f32;
        let reduction = photo.reduction;
        // Release its memory reservation for the larger one.
        drop(photo);
        let limits = DecodeLimits { cpu_time: work.left(), ..self.limits.clone() };
        let larger = decode_reduced(bytes, &limits, (longer_side * CROP_SIDE / smallest.max(1.0)) as u32)?;
        let factor = reduction as f32 / larger.reduction as f32;
        let refined = faces.into_iter().map(|face| self.finder.refine(&larger.luma, face.scaled(factor)));
        let faces = refined.collect::<Result<_, _>>()?;
        Ok((larger, faces))
    }

    /// Estimates all faces of a photo, in batches of up to [`FORWARD_BATCH`].
    fn estimate(&self, photo: Prepared) -> Result<Analysis, InferenceError> {
        let mut estimates = Vec::with_capacity(photo.faces.len());
        let crops: Vec<&[u8]> = photo.faces.iter().map(|face| face.crop.pixels()).collect();
        for batch in crops.chunks(FORWARD_BATCH) {
            estimates.extend(self.estimator.estimate(batch)?);
        }
        let faces = photo.faces.into_iter().zip(estimates);
        let faces = faces.map(|(CutFace { bounds, frame, flaws, crop }, estimate)| FaceAnalysis {
            bounds,
            frame,
            estimate,
            flaws,
            crop,
        });
        Ok(Analysis { faces: faces.collect(), ..photo.analysis })
    }
}

/// A photo whose faces are cut but not estimated.
struct Prepared {
    /// Without faces.
    analysis: Analysis,
    faces: Vec<CutFace>,
    times: StageTimes,
}

struct CutFace {
    bounds: Bounds,
    frame: CropFrame,
    flaws: Vec<Flaw>,
    crop: FaceCrop,
}

/// Minimum longer side, in pixels, of a photo that is reduced for face detection.
const SEARCH_SIDE: u32 = 640;
/// Side of a frame, in pixels, above which more resolution adds next to nothing to the 128×128 crop.
const CROP_SIDE: f32 = 144.0;
/// Faces per forward pass: enough for efficient matrix products, few enough that the activations of a crowd
/// take no more than some tens of megabytes.
const FORWARD_BATCH: usize = 16;

impl Analyser for Engine {
    fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError> {
        self.estimate(self.prepare(photo, framing)?)
    }
}
