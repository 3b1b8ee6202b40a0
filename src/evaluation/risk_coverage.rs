//! Risk–coverage curves by decade (El-Yaniv & Wiener 2010): how much smaller the age error is among those guesses
//! that are the most confident.

use super::mean;
use super::set_figures::SetMeasurement;
use super::sets::AgeLabel;
use crate::model::estimator::Estimate;

/// Shares of the most confident guesses at which curves are computed, in twentieths.
pub(super) const TWENTIETHS: std::ops::RangeInclusive<usize> = 2..=20;
/// A decade with fewer faces than this has no curve.
const FEWEST: usize = 40;

/// The curve of the faces whose true age is in one decade.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskCurve {
    /// The first year of the decade.
    pub decade: usize,
    /// The share of the most confident guesses in percent, and their age error (MAE) over that of all of the decade.
    pub points: Vec<(f64, f64)>,
}

/// The curves of all decades, over the exact ages of all sets together.
pub fn risk_by_decade(sets: &[SetMeasurement], estimates: &[Vec<Estimate>]) -> Vec<RiskCurve> {
    let exact = |(set, estimates): (&SetMeasurement, &Vec<Estimate>)| -> Vec<(f32, f32, f64)> {
        let faces = set.faces.iter().zip(estimates);
        faces
            .filter_map(|((face, _), estimate)| {
                let age = face.age.and_then(AgeLabel::years)?;
                Some((age, estimate.confidence(), (estimate.age() - age).abs().into()))
            })
            .collect()
    };
    let faces: Vec<(f32, f32, f64)> = sets.iter().zip(estimates).flat_map(exact).collect();
    let curve = |decade: usize| {
        let first = decade as f32;
        let mut members: Vec<_> = faces.iter().filter(|(age, ..)| (first..first + 10.0).contains(age)).collect();
        members.sort_by(|one, other| other.1.total_cmp(&one.1));
        let error = |count: usize| mean(members.iter().take(count).map(|(.., error)| *error));
        let share = |twentieth: usize| {
            let count = (members.len() * twentieth / 20).max(1);
            (5.0 * twentieth as f64, error(count) / error(members.len()))
        };
        (members.len() >= FEWEST).then(|| RiskCurve { decade, points: TWENTIETHS.map(share).collect() })
    };
    (0..110).step_by(10).filter_map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::sets::LabelledFace;
    use crate::model::calibration::RawAnswer;

    #[test]
    fn a_decades_curve_is_the_error_of_the_most_confident_over_that_of_all() {
        let face = |index: usize| {
            let labels = LabelledFace {
                path: std::path::PathBuf::new(),
                age: Some(AgeLabel::Years(25.0)),
                female: None,
                race: None,
                smile: None,
            };
            let mut age_probabilities = [0.0; 101];
            // Half of them are a year off and sure, the others three years and less sure.
            let (age, half) = if index.is_multiple_of(2) { (26, 2.0) } else { (28, 5.0) };
            age_probabilities[age] = 1.0;
            let answer = RawAnswer { age_probabilities, gender_logit: 0.0, smile_logit: None, flaws: None };
            let estimate = Estimate {
                age_probabilities,
                female_probability: 0.5,
                smile_probability: None,
                age_interval: (age as f32 - half, age as f32 + half),
                usual_width: 6.0,
            };
            ((labels, answer), estimate)
        };
        let (faces, estimates) = (0..FEWEST).map(face).unzip();
        let (name, faceless, unreadable) = (String::new(), Vec::new(), Vec::new());
        let set = SetMeasurement { name, faces, faceless, unreadable, other_entries: 0 };
        let curves = risk_by_decade(&[set], &[estimates]);
        assert_eq!((curves.len(), curves[0].decade), (1, 20));
        let points = &curves[0].points;
        assert_eq!((points[8], points[points.len() - 1]), ((50.0, 0.5), (100.0, 1.0)));
    }
}
