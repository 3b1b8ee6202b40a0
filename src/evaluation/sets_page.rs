//! The report of an evaluation of several data sets: an HTML page and its charts.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::EvaluationError;
use super::page::{TRAINED_ON_VALIDATION, escaped, foot, head, section, write_files};
use super::plot::{COLOURS, Chart, GREY, RGBColor, Series};
use super::risk_coverage::RiskCurve;
use super::set_figures::{COLUMNS, Figures, GroupKind, SetFigures};

/// All figures of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetsSummary {
    /// The weights learnt from the faces by which their training was judged.
    pub trained_on_validation: bool,
    /// The figures of each set.
    pub sets: Vec<SetFigures>,
}

const RISK_CHART: &str = "risk.png";

/// Writes `index.html` and its charts into `folder`; `risk` are the curves of all sets, and the page quotes
/// `command`, which reproduces it.
///
/// # Errors
/// [`EvaluationError::Write`].
pub fn write(folder: &Path, summary: &SetsSummary, risk: &[RiskCurve], command: &str) -> Result<(), EvaluationError> {
    let mut charts = vec![
        (
            "ages.png",
            [
                by_decade(summary, "age error by decade (MAE), years", None, |figures| figures.age_mae),
                by_decade(summary, "predicted minus true age, years", Some(0.0), |figures| figures.age_bias),
            ],
        ),
        (
            "ranges.png",
            [
                by_decade(summary, "coverage of the 80 % range, %", Some(80.0), |figures| {
                    Some(100.0 * figures.interval_80_coverage?)
                }),
                by_decade(summary, "mean width of that range, years", None, |figures| figures.interval_80_width_mean),
            ],
        ),
    ];
    if !risk.is_empty() {
        charts.push((RISK_CHART, [risk_chart(risk, 0..50), risk_chart(risk, 50..110)]));
    }
    write_files(folder, &charts, &html(summary, !risk.is_empty(), command))
}

/// The curves of some decades.
fn risk_chart(risk: &[RiskCurve], decades: std::ops::Range<usize>) -> Chart {
    let curves = risk.iter().filter(|curve| decades.contains(&curve.decade)).zip(COLOURS);
    let line = |(curve, colour): (&RiskCurve, RGBColor)| {
        Series::line(&format!("{} to {}", curve.decade, curve.decade + 9), colour, curve.points.clone())
    };
    Chart {
        title: "age error over that of the whole decade".to_owned(),
        x_label: "most confident predictions, %".to_owned(),
        x_decimals: 0,
        series: curves.map(line).collect(),
    }
}

/// A line for each set with exact ages, and one at `reference`.
fn by_decade(
    summary: &SetsSummary,
    title: &str,
    reference: Option<f64>,
    value: impl Fn(&Figures) -> Option<f64>,
) -> Chart {
    let line = |(set, colour): (&SetFigures, RGBColor)| {
        let decades = set.groups.iter().filter(|group| group.kind == GroupKind::Decade);
        let points: Vec<(f64, f64)> = decades
            .filter_map(|group| {
                let first: f64 = group.group.split(' ').next()?.parse().ok()?;
                Some((first + 4.5, value(&group.figures)?))
            })
            .collect();
        (!points.is_empty()).then(|| Series::line(&set.set, colour, points))
    };
    let lines: Vec<Series> = summary.sets.iter().zip(COLOURS.into_iter().cycle()).filter_map(line).collect();
    let reference = reference.map(|value| Series::line("", GREY, vec![(4.5, value), (94.5, value)]));
    let series = reference.filter(|_| !lines.is_empty()).into_iter().chain(lines).collect();
    Chart { title: title.to_owned(), x_label: "true age".to_owned(), x_decimals: 0, series }
}

fn html(summary: &SetsSummary, with_risk: bool, command: &str) -> String {
    let mut page = head(&format!("FaceGuesser evaluation on {} data sets", summary.sets.len()));
    page += "<style>table{font-size:.85rem}th:first-child,td:first-child{white-space:nowrap}</style>\n";
    if summary.trained_on_validation {
        let _ = writeln!(page, "<p><strong>{TRAINED_ON_VALIDATION}</strong></p>");
    }
    page.push_str(
        "<p>Ages in years. A predicted age counts in whole years: it is in the right bin if it rounds to one of its \
         years, and a minor's if it rounds to less than 18. Where a set does not label something, its figures are \
         left out.</p>\n",
    );
    page.push_str("<h2>The sets</h2>\n");
    let whole = summary.sets.iter().filter_map(|set| Some((set.set.as_str(), &set.groups.first()?.figures)));
    page.push_str(&table("set", whole));
    for (title, file, caption) in [
        ("Ages", "ages.png", "Each line is a set with exact ages."),
        ("Ranges", "ranges.png", "The range is meant to contain the true age of 80 % of the faces of every age."),
    ] {
        page += &section(title, file, caption);
    }
    if with_risk {
        let caption = "Errors of the most confident predictions, from 10 % to all of them, by decade of the true age, over \
                       all sets with exact ages: the lower on the left, the better confidence tells which photos can be \
                       judged.";
        page += &section("Confidence", RISK_CHART, caption);
    }
    for set in &summary.sets {
        let _ = writeln!(page, "<h2>{}</h2>", escaped(&set.set));
        let _ = writeln!(
            page,
            "<p>{} pictures without a detected face, {} unreadable, {} entries without a label.</p>",
            set.faceless, set.unreadable, set.other_entries
        );
        page.push_str(&table("group", set.groups.iter().map(|group| (group.group.as_str(), &group.figures))));
    }
    page + &foot(command)
}

/// A table with those columns that have a value in any row.
fn table<'a>(heading: &str, rows: impl Iterator<Item = (&'a str, &'a Figures)> + Clone) -> String {
    let columns: Vec<_> =
        COLUMNS.iter().filter(|(_, _, value)| rows.clone().any(|(_, figures)| value(figures).is_some())).collect();
    let mut table = format!("<table>\n<tr><th>{heading}");
    columns.iter().for_each(|(_, name, _)| table += &format!("<th>{name}"));
    for (name, figures) in rows {
        let _ = write!(table, "\n<tr><td>{}", escaped(name));
        columns.iter().for_each(|(_, _, value)| table += &format!("<td>{}", value(figures).unwrap_or("–".into())));
    }
    table + "\n</table>\n"
}
