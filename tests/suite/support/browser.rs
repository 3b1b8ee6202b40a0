//! A real browser, driven through chromedriver, and the program whose pages it shows.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use super::program::Program;

/// How long anything may take.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until the page has stayed where it is for ten frames.
const SCROLLED: &str = "return new Promise(done => {
    let [place, still] = [scrollY, 0];
    const look = () => {
        still = scrollY === place ? still + 1 : 0;
        place = scrollY;
        if (still >= 10) done(); else requestAnimationFrame(look);
    };
    look();
})";

/// Dispatches the events of files that are dropped on the page with the mouse.
const DROP: &str = r#"
    const data = new DataTransfer();
    for (const [name, base64] of arguments[0]) {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        data.items.add(new File([bytes], name, { type: "image/jpeg" }));
    }
    for (const kind of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
    }
"#;

/// A free port.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

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

    /// A new session of a headless browser in English with a camera that shows a test picture.
    async fn browser(&self) -> Client {
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--window-size=900,1400", "--lang=en", "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream"] });
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

/// A command of the Chrome DevTools Protocol.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

/// The program and its chat page in a browser. The program is killed when this is dropped.
pub struct Page {
    pub browser: Client,
    pub program: Program,
    address: String,
    _driver: Driver,
}

impl Page {
    /// Starts everything and opens the chat page.
    pub async fn open() -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let program = Program::start(&[("FACEGUESSER__WEB__LISTEN", &listen)]);
        let driver = Driver::start();
        let browser = driver.browser().await;
        let page = Self { browser, program, address: format!("http://{listen}"), _driver: driver };
        let open = async { while page.browser.goto(&format!("{}/", page.address)).await.is_err() {} };
        tokio::time::timeout(TIMEOUT, open).await.expect("the chat page opens");
        page
    }

    /// Closes the browser, which killing its driver would leave behind.
    pub async fn close(self) {
        self.browser.close().await.unwrap();
    }

    /// Opens another page of the program; `path` starts with a slash.
    pub async fn goto(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.address)).await.unwrap();
    }

    /// The program's address, such as `http://127.0.0.1:8080`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Runs a script's statements and returns what they return, waiting for a promise.
    pub async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, vec![]).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Drops photos on the page, together.
    pub async fn drop_photos(&self, photos: &[(&str, &[u8])]) {
        use base64::Engine;
        let encode = |bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
        let photos: Vec<Value> = photos.iter().map(|(name, bytes)| json!([name, encode(bytes)])).collect();
        self.browser.execute(DROP, vec![Value::from(photos)]).await.unwrap();
    }

    /// Waits for an element.
    pub async fn wait(&self, css: &str) -> Element {
        let found = self.browser.wait().at_most(TIMEOUT).for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|_| panic!("no {css}"))
    }

    /// Waits until every photo is answered, and the page has stopped scrolling: what is still under the bar cannot be clicked.
    pub async fn wait_for_answers(&self) {
        self.wait("#log:not(:has(.loading)) > .message.bot").await;
        self.run(SCROLLED).await;
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn dev_tools(&self, command: &'static str, parameters: Value) -> Value {
        self.browser.issue_cmd(DevTools(command, parameters)).await.unwrap()
    }

    /// The window's size in CSS pixels: 320×256 is that of 1280×1024 at 400 % zoom.
    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.dev_tools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// What the visitor has set in their system, such as `("forced-colors", "active")`; resets all others.
    pub async fn prefer(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.dev_tools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// By how many pixels the page can be scrolled sideways.
    pub async fn sideways(&self) -> i64 {
        let script = "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
        self.run(script).await.as_i64().unwrap()
    }

    /// Saves a screenshot if FACEGUESSER_SCREENSHOTS names a folder.
    pub async fn screenshot(&self, name: &str) {
        if let Some(folder) = std::env::var_os("FACEGUESSER_SCREENSHOTS") {
            let picture = self.browser.screenshot().await.unwrap();
            std::fs::write(std::path::Path::new(&folder).join(name), picture).unwrap();
        }
    }
}
