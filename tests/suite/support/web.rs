//! The chat page's server on a free port, with the compiled-in weights or with a script in their place.

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
use faceguesser::platform::web::{self, WebOptions};
use faceguesser::{Analysis, Framing};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A server on a free port, which stops when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub async fn start(bot: Arc<Bot>, options: WebOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(web::run(listener, options, bot, shutdown.clone()));
        Self { address, shutdown, task }
    }

    /// With the compiled-in weights.
    pub async fn real() -> Self {
        Self::start(super::bot().0, WebOptions::default()).await
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        Client::new().get(format!("http://{}{path}", self.address))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        Client::new().post(format!("http://{}{path}", self.address))
    }

    pub async fn guess(&self, name: &str, photo: impl Into<Bytes>) -> (StatusCode, Value) {
        answer(self.post("/api/guess").multipart(form(name, photo))).await
    }

    /// Sends raw bytes and returns the response until the server closes the connection.
    pub async fn raw(&self, request: &[u8]) -> String {
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

pub fn form(name: &str, photo: impl Into<Bytes>) -> Form {
    Form::new().part("photo", Part::stream(photo.into()).file_name(name.to_owned()))
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

pub fn error_text(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_default()
}

pub fn jpeg() -> Vec<u8> {
    let mut bytes = Vec::new();
    let plain = image::GrayImage::from_pixel(320, 240, image::Luma([128]));
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&plain).unwrap();
    bytes
}

/// Answers every photo with "no face"; one with the content "wait" is held between two barrier waits.
pub struct Scripted(Barrier);

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
pub fn scripted() -> (Arc<Bot>, Arc<Scripted>) {
    scripted_within(DownloadLimits::default())
}

/// The same, with these download limits.
pub fn scripted_within(limits: DownloadLimits) -> (Arc<Bot>, Arc<Scripted>) {
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

pub async fn wait_at_barrier(script: &Arc<Scripted>) {
    let script = script.clone();
    tokio::task::spawn_blocking(move || script.0.wait()).await.unwrap();
}
