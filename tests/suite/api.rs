//! The HTTP API as other programs use it: its description held against real answers, raw bodies, several photos, the key.

use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::program::Program;
use crate::support::{photo_with_a_face, photo_with_faces, photo_without_a_face};

const PAGE: (&str, &str) = ("FACEGUESSER__WEB__LISTEN", "127.0.0.1:0");
const KEY: &str = "a-key-of-enough-length";

struct Api {
    program: Program,
    base: String,
    description: Value,
}

impl Api {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let program = Program::start(&[&[PAGE], variables].concat());
        let base = program.page().await.trim_end_matches('/').to_owned();
        let description = Client::new().get(format!("{base}/openapi.json")).send().await.unwrap().json().await.unwrap();
        Self { program, base, description }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        Client::new().post(format!("{}{path}", self.base))
    }

    /// Sends a request and holds its answer against the description of `method` and `path`; a missing status or a
    /// body of another form fails the test.
    async fn held(&self, method: &str, path: &str, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        let mut described = &self.description["paths"][path][method]["responses"][status.as_str()];
        if let Some(name) = described["$ref"].as_str() {
            described = self.description.pointer(name.trim_start_matches('#')).unwrap();
        }
        let mut schema = described["content"]["application/json"]["schema"].clone();
        assert!(schema.is_object(), "{method} {path} does not describe {status}: {answer}");
        schema["components"] = self.description["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{method} {path} {status}: {errors:?} in {answer}");
        (status, answer)
    }

    async fn guess(&self, request: RequestBuilder) -> (StatusCode, Value) {
        self.held("post", "/api/guess", request).await
    }
}

fn form(photos: impl IntoIterator<Item = Vec<u8>>) -> Form {
    let part = |form: Form, (number, photo)| form.part("photo", Part::bytes(photo).file_name(format!("{number}.jpg")));
    photos.into_iter().enumerate().fold(Form::new(), part)
}

fn raw(request: RequestBuilder, kind: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    request.header("content-type", kind).body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_answer_is_as_the_description_says() {
    let api = Api::start(&[]).await;
    assert_eq!(api.description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let post = |query: &str| api.post(&format!("/api/guess{query}"));
    let (status, answer) = api.guess(post("").multipart(form([photo_with_a_face()]))).await;
    assert_eq!((status, answer["faces"].as_array().unwrap().len()), (StatusCode::OK, 1));
    let (_, shown) = api.guess(post("?card=1&lang=de").multipart(form([photo_with_faces(2)]))).await;
    assert!(shown["card"]["jpeg_base64"].as_str().is_some_and(|card| card.len() > 1000), "{shown}");
    let (_, plain) = api.guess(post("?card=1").multipart(form([photo_without_a_face()]))).await;
    let action = plain["buttons"][0]["action"].as_str().unwrap();
    let anyway = post(&format!("?action={action}")).multipart(form([photo_without_a_face()]));
    assert_eq!(api.guess(anyway).await.0, StatusCode::OK);
    let (status, unknown) = api.guess(post("?action=dance").multipart(form([photo_without_a_face()]))).await;
    assert!(status == StatusCode::BAD_REQUEST && unknown["error"].as_str().unwrap().contains("action"), "{unknown}");
    for (body, wanted) in [
        (b"".to_vec(), StatusCode::UNPROCESSABLE_ENTITY),
        (b"no picture".to_vec(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (photo_with_a_face()[..300].to_vec(), StatusCode::UNPROCESSABLE_ENTITY),
        (vec![0; (20 << 20) + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(api.guess(post("").multipart(form([body]))).await.0, wanted);
    }
    assert_eq!(api.guess(post("").body("photo")).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(api.guess(post("").header("sec-fetch-site", "cross-site")).await.0, StatusCode::FORBIDDEN);
    let explain =
        |face: &str| api.post("/api/explain").multipart(form([photo_with_a_face()]).text("face", face.to_owned()));
    for (face, wanted) in
        [("1", StatusCode::OK), ("2", StatusCode::UNPROCESSABLE_ENTITY), ("one", StatusCode::BAD_REQUEST)]
    {
        assert_eq!(api.held("post", "/api/explain", explain(face)).await.0, wanted, "{face}");
    }
    for path in ["/healthz", "/readyz"] {
        let get = Client::new().get(format!("{}{path}", api.base));
        assert_eq!(api.held("get", path, get).await.0, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_may_be_the_body_itself() {
    let api = Api::start(&[]).await;
    for kind in ["image/jpeg", "image/*", "IMAGE/PNG", "application/octet-stream"] {
        let (status, answer) = api.guess(raw(api.post("/api/guess"), kind, photo_with_a_face())).await;
        assert_eq!((status, answer["faces"].as_array().unwrap().len()), (StatusCode::OK, 1), "{kind}");
        assert_eq!(answer["photo"], "photo");
    }
    let explain = raw(api.post("/api/explain?face=2"), "image/jpeg", photo_with_faces(2));
    let (status, answer) = api.held("post", "/api/explain", explain).await;
    assert_eq!((status, &answer["explanation"]["face"]), (StatusCode::OK, &json!(2)));
    let unknown = api.guess(raw(api.post("/api/guess"), "text/plain", photo_with_a_face())).await;
    assert_eq!(unknown.0, StatusCode::BAD_REQUEST);
    // Without a length, so that only the bytes themselves can be too many.
    let pieces = futures_util::stream::iter((0..21).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])));
    let endless = raw(api.post("/api/guess"), "image/jpeg", reqwest::Body::wrap_stream(pieces));
    assert_eq!(api.guess(endless).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(api.guess(raw(api.post("/api/guess"), "image/jpeg", "")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn up_to_ten_photos_of_one_form_are_answered_each_on_its_own() {
    let api = Api::start(&[]).await;
    let held = async |photos| api.held("post", "/api/guesses", api.post("/api/guesses").multipart(form(photos))).await;
    let (status, answer) =
        held(vec![photo_with_a_face(), b"no picture".to_vec(), photo_with_faces(2), photo_without_a_face()]).await;
    assert_eq!(status, StatusCode::OK);
    let photos = answer["photos"].as_array().unwrap();
    let faces: Vec<usize> = photos.iter().map(|photo| photo["faces"].as_array().unwrap().len()).collect();
    assert_eq!(faces, [1, 0, 2, 0]);
    let names: Vec<&str> = photos.iter().map(|photo| photo["photo"].as_str().unwrap()).collect();
    assert_eq!(names, ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]);
    let failed: Vec<bool> = photos.iter().map(|photo| photo["error"].is_string()).collect();
    assert_eq!(failed, [false, true, false, false]);
    assert_eq!(held(vec![photo_without_a_face(); 10]).await.0, StatusCode::OK);
    let (status, answer) = held(vec![photo_without_a_face(); 11]).await;
    assert!(status == StatusCode::BAD_REQUEST && answer["error"].as_str().unwrap().contains("ten"), "{answer}");
    assert_eq!(held(vec![]).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_neither_api_nor_pages_answer_without_it_and_health_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let api = Api::start(&[("FACEGUESSER__WEB__API_KEY_FILE", file.to_str().unwrap())]).await;
    let photo = || raw(api.post("/api/guess"), "image/jpeg", photo_with_a_face());
    let (status, answer) = api.guess(photo()).await;
    assert!(status == StatusCode::UNAUTHORIZED && answer["error"].as_str().unwrap().contains("key"), "{answer}");
    for wrong in ["a-key-of-enough-lengtH", "a-key", ""] {
        assert_eq!(api.guess(photo().bearer_auth(wrong)).await.0, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    for right in [photo().bearer_auth(KEY), photo().header("x-api-key", KEY), photo().basic_auth("me", Some(KEY))] {
        assert_eq!(api.guess(right).await.0, StatusCode::OK);
    }
    // The browser asks for it, and then sends it with all that the page loads.
    for path in ["/", "/how", "/chat.js"] {
        let page = || Client::new().get(format!("{}{path}", api.base)).header("accept-language", "de");
        let refused = page().send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
        assert!(refused.text().await.unwrap().contains("Schlüssel"), "{path}");
        assert_eq!(page().basic_auth("", Some(KEY)).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let health = Client::new().get(format!("{}/healthz", api.base)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    api.program.terminate();
    let (_, log) = api.program.finished().await;
    assert!(!log.contains(KEY), "{log}");
}
