//! The worker against a scripted camera: nothing here sleeps.

use super::script::{Act, FASTEST, Outcome, Stage};
use super::*;
use crate::config::StillMode;
use crate::pulse::{Failure, Verdict};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::sync::mpsc;

#[test]
fn lost_frames_are_counted_and_need_no_recovery() {
    let acts = vec![Act::Frames(3), Act::Lose(2), Act::Frames(2)];
    let played = Stage::new(vec![], vec![]).run(acts);
    assert_eq!(played.delivered, [1, 2, 3, 6, 7]);
    assert_eq!(played.metrics.frames_lost.get(), 2);
    assert_eq!(played.log, ["close"]);
    assert_eq!(played.ended, Ended::Stopped);
    assert_eq!(played.pulse.phase(), Phase::Ended);
}

#[test]
fn a_silent_camera_is_restarted_and_its_frames_are_numbered_on() {
    let restart = Outcome::Good(vec![Act::Frames(2)]);
    let played = Stage::new(vec![restart], vec![]).run(vec![Act::Frames(3), Act::Silence]);
    assert_eq!(played.log, ["restart", "close"]);
    assert_eq!(played.delivered, [1, 2, 3, 4, 5]);
    assert_eq!(played.recoveries(), (1, 0));
}

#[test]
fn frozen_frames_are_held_back_and_recovered_from() {
    for frozen in [Act::FrozenTime, Act::FrozenNumber] {
        let restart = Outcome::Good(vec![Act::Frames(1)]);
        let played = Stage::new(vec![restart], vec![]).run(vec![Act::Frames(3), frozen]);
        assert_eq!(played.delivered, [1, 2, 3, 4], "{frozen:?}");
        assert_eq!(
            played.metrics.frames_stale.get(),
            8,
            "a second of {frozen:?}"
        );
        assert_eq!(played.recoveries(), (1, 0));
    }
}

#[test]
fn cancelled_requests_alone_are_no_stall_but_lead_to_one() {
    let stage = Stage::new(vec![], vec![]);
    let acts = vec![Act::Frames(2), Act::Cancelled(4), Act::Frames(2)];
    assert_eq!(stage.run(acts).log, ["close"]);

    // libcamera's own timer cancels everything, and nothing comes any more.
    let restart = Outcome::Good(vec![Act::Frames(2)]);
    let acts = vec![Act::Frames(2), Act::Cancelled(6), Act::Silence];
    let played = Stage::new(vec![restart], vec![]).run(acts);
    assert_eq!(played.log, ["restart", "close"]);
    assert_eq!(played.delivered, [1, 2, 3, 4]);
}

#[test]
fn a_camera_that_a_restart_does_not_help_is_reopened() {
    let restart = Outcome::Good(vec![Act::Silence]);
    let open = Outcome::Good(vec![Act::Frames(2)]);
    let played = Stage::new(vec![restart], vec![open]).run(vec![Act::Frames(1), Act::Silence]);
    assert_eq!(played.log, ["restart", "close", "open", "close"]);
    assert_eq!(played.delivered, [1, 2, 3]);
    assert_eq!(played.recoveries(), (1, 1));
}

#[test]
fn a_restart_or_frame_that_fails_leads_to_a_reopening() {
    let open = || Outcome::Good(vec![Act::Frames(1)]);
    let played = Stage::new(vec![Outcome::Failed], vec![open()]).run(vec![Act::Silence]);
    assert_eq!(played.log, ["restart: failed", "close", "open", "close"]);
    let played = Stage::new(vec![], vec![open()]).run(vec![Act::Frames(1), Act::Fail]);
    assert_eq!(played.log, ["close", "open", "close"]);
    assert_eq!(played.delivered, [1, 2]);
}

#[test]
fn when_nothing_helps_it_gives_up_in_bounded_time_and_without_closing() {
    let silent = || Outcome::Good(vec![Act::Silence]);
    let stage = Stage::new(vec![silent()], vec![silent(), silent(), silent()]);
    let played = stage.run(vec![Act::Frames(1), Act::Silence]);
    assert!(
        matches!(played.ended, Ended::GaveUp(_)),
        "{:?}",
        played.ended
    );
    assert_eq!(
        played.log,
        ["restart", "close", "open", "close", "open", "close", "open"]
    );
    assert_eq!(played.recoveries(), (1, 3));
    assert!(played.took < Duration::from_secs(20), "{:?}", played.took);

    let failing = || Outcome::Failed;
    let stage = Stage::new(vec![], vec![failing(), failing(), failing(), failing()]);
    let played = stage.run(vec![Act::Fail]);
    assert!(matches!(played.ended, Ended::GaveUp(_)));
    assert!(played.took < Duration::from_secs(20), "{:?}", played.took);
}

#[test]
fn a_camera_that_is_gone_is_waited_for_as_long_as_it_takes() {
    let mut opens: Vec<_> = (0..3600).map(|_| Outcome::Absent).collect();
    opens.push(Outcome::Good(vec![Act::Frames(2)]));
    let stage = Stage::new(vec![Outcome::Failed], opens);
    let played = stage.run(vec![Act::Frames(1), Act::Silence]);
    assert_eq!(played.ended, Ended::Stopped);
    assert_eq!(played.delivered, [1, 2, 3]);
    assert!(played.took > Duration::from_secs(3600));
    assert_eq!(played.recoveries(), (1, 1), "waiting is no step");
}

#[test]
fn a_stop_that_hangs_is_seen_from_outside() {
    let stage = Stage::new(vec![Outcome::Hangs], vec![]);
    let (script, pulse) = (Arc::clone(&stage.script), Arc::clone(&stage.pulse));
    let (sender, hanging) = mpsc::channel();
    *script.hanging.lock().unwrap() = Some(sender);
    // The thread never ends: it is stuck, as it would be in a driver.
    std::thread::spawn(move || stage.run(vec![Act::Frames(1), Act::Silence]).ended);
    hanging.recv().unwrap();
    assert_eq!(
        pulse.failure(script.now()),
        None,
        "a restart may take a while"
    );
    script.pass(Duration::from_secs(11));
    let stuck = Some(Failure::Capture(Phase::Restarting));
    assert_eq!(pulse.failure(script.now()), stuck);
}

#[test]
fn a_camera_that_seems_to_stall_is_restarted_reopened_and_comes_back() {
    let restart = Outcome::Good(vec![Act::Frames(1000)]);
    let open = Outcome::Good(vec![Act::Frames(60)]);
    let stage = Stage::new(vec![restart], vec![open]);
    stage.remote.stall(Duration::from_secs(8));
    let played = stage.run(vec![Act::Frames(1000)]);
    assert_eq!(played.log, ["restart", "close", "open", "close"]);
    assert!(played.delivered.len() > 30);
}

#[test]
fn what_is_requested_reaches_the_camera_with_what_is_new() {
    let stage = Stage::new(vec![], vec![]);
    for query in ["ExposureTime=20000", "AfMode=auto"] {
        let set = controls::Set::parse_query(query).unwrap();
        stage.remote.apply(&set).unwrap();
    }
    stage.remote.set_rate(4.0);
    let played = stage.run(vec![Act::Frames(1)]);
    assert_eq!(
        played.log,
        [
            "apply ExposureTime=20000 / ExposureTime=20000",
            "apply ExposureTime=20000 AfMode=auto / AfMode=auto",
            "rate 4",
            "close"
        ]
    );
}

#[test]
fn frames_of_a_camera_that_was_opened_again_show_what_was_changed_before() {
    let stage = Stage::new(vec![], vec![Outcome::Good(vec![Act::Frames(2)])]);
    for query in ["Contrast=1", "Contrast=2"] {
        let set = controls::Set::parse_query(query).unwrap();
        stage.remote.apply(&set).unwrap();
    }
    assert_eq!(stage.remote.changes(), 2);
    let played = stage.run(vec![Act::Frames(1), Act::Fail]);
    assert_eq!(played.changes, [2, 2, 2]);
}

#[test]
fn a_rate_that_needs_another_mode_opens_the_camera_again_and_is_no_fault() {
    let stage = Stage::new(vec![], vec![Outcome::Good(vec![Act::Frames(10)])]);
    stage.remote.set_rate(FASTEST + 1.0);
    let metrics = Arc::clone(&stage.metrics);
    let played = stage.run(vec![Act::Frames(1)]);
    assert_eq!(played.log, ["rate 57", "close", "open", "close"]);
    assert_eq!(played.delivered.len(), 10);
    assert_eq!(metrics.recoveries("reopen"), 0);
}

#[test]
fn a_value_out_of_the_cameras_range_changes_nothing() {
    let stage = Stage::new(vec![], vec![]);
    let mut ranges = controls::Ranges::default();
    let range = controls::Availability::Range {
        min: 0.0,
        max: 15.0,
    };
    ranges.set(controls::Control::named("LensPosition").unwrap(), range);
    stage.report.set_ranges(ranges);
    let set = controls::Set::parse_query("LensPosition=15.5&AeEnable=0").unwrap();
    let error = stage.remote.apply(&set).unwrap_err().to_string();
    assert_eq!(
        error,
        "LensPosition = \"15.5\": expected auto or a number from 0 to 15 (dioptres)"
    );
    assert!(stage.remote.requested().is_empty());
}

#[test]
fn a_source_whose_frames_fail_is_not_reopened_without_a_pause() {
    let open = || Outcome::Good(vec![Act::Frames(1), Act::Fail]);
    let stage = Stage::new(vec![], vec![open(), open(), open(), open()]);
    let played = stage.run(vec![Act::Frames(1), Act::Fail]);
    assert!(matches!(played.ended, Ended::GaveUp(_)));
    assert_eq!(played.recoveries(), (0, 3));
    assert!(played.took > 3 * REOPEN_PAUSE, "{:?}", played.took);
}

#[test]
fn ranges_stay_known_while_the_camera_is_closed() {
    let stage = Stage::new(vec![], vec![]);
    let mut ranges = controls::Ranges::default();
    let lens = controls::Control::named("LensPosition").unwrap();
    ranges.set(
        lens,
        controls::Availability::Range {
            min: 0.0,
            max: 15.0,
        },
    );
    let (remote, report) = (stage.remote, Arc::clone(&stage.report));
    let camera = Box::new(super::script::Ranged(ranges));
    stage.worker.run(Some(camera));
    let set = controls::Set::parse_query("LensPosition=1000").unwrap();
    assert!(remote.apply(&set).is_err(), "kept for the camera to come");
    drop(report);
}

#[test]
fn a_capture_time_in_the_future_does_not_poison_the_ladder() {
    let acts = vec![Act::Future, Act::Frames(100)];
    let played = Stage::new(vec![], vec![]).run(acts);
    assert_eq!(played.log, ["close"], "no recovery");
    assert_eq!(played.delivered.len(), 101);
}

#[test]
fn a_slow_start_is_no_stall() {
    let acts = vec![Act::Pause(Duration::from_millis(2500)), Act::Frames(3)];
    let played = Stage::new(vec![], vec![]).run(acts);
    assert_eq!(played.log, ["close"]);
    assert_eq!(played.delivered, [1, 2, 3]);
}

#[test]
fn a_rate_that_goes_up_restarts_no_healthy_sensor() {
    let mut stage = Stage::new(vec![], vec![]);
    stage.pulse = Arc::new(Pulse::new(stage.script.now(), Duration::from_secs(2)));
    stage.worker.pulse = Arc::clone(&stage.pulse);
    stage.remote.set_rate(8.0);
    // Queued at 0.5 Hz before.
    let mut acts = Vec::new();
    for _ in 0..5 {
        acts.extend([Act::Pause(Duration::from_millis(1875)), Act::Frames(1)]);
    }
    acts.push(Act::Frames(100));
    let played = stage.run(acts);
    assert_eq!(played.log, ["rate 8", "close"]);
    assert_eq!(
        played.pulse.verdict(played.pulse.last_frame().unwrap()),
        Verdict::Live
    );
}

/// A camera that does something for a while, and then nothing good any more.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    let some = prop_oneof![
        (1..80_u32).prop_map(Act::Frames),
        (1..4_u64).prop_map(Act::Lose),
        (1..5_u32).prop_map(Act::Cancelled),
        (1..1800_u64).prop_map(|milliseconds| Act::Pause(Duration::from_millis(milliseconds))),
        Just(Act::Future),
    ];
    let end = prop_oneof![
        Just(Act::Silence),
        Just(Act::FrozenTime),
        Just(Act::FrozenNumber),
        Just(Act::Fail),
        Just(Act::Frames(1)), // behind it the script is at its end, and the worker is stopped
    ];
    (prop::collection::vec(some, 0..6), end).prop_map(|(mut acts, end)| {
        acts.push(end);
        acts
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => acts().prop_map(Outcome::Good),
        1 => Just(()).prop_map(|()| Outcome::Failed),
        1 => Just(()).prop_map(|()| Outcome::Absent),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(708),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the camera does: between two frames, and from the last one to the end, no more time passes than the
    /// whole ladder takes; frame numbers only increase; picam ends because it was told to, or because nothing helped.
    #[test]
    fn any_camera_ends_in_frames_or_an_exit(
        first in acts(),
        restarts in prop::collection::vec(outcome(), 0..12),
        opens in prop::collection::vec(outcome(), 0..30),
    ) {
        let absent = opens.iter().filter(|outcome| matches!(outcome, Outcome::Absent)).count() as u32;
        let played = Stage::new(restarts, opens).run(first);
        // Restart, three reopenings, a pause before each; a camera that is absent is waited for and starts anew.
        let ladder = Duration::from_secs(25) * (1 + absent) + SEARCH_PAUSE * absent;
        prop_assert!(played.longest_silence <= ladder, "{:?}: {:?}", played.longest_silence, played.log);
        prop_assert!(played.delivered.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", played.delivered);
        let (restarted, reopened) = played.recoveries();
        if let Ended::GaveUp(_) = played.ended {
            prop_assert!(reopened >= 3 || restarted + reopened > 3, "gave up early: {:?}", played.log);
        }
    }
}

#[test]
fn a_still_comes_beside_the_stream_or_interrupts_it() {
    for (mode, log, interrupted) in [
        (StillMode::Always, vec!["close"], false),
        (
            StillMode::Switch,
            vec!["close", "open", "close", "open", "close"],
            true,
        ),
    ] {
        let config = CameraConfig {
            still: mode,
            ..CameraConfig::default()
        };
        let stage = Stage::with(
            vec![],
            vec![
                Outcome::Good(vec![Act::Frames(5)]),
                Outcome::Good(vec![Act::Frames(4)]),
            ],
            config,
        );
        let outcome = stage.remote.still();
        let played = stage.run(vec![Act::Frames(4)]);
        assert_eq!(
            (played.ended, played.log),
            (Ended::Stopped, log.into_iter().map(String::from).collect())
        );
        let still = outcome.try_recv().unwrap().unwrap();
        assert_eq!(still.interrupted, interrupted);
        assert_eq!(played.delivered.len(), 4);
        if !interrupted {
            assert_eq!(still.frame.sequence, 2, "of the stream's newest frame");
        }
    }
}

#[test]
fn who_waits_for_a_still_is_told_when_the_camera_fails() {
    let config = CameraConfig {
        still: StillMode::Always,
        ..CameraConfig::default()
    };
    let stage = Stage::with(vec![], vec![Outcome::Good(vec![Act::Frames(2)])], config);
    let outcome = stage.remote.still();
    stage.run(vec![Act::Frames(1), Act::Fail]);
    assert_eq!(
        outcome.try_recv().err(),
        Some(mpsc::TryRecvError::Disconnected)
    );
}
