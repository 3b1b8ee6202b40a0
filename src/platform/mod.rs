//! Platform adapters: each turns a platform's messages into a [`PhotoSource`] and a [`Reply`] back,
//! and does nothing else. [`refusal`] is what all of them make of a refused request, [`connections`]
//! how many visitors those of them that listen have, and for how long.
//!
//! [`PhotoSource`]: crate::bot::PhotoSource
//! [`Reply`]: crate::bot::Reply

pub mod connections;
pub mod discord;
mod fifo_cache;
mod refusal;
pub mod telegram;
pub mod web;
