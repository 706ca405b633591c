//! The log of the appliance's last starts. usr/lib/picam/starts keeps it on the card and a copy of it in memory; picam shows
//! it to whoever watches many cameras, so that restarts, trials and their reasons are seen.

use std::fs::File;
use std::io::Read;

/// One line a start, the newest last: `NUMBER TIME SLOT VERSION REASON OUTCOME`. What the words mean is said in
/// usr/lib/picam/starts.
pub const FILE: &str = "/run/picam/starts";
/// A hundred lines are 15 KB, and no outcome is long.
const LONGEST: u64 = 64 << 10;

/// One start of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Counted since /data was made.
    pub number: u64,
    /// The time of day, ISO 8601 in UTC, by the clock of when the line was written.
    pub time: String,
    /// `A` or `B`.
    pub slot: String,
    /// Of the image in that slot.
    pub version: String,
    /// Why the machine was started: one word.
    pub reason: String,
    /// What became of it: one word, and for some behind a colon why.
    pub outcome: String,
}

impl Start {
    /// The outcome without its why.
    pub fn outcome_word(&self) -> &str {
        let word = self.outcome.split([':', ' ']).next();
        word.unwrap_or_default()
    }
}

/// The starts, the newest first; none where no appliance keeps a log.
pub fn last_starts() -> Vec<Start> {
    let mut text = String::new();
    let read = File::open(FILE).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    match read {
        Ok(_) => text.lines().rev().filter_map(parse).collect(),
        Err(_) => Vec::new(),
    }
}

fn parse(line: &str) -> Option<Start> {
    let mut words = line.splitn(6, ' ');
    let number = words.next()?.parse().ok()?;
    let mut word = || words.next().map(str::to_owned);
    Some(Start {
        number,
        time: word()?,
        slot: word()?,
        version: word()?,
        reason: word()?,
        outcome: word()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_read() {
        let line =
            "7 2026-11-28T13:00:05Z B 1.2.0 trial failed: no 30 s of fresh frames within 120 s";
        let start = parse(line).unwrap();
        assert_eq!((start.number, start.slot.as_str()), (7, "B"));
        assert_eq!(start.time, "2026-11-28T13:00:05Z");
        assert_eq!(
            (start.version.as_str(), start.reason.as_str()),
            ("1.2.0", "trial")
        );
        assert_eq!(start.outcome_word(), "failed");
        assert!(start.outcome.ends_with("within 120 s"));
        assert_eq!(
            parse("1 2026-11-28T13:00:05Z A 1.0.0 power serving")
                .unwrap()
                .outcome_word(),
            "serving"
        );
    }

    #[test]
    fn what_is_no_line_of_the_log_is_left_out() {
        for line in ["", "7", "x y A 1.0.0 power serving", "7 now A 1.0.0 power"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
