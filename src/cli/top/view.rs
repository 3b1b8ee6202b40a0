//! Draws what a bot does into a terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Sparkline, Table};

use super::History;
use super::sample::Sample;

/// The least width of the two tables beside each other.
const WIDE: u16 = 100;

/// Draws the latest sample, with rates since the oldest one of the history.
pub fn draw(frame: &mut Frame<'_>, history: &History) {
    let Some(now) = history.latest() else {
        let text = history.problem.as_deref().unwrap_or("asking the bot …");
        frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" FaceGuesser ")), frame.area());
        return;
    };
    let reasons = u16::try_from(history.reasons.len() + usize::from(history.problem.is_some())).unwrap_or(u16::MAX);
    let [head, state, rates, tables] = Layout::vertical([
        Constraint::Length(1 + reasons.min(4)),
        Constraint::Length(3),
        Constraint::Length(5),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    frame.render_widget(header(now, history), head);
    draw_state(frame, state, now);
    let shown = history.rates.len().saturating_sub(usize::from(rates.width.saturating_sub(2)));
    let bars = Sparkline::default().data(history.rates[shown..].iter().copied()).style(Color::Cyan);
    frame.render_widget(bars.block(Block::bordered().title(" photos a second ")), rates);
    if tables.width >= WIDE {
        let [left, right] = Layout::horizontal([Constraint::Percentage(52), Constraint::Percentage(48)]).areas(tables);
        frame.render_widget(stages(now, history), left);
        frame.render_widget(counts(now, history), right);
    } else {
        let [above, below] = Layout::vertical([Constraint::Length(12), Constraint::Min(3)]).areas(tables);
        frame.render_widget(stages(now, history), above);
        frame.render_widget(counts(now, history), below);
    }
}

fn header<'a>(now: &'a Sample, history: &'a History) -> Paragraph<'a> {
    let mut words = vec![Span::from("FaceGuesser ").bold(), Span::from(now.version()), Span::from("  ")];
    for (platform, ready) in now.by("faceguesser_platform_ready", "platform") {
        let (sign, colour) = if ready > 0.0 { ("●", Color::Green) } else { ("○", Color::Red) };
        words.push(Span::from(format!("{sign} {platform}  ")).fg(colour));
    }
    words.push(Span::from(format!("up {}", duration(now.elapsed(None).as_secs()))).dim());
    let problems = history.reasons.iter().chain(&history.problem);
    let problems = problems.map(|reason| Line::from(format!("  {reason}")).style(Color::Red));
    Paragraph::new(std::iter::once(Line::from(words)).chain(problems).collect::<Vec<_>>())
}

fn draw_state(frame: &mut Frame<'_>, area: Rect, now: &Sample) {
    let [workers, queue, memory] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
    let (busy, all) = (now.value("faceguesser_workers_busy"), now.value("faceguesser_workers"));
    let gauge = Gauge::default()
        .ratio((busy / all.max(1.0)).clamp(0.0, 1.0))
        .label(format!("{busy} of {all} busy"))
        .gauge_style(Style::new().fg(Color::Cyan).bg(Color::Black));
    frame.render_widget(gauge.block(Block::bordered().title(" workers ")), workers);
    let waiting = now.value("faceguesser_queue_depth");
    let faces = now.value("faceguesser_batch_faces_sum") / now.value("faceguesser_batch_faces_count").max(1.0);
    let text = format!("{waiting} waiting, {faces:.1} faces a pass");
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" queue ")), queue);
    let text = format!("{:.0} MiB resident", now.value("process_resident_memory_bytes") / f64::from(1 << 20));
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" memory ")), memory);
}

fn stages(now: &Sample, history: &History) -> Table<'static> {
    let seconds = now.elapsed(history.oldest()).as_secs_f64().max(0.001);
    let rows = now.stages(history.oldest()).into_iter().map(|stage| {
        let rate = format!("{:.2}", stage.count / seconds);
        Row::new([stage.name, rate, time(stage.mean), time(stage.median), time(stage.slow)])
    });
    let widths = [10, 8, 10, 10, 10].map(Constraint::Length);
    let names = Row::new(["stage", "a second", "mean", "median", "99 %"]).bold();
    Table::new(rows, widths).header(names).block(Block::bordered().title(format!(" stages, {} ", history.span(now))))
}

fn counts(now: &Sample, history: &History) -> Table<'static> {
    let mut rows = Vec::new();
    for (title, metric, label) in [
        ("photos", "faceguesser_photos_total", "platform"),
        ("outcome", "faceguesser_photos_total", "outcome"),
        ("refused", "faceguesser_refusals_total", "kind"),
        ("errors of", "faceguesser_platform_errors_total", "platform"),
    ] {
        let recent = now.since(history.oldest(), metric, label);
        for (name, total) in now.by(metric, label) {
            let recent = recent.get(&name).copied().unwrap_or_default();
            rows.push(Row::new([title.to_owned(), name, format!("{recent}"), format!("{total}")]));
        }
    }
    let widths = [Constraint::Length(10), Constraint::Fill(1), Constraint::Length(9), Constraint::Length(9)];
    let names = Row::new(["", "", "recently", "in all"]).bold();
    Table::new(rows, widths).header(names).block(Block::bordered().title(format!(" counts, {} ", history.span(now))))
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// Seconds as the two largest units of days, hours, minutes and seconds.
pub fn duration(seconds: u64) -> String {
    match (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    #[test]
    fn every_size_of_terminal_is_drawn_into_also_without_a_sample() {
        let text = "process_start_time_seconds 1\nfaceguesser_build_info{version=\"9.8.7\"} 1\n\
                    faceguesser_platform_ready{platform=\"discord\"} 0";
        let mut shown = History::default();
        shown.add(Sample::parse(text), vec!["discord: refuses the token".into()]);
        for history in [History::default(), shown] {
            for (width, height) in [(1, 1), (20, 5), (80, 24), (200, 60)] {
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                terminal.draw(|frame| draw(frame, &history)).unwrap();
                let drawn = terminal.backend().to_string();
                assert!(width < 80 || history.latest().is_none() || drawn.contains("9.8.7"), "{drawn}");
            }
        }
    }

    #[test]
    fn durations_have_two_units() {
        let words = [5, 65, 3700, 90_000].map(duration);
        assert_eq!(words, ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
    }
}
