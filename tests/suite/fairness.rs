//! The latency of one person's portrait while forty others post group photos and landscapes non-stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::support::file;
use super::support::program::Program;

const FLOODING: usize = 40;

/// Posts a photo as a visitor behind a reverse proxy; returns the status and the time to the whole answer.
async fn guess(client: &reqwest::Client, page: &str, visitor: &str, photo: Bytes) -> (u16, Duration) {
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
#[cfg_attr(not(with_photos), ignore = "set FACEGUESSER_PHOTOS to the folder of the photographs")]
async fn a_portrait_waits_for_the_photo_in_progress_and_not_for_a_flood() {
    let read = |name: &str| Bytes::from(file("FACEGUESSER_PHOTOS", name));
    let (portrait, crowds) = (read("person-woman.jpg"), [read("person-group.jpg"), read("nature-landscape.jpg")]);
    let program = Program::start(&[("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0")]);
    let page = program.page().await;
    let client = reqwest::Client::new();
    let (stop, posted) = (Arc::new(AtomicBool::new(false)), Arc::new(Semaphore::new(0)));
    let flood = (0..FLOODING).map(|person| {
        let (client, page, photo) = (client.clone(), page.clone(), crowds[person % 2].clone());
        let (stop, posted) = (stop.clone(), posted.clone());
        tokio::spawn(async move {
            let mut waits = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                waits.push(guess(&client, &page, &format!("203.0.113.{person}"), photo.clone()).await.1);
                posted.add_permits(1);
            }
            waits
        })
    });
    let flood: Vec<_> = flood.collect();
    // By now each of them has had about two answers.
    posted.acquire_many(2 * FLOODING as u32).await.unwrap().forget();
    let mut portraits = Vec::new();
    for person in 0..15 {
        let (status, took) = guess(&client, &page, &format!("203.0.113.{}", 100 + person), portrait.clone()).await;
        assert_eq!(status, 200);
        portraits.push(took);
    }
    stop.store(true, Ordering::Relaxed);
    let mut flooded = Vec::new();
    for person in flood {
        flooded.extend(person.await.unwrap());
    }
    let [portrait, others] = [portraits, flooded].map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    println!("median of a portrait {portrait:?}, of the {FLOODING} others' photos {others:?}");
    // Served in order of arrival, the portrait would wait as long as the others, for some twenty photos; instead
    // it waits for one of the photos in progress. Both slow down alike when other programs use the cores.
    assert!(portrait * 4 < others, "{portrait:?} next to {others:?}");
}
