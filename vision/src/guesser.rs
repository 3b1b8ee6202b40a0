//! The library's entry point, from photo bytes to guesses: decode, find faces, cut crops, estimate all of a photo's
//! faces together.

use std::sync::Arc;
use std::time::Instant;

use crate::analysis::{Analysis, FaceAnalysis, Framing, StageTimes};
use crate::face::{
    Bounds, CropFrame, Face, FaceCrop, FaceError, FaceFinder, FaceOrder, FinderOptions, Found, Quality, measure_quality,
};
use crate::model::calibration::RawAnswer;
use crate::model::detector::{self, Detector};
use crate::model::estimator::{self, Estimate, Estimator};
use crate::model::flaw_head::FlawLogits;
use crate::model::{DeviceKind, ModelError};
use crate::photo::{CpuLimit, DecodeLimits, Photo, PhotoError, decode, decode_reduced, sampled_frames};

/// Why a photo could not be guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuessError {
    /// The bytes are no photo that can be read.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// A network could not be run.
    #[error("the computation failed: {0}")]
    Computation(String),
}

impl From<FaceError> for GuessError {
    fn from(error: FaceError) -> Self {
        Self::Computation(error.to_string())
    }
}

impl From<ModelError> for GuessError {
    fn from(error: ModelError) -> Self {
        Self::Computation(error.to_string())
    }
}

/// Both networks and the limits of decoding, loaded once and shared by any number of threads.
///
/// ```
/// use faceguesser_vision::Guesser;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let guesser = Guesser::builtin()?;
/// let photo = std::fs::read("../models/mean-face.jpg")?;
/// for face in guesser.guess(&photo)?.faces {
///     let (from, to) = face.age_range();
///     println!("{:.0} years ({from:.0} to {to:.0}), {:?}, {:?}", face.age(), face.gender(), face.flaws);
///     if face.smile_probability().is_some_and(|smile| smile > 0.9) {
///         println!("smiling");
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Guesser {
    finder: FaceFinder,
    estimator: Arc<Estimator>,
    limits: DecodeLimits,
}

impl Guesser {
    /// From both networks and the limits beyond which photos are refused.
    pub fn new(finder: FaceFinder, estimator: Estimator, limits: DecodeLimits) -> Self {
        let estimator = Arc::new(estimator);
        Self { finder: finder.with_verifier(&estimator), estimator, limits }
    }

    /// The compiled-in networks with the default limits.
    ///
    /// # Errors
    /// [`ModelError`] when the compiled-in weights cannot be loaded, which is a bug.
    pub fn builtin() -> Result<Self, ModelError> {
        Self::builder().build()
    }

    /// Starts from the compiled-in networks and the default limits.
    pub fn builder<'a>() -> GuesserBuilder<'a> {
        GuesserBuilder::default()
    }

    /// Finds every face in a photo and guesses its age, its gender and whether it smiles. A photo without a face is an
    /// answer without faces.
    ///
    /// `photo` holds the bytes of a JPEG, PNG, WebP, GIF or, with the feature `heic`, HEIC.
    ///
    /// # Errors
    /// [`GuessError::Photo`] says what is wrong with the bytes.
    pub fn guess(&self, photo: &[u8]) -> Result<Analysis, GuessError> {
        self.analyse(photo, Framing::Find)
    }

    /// Guesses a picture that is a tight, upright crop of one face already; of one that is not square,
    /// the square in its middle.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let guesser = faceguesser_vision::Guesser::builtin()?;
    /// let crop = std::fs::read("../models/mean-face.jpg")?;
    /// let face = guesser.guess_crop(&crop)?;
    /// assert!((20.0..45.0).contains(&face.age()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Guesser::guess`].
    pub fn guess_crop(&self, crop: &[u8]) -> Result<FaceAnalysis, GuessError> {
        let mut faces = self.analyse(crop, Framing::Aligned)?.faces;
        faces.pop().ok_or_else(|| GuessError::Computation("the crop was not estimated".into()))
    }

    /// Guesses several photos; the faces of all of them go through the network together. An unreadable
    /// photo does not affect the others. Answers are in the order of the photos.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let guesser = faceguesser_vision::Guesser::builtin()?;
    /// let photo = std::fs::read("../models/mean-face.jpg")?;
    /// let answers = guesser.guess_batch(&[&photo[..], b"not a photo"]);
    /// assert_eq!(answers[0].as_ref().unwrap().faces.len(), 1);
    /// assert!(answers[1].is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn guess_batch(&self, photos: &[impl AsRef<[u8]>]) -> Vec<Result<Analysis, GuessError>> {
        let prepare = |photo: &[u8]| Ok(self.prepare(photo, Framing::Find)?.0);
        self.estimated_together(photos.iter().map(|photo| prepare(photo.as_ref())).collect())
    }

    /// Analyses one photo whose faces are to be found, or that is a crop.
    ///
    /// # Errors
    /// As [`Guesser::guess`].
    pub fn analyse(&self, photo: &[u8], framing: Framing) -> Result<Analysis, GuessError> {
        let (prepared, _) = self.prepare(photo, framing)?;
        self.estimated(prepared)
    }

    /// As [`Guesser::analyse`], with the photo that the crops were cut from.
    ///
    /// # Errors
    /// As [`Guesser::guess`].
    pub fn analyse_keeping_photo(&self, photo: &[u8], framing: Framing) -> Result<(Analysis, Photo), GuessError> {
        let (prepared, photo) = self.prepare(photo, framing)?;
        Ok((self.estimated(prepared)?, photo))
    }

    /// The age and gender network.
    pub fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// The limits beyond which photos are refused.
    pub fn limits(&self) -> &DecodeLimits {
        &self.limits
    }

    /// As [`Guesser::analyse`], with the time that each stage took.
    ///
    /// # Errors
    /// As [`Guesser::guess`].
    pub fn timed(&self, bytes: &[u8], framing: Framing) -> Result<(Analysis, StageTimes), GuessError> {
        let (prepared, _) = self.prepare(bytes, framing)?;
        let mut times = prepared.times;
        let started = Instant::now();
        let analysis = self.estimated(prepared)?;
        times.estimate = started.elapsed();
        Ok((analysis, times))
    }

    /// Finds and cuts the faces; returns the decoded photo as well, which holds its reservation of memory.
    fn prepare(&self, bytes: &[u8], framing: Framing) -> Result<(Prepared, Photo), GuessError> {
        let mut times = StageTimes::default();
        let work = CpuLimit::start(self.limits.cpu_time);
        let mut clock = Instant::now();
        let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
        let photo = match framing {
            Framing::Aligned => decode(bytes, &self.limits)?,
            Framing::Find => decode_reduced(bytes, &self.limits, SEARCH_SIDE)?,
        };
        times.decode = lap();
        let (width, height) = photo.size;
        let cut_short = !photo.whole;
        let mut frame = 0;
        let (faces, rotation, photo) = match framing {
            Framing::Aligned => {
                let frame = CropFrame::whole(&photo.luma);
                let CropFrame { center_x, center_y, side, .. } = frame;
                let bounds = Bounds { x: center_x - side / 2.0, y: center_y - side / 2.0, w: side, h: side };
                let crop = FaceCrop::cut(&photo.luma, &frame);
                (vec![Cut { bounds, frame, quality: None, crop }], None, photo)
            }
            Framing::Find => {
                let Found { mut faces, mut rotation } = self.finder.find(&photo.luma, &work)?;
                let mut photo = photo;
                if faces.is_empty() {
                    // Release the memory reservation: a thread holds at most one at a time.
                    photo.memory = None;
                    for (index, later) in sampled_frames(bytes, &self.limits) {
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
                FaceOrder::of(faces.iter().map(|face| face.bounds)).sort(&mut faces);
                let factor = photo.reduction as f32;
                let cut = faces.iter().map(|face| {
                    let crop = FaceCrop::cut(&photo.luma, &face.frame);
                    let quality = Some(measure_quality(&photo.luma, face, &crop));
                    let Face { bounds, frame, .. } = face.scaled(factor);
                    Cut { bounds, frame, quality, crop }
                });
                (cut.collect(), rotation, photo)
            }
        };
        times.cut = lap();
        let analysis = Analysis { frame, cut_short, rotation, ..Analysis::empty(width, height) };
        Ok((Prepared { analysis, faces, times }, photo))
    }

    /// If the crop of a face would lack detail that the original photo has, decodes the photo again at a
    /// larger size and refines the faces in it.
    fn with_detail(
        &self,
        bytes: &[u8],
        photo: Photo,
        faces: Vec<Face>,
        work: &CpuLimit,
    ) -> Result<(Photo, Vec<Face>), GuessError> {
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
        let faces = faces.into_iter().map(|face| face.scaled(factor)).collect();
        let faces = self.finder.refine(&larger.luma, faces)?;
        Ok((larger, faces))
    }

    /// Estimates all faces of a photo, in batches of up to [`FORWARD_BATCH`].
    fn estimated(&self, photo: Prepared) -> Result<Analysis, GuessError> {
        let mut estimates = self.estimates(&photo.faces)?.into_iter();
        Ok(photo.with_estimates(&mut estimates))
    }

    /// As [`Guesser::estimated`] for the faces of several photos together.
    fn estimated_together(&self, photos: Vec<Result<Prepared, GuessError>>) -> Vec<Result<Analysis, GuessError>> {
        let faces = photos.iter().flatten().flat_map(|photo| &photo.faces);
        match self.estimates(faces) {
            Ok(estimates) => {
                let mut estimates = estimates.into_iter();
                photos.into_iter().map(|photo| Ok(photo?.with_estimates(&mut estimates))).collect()
            }
            Err(error) => photos.into_iter().map(|photo| photo.and(Err(error.clone()))).collect(),
        }
    }

    /// The estimate of each face, and its [`Quality::seen`].
    fn estimates<'a>(
        &self,
        faces: impl IntoIterator<Item = &'a Cut>,
    ) -> Result<Vec<(Estimate, Option<FlawLogits>)>, GuessError> {
        let crops: Vec<&[u8]> = faces.into_iter().map(|face| face.crop.pixels()).collect();
        let mut estimates = Vec::with_capacity(crops.len());
        for batch in crops.chunks(FORWARD_BATCH) {
            let answers = self.estimator.raw_answers(batch)?;
            let calibrated = |answer: &RawAnswer| (self.estimator.calibration().apply(answer), answer.flaws);
            estimates.extend(answers.iter().map(calibrated));
        }
        Ok(estimates)
    }
}

/// Chooses the networks and limits of a [`Guesser`].
///
/// ```
/// use faceguesser_vision::Guesser;
/// use faceguesser_vision::photo::DecodeLimits;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let weights = std::fs::read("../models/estimator.safetensors")?;
/// let limits = DecodeLimits { max_pixels: 20_000_000, ..DecodeLimits::default() };
/// let guesser = Guesser::builder().estimator_weights(&weights).limits(limits).max_faces(4).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct GuesserBuilder<'a> {
    detector: Option<&'a [u8]>,
    estimator: Option<&'a [u8]>,
    limits: DecodeLimits,
    finder: FinderOptions,
    device: DeviceKind,
}

impl<'a> GuesserBuilder<'a> {
    /// The bytes of a safetensors file of the face detector, in place of the compiled-in one.
    pub fn detector_weights(self, weights: &'a [u8]) -> Self {
        Self { detector: Some(weights), ..self }
    }

    /// The bytes of a safetensors file of the age and gender network, in place of the compiled-in one.
    pub fn estimator_weights(self, weights: &'a [u8]) -> Self {
        Self { estimator: Some(weights), ..self }
    }

    /// Bounds on bytes, pixels, memory and processor time of one photo.
    pub fn limits(self, limits: DecodeLimits) -> Self {
        Self { limits, ..self }
    }

    /// The most faces that are guessed in one photo, the largest first.
    pub fn max_faces(self, max_faces: usize) -> Self {
        Self { finder: FinderOptions { max_faces, ..self.finder }, ..self }
    }

    /// What the age and gender network runs on.
    pub fn device(self, device: DeviceKind) -> Self {
        Self { device, ..self }
    }

    /// Loads the networks.
    ///
    /// # Errors
    /// [`ModelError`] when weights are not those of this network, or the device cannot be used.
    pub fn build(self) -> Result<Guesser, ModelError> {
        let detector = Detector::from_safetensors(self.detector.unwrap_or_else(|| detector::embedded()))?;
        let estimator = Estimator::from_safetensors(self.estimator.unwrap_or_else(|| estimator::embedded()))?;
        Ok(Guesser::new(FaceFinder::new(detector, self.finder), estimator.to_device(self.device)?, self.limits))
    }
}

/// A photo whose faces are cut but not estimated.
struct Prepared {
    /// Without its faces, which are yet to be estimated.
    analysis: Analysis,
    faces: Vec<Cut>,
    times: StageTimes,
}

impl Prepared {
    /// The answer; takes one of the `estimates`, with its [`Quality::seen`], for each face.
    fn with_estimates(self, estimates: &mut impl Iterator<Item = (Estimate, Option<FlawLogits>)>) -> Analysis {
        let faces = self.faces.into_iter().zip(estimates);
        let faces = faces.map(|(Cut { bounds, frame, quality, crop }, (estimate, seen))| {
            let quality = quality.map(|quality| Quality { seen, ..quality });
            FaceAnalysis {
                bounds,
                frame,
                flaws: quality.as_ref().map(Quality::flaws).unwrap_or_default(),
                good_photo: quality.as_ref().is_some_and(Quality::is_good) && !estimate.is_age_unknown(),
                estimate,
                crop,
            }
        });
        Analysis { faces: faces.collect(), ..self.analysis }
    }
}

struct Cut {
    bounds: Bounds,
    frame: CropFrame,
    /// Of a face that was found, not of a crop.
    quality: Option<Quality>,
    crop: FaceCrop,
}

/// Longer side, in pixels, to which a photo may be reduced for face detection.
pub const SEARCH_SIDE: u32 = 640;
/// Side of a frame, in pixels, above which more resolution adds next to nothing to the 128×128 crop.
const CROP_SIDE: f32 = 144.0;
/// Faces per forward pass: enough for efficient matrix products, few enough that the activations of a crowd
/// take no more than some tens of megabytes.
pub const FORWARD_BATCH: usize = 16;
