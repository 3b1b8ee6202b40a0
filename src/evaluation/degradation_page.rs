//! The report about photos made worse in known ways: an HTML page with curves by strength.

use std::fmt::Write as _;
use std::path::Path;

use super::EvaluationError;
use super::confidence::DegradationFigures;
use super::page::{foot, head, percent, section, write_files};
use super::plot::{COLOURS, Chart, RGBColor, Series};

/// The degradations by panel of a chart.
const PANELS: [&[&str]; 2] =
    [&["dark", "onesided", "bright", "noisy"], &["blurred", "small", "turned", "covered", "cutoff"]];

/// Writes `index.html` and its charts into `folder`: of `rows` the curves and a table, of `races` the name, the
/// share of right tips and that of untouched photos with a tip. The page quotes `command`, which reproduces it.
///
/// # Errors
/// [`EvaluationError::Write`].
pub fn write(
    folder: &Path,
    rows: &[DegradationFigures],
    races: &[(&str, f64, f64)],
    command: &str,
) -> Result<(), EvaluationError> {
    let both = |title: &str, value: fn(&DegradationFigures) -> Option<f64>| {
        PANELS.map(|names| by_strength(rows, names, title, value))
    };
    let charts = [
        ("sure.png", both("sure guesses, %", |row| Some(100.0 * row.sure))),
        // The untouched photos have no flaw that a tip could name.
        ("tips.png", both("the right tip, %", |row| (row.strength > 0.0).then_some(100.0 * row.tip))),
        ("errors.png", both("age error (MAE), years", |row| Some(row.age_mae))),
        ("coverage.png", both("coverage of the 80 % range, %", |row| Some(100.0 * row.coverage))),
    ];
    write_files(folder, &charts, &html(rows, races, command))
}

/// A line for each of the degradations called `names`, which starts at the untouched photos.
fn by_strength(
    rows: &[DegradationFigures],
    names: &[&str],
    title: &str,
    value: fn(&DegradationFigures) -> Option<f64>,
) -> Chart {
    let line = |(name, colour): (&&str, RGBColor)| {
        let of_line = rows.iter().filter(|row| row.degradation == *name || row.strength == 0.0);
        let points = of_line.filter_map(|row| Some((row.strength.into(), value(row)?)));
        Series::line(name, colour, points.collect())
    };
    let series = names.iter().zip(COLOURS).map(line).collect();
    Chart { title: title.to_owned(), x_label: "strength".to_owned(), x_decimals: 2, series }
}

fn html(rows: &[DegradationFigures], races: &[(&str, f64, f64)], command: &str) -> String {
    let mut page = head("FaceGuesser evaluation on photos made worse");
    for (title, file, caption) in [
        ("Confidence", "sure.png", "The worse the photo, the fewer guesses should be sure."),
        ("Tips", "tips.png", "How many photos get the tip that names what was done to them."),
        ("Ages", "errors.png", "The error of the ages."),
        ("Ranges", "coverage.png", "The range is meant to contain the true age of 80 % of the faces."),
    ] {
        page += &section(title, file, caption);
    }
    page += "<h2>All figures</h2>\n<table>\n<tr><th>photos<th>strength<th>faces<th>age MAE<th>coverage<th>sure\
             <th>its tip<th>other tips\n";
    for row in rows {
        let DegradationFigures { degradation, strength, faces, age_mae, coverage, sure, tip, other_tips } = row;
        let _ = write!(page, "<tr><td>{degradation}<td>{strength}<td>{faces}<td>{age_mae:.2}");
        [coverage, sure, tip, other_tips].iter().for_each(|share| page += &format!("<td>{}", percent(**share)));
        page.push('\n');
    }
    page += "</table>\n<h2>By race label</h2>\n<table>\n<tr><th>label<th>right tips at half the strength and more\
             <th>untouched photos with any tip\n";
    for (race, right, any) in races {
        let _ = writeln!(page, "<tr><td>{race}<td>{}<td>{}", percent(*right), percent(*any));
    }
    page + "</table>\n" + &foot(command)
}
