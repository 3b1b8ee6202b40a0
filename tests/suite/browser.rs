//! The chat page in a real browser, driven through chromedriver.

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::support::browser::{Page, TIMEOUT};
use crate::support::{file, photo_with_a_face, photo_with_faces, photo_without_a_face};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn a_dropped_photo_is_answered_in_one_piece_with_its_annotated_picture() {
    let page = Page::open().await;
    page.screenshot("empty.png").await;
    page.drop_photos(&[("three.jpg", &photo_with_faces(3))]).await;
    page.wait(".message.bot:last-child .face:nth-child(3)").await;
    page.screenshot("three-faces.png").await;

    page.drop_photos(&[("one.jpg", &photo_with_a_face())]).await;
    page.wait_for_answers().await;
    let drawn = "const card = [...document.querySelectorAll('img.card')].at(-1); return card.naturalWidth";
    assert!(page.run(drawn).await.as_u64().unwrap() >= 320);
    let text = page.wait(".message.bot:last-child .text").await.text().await.unwrap();
    assert!(text.contains(" of about ") && text.contains("likely"), "{text}");
    let folded = "return document.querySelector('.message.bot:last-child .face details').open";
    assert_eq!(page.run(folded).await, false);
    page.wait(".message.bot:last-child summary").await.click().await.unwrap();
    assert!(page.wait(".message.bot:last-child .number").await.text().await.unwrap().starts_with("Age: "));
    page.screenshot("one-face.png").await;

    page.drop_photos(&[("notes.jpg", b"Just some words.\n")]).await;
    let refusal = Locator::XPath("//*[contains(@class,'text')][contains(text(),'not a picture')]");
    page.browser.wait().at_most(TIMEOUT).for_element(refusal).await.expect("no message that it is not a picture");
    page.screenshot("refused.png").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn several_photos_dropped_at_once_are_answered_in_order_and_cleared_together() {
    let page = Page::open().await;
    page.drop_photos(&[("a.jpg", &photo_with_faces(2)), ("b.jpg", &photo_without_a_face())]).await;
    page.wait_for_answers().await;
    let headings = "return [...document.querySelectorAll('#log .heading')].map((heading) => heading.textContent)";
    assert_eq!(page.run(headings).await, json!(["Photo 1", "Photo 2"]));
    let counts = "return ['.user img', '.user + .bot .face', '.bot:last-child .face'].map((css) => document.querySelectorAll(css).length)";
    assert_eq!(page.run(counts).await, json!([2, 2, 0]));
    page.wait("#clear").await.click().await.unwrap();
    let left = "return [document.querySelectorAll('#log *').length, document.activeElement.id]";
    assert_eq!(page.run(left).await, json!([0, "choose"]));
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn tapping_a_box_lights_its_line_and_each_face_is_read_out_once() {
    let page = Page::open().await;
    page.drop_photos(&[("three.jpg", &photo_with_faces(3))]).await;
    page.wait_for_answers().await;
    page.wait(".box:nth-child(2)").await.click().await.unwrap();
    page.wait(".face:nth-child(2).lit").await;
    page.wait(".box:nth-child(2)").await.click().await.unwrap();
    assert_eq!(page.run("return document.querySelectorAll('.lit').length").await, 0);

    // What a screen reader gets.
    let tree = page.dev_tools("Accessibility.getFullAXTree", json!({})).await;
    let read = |role: &str| role == "StaticText" || role == "image";
    let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
    let texts: Vec<&str> = nodes
        .filter(|node| read(node["role"]["value"].as_str().unwrap_or_default()))
        .filter_map(|node| node["name"]["value"].as_str())
        .collect();
    let faces = texts.iter().filter(|text| text.contains("likely")).count();
    assert_eq!(faces, 3, "{texts:?}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn a_button_under_an_answer_shows_the_servers_picture_with_its_alternative_text() {
    let page = Page::open().await;
    page.drop_photos(&[("one.jpg", &photo_with_a_face())]).await;
    page.wait_for_answers().await;
    let button = page.wait(".message.bot:last-child .buttons button[aria-expanded]").await;
    assert_eq!(button.text().await.unwrap(), "How do you see me?");
    button.click().await.unwrap();
    let picture = page.wait(".message.bot:last-child .result img").await;
    let shown = picture.attr("alt").await.unwrap().unwrap();
    let form = reqwest::multipart::Part::bytes(photo_with_a_face()).file_name("one.jpg");
    let asked = reqwest::Client::new()
        .post(format!("{}/api/guess?card=1&action=see&lang=en", page.address()))
        .multipart(reqwest::multipart::Form::new().part("photo", form));
    let answer: Value = asked.send().await.unwrap().json().await.unwrap();
    let cards = answer["cards"].as_array().unwrap();
    assert_eq!((cards.len(), &cards[0]["alternative_text"]), (2, &json!(shown)));
    // As wide as the message, so that its words can be read.
    page.resize(390, 844).await;
    let widths = "const image = document.querySelector('.result img'); const style = getComputedStyle(image.closest('.bubble'));
        return image.closest('.bubble').clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - image.clientWidth";
    assert!(page.run(widths).await.as_f64().unwrap() < 1.0, "a card is narrower than its message");
    page.screenshot("seen-390.png").await;
    button.click().await.unwrap();
    assert_eq!(button.attr("aria-expanded").await.unwrap().as_deref(), Some("false"));

    page.drop_photos(&[("none.jpg", &photo_without_a_face())]).await;
    page.wait_for_answers().await;
    let anyway = page.wait(".message.bot:last-child .buttons button").await;
    assert_eq!(anyway.text().await.unwrap(), "Guess anyway");
    anyway.click().await.unwrap();
    let text = page.wait(".message.bot:last-child .result .text:not(.loading)").await.text().await.unwrap();
    assert!(text.contains("found no face"), "{text}");
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn each_face_of_several_has_its_own_explanation() {
    let page = Page::open().await;
    page.drop_photos(&[("three.jpg", &photo_with_faces(3))]).await;
    page.wait_for_answers().await;
    page.wait(".face:nth-child(2) summary").await.click().await.unwrap();
    let button = page.wait(".face:nth-child(2) .buttons button").await;
    assert_eq!(button.text().await.unwrap(), "How do you see me?");
    button.click().await.unwrap();
    let shown = page.wait(".face:nth-child(2) .result img").await.attr("alt").await.unwrap().unwrap();
    let form = reqwest::multipart::Form::new().text("face", "2");
    let form = form.part("photo", reqwest::multipart::Part::bytes(photo_with_faces(3)).file_name("three.jpg"));
    let asked = reqwest::Client::new().post(format!("{}/api/explain?card=1&lang=en", page.address())).multipart(form);
    let answer: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["cards"][0]["alternative_text"], shown.as_str());
    assert_eq!(page.run("return document.querySelectorAll('.face .buttons').length").await, 3);
    page.screenshot("seen-second-of-three.png").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn the_bar_covers_no_part_of_an_answer_and_is_opaque_in_forced_colours() {
    let page = Page::open().await;
    page.resize(390, 844).await;
    page.prefer(&[("prefers-reduced-motion", "reduce")]).await;
    page.drop_photos(&[("one.jpg", &photo_with_a_face())]).await;
    page.wait_for_answers().await;
    let bar = "const bar = document.getElementById('composer').getBoundingClientRect();";
    let answer = "[...document.querySelectorAll('.message.bot')].at(-1)";
    page.run(&format!("{answer}.querySelector('.buttons button:last-child').focus()")).await;
    let below =
        page.run(&format!("{bar} return document.activeElement.getBoundingClientRect().bottom - bar.top")).await;
    assert!(below.as_f64().unwrap() <= 0.5, "the focused button is {below} pixels below the bar's top");
    page.run("scrollTo(0, document.documentElement.scrollHeight)").await;
    let below = page.run(&format!("{bar} return {answer}.getBoundingClientRect().bottom - bar.top")).await;
    assert!(below.as_f64().unwrap() <= 0.5, "the bar covers {below} pixels");

    page.prefer(&[("forced-colors", "active")]).await;
    let ground = page.run("return getComputedStyle(document.getElementById('composer')).backgroundColor").await;
    assert!(ground.as_str().unwrap().starts_with("rgb("), "{ground} is not opaque");
    page.screenshot("forced-colours.png").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn an_answer_leaves_the_reader_where_they_read() {
    let page = Page::open().await;
    page.resize(390, 500).await;
    page.prefer(&[("prefers-reduced-motion", "reduce")]).await;
    page.drop_photos(&[("first.jpg", &photo_with_faces(3))]).await;
    page.wait_for_answers().await;
    let scrolled = page.run("return scrollY").await;
    assert!(scrolled.as_f64().unwrap() > 0.0, "the first answer is scrolled to");
    page.drop_photos(&[("second.jpg", &photo_with_faces(3)), ("third.jpg", &photo_with_a_face())]).await;
    page.run("scrollTo(0, 20)").await;
    page.wait_for_answers().await;
    assert_eq!(page.run("return scrollY").await, 20);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn the_camera_fits_a_phone_on_its_side() {
    let page = Page::open().await;
    for (width, height) in [(844, 390), (568, 320), (390, 844), (320, 256)] {
        page.resize(width, height).await;
        page.wait("#camera").await.click().await.unwrap();
        page.wait("#take-photo:not(:disabled)").await;
        let edges = "const dialog = document.getElementById('viewfinder'); const { top, bottom } = dialog.getBoundingClientRect(); \
                     return [top, innerHeight - bottom, dialog.scrollTop]";
        let edges = page.run(edges).await;
        let [top, bottom, scrolled] = [0, 1, 2].map(|index| edges[index].as_f64().unwrap());
        // At 400 % zoom the dialog is higher than the window and scrolls.
        assert!(top >= 0.0 && bottom >= 0.0 && (height < 300 || scrolled == 0.0), "{width}×{height}: {edges}");
        let hidden =
            "const dialog = document.getElementById('viewfinder'); return dialog.scrollHeight - dialog.clientHeight";
        assert!(height < 300 || page.run(hidden).await == 0, "{width}×{height}: the dialog scrolls");
        page.screenshot(&format!("camera-{width}.png")).await;
        page.browser.active_element().await.unwrap().send_keys(&String::from(char::from(Key::Escape))).await.unwrap();
    }
    page.resize(844, 390).await;
    page.wait("#camera").await.click().await.unwrap();
    page.wait("#take-photo:not(:disabled)").await.click().await.unwrap();
    page.wait_for_answers().await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(with_browser), ignore = "install chromedriver and Chromium")]
async fn trying_again_keeps_the_focus_in_the_message() {
    let mut page = Page::open().await;
    page.program.kill();
    page.drop_photos(&[("one.jpg", &photo_with_a_face())]).await;
    let retry = page.wait(".message.bot:last-child button").await;
    assert_eq!(retry.text().await.unwrap(), "Try again");
    retry.send_keys(&String::from(char::from(Key::Enter))).await.unwrap();
    page.wait(".message.bot:last-child button").await;
    let focused = page.run("return document.activeElement.closest('.message.bot:last-child') !== null").await;
    assert_eq!(focused, true);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(all(with_browser, with_photos)),
    ignore = "install chromedriver and Chromium, and set FACEGUESSER_PHOTOS to the folder of the photographs"
)]
async fn the_page_shows_a_womans_gender_and_no_babys() {
    let page = Page::open().await;
    let genders = "return document.querySelectorAll('.message.bot:last-child .gender').length";
    for (name, shown) in [("person-woman.jpg", 1), ("person-baby.jpg", 0)] {
        // A second photo is answered below the first one.
        page.drop_photos(&[(name, &file("FACEGUESSER_PHOTOS", name))]).await;
        page.wait_for_answers().await;
        assert_eq!(page.run(genders).await, shown, "{name}");
        page.screenshot(&name.replace(".jpg", ".png")).await;
    }
    page.close().await;
}
