//! How the appliance's last look for an update went. picam-update leaves a line about it, gone with the next restart of
//! the machine; picam shows it to whoever watches many cameras, so that updates that never come are seen.

use crate::clock::Timestamp;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

/// `SECONDS TIME RESULT`: from the machine's start to the end of the check, the time of day (UTC), one of [`RESULTS`].
pub const FILE: &str = "/run/picam/checked";
/// No line is that long.
const LONGEST: u64 = 200;
/// `none`: nothing was looked for; `ok`: there was nothing newer, or it is being installed; `refused`: there is a bundle
/// that this machine does not take; `failed`: it could not be read or installed.
pub const RESULTS: [&str; 4] = ["none", "ok", "refused", "failed"];

/// The last check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// One of [`RESULTS`].
    pub result: &'static str,
    /// The time of day of its end, ISO 8601 in UTC, by the clock of then; `None` if there was no check.
    pub time: Option<String>,
    /// The time since then, or since the machine was started if there was no check. NTP does not change it.
    pub age: Duration,
}

/// How the last check went.
pub fn last_check() -> Check {
    let mut line = String::new();
    let read = File::open(FILE).and_then(|file| file.take(LONGEST).read_to_string(&mut line));
    read.ok().and_then(|_| parse(&line)).unwrap_or(Check {
        result: "none",
        time: None,
        age: Timestamp::from_boot_nanoseconds(0).age(),
    })
}

fn parse(line: &str) -> Option<Check> {
    let mut words = line.split_whitespace();
    let since_start = Duration::from_secs(words.next()?.parse().ok()?);
    let time = words.next()?.to_owned();
    let result = words.next()?;
    Some(Check {
        result: RESULTS.into_iter().find(|known| *known == result)?,
        time: Some(time),
        age: Timestamp::from_boot_nanoseconds(0).after(since_start).age(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_check_is_read() {
        let check = parse("0 2026-11-25T17:00:00Z failed\n").unwrap();
        assert_eq!(check.result, "failed");
        assert_eq!(check.time.as_deref(), Some("2026-11-25T17:00:00Z"));
        assert!(check.age > Duration::from_millis(1));
        let to_come = parse("99999999999 2026-11-25T17:00:00Z ok").unwrap();
        assert_eq!(to_come.age, Duration::ZERO);
    }

    #[test]
    fn what_is_no_line_of_a_check_is_none() {
        for line in ["", "x y ok", "12 2026", "12 2026-11-25T17:00:00Z fine"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
