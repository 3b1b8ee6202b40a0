//! Downloads under limits, from a file host that does not keep to its word.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::routing::get;
use faceguesser::photo::{DownloadError, DownloadLimits, Downloader, Hosts};
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use url::Url;

const LIMIT: u64 = 1000;

async fn host() -> Url {
    let endless =
        || async { Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[7; 100])))) };
    let router = Router::new()
        .route("/small", get(|| async { vec![7; 600] }))
        .route("/large", get(|| async { vec![7; 1001] }))
        .route("/endless", get(endless))
        .route("/stalled", get(|| async { Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()) }))
        .route("/away", get(|| async { (StatusCode::FOUND, [(LOCATION, "http://localhost/inside")]).into_response() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn downloader(timeout: Duration) -> Downloader {
    Downloader::new(DownloadLimits { max_bytes: LIMIT, max_memory: LIMIT, timeout }).unwrap()
}

#[tokio::test]
async fn limits_hold_whatever_the_host_announces() {
    let host = host().await;
    let hosts = Hosts::of([&host]);
    let downloader = downloader(Duration::from_secs(30));
    let fetch = |path: &str| downloader.fetch(host.join(path).unwrap(), &hosts);
    assert_eq!(fetch("small").await.unwrap().len(), 600);
    assert_eq!(fetch("large").await, Err(DownloadError::TooLarge { limit: LIMIT }));
    assert_eq!(fetch("endless").await, Err(DownloadError::TooLarge { limit: LIMIT }));
    assert_eq!(fetch("nothing").await, Err(DownloadError::Gone { status: 404 }));
    assert!(matches!(fetch("away").await, Err(DownloadError::Failed { .. })), "a redirect is not followed");
}

#[tokio::test]
async fn only_the_platforms_own_hosts_are_asked() {
    let host = host().await;
    let downloader = downloader(Duration::from_secs(30));
    let own = Hosts::of([&host]);
    let mut other_port = host.join("small").unwrap();
    other_port.set_port(Some(1)).unwrap();
    for foreign in [other_port, "http://localhost/small".parse().unwrap(), "file:///etc/hostname".parse().unwrap()] {
        assert_eq!(downloader.fetch(foreign, &own).await, Err(DownloadError::ForeignHost));
    }
}

#[tokio::test]
async fn a_host_that_stalls_is_given_up() {
    let host = host().await;
    let limit = Duration::from_millis(200);
    let stalled = downloader(limit).fetch(host.join("stalled").unwrap(), &Hosts::of([&host])).await;
    assert_eq!(stalled, Err(DownloadError::TimedOut { limit }));
}

#[tokio::test]
async fn a_download_waits_until_there_is_memory_for_it() {
    let host = host().await;
    let hosts = Hosts::of([&host]);
    let downloader = downloader(Duration::from_secs(30));
    let small = host.join("small").unwrap();
    let held = downloader.fetch(small.clone(), &hosts).await.unwrap();
    let asked = Arc::new(Notify::new());
    let second = tokio::spawn({
        let (downloader, asked) = (downloader.clone(), asked.clone());
        async move {
            asked.notify_one();
            downloader.fetch(small, &hosts).await
        }
    });
    asked.notified().await;
    assert!(!second.is_finished());
    drop(held);
    assert_eq!(second.await.unwrap().unwrap().len(), 600);
}
