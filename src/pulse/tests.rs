//! The verdict, moment by moment.

use super::*;

const INTERVAL: Duration = Duration::from_millis(125);

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_boot_nanoseconds(1_000_000 * milliseconds)
}

#[test]
fn a_stall_is_a_second_or_five_intervals() {
    assert_eq!(stall_time(INTERVAL), Duration::from_secs(1));
    assert_eq!(stall_time(Duration::from_secs(10)), Duration::from_secs(50));
}

#[test]
fn a_slow_start_is_no_stall() {
    let pulse = Pulse::new(at(1000), INTERVAL);
    assert!(!pulse.is_overdue(at(3999)) && pulse.is_overdue(at(4000)));
    // Opening takes long; what counts is the time since it was done.
    assert_eq!(pulse.verdict(at(9000)), Verdict::Starting);
    pulse.expect_start(at(9000));
    assert_eq!(pulse.verdict(at(11_999)), Verdict::Starting);
    assert_eq!(pulse.verdict(at(12_000)), Verdict::NoFrames);
    pulse.frame(at(11_000));
    assert_eq!(pulse.verdict(at(11_999)), Verdict::Live);
    assert_eq!(pulse.verdict(at(12_000)), Verdict::NoFrames);
    assert_eq!(pulse.silence(at(12_000)), Duration::from_secs(1));
    // A slow camera gets its time by frames.
    let slow = Pulse::new(at(1000), Duration::from_secs(2));
    slow.expect_start(at(1000));
    assert_eq!(slow.verdict(at(30_999)), Verdict::Starting);
    assert_eq!(slow.verdict(at(31_000)), Verdict::NoFrames);
}

#[test]
fn a_restart_is_no_frame() {
    let pulse = Pulse::new(at(1000), INTERVAL);
    pulse.frame(at(1000));
    pulse.expect_start(at(2000));
    assert!(!pulse.is_overdue(at(4999)), "the ladder waits");
    assert_eq!(pulse.verdict(at(2001)), Verdict::NoFrames, "clients do not");
}

#[test]
fn a_rate_that_goes_up_leaves_queued_frames_their_time() {
    let pulse = Pulse::new(at(1000), Duration::from_secs(2));
    pulse.frame(at(2000));
    pulse.set_interval(at(2500), INTERVAL);
    // Five more at the old rate: 0.5 Hz.
    for frame in 2..=6 {
        assert_eq!(pulse.verdict(at(2000 * frame - 1)), Verdict::Live);
        assert!(!pulse.is_overdue(at(2000 * frame - 1)));
        pulse.frame(at(2000 * frame));
    }
    pulse.frame(at(12_125));
    assert_eq!(pulse.verdict(at(13_124)), Verdict::Live);
    assert_eq!(pulse.verdict(at(13_125)), Verdict::NoFrames);
}

#[test]
fn a_new_rate_does_not_make_a_lost_camera_healthy() {
    let pulse = Pulse::new(at(1000), INTERVAL);
    pulse.frame(at(1000));
    pulse.set_interval(at(3000), Duration::from_secs(10));
    assert_eq!(pulse.verdict(at(3001)), Verdict::NoFrames);
    pulse.frame(at(4000));
    assert_eq!(pulse.verdict(at(30_000)), Verdict::Live);
}

#[test]
fn each_phase_has_its_limit() {
    let pulse = Pulse::new(at(100_000), INTERVAL);
    assert_eq!(pulse.failure(at(130_000)), None);
    let stuck = Some(Failure::Capture(Phase::Opening));
    assert_eq!(pulse.failure(at(131_000)), stuck);
    for phase in Phase::ALL {
        pulse.beat(phase, at(200_000));
        assert_eq!(pulse.phase(), phase);
        let stuck = phase.limit().map(|_| Failure::Capture(phase));
        assert_eq!(pulse.failure(at(100_000_000)), stuck);
    }
}

#[test]
fn an_encoder_that_hangs_is_seen_and_ends_the_process() {
    let pulse = Pulse::new(at(0), INTERVAL);
    let alive = |now| {
        pulse.beat(Phase::Capturing, at(now));
        pulse.frame(at(now));
        (pulse.verdict(at(now)), pulse.failure(at(now)))
    };
    pulse.encoder(ENCODERS - 1).encoding(at(1000));
    assert_eq!(alive(4000), (Verdict::Live, None));
    assert_eq!(alive(4001), (Verdict::EncoderHangs, None));
    let failure = Failure::EncoderHangs;
    assert_eq!(alive(11_001), (Verdict::EncoderHangs, Some(failure)));
    assert_eq!(failure.exit(), Exit::EncoderLost);
    pulse.encoder(ENCODERS - 1).published();
    assert_eq!(alive(11_002), (Verdict::Live, None));
}

#[test]
fn an_encoder_that_refuses_every_frame_is_seen_and_ends_the_process() {
    let pulse = Pulse::new(at(0), INTERVAL);
    let fail = |now| {
        pulse.beat(Phase::Capturing, at(now));
        pulse.frame(at(now));
        pulse.encoder(ENCODERS - 1).encoding(at(now));
        pulse.encoder(ENCODERS - 1).failed(at(now));
        (pulse.verdict(at(now)), pulse.failure(at(now)))
    };
    assert_eq!(fail(1000), (Verdict::Live, None), "one frame, perhaps");
    assert_eq!(fail(4000), (Verdict::EncoderFails, None));
    let failure = Some(Failure::EncoderFails);
    assert_eq!(fail(11_000), (Verdict::EncoderFails, failure));
    pulse.encoder(ENCODERS - 1).published();
    assert_eq!(fail(12_000), (Verdict::Live, None));
}

#[test]
fn a_camera_that_is_not_there_is_lost_until_its_first_frame() {
    let pulse = Pulse::new(at(1000), INTERVAL);
    pulse.beat(Phase::Waiting, at(1100));
    assert_eq!(pulse.verdict(at(3999)), Verdict::Starting);
    assert_eq!(pulse.verdict(at(4000)), Verdict::NoFrames);
    // Found, and restarted again and again: clients see one thing all the time.
    for second in [60, 63, 66] {
        pulse.beat(Phase::Opening, at(1000 * second));
        pulse.expect_start(at(1000 * second));
        assert_eq!(pulse.verdict(at(1000 * second + 1)), Verdict::NoFrames);
    }
    pulse.frame(at(67_000));
    assert_eq!(pulse.verdict(at(67_001)), Verdict::Live);
}

#[test]
fn two_raises_of_the_rate_leave_queued_frames_their_time() {
    let pulse = Pulse::new(at(1000), Duration::from_secs(2));
    pulse.frame(at(2000));
    pulse.set_interval(at(2500), INTERVAL);
    pulse.set_interval(at(2600), Duration::from_millis(50));
    for frame in 2..=6 {
        assert_eq!(pulse.verdict(at(2000 * frame - 1)), Verdict::Live);
        pulse.frame(at(2000 * frame));
    }
    pulse.frame(at(12_050));
    assert_eq!(pulse.verdict(at(13_050)), Verdict::NoFrames);
}
