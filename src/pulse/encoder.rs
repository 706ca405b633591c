//! What one encode thread tells the pulse.

use super::Moment;
use crate::clock::Timestamp;
use std::time::Duration;

/// Written by an encode thread: each size of JPEGs has one.
#[derive(Default)]
pub struct EncoderPulse {
    /// When it began with the frame it works on.
    began: Moment,
    /// The first and the last of the frames that it has refused since its last JPEG.
    failed_first: Moment,
    failed_last: Moment,
}

impl EncoderPulse {
    /// It begins with a frame.
    pub fn encoding(&self, now: Timestamp) {
        self.began.set(now);
    }

    /// It has published a JPEG.
    pub fn published(&self) {
        self.began.clear();
        self.forget_failures();
    }

    /// It has refused a frame.
    pub fn failed(&self, now: Timestamp) {
        self.began.clear();
        self.failed_last.set(now);
        if self.failed_first.get().is_none() {
            self.failed_first.set(now);
        }
    }

    /// What it has refused counts no more: it has published since, or nobody wants its JPEGs.
    pub fn forget_failures(&self) {
        self.failed_first.clear();
        self.failed_last.clear();
    }

    /// Whether it works on one frame for longer than `limit`.
    pub(super) fn hangs(&self, now: Timestamp, limit: Duration) -> bool {
        let began = self.began.get();
        began.is_some_and(|began| now.since(began) > limit)
    }

    /// Whether it has refused every frame for at least `limit`.
    pub(super) fn fails(&self, limit: Duration) -> bool {
        let failures = self.failed_first.get().zip(self.failed_last.get());
        failures.is_some_and(|(first, last)| last.since(first) >= limit)
    }
}
