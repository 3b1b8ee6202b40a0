//! The bots' accounts on the platforms, as `check` and `init` need them: whether the tokens work, and what
//! the platforms say about the rest.

use url::Url;

use super::check::Report;
use crate::config::Config;

/// The names of the platforms in reports.
pub(super) const DISCORD: &str = "Discord";
pub(super) const TELEGRAM: &str = "Telegram";
pub(super) const MATRIX: &str = "Matrix";
/// How to turn a platform on.
#[cfg(any(feature = "discord", feature = "telegram"))]
const TURN_ON: &str = "`faceguesser init` turns it on";
/// Seconds by which this machine's clock may differ from a platform's. More breaks what depends on the age of
/// messages, and a lot more breaks TLS.
#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
const MAX_CLOCK_ERROR: u64 = 60;

/// Checks each bot's token, by its form or, if `online`, by asking the platform.
pub(super) async fn check(
    config: &Config,
    #[cfg_attr(
        not(any(feature = "discord", feature = "matrix", feature = "telegram")),
        expect(unused_variables, reason = "a build without platforms asks none")
    )]
    online: bool,
    report: &mut Report,
) {
    #[cfg(feature = "discord")]
    discord(config, online, report).await;
    #[cfg(not(feature = "discord"))]
    unsupported(DISCORD, "discord.token", config.discord.token.is_some(), report);
    #[cfg(feature = "telegram")]
    telegram(config, online, report).await;
    #[cfg(not(feature = "telegram"))]
    unsupported(TELEGRAM, "telegram.token", config.telegram.token.is_some(), report);
    #[cfg(feature = "matrix")]
    matrix(config, online, report).await;
    #[cfg(not(feature = "matrix"))]
    if config.matrix.has_account() {
        unsupported(MATRIX, "[matrix]", true, report);
    }
}

#[cfg(not(all(feature = "discord", feature = "matrix", feature = "telegram")))]
fn unsupported(platform: &str, setting: &str, is_set: bool, report: &mut Report) {
    let feature = platform.to_lowercase();
    if is_set {
        report.failed(
            platform,
            format_args!("{setting} is set, and this program was built without it: add --features {feature}"),
        );
    } else {
        report.off(platform, "not built in");
    }
}

#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
fn check_clock(platform: &str, clock_error: Option<i64>, report: &mut Report) {
    let Some(error) = clock_error else { return };
    if error.unsigned_abs() <= MAX_CLOCK_ERROR {
        return report.ok(platform, "the clocks agree");
    }
    let (seconds, direction) = (error.unsigned_abs(), if error > 0 { "fast" } else { "slow" });
    report.failed(
        platform,
        format_args!("this machine's clock is {seconds} s {direction}: switch on time synchronisation (NTP)"),
    );
}

#[cfg(feature = "discord")]
async fn discord(config: &Config, online: bool, report: &mut Report) {
    use crate::platform::discord::{DiscordOptions, probe};

    let Some(options) = DiscordOptions::new(config) else { return report.off(DISCORD, TURN_ON) };
    let place = origin(config, "discord");
    if !options.has_token_form() {
        return report.failed(
            DISCORD,
            format_args!("{place} is not a bot's token: copy it from the developer portal (Bot, Reset Token)"),
        );
    }
    if !online {
        return report.ok(DISCORD, "on, if Discord knows the token");
    }
    match probe::application(&options).await {
        Ok(application) => {
            report.ok(DISCORD, format_args!("on, as {}", application.name));
            match (application.message_content, options.needs_message_content()) {
                (false, true) => report.failed(
                    DISCORD,
                    "discord.channels and discord.message_content need the message content intent: switch it on in the \
                     developer portal (Bot, Privileged Gateway Intents), or remove these settings",
                ),
                (_, false) => report.note(
                    DISCORD,
                    "it sees only photos that are meant for it; /auto needs discord.message_content = true and that \
                     intent in the developer portal",
                ),
                (true, true) => report.ok(DISCORD, "the message content intent is on"),
            }
            check_clock(DISCORD, application.clock_error, report);
        }
        Err(error) => {
            return report.failed(DISCORD, refused(&error, &place, "the developer portal (Bot, Reset Token)"));
        }
    }
    match probe::gateway(&options).await {
        Ok(state) if state.starts_remaining == 0 => {
            report.note(DISCORD, "no more sessions may be started today: `run` waits until Discord allows one");
        }
        Ok(_) => report.ok(DISCORD, "the gateway answers"),
        Err(error) => report.failed(DISCORD, error),
    }
}

#[cfg(feature = "telegram")]
async fn telegram(config: &Config, online: bool, report: &mut Report) {
    use crate::platform::telegram::{TelegramOptions, probe};

    let Some(options) = TelegramOptions::new(config) else { return report.off(TELEGRAM, TURN_ON) };
    let place = origin(config, "telegram");
    if !options.has_token_form() {
        return report.failed(
            TELEGRAM,
            format_args!("{place} is not a bot's token, such as 123456:ABC…: copy it from @BotFather (/mybots)"),
        );
    }
    if !online {
        return report.ok(TELEGRAM, "on, if Telegram knows the token");
    }
    let account = match probe::account(&options).await {
        Ok(account) => account,
        Err(error) => return report.failed(TELEGRAM, refused(&error, &place, "@BotFather (/mybots)")),
    };
    report.ok(TELEGRAM, format_args!("on, as @{}", account.username));
    match account.sees_all_messages {
        true => report.note(TELEGRAM, "privacy mode is off: it receives every message of its groups"),
        false => report.note(
            TELEGRAM,
            "privacy mode is on: in groups it sees only what is meant for it; /auto needs it to be an admin, or the \
             mode to be off (@BotFather, /setprivacy)",
        ),
    }
    match (account.webhook, options.uses_webhook()) {
        (Some(webhook), false) => report.note(
            TELEGRAM,
            format_args!("a webhook at {} is set, which `run` deletes, because it polls", webhook.host),
        ),
        (Some(webhook), true) if !webhook.is_own => {
            report.note(TELEGRAM, format_args!("another webhook, at {}, is set, which `run` replaces", webhook.host));
        }
        (Some(webhook), true) => match webhook.last_error {
            Some(error) => report.failed(
                TELEGRAM,
                format_args!("its latest delivery to the webhook at {} failed: {error}", webhook.host),
            ),
            None => report.ok(TELEGRAM, format_args!("the webhook is set, {} updates wait", webhook.pending)),
        },
        (None, true) => report.ok(TELEGRAM, "`run` sets the webhook"),
        (None, false) => {}
    }
    check_clock(TELEGRAM, account.clock_error, report);
}

#[cfg(feature = "matrix")]
async fn matrix(config: &Config, online: bool, report: &mut Report) {
    use crate::platform::matrix::{MatrixOptions, probe};

    const HOW: &str = "docs/matrix.md says how to turn it on";
    let Some(options) = MatrixOptions::new(config) else { return report.off(MATRIX, HOW) };
    if !online {
        return report.ok(MATRIX, "on, if the homeserver knows the account");
    }
    match probe::account(&options).await {
        Ok(account) => {
            report.ok(MATRIX, format_args!("on, as {}", account.user));
            check_clock(MATRIX, account.clock_error, report);
        }
        Err(error) if options.uses_password() => {
            report.failed(MATRIX, refused(&error, "matrix.user with matrix.password", "the account's settings"));
        }
        Err(error) => {
            let place = origin(config, "matrix");
            report.failed(MATRIX, refused(&error, &place, "the account (docs/matrix.md)"));
        }
    }
}

/// Which setting or variable a platform's token was read from.
#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
fn origin(config: &Config, section: &str) -> String {
    let keys = [format!("{section}.token"), format!("{section}.token_file")];
    let found = config.settings().iter().find(|setting| keys.contains(&setting.key) && setting.origin.is_some());
    match found.and_then(|setting| Some((setting.origin.as_ref()?, &setting.key))) {
        Some((origin, key)) => format!("{key} ({origin})"),
        None => format!("{section}.token"),
    }
}

#[cfg(any(feature = "discord", feature = "matrix", feature = "telegram"))]
pub(super) fn refused(error: &crate::platform::probe::ProbeError, place: &str, source: &str) -> String {
    match error {
        crate::platform::probe::ProbeError::InvalidToken => format!("refuses {place}: copy it again from {source}"),
        error => error.to_string(),
    }
}

/// The platforms that give out tokens.
pub(super) const PLATFORMS: [&str; 2] = [DISCORD, TELEGRAM];

/// A token that works, or was not tried.
pub(super) struct Token {
    pub(super) platform: &'static str,
    /// Where the account is, on a platform of many servers.
    pub(super) homeserver: Option<Url>,
    pub(super) text: String,
    /// The platform and the bot's name there.
    pub(super) account: String,
    /// What to do with each link, and the link.
    pub(super) links: Vec<(&'static str, String)>,
    pub(super) notes: Vec<&'static str>,
}

/// Where a platform's token comes from, in lines that fit a narrow terminal.
pub(super) fn source(platform: &str) -> &'static str {
    if platform == DISCORD {
        "open https://discord.com/developers/applications, press \"New Application\"\n\
         and give it a name; then, under Bot, press \"Reset Token\" and copy the token."
    } else {
        "talk to @BotFather (https://t.me/BotFather), send /newbot, choose a name\n\
         and a user name, and copy the token that it sends."
    }
}

/// Tries a platform's token, unless `offline`, with the addresses in `config`. The error is a sentence.
#[cfg_attr(
    not(any(feature = "discord", feature = "telegram")),
    expect(unused_variables, reason = "a build without these platforms tries none")
)]
pub(super) async fn verify(
    platform: &'static str,
    text: String,
    config: &Config,
    offline: bool,
) -> Result<Token, String> {
    #[cfg(feature = "discord")]
    if platform == DISCORD {
        let mut config = config.clone();
        config.discord.token = Some(text.clone().into());
        return verify_discord(text, &config, offline).await;
    }
    #[cfg(feature = "telegram")]
    if platform == TELEGRAM {
        let mut config = config.clone();
        config.telegram.token = Some(text.clone().into());
        return verify_telegram(text, &config, offline).await;
    }
    Err(format!("this program was built without {platform}"))
}

#[cfg(feature = "discord")]
async fn verify_discord(text: String, config: &Config, offline: bool) -> Result<Token, String> {
    use crate::platform::discord::{DiscordOptions, probe};

    const PORTAL: &str = "the developer portal (Bot, Reset Token)";
    let options = DiscordOptions::new(config).filter(DiscordOptions::has_token_form);
    let options = options.ok_or_else(|| format!("Discord: that is not a bot's token: copy it from {PORTAL}"))?;
    let (id, account, mut notes) = if offline {
        (options.token_application(), DISCORD.to_owned(), Vec::new())
    } else {
        let application = probe::application(&options).await;
        let application = application.map_err(|error| format!("Discord: {}", refused(&error, "the token", PORTAL)))?;
        let mut notes = Vec::new();
        if !application.user_install {
            notes.push("(for use without a server, first tick \"User Install\" under Installation in the portal)");
        }
        if !application.message_content {
            notes.push(
                "(for answers to every photo, /auto, switch on the Message Content Intent under Bot in the portal, and \
                 set message_content = true)",
            );
        }
        (Some(application.id), format!("{DISCORD}: {}", application.name), notes)
    };
    let links = id.map_or_else(Vec::new, |id| {
        vec![
            ("add it to a server", probe::server_link(id)),
            ("use it everywhere, without a server", probe::user_link(id)),
        ]
    });
    if links.is_empty() {
        notes.push("(the links that add it to a server need an answer from Discord)");
    }
    Ok(Token { platform: DISCORD, homeserver: None, text, account, links, notes })
}

#[cfg(feature = "telegram")]
async fn verify_telegram(text: String, config: &Config, offline: bool) -> Result<Token, String> {
    use crate::platform::telegram::{TelegramOptions, probe};

    let options = TelegramOptions::new(config).filter(TelegramOptions::has_token_form);
    let options = options.ok_or("Telegram: that is not a bot's token, such as 123456:ABC…: copy it from @BotFather")?;
    let token =
        |account, links| Token { platform: TELEGRAM, homeserver: None, text, account, links, notes: Vec::new() };
    if offline {
        return Ok(token(TELEGRAM.into(), Vec::new()));
    }
    let account = probe::account(&options).await;
    let account =
        account.map_err(|error| format!("Telegram: {}", refused(&error, "the token", "@BotFather (/mybots)")))?;
    let name = &account.username;
    let links = vec![
        ("talk to it", format!("https://t.me/{name}")),
        ("add it to a group", format!("https://t.me/{name}?startgroup=true")),
    ];
    Ok(token(format!("{TELEGRAM}: @{name}"), links))
}
