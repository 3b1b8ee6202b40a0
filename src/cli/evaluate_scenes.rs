//! `faceguesser evaluate --scenes`: measures the face finder on photographs with labelled boxes.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::evaluate::Arguments;
use super::output::{print_error, print_line};
use crate::config::Config;
use crate::evaluation::scene_sheet;
use crate::evaluation::scenes::{SceneScores, measure_scene, scene_scores, scenes};
use crate::setup;
use faceguesser_vision::SEARCH_SIDE;

/// Photographs of crowds have more faces than replies name.
const MAX_FACES: usize = 200;

/// Prints the metrics and, with `--report`, writes a picture of the mistakes.
pub(super) fn run(folder: &Path, arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let finder = setup::face_finder(config, MAX_FACES)?;
    let scenes = scenes(folder, arguments.held_out)?;
    let results =
        scenes.iter().map(|scene| measure_scene(scene, &finder, SEARCH_SIDE)).collect::<Result<Vec<_>, _>>()?;
    let scores = scene_scores(&results);
    if arguments.json {
        print_line(serde_json::to_string(&scores)?)?;
    } else {
        print_table(&scores)?;
    }
    if let Some(report) = &arguments.report {
        std::fs::create_dir_all(report).with_context(|| format!("{} cannot be created", report.display()))?;
        let sheet = report.join("scenes.png");
        scene_sheet::write(&sheet, &results)?;
        print_error(format_args!("report: {}", sheet.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_table(scores: &SceneScores) -> std::io::Result<()> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let time = |[median, p95]: [f64; 2]| format!("median {median:.1} ms, 95th percentile {p95:.1} ms");
    let mut rows = vec![
        ("photographs with faces".to_owned(), scores.photographs.to_string()),
        ("labelled faces".to_owned(), scores.faces.to_string()),
        ("found".to_owned(), percent(scores.recall)),
        ("found, from 60 pixels".to_owned(), percent(scores.recall_from_60)),
        ("extra boxes per 100 photographs".to_owned(), format!("{:.1}", scores.extra_per_100)),
    ];
    for size in &scores.sizes {
        rows.push((format!("found, from {} pixels", size.from), format!("{} of {}", size.found, size.faces)));
    }
    rows.push((
        "false alarms, pictures without faces".to_owned(),
        format!("{} of {}", scores.false_alarms, scores.nobody),
    ));
    rows.push(("time, with faces".to_owned(), time(scores.milliseconds)));
    rows.push(("time, without faces".to_owned(), time(scores.milliseconds_nobody)));
    for (name, value) in rows {
        if !print_line(format_args!("{name:<40}{value}"))? {
            break;
        }
    }
    Ok(())
}
