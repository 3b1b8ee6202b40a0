//! Platform adapters: each turns a platform's messages into a [`PhotoSource`] and a [`Reply`] back,
//! and does nothing else. [`refusal`] is what all of them make of a refused request, [`connections`]
//! how many visitors those of them that listen have, and for how long.
//!
//! [`PhotoSource`]: crate::bot::PhotoSource
//! [`Reply`]: crate::bot::Reply

#[cfg(feature = "http-server")]
pub mod connections;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(any(feature = "discord", feature = "telegram"))]
mod fifo_cache;
#[cfg(any(feature = "discord", feature = "telegram"))]
mod refusal;
#[cfg(feature = "telegram")]
pub mod telegram;
#[cfg(feature = "web")]
pub mod web;
