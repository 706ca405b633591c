//! How the appliance's Wi-Fi gets along. Its script leaves a few lines about it; picam shows them, so that a wrong password
//! is seen from a cable without taking the card out.

use crate::clock::Timestamp;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

/// `SECONDS STATE`, from the machine's start to when that began, the state one of [`STATES`]; a line with the network's
/// name; a line with what is wrong, in plain words. Either of these may be empty.
pub const FILE: &str = "/run/picam/wifi";
/// What the script writes is shorter.
const LONGEST: u64 = 1000;
/// `none`: there is no Wi-Fi to join; `searching`: nothing is known yet; `connected`; `wrong-password`; `not-found`: no such
/// network is in reach; `unsuitable`: it is, but takes no password; `failed`: it does not let the camera in; `refused`: a
/// file that cannot be used.
pub const STATES: [&str; 8] = [
    "none",
    "searching",
    "connected",
    "wrong-password",
    "not-found",
    "unsuitable",
    "failed",
    "refused",
];

/// The Wi-Fi of this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    /// One of [`STATES`].
    pub state: &'static str,
    /// The name of the network that is connected, or that is meant.
    pub ssid: Option<String>,
    /// What is wrong: of the network that is meant, which another one may stand in for.
    pub error: Option<String>,
    /// The time since that is so, or since the machine was started if there is none. NTP does not change it.
    pub age: Duration,
}

/// How it gets along.
pub fn wifi() -> Wifi {
    let mut text = Vec::new();
    let read = File::open(FILE).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    // A name may be of any bytes.
    let told = read
        .ok()
        .and_then(|_| parse(&String::from_utf8_lossy(&text)));
    told.unwrap_or(Wifi {
        state: "none",
        ssid: None,
        error: None,
        age: Timestamp::from_boot_nanoseconds(0).age(),
    })
}

fn parse(text: &str) -> Option<Wifi> {
    let mut lines = text.lines();
    let (seconds, state) = lines.next()?.split_once(' ')?;
    let since_start = Duration::from_secs(seconds.parse().ok()?);
    let mut line = || lines.next().filter(|it| !it.is_empty()).map(str::to_owned);
    Some(Wifi {
        state: STATES.into_iter().find(|known| *known == state)?,
        ssid: line(),
        error: line(),
        age: Timestamp::from_boot_nanoseconds(0).after(since_start).age(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_script_are_read() {
        let wifi = parse("0 wrong-password\nthe hall\nThe password is wrong.\n").unwrap();
        assert_eq!(wifi.state, "wrong-password");
        assert_eq!(wifi.ssid.as_deref(), Some("the hall"));
        assert_eq!(wifi.error.as_deref(), Some("The password is wrong."));
        assert!(wifi.age > Duration::from_millis(1));
        let to_come = parse("99999999999 connected\nnet\n\n").unwrap();
        assert_eq!((to_come.error, to_come.age), (None, Duration::ZERO));
        assert_eq!(parse("7 refused\n\nwifi.txt, line 1\n").unwrap().ssid, None);
    }

    #[test]
    fn what_is_no_such_text_is_none() {
        for text in ["", "connected", "x connected\n", "12 fine\nnet\n\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
