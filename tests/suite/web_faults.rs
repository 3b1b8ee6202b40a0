//! The chat page's HTTP server under load, at its end, and with clients that stall, break off or send too much.

use std::time::Duration;

use faceguesser::download::DownloadLimits;
use faceguesser::platform::connections::ConnectionLimits;
use faceguesser::platform::web::WebOptions;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::web::{Server, answer, error_text, form, scripted, scripted_within, wait_at_barrier};

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_server_replies_busy_with_retry_after() {
    let (bot, script) =
        scripted_within(DownloadLimits { max_bytes: 1000, max_memory: 1000, ..DownloadLimits::default() });
    let options = WebOptions { photo_bytes: 1000, ..WebOptions::default() };
    let server = Server::start(bot, options).await;
    let held = tokio::spawn(answer(server.post("/api/guess").multipart(form("held.jpg", "wait"))));
    wait_at_barrier(&script).await;
    // The held photo's four bytes are still in memory, so another thousand exceed the limit.
    let busy = server.post("/api/guess").multipart(form("second.jpg", vec![7; 1000])).send().await.unwrap();
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.headers()["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    let busy: Value = busy.json().await.unwrap();
    assert!(error_text(&busy).contains("busy"), "{busy}");
    // One photo may wait behind it; of two more, one finds the queue full.
    let mut more: Vec<_> =
        (0..2).map(|_| tokio::spawn(answer(server.post("/api/guess").multipart(form("x", "x"))))).collect();
    let (first, _, rest) = futures_util::future::select_all(more.drain(..)).await;
    assert_eq!(first.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    wait_at_barrier(&script).await;
    assert_eq!(held.await.unwrap().0, StatusCode::OK);
    for waiting in rest {
        assert_eq!(waiting.await.unwrap().0, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_finishes_requests_in_progress_and_accepts_no_new_ones() {
    let (bot, script) = scripted();
    let mut server = Server::start(bot, WebOptions::default()).await;
    let held = tokio::spawn(answer(server.post("/api/guess").multipart(form("held.jpg", "wait"))));
    wait_at_barrier(&script).await;
    // An open connection without a request must not delay the shutdown.
    let _idle = TcpStream::connect(server.address).await.unwrap();
    server.shutdown.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!held.is_finished() && !server.task.is_finished());
    wait_at_barrier(&script).await;
    let (status, answer) = held.await.unwrap();
    assert_eq!((status, &answer["photo"]), (StatusCode::OK, &Value::from("held.jpg")));
    (&mut server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_stalls_is_timed_out() {
    let brief = Duration::from_millis(100);
    let connections = ConnectionLimits { head_timeout: brief, ..ConnectionLimits::default() };
    let options = WebOptions { connections, pause_timeout: brief, ..WebOptions::default() };
    let server = Server::start(scripted().0, options).await;
    assert_eq!(server.raw(b"POST /api/guess HTTP/1.1\r\nHost: local").await, "");
    let head = "POST /api/guess HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n\
                Content-Length: 5000\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"photo\"\r\n\r\nhalf";
    let stalled = server.raw(head.as_bytes()).await;
    assert!(stalled.starts_with("HTTP/1.1 408 "), "{stalled}");
    assert!(stalled.contains("took too long"), "{stalled}");
}

/// The head of an upload whose body, of `length` bytes, the test sends separately.
fn upload_head(length: usize) -> String {
    format!(
        "POST /api/guess HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn an_upload_that_breaks_off_or_whose_file_name_is_not_utf8_gets_a_true_answer() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let half = "--x\r\nContent-Disposition: form-data; name=\"photo\"\r\n\r\nhalf";
    stream.write_all((upload_head(5000) + half).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // hyper may close such a connection without a response.
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.contains("was interrupted"), "{answer}");
    let name = b"--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"\xff\xfe\"\r\n\r\nA\r\n--x--\r\n";
    let head = upload_head(name.len()).replacen("\r\n", "\r\nConnection: close\r\n", 1);
    let answer = server.raw(&[head.as_bytes(), name].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 ") && !answer.contains("interrupted"), "{answer}");
}

#[tokio::test]
async fn a_form_that_never_comes_to_its_photo_is_refused_before_it_is_held() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let preamble = vec![b'A'; 4 << 20];
    let header = [b"--x\r\nX-Long: ".to_vec(), vec![b'a'; 4 << 20]].concat();
    let field =
        [b"--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n".to_vec(), vec![b'a'; 4 << 20]].concat();
    for body in [preamble, header, field] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mut answer = vec![0; 1000];
        let head = upload_head(10 << 20);
        let send = async {
            let _ = writer.write_all(head.as_bytes()).await;
            let _ = writer.write_all(&body).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = send => {}
            read = reader.read(&mut answer) => { read.unwrap(); }
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_trickles_is_timed_out() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(upload_head(5000).as_bytes()).await.unwrap();
    stream.write_all(b"--x\r\nContent-Disposition: form-data; name=\"photo\"\r\n\r\n").await.unwrap();
    let started = tokio::time::Instant::now();
    let (mut reader, mut writer) = stream.split();
    let mut answer = vec![0; 1000];
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let _ = writer.write_all(b"a").await;
        }
    };
    tokio::select! {
        () = trickle => {}
        read = reader.read(&mut answer) => { read.unwrap(); }
    }
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[tokio::test]
async fn connections_that_are_kept_alive_make_room_when_all_are_in_use() {
    let connections = ConnectionLimits { count: 4, ..ConnectionLimits::default() };
    let server = Server::start(scripted().0, WebOptions { connections, ..WebOptions::default() }).await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
        kept.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(5), server.get("/healthz").send()).await;
    assert_eq!(answer.expect("nobody makes room").unwrap().status(), StatusCode::OK);
}
