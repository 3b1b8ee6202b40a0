//! Searches a photo for faces: at a glance where that is enough, and harder where it is not.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{GrayImage, imageops};

use super::crop::SIDE;
use super::{Bounds, CropFrame, Face, FaceCrop, FaceError, Help, align};
use crate::model::detector::{Detect, Detection, Detector, STEP};
use crate::model::scout::Scout;
use crate::photo::WorkClock;

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FinderOptions {
    /// The most faces returned; the largest ones are.
    pub max_faces: usize,
    /// Longer side of the detector's first, coarse look, in pixels.
    pub coarse_side: u32,
    /// Longer side of the second look, taken at a large photo whose first shows no portrait.
    pub fine_side: u32,
    /// Score from which a detection counts.
    pub threshold: f32,
    /// Score from which one counts that was found only after turning or padding the photo.
    pub retry_threshold: f32,
}

impl Default for FinderOptions {
    /// On composites of 640×480 pixels a coarse side of 384 finds at least what YuNet finds at
    /// full size, in every condition tried (the table stands in `models/MODEL_CARD.md`).
    fn default() -> Self {
        Self { max_faces: 32, coarse_side: 384, fine_side: 1024, threshold: 0.35, retry_threshold: 0.5 }
    }
}

/// Longer sides of the scout's glances, in pixels, and the share of the photo's shorter side that
/// every face must have then: of faces down to half of that it would have taken notice, too.
const GLANCES: [(u32, f32); 2] = [(256, 0.17), (384, 0.13)];
/// Score from which a glance takes notice.
const NOTICED: f32 = 0.35;
/// Score that everything noticed must have for nobody to look harder; clear faces have 0.7 to 0.9.
const CERTAIN: f32 = 0.55;
/// Score that the closer look at a face seen at a glance must have.
const CONFIRMED: f32 = 0.6;
/// A group of more is looked at hard: somebody in it may be half hidden.
const FEW: usize = 2;
/// A face of this share of the photo's shorter side is a portrait's: nobody smaller is looked for.
const PORTRAIT: f32 = 0.4;
/// Where all faces have at least so many pixels in the coarse look, nobody smaller is looked for:
/// it sees those down to a third of that.
const LARGE: f32 = 56.0;
/// Up to this reduction the coarse look misses only faces too small to be guessed at.
const FINE_FROM: f32 = 2.0;
/// Two detections that share more than this are one face.
const SAME_FACE: f32 = 0.3;
/// Grey border for the padded retry, as a share of the photo's longer side.
const PADDING: f32 = 0.5;
/// The window of the closer look, in sides of the face's frame.
const WINDOW: f32 = 1.6;
/// Below this score of the closer look the face may stand on its side; the window is turned too.
const DOUBTFUL: f32 = 0.6;

/// From this score of the first look a face stays, even where the closer look loses it.
const CLEAR: f32 = 0.45;
/// Score from which a cell's report of the face in a window is weighed in.
const FAINTEST: f32 = 0.2;
/// Reports in a window that share more than this are of the same face.
const SAME_REPORT: f32 = 0.5;
/// Further looks at each face after the closer one.
const SETTLING_LOOKS: usize = 1;

/// What a search brought.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Largest first.
    pub faces: Vec<Face>,
    /// What it took, where a plain look showed nothing.
    pub help: Option<Help>,
}

/// Finds faces, from any thread.
pub struct FaceFinder {
    scout: Scout,
    detector: Detector,
    options: FinderOptions,
}

/// Clockwise turns of a picture by quarters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    Quarter,
    Half,
    ThreeQuarters,
}

impl FaceFinder {
    /// Takes both networks and how hard to look.
    pub fn new(scout: Scout, detector: Detector, options: FinderOptions) -> Self {
        Self { scout, detector, options }
    }

    /// The faces in `luma`, largest first.
    ///
    /// The scout's glances, and nothing more where one shows one or two large, clear faces alone. Otherwise
    /// the detector's coarse look at the whole; of a large photo, unless that shows a portrait or large
    /// faces alone, a finer one; if neither shows a face, the coarse picture with a border around it
    /// (for faces that fill the frame) and on its sides (for photos that were never turned upright).
    /// Each face is then looked at closely and level, so that its frame depends little on how it was
    /// found. Once the time is over there are no further looks: the faces stay as they were found.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn find(&self, luma: &GrayImage, clock: &WorkClock) -> Result<Found, FaceError> {
        let (width, height) = luma.dimensions();
        if width == 0 || height == 0 {
            return Ok(Found::default());
        }
        let mut noticed = Vec::new();
        for (side, least) in GLANCES {
            // A second glance at a small photo would show nothing new.
            if side > GLANCES[0].0 && width.max(height) < side / 4 * 3 {
                break;
            }
            let (small, scale) = shrunk(luma, side)?;
            let seen = scaled(look(&self.scout, &small, NOTICED)?, scale);
            noticed = distinct(seen.iter().map(face).collect());
            if let Some(faces) = self.clear(luma, &noticed, least)? {
                return Ok(Found { faces: self.largest(faces), help: None });
            }
        }
        let options = &self.options;
        let (coarse, scale) = shrunk(luma, options.coarse_side)?;
        let mut found = scaled(look(&self.detector, &coarse, options.threshold)?, scale);
        let sides = || found.iter().map(side);
        let portrait = sides().fold(0.0, f32::max) >= PORTRAIT * width.min(height) as f32;
        let all_large = !found.is_empty() && sides().all(|side| side >= LARGE * scale);
        if !portrait && !all_large && scale > FINE_FROM {
            let (fine, scale) = shrunk(luma, options.fine_side)?;
            found.extend(scaled(look(&self.detector, &fine, options.threshold)?, scale));
        }
        let mut help = None;
        if found.is_empty() && clock.check().is_ok() {
            (found, help) = self.retry(&coarse)?;
            found = scaled(found, scale);
        }
        // What the scout alone has noticed counts if the detector's closer look confirms it.
        let doubtful = noticed.into_iter().map(|face| Face { score: 0.0, ..face });
        let found = distinct(found.iter().map(face).chain(doubtful).collect());
        let mut faces: Vec<Face> = Vec::new();
        for detection in found.into_iter().take(4 * options.max_faces) {
            match clock.check() {
                Ok(()) => faces.extend(self.closer(luma, detection)?),
                Err(_) => faces.extend((detection.score >= CLEAR).then_some(detection)),
            }
        }
        let faces = self.largest(faces);
        Ok(Found { help: help.filter(|_| !faces.is_empty()), faces })
    }

    /// Looks once more at a face whose place is known, perhaps from a smaller version of the photo.
    ///
    /// # Errors
    /// When the network cannot be run.
    pub fn settle(&self, luma: &GrayImage, face: Face) -> Result<Face, FaceError> {
        let closer = self.window(&self.scout, luma, &face, 0.0)?.filter(|closer| closer.score >= CONFIRMED);
        Ok(closer.unwrap_or(face))
    }

    /// The faces of a glance, looked at closely, if it left no doubt: each of them certain and not
    /// smaller than `least`, as a share of the photo's shorter side.
    fn clear(&self, luma: &GrayImage, noticed: &[Face], least: f32) -> Result<Option<Vec<Face>>, FaceError> {
        let least = least * luma.width().min(luma.height()) as f32;
        let certain = |face: &Face| face.score >= CERTAIN && face.bounds.side() >= least;
        if noticed.is_empty() || noticed.len() > FEW || !noticed.iter().all(certain) {
            return Ok(None);
        }
        let mut faces = Vec::new();
        for face in noticed {
            let closer = self.window(&self.scout, luma, face, 0.0)?.filter(|closer| closer.score >= CONFIRMED);
            let Some(closer) = closer else { return Ok(None) };
            faces.push(self.settle(luma, closer)?);
        }
        Ok(Some(faces))
    }

    /// Each face once, largest first, as many as are wanted.
    fn largest(&self, faces: Vec<Face>) -> Vec<Face> {
        let mut faces = distinct(faces);
        faces.sort_by(|a, b| b.frame.side.total_cmp(&a.frame.side));
        faces.truncate(self.options.max_faces);
        faces
    }

    /// Padded, then turned by quarters: the first of the two that shows something, and which it was.
    fn retry(&self, coarse: &GrayImage) -> Result<(Vec<Detection>, Option<Help>), FaceError> {
        let (width, height) = coarse.dimensions();
        let border = (PADDING * width.max(height) as f32) as u32;
        let mut padded = GrayImage::from_pixel(width + 2 * border, height + 2 * border, image::Luma([128]));
        imageops::replace(&mut padded, coarse, i64::from(border), i64::from(border));
        let (padded, scale) = shrunk(&padded, self.options.coarse_side)?;
        let found = scaled(look(&self.detector, &padded, self.options.retry_threshold)?, scale);
        if !found.is_empty() {
            let back = -(border as f32);
            let found = found.into_iter().map(|found| mapped(found, |x, y| [x + back, y + back]));
            return Ok((found.collect(), Some(Help::Padding)));
        }
        let mut best: (Vec<Detection>, Option<Help>) = (Vec::new(), None);
        let score = |found: &[Detection]| found.iter().map(|found| found.score).fold(0.0, f32::max);
        for turn in [Turn::Quarter, Turn::ThreeQuarters, Turn::Half] {
            let (turned, back) = turn.apply(coarse);
            let found = look(&self.detector, &turned, self.options.retry_threshold)?;
            if score(&found) > score(&best.0) {
                best = (found.into_iter().map(|found| mapped(found, &back)).collect(), Some(turn.help()));
            }
        }
        Ok(best)
    }

    /// Looks again at a window around the face, cut level; `None` when a faint detection does not
    /// stand up to it.
    fn closer(&self, luma: &GrayImage, face: Face) -> Result<Option<Face>, FaceError> {
        let mut best = self.window(&self.detector, luma, &face, 0.0)?;
        if best.is_none_or(|best| best.score < DOUBTFUL) {
            for turn in [1.0, 2.0, 3.0] {
                let turned = self.window(&self.detector, luma, &face, turn * std::f32::consts::FRAC_PI_2)?;
                if turned.is_some_and(|turned| best.is_none_or(|best| turned.score > best.score + 0.1)) {
                    best = turned;
                }
            }
        }
        let Some(mut best) = best else {
            return Ok((face.score >= CLEAR).then_some(face));
        };
        // Each further look starts from where the last one ended, so that all of them end at the
        // same frame, wherever the first one began.
        for _ in 0..SETTLING_LOOKS {
            let Some(next) =
                self.window(&self.detector, luma, &best, 0.0)?.filter(|next| next.score > best.score - 0.1)
            else {
                break;
            };
            best = next;
        }
        Ok(Some(best))
    }

    fn window(
        &self,
        network: &dyn Detect,
        luma: &GrayImage,
        face: &Face,
        turn: f32,
    ) -> Result<Option<Face>, FaceError> {
        let frame = CropFrame { side: face.frame.side * WINDOW, roll: face.frame.roll + turn, ..face.frame };
        let mut window = FaceCrop::cut(luma, &frame);
        // The detector takes the streaks of a continued edge for a part of the face.
        window.fill_outside(luma, &frame, 128);
        let found = network.detect(window.pixels(), SIDE, SIDE, FAINTEST)?;
        let distance = |found: &Detection| {
            let [left, top, width, height] = found.bounds;
            let middle = SIDE as f32 / 2.0;
            (left + width / 2.0 - middle).hypot(top + height / 2.0 - middle)
        };
        // The window's own face is the one in its middle; a neighbour may stand at its edge.
        let central = found.into_iter().filter(|found| distance(found) < SIDE as f32 / 4.0);
        let best = settled(&central.collect::<Vec<_>>()).filter(|best| best.score >= self.options.threshold);
        let Some(best) = best else { return Ok(None) };
        let units = |value: f32| value / SIDE as f32 - 0.5;
        let to_photo = |[x, y]: [f32; 2]| {
            let (x, y) = frame.to_photo(units(x), units(y));
            [x, y]
        };
        let landmarks = best.landmarks.map(to_photo);
        let bounds = mapped_bounds(best.bounds, |x, y| to_photo([x, y]));
        let box_side = side(&best) * frame.side / SIDE as f32;
        let [x, y, w, h] = bounds;
        let bounds = Bounds { x, y, w, h };
        Ok(Some(Face { bounds, landmarks, score: best.score, frame: align::frame(&landmarks, box_side) }))
    }
}

impl Turn {
    fn help(self) -> Help {
        match self {
            Self::Quarter => Help::TurnRight,
            Self::Half => Help::TurnOver,
            Self::ThreeQuarters => Help::TurnLeft,
        }
    }

    /// The picture turned, and the way back for points of it.
    fn apply(self, picture: &GrayImage) -> (GrayImage, impl Fn(f32, f32) -> [f32; 2]) {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let turned = match self {
            Self::Quarter => imageops::rotate90(picture),
            Self::Half => imageops::rotate180(picture),
            Self::ThreeQuarters => imageops::rotate270(picture),
        };
        let back = move |x: f32, y: f32| match self {
            Self::Quarter => [y, height - x],
            Self::Half => [width - x, height - y],
            Self::ThreeQuarters => [width - y, x],
        };
        (turned, back)
    }
}

/// Runs a network on a picture, with black to the right and below up to its step.
fn look(network: &dyn Detect, picture: &GrayImage, threshold: f32) -> Result<Vec<Detection>, FaceError> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (wide, high) = (width.next_multiple_of(STEP), height.next_multiple_of(STEP));
    let mut pixels = vec![0; wide * high];
    for (target, row) in pixels.chunks_exact_mut(wide).zip(picture.as_raw().chunks_exact(width)) {
        target[..width].copy_from_slice(row);
    }
    Ok(network.detect(&pixels, wide, high, threshold)?)
}

/// The picture with its longer side shrunk to `side`, and how many of its pixels one now stands
/// for; as it is when it is smaller.
fn shrunk(picture: &GrayImage, side: u32) -> Result<(GrayImage, f32), FaceError> {
    let (width, height) = picture.dimensions();
    let scale = width.max(height) as f32 / side as f32;
    if scale <= 1.0 {
        return Ok((picture.clone(), 1.0));
    }
    let shrink = |pixels: u32| ((pixels as f32 / scale).round() as u32).max(1);
    let failed = |error: &dyn std::fmt::Display| FaceError::Resize(error.to_string());
    let source = ImageRef::new(width, height, picture.as_raw(), PixelType::U8).map_err(|error| failed(&error))?;
    let (small_width, small_height) = (shrink(width), shrink(height));
    let mut target = Image::new(small_width, small_height, PixelType::U8);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    let small = GrayImage::from_raw(small_width, small_height, target.into_vec());
    Ok((small.ok_or_else(|| failed(&"the sizes do not fit"))?, scale))
}

fn scaled(found: Vec<Detection>, scale: f32) -> Vec<Detection> {
    found.into_iter().map(|found| mapped(found, |x, y| [x * scale, y * scale])).collect()
}

fn mapped(found: Detection, map: impl Fn(f32, f32) -> [f32; 2]) -> Detection {
    Detection { bounds: mapped_bounds(found.bounds, &map), landmarks: found.landmarks.map(|[x, y]| map(x, y)), ..found }
}

/// The upright box around a mapped box.
fn mapped_bounds([x, y, w, h]: [f32; 4], map: impl Fn(f32, f32) -> [f32; 2]) -> [f32; 4] {
    let corners = [map(x, y), map(x + w, y), map(x, y + h), map(x + w, y + h)];
    let low = |axis: usize| corners.iter().map(|corner| corner[axis]).fold(f32::MAX, f32::min);
    let high = |axis: usize| corners.iter().map(|corner| corner[axis]).fold(f32::MIN, f32::max);
    [low(0), low(1), high(0) - low(0), high(1) - low(1)]
}

/// The mean of all reports of the face that the best one is of, weighted by their scores: cells
/// that see the same face err in different directions.
fn settled(found: &[Detection]) -> Option<Detection> {
    let best = *found.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let bounds = face(&best).bounds;
    let alike: Vec<&Detection> =
        found.iter().filter(|other| face(other).bounds.overlap(&bounds) > SAME_REPORT).collect();
    let total: f32 = alike.iter().map(|found| found.score).sum();
    let mean =
        |value: &dyn Fn(&Detection) -> f32| alike.iter().map(|found| found.score * value(found)).sum::<f32>() / total;
    Some(Detection {
        bounds: std::array::from_fn(|at| mean(&|found| found.bounds[at])),
        landmarks: std::array::from_fn(|point| std::array::from_fn(|axis| mean(&|found| found.landmarks[point][axis]))),
        ..best
    })
}

/// The root of the box's area.
fn side(found: &Detection) -> f32 {
    (found.bounds[2] * found.bounds[3]).max(0.0).sqrt()
}

fn face(found: &Detection) -> Face {
    let [x, y, w, h] = found.bounds;
    let frame = align::frame(&found.landmarks, side(found));
    Face { bounds: Bounds { x, y, w, h }, landmarks: found.landmarks, score: found.score, frame }
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

    #[test]
    fn a_turned_point_comes_back_to_where_it_was() {
        let mut picture = GrayImage::new(7, 4);
        picture.put_pixel(5, 1, image::Luma([255]));
        for turn in [Turn::Quarter, Turn::Half, Turn::ThreeQuarters] {
            let (turned, back) = turn.apply(&picture);
            let (x, y, _) = turned.enumerate_pixels().find(|(_, _, value)| value.0[0] == 255).unwrap();
            assert_eq!(back(x as f32 + 0.5, y as f32 + 0.5), [5.5, 1.5], "{turn:?}");
        }
    }

    #[test]
    fn odd_pictures_hold_no_face_and_do_no_harm() {
        let detector = Detector::from_safetensors(crate::model::detector::embedded()).unwrap();
        let scout = Scout::from_safetensors(crate::model::scout::embedded()).unwrap();
        let finder = FaceFinder::new(scout, detector, FinderOptions::default());
        let clock = WorkClock::start(std::time::Duration::from_secs(60));
        for (width, height) in [(0, 0), (1, 1), (1, 4000), (3000, 2), (333, 77)] {
            let flat = GrayImage::from_pixel(width, height, image::Luma([120]));
            assert_eq!(finder.find(&flat, &clock).unwrap(), Found::default(), "{width}×{height}");
        }
    }
}
