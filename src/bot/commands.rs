//! Commands and buttons that need no photo: settings, privacy, help, games.

use tracing::info;

use super::actions::{Action, Button, Setting};
use super::game::Player;
use super::languages::Language;
use super::people::{Asker, ChatId};
use super::problems::Problem;
use super::settings::{ChatSettings, GenderPolicy, PersonSettings};
use super::{Answer, Bot};

/// A request other than for a guess.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// How to use the bot.
    Help,
    /// What happens to photos, and what the bot stores.
    Privacy,
    /// The chat's settings, with a button for each.
    Settings,
    /// On, off, or show the current state.
    Auto(Option<bool>),
    /// A tag or name; anything else lists the languages.
    Language(String),
    /// A policy's name; anything else steps to the next policy.
    Gender(String),
    /// Ignore the asker's photos from now on.
    OptOut,
    /// Undo [`Self::OptOut`].
    OptIn,
    /// Delete everything stored about the asker and, if they are an admin, about the chat.
    Forget,
    /// The best players of the chat's games.
    Scores,
}

impl Command {
    /// The command with this name, in lower case, and these arguments, as it is typed where there are no menus.
    pub fn parse(name: &str, arguments: &str) -> Option<Self> {
        Some(match name {
            "start" | "help" => Self::Help,
            "privacy" => Self::Privacy,
            "settings" => Self::Settings,
            "auto" => Self::Auto(match arguments.to_lowercase().as_str() {
                "on" => Some(true),
                "off" => Some(false),
                _ => None,
            }),
            "language" => Self::Language(arguments.to_owned()),
            "gender" => Self::Gender(arguments.to_owned()),
            "optout" => Self::OptOut,
            "optin" => Self::OptIn,
            "forget" => Self::Forget,
            "scores" => Self::Scores,
            _ => return None,
        })
    }

    /// Whether only a chat's admins may run it.
    pub fn needs_admin(&self) -> bool {
        matches!(self, Self::Auto(Some(_)))
    }
}

/// The response to a pressed button.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ButtonResponse {
    /// A short note to the person who pressed it.
    pub note: Option<String>,
    /// The new content of the message with the button.
    pub edit: Option<Answer>,
    /// Whether to delete that message.
    pub delete: bool,
}

impl ButtonResponse {
    pub(super) fn note(text: String) -> Self {
        Self { note: Some(text), ..Self::default() }
    }
}

/// What the platform knows about the asker, in addition to [`Asker`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskerRole {
    /// The name that the scoreboard shows.
    pub name: String,
    /// Whether they may change the chat's settings; in a private chat with the bot everybody may.
    pub admin: bool,
    /// Whether it is a private chat with the bot.
    pub direct: bool,
}

impl Bot {
    /// Answers a command.
    pub async fn command(&self, command: Command, asker: &Asker, role: &AskerRole) -> Answer {
        let language = self.reply_style(asker).await.language;
        if command.needs_admin() && !role.admin {
            return language.message("admins-only").into();
        }
        self.execute(command, asker, role, language).await.unwrap_or_else(|problem| problem.message(language).into())
    }

    async fn execute(
        &self,
        command: Command,
        asker: &Asker,
        role: &AskerRole,
        language: Language,
    ) -> Result<Answer, Problem> {
        let (person, chat) = (asker.person, asker.chat);
        Ok(match command {
            Command::Help => {
                let how = language.message(&format!("how-{}", person.platform.name()));
                language.message_with("help", &[("how", (&how).into())]).into()
            }
            Command::Privacy => language.message("privacy").into(),
            Command::Settings => settings_message(&self.with_store(move |store| store.chat(chat)).await?, language),
            Command::Auto(_) if role.direct => language.message("auto-direct").into(),
            Command::Auto(None) => {
                let on = self.with_store(move |store| store.chat(chat)).await?.auto;
                language.message_with("auto-state", &[("on", yes_or_no(on).into())]).into()
            }
            Command::Auto(Some(on)) => {
                self.change_chat(asker, move |settings| settings.auto = on).await?;
                language.message(if on { "auto-on" } else { "auto-off" }).into()
            }
            Command::Language(wanted) => match Language::from_tag(&wanted) {
                Some(wanted) => {
                    self.change_person(asker, move |settings| settings.language = Some(wanted)).await?;
                    wanted.message_with("language-set", &[("language", wanted.name().into())]).into()
                }
                None => {
                    let names = Language::ALL.map(|language| format!("{} ({})", language.name(), language.code()));
                    language.message_with("language-unknown", &[("languages", (&names.join(", ")).into())]).into()
                }
            },
            Command::Gender(wanted) => {
                let gender = self
                    .change_person(asker, move |settings| {
                        settings.gender = GenderPolicy::from_name(&wanted).unwrap_or(settings.gender.next());
                    })
                    .await?
                    .gender;
                language.message_with("gender-set", &[("gender", gender.name().into())]).into()
            }
            Command::OptOut => {
                self.change_person(asker, |settings| settings.opted_out = true).await?;
                language.message("opted-out").into()
            }
            Command::OptIn => {
                self.change_person(asker, |settings| settings.opted_out = false).await?;
                language.message("opted-in").into()
            }
            Command::Forget => {
                let chat_too = role.admin;
                self.with_store(move |store| {
                    store.forget_person(person)?;
                    if chat_too { store.forget_chat(chat) } else { Ok(()) }
                })
                .await?;
                info!(?person, ?chat, chat_too, "forgotten on request");
                language.message(if chat_too { "forgotten-chat" } else { "forgotten-person" }).into()
            }
            Command::Scores => {
                let scores = self.with_store(move |store| store.scores(chat)).await?;
                if scores.is_empty() {
                    return Ok(language.message("scores-none").into());
                }
                let line = |(index, (name, points)): (usize, &(String, u32))| {
                    let variables =
                        [("place", (index + 1).into()), ("name", name.into()), ("points", u64::from(*points).into())];
                    language.message_with("score", &variables)
                };
                let lines = scores.iter().enumerate().map(line);
                std::iter::once(language.message("scores")).chain(lines).collect::<Vec<_>>().join("\n").into()
            }
        })
    }

    /// Deletes everything stored about a chat that the bot is no longer a member of.
    pub async fn forget_chat(&self, chat: ChatId) {
        // A failure is logged; what stays is settings that nobody uses.
        let _ = self.with_store(move |store| store.forget_chat(chat)).await;
    }

    /// Handles a button that needs no photo; [`Bot::handle_photo_button`] handles those that do.
    pub async fn handle_button(&self, action: Action, asker: &Asker, role: &AskerRole) -> ButtonResponse {
        let language = self.reply_style(asker).await.language;
        let response = match action {
            Action::Delete { asker: owner } if owner == asker.person => {
                ButtonResponse { delete: true, ..ButtonResponse::default() }
            }
            Action::Delete { .. } => ButtonResponse::note(language.message("not-yours")),
            Action::ChangeSetting(_) if !role.admin => ButtonResponse::note(language.message("admins-only")),
            Action::ChangeSetting(setting) => {
                match self.change_chat(asker, move |settings| advance(settings, setting)).await {
                    Ok(changed) => {
                        // The buttons use the language that was just chosen.
                        let language = changed.language.unwrap_or(language);
                        ButtonResponse { edit: Some(settings_message(&changed, language)), ..ButtonResponse::default() }
                    }
                    Err(problem) => ButtonResponse::note(problem.message(language)),
                }
            }
            Action::Guess { game, age } => {
                let player = Player { person: asker.person, name: role.name.clone() };
                self.record_guess(game, player, age, language).await
            }
            Action::Reveal { game } => self.reveal_game(game, asker, role, language).await,
            Action::Explain { .. } | Action::Crop(_) | Action::GuessAnyway => {
                ButtonResponse::note(Problem::PhotoGone.message(language))
            }
        };
        info!(?action, person = ?asker.person, chat = ?asker.chat, "a button was pressed");
        response
    }

    async fn change_chat(
        &self,
        asker: &Asker,
        mut change: impl FnMut(&mut ChatSettings) + Send + 'static,
    ) -> Result<ChatSettings, Problem> {
        let chat = asker.chat;
        self.with_store(move |store| store.change_chat(chat, &mut change)).await
    }

    async fn change_person(
        &self,
        asker: &Asker,
        mut change: impl FnMut(&mut PersonSettings) + Send + 'static,
    ) -> Result<PersonSettings, Problem> {
        let person = asker.person;
        self.with_store(move |store| store.change_person(person, &mut change)).await
    }
}

fn yes_or_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

/// Steps to the setting's next value.
fn advance(settings: &mut ChatSettings, setting: Setting) {
    match setting {
        Setting::Auto => settings.auto = !settings.auto,
        Setting::Private => settings.private = !settings.private,
        Setting::Gender => settings.gender = settings.gender.next(),
        Setting::Smile => settings.smile = settings.smile.next(),
        Setting::Language => {
            let position = |language| Language::ALL.iter().position(|one| *one == language).unwrap_or(0);
            let next = settings.language.map_or(0, |language| position(language) + 1);
            settings.language = Language::ALL.get(next).copied();
        }
    }
}

/// The settings of a chat, with a button for each.
fn settings_message(settings: &ChatSettings, language: Language) -> Answer {
    let button = |setting, label| vec![Button { action: Action::ChangeSetting(setting), label }];
    let language_label = match settings.language {
        Some(chosen) => language.message_with("settings-language", &[("language", chosen.name().into())]),
        None => language.message("settings-language-client"),
    };
    let buttons = vec![
        button(Setting::Auto, language.message_with("settings-auto", &[("on", yes_or_no(settings.auto).into())])),
        button(
            Setting::Private,
            language.message_with("settings-private", &[("on", yes_or_no(settings.private).into())]),
        ),
        button(Setting::Gender, language.message_with("settings-gender", &[("gender", settings.gender.name().into())])),
        button(Setting::Smile, language.message_with("settings-smile", &[("smile", settings.smile.name().into())])),
        button(Setting::Language, language_label),
    ];
    Answer { text: language.message("settings"), buttons, ..Answer::default() }
}
