//! Processor time of one photo's work, held against a limit inside the loops that do it: a file can
//! be small and within every other limit and still ask for minutes.

use std::time::Duration;

use cpu_time::ThreadTime;

use super::PhotoError;

/// Counts the processor time of the thread that started it, so that other work on the same core is
/// not held against the photo.
#[derive(Debug, Clone, Copy)]
pub struct WorkClock {
    started: ThreadTime,
    limit: Duration,
}

/// The limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfTime;

impl WorkClock {
    /// Starts counting; from `limit` on [`WorkClock::check`] fails.
    pub fn start(limit: Duration) -> Self {
        Self { started: ThreadTime::now(), limit }
    }

    /// What is left until then.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// To be asked about once a millisecond: asking takes a fraction of a microsecond.
    ///
    /// # Errors
    /// [`OutOfTime`] when the limit is reached.
    pub fn check(&self) -> Result<(), OutOfTime> {
        if self.left().is_zero() { Err(OutOfTime) } else { Ok(()) }
    }

    /// Refuses work that cannot be stopped once it has begun where not as much is left as it may take.
    ///
    /// # Errors
    /// [`OutOfTime`] likewise.
    pub(super) fn afford(&self, work: Duration) -> Result<(), OutOfTime> {
        if self.left() < work { Err(OutOfTime) } else { Ok(()) }
    }
}

impl From<OutOfTime> for PhotoError {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::TooMuchWork
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_counts_and_the_limit_holds() {
        let clock = WorkClock::start(Duration::from_millis(20));
        assert_eq!(clock.check(), Ok(()));
        assert_eq!(clock.afford(Duration::from_secs(1)), Err(OutOfTime));
        while clock.check().is_ok() {
            std::hint::spin_loop();
        }
        assert_eq!(clock.left(), Duration::ZERO);
    }
}
