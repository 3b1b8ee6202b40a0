//! `faceguesser bench`: measures the speed of this machine, stage by stage.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, imageops};
use serde::Serialize;
use std::io::Cursor;
use std::process::ExitCode;

use super::check;
use super::output::print_line;
use crate::config::Config;
use crate::face::crop::SIDE;
use crate::model;
use crate::model::estimator::Estimator;
use crate::setup;
use crate::{Framing, Guesser, StageTimes};

/// Options of `bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Photos to measure with; the default is a bundled face in pictures of common sizes.
    #[arg(value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Threads of the throughput measurement; the default is the number of workers (inference.workers).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Seconds for each measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    if (0.01..=600.0).contains(&value) { Ok(value) } else { Err("give 0.01 to 600 seconds".into()) }
}

/// Sizes of the pictures that are made when none is named: what Telegram sends, and what a phone takes.
const USUAL_SIZES: [(u32, u32); 2] = [(1280, 960), (4000, 3000)];
/// Faces in one pass of the estimator.
const BATCHES: [usize; 3] = [1, 4, 16];

/// What was measured.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    instruction_set: &'static str,
    /// Of the machine.
    cores: usize,
    photos: Vec<PhotoTimes>,
    /// One pass of the estimator over crops, one view each.
    forward: Vec<ForwardTimes>,
    throughput: Vec<Throughput>,
}

/// The times of one photo on one thread, in milliseconds.
#[derive(Serialize)]
struct PhotoTimes {
    file: String,
    width: u32,
    height: u32,
    faces: usize,
    milliseconds: Stages,
}

#[derive(Serialize)]
struct Stages {
    decode: Spread,
    find: Spread,
    cut: Spread,
    estimate: Spread,
    path: Spread,
}

#[derive(Serialize)]
struct ForwardTimes {
    batch: usize,
    milliseconds: Spread,
}

/// All photos in turn on this many threads at once.
#[derive(Serialize)]
struct Throughput {
    threads: usize,
    photos_per_second: f64,
}

/// Milliseconds of many runs.
#[derive(Serialize)]
struct Spread {
    median: f64,
    p10: f64,
    p90: f64,
    p99: f64,
    runs: usize,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let index = ((times.len() as f64 - 1.0).max(0.0) * share).round() as usize;
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { median: at(0.5), p10: at(0.1), p90: at(0.9), p99: at(0.99), runs: times.len() }
    }
}

/// A photo in memory.
struct Photo {
    name: String,
    bytes: Vec<u8>,
}

/// Measures and prints.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let photos = if arguments.photos.is_empty() { usual_photos()? } else { named(&arguments.photos)? };
    let guesser = setup::guesser(config, config.decode_limits())?;
    let time = Duration::from_secs_f64(arguments.seconds);
    let workers = config.pool_options().workers;
    let most = arguments.threads.map_or(workers, usize::from);
    let photo_times = photos.iter().map(|photo| photo_times(&guesser, photo, time)).collect::<anyhow::Result<_>>()?;
    let estimator = setup::face_estimator(config)?;
    let forward = BATCHES.into_iter().map(|batch| forward_times(&estimator, batch, time));
    let mut counts = vec![1, most];
    counts.dedup();
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        instruction_set: model::instruction_set(),
        cores: std::thread::available_parallelism()?.get(),
        photos: photo_times,
        forward: forward.collect::<anyhow::Result<_>>()?,
        throughput: counts.into_iter().map(|threads| throughput(&guesser, &photos, threads, time)).collect(),
    };
    let text = if arguments.json { serde_json::to_string(&report)? } else { tables(&report) };
    print_line(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn named(paths: &[PathBuf]) -> anyhow::Result<Vec<Photo>> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
        Ok(Photo { name, bytes })
    };
    paths.iter().map(read).collect()
}

/// The bundled face, a third of the picture's height, on plain grey, as JPEGs.
fn usual_photos() -> anyhow::Result<Vec<Photo>> {
    let face = image::load_from_memory(check::MEAN_FACE)?.into_luma8();
    let encode = |(width, height): (u32, u32)| {
        let side = height / 3;
        let face = imageops::resize(&face, side, side, imageops::FilterType::Triangle);
        let mut picture = GrayImage::from_pixel(width, height, image::Luma([128]));
        imageops::replace(&mut picture, &face, i64::from((width - side) / 2), i64::from((height - side) / 2));
        // Colour, as photos are: its planes have to be passed over.
        let picture: RgbImage = DynamicImage::ImageLuma8(picture).into_rgb8();
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg)?;
        Ok(Photo { name: format!("bundled face in {width}×{height}"), bytes: bytes.into_inner() })
    };
    USUAL_SIZES.into_iter().map(encode).collect()
}

/// Runs `work` once unmeasured, then until `time` is over, but at least three times.
fn repeated<T>(time: Duration, mut work: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    work()?;
    let end = Instant::now() + time;
    let mut results = Vec::new();
    while results.len() < 3 || Instant::now() < end {
        results.push(work()?);
    }
    Ok(results)
}

fn photo_times(guesser: &Guesser, photo: &Photo, time: Duration) -> anyhow::Result<PhotoTimes> {
    let (first, _) = guesser.timed(&photo.bytes, Framing::Find).with_context(|| photo.name.clone())?;
    let runs = repeated(time, || {
        let started = Instant::now();
        let (_, stages) = guesser.timed(&photo.bytes, Framing::Find)?;
        Ok((stages, started.elapsed()))
    })?;
    let spread =
        |stage: fn(&StageTimes) -> Duration| Spread::of(runs.iter().map(|(stages, _)| stage(stages)).collect());
    Ok(PhotoTimes {
        file: photo.name.clone(),
        width: first.width,
        height: first.height,
        faces: first.faces.len(),
        milliseconds: Stages {
            decode: spread(|stages| stages.decode),
            find: spread(|stages| stages.find),
            cut: spread(|stages| stages.cut),
            estimate: spread(|stages| stages.estimate),
            path: Spread::of(runs.iter().map(|(_, path)| *path).collect()),
        },
    })
}

fn forward_times(estimator: &Estimator, batch: usize, time: Duration) -> anyhow::Result<ForwardTimes> {
    // A pattern: the time does not depend on what is seen.
    let crop: Vec<u8> = (0..SIDE * SIDE).map(|at| (at % 251) as u8).collect();
    let crops = vec![crop.as_slice(); batch];
    let times = repeated(time, || {
        let started = Instant::now();
        black_box(estimator.logits(&crops)?);
        Ok(started.elapsed())
    })?;
    Ok(ForwardTimes { batch, milliseconds: Spread::of(times) })
}

fn throughput(guesser: &Guesser, photos: &[Photo], threads: usize, time: Duration) -> Throughput {
    let started = Instant::now();
    let end = started + time;
    let work = |offset: usize| {
        let mut done = 0;
        for photo in photos.iter().cycle().skip(offset) {
            // A photo that has no answer was refused above already.
            black_box(guesser.timed(&photo.bytes, Framing::Find).is_ok());
            done += 1;
            // Only whole rounds, so that every photo has the same weight.
            if Instant::now() >= end && done % photos.len() == 0 {
                break;
            }
        }
        done as f64 / started.elapsed().as_secs_f64()
    };
    let rate = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread % photos.len()))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).sum()
    });
    Throughput { threads, photos_per_second: rate }
}

fn tables(report: &Report) -> String {
    let mut text = format!(
        "faceguesser {}, {} of {} cores at a time, kernels for {}\n\nmilliseconds, medians on one thread\n",
        report.version, 1, report.cores, report.instruction_set
    );
    let head = ["decode", "find", "cut", "estimate", "path", "p90", "p99"];
    text += &format!("{:<44} {:>5}", "photo", "faces");
    head.iter().for_each(|name| text += &format!(" {name:>8}"));
    text += "\n";
    for photo in &report.photos {
        let Stages { decode, find, cut, estimate, path } = &photo.milliseconds;
        let name = format!("{} ({}×{})", photo.file, photo.width, photo.height);
        text += &format!("{name:<44} {:>5}", photo.faces);
        let medians = [decode, find, cut, estimate, path].map(|stage| stage.median);
        medians.into_iter().chain([path.p90, path.p99]).for_each(|value| text += &format!(" {value:>8.2}"));
        text += "\n";
    }
    text += "\none pass of the age and gender network, one thread\n";
    for forward in &report.forward {
        let (batch, median) = (forward.batch, forward.milliseconds.median);
        text += &format!("{batch:>3} faces {median:>8.2} ms, {:.2} ms a face\n", median / batch as f64);
    }
    text += "\nall photos in turn\n";
    for throughput in &report.throughput {
        text += &format!("{:>3} threads {:>8.1} photos a second\n", throughput.threads, throughput.photos_per_second);
    }
    text
}
