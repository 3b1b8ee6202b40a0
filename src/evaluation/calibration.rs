//! Fits a [`Calibration`] on labelled faces.

use super::{Label, Pair, Scores, mean, scores};
use crate::model::calibration::{Calibration, GENDER_AGES, INTERVAL_AGES, RawAnswer};
use crate::model::estimator::Estimate;

/// Target coverage of the interval on the faces it is fitted on, at every age; on other faces it is
/// 80 %. The difference, measured on the held-out half of the validation faces, is overfitting.
const TARGET_COVERAGE: f64 = 0.807;
/// Regularisation that draws each age's temperature towards the common one: the penalty, in nats of
/// log likelihood, of a temperature that differs from it by a factor of e.
const TEMPERATURE_PENALTY: f64 = 10.0;

/// The calibration under which `answers` fit their `labels` best; both in the same order.
pub fn fit(answers: &[RawAnswer], labels: &[Label]) -> Calibration {
    let faces: Vec<(&RawAnswer, &Label)> = answers.iter().zip(labels).collect();
    let mut calibration = Calibration::default();
    if faces.is_empty() {
        return calibration;
    }
    let common = minimise(|temperature| {
        gender_loss(
            &Calibration { gender_temperatures: [temperature; GENDER_AGES.len()], ..calibration.clone() },
            &faces,
        )
    });
    calibration.gender_temperatures = [common; GENDER_AGES.len()];
    // Coordinate descent: neighbouring ages share faces, and two rounds converge.
    for index in (0..GENDER_AGES.len()).cycle().take(2 * GENDER_AGES.len()) {
        calibration.gender_temperatures[index] = minimise(|temperature| {
            let mut candidate = calibration.clone();
            candidate.gender_temperatures[index] = temperature;
            let penalty = TEMPERATURE_PENALTY * f64::from((temperature / common).ln()).powi(2);
            gender_loss(&candidate, &faces) + penalty
        });
    }
    fit_interval(&mut calibration, &faces);
    calibration
}

/// Metrics of two-fold cross-validation: every other face is scored under the calibration fitted on
/// the rest, and vice versa.
pub fn held_out(answers: &[RawAnswer], labels: &[Label]) -> Scores {
    let half = |parity: usize| -> (Vec<RawAnswer>, Vec<Label>) {
        let members = answers.iter().zip(labels).enumerate().filter(|(index, _)| index % 2 == parity);
        members.map(|(_, (answer, label))| (answer.clone(), *label)).unzip()
    };
    let halves = [half(0), half(1)];
    let predict = |(fitted, scored): (usize, usize)| -> Vec<(Estimate, Label)> {
        let calibration = fit(&halves[fitted].0, &halves[fitted].1);
        let (answers, labels) = &halves[scored];
        answers.iter().map(|answer| calibration.apply(answer)).zip(labels.iter().copied()).collect()
    };
    let held_out: Vec<(Estimate, Label)> = [(0, 1), (1, 0)].into_iter().flat_map(predict).collect();
    scores(&held_out.iter().map(|(estimate, label)| (estimate, label)).collect::<Vec<Pair<'_>>>())
}

/// Negative log likelihood of the labelled genders.
fn gender_loss(calibration: &Calibration, faces: &[(&RawAnswer, &Label)]) -> f64 {
    let loss = |(answer, label): &(&RawAnswer, &Label)| {
        let female = f64::from(calibration.apply(answer).female_probability);
        -(if label.female { female } else { 1.0 - female }).max(1e-9).ln()
    };
    faces.iter().map(loss).sum()
}

/// Fits the interval's quantiles for each age on the faces of about that age, a fifth of which it
/// excludes. The split of the excluded faces between the lower and the upper end minimises the mean
/// interval width.
fn fit_interval(calibration: &mut Calibration, faces: &[(&RawAnswer, &Label)]) {
    let of_face = |face: &(&RawAnswer, &Label)| {
        shares_below(calibration, face).into_iter().map(|share| (face.1.age, share)).collect::<Vec<_>>()
    };
    let shares: Vec<(f32, f64)> = faces.iter().flat_map(of_face).collect();
    let candidates: Vec<Vec<(f32, f32)>> = (0..INTERVAL_AGES.len())
        .map(|index| {
            let weighted = weighted_shares(index, &shares);
            let excluded = 1.0 - TARGET_COVERAGE;
            (1..=9)
                .map(|tenth| f64::from(tenth) * excluded / 10.0)
                .map(|low| interval_quantiles(&weighted, low, low + TARGET_COVERAGE))
                .collect()
        })
        .collect();
    for (shares, candidates) in calibration.interval_shares.iter_mut().zip(&candidates) {
        *shares = candidates[candidates.len() / 2];
    }
    for (index, candidates) in candidates.iter().enumerate() {
        let width = |shares: &(f32, f32)| {
            let mut candidate = calibration.clone();
            candidate.interval_shares[index] = *shares;
            mean(faces.iter().map(|(answer, _)| {
                let (low, high) = candidate.apply(answer).age_interval;
                f64::from(high - low)
            }))
        };
        let shortest = candidates.iter().map(|shares| (width(shares), *shares)).min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, shares)) = shortest {
            calibration.interval_shares[index] = shares;
        }
    }
}

/// Subdivisions of a labelled year. An interval may cover a year partly ([`super::coverage`]), which
/// matters where it is only a few years wide.
const PARTS: u8 = 4;

/// The cumulative age distribution of a face at the middle of each part of its labelled year.
fn shares_below(calibration: &Calibration, (answer, label): &(&RawAnswer, &Label)) -> Vec<f64> {
    let probabilities = calibration.apply(answer).age_probabilities;
    let year = (label.age.max(0.0) as usize).min(probabilities.len() - 1);
    let before = f64::from(probabilities[..year].iter().sum::<f32>());
    let (first, last) = super::labelled_year(year as f32);
    let middles = (0..PARTS).map(|part| first + (last - first) * (f32::from(part) + 0.5) / f32::from(PARTS));
    middles.map(|age| before + f64::from(probabilities[year] * (age - (year as f32 - 0.5)))).collect()
}

/// Sorted shares of faces around the `index`-th age, each with a weight that falls linearly to zero at
/// the neighbouring ages.
fn weighted_shares(index: usize, shares: &[(f32, f64)]) -> Vec<(f64, f64)> {
    let age = INTERVAL_AGES[index];
    let before = index.checked_sub(1).map_or(age - 5.0, |before| INTERVAL_AGES[before]);
    let after = INTERVAL_AGES.get(index + 1).map_or(age + 20.0, |after| *after);
    let weight = |x: f32| if x <= age { (x - before) / (age - before) } else { (after - x) / (after - age) };
    let weighted = shares.iter().map(|(age, share)| (*share, f64::from(weight(*age))));
    let mut weighted: Vec<(f64, f64)> = weighted.filter(|(_, weight)| *weight > 0.0).collect();
    weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
    weighted
}

/// The weighted quantiles at `low` and `high` for [`Calibration::interval_shares`], clamped to either
/// side of the median.
fn interval_quantiles(weighted: &[(f64, f64)], low: f64, high: f64) -> (f32, f32) {
    let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let quantile = |share: f64| {
        let mut cumulative = 0.0;
        let quantile = weighted.iter().find(|(_, weight)| {
            cumulative += weight;
            cumulative >= share * total
        });
        // Without faces of this age the distribution is used uncalibrated.
        quantile.map_or(share, |(value, _)| *value)
    };
    (quantile(low).clamp(0.001, 0.45) as f32, quantile(high).clamp(0.55, 0.999) as f32)
}

/// Minimises `cost` between 1/3 and 3 on a geometric grid, then on a finer one.
fn minimise(cost: impl Fn(f32) -> f64) -> f32 {
    let around = |centre: f32, ratio: f32| {
        let grid = (-20..=20).map(|step| centre * ratio.powi(step));
        grid.map(|t| (t, cost(t))).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(centre, |best| best.0)
    };
    around(around(1.0, 1.056), 1.004)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::network::AGES;

    /// A Gaussian age distribution.
    fn gaussian(age: f32, sigma: f32, gender_logit: f32) -> RawAnswer {
        let weights: [f32; AGES] = std::array::from_fn(|year| (-0.5 * ((year as f32 - age) / sigma).powi(2)).exp());
        let sum: f32 = weights.iter().sum();
        RawAnswer { age_probabilities: weights.map(|weight| weight / sum), gender_logit, smile_logit: None }
    }

    #[test]
    fn overconfident_gender_probabilities_are_scaled_to_their_accuracy() {
        // 90 % accuracy at a probability of 99 %: the fitted temperature lowers the probability to 90 %.
        let overconfident = gaussian(30.0, 3.0, 4.6);
        let labels: Vec<Label> = (0..1000).map(|i| Label { age: 30.0, female: i % 10 != 0 }).collect();
        let calibrated = fit(&vec![overconfident.clone(); 1000], &labels).apply(&overconfident).female_probability;
        assert!((calibrated - 0.9).abs() < 0.01, "{calibrated}");
    }

    /// The mean coverage of the labelled ages by their intervals.
    fn mean_coverage<'a>(calibration: &Calibration, faces: impl Iterator<Item = (&'a RawAnswer, &'a Label)>) -> f64 {
        let inside: Vec<f64> = faces
            .map(|(answer, label)| {
                let (low, high) = calibration.apply(answer).age_interval;
                super::super::coverage(low, high, label.age)
            })
            .collect();
        mean(inside.iter().copied())
    }

    #[test]
    fn intervals_a_few_years_wide_have_the_same_coverage_as_wide_ones() {
        // Ages are labelled in whole years, and the predictions are off by up to one.
        let face = |i: u32| {
            let (age, off) = ((i * 37 % 10) as f32, (i * 7919 % 101) as f32 / 50.0 - 1.0);
            (gaussian(age + off, 0.7, 1.0), Label { age, female: true })
        };
        let (answers, labels): (Vec<_>, Vec<_>) = (0..4000).map(face).unzip();
        let share = mean_coverage(&fit(&answers, &labels), answers.iter().zip(&labels));
        assert!((0.78..=0.84).contains(&share), "{share}");
    }

    #[test]
    fn coverage_is_right_at_every_age_even_where_predictions_are_biased() {
        // Predictions are ten years too young above fifty, and all have the same deviation.
        let face = |i: u32| {
            let age = (i * 37 % 70) as f32;
            let off = (i * 7919 % 101) as f32 / 10.0 - 5.0;
            let predicted = (age + off - if age > 50.0 { 10.0 } else { 0.0 }).clamp(0.0, 90.0);
            (gaussian(predicted, 5.0, 1.0), Label { age, female: true })
        };
        let (answers, labels): (Vec<_>, Vec<_>) = (0..4000).map(face).unzip();
        let calibration = fit(&answers, &labels);
        for decade in 0..7 {
            let members = answers.iter().zip(&labels).filter(|(_, label)| label.age as usize / 10 == decade);
            let share = mean_coverage(&calibration, members);
            // Coverage is higher at the youngest ages: no prediction is below zero.
            let most = if decade == 0 { 0.9 } else { 0.87 };
            assert!((0.75..=most).contains(&share), "{share} of decade {decade}");
        }
    }

    #[test]
    fn fitting_without_faces_gives_the_default_calibration() {
        assert_eq!(fit(&[], &[]), Calibration::default());
    }
}
