//! The errors that end the Matrix bot.

/// Why the Matrix bot stopped for good. No variant holds the token.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The token is refused.
    #[error("the homeserver refuses the token: log in again and put the new one into FACEGUESSER__MATRIX__TOKEN")]
    InvalidToken,
    /// The password is refused, or the homeserver does not accept passwords.
    #[error("the homeserver refuses matrix.user with matrix.password: correct them, or set matrix.token instead")]
    InvalidPassword,
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created: this machine's TLS configuration is unusable")]
    Client,
}
