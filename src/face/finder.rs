//! Finds the faces of a photo: one pass of the detector over the whole, and one closer look at each face.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::GrayImage;

use super::crop::window;
use super::{Bounds, CropFrame, Face, FaceError, Rotation, align};
use crate::model::detector::{Detection, Detector};
use crate::photo::WorkClock;

/// What counts as a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinderOptions {
    /// The most faces returned; the largest ones are.
    pub max_faces: usize,
    /// Score from which a detection is worth a closer look.
    pub noticed: f32,
    /// Score from which a face counts, over the pass and the closer look (their geometric mean).
    pub threshold: f32,
    /// The same for a face of fewer than [`SMALL`] pixels in the pass: the score is the expected overlap of
    /// the box, and a small face's box fits less well.
    pub small_threshold: f32,
}

impl Default for FinderOptions {
    /// Chosen on 400 scenes and 87 pictures of animals and things (`models/MODEL_CARD.md` has the table).
    fn default() -> Self {
        Self { max_faces: 32, noticed: 0.3, threshold: 0.67, small_threshold: 0.56 }
    }
}

/// Longer side, in pixels, of what the pass sees.
const SEARCHED: f32 = 640.0;
/// Longer side of the glance before it, with which a portrait ends: a sixth of the work.
const GLANCE: f32 = 256.0;
/// The most by which a small photo is enlarged.
const MOST_ENLARGED: f32 = 2.0;
/// Side of a face, in pixels of the pass, from which it is no longer small.
pub const SMALL: f32 = 36.0;
/// The glance is enough where it notices one or two faces alone, each with this score and of this share of
/// the photo's shorter side: of faces down to a third of that it would have taken notice, too.
const CERTAIN: f32 = 0.8;
const PORTRAIT: f32 = 0.2;
const FEW: usize = 2;
/// Two detections that share more than this are one face.
const SAME_FACE: f32 = 0.45;
/// The window of the closer look, in sides of the face's box, and its own side in pixels.
const WINDOW: f32 = 2.0;
const SIDE: usize = 160;
/// Score from which a cell's report of the face in a window is weighed in.
const FAINTEST: f32 = 0.1;
/// Reports in a window that share more than this are of the same face.
const SAME_REPORT: f32 = 0.6;
/// Grey of what a window shows of the world outside of the photo, as in training.
const OUTSIDE: u8 = 128;

/// What a search brought.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Largest first.
    pub faces: Vec<Face>,
    /// How the photo would stand upright, where its largest face does not.
    pub rotation: Option<Rotation>,
}

/// Finds faces, from any thread.
pub struct FaceFinder {
    detector: Detector,
    options: FinderOptions,
}

impl FaceFinder {
    /// Takes the network and what counts as a face.
    pub fn new(detector: Detector, options: FinderOptions) -> Self {
        Self { detector, options }
    }

    /// The faces in `luma`, largest first.
    ///
    /// What the pass over the whole photo notices is looked at once more, closely and level: that confirms it
    /// or not, and makes its frame depend little on how it was found. Once the time is over there are no
    /// further looks: clear faces stay as they were found.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn find(&self, luma: &GrayImage, clock: &WorkClock) -> Result<Found, FaceError> {
        if luma.width() == 0 || luma.height() == 0 {
            return Ok(Found::default());
        }
        let (mut noticed, mut scale) = self.noticed(luma, GLANCE)?;
        let least = PORTRAIT * luma.width().min(luma.height()) as f32;
        let clear = |face: &Face| face.score >= CERTAIN && face.bounds.side() >= least;
        if noticed.is_empty() || noticed.len() > FEW || !noticed.iter().all(clear) {
            (noticed, scale) = self.noticed(luma, SEARCHED)?;
        }
        let mut faces = Vec::new();
        for face in noticed.into_iter().take(4 * self.options.max_faces) {
            let small = face.bounds.side() < SMALL * scale;
            let least = if small { self.options.small_threshold } else { self.options.threshold };
            let seen = if clock.check().is_ok() { self.closer(luma, &face)? } else { Some(face) };
            faces.extend(seen.filter(|seen| seen.score >= least));
        }
        let mut faces = distinct(faces);
        faces.sort_by(|a, b| b.frame.side.total_cmp(&a.frame.side));
        faces.truncate(self.options.max_faces);
        Ok(Found { rotation: faces.first().and_then(|face| Rotation::for_roll(face.frame.roll)), faces })
    }

    /// What one pass at `side` pixels notices, best first, and how many of the photo's pixels one of its is.
    fn noticed(&self, luma: &GrayImage, side: f32) -> Result<(Vec<Face>, f32), FaceError> {
        let (searched, scale) = resized(luma, side)?;
        let (width, height) = (searched.width() as usize, searched.height() as usize);
        let noticed = self.detector.detect(searched.as_raw(), width, height, self.options.noticed)?;
        Ok((distinct(noticed.iter().map(|found| face(found).scaled(scale)).collect()), scale))
    }

    /// Looks once more at a face whose place is known, perhaps from a smaller version of the photo.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn settle(&self, luma: &GrayImage, face: Face) -> Result<Face, FaceError> {
        let closer = self.closer(luma, &face)?.filter(|closer| closer.score >= self.options.small_threshold);
        Ok(closer.unwrap_or(face))
    }

    /// The face as a window around it shows it, cut level, with the mean of both scores; `None` where
    /// the window shows none.
    fn closer(&self, luma: &GrayImage, face: &Face) -> Result<Option<Face>, FaceError> {
        let Bounds { x, y, w, h } = face.bounds;
        let side = face.bounds.side() * WINDOW;
        let frame = CropFrame { center_x: x + w / 2.0, center_y: y + h / 2.0, side, roll: face.frame.roll };
        let mut found = self.detector.detect(&window(luma, &frame, SIDE, OUTSIDE), SIDE, SIDE, FAINTEST)?;
        // The window's own face is the one in its middle; a neighbour may stand at its edge.
        let middle = SIDE as f32 / 2.0;
        found.retain(|found| {
            let [left, top, width, height] = found.bounds;
            (left + width / 2.0 - middle).hypot(top + height / 2.0 - middle) < SIDE as f32 / 4.0
        });
        let Some(best) = settled(&found) else { return Ok(None) };
        let to_photo = |[x, y]: [f32; 2]| {
            let (x, y) = frame.to_photo(x / SIDE as f32 - 0.5, y / SIDE as f32 - 0.5);
            [x, y]
        };
        let landmarks = best.landmarks.map(to_photo);
        let [left, top, width, height] = best.bounds;
        let [center_x, center_y] = to_photo([left + width / 2.0, top + height / 2.0]);
        let scale = frame.side / SIDE as f32;
        // The upright box around the level one, of the same area.
        let (sin, cos) = frame.roll.sin_cos();
        let (w, h) = ((width * cos).hypot(height * sin) * scale, (width * sin).hypot(height * cos) * scale);
        let bounds = Bounds { x: center_x - w / 2.0, y: center_y - h / 2.0, w, h };
        let frame = align::frame(&landmarks, (width * height).sqrt() * scale);
        Ok(Some(Face { bounds, landmarks, score: (face.score * best.score).sqrt(), frame }))
    }
}

impl Rotation {
    /// For a face that is turned clockwise by `roll` radians, −π to π, in the photo.
    fn for_roll(roll: f32) -> Option<Self> {
        match (roll / std::f32::consts::FRAC_PI_2).round() as i32 {
            0 => None,
            1 => Some(Self::Left),
            -1 => Some(Self::Right),
            _ => Some(Self::UpsideDown),
        }
    }
}

/// The picture with a longer side of `side` pixels, and how many of its pixels one now stands for. A strip
/// keeps half the square of `side` in pixels, so that its shorter side does not shrink to little.
fn resized(picture: &GrayImage, side: f32) -> Result<(GrayImage, f32), FaceError> {
    let (width, height) = picture.dimensions();
    let longer = side / width.max(height) as f32;
    let area = side / (2.0 * width as f32 * height as f32).sqrt();
    let factor = longer.max(area.min(1.0)).min(MOST_ENLARGED);
    let sized = |pixels: u32| ((pixels as f32 * factor).round() as u32).max(1);
    let failed = |error: &dyn std::fmt::Display| FaceError::Resize(error.to_string());
    let source = ImageRef::new(width, height, picture.as_raw(), PixelType::U8).map_err(|error| failed(&error))?;
    let mut target = Image::new(sized(width), sized(height), PixelType::U8);
    let filter = if factor < 1.0 { FilterType::Box } else { FilterType::Bilinear };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    let searched = GrayImage::from_raw(sized(width), sized(height), target.into_vec());
    Ok((searched.ok_or_else(|| failed(&"the sizes do not fit"))?, 1.0 / factor))
}

/// The mean of all reports of the face that the best one is of, weighted by their scores: cells
/// that see the same face err in different directions.
fn settled(found: &[Detection]) -> Option<Detection> {
    let best = *found.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let bounds = bounds(&best);
    let alike: Vec<&Detection> =
        found.iter().filter(|other| self::bounds(other).overlap(&bounds) > SAME_REPORT).collect();
    let total: f32 = alike.iter().map(|found| found.score).sum();
    let mean =
        |value: &dyn Fn(&Detection) -> f32| alike.iter().map(|found| found.score * value(found)).sum::<f32>() / total;
    Some(Detection {
        bounds: std::array::from_fn(|at| mean(&|found| found.bounds[at])),
        landmarks: std::array::from_fn(|point| std::array::from_fn(|axis| mean(&|found| found.landmarks[point][axis]))),
        ..best
    })
}

fn bounds(found: &Detection) -> Bounds {
    let [x, y, w, h] = found.bounds;
    Bounds { x, y, w, h }
}

fn face(found: &Detection) -> Face {
    let bounds = bounds(found);
    let frame = align::frame(&found.landmarks, bounds.side());
    Face { bounds, landmarks: found.landmarks, score: found.score, frame }
}

/// One detection a face, best first: of those that overlap, the one of the highest score.
fn distinct(mut faces: Vec<Face>) -> Vec<Face> {
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.iter().all(|other| other.bounds.overlap(&face.bounds) < SAME_FACE) {
            kept.push(face);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder() -> FaceFinder {
        let detector = Detector::from_safetensors(crate::model::detector::embedded()).unwrap();
        FaceFinder::new(detector, FinderOptions::default())
    }

    #[test]
    fn a_photo_on_its_side_is_told_how_it_has_to_be_turned() {
        let face = image::load_from_memory(include_bytes!("../../models/mean-face.jpg")).unwrap().into_luma8();
        let face = image::imageops::resize(&face, 240, 240, image::imageops::FilterType::Triangle);
        let mut upright = GrayImage::from_pixel(480, 640, image::Luma([128]));
        image::imageops::replace(&mut upright, &face, 90, 150);
        let turned = [
            (upright.clone(), None),
            (image::imageops::rotate90(&upright), Some(Rotation::Left)),
            (image::imageops::rotate180(&upright), Some(Rotation::UpsideDown)),
            (image::imageops::rotate270(&upright), Some(Rotation::Right)),
        ];
        let clock = WorkClock::start(std::time::Duration::from_secs(60));
        for (photo, rotation) in turned {
            let found = finder().find(&photo, &clock).unwrap();
            assert_eq!((found.faces.len(), found.rotation), (1, rotation));
        }
    }

    #[test]
    fn odd_pictures_hold_no_face_and_do_no_harm() {
        let finder = finder();
        let clock = WorkClock::start(std::time::Duration::from_secs(60));
        for (width, height) in [(0, 0), (1, 1), (1, 4000), (3000, 2), (333, 77)] {
            let flat = GrayImage::from_pixel(width, height, image::Luma([120]));
            assert_eq!(finder.find(&flat, &clock).unwrap(), Found::default(), "{width}×{height}");
        }
    }
}
