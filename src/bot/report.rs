//! A reply as JSON, one object a photo: the form that scripts rely on.

use std::time::Duration;

use serde::Serialize;

use super::problems::Problem;
use super::words::ReplyStyle;
use crate::inference::{Analysis, FaceAnalysis, Gender};

/// One photo's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhotoReport {
    /// The photo's path or name.
    pub photo: String,
    /// Pixels of the upright photo; absent when it could not be read.
    pub width: Option<u32>,
    /// As `width`.
    pub height: Option<u32>,
    /// Whether the file was cut short, and this is what the rest of it shows.
    pub cut_short: bool,
    /// The faces, from left to right.
    pub faces: Vec<FaceReport>,
    /// One sentence, when there is no answer. A photo without a face is answered.
    pub error: Option<String>,
    /// From the bytes to the answer.
    pub elapsed_ms: f64,
}

/// One face's guess.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaceReport {
    /// x, y, width and height in pixels of the upright photo.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// Expected age in years.
    pub age: f32,
    /// The interval that holds the true age of 80 % of the faces of every age, in years.
    pub age_low: f32,
    pub age_high: f32,
    /// The likelier of the two.
    pub gender: Gender,
    /// Probability of `gender`, 0.5 to 1.
    pub gender_probability: f32,
    /// Whether the words say that gender: not of small children, nor where it is too close or not wanted.
    pub gender_told: bool,
    /// The confidence score reaches the configured threshold.
    pub confident: bool,
    /// How to take or crop the photo better; empty when there is nothing to mend.
    pub tips: Vec<String>,
}

impl PhotoReport {
    /// Sums up an outcome; `style` have the threshold of the confidence score and the language.
    pub fn new(photo: &str, outcome: &Result<Analysis, Problem>, style: &ReplyStyle, elapsed: Duration) -> Self {
        let analysis = outcome.as_ref().ok();
        Self {
            photo: photo.to_owned(),
            width: analysis.map(|analysis| analysis.width),
            height: analysis.map(|analysis| analysis.height),
            cut_short: analysis.is_some_and(|analysis| analysis.cut_short),
            faces: analysis
                .map(|analysis| analysis.faces.iter().map(|face| FaceReport::new(face, style)).collect())
                .unwrap_or_default(),
            error: outcome.as_ref().err().map(|problem| problem.message(style.language)),
            elapsed_ms: (elapsed.as_secs_f64() * 1e5).round() / 100.0,
        }
    }
}

impl FaceReport {
    /// One face in numbers.
    pub fn new(face: &FaceAnalysis, style: &ReplyStyle) -> Self {
        let (age_low, age_high) = face.age_range();
        let tenths = |value: f32| (value * 10.0).round() / 10.0;
        let bounds = face.bounds;
        Self {
            bounds: [bounds.x, bounds.y, bounds.w, bounds.h].map(tenths),
            age: cut_to_tenths(face.age()),
            age_low: cut_to_tenths(age_low),
            age_high: cut_to_tenths(age_high),
            gender: face.gender(),
            gender_probability: (face.gender_probability() * 1000.0).round() / 1000.0,
            gender_told: style.tells_gender(face),
            confident: style.is_sure(face),
            tips: style.tips(face),
        }
    }
}

/// Years with one decimal, cut and not rounded: whoever rounds them to whole years gets those of the words.
fn cut_to_tenths(years: f32) -> f32 {
    (years * 10.0).floor() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_with_one_decimal_round_to_the_years_of_the_words() {
        assert_eq!(cut_to_tenths(18.46).round(), 18.0, "18.5 would be told as 19");
        for years in (0..=10_000).map(|hundredths| hundredths as f32 / 100.0) {
            let cut = cut_to_tenths(years);
            assert_eq!(cut.round(), years.round(), "{years} years");
            assert!((0.0..0.101).contains(&(years - cut)), "{years} years");
        }
    }
}
