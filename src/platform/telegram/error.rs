//! The errors that end the Telegram bot.

use std::net::SocketAddr;

/// Why the Telegram bot stopped for good. No variant holds the token.
#[derive(Debug, thiserror::Error)]
pub enum TelegramError {
    /// The token is refused.
    #[error("Telegram refuses the token: copy it again from @BotFather (/mybots) into FACEGUESSER__TELEGRAM__TOKEN")]
    InvalidToken,
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created: this machine's TLS configuration is unusable")]
    Client,
    /// The webhook's server could not be started.
    #[error("the webhook cannot listen on {address}: choose another address with telegram.webhook_listen")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// Why it cannot be listened on.
        source: std::io::Error,
    },
}
