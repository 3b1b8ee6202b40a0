//! One program connected to both stand-in platforms.

use super::discord::{self, Discord};
use super::program::{Program, measured_program};
use super::telegram::{self, Telegram};

pub struct BothPlatforms {
    pub telegram: Telegram,
    pub discord: Discord,
    pub program: Program,
}

impl BothPlatforms {
    /// With stand-ins that enforce the platforms' rate limits.
    pub async fn with_rate_limits(variables: &[(&str, &str)]) -> Self {
        let telegram = Telegram::start().await;
        telegram.enforce_limits();
        Self::started(telegram, Discord::strict().await, variables).await
    }

    /// With stand-ins that validate requests against the platforms' API descriptions.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        Self::started(Telegram::start().await, Discord::start().await, variables).await
    }

    async fn started(mut telegram: Telegram, mut discord: Discord, variables: &[(&str, &str)]) -> Self {
        let program = program(&telegram, &discord, variables);
        telegram.inbox.next("setmycommands").await;
        discord.inbox.next("identify").await;
        discord.inbox.next("put /applications").await;
        Self { telegram, discord, program }
    }

    /// Kills the program and starts another one on the same store.
    pub fn restart(&mut self, variables: &[(&str, &str)]) {
        self.program.kill();
        self.program = program(&self.telegram, &self.discord, variables);
    }
}

fn program(telegram: &Telegram, discord: &Discord, variables: &[(&str, &str)]) -> Program {
    let (discord_base, telegram_base, store) =
        (format!("{}/api/v10", discord.base()), telegram.base(), telegram.store());
    let mut all = vec![
        ("FACEGUESSER__DISCORD__TOKEN", discord::TOKEN),
        ("FACEGUESSER__DISCORD__API_BASE", &discord_base),
        ("FACEGUESSER__TELEGRAM__TOKEN", telegram::TOKEN),
        ("FACEGUESSER__TELEGRAM__API_BASE", &telegram_base),
        ("FACEGUESSER__STORE__PATH", store.to_str().unwrap()),
        ("FACEGUESSER__WEB__ENABLED", "false"),
    ];
    all.extend_from_slice(variables);
    Program::start_at(&measured_program(), &all)
}
