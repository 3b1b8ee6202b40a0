//! The chat page in a real browser, driven through chromedriver.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::support::photo_with_faces;
use crate::support::program::Program;
use crate::support::{file, photo_with_a_face};

const TIMEOUT: Duration = Duration::from_secs(60);

struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
        let port = free_port();
        let argument = format!("--port={port}");
        let started = Command::new("chromedriver").arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = started.unwrap_or_else(|error| panic!("chromedriver is needed and does not start: {error}"));
        Self { process, port }
    }

    /// A new session of a headless browser.
    async fn browser(&self) -> Client {
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--window-size=900,1400"] });
        let capabilities = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        let address = format!("http://127.0.0.1:{}", self.port);
        let connect = async {
            loop {
                let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
                match builder.capabilities(capabilities.clone()).connect(&address).await {
                    Ok(client) => return client,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(TIMEOUT, connect).await.expect("chromedriver does not answer")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Dispatches the events of a file that is dropped on the page with the mouse.
const DROP: &str = r#"
    const [name, base64] = arguments;
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: "image/jpeg" }));
    for (const kind of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
    }
"#;

async fn drop_file(browser: &Client, name: &str, bytes: &[u8]) {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    browser.execute(DROP, vec![json!(name), json!(encoded)]).await.unwrap();
}

async fn wait(browser: &Client, css: &str) -> fantoccini::elements::Element {
    browser.wait().at_most(TIMEOUT).for_element(Locator::Css(css)).await.unwrap_or_else(|_| panic!("no {css}"))
}

/// Saves a screenshot if FACEGUESSER_SCREENSHOTS names a folder.
async fn screenshot(browser: &Client, name: &str) {
    if let Some(folder) = std::env::var_os("FACEGUESSER_SCREENSHOTS") {
        let picture = browser.screenshot().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), picture).unwrap();
    }
}

/// The program and its chat page in a browser.
async fn open_page(driver: &Driver) -> (Program, Client) {
    let listen = format!("127.0.0.1:{}", free_port());
    let program = Program::start(&[("FACEGUESSER__WEB__LISTEN", &listen)]);
    let browser = driver.browser().await;
    let page = format!("http://{listen}/");
    let open = async { while browser.goto(&page).await.is_err() {} };
    tokio::time::timeout(TIMEOUT, open).await.expect("the chat page opens");
    (program, browser)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn a_dropped_photo_is_answered_on_the_page_with_its_annotated_picture() {
    let driver = Driver::start();
    let (_program, browser) = open_page(&driver).await;
    screenshot(&browser, "empty.png").await;

    drop_file(&browser, "three.jpg", &photo_with_faces(3)).await;
    wait(&browser, ".message.bot:last-child .face:nth-child(3)").await;
    screenshot(&browser, "three-faces.png").await;

    drop_file(&browser, "one.jpg", &photo_with_a_face()).await;
    let card = wait(&browser, ".message.bot:last-child img.card").await;
    assert!(card.attr("alt").await.unwrap().unwrap().contains("box 1"));
    let drawn = "return [...document.querySelectorAll('img.card')].at(-1).decode().then(() => [...document.querySelectorAll('img.card')].at(-1).naturalWidth)";
    assert!(browser.execute(drawn, vec![]).await.unwrap().as_u64().unwrap() >= 320);
    let text = wait(&browser, ".message.bot:last-child .text").await.text().await.unwrap();
    assert!(text.contains(" of about ") && text.contains("likely"), "{text}");
    screenshot(&browser, "one-face.png").await;

    drop_file(&browser, "notes.jpg", b"Just some words.\n").await;
    let refusal = Locator::XPath("//*[contains(@class,'text')][contains(text(),'not a picture')]");
    browser
        .wait()
        .at_most(TIMEOUT)
        .for_element(refusal)
        .await
        .expect("no error message for a file that is not a picture");
    screenshot(&browser, "refused.png").await;

    browser.set_window_size(390, 844).await.unwrap();
    let overflow = "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
    assert_eq!(browser.execute(overflow, vec![]).await.unwrap(), 0, "the page scrolls sideways on a phone");
    screenshot(&browser, "phone.png").await;
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(all(with_browser, with_photos)),
    ignore = "install chromedriver and Chromium, and set FACEGUESSER_PHOTOS to the folder of the photographs"
)]
async fn the_page_shows_a_womans_gender_and_no_babys() {
    let driver = Driver::start();
    let (_program, browser) = open_page(&driver).await;
    let genders = "return document.querySelectorAll('.message.bot:last-child .gender').length";
    for (name, shown) in [("person-woman.jpg", 1), ("person-baby.jpg", 0)] {
        // A second photo is answered below the first one.
        drop_file(&browser, name, &file("FACEGUESSER_PHOTOS", name)).await;
        wait(&browser, ".message.bot:last-child img.card").await;
        assert_eq!(browser.execute(genders, vec![]).await.unwrap(), shown, "{name}");
        screenshot(&browser, &name.replace(".jpg", ".png")).await;
    }
    browser.close().await.unwrap();
}
