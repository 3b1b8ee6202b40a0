//! Limits the processor time of one photo's work, checked inside the loops that do it: a small file
//! within every other limit can still take minutes.

use std::time::Duration;

use cpu_time::ThreadTime;

use super::PhotoError;

/// Measures the processor time of the thread that started it, so that other work on the same core does
/// not count.
#[derive(Debug, Clone, Copy)]
pub struct CpuLimit {
    started: ThreadTime,
    limit: Duration,
}

/// The limit of processor time was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfTime;

impl CpuLimit {
    /// Starts the clock; [`CpuLimit::check`] fails once `limit` is reached.
    pub fn start(limit: Duration) -> Self {
        Self { started: ThreadTime::now(), limit }
    }

    /// The time left until the limit.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// To be called about once a millisecond: a call takes a fraction of a microsecond.
    ///
    /// # Errors
    /// [`OutOfTime`] when the limit is reached.
    pub fn check(&self) -> Result<(), OutOfTime> {
        if self.left().is_zero() { Err(OutOfTime) } else { Ok(()) }
    }

    /// Checks before work that cannot be interrupted that the `time` it may take is left.
    ///
    /// # Errors
    /// [`OutOfTime`] when less is left.
    pub(super) fn check_left(&self, time: Duration) -> Result<(), OutOfTime> {
        if self.left() < time { Err(OutOfTime) } else { Ok(()) }
    }
}

impl From<OutOfTime> for PhotoError {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::TimeLimit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_processor_time_counts_and_the_limit_holds() {
        let clock = CpuLimit::start(Duration::from_millis(20));
        assert_eq!(clock.check(), Ok(()));
        assert_eq!(clock.check_left(Duration::from_secs(1)), Err(OutOfTime));
        while clock.check().is_ok() {
            std::hint::spin_loop();
        }
        assert_eq!(clock.left(), Duration::ZERO);
    }
}
