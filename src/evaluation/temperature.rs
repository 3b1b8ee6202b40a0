//! Temperatures that make probabilities mean what they say (Guo et al. 2017).

use super::{Label, Scores, scores};
use crate::model::estimator::Estimate;

/// The estimate under other temperatures than it was made with: probabilities to the power of
/// 1 / temperature, normalised, which is what dividing the logits does.
pub fn tempered(estimate: &Estimate, age: f64, gender: f64) -> Estimate {
    let mut age_probabilities = estimate.age_probabilities.map(|p| f64::from(p).powf(1.0 / age) as f32);
    let sum: f32 = age_probabilities.iter().sum();
    age_probabilities.iter_mut().for_each(|p| *p /= sum);
    let odds = |p: f32| f64::from(p).clamp(1e-7, 1.0 - 1e-7);
    let logit = (odds(estimate.female_probability) / (1.0 - odds(estimate.female_probability))).ln();
    Estimate { age_probabilities, female_probability: (1.0 / (1.0 + (-logit / gender).exp())) as f32 }
}

/// The age temperature whose 80 % intervals cover 80 %, and the gender temperature of the
/// highest likelihood.
pub fn fit(estimates: &[Estimate], labels: &[Label]) -> (f64, f64) {
    let judged = |age: f64, gender: f64| -> Scores {
        let estimates: Vec<Estimate> = estimates.iter().map(|one| tempered(one, age, gender)).collect();
        scores(&estimates, labels)
    };
    let coverage_gap = |age: f64| (judged(age, 1.0).interval_80_coverage - 0.8).abs();
    let gender_loss = |gender: f64| -> f64 {
        let likelihood = |(estimate, label): (&Estimate, &Label)| {
            let female = f64::from(tempered(estimate, 1.0, gender).female_probability);
            (if label.female { female } else { 1.0 - female }).max(1e-9).ln()
        };
        -estimates.iter().zip(labels).map(likelihood).sum::<f64>()
    };
    (lowest(coverage_gap), lowest(gender_loss))
}

/// Where `cost` is lowest between a third and three: a geometric grid, then a finer one.
fn lowest(cost: impl Fn(f64) -> f64) -> f64 {
    let around = |centre: f64, ratio: f64| {
        let grid = (-20..=20).map(|step| centre * ratio.powi(step));
        grid.map(|t| (t, cost(t))).min_by(|a, b| a.1.total_cmp(&b.1)).map_or(centre, |best| best.0)
    };
    around(around(1.0, 1.056), 1.004)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overconfident_genders_are_cooled_to_their_hit_rate() {
        // Nine of ten right at a claimed 99 %: the fitted temperature brings the claim to 90 %.
        let claimed = Estimate { age_probabilities: [1.0 / 101.0; 101], female_probability: 0.99 };
        let estimates = vec![claimed.clone(); 1000];
        let labels: Vec<Label> = (0..1000).map(|i| Label { age: (i % 101) as f32, female: i % 10 != 0 }).collect();
        let (_, gender) = fit(&estimates, &labels);
        let cooled = tempered(&claimed, 1.0, gender).female_probability;
        assert!((cooled - 0.9).abs() < 0.01, "{cooled}");
    }
}
