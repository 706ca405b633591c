//! What others can cause at will is logged at most once a second.

use crate::sync::lock;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Lets one line a second pass, and counts the others.
pub struct LogLimit(Mutex<Passed>);

#[derive(Default)]
struct Passed {
    passed: Option<Instant>,
    held_back: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl LogLimit {
    /// Lets the first line pass.
    pub fn new() -> Self {
        Self(Mutex::new(Passed::default()))
    }

    /// Whether a line may be logged now; if so, what to append to it: how many were held back before.
    pub fn allow(&self) -> Option<String> {
        self.allow_at(Instant::now())
    }

    fn allow_at(&self, now: Instant) -> Option<String> {
        let mut state = lock(&self.0);
        if state.passed.is_some_and(|passed| now < passed + INTERVAL) {
            state.held_back += 1;
            return None;
        }
        state.passed = Some(now);
        Some(match std::mem::take(&mut state.held_back) {
            0 => String::new(),
            held_back => format!(" ({held_back} more since the last such line)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_and_a_count_of_the_others() {
        let limit = LogLimit::new();
        let start = Instant::now();
        let lines: Vec<_> = (0..25)
            .filter_map(|tenth| limit.allow_at(start + tenth * INTERVAL / 10))
            .collect();
        let counted = " (9 more since the last such line)";
        assert_eq!(lines, ["", counted, counted]);
    }
}
