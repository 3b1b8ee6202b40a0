//! The computation: decode, find faces, cut crops, estimate all of them in one forward pass.

use bytes::Bytes;

use super::InferenceError;
use super::pool::Analyser;
use crate::face::{Bounds, CropFrame, FaceCrop, FaceFinder, Flaw, Found, Help, judge};
use crate::model::estimator::{Estimate, Estimator};
use crate::photo::{DecodeLimits, decode};

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
    /// What it took to find them, where a plain look showed none.
    pub help: Option<Help>,
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

    fn prepare(&self, bytes: &[u8], framing: Framing) -> Result<Prepared, InferenceError> {
        let luma = decode(bytes, &self.limits)?.luma;
        let (width, height) = luma.dimensions();
        let mut help = None;
        let faces = match framing {
            Framing::Aligned => {
                let frame = CropFrame::whole(&luma);
                let CropFrame { center_x, center_y, side, .. } = frame;
                let bounds = Bounds { x: center_x - side / 2.0, y: center_y - side / 2.0, w: side, h: side };
                vec![Cut { bounds, frame, flaws: Vec::new(), crop: FaceCrop::cut(&luma, &frame) }]
            }
            Framing::Find => {
                let Found { mut faces, help: needed } = self.finder.find(&luma)?;
                help = needed;
                faces.sort_by(|a, b| (a.bounds.x + a.bounds.w / 2.0).total_cmp(&(b.bounds.x + b.bounds.w / 2.0)));
                let cut = faces.iter().map(|face| {
                    let crop = FaceCrop::cut(&luma, &face.frame);
                    let flaws = judge(&luma, face, &crop).flaws();
                    Cut { bounds: face.bounds, frame: face.frame, flaws, crop }
                });
                cut.collect()
            }
        };
        Ok(Prepared { width, height, faces, help })
    }
}

struct Prepared {
    width: u32,
    height: u32,
    faces: Vec<Cut>,
    help: Option<Help>,
}

struct Cut {
    bounds: Bounds,
    frame: CropFrame,
    flaws: Vec<Flaw>,
    crop: FaceCrop,
}

/// Faces in one forward pass: enough to fill the matrix products, few enough that the
/// activations of a crowd stay within some tens of megabytes.
const FORWARD_BATCH: usize = 16;

impl Analyser for Engine {
    fn analyse(&self, photos: &[(Bytes, Framing)]) -> Vec<Result<Analysis, InferenceError>> {
        let prepared: Vec<_> = photos.iter().map(|(bytes, framing)| self.prepare(bytes, *framing)).collect();
        let crops: Vec<&[u8]> =
            prepared.iter().flatten().flat_map(|photo| &photo.faces).map(|face| face.crop.pixels()).collect();
        let mut estimates = Vec::with_capacity(crops.len());
        for batch in crops.chunks(FORWARD_BATCH) {
            match self.estimator.estimate(batch) {
                Ok(batch) => estimates.extend(batch),
                Err(error) => {
                    return photos.iter().map(|_| Err(InferenceError::Failed(error.to_string()))).collect();
                }
            }
        }
        let mut estimates = estimates.into_iter();
        let analyses = prepared.into_iter().map(|photo| {
            let photo = photo?;
            let faces = photo.faces.into_iter().zip(&mut estimates);
            let faces = faces
                .map(|(Cut { bounds, frame, flaws, .. }, estimate)| FaceAnalysis { bounds, frame, estimate, flaws })
                .collect();
            Ok(Analysis { width: photo.width, height: photo.height, faces, help: photo.help })
        });
        analyses.collect()
    }
}
