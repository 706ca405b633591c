//! When a stream client may be sent its next frame, so that what it reads is never older than it must be.
//!
//! A client that reads slower than the camera delivers has the frames it did not read wait in its receive
//! buffer: OpenCV and ROS 2's image_publisher then show the past. So nothing is sent before the client has read
//! what it was sent. That cannot be seen, but inferred: the receive window that its TCP announces
//! (tcpi_snd_wnd) shrinks by what lies unread. Linux does not announce that the window opened again before
//! it is sent a segment, so a probe is sent, a bare CRLF between two parts, which multipart allows.
//!
//! A client that reads a frame as soon as it came is *hungry*: it gets the next one the moment there is one. For one
//! that lets frames lie, sending as soon as it has read would make each frame as old as its reading interval,
//! and then some. Its next read is foreseen from the last ones, and the last frame before that is sent.

use super::tcp::Info;
use crate::clock::Timestamp;
use std::time::Duration;

/// Between two looks at a connection of which nothing else will tell, and from a transmission's end to the first
/// probe (a client that waits has read by then); an eighth of the frame interval where that is less.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Between two probes; the receiver may hold back its answer for 40 ms (Linux, delayed ACK). An eighth of the time
/// for which the frame lies unread where that is more, up to the longest.
const PROBE_INTERVAL: Duration = Duration::from_millis(30);
const LONGEST_PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// The window may be this much smaller than the largest, or an eighth of the frame where that is less, when all is
/// read. Not more: an unread frame can show as a third of its size (the receiver counts its bookkeeping too).
const UNREAD_TOLERANCE: u32 = 32 << 10;
/// How much earlier than foreseen a client's next read may come: timers and links are not exact.
const READ_MARGIN: Duration = Duration::from_millis(50);
/// Reading intervals that are remembered; the shortest of them counts.
const REMEMBERED_READS: usize = 4;
/// A read is not foreseen further ahead than this: who reads that rarely may as well read more often soon.
const LONGEST_HOLD: Duration = Duration::from_secs(2);
/// Shorter waits for the client's window than this are normal while a frame is transmitted.
const WINDOW_LIMITED: Duration = Duration::from_millis(20);
/// After this time without a sign of reading, or twice the client's longest reading interval, the largest window seen
/// is not believed any more: the client's system may have made it smaller. OpenCV gives a stream up after 30 s.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(25);

/// What is to be done next for the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it the newest frame it does not have, if that arrived at this moment or later, else the next.
    Send(Timestamp),
    /// Ask again at this moment, or when the socket says something.
    Wait(Timestamp),
    /// Write a bare CRLF, then ask again.
    Probe,
}

/// What one stream client was sent, and what it has read of that.
pub struct Freshness {
    /// The largest window the client announced: its receive buffer when nothing lies unread.
    largest_window: u32,
    state: State,
    /// The moment at which the client was last seen to have read everything.
    last_read: Option<Timestamp>,
    intervals: Vec<Duration>,
}

enum State {
    /// The client has read all; its next frame is one that arrived at this moment or later.
    Read(Timestamp),
    Sent(Sent),
}

/// A frame that was written to the socket.
struct Sent {
    tolerance: u32,
    /// tcpi_rwnd_limited when the frame's writing began.
    limited_before: Duration,
    /// When the last byte had left this machine, as far as was seen.
    transmitted: Option<Timestamp>,
    probes: u32,
    probed: Timestamp,
}

impl Freshness {
    /// For a client that was sent nothing yet, and is not to get frames that arrived before `from`.
    pub fn new(from: Timestamp) -> Self {
        Self {
            largest_window: 0,
            state: State::Read(from),
            last_read: None,
            intervals: Vec::with_capacity(REMEMBERED_READS),
        }
    }

    /// A frame of `bytes` was written; before that, the connection looked like `before`.
    pub fn sent(&mut self, now: Timestamp, bytes: usize, before: &Info) {
        self.state = State::Sent(Sent {
            tolerance: UNREAD_TOLERANCE.min(u32::try_from(bytes / 8).unwrap_or(u32::MAX)),
            limited_before: before.window_limited,
            transmitted: None,
            probes: 0,
            probed: now,
        });
    }

    /// What to do now, by what is known of the connection, for a camera of one frame each `interval`.
    pub fn step(&mut self, now: Timestamp, info: &Info, interval: Duration) -> Step {
        let look_again = LOOK_AGAIN.min(interval / 8);
        self.largest_window = self.largest_window.max(info.window.unwrap_or(0));
        let sent = match &mut self.state {
            State::Read(from) if now < *from => return Step::Wait(*from),
            State::Read(from) => return Step::Send(*from),
            State::Sent(sent) => sent,
        };
        if info.unsent > 0 {
            return Step::Wait(now.after(look_again));
        }
        let transmitted = *sent.transmitted.get_or_insert(now);
        let Some(window) = info.window else {
            // Nothing to infer from: what is acknowledged counts as read.
            return match info.in_flight {
                true => Step::Wait(now.after(look_again)),
                false => self.all_read(now, true, interval),
            };
        };
        let unread = self.largest_window - window;
        if !info.in_flight && unread <= sent.tolerance {
            let waited_for_window = info.window_limited.saturating_sub(sent.limited_before);
            let hungry = sent.probes <= 1 && waited_for_window < WINDOW_LIMITED;
            return self.all_read(now, hungry, interval);
        }
        let lying = now.since(transmitted);
        let longest = self.intervals.iter().max().copied().unwrap_or_default();
        if lying > (2 * longest).clamp(PATIENCE, LONGEST_PATIENCE) {
            self.largest_window = window;
            self.last_read = None; // this was no read
            return self.send_from(now.before(interval / 4), now);
        }
        let probe_interval = (lying / 8).clamp(PROBE_INTERVAL, LONGEST_PROBE_INTERVAL);
        let (due, silent) = match sent.probes {
            0 => (transmitted.after(look_again), false), // right behind the frame: its ACK is not awaited
            _ => (sent.probed.after(probe_interval), info.in_flight),
        };
        if silent || now < due {
            return Step::Wait(due.max(now.after(look_again)));
        }
        sent.probes += 1;
        sent.probed = now;
        Step::Probe
    }

    fn all_read(&mut self, now: Timestamp, hungry: bool, interval: Duration) -> Step {
        let since_last = self.last_read.replace(now).map(|last| now.since(last));
        let was_foreseen = self.intervals.len() > 1;
        if hungry {
            self.intervals.clear(); // if it was made to wait, that was too long
        } else if self.intervals.len() == REMEMBERED_READS {
            self.intervals.remove(0);
        }
        self.intervals.extend(since_last);
        let from = match (hungry, self.hold(interval)) {
            (true, _) if was_foreseen => now.before(interval / 4), // what came while it was made to wait is old
            (true, _) => now.before(2 * interval),
            (false, Duration::ZERO) => now.before(interval / 4),
            (false, hold) => now.after(hold),
        };
        self.send_from(from, now)
    }

    fn send_from(&mut self, from: Timestamp, now: Timestamp) -> Step {
        self.state = State::Read(from);
        if now < from {
            Step::Wait(from)
        } else {
            Step::Send(from)
        }
    }

    /// How long after a read to wait for a frame, so that the first one from then on is still in time for the next
    /// read and as young as it can be.
    fn hold(&self, interval: Duration) -> Duration {
        match self.intervals.iter().min() {
            Some(shortest) if self.intervals.len() > 1 => shortest
                .saturating_sub(interval + READ_MARGIN)
                .min(LONGEST_HOLD),
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(125);
    const BUFFER: u32 = 1 << 20;
    const FRAME: usize = 400 << 10;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_boot_nanoseconds((10_000 + milliseconds) * 1_000_000)
    }

    fn unread(bytes: u32) -> Info {
        Info {
            window: Some(BUFFER - bytes),
            ..Info::default()
        }
    }

    /// Plays a client that reads one frame each `reads_every` ms, against frames each 125 ms; returns how old (ms) each
    /// frame was when it was read.
    fn ages(reads_every: u64, from: u64, to: u64) -> Vec<u64> {
        let mut freshness = Freshness::new(at(0));
        let mut lying: Vec<u64> = Vec::new();
        let (mut last_sent, mut ages, mut reads_at) = (None, Vec::new(), 60);
        for now in 0..to {
            if now >= reads_at && !lying.is_empty() {
                let age = now - lying.remove(0);
                if now > from {
                    ages.push(age);
                }
                reads_at += reads_every;
            }
            let info = unread((lying.len() * FRAME) as u32);
            if let Step::Send(earliest) = freshness.step(at(now), &info, INTERVAL) {
                let newest = now / 125 * 125;
                if last_sent != Some(newest) && at(newest) >= earliest {
                    lying.push(newest);
                    last_sent = Some(newest);
                    freshness.sent(at(now), FRAME, &info);
                }
            }
        }
        ages
    }

    fn median(mut ages: Vec<u64>) -> u64 {
        ages.sort_unstable();
        ages[ages.len() / 2]
    }

    #[test]
    fn a_client_of_any_rate_sees_frames_no_older_than_its_own_interval() {
        for reads_every in [100, 125, 133, 180, 250, 333, 500, 1000, 2000] {
            let ages = ages(reads_every, 10_000, 40_000);
            assert!(
                ages.len() as u64 >= 29_000 / reads_every.max(125),
                "{reads_every}: {}",
                ages.len()
            );
            let median = median(ages);
            assert!(
                median <= reads_every.min(190),
                "every {reads_every} ms: {median} ms"
            );
        }
    }

    #[test]
    fn a_hungry_client_gets_each_frame_at_once() {
        assert!(median(ages(10, 1_000, 10_000)) <= 1);
    }

    #[test]
    fn nothing_is_probed_where_nothing_lies_unread() {
        let mut freshness = Freshness::new(at(0));
        assert_eq!(
            freshness.step(at(0), &unread(0), INTERVAL),
            Step::Send(at(0))
        );
        freshness.sent(at(1), FRAME, &unread(0));
        assert!(matches!(
            freshness.step(at(2), &unread(0), INTERVAL),
            Step::Send(_)
        ));
    }

    #[test]
    fn an_old_kernel_falls_back_to_what_is_acknowledged() {
        let mut freshness = Freshness::new(at(0));
        let blind = Info::default();
        freshness.sent(at(1), FRAME, &blind);
        let busy = Info {
            in_flight: true,
            ..blind
        };
        assert!(matches!(
            freshness.step(at(2), &busy, INTERVAL),
            Step::Wait(_)
        ));
        assert!(matches!(
            freshness.step(at(3), &blind, INTERVAL),
            Step::Send(_)
        ));
    }

    #[test]
    fn a_window_that_became_smaller_is_learnt() {
        let mut freshness = Freshness::new(at(0));
        freshness.step(at(0), &unread(0), INTERVAL);
        let smaller = unread(BUFFER / 2);
        freshness.sent(at(1), FRAME, &unread(0));
        let gave_up = (2..20_000)
            .find(|&now| matches!(freshness.step(at(now), &smaller, INTERVAL), Step::Send(_)));
        assert!(gave_up.is_some_and(|now| now > 4_900), "{gave_up:?}");
        freshness.sent(at(20_001), FRAME, &smaller);
        assert!(matches!(
            freshness.step(at(20_002), &smaller, INTERVAL),
            Step::Send(_)
        ));
    }
}
