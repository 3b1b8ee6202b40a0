//! Charts as PNG files: lines and dots in one or more panels side by side.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::register_font;

pub use plotters::style::RGBColor;

const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-subset.ttf");
/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (600, 520);

/// The colour of a second series.
pub const ORANGE: RGBColor = RGBColor(230, 126, 34);
/// The colour of the main series.
pub const BLUE: RGBColor = RGBColor(31, 97, 171);
/// The colour of references to compare with.
pub const GREY: RGBColor = RGBColor(150, 150, 150);
/// The colours of several lines, in order.
pub const COLOURS: [RGBColor; 6] =
    [BLUE, ORANGE, RGBColor(39, 134, 79), RGBColor(142, 68, 173), RGBColor(192, 57, 43), RGBColor(90, 90, 90)];

/// One panel.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The caption above the panel.
    pub title: String,
    /// Label of the x axis; the title labels the y axis.
    pub x_label: String,
    /// Decimal places of the x axis's numbers.
    pub x_decimals: usize,
    /// What is drawn, from back to front.
    pub series: Vec<Series>,
}

/// One series of points.
#[derive(Debug, Clone)]
pub struct Series {
    /// Name in the legend; not listed if empty.
    pub name: String,
    /// The colour of the line or dots.
    pub colour: RGBColor,
    /// Pairs of x and y in the units of the axes.
    pub points: Vec<(f64, f64)>,
    /// Whether the points are joined by a line, instead of drawn as translucent dots.
    pub joined: bool,
}

impl Series {
    /// Points joined by a line.
    pub fn line(name: &str, colour: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), colour, points, joined: true }
    }

    /// Translucent dots.
    pub fn dots(colour: RGBColor, points: Vec<(f64, f64)>) -> Self {
        Self { name: String::new(), colour, points, joined: false }
    }
}

/// Draws `charts` side by side into a PNG file; points that are not finite are skipped.
///
/// # Errors
/// When the file cannot be drawn or written.
pub fn draw(path: &Path, charts: &[Chart]) -> Result<(), Box<dyn std::error::Error>> {
    // Registering the font more than once is harmless.
    register_font("sans-serif", FontStyle::Normal, FONT).map_err(|_| "the compiled-in font is unusable")?;
    let (width, height) = (PANEL.0 * charts.len().max(1) as u32, PANEL.1);
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        area.fill(&WHITE)?;
        for (area, chart) in area.split_evenly((1, charts.len().max(1))).iter().zip(charts) {
            draw_panel(area, chart)?;
        }
        area.present()?;
    }
    Ok(image::save_buffer(path, &pixels, width, height, image::ColorType::Rgb8)?)
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn draw_panel(area: &Area<'_>, chart: &Chart) -> Result<(), Box<dyn std::error::Error>> {
    let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let points = || chart.series.iter().flat_map(|series| series.points.iter().filter(finite));
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (left, mut right) = range(&mut points().map(|point| point.0));
    let (low, high) = range(&mut points().map(|point| point.1));
    if left > right {
        return Ok(());
    }
    if left == right {
        right += 1.0;
    }
    let margin = ((high - low) * 0.1).max(0.01);
    let mut context = ChartBuilder::on(area)
        .caption(&chart.title, ("sans-serif", 24))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(left..right, low - margin..high + margin)?;
    context
        .configure_mesh()
        .x_desc(&chart.x_label)
        .x_label_formatter(&|value| format!("{value:.*}", chart.x_decimals))
        .label_style(("sans-serif", 16))
        .light_line_style(WHITE)
        .draw()?;
    for series in &chart.series {
        let (colour, points) = (series.colour, series.points.iter().filter(finite).copied());
        if !series.joined {
            context.draw_series(points.map(|point| Circle::new(point, 2, colour.mix(0.25).filled())))?;
            continue;
        }
        let drawn = context.draw_series(LineSeries::new(points, colour.stroke_width(3)))?;
        if !series.name.is_empty() {
            drawn
                .label(&series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(3)));
        }
    }
    if chart.series.iter().any(|series| !series.name.is_empty()) {
        context
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 18))
            .draw()?;
    }
    Ok(())
}
