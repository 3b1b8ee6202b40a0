//! The whole program over real sockets and files; one binary, so that it is linked once.

mod architecture;
mod browser;
mod cli;
mod discord;
mod discord_buttons;
mod discord_chats;
mod discord_commands;
mod discord_pace;
mod discord_replies;
mod download;
mod face;
mod support;
mod telegram;
mod training;
mod web;
