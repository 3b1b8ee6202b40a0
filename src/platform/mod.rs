//! Platform adapters: each turns a platform's messages into a [`PhotoSource`], and a [`Reply`] into its messages, and
//! does nothing else. [`refusal`] classifies their refused requests, [`connections`] limits the connections of those
//! that listen, and [`status`] shows the operator how they are. [`probe`] is what they can be asked before the bot
//! runs.
//!
//! [`PhotoSource`]: crate::bot::PhotoSource
//! [`Reply`]: crate::bot::Reply

#[cfg(feature = "http-server")]
pub mod connections;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
mod fifo_cache;
#[cfg(feature = "matrix")]
pub mod matrix;
#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
pub mod probe;
#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
mod refusal;
#[cfg(any(feature = "telegram", feature = "web"))]
mod secret;
#[cfg(feature = "http-server")]
pub mod status;
#[cfg(feature = "telegram")]
pub mod telegram;
#[cfg(feature = "web")]
pub mod web;
