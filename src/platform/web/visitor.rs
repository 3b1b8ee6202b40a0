//! Who sent a request: their address, whether they sit at this machine, and their language.

use std::net::IpAddr;

use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::{HeaderMap, Uri};

use crate::bot::languages::Language;
use crate::inference::FlowId;

/// Headers that reveal a reverse proxy.
const PROXY_HEADERS: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// The peer address of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddr(pub IpAddr);

impl ClientAddr {
    /// The flow that the client's photos belong to in the fair queue. Behind a reverse proxy on this
    /// machine the client is the last address in `X-Forwarded-For`.
    pub(super) fn flow(self, headers: &HeaderMap) -> FlowId {
        FlowId::from_key(&self.forwarded(headers).unwrap_or(self.0))
    }

    /// Whether the visitor's browser runs on this machine: it connects from a loopback address, and no reverse
    /// proxy is in between.
    pub(super) fn is_on_this_machine(self, headers: &HeaderMap) -> bool {
        let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
        is_loopback(self.0)
            && match self.forwarded(headers) {
                Some(client) => is_loopback(client),
                None => !PROXY_HEADERS.iter().any(|name| headers.contains_key(*name)),
            }
    }

    fn forwarded(self, headers: &HeaderMap) -> Option<IpAddr> {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back().filter(|_| self.0.is_loopback())?;
        forwarded.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    }
}

/// The value of a parameter of the request's query.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The language of the query's `lang`, as the page's links have it.
pub(super) fn asked_language(uri: &Uri) -> Option<Language> {
    parameter(uri, "lang").and_then(|tag| Language::from_tag(&tag))
}

/// The language of the query's `lang`, or else the first of `Accept-Language` that is supported.
pub(super) fn language(uri: &Uri, headers: &HeaderMap) -> Option<Language> {
    let accepted = || Language::from_accept_language(headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?);
    asked_language(uri).or_else(accepted)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_a_browser_on_this_machine_counts_as_local() {
        let is_local = |address: &str, pairs: &[(&'static str, &'static str)]| {
            ClientAddr(address.parse().unwrap()).is_on_this_machine(&headers(pairs))
        };
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(is_local(address, &[]), "{address}");
        }
        assert!(!is_local("192.168.1.7", &[]) && !is_local("192.168.1.7", &[("x-forwarded-for", "127.0.0.1")]));
        for proxy in [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "127.0.0.1, 203.0.113.9"),
            ("x-forwarded-for", "unknown"),
            ("forwarded", "for=203.0.113.9"),
            ("via", "1.1 proxy"),
            ("x-real-ip", "203.0.113.9"),
        ] {
            assert!(!is_local("127.0.0.1", &[proxy]), "{proxy:?}");
        }
        assert!(is_local("127.0.0.1", &[("x-forwarded-for", "127.0.0.1")]));
    }

    #[test]
    fn the_query_decides_the_language_and_then_the_browser() {
        let language = |uri: &'static str, accepted: &[_]| language(&Uri::from_static(uri), &headers(accepted));
        let german = ("accept-language", "nl,de-AT;q=0.8,en;q=0.5");
        assert_eq!(language("/?x=1&lang=ja", &[german]), Some(Language::Japanese));
        for uri in ["/", "/?lang=", "/?lang=tlh"] {
            assert_eq!(language(uri, &[german]), Some(Language::German), "{uri}");
        }
        assert_eq!(language("/", &[]), None);
    }
}
