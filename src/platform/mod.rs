//! Platform adapters: each turns a platform's messages into a [`PhotoSource`], and a [`Reply`] into its
//! messages, and does nothing else. [`refusal`] classifies their refused requests and [`connections`]
//! limits the connections of those that listen.
//!
//! [`PhotoSource`]: crate::bot::PhotoSource
//! [`Reply`]: crate::bot::Reply

pub mod connections;
pub mod discord;
mod fifo_cache;
mod refusal;
pub mod telegram;
pub mod web;
