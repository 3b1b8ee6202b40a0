//! How a connection to the gateway ends, and what its close codes mean.

use super::super::DiscordError;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Disconnect {
    /// The session can be resumed over a new connection.
    Resumable,
    /// The session is invalid; a new one may be started.
    SessionInvalid,
    /// The program shuts down.
    Shutdown,
    /// No further attempt would succeed.
    Fatal(DiscordError),
}

impl Disconnect {
    /// From the code of the close frame; `None` if the connection broke off without one.
    pub(super) fn from_close_code(code: Option<u16>) -> Self {
        match code {
            Some(4004) => Self::Fatal(DiscordError::InvalidToken),
            Some(4010) => Self::Fatal(DiscordError::InvalidShard),
            Some(4011) => Self::Fatal(DiscordError::ShardingRequired),
            Some(4012) => Self::Fatal(DiscordError::InvalidVersion),
            Some(4013) => Self::Fatal(DiscordError::InvalidIntents),
            Some(4014) => Self::Fatal(DiscordError::DisallowedIntents),
            // Not authenticated, session no longer valid, invalid sequence number, session timed out.
            Some(4003 | 4006 | 4007 | 4009) => Self::SessionInvalid,
            _ => Self::Resumable,
        }
    }

    /// From the data of an invalid-session frame: whether the session can be resumed.
    pub(super) fn from_invalid_session(resumable: bool) -> Self {
        if resumable { Self::Resumable } else { Self::SessionInvalid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_close_codes_that_no_retry_would_change_are_fatal() {
        for code in [4004, 4010, 4011, 4012, 4013, 4014] {
            let Disconnect::Fatal(error) = Disconnect::from_close_code(Some(code)) else { panic!("{code}") };
            assert!(error.to_string().starts_with("Discord"), "{error}");
        }
        for code in [4003, 4007, 4009] {
            assert!(matches!(Disconnect::from_close_code(Some(code)), Disconnect::SessionInvalid), "{code}");
        }
        for code in
            [None, Some(1000), Some(1001), Some(1006), Some(4000), Some(4001), Some(4002), Some(4005), Some(4008)]
        {
            assert!(matches!(Disconnect::from_close_code(code), Disconnect::Resumable), "{code:?}");
        }
    }
}
