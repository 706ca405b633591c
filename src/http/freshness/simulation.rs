//! A camera, a link and a client, in steps of a millisecond: what the client is shown when picam sends by
//! [`Freshness`]. The client's system behaves as Linux does: it acknowledges a frame when it is there, and a probe after
//! 40 ms or when the client reads; its window shrinks by what lies unread. A buffer that becomes larger
//! is announced by and by: two bytes more for each byte that comes, read or not.

use super::*;
use std::collections::VecDeque;

const DELAYED_ACK: u64 = 40;
const PROBE_BYTES: u64 = 12;
const FIRST_FRAMES: u64 = 10;

/// Who reads, from where, what. Times in milliseconds, sizes in bytes.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub camera_interval: u64,
    pub encoding: u64,
    pub frame: u64,
    pub one_way: u64,
    pub bytes_per_ms: u64,
    pub buffer: u64,
    /// Whether it has room for three frames at first and for ten later, instead.
    pub buffer_grows: bool,
    /// There is more room than is announced: of a frame that lies unread only so much shows, in percent.
    pub shows: u64,
    pub reads_every: u64,
    /// In the second half of the time, where that is another.
    pub reads_every_later: Option<u64>,
    /// A tick comes up to this much late.
    pub read_jitter: u64,
    /// One tick in twenty comes up to this much late.
    pub hiccup: u64,
    pub phase: u64,
    pub decoding: u64,
    pub duration: u64,
    pub seed: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            camera_interval: 125,
            encoding: 12,
            frame: 500_000,
            one_way: 0,
            bytes_per_ms: 300_000,
            buffer: 6 << 20,
            buffer_grows: false,
            shows: 100,
            reads_every: 250,
            reads_every_later: None,
            read_jitter: 2,
            hiccup: 0,
            phase: 0,
            decoding: 35,
            duration: 30_000,
            seed: 1,
        }
    }
}

impl Scene {
    fn first_buffer(&self) -> u64 {
        match self.buffer_grows {
            true => 3 * self.frame,
            false => self.buffer,
        }
    }

    fn last_buffer(&self) -> u64 {
        match self.buffer_grows {
            true => 10 * self.frame,
            false => self.buffer,
        }
    }

    /// The least that a frame's age can be when it is shown.
    pub(super) fn least_age(&self) -> u64 {
        self.encoding + self.frame / self.bytes_per_ms + self.one_way + self.decoding
    }
}

/// What the client saw in the second half of the time.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Age of each frame when the client had decoded it, ms.
    pub ages: Vec<u64>,
    /// The frames' arrivals.
    pub frames: Vec<u64>,
    /// Between two frames at the most, at any time.
    pub probes: u64,
    /// For how long a read has waited for its frame, at any time, ms.
    pub longest_wait: u64,
}

impl Seen {
    pub(super) fn median(&self) -> u64 {
        let mut ages = self.ages.clone();
        ages.sort_unstable();
        ages.get(ages.len() / 2).copied().unwrap_or(u64::MAX)
    }
}

/// Random numbers, the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % (most + 1)
    }
}

pub(super) fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_boot_nanoseconds((10_000 + milliseconds) * 1_000_000)
}

fn milliseconds(moment: Timestamp) -> u64 {
    (moment.boot_nanoseconds() / 1_000_000).saturating_sub(10_000)
}

/// What travels to the client: a frame (when it was captured) or a probe.
struct Segment {
    there: u64,
    bytes: u64,
    frame: Option<u64>,
}

/// The client's system and the client.
struct Client {
    received: u64,
    unread: VecDeque<(u64, u64)>, // captured, bytes
    delayed_ack: Option<u64>,
    most_announced: u64,
    tick: u64,
    waits: bool,
    waits_since: u64,
    busy_until: u64,
    random: Random,
}

struct Ack {
    there: u64,
    received: u64,
    window: u64,
}

impl Client {
    /// One millisecond of the client: what arrives, what it reads and what is acknowledged.
    fn step(
        &mut self,
        now: u64,
        scene: &Scene,
        link: &mut VecDeque<Segment>,
        seen: &mut Seen,
    ) -> Option<Ack> {
        let mut acknowledge = false;
        while link.front().is_some_and(|segment| segment.there <= now)
            && let Some(segment) = link.pop_front()
        {
            // A client that waits takes what comes as it comes.
            let taken = self.waits && self.unread.is_empty();
            self.received += segment.bytes;
            acknowledge |= segment.frame.is_some() || self.most_announced < self.room(scene);
            if let Some(captured) = segment.frame {
                self.unread.push_back((captured, segment.bytes));
            } else if !acknowledge {
                self.delayed_ack.get_or_insert(now + DELAYED_ACK);
            }
            let room = self.room(scene) + u64::from(taken) * segment.bytes;
            let more = room.saturating_sub(self.most_announced);
            self.most_announced += more.min(2 * segment.bytes);
        }
        if !self.waits && now >= self.tick && now >= self.busy_until {
            self.waits = true;
            self.waits_since = now;
            let late = match self.random.up_to(19) {
                0 => self.random.up_to(scene.hiccup),
                _ => 0,
            };
            let every = match scene.reads_every_later {
                Some(every) if now >= scene.duration / 2 => every,
                _ => scene.reads_every,
            };
            let beat = (now - scene.phase) / every + 1;
            let next = scene.phase + beat * every;
            self.tick = next + late + self.random.up_to(scene.read_jitter);
        }
        if self.waits
            && let Some((captured, _)) = self.unread.pop_front()
        {
            self.waits = false;
            seen.longest_wait = seen.longest_wait.max(now - self.waits_since);
            self.busy_until = now + scene.decoding;
            acknowledge |= self.delayed_ack.is_some() && self.unread.is_empty();
            if now >= scene.duration / 2 {
                seen.ages.push(now + scene.decoding - captured);
                seen.frames.push(captured);
            }
        }
        acknowledge |= self.delayed_ack.is_some_and(|due| now >= due);
        acknowledge.then(|| {
            self.delayed_ack = None;
            Ack {
                there: now + scene.one_way,
                received: self.received,
                window: self.room(scene).min(self.most_announced),
            }
        })
    }

    fn room(&self, scene: &Scene) -> u64 {
        let unread: u64 = self.unread.iter().map(|(_, bytes)| bytes).sum();
        let buffer = match self.received < FIRST_FRAMES * scene.frame {
            true => scene.first_buffer(),
            false => scene.last_buffer(),
        };
        let hidden = scene.frame * (100 - scene.shows) / 100;
        buffer.saturating_sub(unread.saturating_sub(hidden))
    }
}

pub(super) fn play(scene: &Scene) -> Seen {
    let mut seen = Seen::default();
    let mut freshness = Freshness::new(at(0), true);
    let timing = Timing {
        interval: Duration::from_millis(scene.camera_interval),
        encoding: Duration::from_millis(scene.encoding),
    };
    let mut client = Client {
        received: 0,
        unread: VecDeque::new(),
        delayed_ack: None,
        most_announced: scene.first_buffer(),
        tick: scene.phase,
        waits: false,
        waits_since: 0,
        busy_until: 0,
        random: Random(scene.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
    };
    let (mut link, mut acks) = (VecDeque::new(), VecDeque::<Ack>::new());
    let (mut sent, mut link_free, mut asks_at) = (0, 0, 0);
    let (mut acked, mut acked_at, mut window) = (0, 0, scene.first_buffer());
    let mut frame = 0; // the newest frame's arrival
    let mut jpeg: Option<(u64, u64)> = None; // its frame, and when it is encoded
    let (mut last, mut probes) = (None, 0);
    for now in 0..scene.duration {
        if now % scene.camera_interval == 0 {
            (frame, asks_at) = (now, now);
        }
        acks.extend(client.step(now, scene, &mut link, &mut seen));
        while acks.front().is_some_and(|ack| ack.there <= now)
            && let Some(ack) = acks.pop_front()
        {
            (acked, acked_at, window) = (ack.received, now, ack.window);
        }
        if now < asks_at {
            continue;
        }
        let info = Info {
            window: u32::try_from(window).ok(),
            unsent: u32::from(now < link_free),
            in_flight: acked < sent,
            since_ack: Duration::from_millis(now - acked_at),
            round_trip: Duration::from_millis(2 * scene.one_way),
            ..Info::default()
        };
        match freshness.next(at(now), &info, timing) {
            Advice::Probe => {
                probes += 1;
                seen.probes = seen.probes.max(probes);
                sent += PROBE_BYTES;
                link.push_back(Segment {
                    there: link_free.max(now) + scene.one_way,
                    bytes: PROBE_BYTES,
                    frame: None,
                });
            }
            Advice::Wait(until) => asks_at = milliseconds(until).max(now + 1),
            Advice::Send(from) if last == Some(frame) || at(frame) < from => {
                asks_at = frame + scene.camera_interval;
            }
            Advice::Send(_) => match jpeg {
                Some((of, ready)) if of == frame && ready <= now => {
                    (last, probes) = (Some(frame), 0);
                    sent += scene.frame;
                    link_free = link_free.max(now) + scene.frame / scene.bytes_per_ms;
                    link.push_back(Segment {
                        there: link_free + scene.one_way,
                        bytes: scene.frame,
                        frame: Some(frame),
                    });
                    freshness.sent(at(now), at(now), scene.frame as usize, &info, true);
                    asks_at = now + 1;
                }
                Some((of, ready)) if of == frame => asks_at = ready,
                _ => {
                    jpeg = Some((frame, now + scene.encoding));
                    asks_at = now + scene.encoding;
                }
            },
        }
    }
    seen
}
