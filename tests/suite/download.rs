//! Downloads within limits, from file hosts that misbehave.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use axum::routing::get;
use faceguesser::download::{AllowedOrigins, DownloadError, DownloadLimits, Downloader};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
async fn size_limits_hold_with_and_without_a_content_length() {
    let host = host().await;
    let hosts = AllowedOrigins::from_urls([&host]);
    let downloader = downloader(Duration::from_secs(30));
    let fetch = |path: &str| downloader.fetch(host.join(path).unwrap(), &hosts);
    assert_eq!(fetch("small").await.unwrap().len(), 600);
    assert_eq!(fetch("large").await, Err(DownloadError::TooLarge { limit: LIMIT }));
    assert_eq!(fetch("endless").await, Err(DownloadError::TooLarge { limit: LIMIT }));
    assert_eq!(fetch("nothing").await, Err(DownloadError::Gone { status: 404 }));
    assert!(matches!(fetch("away").await, Err(DownloadError::Failed { .. })), "a redirect is not followed");
}

#[tokio::test]
async fn only_the_platforms_own_hosts_are_contacted() {
    let host = host().await;
    let downloader = downloader(Duration::from_secs(30));
    let own = AllowedOrigins::from_urls([&host]);
    let mut other_port = host.join("small").unwrap();
    other_port.set_port(Some(1)).unwrap();
    for foreign in [other_port, "http://localhost/small".parse().unwrap(), "file:///etc/hostname".parse().unwrap()] {
        assert_eq!(downloader.fetch(foreign, &own).await, Err(DownloadError::ForeignHost));
    }
}

#[tokio::test]
async fn a_download_from_a_host_that_stalls_times_out() {
    let host = host().await;
    let limit = Duration::from_millis(200);
    let stalled = downloader(limit).fetch(host.join("stalled").unwrap(), &AllowedOrigins::from_urls([&host])).await;
    assert_eq!(stalled, Err(DownloadError::TimedOut { limit }));
}

#[tokio::test]
async fn a_download_waits_until_there_is_memory_for_it() {
    let host = host().await;
    let hosts = AllowedOrigins::from_urls([&host]);
    let downloader = downloader(Duration::from_secs(30));
    let small = host.join("small").unwrap();
    let held = downloader.fetch(small.clone(), &hosts).await.unwrap();
    let started = Arc::new(Notify::new());
    let second = tokio::spawn({
        let (downloader, started) = (downloader.clone(), started.clone());
        async move {
            started.notify_one();
            downloader.fetch(small, &hosts).await
        }
    });
    started.notified().await;
    assert!(!second.is_finished());
    drop(held);
    assert_eq!(second.await.unwrap().unwrap().len(), 600);
}

/// A host that answers its first request with these raw bytes, and later ones with the file.
async fn host_failing_once(first: &'static [u8]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let whole = [&b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\nconnection: close\r\n\r\n"[..], &[7; 600]].concat();
        let mut answers = std::iter::once(first.to_vec()).chain(std::iter::repeat(whole));
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let length = socket.read(&mut head).await.unwrap();
            assert!(head[..length].starts_with(b"GET "));
            socket.write_all(&answers.next().unwrap()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_photo_survives_a_single_failure_of_its_host() {
    let failures: [(&str, &'static [u8]); 7] = [
        ("502", b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        ("500", b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops"),
        (
            "429",
            b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 0.3\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
        ("408", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        ("no response", b""),
        ("a truncated body", b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\nconnection: close\r\n\r\n7777"),
        ("a truncated chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n258\r\n7777"),
    ];
    for (what, first) in failures {
        let url = host_failing_once(first).await;
        let hosts = AllowedOrigins::from_urls([&url]);
        let fetched = downloader(Duration::from_secs(10)).fetch(url, &hosts).await;
        assert_eq!(fetched.map(|bytes| bytes.len()), Ok(600), "after {what}");
    }
}

#[tokio::test]
async fn a_host_that_stays_down_fails_in_time_with_the_root_cause_and_without_its_address() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let down: Url = format!("http://127.0.0.1:{port}/bot12345:secret/file").parse().unwrap();
    let begun = tokio::time::Instant::now();
    let failed = downloader(Duration::from_millis(700)).fetch(down.clone(), &AllowedOrigins::from_urls([&down])).await;
    let Err(DownloadError::Failed { reason }) = failed else { panic!("{failed:?}") };
    assert!(reason.contains("onnection refused"), "{reason}");
    assert!(!reason.contains("secret") && !reason.contains(&port.to_string()), "{reason}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn files_of_a_local_server_are_read_from_its_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("server");
    std::fs::create_dir_all(shared.join("photos")).unwrap();
    std::fs::write(shared.join("photos/small"), [7; 600]).unwrap();
    std::fs::write(shared.join("photos/large"), [7; 1001]).unwrap();
    std::fs::write(folder.path().join("private"), [7; 6]).unwrap();
    std::os::unix::fs::symlink(folder.path().join("private"), shared.join("link")).unwrap();
    let downloader = downloader(Duration::from_secs(30));
    let read = |path: &str| {
        let (downloader, path, shared) = (downloader.clone(), shared.join(path), shared.clone());
        async move { downloader.read_local(&path, &shared).await.map(|bytes| bytes.len()) }
    };
    assert_eq!(read("photos/small").await, Ok(600));
    assert_eq!(read("photos/large").await, Err(DownloadError::TooLarge { limit: LIMIT }));
    assert_eq!(read("photos/none").await, Err(DownloadError::Gone { status: 404 }));
    for outside in ["../private", "link", "/etc/hostname", "photos", "."] {
        assert_eq!(read(outside).await, Err(DownloadError::ForeignPath), "{outside}");
    }
}
