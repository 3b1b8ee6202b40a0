//! `faceguesser calibrate`: makes the weights' probabilities and intervals hold for given faces.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::output::tell;
use crate::config::Config;
use crate::evaluation::page::figure_rows;
use crate::evaluation::utkface::labelled_folder;
use crate::evaluation::{Label, calibration, measure};
use crate::face::{CropFrame, FaceCrop};
use crate::model::calibration::{Calibration, RawAnswer};
use crate::model::estimator::Estimator;
use crate::model::weights::Precision;
use crate::setup;

/// Options of `calibrate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of tight crops named as UTKFace names them, none of which the weights learnt from;
    /// some thousand of every age.
    #[arg(long, value_name = "DIR", required_unless_present = "like")]
    data: Option<PathBuf>,
    /// Instead of fitting, take over the calibration of these weights: of the same training without
    /// the faces that it was calibrated on, where the final training had them as well.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    like: Option<PathBuf>,
    /// Where the calibrated weights go.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Calibrate these weights instead of the configured ones; given several times, their mean.
    #[arg(long, value_name = "FILE")]
    weights: Vec<PathBuf>,
    /// Write a byte a weight instead of two: half the file, and ages that differ by a month.
    #[arg(long)]
    eight_bits: bool,
}

/// Fits or takes over, writes, and prints what fitting on one half brings on the other.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let estimator = match &arguments.weights[..] {
        [] => setup::face_estimator(config)?,
        several => {
            let networks = several.iter().map(|path| setup::face_estimator_in(path, "--weights"));
            Estimator::mean(&networks.collect::<anyhow::Result<Vec<_>>>()?)?
        }
    };
    let precision = if arguments.eight_bits { Precision::EightBits } else { Precision::Half };
    // What is calibrated is what will be run.
    let estimator = estimator.rounded(precision)?;
    let calibration = match (&arguments.like, &arguments.data) {
        (Some(like), _) => setup::face_estimator_in(like, "--like")?.calibration().clone(),
        (None, Some(data)) => fitted(&estimator, data)?,
        (None, None) => anyhow::bail!("give --data or --like"),
    };
    let calibrated = estimator.with_calibration(calibration);
    calibrated.save(&arguments.out, precision).with_context(|| format!("cannot write {}", arguments.out.display()))?;
    tell(format_args!("calibrated: {}", arguments.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn fitted(estimator: &Estimator, data: &Path) -> anyhow::Result<Calibration> {
    let folder = labelled_folder(data)?;
    let measurement = measure(&folder, estimator, |luma| Ok(Some(FaceCrop::cut(luma, &CropFrame::whole(luma)))))?;
    let (answers, labels): (Vec<RawAnswer>, Vec<Label>) =
        measurement.some(&folder)?.predictions.into_iter().map(|one| (one.answer, one.file.label)).unzip();
    tell("calibrated on one half of the faces, judged on the other:")?;
    for (name, value) in figure_rows(&calibration::held_out(&answers, &labels)) {
        tell(format_args!("{name:<36} {value:>12}"))?;
    }
    Ok(calibration::fit(&answers, &labels))
}
