//! Telegram's limits on messages: 30 a second over all, one a second in a chat, 20 a minute in a
//! group.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Flood {
    all: VecDeque<Instant>,
    chats: HashMap<i64, VecDeque<Instant>>,
    refused: usize,
    row: usize,
    longest_row: usize,
}

impl Flood {
    /// Takes a message, or says after how many seconds to try again.
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
            self.row += 1;
            self.longest_row = self.longest_row.max(self.row);
            return Err(wait);
        }
        self.row = 0;
        sent.push_back(now);
        self.all.push_back(now);
        if self.all.len() > 30 {
            self.all.pop_front();
        }
        Ok(())
    }

    /// All, and the most in a row.
    pub fn refusals(&self) -> (usize, usize) {
        (self.refused, self.longest_row)
    }
}
