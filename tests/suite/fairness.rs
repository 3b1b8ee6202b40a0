//! One person's portrait beside forty people who post crowds and landscapes without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::support::program::Program;

const FLOODING: usize = 40;

/// Asks for a photo as somebody behind a reverse proxy; how long the answer took.
async fn ask(client: &reqwest::Client, page: &str, visitor: &str, photo: Bytes) -> (u16, Duration) {
    let begun = Instant::now();
    let part = reqwest::multipart::Part::stream_with_length(photo.clone(), photo.len() as u64).file_name("x.jpg");
    let form = reqwest::multipart::Form::new().part("photo", part);
    let request = client.post(format!("{page}api/guess")).header("x-forwarded-for", visitor).multipart(form);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    answer.bytes().await.unwrap();
    (status, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portrait_waits_for_the_photo_under_way_and_not_for_a_flood() {
    let Some(photos) = super::support::folder("FACEGUESSER_PHOTOS") else { return };
    let read = |name: &str| Bytes::from(std::fs::read(photos.join(name)).unwrap());
    let (portrait, crowds) = (read("person-woman.jpg"), [read("person-group.jpg"), read("nature-landscape.jpg")]);
    let program = Program::start(&[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    let page = program.page().await;
    let client = reqwest::Client::new();
    let mut alone = [Duration::MAX; 3];
    for _ in 0..3 {
        for (best, photo) in alone.iter_mut().zip([&portrait, &crowds[0], &crowds[1]]) {
            *best = (*best).min(ask(&client, &page, "203.0.113.250", photo.clone()).await.1);
        }
    }
    let heaviest = alone[1].max(alone[2]);
    let (stop, posted) = (Arc::new(AtomicBool::new(false)), Arc::new(Semaphore::new(0)));
    let flood = (0..FLOODING).map(|person| {
        let (client, page, photo) = (client.clone(), page.clone(), crowds[person % 2].clone());
        let (stop, posted) = (stop.clone(), posted.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                ask(&client, &page, &format!("203.0.113.{person}"), photo.clone()).await;
                posted.add_permits(1);
            }
        })
    });
    let flood: Vec<_> = flood.collect();
    // Everybody has had something by now.
    posted.acquire_many(2 * FLOODING as u32).await.unwrap().forget();
    let mut beside = Vec::new();
    for _ in 0..15 {
        let (status, took) = ask(&client, &page, "203.0.113.200", portrait.clone()).await;
        assert_eq!(status, 200);
        beside.push(took);
    }
    stop.store(true, Ordering::Relaxed);
    for person in flood {
        person.await.unwrap();
    }
    beside.sort();
    let (median, slowest) = (beside[beside.len() / 2], beside[beside.len() - 1]);
    println!(
        "alone: portrait {:?}, heaviest {heaviest:?}; portrait beside {FLOODING}: median {median:?}, slowest {slowest:?}",
        alone[0]
    );
    // One of the photos under way must end, and other tests take their share of the cores. In the order
    // of arrival it would wait for some twenty.
    assert!(median < heaviest * 8, "{median:?} beside photos of {heaviest:?}");
}
