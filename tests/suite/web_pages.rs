//! The pages that the chat page's server delivers, over real sockets: their files, size, languages and promises.

use std::collections::BTreeSet;

use faceguesser::platform::web::WebOptions;
use reqwest::StatusCode;

use crate::support::web::{Server, scripted};

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
