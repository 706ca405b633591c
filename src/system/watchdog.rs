//! A thread that reads the [`Pulse`] and feeds the watchdogs outside: the machine's, and systemd's. It depends on no
//! other thread, for it has to act when one is stuck: it takes none of picam's locks, and reads nothing else.
//!
//! The hardware watchdog is opened with the first frame and fed as long as frames flow. A machine without a
//! camera is thus never reset, one whose camera does not come back is. Only a clean stop disarms it: when picam
//! ends because of its camera, a new one has the device's timeout to get a frame.

use super::notify::Notify;
use crate::clock::Timestamp;
use crate::exit::leave;
use crate::pulse::{Failure, Pulse};
use log::{error, info};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two readings of the pulse; hardware watchdogs time out after 15 seconds (Raspberry Pi) or more.
const INTERVAL: Duration = Duration::from_secs(1);
/// What picam gets to end by itself when only a new process can help.
const LAST_TIME: Duration = Duration::from_secs(2);

/// The machine's watchdog.
pub struct Device {
    path: PathBuf,
    /// Without a frame for this long it is not fed.
    frame_time: Duration,
    state: DeviceState,
}

enum DeviceState {
    Closed,
    Open(File),
    Failed,
}

impl Device {
    /// The watchdog at `path`, which stays closed until it is fed for the first time.
    ///
    /// # Errors
    /// There is no such device.
    pub fn new(path: PathBuf, frame_time: Duration) -> io::Result<Self> {
        std::fs::metadata(&path)?;
        Ok(Self {
            path,
            frame_time,
            state: DeviceState::Closed,
        })
    }

    /// Feeds the device if the last frame came `silence` ago; `None` stands for none yet.
    fn feed(&mut self, silence: Option<Duration>) {
        if silence.is_none_or(|silence| silence >= self.frame_time) {
            return;
        }
        if let DeviceState::Closed = self.state {
            // Not created: a file instead of a device would protect nobody.
            self.state = match OpenOptions::new().write(true).open(&self.path) {
                Ok(file) => {
                    info!("watchdog {}: armed", self.path.display());
                    DeviceState::Open(file)
                }
                Err(reason) => self.failed(&reason),
            };
        }
        if let DeviceState::Open(file) = &mut self.state
            && let Err(reason) = file.write_all(b"\0")
        {
            self.state = self.failed(&reason);
        }
    }

    fn failed(&self, reason: &io::Error) -> DeviceState {
        error!("watchdog {}: {reason}", self.path.display());
        DeviceState::Failed
    }

    /// Disarms it: closing alone would let it run out.
    fn disarm(&mut self) {
        if let DeviceState::Open(file) = &mut self.state {
            match file.write_all(b"V") {
                Ok(()) => info!("watchdog {}: disarmed", self.path.display()),
                Err(reason) => self.state = self.failed(&reason),
            }
        }
    }
}

/// What the watching thread works with.
pub struct Watchdog {
    pulse: Arc<Pulse>,
    notify: Option<Arc<Notify>>,
    device: Option<Device>,
    /// When the supervisor was last told that picam is alive.
    told: Option<Timestamp>,
    /// The pulse showed a failure when it was read last.
    suspicious: bool,
}

impl Watchdog {
    /// Feeds those of the watchdogs that there are, by what `pulse` says.
    pub fn new(pulse: Arc<Pulse>, notify: Option<Arc<Notify>>, device: Option<Device>) -> Self {
        Self {
            pulse,
            notify,
            device,
            told: None,
            suspicious: false,
        }
    }

    /// Reads the pulse once. Returns what only a new process can mend, if it has come to that; no watchdog is fed then.
    fn check(&mut self, now: Timestamp) -> Option<Failure> {
        if let Some(failure) = self.pulse.failure(now) {
            // Twice: a machine that was suspended has not let the other threads say that they are alive.
            return std::mem::replace(&mut self.suspicious, true).then_some(failure);
        }
        self.suspicious = false;
        if let Some(device) = &mut self.device {
            device.feed(self.pulse.last_frame().map(|frame| now.since(frame)));
        }
        if let Some(notify) = &self.notify
            && let Some(interval) = notify.watchdog()
            && self.told.is_none_or(|told| now.since(told) >= interval / 3)
        {
            notify.alive();
            self.told = Some(now);
        }
        None
    }

    /// How long to wait between two readings.
    fn pause(&self) -> Duration {
        let interval = self.notify.as_ref().and_then(|notify| notify.watchdog());
        interval.map_or(INTERVAL, |interval| INTERVAL.min(interval / 4))
    }

    /// Watches on a thread of its own. `failed` is called once with what only a new process can mend; if this one has
    /// not ended soon after, it is ended without looking back: an orderly exit runs destructors, and they may wait for
    /// the driver, too.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn start(mut self, failed: impl FnOnce(Failure) + Send + 'static) -> io::Result<Watching> {
        let (sender, end) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || {
                let (mut failed, mut pause) = (Some(failed), self.pause());
                loop {
                    match end.recv_timeout(pause) {
                        Ok(End::Clean) => {
                            if let Some(device) = &mut self.device {
                                device.disarm();
                            }
                            return;
                        }
                        Ok(End::Armed) | Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) => {}
                    }
                    let Some(failure) = self.check(Timestamp::now()) else {
                        continue;
                    };
                    match failed.take() {
                        Some(failed) => {
                            failed(failure);
                            pause = LAST_TIME;
                        }
                        // Without a last word: whoever reads the log may be what everybody waits for.
                        None => leave(failure.exit()),
                    }
                }
            })?;
        Ok(Watching {
            end: sender,
            thread,
        })
    }
}

enum End {
    Clean,
    Armed,
}

/// The running thread.
pub struct Watching {
    end: Sender<End>,
    thread: JoinHandle<()>,
}

impl Watching {
    /// Ends it. `clean` disarms the machine's watchdog.
    pub fn stop(self, clean: bool) {
        let end = if clean { End::Clean } else { End::Armed };
        let _ = self.end.send(end); // the thread never ends by itself
        if self.thread.join().is_err() {
            error!("the watchdog thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pulse::Phase;
    use std::ffi::OsStr;
    use std::os::unix::net::UnixDatagram;

    const FRAME_TIME: Duration = Duration::from_secs(60);
    const FRAME_INTERVAL: Duration = Duration::from_millis(125);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_boot_nanoseconds(1_000_000_000 * seconds)
    }

    fn file(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("picam-watchdog-{}-{name}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn the_device_is_armed_by_the_first_frame_and_fed_while_frames_flow() {
        let path = file("flow");
        let written = || std::fs::read(&path).unwrap();
        let pulse = Arc::new(Pulse::new(at(100), FRAME_INTERVAL));
        let device = Device::new(path.clone(), FRAME_TIME).unwrap();
        let mut watchdog = Watchdog::new(Arc::clone(&pulse), None, Some(device));
        pulse.beat(Phase::Waiting, at(101));
        assert_eq!(watchdog.check(at(101)), None);
        assert_eq!(written(), b"", "no camera yet: not armed");

        pulse.frame(at(102));
        pulse.beat(Phase::Capturing, at(102));
        assert_eq!(watchdog.check(at(103)), None);
        assert_eq!(watchdog.check(at(104)), None);
        assert_eq!(written(), b"\0\0");

        // The camera is gone and waited for: the thread lives, but no frame comes.
        pulse.beat(Phase::Waiting, at(161));
        watchdog.check(at(161));
        assert_eq!(written(), b"\0\0\0");
        pulse.beat(Phase::Waiting, at(163));
        watchdog.check(at(163));
        assert_eq!(written(), b"\0\0\0", "left to reset the machine");

        watchdog.device.as_mut().unwrap().disarm();
        assert_eq!(written(), b"\0\0\0V");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_stuck_thread_is_reported_and_nothing_fed() {
        let path = file("stuck");
        let pulse = Arc::new(Pulse::new(at(100), FRAME_INTERVAL));
        pulse.frame(at(109));
        pulse.beat(Phase::Restarting, at(110));
        let device = Device::new(path.clone(), FRAME_TIME).unwrap();
        let mut watchdog = Watchdog::new(pulse, None, Some(device));
        assert_eq!(watchdog.check(at(120)), None);
        let suspended = "perhaps the machine was suspended";
        assert_eq!(watchdog.check(at(121)), None, "{suspended}");
        let stuck = Failure::Capture(Phase::Restarting);
        assert_eq!(watchdog.check(at(122)), Some(stuck));
        assert_eq!(std::fs::read(&path).unwrap(), b"\0");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_supervisor_is_told_as_often_as_it_asks() {
        let name = format!("picam-watchdog-{}", std::process::id());
        let address = {
            use std::os::linux::net::SocketAddrExt;
            std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap()
        };
        let supervisor = UnixDatagram::bind_addr(&address).unwrap();
        supervisor.set_nonblocking(true).unwrap();
        let notify = Notify::new(
            OsStr::new(&format!("@{name}")),
            Some(Duration::from_secs(9)),
        );
        let pulse = Arc::new(Pulse::new(at(100), FRAME_INTERVAL));
        let mut watchdog = Watchdog::new(Arc::clone(&pulse), Some(Arc::new(notify.unwrap())), None);
        for second in 100..110 {
            pulse.beat(Phase::Capturing, at(second));
            watchdog.check(at(second));
        }
        watchdog.check(at(200)); // stuck
        let mut buffer = [0; 64];
        let mut told = 0;
        while let Ok(length) = supervisor.recv(&mut buffer) {
            assert_eq!(&buffer[..length], b"WATCHDOG=1");
            told += 1;
        }
        assert_eq!(told, 4, "at 100, 103, 106 and 109 seconds");
    }

    #[test]
    fn a_device_that_is_not_there_is_refused_and_one_that_fails_is_left_alone() {
        assert!(Device::new("/nonexistent/watchdog".into(), FRAME_TIME).is_err());
        let mut folder = Device::new(std::env::temp_dir(), FRAME_TIME).unwrap();
        folder.feed(Some(Duration::ZERO)); // cannot be written to
        assert!(matches!(folder.state, DeviceState::Failed));
        folder.disarm();
    }

    #[test]
    fn it_stops_when_told_and_disarms_after_a_clean_stop_only() {
        for clean in [true, false] {
            let path = file(if clean { "clean" } else { "armed" });
            let pulse = Arc::new(Pulse::new(Timestamp::now(), FRAME_INTERVAL));
            pulse.frame(Timestamp::now());
            let mut device = Device::new(path.clone(), FRAME_TIME).unwrap();
            device.feed(Some(Duration::ZERO));
            let watchdog = Watchdog::new(pulse, None, Some(device));
            let watching = watchdog.start(|_| unreachable!("nothing is stuck"));
            watching.unwrap().stop(clean);
            let expected: &[u8] = if clean { b"\0V" } else { b"\0" };
            assert_eq!(std::fs::read(&path).unwrap(), expected);
            std::fs::remove_file(path).unwrap();
        }
    }
}
