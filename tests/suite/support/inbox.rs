//! The requests that a stand-in server received, in order, for tests to wait on; and the files it serves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use serde_json::{Map, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// Longer than any reply takes: a lost one fails its test instead of hanging it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One parsed request.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Method and path relative to the base URL, or an event on a websocket.
    pub what: String,
    pub body: Value,
    /// Uploaded files by part name.
    pub files: BTreeMap<String, Bytes>,
}

/// The receiving end, with the requests that no test has waited for yet.
pub struct Inbox {
    receiver: UnboundedReceiver<RecordedRequest>,
    passed_over: Vec<RecordedRequest>,
}

pub fn inbox() -> (UnboundedSender<RecordedRequest>, Inbox) {
    let (sender, receiver) = unbounded_channel();
    (sender, Inbox { receiver, passed_over: Vec::new() })
}

impl Inbox {
    /// Waits for the first request, past or future, for which `is` holds; `what` describes it for the failure.
    pub async fn wait(&mut self, what: &str, is: impl Fn(&RecordedRequest) -> bool) -> RecordedRequest {
        if let Some(at) = self.passed_over.iter().position(&is) {
            return self.passed_over.remove(at);
        }
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let Ok(Some(asked)) = tokio::time::timeout_at(until, self.receiver.recv()).await else {
                let seen: Vec<&str> = self.passed_over.iter().map(|one| one.what.as_str()).collect();
                panic!("{what} was not received; received {seen:?}");
            };
            assert!(!asked.what.starts_with("refused"), "{}: {}", asked.what, asked.body);
            if is(&asked) {
                return asked;
            }
            self.passed_over.push(asked);
        }
    }

    /// Waits for the first request whose [`RecordedRequest::what`] starts with `start`.
    pub async fn next(&mut self, start: &str) -> RecordedRequest {
        self.wait(start, |asked| asked.what.starts_with(start)).await
    }

    /// Waits for the next request of any kind.
    pub async fn next_any(&mut self) -> RecordedRequest {
        if !self.passed_over.is_empty() {
            return self.passed_over.remove(0);
        }
        let asked = self.receiver.recv().await.expect("the stand-in server outlives the test");
        assert!(!asked.what.starts_with("refused"), "{}: {}", asked.what, asked.body);
        asked
    }

    /// Requests received so far that nothing waited for and that start with `start`.
    pub fn pending(&mut self, start: &str) -> Vec<RecordedRequest> {
        while let Ok(asked) = self.receiver.try_recv() {
            self.passed_over.push(asked);
        }
        self.passed_over.iter().filter(|asked| asked.what.starts_with(start)).cloned().collect()
    }

    /// [`Inbox::left`], removing them.
    pub fn drain(&mut self, start: &str) -> Vec<RecordedRequest> {
        let left = self.pending(start);
        self.passed_over.retain(|asked| !asked.what.starts_with(start));
        left
    }
}

/// A file, and the gate that delays it.
type Shelved = (Bytes, Option<watch::Receiver<bool>>);

/// The files that a stand-in server serves, some of them only once a test opens their gate.
#[derive(Default)]
pub struct ServedFiles {
    files: std::sync::Mutex<BTreeMap<String, Shelved>>,
}

impl ServedFiles {
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>) {
        self.files.lock().unwrap().insert(name.to_owned(), (bytes.into(), None));
    }

    /// The file is served once `true` is sent.
    pub fn put_gated(&self, name: &str, bytes: impl Into<Bytes>) -> watch::Sender<bool> {
        let (gate, open) = watch::channel(false);
        self.files.lock().unwrap().insert(name.to_owned(), (bytes.into(), Some(open)));
        gate
    }

    /// The size of a file in bytes.
    pub fn size(&self, name: &str) -> Option<usize> {
        self.files.lock().unwrap().get(name).map(|(bytes, _)| bytes.len())
    }

    pub async fn take(self: Arc<Self>, name: String) -> Option<Bytes> {
        let (bytes, gate) = self.files.lock().unwrap().get(&name).cloned()?;
        if let Some(mut gate) = gate {
            gate.wait_for(|open| *open).await.ok()?;
        }
        Some(bytes)
    }
}

/// The fields of a JSON or multipart request, with a form's numbers and objects parsed; and its files by part
/// name.
pub async fn parse_request(request: Request) -> (Value, BTreeMap<String, Bytes>) {
    let kind = request.headers().get("content-type");
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/")) {
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        return (serde_json::from_slice(&body).unwrap_or_default(), BTreeMap::new());
    }
    let (mut body, mut files) = (Map::new(), BTreeMap::new());
    let mut form = Multipart::from_request(request, &()).await.unwrap();
    while let Some(field) = form.next_field().await.unwrap() {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() {
            files.insert(name, field.bytes().await.unwrap());
        } else {
            let text = field.text().await.unwrap();
            let value = serde_json::from_str(&text).ok().filter(|value: &Value| !value.is_string());
            body.insert(name, value.unwrap_or(Value::String(text)));
        }
    }
    (Value::Object(body), files)
}
