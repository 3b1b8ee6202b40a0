//! Fits a [`Calibration`] on labelled faces.

use super::{Label, Pair, Scores, mean, scores};
use crate::model::calibration::{Calibration, GENDER_AGES, INTERVAL_AGES, RawAnswer};
use crate::model::estimator::Estimate;

/// Share of the fitted faces of every age whose interval holds their age: of others it is 80 %. What
/// the fit owes to chance was measured, on validation faces of the other half, as seven in a thousand.
const COVERED: f64 = 0.807;
/// How strongly temperatures of neighbouring ages are held together: as many faces' worth of
/// likelihood as a temperature costs that is off by a factor of e.
const STIFFNESS: f64 = 10.0;

/// The calibration under which `answers` fit their `labels` best; the two go in step.
pub fn fit(answers: &[RawAnswer], labels: &[Label]) -> Calibration {
    let faces: Vec<(&RawAnswer, &Label)> = answers.iter().zip(labels).collect();
    let mut calibration = Calibration::default();
    if faces.is_empty() {
        return calibration;
    }
    let common = lowest(|temperature| {
        gender_loss(
            &Calibration { gender_temperatures: [temperature; GENDER_AGES.len()], ..calibration.clone() },
            &faces,
        )
    });
    calibration.gender_temperatures = [common; GENDER_AGES.len()];
    // Neighbours share faces: two rounds settle them.
    for at in (0..GENDER_AGES.len()).cycle().take(2 * GENDER_AGES.len()) {
        calibration.gender_temperatures[at] = lowest(|temperature| {
            let mut tried = calibration.clone();
            tried.gender_temperatures[at] = temperature;
            let stiffness = STIFFNESS * f64::from((temperature / common).ln()).powi(2);
            gender_loss(&tried, &faces) + stiffness
        });
    }
    fit_interval(&mut calibration, &faces);
    calibration
}

/// How well fitting does on faces that were not fitted on: every other face is judged under the
/// calibration of the rest, and the other way round.
pub fn held_out(answers: &[RawAnswer], labels: &[Label]) -> Scores {
    let half = |rest: usize| -> (Vec<RawAnswer>, Vec<Label>) {
        let members = answers.iter().zip(labels).enumerate().filter(|(at, _)| at % 2 == rest);
        members.map(|(_, (answer, label))| (answer.clone(), *label)).unzip()
    };
    let halves = [half(0), half(1)];
    let judged = |(fitted, judged): (usize, usize)| -> Vec<(Estimate, Label)> {
        let calibration = fit(&halves[fitted].0, &halves[fitted].1);
        let (answers, labels) = &halves[judged];
        answers.iter().map(|answer| calibration.apply(answer)).zip(labels.iter().copied()).collect()
    };
    let judged: Vec<(Estimate, Label)> = [(0, 1), (1, 0)].into_iter().flat_map(judged).collect();
    scores(&judged.iter().map(|(estimate, label)| (estimate, label)).collect::<Vec<Pair<'_>>>())
}

/// Minus the log likelihood of the labelled genders.
fn gender_loss(calibration: &Calibration, faces: &[(&RawAnswer, &Label)]) -> f64 {
    let loss = |(answer, label): &(&RawAnswer, &Label)| {
        let female = f64::from(calibration.apply(answer).female_probability);
        -(if label.female { female } else { 1.0 - female }).max(1e-9).ln()
    };
    faces.iter().map(loss).sum()
}

/// Limits for each age from the faces of about that age, a fifth of which the interval leaves out:
/// how many of them at its lower and how many at its upper end is chosen so that all intervals
/// together are shortest.
fn fit_interval(calibration: &mut Calibration, faces: &[(&RawAnswer, &Label)]) {
    let of_face = |face: &(&RawAnswer, &Label)| {
        shares_below(calibration, face).into_iter().map(|share| (face.1.age, share)).collect::<Vec<_>>()
    };
    let shares: Vec<(f32, f64)> = faces.iter().flat_map(of_face).collect();
    let candidates: Vec<Vec<(f32, f32)>> = (0..INTERVAL_AGES.len())
        .map(|at| {
            let near = near(at, &shares);
            let left_out = 1.0 - COVERED;
            (1..=9)
                .map(|tenth| f64::from(tenth) * left_out / 10.0)
                .map(|low| limits(&near, low, low + COVERED))
                .collect()
        })
        .collect();
    for (shares, candidates) in calibration.interval_shares.iter_mut().zip(&candidates) {
        *shares = candidates[candidates.len() / 2];
    }
    for (at, candidates) in candidates.iter().enumerate() {
        let width = |shares: &(f32, f32)| {
            let mut tried = calibration.clone();
            tried.interval_shares[at] = *shares;
            mean(faces.iter().map(|(answer, _)| {
                let (low, high) = tried.apply(answer).age_interval;
                f64::from(high - low)
            }))
        };
        let shortest = candidates.iter().map(|shares| (width(shares), *shares)).min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((_, shares)) = shortest {
            calibration.interval_shares[at] = shares;
        }
    }
}

/// Parts of a labelled year. A year counts as inside the interval as far as it is inside
/// ([`super::covered`]), which matters where an interval is a few years wide.
const PARTS: u8 = 4;

/// The shares of a face's age distribution below the middles of the parts of its labelled year.
fn shares_below(calibration: &Calibration, (answer, label): &(&RawAnswer, &Label)) -> Vec<f64> {
    let probabilities = calibration.apply(answer).age_probabilities;
    let year = (label.age.max(0.0) as usize).min(probabilities.len() - 1);
    let before = f64::from(probabilities[..year].iter().sum::<f32>());
    let (first, last) = super::labelled_year(year as f32);
    let middles = (0..PARTS).map(|part| first + (last - first) * (f32::from(part) + 0.5) / f32::from(PARTS));
    middles.map(|age| before + f64::from(probabilities[year] * (age - (year as f32 - 0.5)))).collect()
}

/// The shares of faces around the `at`-th age, sorted, each with a weight that falls to nothing at
/// the neighbouring ages.
fn near(at: usize, shares: &[(f32, f64)]) -> Vec<(f64, f64)> {
    let age = INTERVAL_AGES[at];
    let before = at.checked_sub(1).map_or(age - 5.0, |before| INTERVAL_AGES[before]);
    let after = INTERVAL_AGES.get(at + 1).map_or(age + 20.0, |after| *after);
    let weight = |of: f32| if of <= age { (of - before) / (age - before) } else { (after - of) / (after - age) };
    let weighted = shares.iter().map(|(of, share)| (*share, f64::from(weight(*of))));
    let mut near: Vec<(f64, f64)> = weighted.filter(|(_, weight)| *weight > 0.0).collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near
}

/// The weighted quantiles at `low` and `high`, as [`Calibration::interval_shares`] takes them: on
/// both sides of the guess.
fn limits(near: &[(f64, f64)], low: f64, high: f64) -> (f32, f32) {
    let total: f64 = near.iter().map(|(_, weight)| weight).sum();
    let quantile = |share: f64| {
        let mut below = 0.0;
        let reached = near.iter().find(|(_, weight)| {
            below += weight;
            below >= share * total
        });
        // Without faces of this age the distribution is taken at its word.
        reached.map_or(share, |(value, _)| *value)
    };
    (quantile(low).clamp(0.001, 0.45) as f32, quantile(high).clamp(0.55, 0.999) as f32)
}

/// Where `cost` is lowest between a third and three: a geometric grid, then a finer one.
fn lowest(cost: impl Fn(f32) -> f64) -> f32 {
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

    fn bell(age: f32, deviation: f32, gender_logit: f32) -> RawAnswer {
        let weights: [f32; AGES] = std::array::from_fn(|year| (-0.5 * ((year as f32 - age) / deviation).powi(2)).exp());
        let sum: f32 = weights.iter().sum();
        RawAnswer { age_probabilities: weights.map(|weight| weight / sum), gender_logit }
    }

    #[test]
    fn overconfident_genders_are_cooled_to_their_hit_rate() {
        // Nine of ten right at a claimed 99 %: the fitted temperature brings the claim to 90 %.
        let claimed = bell(30.0, 3.0, 4.6);
        let labels: Vec<Label> = (0..1000).map(|i| Label { age: 30.0, female: i % 10 != 0 }).collect();
        let cooled = fit(&vec![claimed.clone(); 1000], &labels).apply(&claimed).female_probability;
        assert!((cooled - 0.9).abs() < 0.01, "{cooled}");
    }

    /// The share of the labelled ages inside their intervals.
    fn held<'a>(calibration: &Calibration, faces: impl Iterator<Item = (&'a RawAnswer, &'a Label)>) -> f64 {
        let inside: Vec<f64> = faces
            .map(|(answer, label)| {
                let (low, high) = calibration.apply(answer).age_interval;
                super::super::covered(low, high, label.age)
            })
            .collect();
        mean(inside.iter().copied())
    }

    #[test]
    fn intervals_of_a_few_years_hold_as_many_ages_as_wide_ones() {
        // Ages are labelled in whole years, and the guesses are off by up to one.
        let face = |i: u32| {
            let (age, off) = ((i * 37 % 10) as f32, (i * 7919 % 101) as f32 / 50.0 - 1.0);
            (bell(age + off, 0.7, 1.0), Label { age, female: true })
        };
        let (answers, labels): (Vec<_>, Vec<_>) = (0..4000).map(face).unzip();
        let share = held(&fit(&answers, &labels), answers.iter().zip(&labels));
        assert!((0.78..=0.84).contains(&share), "{share}");
    }

    #[test]
    fn intervals_hold_at_every_age_also_where_guesses_are_drawn_to_the_middle() {
        // Grown-ups are guessed ten years too young above fifty, and all with the same spread.
        let face = |i: u32| {
            let age = (i * 37 % 70) as f32;
            let off = (i * 7919 % 101) as f32 / 10.0 - 5.0;
            let guess = (age + off - if age > 50.0 { 10.0 } else { 0.0 }).clamp(0.0, 90.0);
            (bell(guess, 5.0, 1.0), Label { age, female: true })
        };
        let (answers, labels): (Vec<_>, Vec<_>) = (0..4000).map(face).unzip();
        let calibration = fit(&answers, &labels);
        for decade in 0..7 {
            let members = answers.iter().zip(&labels).filter(|(_, label)| label.age as usize / 10 == decade);
            let share = held(&calibration, members);
            // At the lower end of all ages the interval holds more: no guess lies below it.
            let most = if decade == 0 { 0.9 } else { 0.87 };
            assert!((0.75..=most).contains(&share), "{share} of decade {decade}");
        }
    }

    #[test]
    fn a_calibration_of_nothing_changes_nothing() {
        assert_eq!(fit(&[], &[]), Calibration::default());
    }
}
