//! The whole program over real sockets and files; one binary, so that it is linked once.

mod architecture;
mod browser;
mod cases;
mod cli;
mod discord;
mod discord_buttons;
mod discord_chats;
mod discord_commands;
mod discord_pace;
mod discord_replies;
mod download;
mod evaluation;
mod face;
mod memory;
mod performance;
mod recorded;
mod stopping;
mod support;
mod telegram;
mod telegram_albums;
mod telegram_buttons;
mod telegram_flood;
mod telegram_groups;
mod telegram_webhook;
mod training;
mod web;
