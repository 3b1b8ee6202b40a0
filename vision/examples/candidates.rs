//! Prints the places in pictures that may be faces, for `models/train_face_head.py` and `models/train_flaw_head.py`.
//!
//!     cargo run --release -p faceguesser-vision --example candidates [WEIGHTS] < LIST > TSV
//!
//! WEIGHTS are the estimator's; without them, the compiled-in ones.
//! The list has a picture's path per line. A line `P` has its path, width and height; lines `F` after it, the best
//! first, have a place's box (x, y, width, height), its side in the first stage, both scores, its frame (centre, side,
//! roll), and the estimator's features of its crop.

use std::io::{BufWriter, Write};
use std::time::Duration;

use faceguesser_vision::SEARCH_SIDE;
use faceguesser_vision::face::{Bounds, Candidate, CropFrame, Face, FaceCrop, FaceFinder, FinderOptions};
use faceguesser_vision::model::{detector, estimator};
use faceguesser_vision::photo::{CpuLimit, DecodeLimits, decode_reduced};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let finder = FaceFinder::new(
        detector::Detector::from_safetensors(detector::embedded())?,
        FinderOptions { max_faces: 200, ..FinderOptions::default() },
    );
    let weights = std::env::args().nth(1).map_or(Ok(estimator::embedded().to_vec()), std::fs::read)?;
    let estimator = estimator::Estimator::from_safetensors(&weights)?;
    let mut out = BufWriter::new(std::io::stdout());
    for path in std::io::stdin().lines() {
        let path = path?;
        let photo = match decode_reduced(&std::fs::read(&path)?, &DecodeLimits::default(), SEARCH_SIDE) {
            Ok(photo) => photo,
            Err(error) => {
                eprintln!("{path}: {error}");
                continue;
            }
        };
        let (width, height) = photo.size;
        writeln!(out, "P\t{path}\t{width}\t{height}")?;
        for Candidate { face, evidence } in finder.candidates(&photo.luma, &CpuLimit::start(Duration::MAX))? {
            let crop = FaceCrop::cut(&photo.luma, &face.frame).standardise();
            let Face { bounds: Bounds { x, y, w, h }, frame, .. } = face.scaled(photo.reduction as f32);
            let CropFrame { center_x, center_y, side, roll } = frame;
            let [first, second] = evidence.scores;
            write!(out, "F\t{x}\t{y}\t{w}\t{h}\t{}\t{first}\t{second}", evidence.side)?;
            write!(out, "\t{center_x}\t{center_y}\t{side}\t{roll}")?;
            for feature in estimator.pooled_features(&crop)? {
                write!(out, "\t{feature}")?;
            }
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}
