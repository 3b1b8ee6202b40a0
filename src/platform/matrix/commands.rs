//! Answers commands that are not about photos.
//!
//! Matrix has no buttons: what they do, a line with a command does.

use ruma::OwnedRoomId;

use super::dispatch::DIRECT;
use super::handler::Handler;
use super::incoming::Message;
use super::request::{PREFIX, asker};
use super::sender::Destination;
use crate::bot::Answer;
use crate::bot::actions::{Action, Setting};
use crate::bot::commands::{AskerRole, Command};
use crate::bot::languages::Language;
use crate::bot::people::Asker;

/// Commands that the messages spell with a slash, as the other platforms do.
const NAMES: [&str; 8] = ["auto", "forget", "game", "gender", "language", "optin", "optout", "privacy"];

impl Handler {
    pub(super) async fn handle_command(&self, command: Command, room: &OwnedRoomId, message: &Message) {
        let asker = asker(room, &message.sender);
        let needs_role = command.needs_admin() || command == Command::Forget;
        let role = self.role(room, message, needs_role).await;
        let answer = self.bot.command(command, &asker, &role).await;
        self.reply(answer, &asker, room, message).await;
    }

    /// Steps to a setting's next value.
    pub(super) async fn change_setting(&self, setting: Setting, room: &OwnedRoomId, message: &Message) {
        // After a restart a message may come again: the setting must not be stepped twice.
        if !self.receive(&message.event, None).await {
            return;
        }
        let asker = asker(room, &message.sender);
        let role = self.role(room, message, true).await;
        let response = self.bot.handle_button(Action::ChangeSetting(setting), &asker, &role).await;
        let answer = response.edit.or_else(|| response.note.map(Answer::from));
        self.reply(answer.unwrap_or_default(), &asker, room, message).await;
    }

    async fn role(&self, room: &OwnedRoomId, message: &Message, needs_role: bool) -> AskerRole {
        let direct = matches!(self.rooms.members(room).await, Ok(..=DIRECT));
        let admin = direct || needs_role && self.rooms.is_admin(room, &message.sender).await;
        AskerRole { name: message.sender.localpart().to_owned(), admin, direct }
    }

    async fn reply(&self, mut answer: Answer, asker: &Asker, room: &OwnedRoomId, message: &Message) {
        let language = self.bot.reply_style(asker).await.language;
        answer.text = as_typed(&answer, language);
        let destination = Destination {
            room: room.clone(),
            request: message.event.clone(),
            reply_to: message.event.clone(),
            thread: message.thread.clone(),
            asker: message.sender.clone(),
        };
        self.sender.post(&destination, &answer).await;
    }
}

/// The text of an answer, with commands as they are typed here and each button as a line with its command.
fn as_typed(answer: &Answer, language: Language) -> String {
    let settings = answer.buttons.iter().flatten().filter(|button| is_offered(button.action));
    let lines: Vec<String> = settings
        .map(|button| format!("{PREFIX} {}: {}", button.action.code().replace(':', " "), button.label))
        .collect();
    if !lines.is_empty() {
        return format!("{}\n{}", language.message("settings-typed"), lines.join("\n"));
    }
    NAMES.iter().fold(answer.text.clone(), |text, name| text.replace(&format!("/{name}"), &format!("{PREFIX} {name}")))
}

/// Whether a button's action has a command. Nothing on Matrix is visible to one person of a room alone.
fn is_offered(action: Action) -> bool {
    matches!(action, Action::ChangeSetting(setting) if setting != Setting::Private)
}
