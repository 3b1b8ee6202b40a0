//! The client-server API: sends one request and returns its response, or an [`ApiError`].
//!
//! ruma defines the endpoints; its own client would bring a second HTTP library.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use ruma::api::auth_scheme::{AuthScheme, SendAccessToken};
use ruma::api::client::discovery::discover_homeserver;
use ruma::api::error::{Error, FromHttpResponseError};
use ruma::api::path_builder::VersionHistory;
use ruma::api::{IncomingResponseExt, Metadata, OutgoingRequest, OutgoingRequestExt, SupportedVersions};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::MatrixError;
use super::refusals::{ApiError, refusal};
use crate::bot::people::Platform;
use crate::download::cause;
use crate::observe::health::{Link, health};
use crate::observe::metrics::metrics;
use crate::platform::probe::server_time;
use crate::platform::refusal::{Backoff, Refusal, error_kind};

/// The time limit of one attempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest response. Only a sync after a long absence comes near it, which then asks for less.
const MAX_RESPONSE: usize = 32 << 20;

/// The API of one homeserver, for one account.
#[derive(Clone)]
pub(super) struct Api(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    base: Url,
    token: RwLock<SecretString>,
    versions: SupportedVersions,
    /// The clock of the homeserver, as of the latest response.
    server_time: RwLock<Option<SystemTime>>,
    link: Arc<Link>,
}

/// A request of the API that ruma defines.
pub(super) trait ApiRequest:
    OutgoingRequest<EndpointError = Error>
    + Metadata<PathBuilder = VersionHistory, Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>>
{
}

impl<R> ApiRequest for R where
    R: OutgoingRequest<EndpointError = Error>
        + Metadata<PathBuilder = VersionHistory, Authentication: for<'a> AuthScheme<Input<'a> = SendAccessToken<'a>>>
{
}

impl Api {
    pub(super) fn new(base: Url) -> Result<Self, MatrixError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("faceguesser/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| MatrixError::Client)?;
        // The paths of all that is used have not changed since.
        let versions = SupportedVersions::from_parts(&["v1.1".to_owned()], &Default::default());
        let link = health().link(Platform::Matrix.name());
        let (token, server_time) = (RwLock::new("".into()), RwLock::default());
        Ok(Self(Arc::new(Inner { client, base, token, versions, server_time, link })))
    }

    pub(super) fn base(&self) -> &Url {
        &self.0.base
    }

    pub(super) fn token(&self) -> SecretString {
        self.0.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the token that all further requests carry.
    pub(super) fn set_token(&self, token: SecretString) {
        *self.0.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The homeserver's clock as of the latest response.
    pub(super) fn server_time(&self) -> Option<SystemTime> {
        *self.0.server_time.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request once.
    pub(super) async fn send<R: ApiRequest>(&self, request: R) -> Result<R::IncomingResponse, ApiError> {
        self.send_held(request, Duration::ZERO).await
    }

    /// Sends a request once, whose response the homeserver may hold back for `hold`.
    pub(super) async fn send_held<R: ApiRequest>(
        &self,
        request: R,
        hold: Duration,
    ) -> Result<R::IncomingResponse, ApiError> {
        let link = &self.0.link;
        link.asked(hold);
        let result = self.attempt(request, REQUEST_TIMEOUT + hold).await;
        match &result {
            Ok(_) => link.answered(),
            Err(error) => {
                metrics().count_platform_error(Platform::Matrix.name(), error_kind(error.status()));
                if error.is_invalid_token() {
                    link.refused("refuses the token");
                } else if matches!(error, ApiError::Refused { status: ..500, .. }) {
                    link.answered();
                } else {
                    // Due from now on, not only once it could have been held back.
                    link.asked(Duration::ZERO);
                }
            }
        }
        result
    }

    /// Sends a request and repeats it after transient errors until `limit` has passed.
    pub(super) async fn send_within<R: ApiRequest>(
        &self,
        request: R,
        limit: Duration,
    ) -> Result<R::IncomingResponse, ApiError> {
        let mut backoff = Backoff::with_limit(limit);
        loop {
            let error = match self.send(request.clone()).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match refusal(&error) {
                Refusal::Retry { after } if backoff.pause(after).await => {}
                _ => return Err(error),
            }
        }
    }

    /// What the server publishes about its homeserver (client-server API, "Server discovery").
    pub(super) async fn discover(&self) -> Result<discover_homeserver::Response, ApiError> {
        let mut url = self.0.base.clone();
        url.set_path("/.well-known/matrix/client");
        let response = self.0.client.get(url).timeout(REQUEST_TIMEOUT).send().await;
        parse(response.map_err(|error| ApiError::Network { reason: cause(&error.without_url()) })?).await
    }

    async fn attempt<R: ApiRequest>(&self, request: R, timeout: Duration) -> Result<R::IncomingResponse, ApiError> {
        let inner = &*self.0;
        let unusable = |error: &dyn std::error::Error| ApiError::Network { reason: cause(error) };
        let token = self.token();
        let access = SendAccessToken::IfRequired(token.expose_secret());
        let versions = std::borrow::Cow::Borrowed(&inner.versions);
        let request = request.try_into_http_request::<Vec<u8>>(inner.base.as_str(), access, versions);
        let request = request.map_err(|error| unusable(&error))?;
        let mut request = reqwest::Request::try_from(request).map_err(|error| unusable(&error.without_url()))?;
        *request.timeout_mut() = Some(timeout);
        let response = inner.client.execute(request).await.map_err(|error| unusable(&error.without_url()))?;
        if let Some(time) = server_time(response.headers()) {
            *inner.server_time.write().unwrap_or_else(PoisonError::into_inner) = Some(time);
        }
        parse(response).await
    }
}

async fn parse<T>(mut response: reqwest::Response) -> Result<T, ApiError>
where
    T: IncomingResponseExt<EndpointError = Error>,
{
    let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
    let invalid = ApiError::InvalidResponse { status, retry_after };
    let mut head = axum::http::Response::new(());
    (*head.status_mut(), *head.headers_mut()) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_RESPONSE => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(invalid),
            Ok(None) => break,
            Err(error) => return Err(ApiError::Network { reason: cause(&error.without_url()) }),
        }
    }
    T::try_from_http_response(head.map(|()| body.as_slice())).map_err(|error| match error {
        FromHttpResponseError::Server(error) => ApiError::from_server(error, retry_after),
        _ => invalid,
    })
}

/// The wait that a proxy asks for, in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
