//! The errors that end the Telegram bot.

use std::net::SocketAddr;

/// Why the Telegram bot stopped for good. No variant holds the token.
#[derive(Debug, thiserror::Error)]
pub enum TelegramError {
    #[error("Telegram refuses the token: copy it again from @BotFather (/mybots) into FACEGUESSER__TELEGRAM__TOKEN")]
    InvalidToken,
    #[error("the HTTP client could not be created: this machine's TLS configuration is unusable")]
    Client,
    #[error("the webhook cannot listen on {address}: choose another address with telegram.webhook_listen")]
    Listen { address: SocketAddr, source: std::io::Error },
}
