//! The report of an evaluation: an HTML page with its pictures beside it.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::measure::{Group, Prediction, Surest, pairs};
use super::plot::{self, BLUE, Chart, GREY, ORANGE, Series};
use super::steadiness::Steadiness;
use super::utkface::RACES;
use super::{EvaluationError, Measurement, Scores, gender_bins, scores};

/// Guesses listed as the hardest, of each kind.
const HARDEST: usize = 20;
/// The warning for weights that were [trained on their validation faces](Summary::trained_on_validation).
pub const TRAINED_ON_VALIDATION: &str = "These weights learnt from their validation faces as well: on those, errors look smaller \
than they are. What faces that they never met show stands in their model card.";
/// Shares of the surest guesses at which the curves are taken.
const SHARES: std::ops::RangeInclusive<usize> = 2..=20;

/// All figures of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Whether the weights were trained on the validation faces as well: on those, all figures but the
    /// steadiness flatter.
    #[serde(rename = "met_validation")]
    pub trained_on_validation: bool,
    #[serde(flatten)]
    pub scores: Scores,
    pub surest_70: Surest,
    /// Absent where faces had to be found first.
    pub steadiness: Option<Steadiness>,
    pub detector: Option<DetectorCost>,
    pub groups: Vec<Group>,
    pub decades: Vec<Group>,
}

/// What finding the face costs, on the same pictures as tight crops.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectorCost {
    pub photos: usize,
    /// How many of them show a face to the detector.
    pub found: usize,
    /// Of those, as tight crops.
    pub aligned: Scores,
    /// Of those, found and cut.
    pub found_and_cut: Scores,
}

impl DetectorCost {
    /// Compares the same pictures, `found` by the detector and `aligned`, in the order of names.
    pub fn new(found: &Measurement, aligned: &Measurement) -> Self {
        let both = aligned.predictions.iter().filter(|one| {
            let same = |other: &Prediction| other.file.path.cmp(&one.file.path);
            found.predictions.binary_search_by(same).is_ok()
        });
        Self {
            photos: found.predictions.len() + found.faceless.len(),
            found: found.predictions.len(),
            aligned: scores(&pairs(both)),
            found_and_cut: found.scores(),
        }
    }
}

/// Writes `index.html` and its pictures into `folder`; `command` makes it again.
///
/// # Errors
/// [`EvaluationError::Write`].
pub fn write(
    folder: &Path,
    measurement: &Measurement,
    summary: &Summary,
    command: &str,
) -> Result<(), EvaluationError> {
    let unwritable =
        |error: &dyn std::fmt::Display| EvaluationError::Write { path: folder.to_owned(), reason: error.to_string() };
    std::fs::create_dir_all(folder).map_err(|error| unwritable(&error))?;
    let pictures = [
        ("ages.png", vec![guesses(measurement), errors_by_age(summary)]),
        ("confidence.png", vec![ages_by_share(measurement), genders_by_share(measurement)]),
        ("calibration.png", vec![reliability(measurement), coverage(summary)]),
    ];
    for (name, charts) in &pictures {
        plot::draw(&folder.join(name), charts).map_err(|error| unwritable(&error))?;
    }
    std::fs::write(folder.join("index.html"), html(measurement, summary, command)).map_err(|error| unwritable(&error))
}

fn chart(title: &str, across: &str, decimals: usize, series: Vec<Series>) -> Chart {
    Chart { title: title.to_owned(), across: across.to_owned(), decimals, series }
}

fn guesses(measurement: &Measurement) -> Chart {
    let points = measurement.predictions.iter().map(|one| (one.file.label.age.into(), one.estimate.age().into()));
    let diagonal = Series::line("", GREY, vec![(0.0, 0.0), (100.0, 100.0)]);
    chart("guessed age, years", "true age", 0, vec![diagonal, Series::dots(BLUE, points.collect())])
}

/// The middle of each decade beside a figure of it.
fn by_decade(summary: &Summary, value: impl Fn(&Scores) -> f64) -> Vec<(f64, f64)> {
    let middle =
        |group: &Group| group.name.split(' ').next().and_then(|low| low.parse::<f64>().ok()).unwrap_or(0.0) + 4.5;
    summary.decades.iter().map(|group| (middle(group), value(&group.scores))).collect()
}

fn errors_by_age(summary: &Summary) -> Chart {
    let error = Series::line("error (MAE)", BLUE, by_decade(summary, |scores| scores.age_mae));
    let bias = Series::line("guessed minus true", ORANGE, by_decade(summary, |scores| scores.age_bias));
    let zero = Series::line("", GREY, vec![(4.5, 0.0), (84.5, 0.0)]);
    chart("error of the age by decade, years", "true age", 0, vec![zero, error, bias])
}

/// A figure of the surest guesses by their share in percent.
fn by_share(measurement: &Measurement, value: impl Fn(&Scores) -> f64) -> Vec<(f64, f64)> {
    let sorted = measurement.surest_first();
    let point = |twentieth: usize| {
        let surest = sorted.iter().take((sorted.len() * twentieth / 20).max(1)).copied();
        (twentieth as f64 * 5.0, value(&scores(&pairs(surest))))
    };
    SHARES.map(point).collect()
}

fn ages_by_share(measurement: &Measurement) -> Chart {
    let points = by_share(measurement, |scores| scores.age_mae);
    chart("age error (MAE) of the surest, years", "% of all guesses", 0, vec![Series::line("", BLUE, points)])
}

fn genders_by_share(measurement: &Measurement) -> Chart {
    let wrong = |accuracy: fn(&Scores) -> f64| by_share(measurement, |scores| (1.0 - accuracy(scores)) * 100.0);
    // Among the surest few there may be nobody whose gender is told.
    let told = wrong(|scores| scores.gender_told_accuracy).into_iter().filter(|(_, wrong)| wrong.is_finite());
    let all = Series::line("the likelier one", GREY, wrong(|scores| scores.gender_accuracy));
    let told = Series::line("where it is told", ORANGE, told.collect());
    chart("wrong genders of the surest, %", "% of all guesses", 0, vec![all, told])
}

fn reliability(measurement: &Measurement) -> Chart {
    let bins = gender_bins(&pairs(&measurement.predictions));
    let filled = bins.iter().filter(|bin| bin.faces > 0);
    let percent = |sum: f64, faces: usize| sum / faces as f64 * 100.0;
    let points = filled.map(|bin| (percent(bin.sure, bin.faces), percent(bin.right, bin.faces)));
    let diagonal = Series::line("", GREY, vec![(50.0, 50.0), (100.0, 100.0)]);
    let measured = Series::line("measured", BLUE, points.collect());
    chart("genders that are right, %", "% said", 0, vec![diagonal, measured])
}

fn coverage(summary: &Summary) -> Chart {
    let points = by_decade(summary, |scores| scores.interval_80_coverage * 100.0);
    let promised = Series::line("promised", GREY, vec![(4.5, 80.0), (84.5, 80.0)]);
    chart(
        "true ages inside the 80 % interval, %",
        "true age",
        0,
        vec![promised, Series::line("measured", BLUE, points)],
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#222}\
h1,h2{line-height:1.2}table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .75rem;text-align:right;\
border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}img{max-width:100%;height:auto}\
code{background:#f3f3f3;padding:.1rem .3rem}pre{background:#f3f3f3;padding:1rem;overflow-x:auto}";

fn html(measurement: &Measurement, summary: &Summary, command: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>FaceGuesser, measured</title>\n\
         <style>{STYLE}</style>\n<h1>FaceGuesser, measured on {} faces</h1>\n",
        summary.scores.photos
    );
    if summary.trained_on_validation {
        let _ = writeln!(page, "<p><strong>{TRAINED_ON_VALIDATION}</strong></p>");
    }
    page.push_str(&figures(summary));
    let picture = |page: &mut String, title: &str, name: &str, words: &str| {
        let _ = write!(page, "<h2>{title}</h2>\n<p>{words}</p>\n<img src=\"{name}\" alt=\"{title}: {words}\">\n");
    };
    picture(
        &mut page,
        "Ages",
        "ages.png",
        "Each dot is a face. Guesses are drawn towards the middle where the network is unsure.",
    );
    picture(
        &mut page,
        "What the confidence is worth",
        "confidence.png",
        "The faces in order of the confidence score: the errors of the surest ones alone, up to all of them. No gender is \
         told of small children, whose age is the surest.",
    );
    picture(
        &mut page,
        "Whether the probabilities hold",
        "calibration.png",
        "Left: of the faces whose gender is said with a probability, how many are right. Right: how many true ages lie \
         inside the 80 % interval, by decade.",
    );
    page.push_str("<h2>By group</h2>\n");
    page.push_str(&table(&summary.groups));
    page.push_str("<h2>By decade of the true age</h2>\n");
    page.push_str(&table(&summary.decades));
    page.push_str("<h2>By labelled race and gender, from 13 years on</h2>\n");
    page.push_str(&table(&races(measurement)));
    page.push_str(&hardest(measurement));
    let _ = write!(page, "<h2>How this page is made</h2>\n<pre>{}</pre>\n</html>\n", escaped(command));
    page
}

fn figures(summary: &Summary) -> String {
    let mut rows: Vec<(&str, String)> = figure_rows(&summary.scores);
    rows.push(("of the surest 70 %: age error (MAE)", format!("{:.2} years", summary.surest_70.scores.age_mae)));
    rows.push(("of the surest 70 %: gender accuracy", percent(summary.surest_70.scores.gender_accuracy)));
    let told = percent(summary.surest_70.scores.gender_told_accuracy);
    rows.push(("of the surest 70 %: gender accuracy where it is told", told));
    rows.extend(steadiness_rows(summary));
    if let Some(DetectorCost { photos, found, .. }) = &summary.detector {
        rows.push(("faces that the detector finds in these crops", format!("{found} of {photos}")));
    }
    if let Some(DetectorCost { aligned, found_and_cut, .. }) = summary.detector.as_ref().filter(|cost| cost.found > 0) {
        rows.push(("age error (MAE) of those, as they are", format!("{:.2} years", aligned.age_mae)));
        rows.push(("age error (MAE) of those, found and cut", format!("{:.2} years", found_and_cut.age_mae)));
        rows.push(("gender accuracy of those, as they are", percent(aligned.gender_accuracy)));
        rows.push(("gender accuracy of those, found and cut", percent(found_and_cut.gender_accuracy)));
    }
    let rows = rows.iter().map(|(name, value)| format!("<tr><td>{name}<td>{value}\n"));
    format!("<table>\n{}</table>\n", rows.collect::<String>())
}

/// The figures of a set of faces, named and with their units.
pub fn figure_rows(scores: &Scores) -> Vec<(&'static str, String)> {
    vec![
        ("photos", scores.photos.to_string()),
        ("age error (MAE)", format!("{:.2} years", scores.age_mae)),
        ("age error, true ages 21 to 60", format!("{:.2} years", scores.age_mae_21_60)),
        ("gender accuracy", percent(scores.gender_accuracy)),
        ("gender accuracy, true ages 13 up", percent(scores.gender_accuracy_13_plus)),
        ("faces whose gender is told", percent(scores.gender_told)),
        ("gender accuracy of those", percent(scores.gender_told_accuracy)),
        ("gender calibration error (ECE)", format!("{:.4}", scores.gender_ece)),
        ("what chance alone makes of it", format!("{:.4}", scores.gender_ece_by_chance)),
        ("true age inside the 80 % interval", percent(scores.interval_80_coverage)),
        ("mean width of that interval", format!("{:.1} years", scores.interval_80_width_mean)),
    ]
}

/// How steady the guesses are, where that was measured.
pub fn steadiness_rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let Some(steadiness) = &summary.steadiness else { return Vec::new() };
    vec![
        ("age under other framings (deviation)", format!("{:.2} years", steadiness.age_deviation_mean)),
        ("gender under other framings: changes", percent(steadiness.gender_changes)),
        ("changes of the genders told", percent(steadiness.told_gender_changes)),
    ]
}

/// A share as a person reads it.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn table(groups: &[Group]) -> String {
    let mut table = String::from(
        "<table>\n<tr><th>group<th>photos<th>age error<th>guessed − true<th>gender<th>gender 13+<th>in 80 %<th>width\n",
    );
    for Group { name, scores } in groups {
        let grown = if scores.gender_accuracy_13_plus.is_nan() {
            "–".into()
        } else {
            percent(scores.gender_accuracy_13_plus)
        };
        let _ = writeln!(
            table,
            "<tr><td>{}<td>{}<td>{:.2}<td>{:+.2}<td>{}<td>{grown}<td>{}<td>{:.1}",
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
            let members = measurement.predictions.iter().filter(|one| {
                one.file.race == Some(index) && one.file.label.female == female && one.file.label.age >= 13.0
            });
            groups.push(Group { name: format!("{race}, {gender}"), scores: scores(&pairs(members)) });
        }
    }
    groups.retain(|group| group.scores.photos > 0);
    groups
}

fn hardest(measurement: &Measurement) -> String {
    let name = |one: &Prediction| escaped(&one.file.path.file_name().unwrap_or_default().to_string_lossy());
    let mut by_age: Vec<(f32, &Prediction)> =
        measurement.predictions.iter().map(|one| ((one.estimate.age() - one.file.label.age).abs(), one)).collect();
    by_age.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut by_gender: Vec<(f32, &Prediction)> = measurement
        .predictions
        .iter()
        .map(|one| {
            (
                if one.file.label.female {
                    1.0 - one.estimate.female_probability
                } else {
                    one.estimate.female_probability
                },
                one,
            )
        })
        .filter(|(wrong, _)| *wrong > 0.5)
        .collect();
    by_gender.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut list =
        String::from("<h2>The hardest faces</h2>\n<table>\n<tr><th>furthest off in age<th>true<th>guessed\n");
    for (_, one) in by_age.iter().take(HARDEST) {
        let _ =
            writeln!(list, "<tr><td><code>{}</code><td>{}<td>{:.1}", name(one), one.file.label.age, one.estimate.age());
    }
    list.push_str("</table>\n<table>\n<tr><th>surest of the wrong gender<th>labelled<th>said\n");
    for (wrong, one) in by_gender.iter().take(HARDEST) {
        let labelled = if one.file.label.female { "female" } else { "male" };
        let _ = writeln!(list, "<tr><td><code>{}</code><td>{labelled}<td>{:.0} % against it", name(one), wrong * 100.0);
    }
    list + "</table>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
