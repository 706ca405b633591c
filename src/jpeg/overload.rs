//! Whether the encoder keeps up: said once when it does not, and once when it does again.

use log::{info, warn};

/// Frames that are looked at together: some ten seconds.
const FRAMES: u64 = 80;
/// So many of them may be skipped for want of time: one in this many.
const MOST: u64 = 10;

/// What was counted when the last ones were looked at, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Overload {
    skipped: u64,
    encoded: u64,
    is_told: bool,
}

impl Overload {
    /// One more frame was encoded; so many were skipped since the start.
    pub(super) fn encoded(&mut self, skipped: u64) {
        self.encoded += 1;
        let new = skipped - self.skipped;
        if self.encoded + new < FRAMES {
            return;
        }
        match (new * MOST > FRAMES, self.is_told) {
            (true, false) => warn!(
                "encoder: has no time for {new} of {} frames: lower camera.rate, jpeg.quality or the size",
                self.encoded + new
            ),
            (false, true) => info!("encoder: keeps up again"),
            _ => {}
        }
        *self = Self {
            skipped,
            encoded: 0,
            is_told: new * MOST > FRAMES,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_may_be_skipped() {
        let mut overload = Overload::default();
        let mut skipped = 0;
        let mut run = |every: u64| {
            for frame in 1..=200 {
                skipped += u64::from(every > 0 && frame % every == 0);
                overload.encoded(skipped);
            }
            overload.is_told
        };
        assert!(!run(0));
        assert!(!run(12));
        assert!(run(5));
        assert!(run(1));
        assert!(!run(0));
    }
}
