//! Telegram's rate limits on messages: 30 per second overall, one per second in a chat, 20 per minute in a
//! group.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct MessageLimits {
    all: VecDeque<Instant>,
    chats: HashMap<i64, VecDeque<Instant>>,
    refused: usize,
    consecutive: usize,
    most_consecutive: usize,
}

impl MessageLimits {
    /// Accepts a message to `chat`, or returns after how many seconds to try again.
    pub fn takes(&mut self, chat: i64) -> Result<(), u64> {
        let now = Instant::now();
        let within = |times: &VecDeque<Instant>, span| times.iter().filter(|time| now - **time < span).count();
        let sent = self.chats.entry(chat).or_default();
        let refusal = if chat < 0 && within(sent, MINUTE) >= 20 {
            Some((MINUTE - (now - sent[sent.len() - 20])).as_secs() + 1)
        } else if within(sent, SECOND) >= 1 || within(&self.all, SECOND) >= 30 {
            Some(1)
        } else {
            None
        };
        if let Some(wait) = refusal {
            self.refused += 1;
            self.consecutive += 1;
            self.most_consecutive = self.most_consecutive.max(self.consecutive);
            return Err(wait);
        }
        self.consecutive = 0;
        sent.push_back(now);
        self.all.push_back(now);
        if self.all.len() > 30 {
            self.all.pop_front();
        }
        Ok(())
    }

    /// The number of refusals, and the longest run of consecutive ones.
    pub fn refusals(&self) -> (usize, usize) {
        (self.refused, self.most_consecutive)
    }
}
