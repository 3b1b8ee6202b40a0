//! The report of an evaluation: an HTML page and its charts.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::framing_robustness::FramingRobustness;
use super::measure::{Group, MostConfident, Prediction, pairs};
use super::plot::{self, BLUE, Chart, GREY, ORANGE, Series};
use super::risk_coverage::TWENTIETHS;
use super::utkface::RACES;
use super::{EvaluationError, Measurement, Scores, gender_bins, scores};

/// The number of hardest faces listed, by age and by gender.
const HARDEST: usize = 20;
/// The warning for weights that were [trained on their validation faces](Summary::trained_on_validation).
pub const TRAINED_ON_VALIDATION: &str = "These weights learnt from their validation faces as well: on those, errors look smaller \
than they are. Their model card has the figures for faces they were not trained on.";

/// All metrics of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The weights learnt from the faces by which their training was judged: on those, all figures but the framing
    /// robustness look better than they are.
    pub trained_on_validation: bool,
    /// Metrics over all predictions.
    #[serde(flatten)]
    pub scores: Scores,
    /// Metrics over the most confident 70 % of the predictions.
    pub surest_70: MostConfident,
    /// Absent if the faces had to be detected first.
    pub framing_robustness: Option<FramingRobustness>,
    /// Measured only for an HTML report on tight crops.
    pub detector: Option<DetectorCost>,
    /// By true age, labelled gender, labelled race and confidence ([`Measurement::groups`]).
    pub groups: Vec<Group>,
    /// By decade of the true age ([`Measurement::decades`]).
    pub decades: Vec<Group>,
}

/// The accuracy lost through face detection, measured on tight crops that are also passed through the
/// detector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectorCost {
    /// The number of crops that were passed through the detector.
    pub photos: usize,
    /// Photos in which the detector finds a face.
    pub found: usize,
    /// On those, as tight crops.
    pub aligned: Scores,
    /// On those, detected and cropped.
    pub found_and_cut: Scores,
}

impl DetectorCost {
    /// Compares the pictures of `found` (through the detector) and `aligned`, both sorted by name.
    pub fn new(found: &Measurement, aligned: &Measurement) -> Self {
        let both = aligned.predictions.iter().filter(|prediction| {
            let by_path = |other: &Prediction| other.file.path.cmp(&prediction.file.path);
            found.predictions.binary_search_by(by_path).is_ok()
        });
        Self {
            photos: found.predictions.len() + found.faceless.len(),
            found: found.predictions.len(),
            aligned: scores(&pairs(both)),
            found_and_cut: found.scores(),
        }
    }
}

/// Writes `index.html` and its charts into `folder`; the page quotes `command`, which reproduces it.
///
/// # Errors
/// [`EvaluationError::Write`].
pub fn write(
    folder: &Path,
    measurement: &Measurement,
    summary: &Summary,
    command: &str,
) -> Result<(), EvaluationError> {
    let charts = [
        ("ages.png", [predicted_ages(measurement), errors_by_age(summary)]),
        ("confidence.png", [age_error_by_share(measurement), gender_error_by_share(measurement)]),
        ("calibration.png", [reliability(measurement), coverage(summary)]),
    ];
    write_files(folder, &charts, &html(measurement, summary, command))
}

/// Writes a page as `index.html`, and its charts, into `folder`.
pub(super) fn write_files(folder: &Path, charts: &[(&str, [Chart; 2])], html: &str) -> Result<(), EvaluationError> {
    let write_error =
        |error: &dyn std::fmt::Display| EvaluationError::Write { path: folder.to_owned(), reason: error.to_string() };
    std::fs::create_dir_all(folder).map_err(|error| write_error(&error))?;
    for (name, charts) in charts {
        plot::draw(&folder.join(name), charts).map_err(|error| write_error(&error))?;
    }
    std::fs::write(folder.join("index.html"), html).map_err(|error| write_error(&error))
}

fn chart(title: &str, x_label: &str, series: Vec<Series>) -> Chart {
    Chart { title: title.to_owned(), x_label: x_label.to_owned(), x_decimals: 0, series }
}

fn predicted_ages(measurement: &Measurement) -> Chart {
    let point = |face: &Prediction| (face.file.label.age.into(), face.estimate.age().into());
    let points = measurement.predictions.iter().map(point);
    let diagonal = Series::line("", GREY, vec![(0.0, 0.0), (100.0, 100.0)]);
    chart("predicted age, years", "true age", vec![diagonal, Series::dots(BLUE, points.collect())])
}

/// A metric at the middle of each decade.
fn by_decade(summary: &Summary, value: impl Fn(&Scores) -> f64) -> Vec<(f64, f64)> {
    let middle =
        |group: &Group| group.name.split(' ').next().and_then(|low| low.parse::<f64>().ok()).unwrap_or(0.0) + 4.5;
    summary.decades.iter().map(|group| (middle(group), value(&group.scores))).collect()
}

fn errors_by_age(summary: &Summary) -> Chart {
    let error = Series::line("error (MAE)", BLUE, by_decade(summary, |scores| scores.age_mae));
    let bias = Series::line("predicted minus true", ORANGE, by_decade(summary, |scores| scores.age_bias));
    let zero = Series::line("", GREY, vec![(4.5, 0.0), (84.5, 0.0)]);
    chart("age error by decade, years", "true age", vec![zero, error, bias])
}

/// A metric of the most confident predictions, by their share in percent.
fn by_share(measurement: &Measurement, value: impl Fn(&Scores) -> f64) -> Vec<(f64, f64)> {
    let sorted = measurement.by_confidence();
    let point = |twentieth: usize| {
        let most_confident = sorted.iter().take((sorted.len() * twentieth / 20).max(1)).copied();
        (twentieth as f64 * 5.0, value(&scores(&pairs(most_confident))))
    };
    TWENTIETHS.map(point).collect()
}

fn age_error_by_share(measurement: &Measurement) -> Chart {
    let points = by_share(measurement, |scores| scores.age_mae);
    chart("age error (MAE), years", "most confident predictions, %", vec![Series::line("", BLUE, points)])
}

fn gender_error_by_share(measurement: &Measurement) -> Chart {
    let wrong = |accuracy: fn(&Scores) -> f64| by_share(measurement, |scores| (1.0 - accuracy(scores)) * 100.0);
    // Among the few most confident there may be no reported gender.
    let reported = wrong(|scores| scores.gender_told_accuracy).into_iter().filter(|(_, wrong)| wrong.is_finite());
    let all = Series::line("all", GREY, wrong(|scores| scores.gender_accuracy));
    let reported = Series::line("reported only", ORANGE, reported.collect());
    chart("gender errors, %", "most confident predictions, %", vec![all, reported])
}

fn reliability(measurement: &Measurement) -> Chart {
    let bins = gender_bins(&pairs(&measurement.predictions));
    let filled = bins.iter().filter(|bin| bin.faces > 0);
    let percent = |sum: f64, faces: usize| sum / faces as f64 * 100.0;
    let points = filled.map(|bin| (percent(bin.probability_sum, bin.faces), percent(bin.correct, bin.faces)));
    let diagonal = Series::line("", GREY, vec![(50.0, 50.0), (100.0, 100.0)]);
    let measured = Series::line("measured", BLUE, points.collect());
    chart("gender accuracy, %", "predicted probability, %", vec![diagonal, measured])
}

fn coverage(summary: &Summary) -> Chart {
    let points = by_decade(summary, |scores| scores.interval_80_coverage * 100.0);
    let nominal = Series::line("nominal", GREY, vec![(4.5, 80.0), (84.5, 80.0)]);
    let measured = Series::line("measured", BLUE, points);
    chart("coverage of the 80 % interval, %", "true age", vec![nominal, measured])
}

/// The style sheet of the reports.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#222}\
h1,h2{line-height:1.2}table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .75rem;text-align:right;\
border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}img{max-width:100%;height:auto}\
code{background:#f3f3f3;padding:.1rem .3rem}pre{background:#f3f3f3;padding:1rem;overflow-x:auto}";

/// The start of a report, with its heading.
pub(super) fn head(heading: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>FaceGuesser evaluation</title>\n\
         <style>{STYLE}</style>\n<h1>{heading}</h1>\n"
    )
}

/// A heading, a caption and the chart they are about.
pub(super) fn section(title: &str, file: &str, caption: &str) -> String {
    format!("<h2>{title}</h2>\n<p>{caption}</p>\n<img src=\"{file}\" alt=\"{title}: {caption}\">\n")
}

/// The end of a report.
pub(super) fn foot(command: &str) -> String {
    format!("<h2>How to reproduce this page</h2>\n<pre>{}</pre>\n</html>\n", escaped(command))
}

fn html(measurement: &Measurement, summary: &Summary, command: &str) -> String {
    let mut page = head(&format!("FaceGuesser evaluation on {} faces", summary.scores.photos));
    if summary.trained_on_validation {
        let _ = writeln!(page, "<p><strong>{TRAINED_ON_VALIDATION}</strong></p>");
    }
    page.push_str(&metrics_table(summary));
    page += &section(
        "Age",
        "ages.png",
        "Each dot is a face. Where the network is uncertain, predictions regress towards the mean.",
    );
    page += &section(
        "Confidence",
        "confidence.png",
        "Errors of the most confident predictions, from 10 % to all of them. The gender of small children, whose age is \
         predicted with the most confidence, is not reported.",
    );
    page += &section(
        "Calibration",
        "calibration.png",
        "Left: reliability diagram of the gender probability. Right: coverage of the 80 % age interval by decade.",
    );
    page.push_str("<h2>By group</h2>\n");
    page.push_str(&table(&summary.groups));
    page.push_str("<h2>By decade of the true age</h2>\n");
    page.push_str(&table(&summary.decades));
    page.push_str("<h2>By labelled race and gender, from 13 years on</h2>\n");
    page.push_str(&table(&races(measurement)));
    page.push_str(&hardest(measurement));
    page + &foot(command)
}

fn metrics_table(summary: &Summary) -> String {
    let mut rows: Vec<(&str, String)> = metric_rows(&summary.scores);
    let surest = &summary.surest_70.scores;
    rows.push(("most confident 70 %: age error (MAE)", format!("{:.2} years", surest.age_mae)));
    rows.push(("most confident 70 %: gender accuracy", percent(surest.gender_accuracy)));
    rows.push(("most confident 70 %: gender accuracy where reported", percent(surest.gender_told_accuracy)));
    rows.extend(framing_rows(summary));
    if let Some(DetectorCost { photos, found, .. }) = &summary.detector {
        rows.push(("faces found by the detector in these crops", format!("{found} of {photos}")));
    }
    if let Some(DetectorCost { aligned, found_and_cut, .. }) = summary.detector.as_ref().filter(|cost| cost.found > 0) {
        rows.push(("age error (MAE) of those, as tight crops", format!("{:.2} years", aligned.age_mae)));
        rows.push(("age error (MAE) of those, detected", format!("{:.2} years", found_and_cut.age_mae)));
        rows.push(("gender accuracy of those, as tight crops", percent(aligned.gender_accuracy)));
        rows.push(("gender accuracy of those, detected", percent(found_and_cut.gender_accuracy)));
    }
    let rows = rows.iter().map(|(name, value)| format!("<tr><td>{name}<td>{value}\n"));
    format!("<table>\n{}</table>\n", rows.collect::<String>())
}

/// Names and formatted values of the metrics.
pub fn metric_rows(scores: &Scores) -> Vec<(&'static str, String)> {
    vec![
        ("photos", scores.photos.to_string()),
        ("age error (MAE)", format!("{:.2} years", scores.age_mae)),
        ("age error, true ages 21 to 60", format!("{:.2} years", scores.age_mae_21_60)),
        ("gender accuracy", percent(scores.gender_accuracy)),
        ("gender accuracy, true ages 13+", percent(scores.gender_accuracy_13_plus)),
        ("faces whose gender is reported", percent(scores.gender_told)),
        ("gender accuracy of those", percent(scores.gender_told_accuracy)),
        ("gender calibration error (ECE)", format!("{:.4}", scores.gender_ece)),
        ("ECE expected by chance", format!("{:.4}", scores.gender_ece_by_chance)),
        ("coverage of the 80 % age interval", percent(scores.interval_80_coverage)),
        ("mean width of that interval", format!("{:.1} years", scores.interval_80_width_mean)),
    ]
}

/// The same for the robustness to framing, if it was measured.
pub fn framing_rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let Some(robustness) = &summary.framing_robustness else { return Vec::new() };
    vec![
        ("age deviation across framings", format!("{:.2} years", robustness.age_deviation_mean)),
        ("gender changes across framings", percent(robustness.gender_changes)),
        ("changes of reported genders", percent(robustness.told_gender_changes)),
    ]
}

/// Formats a share (0 to 1) as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn table(groups: &[Group]) -> String {
    let mut table = String::from(
        "<table>\n<tr><th>group<th>photos<th>age MAE<th>age bias<th>gender<th>gender 13+<th>coverage<th>width\n",
    );
    for Group { name, scores } in groups {
        let gender_13_plus = if scores.gender_accuracy_13_plus.is_nan() {
            "–".into()
        } else {
            percent(scores.gender_accuracy_13_plus)
        };
        let _ = writeln!(
            table,
            "<tr><td>{}<td>{}<td>{:.2}<td>{:+.2}<td>{}<td>{gender_13_plus}<td>{}<td>{:.1}",
            escaped(name),
            scores.photos,
            scores.age_mae,
            scores.age_bias,
            percent(scores.gender_accuracy),
            percent(scores.interval_80_coverage),
            scores.interval_80_width_mean
        );
    }
    table + "</table>\n"
}

fn races(measurement: &Measurement) -> Vec<Group> {
    let mut groups = Vec::new();
    for (index, race) in RACES.into_iter().enumerate() {
        for (gender, female) in [("female", true), ("male", false)] {
            let members = measurement.predictions.iter().filter(|Prediction { file, .. }| {
                file.race == Some(index) && file.label.female == female && file.label.age >= 13.0
            });
            groups.push(Group { name: format!("{race}, {gender}"), scores: scores(&pairs(members)) });
        }
    }
    groups.retain(|group| group.scores.photos > 0);
    groups
}

fn hardest(measurement: &Measurement) -> String {
    let name = |face: &Prediction| escaped(&face.file.path.file_name().unwrap_or_default().to_string_lossy());
    let hardest = |error: fn(&Prediction) -> f32| {
        let mut faces: Vec<(f32, &Prediction)> =
            measurement.predictions.iter().map(|face| (error(face), face)).collect();
        faces.sort_by(|a, b| b.0.total_cmp(&a.0));
        faces.truncate(HARDEST);
        faces
    };
    let by_age = hardest(|face| (face.estimate.age() - face.file.label.age).abs());
    // The probability of the wrong gender.
    let by_gender = hardest(|face| {
        let female = face.estimate.female_probability;
        if face.file.label.female { 1.0 - female } else { female }
    });
    let mut list =
        String::from("<h2>The hardest faces</h2>\n<table>\n<tr><th>largest age error<th>true<th>predicted\n");
    for (_, face) in by_age {
        let (file, label, age) = (name(face), face.file.label.age, face.estimate.age());
        let _ = writeln!(list, "<tr><td><code>{file}</code><td>{label}<td>{age:.1}");
    }
    list.push_str("</table>\n<table>\n<tr><th>most confident wrong gender<th>label<th>probability\n");
    for (probability, face) in by_gender.into_iter().filter(|(probability, _)| *probability > 0.5) {
        let label = if face.file.label.female { "female" } else { "male" };
        let _ = writeln!(list, "<tr><td><code>{}</code><td>{label}<td>{:.0} %", name(face), probability * 100.0);
    }
    list + "</table>\n"
}

/// Text for HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
