//! Allocations per forward pass, and, by hand, latency and memory of the running program under load:
//!
//!     FACEGUESSER_PROGRAM=target/release/faceguesser FACEGUESSER_PHOTOS=DIR \
//!       cargo test --test suite under_load -- --ignored --nocapture

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use faceguesser::model::estimator::{self, Estimator};
use futures_util::{StreamExt, stream};
use reqwest::Client;
use reqwest::multipart::{Form, Part};

use crate::support::file;
use crate::support::program::{Program, measured_program};

/// The system allocator, counting the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count_allocation() {
    // A thread that is ending has no counter any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is forwarded to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of the second run of `work`.
fn steady_allocations<T>(mut work: impl FnMut() -> T) -> usize {
    work();
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn a_steady_forward_pass_allocates_a_small_fixed_number_of_times() {
    let estimator = Estimator::from_safetensors(estimator::embedded()).unwrap();
    let crop: Vec<u8> = (0..128 * 128).map(|at| (at % 251) as u8).collect();
    for batch in [16, 1, 4] {
        let crops = vec![crop.as_slice(); batch];
        let allocations = steady_allocations(|| estimator.logits(&crops).unwrap());
        println!("{allocations} allocations for {batch} crops");
        assert!(allocations <= MOST_ALLOCATIONS, "{allocations} for {batch} crops");
    }
}

/// The input, the logits, and candle's shapes and handles of these and of the two heads' slices of them;
/// nothing for any of the layers.
const MOST_ALLOCATIONS: usize = 24;

/// Photos sent in total.
const PHOTOS: usize = 10_000;
/// Concurrent requests: enough to keep every worker busy.
const ASKERS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and measures the machine; the head of this file says how to run it"]
async fn under_load_throughput_scales_with_the_cores_and_memory_stays_flat() {
    let program = measured_program();
    let photo = file("FACEGUESSER_PHOTOS", "person-man.jpg");
    let (rate, milliseconds) = single_thread(&program, &photo);
    let cores = std::thread::available_parallelism().unwrap().get();
    println!("one thread: {rate:.1} photos/s, {milliseconds:.2} ms a photo; {cores} cores");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let started = Instant::now();
    let running = Program::start_at(&program, &[("FACEGUESSER__WEB__LISTEN", &listen)]);
    while std::net::TcpStream::connect(&listen).is_err() {
        tokio::task::yield_now().await;
    }
    println!("start to ready: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);

    let client = Client::new();
    let ask = || {
        let form = Form::new().part("photo", Part::bytes(photo.clone()).file_name("photo.jpg"));
        let request = client.post(format!("http://{listen}/api/guess")).multipart(form);
        async move {
            let asked = Instant::now();
            let answer = request.send().await.unwrap();
            let answered = answer.status().is_success();
            answer.bytes().await.unwrap();
            // A full queue refuses the request.
            answered.then(|| asked.elapsed().as_secs_f64() * 1e3)
        }
    };
    let mut unloaded = Vec::new();
    for _ in 0..100 {
        unloaded.push(ask().await.unwrap());
    }
    let (median, p99) = (quantile(&mut unloaded, 0.5), quantile(&mut unloaded, 0.99));
    println!("unloaded: median {median:.2} ms, p99 {p99:.2} ms");

    let begun = Instant::now();
    let mut resident = Vec::new();
    let mut answers = stream::iter((0..PHOTOS).map(|_| ask())).buffer_unordered(ASKERS);
    let mut answered = 0;
    while let Some(answer) = answers.next().await {
        assert!(answer.is_some(), "busy");
        answered += 1;
        if answered % (PHOTOS / 20) == 0 {
            resident.push(running.resident_megabytes());
        }
    }
    let loaded = PHOTOS as f64 / begun.elapsed().as_secs_f64();
    let share = 100.0 * loaded / (rate * cores as f64);
    println!("{ASKERS} concurrent requests: {loaded:.1} photos/s, {share:.0} % of {cores} × one thread");
    println!("resident MB after each twentieth of {PHOTOS} photos: {resident:.1?}");

    // Requests at equal intervals, whether or not earlier ones have been answered.
    let step = Duration::from_secs_f64(1.0 / (0.8 * loaded));
    let first = tokio::time::Instant::now();
    let arrivals = (0..(20.0 * 0.8 * loaded) as u32).map(|at| {
        let asked = ask();
        tokio::spawn(async move {
            tokio::time::sleep_until(first + step * at).await;
            asked.await
        })
    });
    let answers: Vec<_> = stream::iter(arrivals).buffer_unordered(usize::MAX >> 8).map(Result::unwrap).collect().await;
    let mut times: Vec<f64> = answers.iter().copied().flatten().collect();
    let (at_80, p99_at_80) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    println!("at 80 %: median {at_80:.2} ms, p99 {p99_at_80:.2} ms, {:.1} × the unloaded median", p99_at_80 / median);
    println!("refused as busy: {} of {}", answers.len() - times.len(), answers.len());

    let half = &resident[resident.len() / 2..];
    let (least, most) = half.iter().fold((f64::MAX, 0f64), |(least, most), &value| (least.min(value), most.max(value)));
    assert!(most <= 150.0 && most <= least * 1.1, "{resident:?}");
}

/// One kind of photo in the mix.
struct Kind {
    name: &'static str,
    photo: Vec<u8>,
    /// How many of ten requests are of this kind.
    share: usize,
    /// Median latency without load, in milliseconds.
    alone: f64,
}

/// The highest p99 latency at 80 % of the throughput, as a multiple of the same kind's latency alone.
const MOST_UNDER_LOAD: f64 = 4.0;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and measures the machine; the head of this file says how to run it"]
async fn under_load_of_a_mix_every_kind_of_photo_is_answered_soon() {
    let program = measured_program();
    let kind = |name, photo: &str, share| {
        let photo = file("FACEGUESSER_PHOTOS", photo);
        Kind { name, photo, share, alone: f64::MAX }
    };
    let mut kinds = [
        kind("portrait", "person-woman.jpg", 5),
        kind("group", "person-group.jpg", 2),
        kind("nobody", "nature-landscape.jpg", 3),
    ];
    let running = Program::start_at(&program, &[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    let page = running.page().await;
    let client = Client::new();
    // Milliseconds from request to answer; `None` where the queue was full.
    let ask = |photo: Vec<u8>, visitor: usize| {
        let form = Form::new().part("photo", Part::bytes(photo).file_name("photo.jpg"));
        let address = format!("203.0.{}.{}", visitor / 250 % 250, visitor % 250);
        let request = client.post(format!("{page}api/guess")).header("x-forwarded-for", address).multipart(form);
        async move {
            let asked = Instant::now();
            let answer = request.send().await.unwrap();
            let answered = answer.status().is_success();
            answer.bytes().await.unwrap();
            answered.then(|| asked.elapsed().as_secs_f64() * 1e3)
        }
    };
    for kind in &mut kinds {
        let mut times = Vec::new();
        for visitor in 0..40 {
            times.push(ask(kind.photo.clone(), visitor).await.unwrap());
        }
        kind.alone = quantile(&mut times, 0.5);
        println!("alone, {}: median {:.1} ms, p99 {:.1}", kind.name, kind.alone, quantile(&mut times, 0.99));
    }
    // The kind of each of ten successive requests.
    let order: Vec<usize> = (0..10).map(|at| [0, 2, 0, 1, 0, 2, 0, 1, 0, 2][at]).collect();
    for (at, kind) in kinds.iter().enumerate() {
        assert_eq!(order.iter().filter(|kind| **kind == at).count(), kind.share);
    }
    let begun = Instant::now();
    let asked = (0..1000).map(|at| ask(kinds[order[at % 10]].photo.clone(), at));
    let answered = stream::iter(asked).buffer_unordered(ASKERS).filter_map(std::future::ready).count().await;
    let rate = answered as f64 / begun.elapsed().as_secs_f64();
    println!("{ASKERS} concurrent requests: {rate:.1} photos/s of the mix");

    let step = Duration::from_secs_f64(1.0 / (0.8 * rate));
    let first = tokio::time::Instant::now();
    let arrivals = (0..(40.0 * 0.8 * rate) as usize).map(|at| {
        let kind = order[at % 10];
        let asked = ask(kinds[kind].photo.clone(), at);
        tokio::spawn(async move {
            let due = first + step * at as u32;
            tokio::time::sleep_until(due).await;
            // The client's own delay: its timer, and the cores that it shares with the program.
            let late = due.elapsed().as_secs_f64() * 1e3;
            (kind, late, asked.await)
        })
    });
    let answers: Vec<_> = stream::iter(arrivals).buffer_unordered(usize::MAX >> 8).map(Result::unwrap).collect().await;
    let mut late: Vec<f64> = answers.iter().map(|(_, late, _)| *late).collect();
    println!("the client's own delay: p99 {:.1} ms", quantile(&mut late, 0.99));
    for (at, kind) in kinds.iter().enumerate() {
        let of_kind = answers.iter().filter(|(kind, ..)| *kind == at);
        let mut times: Vec<f64> = of_kind.clone().filter_map(|(.., took)| *took).collect();
        let refused = of_kind.count() - times.len();
        let (median, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
        println!(
            "at 80 %, {}: median {median:.1} ms, p99 {p99:.1} ms, {:.1} × alone; {refused} refused as busy",
            kind.name,
            p99 / kind.alone
        );
        assert!(refused == 0 && p99 <= MOST_UNDER_LOAD * kind.alone);
    }
}

/// Photos per second and milliseconds per photo on one thread, as `bench` measures them.
fn single_thread(program: &str, photo: &[u8]) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("photo.jpg");
    std::fs::write(&file, photo).unwrap();
    let bench = Command::new(program).args(["bench", "--json", "--threads", "1", "--seconds", "3"]).arg(&file).output();
    let report: serde_json::Value = serde_json::from_slice(&bench.unwrap().stdout).unwrap();
    let rate = report["throughput"][0]["photos_per_second"].as_f64().unwrap();
    (rate, report["photos"][0]["milliseconds"]["path"]["median"].as_f64().unwrap())
}

pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
