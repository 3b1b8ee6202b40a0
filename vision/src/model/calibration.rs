//! Calibration of the network's raw output.
//!
//! Three corrections, fitted by `evaluation::calibration` on faces that the network was not
//! trained on: a gender temperature by guessed age (Guo et al. 2017), one temperature of the
//! smile, and the ends of the age interval by true age, so that its coverage holds at every age and not only on average
//! (label-conditional conformal prediction, Vovk 2012).
//!
//! The usual widths of the intervals by guessed age, fitted with them, are the reference for the confidence: a guess
//! is sure if its interval is no wider than is usual at its age. So a guess that is called sure never has an unusually
//! wide range, whatever the age.

use serde::{Deserialize, Serialize};

use super::estimate::{Estimate, quantile};
use super::flaw_head::FlawLogits;
use super::network::AGES;

/// Guessed ages, years, that have a gender temperature each.
pub const GENDER_AGES: [f32; 5] = [0.0, 5.0, 12.0, 20.0, 60.0];
/// True ages, years, that have a pair of interval limits each.
pub const INTERVAL_AGES: [f32; 12] = [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0];

/// The uncalibrated output for one crop, averaged over the crop and its mirror image.
#[derive(Debug, Clone, PartialEq)]
pub struct RawAnswer {
    /// Softmax of the age logits.
    pub age_probabilities: [f32; AGES],
    /// Positive for female.
    pub gender_logit: f32,
    /// Positive for smiling; absent if the weights have no smile head.
    pub smile_logit: Option<f32>,
    /// What is wrong with the photo; absent if the weights have no flaw head.
    pub flaws: Option<FlawLogits>,
}

/// The corrections applied to raw answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Divisors of the gender logit, one for each of [`GENDER_AGES`], linearly interpolated.
    pub gender_temperatures: [f32; GENDER_AGES.len()],
    /// Divisor of the smile logit; 1 in files without one.
    #[serde(default = "uncorrected")]
    pub smile_temperature: f32,
    /// The interval contains the ages below which at least the first and at most the second share of
    /// the age distribution lies; one pair for each of [`INTERVAL_AGES`], linearly interpolated.
    pub interval_shares: [(f32, f32); INTERVAL_AGES.len()],
    /// Years that two intervals out of three do not exceed, one for each of
    /// [`INTERVAL_AGES`] as the guessed age, linearly interpolated.
    #[serde(default = "usual_widths")]
    pub usual_widths: [f32; INTERVAL_AGES.len()],
}

/// For weights that do not say what is usual: the widths of the shipped weights.
fn usual_widths() -> [f32; INTERVAL_AGES.len()] {
    [2.3, 5.4, 10.3, 12.3, 13.2, 13.4, 17.5, 22.3, 23.8, 24.5, 28.3, 26.9]
}

/// The temperature that corrects nothing.
fn uncorrected() -> f32 {
    1.0
}

/// No correction: the central 80 % of the distribution.
impl Default for Calibration {
    fn default() -> Self {
        Self {
            gender_temperatures: [uncorrected(); GENDER_AGES.len()],
            smile_temperature: uncorrected(),
            interval_shares: [(0.1, 0.9); INTERVAL_AGES.len()],
            usual_widths: usual_widths(),
        }
    }
}

impl Calibration {
    /// Whether all values are in the range that gives valid answers.
    pub fn is_sound(&self) -> bool {
        let temperature = |value: &f32| (0.05..=20.0).contains(value);
        let shares = |(low, high): &(f32, f32)| *low > 0.0 && *low < 0.5 && *high > 0.5 && *high < 1.0;
        let width = |value: &f32| (0.1..=100.0).contains(value);
        let mut temperatures = self.gender_temperatures.iter().chain([&self.smile_temperature]);
        temperatures.all(temperature) && self.interval_shares.iter().all(shares) && self.usual_widths.iter().all(width)
    }

    /// The width in years that the interval usually does not exceed if this age is guessed.
    pub fn usual_width(&self, age: f32) -> f32 {
        interpolate(&INTERVAL_AGES, &self.usual_widths, age)
    }

    /// The calibrated answer.
    pub fn apply(&self, raw: &RawAnswer) -> Estimate {
        let age_probabilities = raw.age_probabilities;
        let guess = quantile(&age_probabilities, 0.5);
        let age_interval = self.interval(&age_probabilities, guess);
        let usual_width = self.usual_width(guess);
        let female_probability = self.female_probability(raw.gender_logit, guess);
        let smile_probability = raw.smile_logit.map(|logit| sigmoid(logit / self.smile_temperature));
        Estimate { age_probabilities, female_probability, smile_probability, age_interval, usual_width }
    }

    /// The calibrated probability of female at a guessed age.
    pub fn female_probability(&self, gender_logit: f32, guess: f32) -> f32 {
        sigmoid(gender_logit / interpolate(&GENDER_AGES, &self.gender_temperatures, guess))
    }

    /// Extends from the guess in both directions until an age falls outside its limits.
    fn interval(&self, probabilities: &[f32; AGES], guess: f32) -> (f32, f32) {
        let lows = self.interval_shares.map(|shares| shares.0);
        let highs = self.interval_shares.map(|shares| shares.1);
        // The end of each year, and by how much the share below it is inside the lower and the upper limit.
        let mut below = 0.0;
        let margins: Vec<(f32, f32, f32)> = std::iter::once((-0.5, 0.0))
            .chain(probabilities.iter().enumerate().map(|(year, p)| {
                below += p;
                (year as f32 + 0.5, below)
            }))
            .map(|(age, below)| {
                let (low, high) = (interpolate(&INTERVAL_AGES, &lows, age), interpolate(&INTERVAL_AGES, &highs, age));
                (age, below - low, high - below)
            })
            .collect();
        let crossing = |outside: (f32, f32), inside: (f32, f32)| {
            outside.0 + (inside.0 - outside.0) * outside.1 / (outside.1 - inside.1)
        };
        let low = margins.windows(2).rev().filter(|pair| pair[0].0 <= guess).find(|pair| pair[0].1 < 0.0);
        let high = margins.windows(2).filter(|pair| pair[1].0 >= guess).find(|pair| pair[1].2 < 0.0);
        let low = low.map_or(0.0, |pair| crossing((pair[0].0, pair[0].1), (pair[1].0, pair[1].1.max(0.0))));
        let oldest = (AGES - 1) as f32;
        let high = high.map_or(oldest, |pair| crossing((pair[1].0, pair[1].2), (pair[0].0, pair[0].2.max(0.0))));
        (low.clamp(0.0, guess), high.clamp(guess, oldest))
    }
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// The value at `x` of the piecewise linear function through (`knots`, `values`), constant beyond its ends.
fn interpolate(knots: &[f32], values: &[f32], x: f32) -> f32 {
    let after = knots.partition_point(|knot| *knot <= x);
    match (after.checked_sub(1), knots.get(after)) {
        (Some(before), Some(next)) => {
            let share = (x - knots[before]) / (next - knots[before]);
            values[before] + share * (values[after] - values[before])
        }
        (None, _) => values[0],
        (Some(last), None) => values[last],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bell(age: f32, deviation: f32) -> RawAnswer {
        let weights: [f32; AGES] = std::array::from_fn(|year| (-0.5 * ((year as f32 - age) / deviation).powi(2)).exp());
        let sum: f32 = weights.iter().sum();
        RawAnswer {
            age_probabilities: weights.map(|weight| weight / sum),
            gender_logit: 2.0,
            smile_logit: None,
            flaws: None,
        }
    }

    #[test]
    fn the_default_interval_is_the_central_80_percent() {
        let estimate = Calibration::default().apply(&bell(40.0, 5.0));
        let (low, high) = estimate.age_interval;
        // The tenth and the ninetieth percentile of a normal distribution: 1.2816 deviations.
        assert!((low - 33.6).abs() < 0.15 && (high - 46.4).abs() < 0.15, "{low} to {high}");
        assert!((estimate.female_probability - 0.8808).abs() < 1e-3);
    }

    #[test]
    fn limits_for_an_age_move_only_the_interval_ends_at_that_age() {
        let plain = Calibration::default().apply(&bell(40.0, 5.0)).age_interval;
        let mut calibration = Calibration::default();
        let fifty = INTERVAL_AGES.iter().position(|age| *age == 50.0).unwrap();
        calibration.interval_shares[fifty..].fill((0.1, 0.99));
        let moved = calibration.apply(&bell(40.0, 5.0)).age_interval;
        assert!((plain.0 - moved.0).abs() < 1e-3 && moved.1 > plain.1 + 1.0, "{plain:?} became {moved:?}");
    }

    #[test]
    fn the_interval_includes_the_guess_and_stays_within_the_ages_for_every_distribution() {
        let mut strict = Calibration::default();
        strict.interval_shares.fill((0.49, 0.51));
        for calibration in [Calibration::default(), strict] {
            for age in 0..=100 {
                for deviation in [0.2, 3.0, 30.0] {
                    let estimate = calibration.apply(&bell(age as f32, deviation));
                    let ((low, high), guess) = (estimate.age_interval, estimate.age());
                    assert!(0.0 <= low && low <= guess && guess <= high && high <= 100.0, "{low} {guess} {high}");
                }
            }
        }
    }

    #[test]
    fn the_smile_has_a_temperature_of_its_own_and_files_without_one_are_valid() {
        let text = serde_json::to_string(&Calibration { smile_temperature: 2.0, ..Calibration::default() }).unwrap();
        let earlier = text.replace(r#""smile_temperature":2.0,"#, "");
        assert_ne!(earlier, text);
        for (text, expected) in [(text, 0.7311), (earlier, 0.8808)] {
            let calibration: Calibration = serde_json::from_str(&text).unwrap();
            let estimate = calibration.apply(&RawAnswer { smile_logit: Some(2.0), ..bell(30.0, 5.0) });
            assert!((estimate.smile_probability.unwrap() - expected).abs() < 1e-3 && calibration.is_sound());
            assert!((estimate.female_probability - 0.8808).abs() < 1e-3);
        }
        assert!(!Calibration { smile_temperature: 0.0, ..Calibration::default() }.is_sound());
    }

    #[test]
    fn a_gender_temperature_applies_at_its_age_only() {
        let mut calibration = Calibration::default();
        calibration.gender_temperatures[0] = 4.0;
        let female = |age: f32| calibration.apply(&bell(age, 0.1)).female_probability;
        assert!((female(0.0) - 0.6225).abs() < 0.01 && (female(30.0) - 0.8808).abs() < 1e-3);
    }
}
