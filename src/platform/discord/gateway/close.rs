//! How a connection to the gateway ends, and what its close codes mean.

use super::super::DiscordError;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The session goes on over a new connection.
    Resumable,
    /// The session is over; a new one may be started.
    SessionOver,
    /// The program stops.
    Stopped,
    /// No further attempt would succeed.
    Refused(DiscordError),
}

/// What follows from a close code; none came when the connection broke off.
pub(super) fn after(code: Option<u16>) -> Ended {
    match code {
        Some(4004) => Ended::Refused(DiscordError::InvalidToken),
        Some(4010) => Ended::Refused(DiscordError::InvalidShard),
        Some(4011) => Ended::Refused(DiscordError::ShardingRequired),
        Some(4012) => Ended::Refused(DiscordError::InvalidVersion),
        Some(4013) => Ended::Refused(DiscordError::InvalidIntents),
        Some(4014) => Ended::Refused(DiscordError::DisallowedIntents),
        // Not authenticated, session no longer valid, invalid sequence number, session timed out.
        Some(4003 | 4006 | 4007 | 4009) => Ended::SessionOver,
        _ => Ended::Resumable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_close_codes_that_no_attempt_would_change_end_the_bot() {
        for code in [4004, 4010, 4011, 4012, 4013, 4014] {
            let Ended::Refused(error) = after(Some(code)) else { panic!("{code}") };
            assert!(error.to_string().starts_with("Discord"), "{error}");
        }
        for code in [4003, 4007, 4009] {
            assert!(matches!(after(Some(code)), Ended::SessionOver), "{code}");
        }
        for code in
            [None, Some(1000), Some(1001), Some(1006), Some(4000), Some(4001), Some(4002), Some(4005), Some(4008)]
        {
            assert!(matches!(after(code), Ended::Resumable), "{code:?}");
        }
    }
}
