//! The computation: decode, find faces, cut crops, estimate all of a photo's faces together.

use std::time::{Duration, Instant};

use super::InferenceError;
use super::pool::Analyser;
use crate::face::{Bounds, CropFrame, Face, FaceCrop, FaceFinder, Flaw, Found, Rotation, judge};
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{DecodeLimits, Photo, WorkClock, decode, decode_reduced, later_frames};

/// Whether faces are looked for, or the picture is a tight crop already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Find every face.
    Find,
    /// The picture is one face, framed as the training crops are; of a picture that is no square,
    /// the square in its middle.
    Aligned,
}

/// What one photo holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Width of the upright photo in pixels.
    pub width: u32,
    /// Height of the upright photo in pixels.
    pub height: u32,
    /// The faces, from left to right.
    pub faces: Vec<FaceAnalysis>,
    /// How the photo has to be turned, where the largest of them does not stand upright.
    pub rotation: Option<Rotation>,
    /// The frame of an animated picture that they are in; 0 is the first, and all that others have.
    pub frame: usize,
    /// Whether the file was cut short, and this is what its rest shows.
    pub cut_short: bool,
}

impl Analysis {
    /// A whole photo of this size without a face.
    pub fn empty(width: u32, height: u32) -> Self {
        Self { width, height, faces: Vec::new(), rotation: None, frame: 0, cut_short: false }
    }
}

/// One face and what the network thinks of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceAnalysis {
    /// The face's box in pixels of the upright photo.
    pub bounds: Bounds,
    /// The square that the network saw.
    pub frame: CropFrame,
    /// Age distribution and gender probability.
    pub estimate: Estimate,
    /// What makes this face hard to judge, worst first.
    pub flaws: Vec<Flaw>,
    /// The pixels that the network saw.
    pub crop: FaceCrop,
}

/// Where the time of one photo went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From bytes to upright luma.
    pub decode: Duration,
    /// The detector's pass over the photo and its closer looks.
    pub find: Duration,
    /// Cutting and judging the crops.
    pub cut: Duration,
    /// The forward passes of the estimator.
    pub estimate: Duration,
}

/// Both networks and the limits, loaded once and shared by all workers.
pub struct Engine {
    finder: FaceFinder,
    estimator: Estimator,
    limits: DecodeLimits,
}

impl Engine {
    /// Takes both networks; photos beyond `limits` are refused.
    pub fn new(finder: FaceFinder, estimator: Estimator, limits: DecodeLimits) -> Self {
        Self { finder, estimator, limits }
    }

    /// Analyses one photo and says where the time went.
    ///
    /// # Errors
    /// As the photo's own in [`Analyser::analyse`].
    pub fn timed(&self, bytes: &[u8], framing: Framing) -> Result<(Analysis, StageTimes), InferenceError> {
        let prepared = self.prepare(bytes, framing)?;
        let mut times = prepared.times;
        let started = Instant::now();
        let analysis = self.estimated(prepared)?;
        times.estimate = started.elapsed();
        Ok((analysis, times))
    }

    fn prepare(&self, bytes: &[u8], framing: Framing) -> Result<Prepared, InferenceError> {
        let mut times = StageTimes::default();
        let work = WorkClock::start(self.limits.cpu_time);
        let mut clock = Instant::now();
        let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
        let photo = match framing {
            Framing::Aligned => decode(bytes, &self.limits)?,
            Framing::Find => decode_reduced(bytes, &self.limits, ENOUGH_TO_SEARCH)?,
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
                (vec![Cut { bounds, frame, flaws: Vec::new(), crop: FaceCrop::cut(&photo.luma, &frame) }], None)
            }
            Framing::Find => {
                let Found { mut faces, mut rotation } = self.finder.find(&photo.luma, &work)?;
                let mut photo = photo;
                if faces.is_empty() {
                    // A thread holds one reservation of memory at a time.
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
                let (photo, mut faces) = self.large_enough(bytes, photo, faces, &work)?;
                faces.sort_by(|a, b| (a.bounds.x + a.bounds.w / 2.0).total_cmp(&(b.bounds.x + b.bounds.w / 2.0)));
                let factor = photo.reduction as f32;
                let cut = faces.iter().map(|face| {
                    let crop = FaceCrop::cut(&photo.luma, &face.frame);
                    let flaws = judge(&photo.luma, face, &crop).flaws();
                    let Face { bounds, frame, .. } = face.scaled(factor);
                    Cut { bounds, frame, flaws, crop }
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

    /// The photo and the faces found in it, decoded anew at a larger size, and looked at closely there,
    /// where the crop of one would otherwise show less of it than the photo does.
    fn large_enough(
        &self,
        bytes: &[u8],
        photo: Photo,
        faces: Vec<Face>,
        work: &WorkClock,
    ) -> Result<(Photo, Vec<Face>), InferenceError> {
        let least = faces.iter().map(|face| face.frame.side).fold(f32::MAX, f32::min);
        // Where half of the time is gone, there may not be enough for a larger one.
        if photo.reduction == 1 || least >= ENOUGH_TO_CUT || work.left() < self.limits.cpu_time / 2 {
            return Ok((photo, faces));
        }
        let longer_side = photo.luma.width().max(photo.luma.height()) as f32;
        let reduction = photo.reduction;
        // Its memory is needed for the larger one.
        drop(photo);
        let limits = DecodeLimits { cpu_time: work.left(), ..self.limits.clone() };
        let larger = decode_reduced(bytes, &limits, (longer_side * ENOUGH_TO_CUT / least.max(1.0)) as u32)?;
        let factor = reduction as f32 / larger.reduction as f32;
        let again = faces.into_iter().map(|face| self.finder.settle(&larger.luma, face.scaled(factor)));
        let faces = again.collect::<Result<_, _>>()?;
        Ok((larger, faces))
    }

    /// Estimates all faces of a photo, in as few passes as they fit into.
    fn estimated(&self, photo: Prepared) -> Result<Analysis, InferenceError> {
        let mut estimates = Vec::with_capacity(photo.faces.len());
        let crops: Vec<&[u8]> = photo.faces.iter().map(|face| face.crop.pixels()).collect();
        for batch in crops.chunks(FORWARD_BATCH) {
            estimates.extend(self.estimator.estimate(batch)?);
        }
        let faces = photo.faces.into_iter().zip(estimates);
        let faces = faces.map(|(Cut { bounds, frame, flaws, crop }, estimate)| FaceAnalysis {
            bounds,
            frame,
            estimate,
            flaws,
            crop,
        });
        Ok(Analysis { faces: faces.collect(), ..photo.analysis })
    }
}

struct Prepared {
    /// Without its faces, which are yet to be estimated.
    analysis: Analysis,
    faces: Vec<Cut>,
    times: StageTimes,
}

struct Cut {
    bounds: Bounds,
    frame: CropFrame,
    flaws: Vec<Flaw>,
    crop: FaceCrop,
}

/// Longer side, in pixels, of a photo in which every face can be found that is looked for.
const ENOUGH_TO_SEARCH: u32 = 640;
/// Side of a frame, in pixels, from which more of them add next to nothing to its crop of 128.
const ENOUGH_TO_CUT: f32 = 144.0;
/// Faces in one forward pass: enough to fill the matrix products, few enough that the
/// activations of a crowd stay within some tens of megabytes.
const FORWARD_BATCH: usize = 16;

impl Analyser for Engine {
    fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, InferenceError> {
        self.estimated(self.prepare(photo, framing)?)
    }
}
