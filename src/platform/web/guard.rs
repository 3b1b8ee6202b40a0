//! Refuses requests from other sites, and adds the security headers.
//!
//! Every page in the machine's browser can reach a server on loopback. Two checks keep other sites
//! out: the `Host` has to be a loopback one or one that the settings name (any other name that resolves to
//! this machine is DNS rebinding), and a photo has to come from this page or from a client that is not a browser.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

/// Added to every response. The page loads nothing from other hosts and runs no inline scripts.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(self), microphone=(), geolocation=()"),
];

/// Adds the headers to every response and, on `loopback` or where public `hosts` are named, both checks to every
/// request.
pub(super) fn guarded(router: Router, loopback: bool, hosts: Arc<[String]>) -> Router {
    let checked = loopback || !hosts.is_empty();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let refusal = checked.then(|| refusal(request.method(), request.uri(), request.headers(), &hosts)).flatten();
        async move {
            let mut response = match refusal {
                Some(message) => forbidden(message),
                None => next.run(request).await,
            };
            for (name, value) in HEADERS {
                response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            response
        }
    }))
}

fn forbidden(message: &'static str) -> Response {
    (StatusCode::FORBIDDEN, Json(json!({ "error": message }))).into_response()
}

/// Why a request is refused, as a message for the client; `None` if it is accepted.
pub(super) fn refusal(method: &Method, uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> Option<&'static str> {
    let is_known = |host: &str| is_loopback(host) || is_public(host, hosts);
    let mut asked = headers.get_all(HOST).iter().map(HeaderValue::to_str).peekable();
    let is_known_host = asked.peek().is_some() && asked.all(|host| host.is_ok_and(is_known));
    if !is_known_host || uri.authority().is_some_and(|authority| !is_known(authority.as_str())) {
        return Some(
            "This page is not available under this name: open it on the machine that it runs on, as http://localhost \
             or by its loopback address. Behind a reverse proxy, the operator adds the name to the setting web.hosts.",
        );
    }
    if method == Method::POST && !is_from_own_page(headers) {
        return Some("Photos are only accepted from this page, not from other websites.");
    }
    None
}

/// Whether `host`, with or without a port, is a loopback address or `localhost`: names that nobody
/// else can register.
pub(super) fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether `host`, with or without a port, is one of the names that the settings publish.
fn is_public(host: &str, hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    hosts.iter().any(|public| public.eq_ignore_ascii_case(authority.host()))
}

/// Browsers send a request's source in `Sec-Fetch-Site`, older ones only in `Origin`; other programs
/// send neither.
fn is_from_own_page(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.map(|(_, authority)| authority) == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn is_refused(method: Method, pairs: &[(&'static str, &'static str)]) -> bool {
        refusal(&method, &Uri::from_static("/"), &headers(pairs), &[]).is_some()
    }

    #[test]
    fn only_loopback_hosts_are_accepted() {
        for host in ["localhost", "LocalHost:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:1", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(host), "{host}");
        }
        let foreign = ["example.org", "localhost.example.org", "127.0.0.1.example.org", "10.0.0.1", "[::2]", "", "a b"];
        for host in foreign {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_foreign_or_missing_host_is_refused_even_in_the_request_line() {
        assert!(!is_refused(Method::GET, &[("host", "localhost:8080")]));
        assert!(is_refused(Method::GET, &[("host", "rebound.example")]));
        assert!(is_refused(Method::GET, &[]));
        let absolute = Uri::from_static("http://rebound.example/");
        assert!(refusal(&Method::GET, &absolute, &headers(&[("host", "localhost")]), &[]).is_some());
    }

    #[test]
    fn a_name_that_the_settings_publish_is_accepted_with_photos_from_its_own_page() {
        let hosts = ["faces.example.org".to_owned()];
        let refusal = |method: Method, pairs: &[_]| refusal(&method, &Uri::from_static("/"), &headers(pairs), &hosts);
        for host in ["faces.example.org", "Faces.Example.org:443", "localhost:8080"] {
            assert_eq!(refusal(Method::GET, &[("host", host)]), None, "{host}");
        }
        for host in ["example.org", "faces.example.org.evil.example", "other.example.org"] {
            assert!(refusal(Method::GET, &[("host", host)]).is_some_and(|message| message.contains("web.hosts")));
        }
        let host = ("host", "faces.example.org");
        assert_eq!(refusal(Method::POST, &[host, ("origin", "https://faces.example.org")]), None);
        assert!(refusal(Method::POST, &[host, ("origin", "https://evil.example")]).is_some());
    }

    #[test]
    fn photos_are_accepted_only_from_the_page_itself_and_from_programs() {
        let host = ("host", "localhost:8080");
        for own in
            [&[host][..], &[host, ("sec-fetch-site", "same-origin")], &[host, ("origin", "http://localhost:8080")]]
        {
            assert!(!is_refused(Method::POST, own), "{own:?}");
        }
        for foreign in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "http://localhost:3000"),
            ("origin", "https://example.org"),
            ("origin", "null"),
        ] {
            assert!(is_refused(Method::POST, &[host, foreign]), "{foreign:?}");
            assert!(!is_refused(Method::GET, &[host, foreign]), "{foreign:?}");
        }
    }
}
