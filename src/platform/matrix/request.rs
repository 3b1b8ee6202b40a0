//! What a message asks for.
//!
//! In a room with one other member every picture is answered; elsewhere those with `!age` or a mention of the bot in
//! their caption or in a reply to them, and every picture where the room has automatic replies on.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::ids::{chat_id, event_number, person_id};
use super::incoming::{Message, Photo};
use super::sender::Destination;
use crate::bot::actions::{Action, Setting};
use crate::bot::commands::Command;
use crate::bot::jobs::Job;
use crate::bot::people::{Asker, Platform};

/// What a message to the bot begins with.
pub(super) const PREFIX: &str = "!age";

/// The bot's own account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) user: OwnedUserId,
    /// How clients show it, if it has chosen a name.
    pub(super) name: Option<String>,
}

/// What is to be done with a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PhotoTask {
    Guess,
    /// Explains the guess at the face of this index, from 0.
    Explain {
        face: u8,
    },
}

/// A message that has a photo or asks about one: all that is needed to answer it, and what a [`Job`] stores. No
/// picture, no name, no text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PhotoRequest {
    pub(super) room: OwnedRoomId,
    pub(super) event: OwnedEventId,
    pub(super) sender: OwnedUserId,
    pub(super) thread: Option<OwnedEventId>,
    /// The message's own photo.
    pub(super) photo: Option<Photo>,
    /// The message that it refers to.
    pub(super) about: Option<OwnedEventId>,
    /// `None`: it does not ask for anything, and is answered where every photo is.
    pub(super) task: Option<PhotoTask>,
    /// Whether an earlier run has started on it.
    #[serde(skip)]
    pub(super) resumed: bool,
}

impl PhotoRequest {
    fn new(room: &RoomId, message: &Message, task: Option<PhotoTask>) -> Self {
        Self {
            room: room.to_owned(),
            event: message.event.clone(),
            sender: message.sender.clone(),
            thread: message.thread.clone(),
            photo: message.photo.clone(),
            about: message.reply_to.clone().or_else(|| message.thread.clone()),
            task,
            resumed: false,
        }
    }

    /// The job that stores the request until it is answered.
    pub(super) fn to_job(&self) -> Job {
        // A struct of strings and numbers, which always serialises.
        let reference = serde_json::to_string(self).unwrap_or_default();
        Job::new(chat_id(&self.room), event_number(&self.event), person_id(&self.sender), reference)
    }

    /// The request that a job stores; `None` when another version of the program wrote it.
    pub(super) fn from_job(job: &Job) -> Option<Self> {
        let request = serde_json::from_str(&job.reference).ok()?;
        Some(Self { resumed: true, ..request })
    }

    pub(super) fn asker(&self) -> Asker {
        asker(&self.room, &self.sender)
    }

    /// The destination of a reply to the message itself.
    pub(super) fn destination(&self) -> Destination {
        Destination {
            room: self.room.clone(),
            request: self.event.clone(),
            reply_to: self.event.clone(),
            thread: self.thread.clone(),
            asker: self.sender.clone(),
        }
    }
}

/// Matrix does not tell the language of a person's client.
pub(super) fn asker(room: &RoomId, sender: &UserId) -> Asker {
    Asker { person: person_id(sender), chat: chat_id(room), language: None }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Intent {
    /// A guess or an explanation, possibly without a photo.
    Photo(PhotoRequest),
    Command(Command),
    /// The next value of a setting.
    Setting(Setting),
    /// Nothing; it is answered where the bot is alone with its author.
    Talk,
}

/// What a message asks the bot `me` for. `is_direct`: the two are alone, so that everything is meant for it.
pub(super) fn parse_intent(room: &RoomId, message: &Message, me: &Account, is_direct: bool) -> Intent {
    let asked = |task| Intent::Photo(PhotoRequest::new(room, message, Some(task)));
    let words = match addressed(message, me) {
        Some(words) => words,
        // Stickers, voice messages and the like are answered with "no picture".
        None if message.photo.is_some() || message.is_media && is_direct => {
            return Intent::Photo(PhotoRequest::new(room, message, is_direct.then_some(PhotoTask::Guess)));
        }
        None if is_direct => &message.text,
        None => return Intent::Talk,
    };
    let (name, arguments) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let name = name.trim_start_matches(['!', '/']).to_lowercase();
    // The game needs buttons.
    if message.photo.is_none()
        && let Some(command) = Command::parse(&name, arguments.trim()).filter(|command| *command != Command::Scores)
    {
        return Intent::Command(command);
    }
    match name.as_str() {
        "set" => parse_setting(arguments.trim()).map_or(Intent::Command(Command::Settings), Intent::Setting),
        "explain" => {
            let face = arguments.trim().parse().unwrap_or(1_u8);
            asked(PhotoTask::Explain { face: face.saturating_sub(1) })
        }
        "guess" => asked(PhotoTask::Guess),
        // What is said to nobody in particular.
        _ if addressed(message, me).is_none() => Intent::Command(Command::Help),
        _ => asked(PhotoTask::Guess),
    }
}

/// The setting that a command names. Nothing on Matrix is visible to one person of a room alone.
fn parse_setting(name: &str) -> Option<Setting> {
    match Action::from_code(&format!("set:{name}"), Platform::Matrix)? {
        Action::ChangeSetting(setting) => Some(setting).filter(|setting| *setting != Setting::Private),
        _ => None,
    }
}

/// What a message says to the bot, without the prefix or the name that it is addressed with; `None` if it is not.
fn addressed<'a>(message: &'a Message, me: &Account) -> Option<&'a str> {
    let text = message.text.as_str();
    if let Some(rest) = strip_prefix(text, PREFIX) {
        return Some(rest);
    }
    // Whoever replies to the bot mentions it without wanting to.
    if !message.mentions(&me.user) || message.reply_to.is_some() && !message.names(&me.user) {
        return None;
    }
    let names = [me.name.as_deref(), Some(me.user.as_str()), Some(me.user.localpart())].into_iter().flatten();
    let text = text.trim_start_matches('@');
    Some(names.filter_map(|name| strip_prefix(text, name.trim_start_matches('@'))).next().unwrap_or_default())
}

/// A text without a name at its beginning, in any case, and the colon or comma after it.
fn strip_prefix<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(name.len())?;
    let is_whole = !rest.starts_with(|next: char| next.is_alphanumeric());
    let is_named = !name.is_empty() && start.to_lowercase() == name.to_lowercase();
    (is_named && is_whole).then(|| rest.trim_start_matches([':', ',']).trim())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn intent(content: Value, is_direct: bool) -> Intent {
        let me = Account { user: "@faces:a.example".try_into().unwrap(), name: Some("Face Guesser".into()) };
        let event =
            json!({ "event_id": "$one", "sender": "@ann:a.example", "origin_server_ts": 1, "content": content });
        parse_intent("!room:a.example".try_into().unwrap(), &Message::from_json(&event).unwrap(), &me, is_direct)
    }

    fn text(text: &str) -> Value {
        json!({ "msgtype": "m.text", "body": text })
    }

    fn task(intent: Intent) -> Option<PhotoTask> {
        match intent {
            Intent::Photo(request) => request.task,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_follow_the_prefix_or_a_name_of_the_bot() {
        for said in ["!age help", "!AGE: Help", "@faces:a.example: help", "@faces:a.example, help me"] {
            assert_eq!(intent(text(said), false), Intent::Command(Command::Help), "{said}");
        }
        let mention = json!({ "user_ids": ["@faces:a.example"] });
        let named = json!({ "msgtype": "m.text", "body": "Face Guesser: language de", "m.mentions": mention });
        assert_eq!(intent(named, false), Intent::Command(Command::Language("de".into())));
        for talk in ["!ages help", "help", "faces are nice", "how old?"] {
            assert_eq!(intent(text(talk), false), Intent::Talk, "{talk}");
        }
        assert_eq!(task(intent(text("!age"), false)), Some(PhotoTask::Guess));
        assert_eq!(task(intent(text("!age explain 2"), false)), Some(PhotoTask::Explain { face: 1 }));
    }

    #[test]
    fn whoever_replies_to_the_bot_does_not_ask_it_for_anything() {
        let relation = json!({ "m.in_reply_to": { "event_id": "$answer" } });
        let mention = json!({ "user_ids": ["@faces:a.example"] });
        let thanks = json!({ "msgtype": "m.text", "body": "thanks", "m.mentions": mention, "m.relates_to": relation });
        assert_eq!(intent(thanks, false), Intent::Talk);
        let html = "<a href=\"https://matrix.to/#/@faces:a.example\">Face Guesser</a> how old?";
        let asks = json!({
            "msgtype": "m.text", "body": "Face Guesser how old?", "formatted_body": html, "m.mentions": mention,
            "m.relates_to": relation
        });
        assert_eq!(task(intent(asks, false)), Some(PhotoTask::Guess));
    }

    #[test]
    fn where_the_two_are_alone_everything_is_meant_for_the_bot() {
        let photo = json!({ "msgtype": "m.image", "body": "a.jpg", "url": "mxc://a.example/abc" });
        assert_eq!(task(intent(photo.clone(), true)), Some(PhotoTask::Guess));
        assert_eq!(task(intent(photo, false)), None);
        assert_eq!(intent(text("hello"), true), Intent::Command(Command::Help));
        assert_eq!(intent(text("language fr"), true), Intent::Command(Command::Language("fr".into())));
        let voice = json!({ "msgtype": "m.audio", "body": "voice.ogg", "url": "mxc://a.example/abc" });
        assert_eq!(task(intent(voice, true)), Some(PhotoTask::Guess));
    }

    #[test]
    fn a_job_holds_all_that_an_answer_needs() {
        let Intent::Photo(request) = intent(text("!age"), false) else { panic!() };
        let job = request.to_job();
        assert_eq!(PhotoRequest::from_job(&job), Some(PhotoRequest { resumed: true, ..request }));
    }
}
