//! A recorded conversation between users and the real program on a stand-in Telegram.
//!
//! Where FACEGUESSER_RECORD names a folder, the test writes the conversation there as a page with its
//! pictures: this is how `docs/recorded-run.md` is made.

use std::fmt::Write;
use std::path::PathBuf;

use faceguesser::bot::languages::Language;
use image::{GrayImage, Luma, imageops};
use serde_json::{Value, json};

use crate::support::inbox::RecordedRequest;
use crate::support::telegram::{GROUP, PERSON, Telegram, button, buttons, message, photo, text, with};
use crate::support::{jpeg, mean_face, photo_with_a_face, photo_with_faces};

/// The page under construction, and the folder to write it to.
struct Record {
    folder: Option<PathBuf>,
    page: String,
}

impl Record {
    fn new() -> Self {
        let folder = std::env::var_os("FACEGUESSER_RECORD").map(PathBuf::from);
        let page =
            "# A recorded run\n\nA conversation with the real program on a stand-in Telegram server: every message \
                    that was sent, and every reply. The faces are a mean of many and show no real person. \
                    Recorded by\n\n    \
                    FACEGUESSER_RECORD=docs cargo test --test suite recorded\n"
                .to_owned();
        Self { folder, page }
    }

    fn heading(&mut self, heading: &str) {
        writeln!(self.page, "\n## {heading}\n").unwrap();
    }

    fn person(&mut self, action: &str) {
        writeln!(self.page, "**Person:** {action}\n").unwrap();
    }

    /// The bot's message: its text, its buttons and its picture.
    fn bot(&mut self, name: &str, asked: &RecordedRequest) {
        let quoted: Vec<String> = text(asked).lines().map(|line| format!("> {line}  ")).collect();
        writeln!(self.page, "{}\n", quoted.join("\n")).unwrap();
        let labels: Vec<String> = buttons(asked).into_iter().map(|(_, label)| format!("`{label}`")).collect();
        if !labels.is_empty() {
            writeln!(self.page, "Buttons: {}\n", labels.join(" ")).unwrap();
        }
        for (index, picture) in asked.files.values().enumerate() {
            let file = format!("recorded-{name}{}.jpg", if index == 0 { String::new() } else { index.to_string() });
            writeln!(self.page, "![The bot's picture]({file})\n").unwrap();
            if let Some(folder) = &self.folder {
                std::fs::write(folder.join(file), picture).unwrap();
            }
        }
    }

    fn finish(self) {
        match self.folder {
            Some(folder) => std::fs::write(folder.join("recorded-run.md"), self.page).unwrap(),
            None => println!("not written: FACEGUESSER_RECORD names no folder"),
        }
    }
}

/// A small, dark face off-centre in a large, dark picture.
fn photo_with_a_hidden_face() -> Vec<u8> {
    let mut face = imageops::resize(&mean_face(), 180, 180, imageops::FilterType::Triangle);
    face.pixels_mut().for_each(|pixel| pixel.0[0] /= 4);
    let mut photo = GrayImage::from_pixel(1280, 960, Luma([40]));
    imageops::overlay(&mut photo, &face, 840, 160);
    jpeg(&photo)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_run_shows_each_kind_of_reply() {
    let (mut telegram, _program) = Telegram::polled(&[("FACEGUESSER__FAIR_USE__PERSON_BURST", "7")]).await;
    telegram.files.put("one", photo_with_a_face());
    telegram.files.put("three", photo_with_faces(3));
    telegram.files.put("five", photo_with_faces(5));
    telegram.files.put("hidden", photo_with_a_hidden_face());
    let mut record = Record::new();

    record.heading("An album");
    record.person("an album of two photos");
    for name in ["one", "three"] {
        telegram.post(PERSON, json!({ "photo": photo(name), "media_group_id": "holiday" }));
    }
    let reply = telegram.inbox.next("sendphoto").await;
    assert!(text(&reply).contains("Photo 2: I see 3 faces"), "{reply:?}");
    record.bot("album", &reply);

    record.heading("A group with five faces");
    record.person("in a group, a photo with the caption `/guess`");
    telegram.post(GROUP, json!({ "photo": photo("five"), "caption": "/guess" }));
    let reply = telegram.inbox.next("sendphoto").await;
    assert!(text(&reply).contains("\n5. "), "{reply:?}");
    record.bot("five", &reply);

    record.heading("An unsure guess, and how the face is seen");
    record.person("a photo with a small face in little light");
    let id = telegram.post(PERSON, json!({ "photo": photo("hidden") }));
    let reply = telegram.inbox.next("sendmessage").await;
    assert!(text(&reply).contains("not sure") && text(&reply).contains("too little light"), "{reply:?}");
    record.bot("unsure", &reply);
    let about = with(message(PERSON, id), json!({ "photo": photo("hidden") }));
    record.person("presses `How do you see me?`");
    telegram.press(PERSON, &button(&reply, "see"), PERSON, crate::support::telegram::sent(&reply), about);
    record.bot("seen", &telegram.inbox.next("sendmediagroup").await);

    record.heading("A refusal");
    record.person("one photo after the other");
    let refusal = loop {
        telegram.post(PERSON, json!({ "photo": photo("one") }));
        let reply = telegram.inbox.next("sendmessage").await;
        if text(&reply).contains("come back") {
            break reply;
        }
    };
    record.bot("refusal", &refusal);

    record.heading("Every language");
    for (index, language) in Language::ALL.into_iter().enumerate() {
        let person = 900 + index as i64;
        let from = json!({ "id": person, "is_bot": false, "first_name": "Some", "language_code": language.code() });
        let sent: Value = json!({ "photo": photo("hidden"), "from": from });
        telegram.post(person, sent);
        let is = |asked: &RecordedRequest| asked.what == "sendmessage" && asked.body["chat_id"] == person;
        let reply = telegram.inbox.wait("a reply in every language", is).await;
        record.person(&format!("the same photo, with a client in {} ({})", language.name(), language.code()));
        let see = language.message("button-see");
        assert!(buttons(&reply).iter().any(|(_, label)| *label == see), "{reply:?}");
        record.bot(language.code(), &reply);
    }
    record.finish();
}
