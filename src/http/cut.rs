//! Why the guard cuts a connection, how that is answered and counted.

use super::reply::{Reply, Status};
use super::tcp;
use crate::config::LimitsConfig;
use std::os::fd::RawFd;
use std::time::Duration;

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// Its request's header has more than this many bytes.
    HeaderBytes(u64),
    /// Its request was not complete after this many seconds.
    RequestSeconds(f64),
    /// It did not take a response or frame in time.
    WriteSeconds,
    /// It keeps a JPEG in memory that is older than those of all others, and there are too many.
    Jpegs,
    /// picam stops, and it has not sent a request.
    Stopping,
    /// picam stops, and its last frame takes too long.
    LastWrite,
    /// It was answered and does not close.
    Linger,
}

impl Cut {
    /// The reason that is counted.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Cut::HeaderBytes(_) => Some("header_bytes"),
            Cut::RequestSeconds(_) => Some("request_seconds"),
            Cut::WriteSeconds => Some("write_seconds"),
            Cut::Jpegs => Some("jpegs"),
            Cut::Stopping | Cut::LastWrite => Some("stopping"),
            Cut::Linger => None,
        }
    }

    /// What it is answered, if it was not answered yet.
    pub fn answer(self) -> Option<Reply> {
        let (status, line) = match self {
            Cut::HeaderBytes(most) => (
                Status::HeaderTooLarge,
                format!("request header over {most} bytes"),
            ),
            Cut::RequestSeconds(most) => (
                Status::RequestTimeout,
                format!("no complete request within {most} s"),
            ),
            Cut::Stopping => (Status::Unavailable, "stopping".into()),
            Cut::WriteSeconds | Cut::Jpegs | Cut::LastWrite | Cut::Linger => return None,
        };
        Some(Reply::line(status, &line))
    }

    /// Whether a connection that has spent this long with its request is over a limit.
    pub fn in_request(fd: RawFd, spent: Duration, limits: &LimitsConfig) -> Option<Self> {
        let received = tcp::info(fd).map_or(0, |info| info.bytes_received);
        if received > limits.header_bytes {
            Some(Cut::HeaderBytes(limits.header_bytes))
        } else {
            let over = spent > Duration::from_secs_f64(limits.request_seconds);
            over.then_some(Cut::RequestSeconds(limits.request_seconds))
        }
    }
}
