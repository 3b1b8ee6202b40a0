//! `faceguesser evaluate` on several data sets, or on one with a `labels.csv`: one table for all.

use std::path::Path;
use std::process::ExitCode;

use super::evaluate::{Arguments, command, largest_face, whole_crop};
use super::output::{print_error, print_line};
use crate::evaluation::EvaluationError;
use crate::evaluation::page::TRAINED_ON_VALIDATION;
use crate::evaluation::risk_coverage::risk_by_decade;
use crate::evaluation::set_figures::{COLUMNS, Column, Figures, SetFigures, SetMeasurement};
use crate::evaluation::sets::labelled_set;
use crate::evaluation::sets_page::{self, SetsSummary};
use crate::face::FaceFinder;
use crate::model::estimator::{Estimate, Estimator};

/// Prints the figures of every set; ages are sure from a confidence of `confident` on. The exit code is 1 if a
/// picture was unreadable.
pub(super) fn run(
    arguments: &Arguments,
    estimator: &Estimator,
    finder: &FaceFinder,
    confident: f32,
) -> anyhow::Result<ExitCode> {
    let measurement = |folder: &std::path::PathBuf| -> anyhow::Result<SetMeasurement> {
        let crop = |luma: &_| if arguments.aligned { Ok(Some(whole_crop(luma))) } else { largest_face(luma, finder) };
        Ok(SetMeasurement::new(&labelled_set(folder)?, estimator, crop)?)
    };
    let sets = arguments.data.iter().map(measurement).collect::<anyhow::Result<Vec<_>>>()?;
    let estimates = |set: &SetMeasurement| -> Vec<Estimate> {
        set.faces.iter().map(|(_, answer)| estimator.calibration().apply(answer)).collect()
    };
    let estimates: Vec<Vec<Estimate>> = sets.iter().map(estimates).collect();
    let figures = sets.iter().zip(&estimates).map(|(set, estimates)| set.figures(estimates, confident)).collect();
    let summary = SetsSummary { trained_on_validation: estimator.trained_on_validation(), sets: figures };
    if let Some(path) = &arguments.predictions {
        write_predictions(path, &sets, &estimates)?;
    }
    if let Some(report) = &arguments.report {
        sets_page::write(report, &summary, &risk_by_decade(&sets, &estimates), &command())?;
        print_error(format_args!("report: {}", report.join("index.html").display()));
    }
    if arguments.json {
        print_line(serde_json::to_string(&summary)?)?;
    } else {
        print_table(&summary.sets)?;
    }
    if summary.trained_on_validation {
        print_error(TRAINED_ON_VALIDATION);
    }
    for set in &sets {
        note_skipped(set);
    }
    let all_readable = sets.iter().all(|set| set.unreadable.is_empty());
    Ok(if all_readable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the figures of all sets as one table.
pub(super) fn print_table(sets: &[SetFigures]) -> anyhow::Result<()> {
    let row = |name: &str, figures: Option<&Figures>| {
        let cell = |(short, _, value): &Column| {
            let text = match figures {
                Some(figures) => value(figures).unwrap_or_else(|| "–".to_owned()),
                None => (*short).to_owned(),
            };
            format!(" {text:>8}")
        };
        format!("{name:<20}{}", COLUMNS.iter().map(cell).collect::<String>())
    };
    print_line(row("group", None))?;
    for set in sets {
        print_line(format_args!("{}", set.set))?;
        for group in &set.groups {
            print_line(row(&format!("  {}", group.group), Some(&group.figures)))?;
        }
    }
    print_line("")?;
    for (short, long, _) in COLUMNS {
        print_line(format_args!("{short:<8} {long}"))?;
    }
    Ok(())
}

/// Writes `set,file,age,age_low,age_high,female_probability,smile_probability`, a line for each face.
fn write_predictions(path: &Path, sets: &[SetMeasurement], estimates: &[Vec<Estimate>]) -> Result<(), EvaluationError> {
    let write_error = |error: csv::Error| EvaluationError::Write { path: path.to_owned(), reason: error.to_string() };
    let mut writer = csv::Writer::from_path(path).map_err(write_error)?;
    let header = ["set", "file", "age", "age_low", "age_high", "female_probability", "smile_probability"];
    writer.write_record(header).map_err(write_error)?;
    for (set, estimates) in sets.iter().zip(estimates) {
        for ((face, _), estimate) in set.faces.iter().zip(estimates) {
            let name = face.path.file_name().unwrap_or_default().to_string_lossy();
            let (low, high) = estimate.age_interval;
            let (female, smile) = (estimate.female_probability, estimate.smile_probability);
            writer.serialize((&set.name, name, estimate.age(), low, high, female, smile)).map_err(write_error)?;
        }
    }
    writer.flush().map_err(|error| write_error(error.into()))
}

fn note_skipped(set: &SetMeasurement) {
    let name = &set.name;
    if set.other_entries > 0 {
        print_error(format_args!("{name}: skipped {} entries without a label", set.other_entries));
    }
    if !set.faceless.is_empty() {
        print_error(format_args!("{name}: skipped {} pictures without a detected face", set.faceless.len()));
    }
    if let Some((path, reason)) = set.unreadable.first() {
        let count = set.unreadable.len();
        print_error(format_args!(
            "{name}: skipped {count} unreadable pictures, the first {}: {reason}",
            path.display()
        ));
    }
}
