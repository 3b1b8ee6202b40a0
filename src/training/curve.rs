//! What each epoch brought, as CSV and as the picture that shows overfitting.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::register_font;
use serde::{Deserialize, Serialize};

use super::{TrainingError, unwritable};

const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");
const TRAINING: RGBColor = RGBColor(230, 126, 34);
const VALIDATION: RGBColor = RGBColor(31, 97, 171);

/// One finished epoch. Accuracies are shares of 1; the training figures are of a fixed sample of
/// training pictures, not varied, under the averaged weights, as the validation figures are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: usize,
    pub loss: f64,
    pub train_age_mae: f64,
    pub train_gender_accuracy: f64,
    pub val_age_mae: f64,
    pub val_gender_accuracy: f64,
    pub seconds: f64,
}

/// Writes one line an epoch.
///
/// # Errors
/// [`TrainingError::Write`].
pub fn write_csv(path: &Path, history: &[Epoch]) -> Result<(), TrainingError> {
    let mut writer = csv::Writer::from_path(path).map_err(|error| unwritable(path, error))?;
    for epoch in history {
        writer.serialize(epoch).map_err(|error| unwritable(path, error))?;
    }
    writer.flush().map_err(|error| unwritable(path, error))
}

/// Draws gender accuracy and age error of training against validation pictures.
///
/// # Errors
/// [`TrainingError::Write`].
pub fn draw(path: &Path, history: &[Epoch]) -> Result<(), TrainingError> {
    // Registering the same font again replaces it by itself.
    register_font("sans-serif", FontStyle::Normal, FONT)
        .map_err(|_| unwritable(path, "the compiled-in font is unusable"))?;
    let (width, height) = (1200u32, 520u32);
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(|error| unwritable(path, error))?;
        let (left, right) = area.split_horizontally(width / 2);
        let accuracy = |value: fn(&Epoch) -> f64| history.iter().map(value).map(|v| v * 100.0).collect::<Vec<_>>();
        let error = |value: fn(&Epoch) -> f64| history.iter().map(value).collect::<Vec<_>>();
        panel(
            &left,
            "gender accuracy, %",
            &accuracy(|e| e.train_gender_accuracy),
            &accuracy(|e| e.val_gender_accuracy),
        )
        .map_err(|error| unwritable(path, error))?;
        panel(&right, "age error (MAE), years", &error(|e| e.train_age_mae), &error(|e| e.val_age_mae))
            .map_err(|error| unwritable(path, error))?;
        area.present().map_err(|error| unwritable(path, error))?;
    }
    image::save_buffer(path, &pixels, width, height, image::ColorType::Rgb8).map_err(|error| unwritable(path, error))
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn panel(area: &Area<'_>, title: &str, training: &[f64], validation: &[f64]) -> Result<(), Box<dyn std::error::Error>> {
    let both = || training.iter().chain(validation).copied();
    let (low, high) = (both().fold(f64::MAX, f64::min), both().fold(f64::MIN, f64::max));
    let margin = ((high - low) * 0.1).max(0.05);
    let last = training.len().max(2) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 24))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(1.0..last, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .label_style(("sans-serif", 16))
        .light_line_style(WHITE)
        .draw()?;
    let series = |values: &[f64]| values.iter().enumerate().map(|(at, v)| (at as f64 + 1.0, *v)).collect::<Vec<_>>();
    for (values, colour, name) in [(training, TRAINING, "training"), (validation, VALIDATION, "validation")] {
        chart
            .draw_series(LineSeries::new(series(values), colour.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 18))
        .draw()?;
    Ok(())
}
