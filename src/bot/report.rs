//! A reply as JSON, one object per photo; scripts rely on its format.

use std::time::Duration;

use serde::Serialize;

use super::problems::Problem;
use super::wording::ReplyStyle;
use crate::{Analysis, FaceAnalysis, Gender};

/// One photo's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhotoReport {
    /// The photo's path or name.
    pub photo: String,
    /// Pixels of the upright photo; absent when it could not be read.
    pub width: Option<u32>,
    /// As `width`.
    pub height: Option<u32>,
    /// Whether the file was cut short, so that only part of the photo was analysed.
    pub cut_short: bool,
    /// The faces, from left to right, or from top to bottom if they are in a column.
    pub faces: Vec<FaceReport>,
    /// The problem, as one message. A photo without a face is not one.
    pub error: Option<String>,
    /// Milliseconds from the photo's bytes to the answer.
    pub elapsed_ms: f64,
}

/// One face's guess.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaceReport {
    /// x, y, width and height in pixels of the upright photo.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// Guessed age in years.
    pub age: f32,
    /// The interval that holds the true age of 80 % of the faces of every age, in years.
    pub age_low: f32,
    /// The upper end of that interval, in years.
    pub age_high: f32,
    /// Whether the text states `age`: not where the interval is so wide that it alone says something.
    pub age_told: bool,
    /// The likelier gender.
    pub gender: Gender,
    /// Probability of `gender`, 0.5 to 1.
    pub gender_probability: f32,
    /// Whether the text states that gender: not for small children, nor where it is uncertain or unwanted.
    pub gender_told: bool,
    /// Probability that the person smiles, 0 to 1; absent if the configured weights do not judge it.
    pub smile: Option<f32>,
    /// Whether the text mentions the smile: not where it is uncertain or unwanted.
    pub smile_told: bool,
    /// Whether the guess is sure: the age, and the gender unless the text leaves it open.
    pub confident: bool,
    /// Whether the age is sure: the range is no wider than is usual at that age, and the photo has no flaw.
    pub age_confident: bool,
    /// Whether the gender is stated and sure.
    pub gender_confident: bool,
    /// How to take a better photo, one sentence for each of its flaws; empty for a sure guess and for a
    /// photo without a flaw.
    pub tips: Vec<String>,
}

impl PhotoReport {
    /// The report of an outcome; `style` has the threshold of the confidence score and the language.
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
    /// The report of one face.
    pub fn new(face: &FaceAnalysis, style: &ReplyStyle) -> Self {
        let (age_low, age_high) = face.age_range();
        let tenths = |value: f32| (value * 10.0).round() / 10.0;
        let thousandths = |probability: f32| (probability * 1000.0).round() / 1000.0;
        let bounds = face.bounds;
        Self {
            bounds: [bounds.x, bounds.y, bounds.w, bounds.h].map(tenths),
            age: truncate_to_tenths(face.age()),
            age_low: truncate_to_tenths(age_low),
            age_high: truncate_to_tenths(age_high),
            age_told: !face.estimate.is_age_unknown(),
            gender: face.gender(),
            gender_probability: thousandths(face.gender_probability()),
            gender_told: style.reports_gender(face),
            smile: face.smile_probability().map(thousandths),
            smile_told: style.reports_smile(face),
            confident: style.is_sure(face),
            age_confident: style.is_age_sure(face),
            gender_confident: style.is_gender_sure(face),
            tips: style.tips(face),
        }
    }
}

/// Years with one decimal, truncated and not rounded, so that rounding them to whole years gives the
/// years of the text.
fn truncate_to_tenths(years: f32) -> f32 {
    (years * 10.0).floor() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_with_one_decimal_round_to_the_years_of_the_text() {
        assert_eq!(truncate_to_tenths(18.46).round(), 18.0, "18.5 would round to 19");
        for years in (0..=10_000).map(|hundredths| hundredths as f32 / 100.0) {
            let truncated = truncate_to_tenths(years);
            assert_eq!(truncated.round(), years.round(), "{years} years");
            assert!((0.0..0.101).contains(&(years - truncated)), "{years} years");
        }
    }
}
