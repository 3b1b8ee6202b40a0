//! The chat page's HTTP server over real sockets: accepted and refused requests, and the responses.

use bytes::Bytes;
use faceguesser::platform::web::WebOptions;
use futures_util::stream;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, StatusCode};
use serde_json::Value;

use crate::support::web::{Server, answer, error_text, form, jpeg, scripted};

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
