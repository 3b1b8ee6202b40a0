//! The chat page's HTTP server over real sockets: accepted and refused requests, and the responses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use bytes::Bytes;
use faceguesser::bot::Bot;
use faceguesser::bot::sqlite::Sqlite;
use faceguesser::config::Config;
use faceguesser::download::{DownloadLimits, Downloader};
use faceguesser::inference::pool::Analyser;
use faceguesser::inference::{InferenceError, Pool, PoolOptions};
use faceguesser::platform::connections::ConnectionLimits;
use faceguesser::platform::web::{self, WebOptions};
use faceguesser::{Analysis, Framing};
use futures_util::stream;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A server on a free port, which stops when this is dropped.
struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(bot: Arc<Bot>, options: WebOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(web::run(listener, options, bot, shutdown.clone()));
        Self { address, shutdown, task }
    }

    /// With the compiled-in weights.
    async fn real() -> Self {
        Self::start(crate::support::bot().0, WebOptions::default()).await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        Client::new().get(format!("http://{}{path}", self.address))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        Client::new().post(format!("http://{}{path}", self.address))
    }

    async fn guess(&self, name: &str, photo: impl Into<Bytes>) -> (StatusCode, Value) {
        answer(self.post("/api/guess").multipart(form(name, photo))).await
    }

    /// Sends raw bytes and returns the response until the server closes the connection.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn form(name: &str, photo: impl Into<Bytes>) -> Form {
    Form::new().part("photo", Part::stream(photo.into()).file_name(name.to_owned()))
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

fn error_text(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_default()
}

fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let plain = image::GrayImage::from_pixel(320, 240, image::Luma([128]));
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&plain).unwrap();
    bytes
}

/// Answers every photo with "no face"; one with the content "wait" is held between two barrier waits.
struct Scripted(Barrier);

impl Analyser for Scripted {
    fn analyse(&self, photo: &[u8], _: Framing) -> Result<Analysis, InferenceError> {
        if photo == b"wait" {
            self.0.wait();
            self.0.wait();
        }
        Ok(Analysis::empty(1, 1))
    }
}

/// A bot with one worker and a queue of one.
fn scripted() -> (Arc<Bot>, Arc<Scripted>) {
    scripted_within(DownloadLimits::default())
}

/// The same, with these download limits.
fn scripted_within(limits: DownloadLimits) -> (Arc<Bot>, Arc<Scripted>) {
    let script = Arc::new(Scripted(Barrier::new(2)));
    let options = PoolOptions { workers: 1, queue: 1, deadline: Duration::from_secs(60) };
    let pool = Arc::new(Pool::start(script.clone(), options).unwrap());
    let downloader = Downloader::new(limits).unwrap();
    (
        Arc::new(Bot::new(
            pool,
            downloader,
            Arc::new(Sqlite::in_memory().unwrap()),
            Config::load(None, []).unwrap().bot_options(faceguesser::photo::DecodeLimits::default()),
        )),
        script,
    )
}

async fn wait_at_barrier(script: &Arc<Scripted>) {
    let script = script.clone();
    tokio::task::spawn_blocking(move || script.0.wait()).await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(with_photos), ignore = "set FACEGUESSER_PHOTOS to the folder of the photographs")]
async fn a_photo_is_answered_with_every_key_that_scripts_rely_on() {
    let server = Server::real().await;
    let photo = crate::support::file("FACEGUESSER_PHOTOS", "person-woman.jpg");
    let (status, plain) = server.guess("person-woman.jpg", photo.clone()).await;
    assert_eq!(status, StatusCode::OK, "{plain}");
    let mut keys: Vec<_> = plain.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["cut_short", "elapsed_ms", "error", "faces", "height", "photo", "text", "width"]);
    assert_eq!(plain["photo"], "person-woman.jpg");
    assert!(plain["error"].is_null());
    let [face] = plain["faces"].as_array().unwrap().as_slice() else { panic!("not one face: {plain}") };
    let mut keys: Vec<_> = face.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let wanted = [
        "age",
        "age_confident",
        "age_high",
        "age_low",
        "age_told",
        "box",
        "confident",
        "gender",
        "gender_confident",
        "gender_probability",
        "gender_told",
        "smile",
        "smile_told",
        "tips",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(face["gender"], "female");
    let [low, age, high] = ["age_low", "age", "age_high"].map(|key| face[key].as_f64().unwrap());
    assert!(0.0 <= low && low <= age && age <= high && high <= 100.0, "{face}");
    assert!((15.0..=60.0).contains(&age), "{face}");

    let (_, with_card) = answer(server.post("/api/guess?card=1").multipart(form("x", photo))).await;
    assert_eq!(with_card["faces"], plain["faces"]);
    assert!(with_card["card"]["alternative_text"].as_str().unwrap().contains("woman"));
    assert_eq!((&with_card["lead"], &with_card["lines"]), (&with_card["text"], &serde_json::json!([])));
    assert_eq!(with_card["buttons"][0]["action"], "see");
    use base64::Engine;
    let card = with_card["card"]["jpeg_base64"].as_str().unwrap();
    let card = base64::engine::general_purpose::STANDARD.decode(card).unwrap();
    let card = image::load_from_memory(&card).unwrap();
    assert!(card.width() >= 320 && card.width().max(card.height()) <= 1280);
}

#[tokio::test]
async fn a_picture_without_a_face_is_answered() {
    let server = Server::real().await;
    let (status, answer) = server.guess("grey.jpg", jpeg()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["faces"], serde_json::json!([]));
    assert_eq!((answer["width"].as_u64(), answer["height"].as_u64()), (Some(320), Some(240)));
    assert!(answer["error"].is_null() && answer["text"].as_str().unwrap().contains("can't find a face"), "{answer}");
}

#[tokio::test]
async fn an_invalid_picture_gets_a_specific_error_message() {
    let server = Server::real().await;
    let whole = jpeg();
    let cases = [
        (Bytes::from("Just some words.\n"), StatusCode::UNSUPPORTED_MEDIA_TYPE, "not a picture"),
        (whole[..whole.len() * 2 / 3].to_vec().into(), StatusCode::UNPROCESSABLE_ENTITY, "cut short"),
        (Bytes::new(), StatusCode::UNPROCESSABLE_ENTITY, "empty"),
    ];
    for (bytes, status, words) in cases {
        let (got, answer) = server.guess("photo.jpg", bytes).await;
        assert_eq!(got, status, "{answer}");
        assert!(error_text(&answer).contains(words), "{answer}");
        assert_eq!(answer["text"], answer["error"]);
        assert!(answer["width"].is_null() && answer["faces"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_invalid_form_gets_a_specific_error_message() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let other = Form::new().text("picture", "?");
    let twice = form("a", "a").part("photo", Part::text("b"));
    let cases = [
        (server.post("/api/guess").multipart(other), "no picture"),
        (server.post("/api/guess").multipart(twice), "one photo"),
        (server.post("/api/guess").body("photo"), "field named \"photo\""),
        (
            server.post("/api/guess").header("content-type", "multipart/form-data; boundary=x").body("--x\r\nbroken"),
            "field named \"photo\"",
        ),
        (server.post("/api/guess").header("content-type", "multipart/form-data; boundary=x"), "field named \"photo\""),
    ];
    for (request, words) in cases {
        let (status, answer) = answer(request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert!(error_text(&answer).contains(words), "{answer}");
    }
}

#[tokio::test]
async fn an_oversized_photo_is_refused_with_and_without_content_length() {
    let options = WebOptions { photo_bytes: 1 << 20, ..WebOptions::default() };
    let server = Server::start(scripted().0, options).await;
    // Far more than socket buffers hold: the client is still sending when it is refused.
    let large = Bytes::from(vec![7; 32 << 20]);
    let (status, with_length) = server.guess("large.jpg", large.clone()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(error_text(&with_length).contains("1 MB"), "{with_length}");

    let pieces = (0..512).map(move |index| Ok::<_, std::io::Error>(large.slice(index << 16..(index + 1) << 16)));
    let part = Part::stream(Body::wrap_stream(stream::iter(pieces))).file_name("large.jpg");
    let (status, chunked) = answer(server.post("/api/guess").multipart(Form::new().part("photo", part))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(chunked["error"], with_length["error"]);

    // One byte too many still fits the limit on Content-Length, which allows for the rest of the form.
    let (status, _) = server.guess("close.jpg", vec![7; (1 << 20) + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = server.guess("fits.jpg", vec![7; 1 << 20]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn folders_in_a_file_name_are_left_out() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    for (sent, shown) in [("../../etc/passwd", "passwd"), ("C:\\me\\selfie.png", "selfie.png"), ("..", "photo")] {
        let (status, answer) = server.guess(sent, "x").await;
        assert_eq!((status, &answer["photo"]), (StatusCode::OK, &Value::from(shown)));
    }
}

#[tokio::test]
async fn requests_from_other_sites_are_refused() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let rebound = server.get("/").header("host", "rebound.example").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
    let (status, foreign) =
        answer(server.post("/api/guess").header("sec-fetch-site", "cross-site").multipart(form("x", "x"))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(!error_text(&foreign).is_empty());
    let own = server.post("/api/guess").header("sec-fetch-site", "same-origin").multipart(form("x", "x"));
    assert_eq!(answer(own).await.0, StatusCode::OK);
}

/// The links and sources of a page that lead to this server.
fn links(page: &str) -> BTreeSet<String> {
    let quoted = page.split(" href=\"").chain(page.split(" src=\"")).filter_map(|rest| rest.split('"').next());
    quoted.filter(|link| link.starts_with('/')).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_pages_and_their_files_are_served_and_load_nothing_from_other_hosts() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    for path in ["/", "/how", "/about"] {
        let page = server.get(path).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers()["x-content-type-options"], "nosniff");
        assert_eq!(page.headers()["referrer-policy"], "no-referrer");
        let page = page.text().await.unwrap();
        assert!(!page.contains("://"), "{path} has a URL of another host");
        for link in links(&page) {
            let file = server.get(&link).send().await.unwrap();
            assert_eq!(file.status(), StatusCode::OK, "{link}");
            let text = file.text().await.unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("://"), "{link} has a URL of another host");
        }
    }
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.get("/../Cargo.toml").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(server.get("/api/guess").send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_first_load_is_small_and_a_second_one_transfers_nothing() {
    const SCRIPTS: [&str; 3] = ["/dom.js", "/answer.js", "/camera.js"];
    let server = Server::start(scripted().0, WebOptions::default()).await;
    for path in ["/?lang=uk", "/about?lang=uk"] {
        let page = server.get(path).send().await.unwrap().text().await.unwrap();
        let files = links(&page).into_iter().filter(|link| link.contains('.')).chain(SCRIPTS.map(str::to_owned));
        let mut bytes = page.len();
        for file in files.collect::<BTreeSet<_>>() {
            let first = server.get(&file).send().await.unwrap();
            let tag = first.headers()["etag"].clone();
            bytes += first.bytes().await.unwrap().len();
            let again = server.get(&file).header("if-none-match", tag).send().await.unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{file}");
        }
        assert!(bytes <= 150_000, "{path} takes {bytes} bytes");
        println!("{path}: {bytes} bytes");
    }
}

#[tokio::test]
async fn a_page_is_in_the_language_that_is_asked_for_and_keeps_it_in_its_links() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let page = |path: &'static str, accepted: &'static str| {
        let request = server.get(path).header("accept-language", accepted);
        async { request.send().await.unwrap() }
    };
    let german = page("/about", "nl,de;q=0.9").await;
    assert_eq!(german.headers()["vary"], "accept-language");
    let tag = german.headers()["etag"].clone();
    let german = german.text().await.unwrap();
    assert!(german.contains("<html lang=\"de\">") && german.contains("href=\"/how\""), "{german}");
    assert!(german.contains("Datenschutz"));
    let japanese = page("/about?lang=ja", "de").await;
    assert_ne!(japanese.headers()["etag"], tag);
    let japanese = japanese.text().await.unwrap();
    assert!(japanese.contains("<html lang=\"ja\">") && japanese.contains("href=\"/how?lang=ja\""), "{japanese}");
    let unknown = page("/about?lang=tlh", "nl").await.text().await.unwrap();
    assert!(unknown.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn a_visitor_behind_a_proxy_is_not_told_that_photos_stay_on_their_machine() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    let here = server.get("/").send().await.unwrap().text().await.unwrap();
    assert!(here.contains("Photos stay on this machine"));
    let elsewhere = server.get("/").header("x-forwarded-for", "203.0.113.9").send().await.unwrap();
    assert_eq!(elsewhere.headers()["cache-control"], "private, no-cache");
    let elsewhere = elsewhere.text().await.unwrap();
    assert!(elsewhere.contains("sent to this server") && !elsewhere.contains("stay on this machine"));
}

#[tokio::test]
async fn a_button_that_needs_no_photo_or_is_unknown_is_refused() {
    let server = Server::start(scripted().0, WebOptions::default()).await;
    for action in ["delete:1", "crop:1", "hm", ""] {
        let request = server.post(&format!("/api/guess?action={action}")).multipart(form("x", "x"));
        assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST, "{action}");
    }
    let (status, anyway) = answer(server.post("/api/guess?action=anyway&lang=de").multipart(form("x", "x"))).await;
    assert_eq!(status, StatusCode::OK);
    assert!(anyway["text"].as_str().unwrap().contains("kein Gesicht"), "{anyway}");
}

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

#[tokio::test]
async fn a_face_is_explained_by_its_number_within_the_limits_of_a_guess() {
    let server = Server::real().await;
    let photo = crate::support::photo_with_faces(2);
    let face = |number: &str| form("me.jpg", photo.clone()).text("face", number.to_owned());
    let (status, explained) = answer(server.post("/api/explain?card=1").multipart(face("2"))).await;
    assert_eq!((status, &explained["photo"], &explained["error"]), (StatusCode::OK, &"me.jpg".into(), &Value::Null));
    let explanation = &explained["explanation"];
    assert_eq!((&explanation["face"], &explanation["faces"]), (&2.into(), &2.into()));
    assert_eq!(explanation["occlusion"]["years"].as_array().unwrap().len(), 196);
    assert!(explanation["numbers"]["original"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
    assert!(explained["text"].as_str().unwrap().ends_with("not why anybody looks their age."));
    let cards = explained["cards"].as_array().unwrap();
    assert!(cards.len() == 2 && cards.iter().all(|card| !card["jpeg_base64"].as_str().unwrap().is_empty()));
    let (_, plain) = answer(server.post("/api/explain").multipart(form("me.jpg", photo.clone()))).await;
    assert!(plain["explanation"]["face"] == 1 && plain.get("card").is_none());
    for (number, expected, part) in
        [("3", StatusCode::UNPROCESSABLE_ENTITY, "2 faces"), ("x", StatusCode::BAD_REQUEST, "counted from 1")]
    {
        let (status, refused) = answer(server.post("/api/explain").multipart(face(number))).await;
        assert!(status == expected && error_text(&refused).contains(part), "{refused}");
        assert!(refused["explanation"].is_null() && refused["text"] == refused["error"]);
    }
    let (status, refused) = answer(server.post("/api/explain").multipart(form("me.txt", "text"))).await;
    assert!(status == StatusCode::UNSUPPORTED_MEDIA_TYPE && !error_text(&refused).is_empty(), "{refused}");
    let huge = vec![0; (WebOptions::default().photo_bytes + 1) as usize];
    let (status, _) = answer(server.post("/api/explain").multipart(form("huge.jpg", huge))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
