//! When a stream client may be sent its next frame, so that what it reads is never older than it must be.
//!
//! Frames that a slow client has not read pile up in its socket, so it shows older and older pictures: OpenCV and
//! ROS 2's image_publisher do. So nothing is sent before the client has read what it was sent. That cannot be seen,
//! but inferred: the receive window that its TCP announces (tcpi_snd_wnd) shrinks by what lies unread. Linux does not
//! announce that the window opened again before it is sent a segment, so a probe is sent, a header line of the next
//! part. Its acknowledgement comes when the client reads, or after 40 ms.

use super::prediction::{Outlook, Read, Reads};
use super::tcp::Info;
use crate::clock::Timestamp;
use std::time::Duration;

/// Between two readings of a connection's state while nothing else will tell, and from a transmission's end to the
/// first probe (a client that waits has read by then); an eighth of the frame interval where that is less.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);
/// Two probes are at least this far apart, and at most the longest interval: a client that goes on after a pause waits so
/// long until that is seen.
const PROBE_INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_PROBE_INTERVAL: Duration = Duration::from_secs(6);
/// Between these bounds the interval is a part of the time for which the frame lies unread: an eighth, and around an
/// expected read a 128th. A frame gets fewer than a hundred probes within five minutes, for some parsers take no more
/// than 128 header lines a part.
const PROBE_PART: u32 = 8;
const WATCH_PART: u32 = 128;
/// What is around an expected read: this long before and after it, or an eighth of the time to it.
const WATCH_TIME: Duration = Duration::from_millis(100);
/// Probes come at other moments behind each frame: else one that just misses the client's read would miss all of them.
const DITHER_STEP: Duration = Duration::from_millis(7);
const DITHER_STEPS: u32 = 6;
/// The window may be this much smaller than the largest, or an eighth of the frame where that is less, when all is
/// read. Not more: an unread frame can show as a third of its size (the receiver counts its bookkeeping too).
const UNREAD_TOLERANCE: u32 = 32 << 10;
/// A wait for the client's window shorter than this is normal while a frame is transmitted.
const WINDOW_LIMITED: Duration = Duration::from_millis(20);
/// A window that has grown by half of the frame and no further for this long is all there is: the client's system
/// has made it smaller. It can also mean that one of two frames was read and the other one still lies there. So a client
/// that lets more time pass between its reads gets that time and half as much again.
const SMALLER_WINDOW: Duration = Duration::from_secs(5);
/// OpenCV gives a stream up that keeps it waiting for 30 s, and image_publisher never opens it again. So a frame is held
/// for no longer than this: a client that suddenly reads at once must not wait so long.
const PATIENCE: Duration = Duration::from_secs(29);
/// A client that is known to let at least this much time pass between its reads has its frame held all the same: else
/// each of its pictures would be old, for years, to spare it one loss when it changes its habit.
const RARE: Duration = Duration::from_secs(30);
/// A client that has read nothing at all for this long is sent another frame all the same: when its socket is full
/// the write's limit ends the connection.
const LONGEST_UNREAD: Duration = Duration::from_secs(600);

/// What is to be done next for the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Advice {
    /// Send it the newest frame it does not have, if that arrived at this moment or later, else the next.
    Send(Timestamp),
    /// Ask again at this moment, or when something happens on the socket.
    Wait(Timestamp),
    /// Write a header line that says nothing, then ask again.
    Probe,
}

/// What a frame takes from the camera to the client's socket.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Time between two frames.
    pub interval: Duration,
    /// Time to encode one.
    pub encoding: Duration,
}

/// What one stream client was sent, and what it has read of that.
pub struct Freshness {
    /// Whether probes may be sent.
    probes: bool,
    /// The largest window the client announced: its receive buffer when nothing lies unread.
    largest_window: u32,
    state: State,
    /// Whether the newest frame that was sent is a live one.
    live: bool,
    reads: Reads,
    /// When a read has made the window grow last, and the time between two of these moments; less by a quarter with each
    /// that is shorter.
    grew: Option<Timestamp>,
    habit: Duration,
    /// From the first byte's writing to the last one's acknowledgement, smoothed.
    transfer: Duration,
    frames_sent: u32,
}

enum State {
    /// The client has read all; its next frame is one that arrived at this moment or later.
    Read(Timestamp),
    Sent(Sent),
}

/// A frame that was written to the socket.
struct Sent {
    began: Timestamp,
    bytes: u32,
    tolerance: u32,
    /// Whether the window has become larger than ever since. A client's system announces more and more of its buffer at
    /// first, for each byte that comes, read or not.
    grown: bool,
    /// tcpi_rwnd_limited when the frame's writing began.
    limited_before: Duration,
    /// When the last byte had left this machine, as far as was seen.
    transmitted: Option<Timestamp>,
    /// Whether the transfer's time was taken.
    timed: bool,
    /// The smallest and the newest window since, and since when it is that.
    smallest: u32,
    window: u32,
    unchanged: Timestamp,
    /// When the frame was last known to lie unread.
    unread: Timestamp,
    probed: Option<Timestamp>,
}

impl Freshness {
    /// For a client that was sent nothing yet, and is not to get frames that arrived before `from`. Without `probes` what
    /// it has received counts as read, somewhat later.
    pub fn new(from: Timestamp, probes: bool) -> Self {
        Self {
            probes,
            largest_window: 0,
            state: State::Read(from),
            live: true,
            reads: Reads::default(),
            grew: None,
            habit: Duration::ZERO,
            transfer: Duration::ZERO,
            frames_sent: 0,
        }
    }

    /// A frame of `bytes` was written from `began` to `now`; before that, the connection looked like `before`. It is a `live`
    /// one, or "no signal".
    pub fn sent(
        &mut self,
        began: Timestamp,
        now: Timestamp,
        bytes: usize,
        before: &Info,
        live: bool,
    ) {
        if std::mem::replace(&mut self.live, live) != live {
            self.reads.forget(); // what was seen of the client's reading was the camera's beat
        }
        self.frames_sent = self.frames_sent.wrapping_add(1);
        let window = before.window.unwrap_or(0);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let tolerance = UNREAD_TOLERANCE.min(bytes / 8);
        self.largest_window = self.largest_window.max(window);
        self.state = State::Sent(Sent {
            began,
            bytes,
            tolerance,
            grown: false,
            limited_before: before.window_limited,
            transmitted: None,
            timed: false,
            smallest: window,
            window,
            unchanged: now,
            unread: began,
            probed: None,
        });
    }

    /// What to do now, by what is known of the connection.
    pub fn next(&mut self, now: Timestamp, info: &Info, timing: Timing) -> Advice {
        let check = now.after(CHECK_INTERVAL.min(timing.interval / 8));
        let sent = match &mut self.state {
            State::Read(from) if now < *from => return Advice::Wait(*from),
            State::Read(from) => return Advice::Send(*from),
            State::Sent(sent) => sent,
        };
        if info.unsent > 0 {
            return Advice::Wait(check);
        }
        let transmitted = *sent.transmitted.get_or_insert(now);
        let acknowledged = now.before(info.since_ack).max(sent.began);
        if !info.in_flight && !std::mem::replace(&mut sent.timed, true) {
            let took = acknowledged.since(sent.began);
            if sent.limited(info) < WINDOW_LIMITED {
                self.transfer = match self.transfer {
                    Duration::ZERO => took,
                    before => (3 * before + took) / 4,
                };
            }
        }
        let Some(window) = info.window else {
            // Nothing to infer from: what is acknowledged counts as read.
            return match info.in_flight {
                true => Advice::Wait(check),
                false => self.hungry(now, timing),
            };
        };
        if info.in_flight {
            return Advice::Wait(check);
        }
        sent.grown |= window.saturating_sub(self.largest_window) > sent.tolerance;
        self.largest_window = self.largest_window.max(window);
        if window != sent.window {
            if window > sent.window.saturating_add(sent.bytes / 4) {
                let interval = self.grew.map_or(Duration::ZERO, |before| now.since(before));
                self.habit = interval.max(self.habit * 3 / 4);
                self.grew = Some(now);
            }
            (sent.window, sent.unchanged) = (window, now);
            sent.smallest = sent.smallest.min(window);
        }
        if self.largest_window - window <= sent.tolerance {
            let read = sent.read(transmitted, acknowledged, info);
            return self.read(now, read, timing);
        }
        sent.unread = sent.unread.max(acknowledged);
        let patience = bearable(self.habit * 3 / 2).max(SMALLER_WINDOW);
        if sent.is_over(now, self.largest_window, patience) {
            self.largest_window = window;
            self.reads.forget(); // this was no read
            return self.send_from(now.before(timing.interval / 4), now);
        }
        if !self.probes {
            // A browser reads at once, and its system does not announce that: what was acknowledged a while ago counts.
            let patience = transmitted.after(timing.interval / 2);
            return match now < patience {
                true => Advice::Wait(check.min(patience)),
                false => self.hungry(now, timing),
            };
        }
        let due = sent.probe_due(
            transmitted,
            now,
            self.reads.expected(),
            timing.interval,
            self.frames_sent,
        );
        if now < due {
            return Advice::Wait(due.max(check));
        }
        sent.probed = Some(now);
        Advice::Probe
    }

    fn read(&mut self, now: Timestamp, read: Read, timing: Timing) -> Advice {
        if !self.live {
            // "No signal" comes once a second: of the client's own beat that says nothing, and the next live frame is new.
            return self.hungry(now, timing);
        }
        let was_predicted = self.reads.predicted().is_some();
        let outlook = self.reads.observe(read, timing.interval);
        match outlook {
            Outlook::Hungry if was_predicted => {
                self.send_from(now.before(timing.interval / 4), now)
            }
            Outlook::Hungry => self.hungry(now, timing),
            Outlook::Unknown => self.send_from(now.before(timing.interval / 4), now),
            Outlook::Due(due) => {
                // The last frame that is there in time arrives at most one interval before this.
                let arrives = due.before(timing.encoding + self.transfer);
                let from = arrives.before(timing.interval);
                let from = from.min(now.after(bearable(due.since(now))));
                self.send_from(from.max(now.before(timing.interval / 4)), now)
            }
        }
    }

    /// The client waits: it gets also a frame that came while it was sent the one before.
    fn hungry(&mut self, now: Timestamp, timing: Timing) -> Advice {
        self.send_from(now.before(2 * timing.interval), now)
    }

    fn send_from(&mut self, from: Timestamp, now: Timestamp) -> Advice {
        self.state = State::Read(from);
        if now < from {
            Advice::Wait(from)
        } else {
            Advice::Send(from)
        }
    }
}

/// For how long of `time` a client can be kept waiting that has let as much pass itself.
fn bearable(time: Duration) -> Duration {
    match time > RARE {
        true => time,
        false => time.min(PATIENCE),
    }
}

impl Sent {
    /// How long the client's window has kept the frame from being sent.
    fn limited(&self, info: &Info) -> Duration {
        info.window_limited.saturating_sub(self.limited_before)
    }

    /// What is known of the frame's read, which an acknowledgement has shown.
    fn read(&self, transmitted: Timestamp, acknowledged: Timestamp, info: &Info) -> Read {
        // A frame larger than the window: the rest of it went out when the client read.
        let available = match self.limited(info) < WINDOW_LIMITED {
            true => transmitted.min(acknowledged),
            false => self.began,
        };
        Read {
            available,
            unread: self.unread,
            watched: self.probed.unwrap_or(self.unread),
            seen: acknowledged,
            round_trip: info.round_trip,
            certain: !self.grown,
        }
    }

    /// When the next probe is to be sent.
    fn probe_due(
        &self,
        transmitted: Timestamp,
        now: Timestamp,
        expected: Option<Timestamp>,
        interval: Duration,
        frames_sent: u32,
    ) -> Timestamp {
        let Some(probed) = self.probed else {
            let dither = DITHER_STEP * (frames_sent % DITHER_STEPS);
            return transmitted.after(CHECK_INTERVAL.min(interval / 8) + dither);
        };
        let lying = now.since(transmitted);
        let around = WATCH_TIME.max(lying / PROBE_PART);
        let watched =
            expected.is_some_and(|at| now >= at.before(around) && now <= at.after(around));
        let pause = lying / if watched { WATCH_PART } else { PROBE_PART };
        let pause = pause.min(LONGEST_PROBE_INTERVAL);
        probed.after(pause.max(PROBE_INTERVAL.min(interval / 4)))
    }

    /// Whether there is no point in waiting for the window to grow as large as it was.
    fn is_over(&self, now: Timestamp, largest: u32, patience: Duration) -> bool {
        let taken = largest - self.smallest;
        let grown = self.window - self.smallest;
        let since = self.transmitted.unwrap_or(self.began);
        now.since(since) > LONGEST_UNREAD
            || grown >= taken / 2 && now.since(self.unchanged) > patience
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
