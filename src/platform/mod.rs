//! The doors of the house: each turns a platform's messages into a [`PhotoSource`] and a
//! [`Reply`] back, and does nothing else.
//!
//! [`PhotoSource`]: crate::bot::PhotoSource
//! [`Reply`]: crate::bot::Reply

pub mod discord;
pub mod telegram;
pub mod web;
