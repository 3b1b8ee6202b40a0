//! The accuracy on the page: tables with a bar for each figure, made from those that the model card states.

use std::fmt::Write;

use super::site::escape_html;
use crate::bot::languages::{Language, Value};

const MODEL_CARD: &str = include_str!("../../../models/MODEL_CARD.md");

/// The groups of the model card by the data set's labels, and the messages that name them.
const GROUPS: [(&str, &str); 7] = [
    ("labelled female", "about-group-female"),
    ("labelled male", "about-group-male"),
    ("White", "about-group-white"),
    ("Black", "about-group-black"),
    ("Asian", "about-group-asian"),
    ("Indian", "about-group-indian"),
    ("Others", "about-group-others"),
];

/// One line of the model card's table.
#[derive(Debug, PartialEq)]
struct Figures {
    /// A range of ages, such as "20 to 29", or a group.
    name: &'static str,
    faces: u32,
    /// Mean absolute error of the age, in years.
    age_error: f32,
    /// Share of faces whose gender is right, in percent.
    gender: f32,
}

/// The lines of the table of groups in the order of the model card.
fn table() -> impl Iterator<Item = Figures> {
    MODEL_CARD.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let &[name, faces, age_error, gender, _coverage] = columns.as_slice() else { return None };
        let gender = gender.strip_suffix(" %")?.parse().ok()?;
        Some(Figures { name, faces: faces.parse().ok()?, age_error: age_error.parse().ok()?, gender })
    })
}

/// The value of a line such as `gender accuracy     93.81 %`, without its unit.
fn overall(name: &str) -> &'static str {
    let line = MODEL_CARD.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("  "));
    line.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?")
}

/// A decade of the table: both ends.
fn decade(name: &str) -> Option<(u32, u32)> {
    let (first, last) = name.split_once(" to ")?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The figures over all faces, in one paragraph.
pub(super) fn summary(language: Language) -> String {
    let decimal = |name| localised(language, overall(name).to_owned());
    let (age, gender, coverage) =
        (decimal("age error (MAE)"), decimal("gender accuracy"), decimal("coverage of the 80 % age interval"));
    let text = |value| Value::from(value);
    let variables = [
        ("faces", text(overall("photos"))),
        ("age", text(age.as_str())),
        ("gender", text(gender.as_str())),
        ("coverage", text(coverage.as_str())),
    ];
    escape_html(&language.message_with("about-accuracy-summary", &variables))
}

/// The accuracy by decade of the true age.
pub(super) fn by_age(language: Language) -> String {
    let rows = table().filter_map(|figures| decade(figures.name).map(|(low, high)| (format!("{low}–{high}"), figures)));
    draw(language, "about-by-age", "about-age", rows.collect())
}

/// The accuracy by the data set's labels.
pub(super) fn by_group(language: Language) -> String {
    let rows = GROUPS.iter().filter_map(|(name, id)| {
        table().find(|figures| figures.name == *name).map(|figures| (language.message(id), figures))
    });
    draw(language, "about-by-group", "about-group", rows.collect())
}

fn draw(language: Language, caption: &str, first: &str, rows: Vec<(String, Figures)>) -> String {
    let longest = rows.iter().map(|(_, figures)| figures.age_error).fold(1.0, f32::max);
    let message = |id: &str| escape_html(&language.message(id));
    let mut html = format!("<table class=\"figures\"><caption>{}</caption><thead><tr>", message(caption));
    for id in [first, "about-faces", "about-age-error", "about-gender-right"] {
        let _ = write!(html, "<th scope=\"col\">{}</th>", message(id));
    }
    html += "</tr></thead><tbody>";
    for (name, Figures { faces, age_error, gender, .. }) in rows {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th><td>{faces}</td>", escape_html(&name));
        html += &bar(&localised(language, format!("{age_error:.1}")), age_error / longest);
        html += &bar(&format!("{gender:.0} %"), gender / 100.0);
        html += "</tr>";
    }
    html + "</tbody></table>"
}

/// A cell with its figure and a bar of this share of the cell's width.
fn bar(figure: &str, share: f32) -> String {
    let percent = 100.0 * share.clamp(0.0, 1.0);
    format!(
        "<td><span>{figure}</span><svg class=\"bar\" aria-hidden=\"true\"><rect class=\"track\" width=\"100%\" \
         height=\"100%\"/><rect class=\"share\" width=\"{percent:.1}%\" height=\"100%\"/></svg></td>"
    )
}

/// A decimal number as the language writes it.
fn localised(language: Language, number: String) -> String {
    match language {
        Language::English | Language::Japanese => number,
        Language::Czech
        | Language::German
        | Language::Spanish
        | Language::French
        | Language::Portuguese
        | Language::Ukrainian => number.replace('.', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plots_show_what_the_model_card_states() {
        let decades: Vec<_> = table().filter_map(|figures| decade(figures.name)).collect();
        assert_eq!(decades.first(), Some(&(0, 9)));
        assert!(decades.len() >= 9 && decades.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1), "{decades:?}");
        for (name, _) in GROUPS {
            let figures = table().find(|figures| figures.name == name).unwrap_or_else(|| panic!("no line of {name}"));
            assert!(figures.faces > 100 && figures.age_error > 1.0 && figures.gender > 80.0, "{figures:?}");
        }
        let summary = summary(Language::German);
        assert!(!summary.contains('?') && summary.contains(overall("photos")) && summary.contains(','), "{summary}");
        let table = by_age(Language::English);
        assert_eq!(table.matches("<tr>").count(), decades.len() + 1);
        assert!(table.contains("<th scope=\"row\">20–29</th>"), "{table}");
    }
}
