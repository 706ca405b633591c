//! The parts that picam is made of: how they are started, in order, and ended, in reverse.

use super::{Error, Happening, system};
use crate::camera::{Capture, CaptureJob};
use crate::clock::{Timestamp, interval};
use crate::config::{Config, Saved};
use crate::exit::Exit;
use crate::focus::Drift;
use crate::http::{self, Context, Guard, Listener, Rendition, Seats};
use crate::jpeg::{EncodeJob, Encoding, SMALLER, Settings, Singles, Stills, WIDTHS, shrunk_height};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use crate::sync::lock;
use crate::system::affinity::{self, Role};
use crate::system::descriptors::within_descriptors;
use crate::system::instance::Instance;
use crate::system::notify::Notify;
use crate::system::sandbox::Sandbox;
use crate::system::watchdog::{Device, Watchdog, Watching};
use log::{info, warn};
use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::time::{Duration, Instant};

/// Streams and started responses get this long to end when picam stops.
const DRAIN_TIME: Duration = Duration::from_millis(600);
/// The capture and encode threads get this long then; a camera that hangs does not keep the process.
const STOP_TIME: Duration = Duration::from_millis(300);
/// A slow card gets this long to take what was set last.
const SAVE_TIME: Duration = Duration::from_secs(2);
/// The saved focus is looked at so soon after the start, and then so often.
const FIRST_LOOK: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// The environment variable that switches /debug/… on, for tests.
const FAULTS_VARIABLE: &str = "PICAM_TEST_FAULTS";

/// How the parts are to end, and how they did.
pub(super) struct Ending {
    /// The machine's watchdog is disarmed: nobody needs to bring picam back.
    clean: bool,
    /// A part did not end.
    hung: Cell<bool>,
}

type End = Box<dyn FnOnce(&Ending)>;

/// What ends each part that was started, in the order of their starts.
pub(super) struct Parts(Vec<End>);

impl Parts {
    /// Nothing was started yet.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Remembers how to end a part that was just started.
    fn add(&mut self, end: impl FnOnce(&Ending) + 'static) {
        self.0.push(Box::new(end));
    }

    /// Ends all parts in reverse, in about a second even if one hangs; returns whether none did.
    pub(super) fn stop(self, clean: bool) -> bool {
        info!("stopping");
        let ending = Ending {
            clean,
            hung: Cell::new(false),
        };
        for end in self.0.into_iter().rev() {
            end(&ending);
        }
        match ending.hung.get() {
            false => info!("stopped"),
            true => warn!("stopped, though a part hangs"),
        }
        !ending.hung.get()
    }
}

/// Starts everything, and remembers in `parts` how to end it. Takes `starting` back before the first client can come.
pub(super) fn start(
    config: Config,
    sandbox: Sandbox,
    sender: &mpsc::Sender<Happening>,
    starting: &AtomicBool,
    parts: &mut Parts,
) -> Result<Arc<Context>, Error> {
    let instance = Instance::claim(config.server.listen)?;
    let address = instance.address;
    parts.add(move |_| drop(instance));
    let limits = within_descriptors(config.limits.clone());
    let metrics = Arc::new(Metrics::new());
    let size = config.camera.seen_size();
    let full = Rendition::new(size.0 as u32);
    let smaller = smaller_than(full.width);
    let interval = interval(config.camera.rate);
    let pulse = Arc::new(Pulse::new(Timestamp::now(), interval));
    let guard = Arc::new(Guard::new(limits, Arc::clone(&metrics)));

    let notify = Notify::from_environment().map_err(system("NOTIFY_SOCKET"))?;
    let notify = notify.map(Arc::new);
    // Before the camera: opening it may hang, too.
    let watching = start_watchdog(&config, &pulse, notify.clone(), sender.clone())?;
    parts.add(move |ending| watching.stop(ending.clean));

    let saved = Saved::open(&config.state.directory, config.controls);
    let directory = &config.state.directory;
    let drift = Drift::open((!directory.as_os_str().is_empty()).then(|| directory.clone()));
    let capture = CaptureJob {
        config: config.camera.clone(),
        requested: saved.at_start(),
        cores: config.cpu.capture.clone(),
        metrics: Arc::clone(&metrics),
        pulse: Arc::clone(&pulse),
        deliver: {
            let feeds: Vec<_> = smaller.iter().map(|it| Arc::clone(&it.feed)).collect();
            let feed = Arc::clone(&full.feed);
            let metrics = Arc::clone(&metrics);
            Box::new(move |frame| {
                // The full feed first: whoever has a smaller picture of a frame finds the frame itself there.
                if feed.put(frame.clone()) {
                    metrics.frames_skipped.inc();
                }
                for feed in &feeds {
                    feed.put(frame.clone());
                }
            })
        },
    };
    let (capture, remote) = Capture::start(capture, lost(sender, Exit::CameraLost))?;
    let remote = Arc::new(remote);
    let stop_capture = Arc::clone(&remote);
    parts.add(move |ending| {
        stop_capture.stop();
        join_in_time(ending, STOP_TIME, || capture.join());
    });

    let encoder = Arc::new(Settings::new(&config.jpeg));
    let numbers = Arc::new(AtomicU64::new(0));
    for (number, rendition) in smaller.iter().chain([&full]).enumerate() {
        let width = rendition.width as usize;
        let smaller = width < size.0;
        let encoding = Encoding::start(EncodeJob {
            feed: Arc::clone(&rendition.feed),
            hub: Arc::clone(&rendition.hub),
            pulse: Arc::clone(&pulse),
            encoder: number,
            metrics: Arc::clone(&metrics),
            settings: match smaller {
                true => Arc::new(encoder.beside(&SMALLER)),
                false => Arc::clone(&encoder),
            },
            numbers: Arc::clone(&numbers),
            size: (width, shrunk_height(width, size)),
            width: smaller.then_some(width),
            cores: config.cpu.encode.clone(),
        });
        let encoding = encoding.map_err(system("cannot start the encoder"))?;
        let (stop_encoding, stop_capture) = (Arc::clone(&rendition.feed), Arc::clone(&remote));
        parts.add(move |ending| {
            stop_encoding.stop();
            stop_capture.stop(); // both at the same time
            join_in_time(ending, STOP_TIME, || encoding.join());
        });
    }
    let taking = Arc::clone(&remote);
    let cores = config.cpu.encode.clone();
    let take = Box::new(move || taking.still());
    let stills = Stills::start(take, Arc::clone(&numbers), cores.clone());
    let stills = stills.map_err(system("cannot start the thread for stills"))?;
    let singles = Singles::start(Arc::clone(&full.feed), numbers, cores);
    let singles = singles.map_err(system("cannot start the encoder"))?;

    saved
        .start(Arc::clone(&remote))
        .map_err(system("cannot start the state thread"))?;
    let context = Arc::new(Context {
        full,
        smaller,
        singles,
        stills,
        pulse,
        remote,
        saved,
        focus: Mutex::new(None),
        encoder,
        guard,
        metrics,
        streams: Seats::default(),
        events: Seats::default(),
        started: Instant::now(),
        stopping: AtomicBool::new(false),
        sandbox,
        faults: std::env::var_os(FAULTS_VARIABLE).is_some_and(|value| value == "1"),
        malformed: LogLimit::new(),
        set: LogLimit::new(),
        config: RwLock::new(Arc::new(config)),
    });
    let guard = &context.guard;
    guard.start().map_err(system("cannot start the guard"))?;
    let guard = Arc::clone(guard);
    parts.add(move |_| guard.end());
    starting.store(false, Ordering::SeqCst);
    let listener = start_http(&context, address).map_err(system("cannot start the HTTP server"))?;
    let serving = Arc::clone(&context);
    parts.add(move |_| {
        serving.stopping.store(true, Ordering::SeqCst);
        listener.stop();
        serving.wake_all();
        serving.guard.drain(DRAIN_TIME);
    });
    let saving = Arc::clone(&context);
    parts.add(move |ending| {
        join_in_time(ending, SAVE_TIME, move || saving.saved.finish());
    });
    let (stop_looking, stopped) = mpsc::channel();
    start_drift(drift, Arc::clone(&context), stopped)
        .map_err(system("cannot start the thread for drift"))?;
    parts.add(move |_| drop(stop_looking));
    context.sandbox.close();
    info!(
        "picam {}: listening on http://{address}/",
        env!("CARGO_PKG_VERSION"),
    );
    if let Some(notify) = notify {
        notify.ready();
        parts.add(move |_| notify.stopping());
    }
    Ok(context)
}

/// The sizes that are made besides the camera's.
fn smaller_than(width: u32) -> Vec<Rendition> {
    let smaller = WIDTHS.into_iter().filter(|&it| it < width);
    smaller.map(Rendition::new).collect()
}

fn start_watchdog(
    config: &Config,
    pulse: &Arc<Pulse>,
    notify: Option<Arc<Notify>>,
    sender: mpsc::Sender<Happening>,
) -> Result<Watching, Error> {
    let path = &config.watchdog.device;
    let frame_time = Duration::from_secs_f64(config.watchdog.frame_seconds);
    let device = match path.as_os_str().is_empty() {
        true => None,
        false => Some(Device::new(path.clone(), frame_time).map_err(system("watchdog.device"))?),
    };
    Watchdog::new(Arc::clone(pulse), notify, device)
        .start(move |failure| lost(&sender, failure.exit())(failure.to_string()))
        .map_err(system("cannot start the watchdog"))
}

/// Looks at the focus every minute, until the sender of `stopped` is gone.
fn start_drift(
    mut drift: Drift,
    context: Arc<Context>,
    stopped: mpsc::Receiver<()>,
) -> io::Result<()> {
    let look = move || {
        let mut pause = FIRST_LOOK;
        while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
            pause = LOOK_INTERVAL;
            let Some(frame) = context.full.feed.newest() else {
                continue;
            };
            if !frame.readings.is_searching() {
                let (saved, requested) = (context.saved.saved(), context.remote.requested());
                // Not under the lock: a card that hangs keeps nobody but this thread.
                drift.look(saved, requested, &frame);
                *lock(&context.focus) = drift.comparison().cloned();
            }
        }
    };
    let thread = std::thread::Builder::new().name("drift".into());
    thread.spawn(look).map(drop)
}

/// What a part calls with the reason when only a new process can help.
fn lost(sender: &mpsc::Sender<Happening>, exit: Exit) -> impl FnOnce(String) + Send + 'static {
    let sender = sender.clone();
    move |reason| {
        let what = match exit {
            Exit::EncoderLost => "the encoder is lost",
            _ => "the camera is lost",
        };
        let reason = format!("{what}: {reason}");
        // On a thread of its own, and now: the log may be what hangs, and picam may have no time to say it later.
        let line = reason.clone();
        std::thread::spawn(move || log::error!("{line}"));
        let _ = sender.send(Happening::Lost { exit, reason }); // if nobody listens any more, picam is ending
    }
}

/// Waits for a part, but not for one that hangs.
fn join_in_time(ending: &Ending, span: Duration, join: impl FnOnce() + Send + 'static) {
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || {
        join();
        ended.send(()).ok();
    });
    if has_ended.recv_timeout(span).is_err() {
        ending.hung.set(true);
    }
}

/// The scheduler's threads have no affinity of their own: they inherit that of the thread that starts them.
fn start_http(context: &Arc<Context>, address: std::net::SocketAddr) -> io::Result<Listener> {
    let context = Arc::clone(context);
    let starter = std::thread::Builder::new()
        .name("http".into())
        .spawn(move || {
            affinity::pin_this_thread(Role::Http, &context.config().cpu.http);
            http::start(context, address)
        })?;
    starter
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("its thread panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    /// `start` adds an end behind each part that has started: when a later one fails, those are what is ended.
    #[test]
    fn parts_end_in_reverse_even_if_one_hangs() {
        let ended = Rc::new(std::cell::RefCell::new(Vec::new()));
        let mut parts = Parts::none();
        for part in ["address", "camera", "encoder"] {
            let ended = Rc::clone(&ended);
            parts.add(move |ending| {
                ended.borrow_mut().push(part);
                if part == "encoder" {
                    let (never, comes) = mpsc::channel::<()>();
                    let hang = move || drop((comes.recv(), never));
                    join_in_time(ending, Duration::from_millis(1), hang);
                }
            });
        }
        assert!(!parts.stop(true), "a part hangs");
        assert_eq!(*ended.borrow(), ["encoder", "camera", "address"]);
    }

    #[test]
    fn parts_that_end_are_told_whether_the_ending_is_clean() {
        let mut parts = Parts::none();
        parts.add(|ending| assert!(ending.clean));
        assert!(parts.stop(true));
    }
}
