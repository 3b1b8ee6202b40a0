//! The page "How it works" in a real browser: every chapter's controls are moved and their effect is checked.

use std::future::Future;

use fantoccini::elements::Element;
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::support::browser::{Page, TIMEOUT, free_port};
use crate::support::program::Program;

const LANGUAGES: [&str; 8] = ["en", "cs", "de", "es", "fr", "ja", "pt", "uk"];
const CHAPTERS: [&str; 8] = ["numbers", "filter", "layers", "split", "overfitting", "dropout", "shower", "breaking"];
const GREY_CROP: [u8; 128 * 128] = [90; 128 * 128];

/// The page "How it works" in a browser.
struct HowItWorks(Page);

impl HowItWorks {
    async fn open() -> Self {
        let page = Self(Page::open().await);
        page.go("").await;
        page
    }

    async fn go(&self, query: &str) {
        self.0.goto(&format!("/how{query}")).await;
        // Its scripts have run once the first figure has words.
        self.0.wait("#zoom-reading:not(:empty)").await;
    }

    async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.0.browser.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Brings a chapter into view, which starts it.
    async fn show(&self, chapter: &str) {
        self.run("document.getElementById(arguments[0]).scrollIntoView({ behavior: 'instant' })", vec![json!(chapter)])
            .await;
    }

    /// Moves a slider or sets a checkbox as a visitor does.
    async fn set(&self, id: &str, value: impl Into<Value>) {
        let script = "const input = document.getElementById(arguments[0]);
            if (input.type === 'checkbox') input.checked = arguments[1]; else input.value = arguments[1];
            input.dispatchEvent(new Event('input', { bubbles: true }));";
        self.run(script, vec![json!(id), value.into()]).await;
    }

    async fn press(&self, css: &str) {
        self.run("document.querySelector(arguments[0]).click()", vec![json!(css)]).await;
    }

    async fn text(&self, id: &str) -> String {
        let text = self.run("return document.getElementById(arguments[0]).textContent", vec![json!(id)]).await;
        text.as_str().unwrap().to_owned()
    }

    async fn number(&self, id: &str, key: &str) -> f64 {
        let value = self.run(
            "return Number(document.getElementById(arguments[0]).dataset[arguments[1]])",
            vec![json!(id), json!(key)],
        );
        value.await.as_f64().unwrap_or_else(|| panic!("{id} has no {key}"))
    }

    /// A hash of what a canvas shows.
    async fn drawing(&self, id: &str) -> String {
        let script = "const data = document.getElementById(arguments[0]).toDataURL();
            let hash = 0; for (const c of data) hash = (hash * 31 + c.charCodeAt()) | 0; return `${data.length} ${hash}`;";
        self.run(script, vec![json!(id)]).await.as_str().unwrap().to_owned()
    }

    /// Waits until `value` is no longer `before`; returns what it is then.
    async fn changed<T, F>(&self, what: &str, before: &T, value: impl Fn() -> F) -> T
    where
        T: PartialEq,
        F: Future<Output = T>,
    {
        let change = async {
            loop {
                let now = value().await;
                if now != *before {
                    return now;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(TIMEOUT, change).await.unwrap_or_else(|_| panic!("{what} does not change"))
    }

    async fn moved(&self, reading: &str, id: &str, value: impl Into<Value>) -> String {
        let before = self.text(reading).await;
        self.set(id, value).await;
        self.changed(id, &before, || self.text(reading)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn every_control_of_the_first_chapters_moves_its_figure() {
    let page = HowItWorks::open().await;

    let photo = page.drawing("zoom-picture").await;
    assert!(page.moved("zoom-reading", "zoom", 40).await.contains("16,384"));
    let numbers = page.moved("zoom-reading", "zoom", 100).await;
    assert!(numbers.starts_with("6 × 6 pixels"), "{numbers}");
    assert_ne!(page.drawing("zoom-picture").await, photo);
    page.0.screenshot("how-numbers.png").await;
    page.press("input[value=man]").await;
    page.changed("the face", &numbers, || page.text("zoom-reading")).await;

    page.show("filter").await;
    let map = page.drawing("filter-map").await;
    page.press("#filter-cells button:nth-child(5)").await;
    let lit = page.changed("the map", &map, || page.drawing("filter-map")).await;
    assert_eq!(
        page.run("return document.querySelector('#filter-cells button:nth-child(5)').dataset.sign", vec![]).await,
        "1"
    );
    page.press("[data-filter=spot]").await;
    let spots = page.changed("the map", &lit, || page.drawing("filter-map")).await;
    page.press("[data-filter=learnt]").await;
    page.changed("the map", &spots, || page.drawing("filter-map")).await;
    let label =
        page.run("return document.querySelector('#filter-cells button').getAttribute('aria-label')", vec![]).await;
    assert!(label.as_str().unwrap().contains('.'), "the network's own weights are no whole numbers: {label}");
    page.press("[data-filter=left]").await;
    page.moved("filter-sum", "filter-x", 60).await;
    page.moved("filter-sum", "filter-y", 20).await;
    assert!(page.moved("filter-sum", "filter-relu", true).await.contains("keeps"));
    let place = page.text("filter-sum").await;
    page.press("#filter-slide").await;
    page.changed("the window", &place, || page.text("filter-sum")).await;
    page.0.screenshot("how-filter.png").await;

    page.show("split").await;
    assert!(page.moved("split-reading", "split-share", 6).await.contains("9,484 for the test"));
    page.set("split-share", 5).await;
    assert!(page.number("split-chart", "gap").await < 2.0, "a shuffled fifth is like the rest");
    page.moved("split-reading", "split-sorted", true).await;
    assert!(page.number("split-chart", "gap").await > 30.0, "a sorted fifth is old");
    let sorted = page.text("split-reading").await;
    page.press("#split-shuffle").await;
    page.changed("the split", &sorted, || page.text("split-reading")).await;
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn the_layers_show_the_networks_own_maps_and_votes() {
    let page = HowItWorks::open().await;
    page.show("layers").await;
    page.0.wait("#layers-figure:not([hidden])").await;
    let pixels = page.drawing("layers-picture").await;
    page.moved("layers-reading", "layers-depth", 1).await;
    let first = page.changed("the map", &pixels, || page.drawing("layers-picture")).await;
    page.moved("layers-reading", "layers-which", 5).await;
    let fifth = page.changed("the map", &first, || page.drawing("layers-picture")).await;
    page.moved("layers-reading", "layers-depth", 2).await;
    page.changed("the map", &fifth, || page.drawing("layers-picture")).await;
    let votes = page.moved("layers-reading", "layers-depth", 3).await;
    page.0.screenshot("how-layers.png").await;
    // "Votes for 25 years: +2.31 in all, with the constant −0.10 that makes +2.21"
    let number = |word: &str| word.trim_matches(',').replace('−', "-").parse::<f64>().ok();
    let numbers: Vec<f64> = votes.split([' ', ':']).filter_map(number).collect();
    let [_, sum, constant, total] = numbers[..] else { panic!("{votes}") };
    assert!((sum + constant - total).abs() < 0.02, "{votes}");
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn the_training_curves_show_the_gap_that_more_data_closes() {
    let page = HowItWorks::open().await;
    page.show("overfitting").await;
    page.0.wait("#overfitting-reading:not(:empty)").await;
    let few = page.number("overfitting-chart", "gap").await;
    page.moved("overfitting-reading", "overfitting-passes", 4).await;
    assert!(page.number("overfitting-chart", "gap").await < few, "the gap grows with the passes");
    page.moved("overfitting-reading", "overfitting-passes", 60).await;
    page.0.screenshot("how-overfitting.png").await;
    page.moved("overfitting-reading", "overfitting-dropout", true).await;
    let more = page.run("return Number(document.getElementById('overfitting-share').max)", vec![]).await;
    page.moved("overfitting-reading", "overfitting-share", more).await;
    let all = page.number("overfitting-chart", "gap").await;
    assert!(all < few, "the most data: {all}, the least: {few}");
    let rows = page.run("return document.querySelectorAll('#overfitting-table tbody tr').length", vec![]).await;
    assert!(rows.as_u64().unwrap() >= 6, "{rows}");
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn switched_off_features_move_the_guess() {
    let page = HowItWorks::open().await;
    page.show("dropout").await;
    page.0.wait("#dropout-reading:not(:empty)").await;
    let whole = page.drawing("dropout-votes").await;
    let few = page.moved("dropout-reading", "dropout-count", 20).await;
    assert!(few.starts_with("20 of 192 switched off"), "{few}");
    page.changed("the votes", &whole, || page.drawing("dropout-votes")).await;
    let little = page.number("dropout-chart", "spread").await;
    page.moved("dropout-reading", "dropout-count", 160).await;
    assert!(page.number("dropout-chart", "spread").await > little, "more missing features spread the guesses");
    page.0.screenshot("how-dropout.png").await;
    let lots = page.text("dropout-reading").await;
    page.press("#dropout-again").await;
    page.changed("the lots", &lots, || page.text("dropout-reading")).await;
    assert!(page.moved("dropout-reading", "dropout-strongest", true).await.starts_with("Without the 160 strongest"));
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn the_shower_arrives_overshoots_stalls_and_is_trapped() {
    // Without motion it shows the end of a run at once.
    let page = HowItWorks::open().await;
    page.0.prefer(&[("prefers-reduced-motion", "reduce")]).await;
    page.show("shower").await;
    let outcome = async |curve: &str, rate: u8, momentum: u8, start: u8| {
        page.press(&format!("[data-curve={curve}]")).await;
        page.set("shower-rate", rate).await;
        page.set("shower-momentum", momentum).await;
        page.set("shower-start", start).await;
        page.press("#shower-run").await;
        let outcome = page.run("return document.getElementById('shower-chart').dataset.outcome", vec![]).await;
        outcome.as_str().unwrap().to_owned()
    };
    assert_eq!(outcome("valley", 13, 0, 14).await, "arrived");
    assert_eq!(outcome("valley", 0, 0, 14).await, "slow");
    assert_eq!(outcome("valley", 20, 0, 14).await, "overshoots");
    assert_eq!(outcome("flat", 10, 16, 14).await, "arrived", "momentum carries across the flat place");
    assert_eq!(outcome("two", 12, 14, 14).await, "arrived", "and over the hill");
    assert_eq!(outcome("flat", 8, 0, 14).await, "stalled");
    page.0.screenshot("how-shower.png").await;
    assert_eq!(outcome("two", 8, 0, 14).await, "trapped");

    page.press("#shower-back").await;
    assert_eq!(page.number("shower-chart", "steps").await, 0.0);
    page.press("#shower-step").await;
    assert_eq!(page.number("shower-chart", "steps").await, 1.0);
    // A curve that is bent with a slider, and one that is drawn with a pointer.
    let before = page.text("shower-reading").await;
    page.run(
        "document.querySelector('#shower-points').closest('details').open = true;
        const input = document.querySelector('#shower-points input'); input.value = 1;
        input.dispatchEvent(new Event('input', { bubbles: true }));",
        vec![],
    )
    .await;
    let bent = page.changed("the curve", &before, || page.text("shower-reading")).await;
    page.run("const svg = document.querySelector('#shower-chart svg'); const box = svg.getBoundingClientRect();
        svg.setPointerCapture = () => {}; svg.hasPointerCapture = () => true;
        for (const [kind, x, y] of [['pointerdown', .1, .6], ['pointermove', .5, .2]])
          svg.dispatchEvent(new PointerEvent(kind, { clientX: box.left + box.width * x, clientY: box.top + box.height * y }));",
        vec![])
        .await;
    page.changed("the curve", &bent, || page.text("shower-reading")).await;
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn every_change_of_the_picture_moves_the_guess_and_a_reset_brings_it_back() {
    let page = HowItWorks::open().await;
    page.show("breaking").await;
    page.0.wait("#breaking-chart[data-age]").await;
    let age = || page.number("breaking-chart", "age");
    let untouched = age().await;
    for (control, value) in
        [("light", 20), ("side", 8), ("blur", 30), ("tilt", 30), ("zoom", -30), ("shift", 25), ("glasses", 10)]
    {
        let picture = page.drawing("breaking-picture").await;
        page.set(&format!("breaking-{control}"), value).await;
        page.changed(control, &picture, || page.drawing("breaking-picture")).await;
        page.changed(control, &untouched, age).await;
        if control == "glasses" {
            page.0.screenshot("how-breaking.png").await;
        }
        let moved = age().await;
        page.press("#breaking-reset").await;
        assert_eq!(page.changed(control, &moved, age).await, untouched, "after {control}");
    }
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn the_page_is_complete_in_every_language_and_on_narrow_screens() {
    let page = HowItWorks::open().await;
    for language in LANGUAGES {
        page.go(&format!("?lang={language}")).await;
        for chapter in CHAPTERS {
            page.show(chapter).await;
            page.0.screenshot(&format!("how-{language}-{chapter}.png")).await;
        }
        // A chapter starts when it stays in view, not when it is scrolled past.
        page.show("dropout").await;
        page.0.wait("#dropout-reading:not(:empty)").await;
        let shown = "return [...document.querySelectorAll('main *')].filter((e) => !e.children.length)
            .map((e) => e.textContent).filter((t) => /\\{|undefined|NaN/.test(t))";
        assert_eq!(page.run(shown, vec![]).await, json!([]), "{language}");
    }
    for (width, height) in [(320, 640), (390, 844), (3840, 2160)] {
        page.0.resize(width, height).await;
        page.go("?lang=de").await;
        assert_eq!(page.0.sideways().await, 0, "the page scrolls sideways at {width} pixels");
        let small = "return [...document.querySelectorAll('main button, main input[type=range]')]
            .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43).map((e) => e.id || e.textContent)";
        assert_eq!(page.run(small, vec![]).await, json!([]), "too small to be touched");
        let ratio = "const text = document.querySelector('.chart text'); const size = parseFloat(getComputedStyle(text).fontSize);
            return size * text.getScreenCTM().a / parseFloat(getComputedStyle(document.documentElement).fontSize)";
        page.0.wait(".chart text").await;
        let ratio = page.run(ratio, vec![]).await.as_f64().unwrap();
        assert!((ratio - 13.0 / 16.0).abs() < 0.02, "{width} pixels: a chart's text is {ratio} of the page's");
    }
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn it_works_by_keyboard_announces_the_end_of_a_move_and_loads_little() {
    let page = HowItWorks::open().await;
    let focus = async |css: &str| -> Element {
        page.run("document.querySelector(arguments[0]).focus()", vec![json!(css)]).await;
        page.0.browser.active_element().await.unwrap()
    };
    let slider = focus("#zoom").await;
    assert_eq!(page.text("status").await, "");
    slider.send_keys(&char::from(Key::End).to_string()).await.unwrap();
    assert!(page.text("zoom-reading").await.starts_with("6 × 6 pixels"));
    let heard = page.changed("the status", &String::new(), || page.text("status")).await;
    assert_eq!(heard, page.text("zoom-reading").await);
    let spoken = slider.attr("aria-valuetext").await.unwrap().unwrap();
    assert_eq!(spoken, heard);

    let cell = focus("#filter-cells button").await;
    cell.send_keys(" ").await.unwrap();
    assert_eq!(cell.attr("aria-label").await.unwrap().unwrap(), "Row 1, column 1: 0");

    let names = "return [...document.querySelectorAll('main input:not([hidden]), main button, main canvas, main svg')]
        .filter((e) => !(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label'))).map((e) => e.id)";
    assert_eq!(page.run(names, vec![]).await, json!([]), "these have no name");
    let headings = "return [...document.querySelectorAll('h1, h2, h3')].map((e) => e.tagName).join(' ')";
    assert_eq!(page.run(headings, vec![]).await, format!("H1{}", " H2".repeat(CHAPTERS.len())));

    let loaded = "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
        .map((e) => [e.name, e.encodedBodySize])";
    let loaded = page.run(loaded, vec![]).await;
    let mut bytes = 0;
    for entry in loaded.as_array().unwrap() {
        let name = entry[0].as_str().unwrap();
        assert!(name.starts_with(page.0.address()) || name.starts_with("data:"), "{name}");
        bytes += if name.ends_with(".jpg") { 0 } else { entry[1].as_u64().unwrap() };
    }
    assert!(bytes < 150_000, "{bytes} bytes");
    page.0.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_answers_crops_and_refuses_everything_else() {
    let listen = format!("127.0.0.1:{}", free_port());
    let program = Program::start(&[("FACEGUESSER__WEB__LISTEN", &listen)]);
    program.page().await;
    let client = reqwest::Client::new();
    let post = async |query: &str, body: Vec<u8>| {
        let request = client.post(format!("http://{listen}/api/learn/guess{query}")).body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap_or_default())
    };
    let (status, whole) = post("", GREY_CROP.to_vec()).await;
    assert_eq!(status, 200);
    let sum: f64 = whole["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-3 && whole["low"].as_f64() <= whole["age"].as_f64(), "{whole}");
    assert_eq!((whole["votes"].as_array().unwrap().len(), whole["filters"][15].as_array().unwrap().len()), (192, 9));

    let (_, lots) = post("?off=96&draws=5&seed=3", GREY_CROP.to_vec()).await;
    assert_eq!((lots["ages"].as_array().unwrap().len(), lots["lot"]["off"].as_array().unwrap().len()), (5, 96));
    let (_, strongest) = post("?off=4000000000&draws=4000000000&strongest=1", GREY_CROP.to_vec()).await;
    assert_eq!(strongest["ages"].as_array().unwrap().len(), 1);

    for (query, body, expected) in [
        ("", vec![], 400),
        ("", vec![0; 128 * 128 - 1], 400),
        ("", vec![0; 128 * 128 + 1], 400),
        ("?off=-1", GREY_CROP.to_vec(), 400),
        ("?filters=1", GREY_CROP.to_vec(), 400),
    ] {
        let (status, answer) = post(query, body).await;
        assert_eq!(status, expected, "{query}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    let foreign = client.post(format!("http://{listen}/api/learn/guess")).header("origin", "https://example.org");
    assert_eq!(foreign.body(GREY_CROP.to_vec()).send().await.unwrap().status(), 403);
}
