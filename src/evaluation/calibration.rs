//! Fits a [`Calibration`] on labelled faces.

use super::set_figures::SetMeasurement;
use super::sets::{AgeLabel, LabelledFace};
use super::{Label, Pair, Scores, mean, scores};
use crate::model::calibration::{Calibration, GENDER_AGES, INTERVAL_AGES, RawAnswer};
use crate::model::estimator::Estimate;

/// Target coverage of the interval on the faces it is fitted on, at every age; on other faces it is
/// 80 %. The difference, measured on the held-out half of the validation faces, is overfitting.
const TARGET_COVERAGE: f64 = 0.807;
/// Regularisation that draws each age's temperature towards the common one: the penalty, in nats of
/// log likelihood, of a temperature that differs from it by a factor of e.
const TEMPERATURE_PENALTY: f64 = 10.0;
/// Around an age, a set with this many faces has half the weight of a very large one; sets with many more have about
/// the same weight.
const FACES_TO_COUNT_FULLY: f64 = 10.0;

/// A raw answer with what is known about its face.
#[derive(Debug, Clone, Copy)]
struct Face<'a> {
    answer: &'a RawAnswer,
    /// The exact age in years.
    age: Option<f32>,
    female: Option<bool>,
    smile: Option<bool>,
    /// The index of its set.
    set: usize,
}

impl<'a> Face<'a> {
    fn new(answer: &'a RawAnswer, label: &Label) -> Self {
        Self { answer, age: Some(label.age), female: Some(label.female), smile: None, set: 0 }
    }

    fn of_set(set: usize, (face, answer): &'a (LabelledFace, RawAnswer)) -> Self {
        let age = face.age.and_then(AgeLabel::years);
        Self { answer, age, female: face.female, smile: face.smile, set }
    }
}

/// The calibration under which `answers` fit their `labels` best; both in the same order.
pub fn fit(answers: &[RawAnswer], labels: &[Label]) -> Calibration {
    fit_faces(&answers.iter().zip(labels).map(|(answer, label)| Face::new(answer, label)).collect::<Vec<_>>())
}

/// The calibration that fits several data sets best, each with the same weight: the age range is fitted on those with
/// exact ages, the gender on those with genders, the smile on those with smiles.
pub fn fit_sets(sets: &[SetMeasurement]) -> Calibration {
    fit_faces(&faces_of(sets))
}

/// The answers to each set, calibrated by two-fold cross-validation: those to every other face under the
/// calibration fitted on the rest of all sets, and vice versa.
pub fn held_out_sets(sets: &[SetMeasurement]) -> Vec<Vec<Estimate>> {
    let faces = faces_of(sets);
    // Within each set, so that both halves contain the same share of it.
    let parities: Vec<usize> = sets.iter().flat_map(|set| (0..set.faces.len()).map(|index| index % 2)).collect();
    let fitted = [0, 1].map(|parity| {
        let members = faces.iter().zip(&parities).filter(|(_, other)| **other != parity);
        fit_faces(&members.map(|(face, _)| *face).collect::<Vec<_>>())
    });
    let mut estimates = faces.iter().zip(&parities).map(|(face, parity)| fitted[*parity].apply(face.answer));
    sets.iter().map(|set| estimates.by_ref().take(set.faces.len()).collect()).collect()
}

fn faces_of(sets: &[SetMeasurement]) -> Vec<Face<'_>> {
    let sets = sets.iter().enumerate();
    sets.flat_map(|(index, set)| set.faces.iter().map(move |face| Face::of_set(index, face))).collect()
}

fn fit_faces(faces: &[Face<'_>]) -> Calibration {
    let mut calibration = Calibration::default();
    fit_gender(&mut calibration, faces);
    fit_smile(&mut calibration, faces);
    fit_interval(&mut calibration, faces);
    fit_usual_widths(&mut calibration, faces);
    calibration
}

fn fit_gender(calibration: &mut Calibration, faces: &[Face<'_>]) {
    let members: Vec<(&Face<'_>, bool)> = faces.iter().filter_map(|face| Some((face, face.female?))).collect();
    if members.is_empty() {
        return;
    }
    // Every set has the weight of the average one.
    let sizes = sizes(members.iter().map(|(face, _)| (face.set, 1.0)));
    let average = members.len() as f64 / sizes.iter().filter(|size| **size > 0.0).count() as f64;
    let faces: Vec<GenderFace> = members
        .iter()
        .map(|(face, female)| GenderFace {
            guess: Calibration::default().apply(face.answer).age(),
            logit: face.answer.gender_logit,
            is_female: *female,
            weight: average / sizes[face.set],
        })
        .collect();
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
}

fn fit_smile(calibration: &mut Calibration, faces: &[Face<'_>]) {
    let smiles: Vec<(f32, bool)> =
        faces.iter().filter_map(|face| Some((face.answer.smile_logit?, face.smile?))).collect();
    if smiles.is_empty() {
        return;
    }
    calibration.smile_temperature = minimise(|temperature| {
        // −ln of the labelled answer's probability.
        let loss = |(logit, smile): &(f32, bool)| {
            let towards = f64::from(if *smile { *logit } else { -*logit } / temperature);
            (-towards).exp().ln_1p()
        };
        smiles.iter().map(loss).sum()
    });
}

/// The sum of the weights of each set, by its index.
fn sizes(members: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
    let mut sizes = Vec::new();
    for (set, weight) in members {
        sizes.resize(sizes.len().max(set + 1), 0.0);
        sizes[set] += weight;
    }
    sizes
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

/// A face with a labelled gender.
struct GenderFace {
    /// The guessed age in years, which no calibration changes.
    guess: f32,
    logit: f32,
    is_female: bool,
    weight: f64,
}

/// Negative log likelihood of the labelled genders.
fn gender_loss(calibration: &Calibration, faces: &[GenderFace]) -> f64 {
    let loss = |face: &GenderFace| {
        let female = f64::from(calibration.female_probability(face.logit, face.guess));
        -face.weight * (if face.is_female { female } else { 1.0 - female }).max(1e-9).ln()
    };
    faces.iter().map(loss).sum()
}

/// Fits the interval's quantiles for each age on the faces of about that age, a fifth of which it excludes; every set
/// has the same weight. The split of the excluded faces between the lower and the upper end minimises the mean
/// interval width.
fn fit_interval(calibration: &mut Calibration, faces: &[Face<'_>]) {
    let faces: Vec<(&Face<'_>, f32)> = faces.iter().filter_map(|face| Some((face, face.age?))).collect();
    if faces.is_empty() {
        return;
    }
    let of_face = |(face, age): &(&Face<'_>, f32)| {
        let shares = shares_below(calibration, face.answer, *age).into_iter();
        shares.map(|share| Share { age: *age, set: face.set, below: share }).collect::<Vec<_>>()
    };
    let shares: Vec<Share> = faces.iter().flat_map(of_face).collect();
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
            mean(faces.iter().map(|(face, _)| {
                let (low, high) = candidate.apply(face.answer).age_interval;
                f64::from(high - low)
            }))
        };
        let shortest = candidates.iter().map(|shares| (width(shares), *shares)).min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, shares)) = shortest {
            calibration.interval_shares[index] = shares;
        }
    }
}

/// Share of the intervals that are at most as wide as usual.
const USUAL: f64 = 0.65;

/// Fits the width that two thirds of the intervals do not exceed at each guessed age; every set has the same weight.
/// At an age without faces it stays what it was.
fn fit_usual_widths(calibration: &mut Calibration, faces: &[Face<'_>]) {
    let width = |face: &Face<'_>| {
        let estimate = calibration.apply(face.answer);
        let (low, high) = estimate.age_interval;
        Share { age: estimate.age(), set: face.set, below: f64::from(high - low) }
    };
    let widths: Vec<Share> = faces.iter().map(width).collect();
    for (index, usual) in calibration.usual_widths.iter_mut().enumerate() {
        if let Some(width) = quantile_of(&weighted_shares(index, &widths), USUAL) {
            *usual = width.clamp(0.1, 100.0) as f32;
        }
    }
}

/// Subdivisions of a labelled year. An interval may cover a year partly ([`super::coverage`]), which
/// matters where it is only a few years wide.
const PARTS: u8 = 4;

/// A value of a face: the share of its age distribution below an age within its labelled year, or the width of
/// its interval.
struct Share {
    /// The age in years around which the value counts: labelled, or guessed.
    age: f32,
    set: usize,
    below: f64,
}

/// The cumulative age distribution of a face at the middle of each part of its labelled year.
fn shares_below(calibration: &Calibration, answer: &RawAnswer, age: f32) -> Vec<f64> {
    let probabilities = calibration.apply(answer).age_probabilities;
    let year = (age.max(0.0) as usize).min(probabilities.len() - 1);
    let before = f64::from(probabilities[..year].iter().sum::<f32>());
    let (first, last) = super::labelled_year(year as f32);
    let middles = (0..PARTS).map(|part| first + (last - first) * (f32::from(part) + 0.5) / f32::from(PARTS));
    middles.map(|age| before + f64::from(probabilities[year] * (age - (year as f32 - 0.5)))).collect()
}

/// Sorted shares of faces around the `index`-th age, each with a weight that falls linearly to zero at
/// the neighbouring ages; the weights of each set add up to about the same.
fn weighted_shares(index: usize, shares: &[Share]) -> Vec<(f64, f64)> {
    let age = INTERVAL_AGES[index];
    let before = index.checked_sub(1).map_or(age - 5.0, |before| INTERVAL_AGES[before]);
    let after = INTERVAL_AGES.get(index + 1).map_or(age + 20.0, |after| *after);
    let weight = |x: f32| if x <= age { (x - before) / (age - before) } else { (after - x) / (after - age) };
    let weight = |share: &Share| f64::from(weight(share.age).max(0.0));
    let sizes = sizes(shares.iter().map(|share| (share.set, weight(share) / f64::from(PARTS))));
    let weighted = shares.iter().map(|share| (share.below, weight(share) / (sizes[share.set] + FACES_TO_COUNT_FULLY)));
    let mut weighted: Vec<(f64, f64)> = weighted.filter(|(_, weight)| *weight > 0.0).collect();
    weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
    weighted
}

/// The weighted quantiles at `low` and `high` for [`Calibration::interval_shares`], clamped to either
/// side of the median.
fn interval_quantiles(weighted: &[(f64, f64)], low: f64, high: f64) -> (f32, f32) {
    // Without faces of this age the distribution is used uncalibrated.
    let quantile = |share: f64| quantile_of(weighted, share).unwrap_or(share);
    (quantile(low).clamp(0.001, 0.45) as f32, quantile(high).clamp(0.55, 0.999) as f32)
}

/// The weighted quantile of sorted pairs of value and weight; `None` without any.
fn quantile_of(weighted: &[(f64, f64)], share: f64) -> Option<f64> {
    let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut cumulative = 0.0;
    let quantile = weighted.iter().find(|(_, weight)| {
        cumulative += weight;
        cumulative >= share * total
    });
    quantile.map(|(value, _)| *value)
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
        RawAnswer {
            age_probabilities: weights.map(|weight| weight / sum),
            gender_logit,
            smile_logit: None,
            flaws: None,
        }
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
    fn of_several_sets_each_counts_alike_whatever_its_size() {
        // The same labels in both sets; in one, predictions are off by up to four years, in the other by ten.
        let set = |name: &str, count: u32, reach: f32| {
            let face = |i: u32| {
                let (age, off) = ((20 + i * 37 % 40) as f32, (i * 7919 % 101) as f32 / 50.0 - 1.0);
                let mut answer = gaussian(age + reach * off, 5.0, 1.0);
                answer.smile_logit = Some(if i.is_multiple_of(10) { -3.0 } else { 3.0 });
                let years = AgeLabel::Years(age);
                let face =
                    LabelledFace { path: "".into(), age: Some(years), female: None, race: None, smile: Some(true) };
                (face, answer)
            };
            SetMeasurement {
                name: name.into(),
                faces: (0..count).map(face).collect(),
                faceless: Vec::new(),
                unreadable: Vec::new(),
                other_entries: 0,
            }
        };
        let coverage = |sets: &[SetMeasurement]| -> Vec<f64> {
            let estimates = held_out_sets(sets);
            let figures =
                sets.iter().zip(&estimates).map(|(set, estimates)| set.figures(estimates, 0.5).groups[0].figures);
            figures.map(|figures| figures.interval_80_coverage.unwrap()).collect()
        };
        let alike = coverage(&[set("a", 1000, 4.0), set("b", 1000, 10.0)]);
        let uneven = coverage(&[set("a", 6000, 4.0), set("b", 1000, 10.0)]);
        for (alike, uneven) in alike.iter().zip(&uneven) {
            assert!((alike - uneven).abs() < 0.03, "{alike} became {uneven}");
        }
        assert!(((alike[0] + alike[1]) / 2.0 - 0.8).abs() < 0.03, "{alike:?}");
        let calibration = fit_sets(&[set("a", 1000, 4.0)]);
        let smile = calibration.apply(&set("a", 2, 4.0).faces[1].1).smile_probability.unwrap();
        assert!((smile - 0.9).abs() < 0.02, "{smile}");
        assert_eq!(calibration.gender_temperatures, Calibration::default().gender_temperatures);
    }

    #[test]
    fn fitting_without_faces_gives_the_default_calibration() {
        assert_eq!(fit(&[], &[]), Calibration::default());
    }
}
