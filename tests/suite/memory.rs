//! Peak memory with many concurrent requests, each with one of the largest files that the limits permit.

use super::support::bombs::{deep_png, gif, jpeg, webp};
use super::support::program::Program;

/// The highest peak above the idle program, in megabytes.
const MOST: f64 = 256.0;
const ASKERS: usize = 64;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads memory from /proc")]
async fn many_requests_with_the_largest_files_stay_within_the_memory_budget() {
    let mut program = Program::start(&[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    let page = program.page().await;
    let client = reqwest::Client::new();
    let ask = async |file: Vec<u8>| {
        let form = reqwest::multipart::Form::new().part("photo", reqwest::multipart::Part::bytes(file).file_name("x"));
        let answer = client.post(format!("{page}api/guess?card=1")).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // Both networks have run once before the idle program's memory is measured.
    assert_eq!(ask(super::support::photo_with_faces(3)).await.0, 200);
    let idle = program.resident_megabytes();
    let files = [
        jpeg(8000, 6000, true),
        jpeg(8000, 6000, false),
        deep_png(7000, 7000),
        webp(3900, 3000),
        gif(3000, 2000),
        super::support::photo_with_faces(8),
    ];
    for file in &files {
        assert!(file.len() < 20 << 20, "{} bytes", file.len());
    }
    let asked = (0..ASKERS).map(|index| ask(files[index % files.len()].clone()));
    let answers = futures_util::future::join_all(asked).await;
    let peak = program.peak_megabytes();
    let count = |status: u16| answers.iter().filter(|(answered, _)| *answered == status).count();
    println!(
        "idle {idle:.0} MB, {:.0} MB above it at most; {} answered, {} refused as busy",
        peak - idle,
        count(200),
        count(503)
    );
    assert_eq!(
        count(200) + count(503),
        ASKERS,
        "{:?}",
        answers.iter().find(|(status, _)| ![200, 503].contains(status))
    );
    assert!(count(200) >= ASKERS / 4);
    assert!(peak - idle <= MOST, "{peak:.0} MB at most, {idle:.0} MB idle");
    assert!(program.is_running());
}
