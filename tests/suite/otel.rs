//! Spans that are sent to a stand-in OpenTelemetry collector, with the cargo feature `otel`.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::photo_with_a_face;
use crate::support::telegram::{PERSON, Telegram, photo};

#[tokio::test(flavor = "multi_thread")]
async fn the_span_of_a_photo_reaches_the_collector_with_its_stages_and_no_personal_data() {
    let received: Arc<Mutex<Vec<u8>>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = received.clone();
    let collect = move |body: Bytes| async move { store.lock().unwrap().extend_from_slice(&body) };
    let collector = Router::new().route("/v1/traces", post(collect));
    tokio::spawn(async move { axum::serve(listener, collector).await });
    let (mut telegram, program) = Telegram::polled(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.post(PERSON, json!({ "photo": photo("one") }));
    telegram.inbox.next("sendmessage").await;
    // The end of the program sends what is left.
    program.terminate();
    let (status, _) = program.finished().await;
    assert!(status.success());
    // Strings are readable in OTLP's protobuf.
    let received = String::from_utf8_lossy(&received.lock().unwrap()).into_owned();
    for word in ["photo", "platform", "telegram", "faces", "wait_ms", "decode_ms", "estimate_ms", "faceguesser"] {
        assert!(received.contains(word), "{word}");
    }
    assert!(!received.contains("getUpdates") && !received.contains("Quillon"));
}
