//! Properties that hold for every request's head. Compiled only for fuzzing and tests.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::guard::{is_loopback, refusal};
use super::upload::{MAX_NAME, sanitise_name};
use super::visitor::{self, ClientAddr};

const HEADERS: [&str; 5] = ["host", "origin", "sec-fetch-site", "x-forwarded-for", "accept-language"];

/// `data` is lines: the URI, the value of each header (an empty line leaves it out), a file name.
pub fn web_request(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let uri = lines.next().and_then(|line| Uri::try_from(line).ok()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, line) in HEADERS.into_iter().zip(&mut lines) {
        if let Ok(value) = HeaderValue::from_bytes(line)
            && !line.is_empty()
        {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    for method in [Method::GET, Method::POST] {
        if refusal(&method, &uri, &headers, &[]).is_none() {
            assert!(host.is_some_and(is_loopback), "a host that is not loopback is accepted");
            let site = headers.get("sec-fetch-site");
            assert!(method == Method::GET || site.is_none_or(|site| site == "same-origin" || site == "none"));
        }
    }
    let client = ClientAddr(std::net::Ipv4Addr::LOCALHOST.into());
    let _ = (client.flow(&headers), client.is_on_this_machine(&headers), visitor::language(&uri, &headers));
    let name = sanitise_name(&String::from_utf8_lossy(lines.next().unwrap_or_default()));
    assert!((1..=MAX_NAME).contains(&name.chars().count()));
    assert!(!name.contains(['/', '\\']) && !name.chars().any(char::is_control));
}
