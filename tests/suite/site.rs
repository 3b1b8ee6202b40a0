//! All pages of the site in a real browser: languages, widths, headings.

use faceguesser::bot::languages::Language;
use serde_json::json;

use crate::support::browser::Page;
use crate::support::photo_with_faces;

const PAGES: [&str; 3] = ["/", "/how", "/about"];

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn no_page_scrolls_sideways_on_the_narrowest_phone_nor_at_400_percent_in_any_language() {
    let page = Page::open().await;
    page.resize(320, 568).await;
    for language in Language::ALL {
        for path in PAGES {
            page.goto(&format!("{path}?lang={}", language.code())).await;
            if path == "/" {
                page.drop_photos(&[("a.jpg", &photo_with_faces(2))]).await;
                page.wait_for_answers().await;
                page.wait(".face summary").await;
                // WebDriver does not scroll what it clicks out from under the bar.
                page.run("document.querySelector('.face summary').click()").await;
            }
            for (width, height) in [(320, 568), (320, 256)] {
                page.resize(width, height).await;
                assert_eq!(page.sideways().await, 0, "{path} in {language:?} at {width}×{height}");
            }
            page.screenshot(&format!("narrow{}-{}.png", path.replace('/', "-"), language.code())).await;
        }
    }
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn headings_are_in_order_on_every_page() {
    let page = Page::open().await;
    for path in PAGES {
        page.goto(path).await;
        if path == "/" {
            page.drop_photos(&[("a.jpg", &photo_with_faces(3))]).await;
            page.wait_for_answers().await;
        }
        let levels =
            "return [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((heading) => +heading.localName[1])";
        let levels = page.run(levels).await;
        let levels: Vec<u64> = levels.as_array().unwrap().iter().map(|level| level.as_u64().unwrap()).collect();
        assert_eq!(levels.first(), Some(&1), "{path}");
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{path}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{path}: {levels:?}");
    }
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn a_chosen_language_is_remembered_until_an_address_names_another() {
    let page = Page::open().await;
    let language = "return document.documentElement.lang";
    assert_eq!(page.run(language).await, "en");
    page.wait("#languages summary").await.click().await.unwrap();
    page.wait("#languages a[hreflang=de]").await.click().await.unwrap();
    page.wait("html[lang=de]").await;
    page.goto("/about").await;
    page.wait("html[lang=de]").await;
    assert_eq!(page.run("return document.querySelector('[aria-current=page]').textContent").await, "Über");
    page.goto("/?lang=ja").await;
    page.wait("html[lang=ja]").await;
    page.drop_photos(&[("notes.jpg", b"words")]).await;
    page.wait_for_answers().await;
    let answer = page.wait(".message.bot:last-child .text").await.text().await.unwrap();
    assert!(answer.contains("写真"), "{answer}");
    page.goto("/").await;
    page.wait("html[lang=de]").await;
    // By keyboard: Escape closes the menu and returns to its button.
    let menu = page.wait("#languages summary").await;
    menu.click().await.unwrap();
    menu.send_keys(&String::from(char::from(fantoccini::key::Key::Escape))).await.unwrap();
    let closed = "return [document.getElementById('languages').open, document.activeElement.localName]";
    assert_eq!(page.run(closed).await, json!([false, "summary"]));
    page.close().await;
}
