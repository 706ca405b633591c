//! Freshness against simulated clients, and step by step.

use super::simulation::{Scene, at, play};
use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const TIMING: Timing = Timing {
    interval: Duration::from_millis(125),
    encoding: Duration::from_millis(12),
};
const BUFFER: u32 = 1 << 20;
const FRAME: usize = 400 << 10;

fn unread(bytes: u32) -> Info {
    Info {
        window: Some(BUFFER - bytes),
        ..Info::default()
    }
}

/// Beyond encoding, transfer and decoding a frame is at most one interval old, whatever the phase between camera and
/// client: 8 Hz, read at 3 to 20 Hz.
#[test]
fn no_phase_makes_pictures_old() {
    for (frame, one_way, bytes_per_ms) in [
        (100_000, 0, 300_000),
        (2_000_000, 0, 300_000),
        (4_000_000, 0, 300_000),
        (400_000, 8, 7_500), // like Wi-Fi
    ] {
        for reads_every in [50, 100, 125, 133, 180, 250, 333] {
            for phase in (0..250).step_by(8) {
                let scene = Scene {
                    frame,
                    one_way,
                    bytes_per_ms,
                    reads_every,
                    phase: phase % 125,
                    buffer_grows: phase > 125,
                    ..Scene::default()
                };
                let median = play(&scene).median();
                // A client can keep a frame or two that came while its buffer grew.
                let kept =
                    u64::from(scene.buffer_grows) * reads_every.max(2 * scene.camera_interval);
                let bound = scene.least_age() + scene.camera_interval + kept + 10;
                assert!(median <= bound, "{median} ms, not {bound}: {scene:?}");
            }
        }
    }
}

/// "No signal" pictures come rarely, and a client may happen to let one lie: that says nothing about the live frames.
#[test]
fn the_first_live_frame_after_no_signal_is_not_held_back() {
    let mut freshness = Freshness::new(at(0), true);
    for second in 0..5 {
        let began = 1000 * second;
        assert!(
            matches!(freshness.next(at(began), &unread(0), TIMING), Advice::Send(from) if from <= at(began))
        );
        freshness.sent(at(began), at(began + 1), FRAME, &unread(0), false);
        let lying = freshness.next(at(began + 10), &unread(FRAME as u32), TIMING);
        assert!(!matches!(lying, Advice::Send(_)));
    }
}

#[test]
fn a_client_that_waits_gets_each_frame_at_once() {
    let scene = Scene {
        reads_every: 10,
        ..Scene::default()
    };
    let seen = play(&scene);
    assert_eq!(seen.ages.len(), 120, "8 Hz for 15 s");
    assert!(seen.median() <= scene.least_age() + 1);
}

/// Also where an unread frame hardly shows in the window.
#[test]
fn who_reads_rarely_sees_fresh_pictures_too() {
    for reads_every in [
        2_000, 5_000, 12_000, 20_000, 27_000, 30_000, 32_000, 60_000, 120_000,
    ] {
        for shows in [10, 33, 100] {
            let scene = Scene {
                reads_every,
                read_jitter: 20,
                duration: 24 * reads_every,
                buffer_grows: shows < 100,
                shows,
                ..Scene::default()
            };
            let seen = play(&scene);
            assert!(seen.ages.len() >= 10, "{seen:?}");
            // A 32nd of its interval, for that it waits must show at once.
            let bound = 500 + reads_every / 20;
            assert!(seen.median() < bound, "{:?}: {scene:?}", seen.ages);
            assert!(seen.probes < 100, "{}: {scene:?}", seen.probes);
        }
    }
}

/// Whoever pauses a player for a minute sees pictures again a few seconds after going on.
#[test]
fn a_pause_is_no_habit() {
    for pause in [10_000, 60_000, 300_000] {
        let scene = Scene {
            reads_every: pause,
            reads_every_later: Some(10),
            duration: 2 * pause,
            phase: 1, // reads at once, and again after the pause
            ..Scene::default()
        };
        let seen = play(&scene);
        assert!(seen.longest_wait < 12_000, "{}: {pause}", seen.longest_wait);
    }
}

/// OpenCV gives up after 30 s.
#[test]
fn who_has_read_rarely_and_begins_to_wait_is_not_kept_waiting() {
    for reads_every in [4_000, 12_000, 15_000, 20_000, 25_000, 30_000] {
        for buffer_grows in [false, true] {
            let scene = Scene {
                reads_every,
                buffer_grows,
                reads_every_later: Some(100),
                read_jitter: 20,
                duration: 30 * reads_every,
                ..Scene::default()
            };
            let seen = play(&scene);
            assert!(
                seen.longest_wait < 29_500,
                "{}: {scene:?}",
                seen.longest_wait
            );
            let steady = seen.frames.len() as u64 * 125;
            let most = scene.duration / 2;
            let least = most - 3 * reads_every - 5_000;
            assert!(steady > least, "{steady} of {most} ms: {scene:?}");
        }
    }
}

proptest! {
    // The same clients each time: what fails once in ten thousand is no news in a run for something else.
    #![proptest_config(ProptestConfig { cases: 96, rng_seed: RngSeed::Fixed(708), failure_persistence: None, ..ProptestConfig::default() })]

    /// Never older than its bound, never starved, never twice, never back: whoever reads, from wherever.
    #[test]
    fn any_client_sees_fresh_pictures(
        camera_interval in 33_u64..300,
        encoding in 1_u64..30,
        frame in 60_000_u64..4_000_000,
        one_way in 0_u64..20,
        bytes_per_ms in 20_000_u64..400_000,
        reads_every in 10_u64..1500,
        read_jitter in 0_u64..10,
        hiccup in 0_u64..80,
        phase in 0_u64..300,
        decoding in 1_u64..30,
        buffer_grows in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let scene = Scene {
            camera_interval, encoding, frame, one_way, bytes_per_ms, reads_every, read_jitter, hiccup, phase, decoding,
            buffer_grows, shows: 100, seed, buffer: 24 << 20, duration: 60_000, reads_every_later: None,
        };
        let seen = play(&scene);
        // The client's own unsteadiness, and what its delayed acknowledgements hide.
        let slack = 2 * read_jitter + hiccup + 40 + reads_every / 4 + camera_interval / 4;
        // What is taken for read while the buffer grows may be some frames too many.
        let growth = u64::from(buffer_grows) * 4 * camera_interval.max(reads_every);
        let bound = scene.least_age() + scene.camera_interval + slack + growth;
        prop_assert!(seen.median() <= bound, "{} ms, not {bound}", seen.median());
        let each = camera_interval.max(reads_every).max(decoding) + frame / bytes_per_ms + 2 * one_way + encoding;
        let least = 30_000 / each * 3 / 4;
        prop_assert!(seen.ages.len() as u64 >= least, "{} reads, not {least}", seen.ages.len());
        prop_assert!(seen.frames.windows(2).all(|pair| pair[0] < pair[1]), "not in order");
    }
}

#[test]
fn nothing_is_probed_where_nothing_lies_unread() {
    let mut freshness = Freshness::new(at(0), true);
    assert_eq!(
        freshness.next(at(0), &unread(0), TIMING),
        Advice::Send(at(0))
    );
    freshness.sent(at(0), at(1), FRAME, &unread(0), true);
    let next = freshness.next(at(2), &unread(0), TIMING);
    assert!(matches!(next, Advice::Send(_)));
}

#[test]
fn without_probes_what_was_received_counts_as_read_somewhat_later() {
    let mut freshness = Freshness::new(at(0), false);
    freshness.next(at(0), &unread(0), TIMING);
    freshness.sent(at(0), at(1), FRAME, &unread(0), true);
    let sent = sends_at(&mut freshness, &unread(FRAME as u32), 1000);
    assert!(sent.is_some_and(|now| (62..80).contains(&now)), "{sent:?}");
    freshness.sent(at(1000), at(1001), FRAME, &unread(0), true);
    let next = freshness.next(at(1002), &unread(0), TIMING);
    assert!(matches!(next, Advice::Send(_)), "its window is open");
}

#[test]
fn an_old_kernel_falls_back_to_what_is_acknowledged() {
    let mut freshness = Freshness::new(at(0), true);
    let blind = Info::default();
    freshness.sent(at(0), at(1), FRAME, &blind, true);
    let busy = Info {
        in_flight: true,
        ..blind
    };
    let next = freshness.next(at(2), &busy, TIMING);
    assert!(matches!(next, Advice::Wait(_)));
    let next = freshness.next(at(3), &blind, TIMING);
    assert!(matches!(next, Advice::Send(_)));
}

/// The first moment at which a frame is sent, if the connection looks like `info` from 2 ms on.
fn sends_at(freshness: &mut Freshness, info: &Info, until: u64) -> Option<u64> {
    (2..until).find(|&now| matches!(freshness.next(at(now), info, TIMING), Advice::Send(_)))
}

#[test]
fn a_window_that_became_smaller_is_learnt() {
    let mut freshness = Freshness::new(at(0), true);
    freshness.next(at(0), &unread(0), TIMING);
    freshness.sent(at(0), at(1), FRAME, &unread(0), true);
    freshness.next(at(1), &unread(FRAME as u32), TIMING);
    // All is read, but the client's system has a smaller buffer now.
    let smaller = unread(FRAME as u32 / 4);
    let sent = sends_at(&mut freshness, &smaller, 20_000);
    assert!(
        sent.is_some_and(|now| (4_900..6_000).contains(&now)),
        "{sent:?}"
    );
    freshness.sent(at(20_001), at(20_001), FRAME, &smaller, true);
    let next = freshness.next(at(20_002), &smaller, TIMING);
    assert!(matches!(next, Advice::Send(_)));
}

#[test]
fn a_client_that_reads_nothing_is_sent_nothing_for_ten_minutes() {
    let mut freshness = Freshness::new(at(0), true);
    freshness.next(at(0), &unread(0), TIMING);
    freshness.sent(at(0), at(1), FRAME, &unread(0), true);
    let sent = sends_at(&mut freshness, &unread(FRAME as u32), 700_000);
    assert!(sent.is_some_and(|now| now > 600_000), "{sent:?}");
}
