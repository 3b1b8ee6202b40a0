//! The site: its pages, written in the visitor's language, and the files that they load.
//!
//! A page is `site/shell.html` around the page's own main part. In both, `{{id}}` stands for the message of that id or
//! for one of the values of [`Request`]. Messages that scripts need have ids with the prefix `…-script-` of their
//! page; they are in the page as JSON.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::figures;
use super::learn;
use super::visitor::{self, ClientAddr};
use crate::bot::languages::Language;

const SHELL: &str = include_str!("site/shell.html");

pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The files: path, type and content.
const ASSETS: [(&str, &str, &str); 8] = [
    ("/site.css", CSS, include_str!("site/site.css")),
    ("/language.js", JAVASCRIPT, include_str!("site/language.js")),
    ("/dom.js", JAVASCRIPT, include_str!("site/dom.js")),
    ("/chat.js", JAVASCRIPT, include_str!("site/chat.js")),
    ("/answer.js", JAVASCRIPT, include_str!("site/answer.js")),
    ("/camera.js", JAVASCRIPT, include_str!("site/camera.js")),
    ("/favicon.svg", SVG, include_str!("site/icon.svg")),
    ("/favicon.ico", SVG, include_str!("site/icon.svg")),
];

/// One of the pages.
#[derive(Clone, Copy)]
struct Page {
    path: &'static str,
    /// The ids of its label in the navigation, its title and its description.
    label: &'static str,
    title: &'static str,
    description: &'static str,
    /// The prefix of the ids of its scripts' messages.
    words: &'static str,
    main: &'static str,
    /// Its style sheet and script, as elements of the head.
    head: fn() -> String,
}

const PAGES: [Page; 3] = [
    Page {
        path: "/",
        label: "site-chat",
        title: "chat-title",
        description: "chat-description",
        words: "chat-script-",
        main: include_str!("site/chat.html"),
        head: || r#"<script type="module" src="/chat.js"></script>"#.to_owned(),
    },
    Page {
        path: "/how",
        label: "site-how",
        title: "learn-title",
        description: "learn-description",
        words: "learn-script-",
        main: learn::PAGE,
        head: learn::head,
    },
    Page {
        path: "/about",
        label: "site-about",
        title: "about-title",
        description: "about-description",
        words: "about-script-",
        main: include_str!("site/about.html"),
        head: String::new,
    },
];

/// What a page depends on.
struct Request {
    language: Language,
    /// Whether the links keep the language, because the address names it.
    asked: bool,
    /// Whether the visitor's browser runs on this machine.
    local: bool,
}

/// The routes of all pages and files.
pub(super) fn routes() -> Router {
    let mut router = Router::new();
    for page in PAGES {
        let answer = move |Extension(client): Extension<ClientAddr>, uri: Uri, headers: HeaderMap| async move {
            let request = Request {
                language: visitor::language(&uri, &headers).unwrap_or_default(),
                asked: visitor::asked_language(&uri).is_some(),
                local: client.is_on_this_machine(&headers),
            };
            // Not for shared caches: the page depends on who asks.
            let mut response =
                cacheable("text/html; charset=utf-8", "private, no-cache", request.render(&page), &headers);
            response.headers_mut().insert(VARY, "accept-language".parse().unwrap());
            response
        };
        router = router.route(page.path, get(answer));
    }
    let texts = ASSETS.map(|(path, content_type, content)| (path, content_type, content.as_bytes()));
    for (path, content_type, content) in texts.into_iter().chain(learn::ASSETS) {
        let answer = move |headers: HeaderMap| async move { cacheable(content_type, "no-cache", content, &headers) };
        router = router.route(path, get(answer));
    }
    router
}

/// The content with its hash as `ETag`, or 304 to a browser that has it already.
fn cacheable(
    content_type: &'static str,
    cache_control: &'static str,
    content: impl IntoResponse + AsRef<[u8]>,
    headers: &HeaderMap,
) -> Response {
    let mut hasher = DefaultHasher::new();
    content.as_ref().hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let caching = [(ETAG, tag), (CACHE_CONTROL, cache_control.to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, content_type)], content).into_response()
}

impl Request {
    fn render(&self, page: &Page) -> String {
        let main = self.fill(page.main, page, "");
        self.fill(SHELL, page, &main)
    }

    /// Replaces each `{{name}}` of a template.
    fn fill(&self, template: &str, page: &Page, main: &str) -> String {
        let mut filled = String::with_capacity(2 * template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").unwrap_or((after, ""));
            filled += before;
            filled += &self.value(name, page, main);
            rest = after;
        }
        filled + rest
    }

    /// What stands for `{{name}}`, as HTML.
    fn value(&self, name: &str, page: &Page, main: &str) -> String {
        let language = self.language;
        match name {
            "lang" => language.code().to_owned(),
            "head" => (page.head)(),
            "main" => main.to_owned(),
            "title" => escape_html(&language.message(page.title)),
            "description" => escape_html(&language.message(page.description)),
            "pages" => self.navigation(page),
            "languages" => self.languages(page),
            "language-name" => language.name().to_owned(),
            "query" if self.asked => format!("?lang={}", language.code()),
            "query" => String::new(),
            "words" => words(language, page.words),
            "privacy" => {
                escape_html(&language.message(if self.local { "site-private-here" } else { "site-private-server" }))
            }
            "figures-summary" => figures::summary(language),
            "figures-by-age" => figures::by_age(language),
            "figures-by-group" => figures::by_group(language),
            id => escape_html(&language.message(id)),
        }
    }

    fn navigation(&self, current: &Page) -> String {
        let link = |page: &Page| {
            let current = if page.path == current.path { r#" aria-current="page""# } else { "" };
            let label = escape_html(&self.language.message(page.label));
            let query = self.value("query", page, "");
            format!(r#"<li><a href="{}{query}"{current}>{label}</a></li>"#, page.path)
        };
        PAGES.iter().map(link).collect()
    }

    fn languages(&self, page: &Page) -> String {
        let link = |language: Language| {
            let (code, name) = (language.code(), language.name());
            let current = if language == self.language { r#" aria-current="true""# } else { "" };
            format!(
                r#"<li><a href="{}?lang={code}" lang="{code}" hreflang="{code}"{current}>{name}</a></li>"#,
                page.path
            )
        };
        Language::ALL.into_iter().map(link).collect()
    }
}

/// Text as HTML, in an element or an attribute.
pub(super) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The messages whose ids begin with `prefix`, as JSON that may stand inside an element.
fn words(language: Language, prefix: &str) -> String {
    let words: serde_json::Map<_, _> =
        Language::ids(prefix).map(|id| (id.to_owned(), language.unfilled(id).into())).collect();
    serde_json::Value::from(words).to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(language: Language) -> Request {
        Request { language, asked: false, local: true }
    }

    /// Every `{{name}}` of a template.
    fn names(template: &str) -> impl Iterator<Item = &str> {
        template.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap())
    }

    #[test]
    fn every_page_is_complete_in_every_language() {
        for language in Language::ALL {
            for page in PAGES {
                let html = request(language).render(&page);
                for id in names(SHELL).chain(names(page.main)) {
                    assert!(!html.contains(&format!(">{id}<")), "{language:?}: {} lacks {id}", page.path);
                }
                assert!(!html.contains("{{") && !html.contains("}}"), "{language:?}: {}", page.path);
                assert!(html.starts_with("<!doctype html>") && html.contains(&format!("lang=\"{}\"", language.code())));
                assert_eq!(html.matches("<h1").count(), 1, "{}", page.path);
            }
        }
    }

    #[test]
    fn the_words_of_scripts_have_no_variants() {
        for language in Language::ALL {
            let sources = language.sources().join("\n");
            let mut id = "";
            for line in sources.lines().filter(|line| !line.starts_with('#')) {
                if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                    id = line.split(" =").next().unwrap_or_default();
                }
                assert!(!(id.contains("-script-") && line.contains("->")), "{language:?}: {id}");
            }
            let words = words(language, "chat-script-");
            assert!(words.contains("{$age}") && !words.contains('<'), "{words}");
        }
    }

    #[test]
    fn the_page_promises_that_photos_stay_only_to_who_sits_at_this_machine() {
        let html = |local| Request { language: Language::English, asked: false, local }.render(&PAGES[0]);
        assert!(html(true).contains("stay on this machine") && !html(false).contains("stay on this machine"));
        assert!(html(false).contains("this server") && !html(true).contains("this server"));
    }
}
