//! `faceguesser calibrate`: fits gender probabilities and age intervals on labelled faces.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::evaluate::{largest_face, whole_crop};
use super::evaluate_sets::print_table;
use super::output::print_line;
use crate::config::Config;
use crate::evaluation::page::metric_rows;
use crate::evaluation::set_figures::{SetFigures, SetMeasurement};
use crate::evaluation::sets::{has_labels_file, labelled_set};
use crate::evaluation::utkface::{LabelledFolder, labelled_folder};
use crate::evaluation::{Label, calibration, measure};
use crate::model::calibration::{Calibration, RawAnswer};
use crate::model::estimator::Estimator;
use crate::model::weights::Precision;
use crate::setup;

/// Options of `calibrate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of tight crops with UTKFace file names that the weights were not trained on; a few thousand
    /// of all ages. Or a folder with a labels.csv, as `evaluate` takes it. Of several folders each counts
    /// alike.
    #[arg(long, value_name = "DIR", required_unless_present = "calibration_from")]
    data: Vec<PathBuf>,
    /// The pictures are not tight crops: find the faces first, as in photos.
    #[arg(long, requires = "data")]
    find: bool,
    /// Copy the calibration of these weights instead of fitting one. For weights that were also trained
    /// on the validation faces: that of the same training without them.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    calibration_from: Option<PathBuf>,
    /// Output file for the calibrated weights.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Calibrate these weights instead of the configured ones; several are averaged.
    #[arg(long, value_name = "FILE")]
    weights: Vec<PathBuf>,
    /// Multiply the probability of the ages 13 to 17 by this: more teenagers are guessed to be teenagers, and some
    /// more adults as well. Not for weights to which it was done before.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    teenagers: Option<f32>,
    /// Write 8-bit instead of 16-bit weights: half the file size, ages differ by about a month.
    #[arg(long)]
    eight_bits: bool,
}

fn factor(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.1..=10.0).contains(&value) { Ok(value) } else { Err("give a factor of 0.1 to 10".into()) }
}

/// Fits or copies a calibration, writes the weights, and prints the cross-validated metrics.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let estimator = match &arguments.weights[..] {
        [] => setup::face_estimator(config)?,
        paths => {
            let networks = paths.iter().map(|path| setup::face_estimator_in(path, "--weights"));
            Estimator::mean(&networks.collect::<anyhow::Result<Vec<_>>>()?)?
        }
    };
    let estimator = match arguments.teenagers {
        Some(factor) => estimator.with_likelier_teenagers(factor)?,
        None => estimator,
    };
    let precision = if arguments.eight_bits { Precision::Int8 } else { Precision::F16 };
    // Round first, so that the stored weights are the ones that are calibrated.
    let estimator = estimator.quantised(precision)?;
    let calibration = match (&arguments.calibration_from, arguments.data.as_slice()) {
        (Some(source), _) => setup::face_estimator_in(source, "--calibration-from")?.calibration().clone(),
        (None, [folder]) if !arguments.find && !has_labels_file(folder) => fit(&estimator, &labelled_folder(folder)?)?,
        (None, _) => fit_sets(&estimator, &arguments, config)?,
    };
    let calibrated = estimator.with_calibration(calibration);
    calibrated.save(&arguments.out, precision).with_context(|| format!("cannot write {}", arguments.out.display()))?;
    print_line(format_args!("calibrated: {}", arguments.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn fit(estimator: &Estimator, folder: &LabelledFolder) -> anyhow::Result<Calibration> {
    let measurement = measure(folder, estimator, |luma| Ok(Some(whole_crop(luma))))?;
    let (answers, labels): (Vec<RawAnswer>, Vec<Label>) =
        measurement.non_empty(folder)?.predictions.into_iter().map(|face| (face.answer, face.file.label)).unzip();
    print_line("calibration fitted on one half of the faces, measured on the other, both ways:")?;
    for (name, value) in metric_rows(&calibration::held_out(&answers, &labels)) {
        print_line(format_args!("{name:<36} {value:>12}"))?;
    }
    Ok(calibration::fit(&answers, &labels))
}

/// Fits on several data sets together, or on one whose faces are to be found.
fn fit_sets(estimator: &Estimator, arguments: &Arguments, config: &Config) -> anyhow::Result<Calibration> {
    let finder = setup::face_finder(config, config.limits.faces)?;
    let measurement = |folder: &PathBuf| -> anyhow::Result<SetMeasurement> {
        let crop = |luma: &_| if arguments.find { largest_face(luma, &finder) } else { Ok(Some(whole_crop(luma))) };
        Ok(SetMeasurement::new(&labelled_set(folder)?, estimator, crop)?)
    };
    let sets = arguments.data.iter().map(measurement).collect::<anyhow::Result<Vec<_>>>()?;
    print_line("calibration fitted on one half of the faces, measured on the other, both ways:")?;
    let held_out = calibration::held_out_sets(&sets);
    let of_set = |(set, estimates): (&SetMeasurement, &Vec<_>)| set.figures(estimates, config.guess.confident);
    let figures: Vec<SetFigures> = sets.iter().zip(&held_out).map(of_set).collect();
    print_table(&figures)?;
    Ok(calibration::fit_sets(&sets))
}
