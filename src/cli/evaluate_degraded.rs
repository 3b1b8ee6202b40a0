//! `faceguesser evaluate --degraded`: what is said about good photos that are made worse in known ways.

use super::evaluate::{Arguments, command};
use super::output::{print_error, print_line};
use crate::evaluation::confidence::{DegradationFigures, STRENGTHS, degradation_figures, observe, tips_by_race};
use crate::evaluation::degradation_page;
use crate::evaluation::page::percent;
use crate::evaluation::utkface::LabelledFolder;
use crate::face::FaceFinder;
use crate::model::estimator::Estimator;

/// The most pictures that are degraded, evenly spaced over the folder: each goes through the networks 37 times.
const SAMPLE: usize = 300;

/// Prints, for each degradation and strength, how many guesses are sure and how many tips name the flaw.
/// `confident` is the threshold of the confidence; `--json` prints the first table as one JSON list, `--report`
/// writes both with their curves.
pub fn run(
    folder: &LabelledFolder,
    estimator: &Estimator,
    finder: &FaceFinder,
    confident: f32,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let step = folder.files.len().div_ceil(SAMPLE).max(1);
    let files: Vec<_> = folder.files.iter().step_by(step).cloned().collect();
    let observations = observe(&files, estimator, finder, &STRENGTHS)?;
    let rows = degradation_figures(&observations, estimator.calibration(), confident);
    let races = tips_by_race(&observations);
    if let Some(report) = &arguments.report {
        degradation_page::write(report, &rows, &races, &command())?;
        print_error(format_args!("report: {}", report.join("index.html").display()));
    }
    if arguments.json {
        print_line(serde_json::to_string(&rows)?)?;
        return Ok(());
    }
    print_line(format_args!(
        "{:<12} {:>8} {:>6} {:>8} {:>9} {:>8} {:>8} {:>10}",
        "photos", "strength", "faces", "age MAE", "coverage", "sure", "its tip", "other tips"
    ))?;
    for row in &rows {
        let DegradationFigures { degradation, strength, faces, age_mae, coverage, sure, tip, other_tips } = row;
        let [coverage, sure, tip, other] = [coverage, sure, tip, other_tips].map(|share| percent(*share));
        print_line(format_args!(
            "{degradation:<12} {strength:>8} {faces:>6} {age_mae:>8.2} {coverage:>9} {sure:>8} {tip:>8} {other:>10}"
        ))?;
    }
    print_line("\nrace label: right tips at half the strength and more, untouched photos with any tip")?;
    for (race, right, any) in races {
        print_line(format_args!("{race:<12} {:>8} {:>8}", percent(right), percent(any)))?;
    }
    Ok(())
}
