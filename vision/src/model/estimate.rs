//! The calibrated answer for one face, and the figures derived from it.

use super::network::AGES;

/// Guessed age, whole years, below which a gender is close to a coin toss (60 to 70 % right on the
/// validation faces).
const SMALL_CHILD: f32 = 4.0;
/// Guessed age, whole years, from which people are women and men, not girls and boys.
const ADULT: f32 = 18.0;
/// Width of the interval, whole years, beyond which the age cannot be told, and the confidence below which: the
/// interval is more than half as wide again as usual. Of the validation faces 0.7 %; half of them can hardly be seen, and
/// what only looks like a face is often among such.
const UNKNOWN_WIDTH: f32 = 35.0;
const UNKNOWN_CONFIDENCE: f32 = 0.4;
/// Smile probability from which replies mention the smile: on the validation photos, the mention is right
/// in 98 of 100 cases.
const SMILING: f32 = 0.9;
/// Gender probability of a woman or a man below which the answer says that it can't tell.
const ADULT_GENDER: f32 = 0.6;
/// Gender probability below which a girl's or boy's gender is left open: the likelier one is wrong
/// there in about one of three cases.
const CHILD_GENDER: f32 = 0.7;

/// Age distribution, gender and smile probability of one crop.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Probability of each year of age, 0 to 100; they sum to 1.
    pub age_probabilities: [f32; AGES],
    /// Probability that the face is labelled female.
    pub female_probability: f32,
    /// Probability that the person smiles; absent if the weights have no smile head.
    pub smile_probability: Option<f32>,
    /// Years between which the true age lies for 80 % of the faces of every age; includes the guess.
    pub age_interval: (f32, f32),
    /// The width in years that the interval usually does not exceed at this age.
    pub usual_width: f32,
}

impl Estimate {
    /// The median of the age distribution in years: it minimises the mean absolute error (the mean
    /// would give a child that might also be old the age of an adult).
    pub fn age(&self) -> f32 {
        quantile(&self.age_probabilities, 0.5)
    }

    /// Probability of the likelier gender, 0.5 to 1.
    pub fn gender_probability(&self) -> f32 {
        self.female_probability.max(1.0 - self.female_probability)
    }

    /// Whether the gender is sure enough to report: where it can be told at all, and is no coin toss.
    pub fn reports_gender(&self) -> bool {
        let least = if self.is_adult() { ADULT_GENDER } else { CHILD_GENDER };
        self.shows_gender() && self.gender_probability() >= least
    }

    /// Whether there is a word for the gender at this age: not for small children, nor for whoever may be a child as
    /// well as an adult.
    pub fn shows_gender(&self) -> bool {
        let may_be_a_child = self.is_age_unknown() && self.age_interval.0.round() < ADULT;
        !self.is_small_child() && !may_be_a_child
    }

    /// Whether the smile is sure enough to report.
    pub fn reports_smile(&self) -> bool {
        self.smile_probability.is_some_and(|smile| smile >= SMILING)
    }

    /// Whether the guessed age, in whole years, is below four.
    pub fn is_small_child(&self) -> bool {
        self.age().round() < SMALL_CHILD
    }

    /// Whether the guessed age, in whole years, is that of a woman or a man, not of a girl or a boy.
    pub fn is_adult(&self) -> bool {
        self.age().round() >= ADULT
    }

    /// Whether the interval is so wide, for any age and for the guessed one, that it says more than the guess does.
    pub fn is_age_unknown(&self) -> bool {
        let (low, high) = self.age_interval;
        high.round() - low.round() > UNKNOWN_WIDTH && self.confidence() < UNKNOWN_CONFIDENCE
    }

    /// Confidence in the age, 0 to 1: the usual width of the interval at this age over the sum of that and
    /// this interval's width. It is a half where the interval is as wide as usual, and it says nothing about
    /// the age itself: what is known less exactly of everybody of that age does not lower it.
    pub fn confidence(&self) -> f32 {
        let width = self.age_interval.1 - self.age_interval.0;
        self.usual_width / (self.usual_width + width).max(f32::MIN_POSITIVE)
    }
}

/// The age below which `share` of the distribution lies, each year's probability being spread
/// evenly over the year around it.
pub(super) fn quantile(probabilities: &[f32; AGES], share: f32) -> f32 {
    let mut below = 0.0;
    for (age, p) in probabilities.iter().enumerate() {
        if below + p >= share && *p > 0.0 {
            return (age as f32 - 0.5 + (share - below) / p).clamp(0.0, (AGES - 1) as f32);
        }
        below += p;
    }
    (AGES - 1) as f32
}
