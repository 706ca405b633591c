//! Starts the parts in order, waits for signals, stops the parts in reverse.

use crate::camera::{self, Capture, CaptureError};
use crate::clock::{Timestamp, interval};
use crate::config::{Config, Layers, Saved};
use crate::exit::{Exit, leave};
use crate::feed::Feed;
use crate::http::{self, Context, Guard, Listener};
use crate::hub::Hub;
use crate::jpeg::{self, Encoding};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use crate::system::affinity::{self, NoSuchCore, Role};
use crate::system::descriptors::within_descriptors;
use crate::system::instance::{Instance, InstanceError};
use crate::system::notify::Notify;
use crate::system::watchdog::{Device, Watchdog, Watching};
use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, mpsc};
use std::time::{Duration, Instant};

/// Streams and started responses get this long to end when picam stops.
const DRAIN_TIME: Duration = Duration::from_millis(600);
/// The capture and encode threads get this long then; a camera that hangs does not keep the process.
const STOP_TIME: Duration = Duration::from_millis(300);
/// The environment variable that switches /debug/… on, for tests.
const FAULTS_VARIABLE: &str = "PICAM_TEST_FAULTS";

/// Why picam did not start, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A core in `[cpu]` is not there.
    #[error(transparent)]
    Core(#[from] NoSuchCore),
    /// The address cannot be had.
    #[error(transparent)]
    Address(#[from] InstanceError),
    /// The camera cannot be opened.
    #[error(transparent)]
    Camera(#[from] CaptureError),
    /// The camera or the encoder failed while running, and nothing helped. Threads may be left that hang.
    #[error("{reason}")]
    Lost {
        /// Which of them.
        exit: Exit,
        /// Why.
        reason: String,
    },
    /// The system refuses something picam cannot do without.
    #[error("{what}: {reason}")]
    System {
        /// What picam wanted.
        what: &'static str,
        /// Why it did not get it.
        reason: io::Error,
    },
}

impl Error {
    /// The exit code that says so.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Core(_) => Exit::Refused,
            Error::Address(InstanceError::Taken(_)) => Exit::AddressTaken,
            Error::Camera(_) => Exit::NoCamera,
            Error::Lost { exit, .. } => *exit,
            Error::Address(InstanceError::Refused { .. }) | Error::System { .. } => Exit::Failed,
        }
    }
}

/// Whether SIGHUP has come while picam was starting.
pub struct Reload(Arc<AtomicBool>);

impl Reload {
    /// Remembers SIGHUP from now on. Until then the signal ends the process.
    ///
    /// # Errors
    /// The system refuses.
    pub fn on_hangup() -> io::Result<Self> {
        let reload = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&reload))?;
        Ok(Self(reload))
    }
}

/// What `run` waits for.
enum Happening {
    Signal(i32),
    Lost { exit: Exit, reason: String },
}

/// Runs picam with `config`, which was loaded from `layers`, until SIGTERM or SIGINT. SIGHUP loads the layers again.
///
/// # Errors
/// Something it needs at the start is not there, or the camera or the encoder is lost. After [`Error::Lost`] threads may
/// be left that hang in a driver; [`leave`] is the way out.
pub fn run(layers: &Layers, config: Config, reload: io::Result<Reload>) -> Result<(), Error> {
    let Reload(reload) = reload.map_err(system("cannot listen to signals"))?;
    affinity::check(&config.cpu)?;
    camera::prepare(&config.camera);
    // While it starts, nothing needs to be ended well, and a source may hang while it is opened.
    let starting = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT] {
        let outcome =
            signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::clone(&starting));
        outcome.map_err(system("cannot listen to signals"))?;
    }
    let (sender, happenings) = mpsc::channel();
    forward_signals(sender.clone()).map_err(system("cannot listen to signals"))?;
    let mut parts = Parts(Vec::new());
    let context = match start(config, &sender, &mut parts) {
        Ok(context) => context,
        Err(error) => {
            parts.stop(true);
            return Err(error);
        }
    };
    starting.store(false, Ordering::SeqCst);
    if reload.load(Ordering::SeqCst) {
        reload_config(&context, layers);
    }
    for happening in happenings {
        match happening {
            Happening::Signal(SIGHUP) => reload_config(&context, layers),
            Happening::Signal(_) => break,
            Happening::Lost { exit, reason } => {
                parts.stop(false);
                return Err(Error::Lost { exit, reason });
            }
        }
    }
    match parts.stop(true) {
        true => Ok(()),
        false => leave(Exit::Done), // an orderly exit would wait for what hangs
    }
}

fn forward_signals(sender: mpsc::Sender<Happening>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let forward = move || {
        for signal in signals.forever() {
            if sender.send(Happening::Signal(signal)).is_err() {
                return; // picam has ended
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into());
    thread.spawn(forward).map(drop)
}

/// How the parts are to end, and how they did.
struct Ending {
    /// The machine's watchdog is disarmed: nobody needs to bring picam back.
    clean: bool,
    /// A part did not end.
    hung: Cell<bool>,
}

type End = Box<dyn FnOnce(&Ending)>;

/// What ends each part that was started, in the order of their starts.
struct Parts(Vec<End>);

impl Parts {
    /// Remembers how to end a part that was just started.
    fn add(&mut self, end: impl FnOnce(&Ending) + 'static) {
        self.0.push(Box::new(end));
    }

    /// Ends all parts in reverse, in about a second even if one hangs; returns whether none did.
    fn stop(self, clean: bool) -> bool {
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
            true => warn!("stopped, though the camera or the encoder hangs"),
        }
        !ending.hung.get()
    }
}

/// Starts everything, and remembers in `parts` how to end it.
fn start(
    config: Config,
    sender: &mpsc::Sender<Happening>,
    parts: &mut Parts,
) -> Result<Arc<Context>, Error> {
    let instance = Instance::claim(config.server.listen)?;
    let address = instance.address;
    parts.add(move |_| drop(instance));
    let limits = within_descriptors(config.limits.clone());
    let metrics = Arc::new(Metrics::new());
    let hub = Arc::new(Hub::new());
    let feed = Arc::new(Feed::new());
    let interval = interval(config.camera.rate);
    let pulse = Arc::new(Pulse::new(Timestamp::now(), interval));
    let guard = Arc::new(Guard::new(limits, Arc::clone(&metrics)));

    let notify = Notify::from_environment().map_err(system("NOTIFY_SOCKET"))?;
    let notify = notify.map(Arc::new);
    // Before the camera: opening it may hang, too.
    let watching = start_watchdog(&config, &pulse, notify.clone(), sender.clone())?;
    parts.add(move |ending| watching.stop(ending.clean));

    let folder = &config.state.directory;
    let kept = !folder.as_os_str().is_empty();
    let requested = match kept.then(|| Saved::load(folder)).flatten() {
        Some(saved) => saved,
        None => config.controls,
    };
    let capture = camera::Job {
        config: config.camera.clone(),
        requested,
        cores: config.cpu.capture.clone(),
        metrics: Arc::clone(&metrics),
        pulse: Arc::clone(&pulse),
        deliver: {
            let feed = Arc::clone(&feed);
            Box::new(move |frame| feed.put(frame))
        },
    };
    let (capture, remote) = Capture::start(capture, lost(sender, Exit::CameraLost))?;
    let remote = Arc::new(remote);
    let stop_capture = Arc::clone(&remote);
    parts.add(move |ending| {
        stop_capture.stop();
        join_in_time(ending, || capture.join());
    });

    let encoder = Arc::new(jpeg::Settings::new(config.jpeg.quality));
    let encoding = Encoding::start(jpeg::Job {
        feed: Arc::clone(&feed),
        hub: Arc::clone(&hub),
        pulse: Arc::clone(&pulse),
        metrics: Arc::clone(&metrics),
        settings: Arc::clone(&encoder),
        size: (config.camera.width as usize, config.camera.height as usize),
        cores: config.cpu.encode.clone(),
    });
    let encoding = encoding.map_err(system("cannot start the encoder"))?;
    let (stop_encoding, stop_capture) = (Arc::clone(&feed), Arc::clone(&remote));
    parts.add(move |ending| {
        stop_encoding.stop();
        stop_capture.stop(); // both at the same time
        join_in_time(ending, || encoding.join());
    });

    let saved = kept.then(|| Saved::start(folder.clone())).transpose();
    let saved = saved.map_err(system("cannot start the state thread"))?;
    let context = Arc::new(Context {
        hub,
        feed,
        pulse,
        remote,
        saved,
        encoder,
        guard,
        metrics,
        streams: AtomicUsize::new(0),
        started: Instant::now(),
        stopping: AtomicBool::new(false),
        faults: std::env::var_os(FAULTS_VARIABLE).is_some_and(|value| value == "1"),
        malformed: LogLimit::new(),
        config: RwLock::new(Arc::new(config)),
    });
    let guard = &context.guard;
    guard.start().map_err(system("cannot start the guard"))?;
    let guard = Arc::clone(guard);
    parts.add(move |_| guard.end());
    let listener = start_http(&context, address).map_err(system("cannot start the HTTP server"))?;
    let serving = Arc::clone(&context);
    parts.add(move |_| {
        listener.stop();
        serving.stopping.store(true, Ordering::SeqCst);
        serving.hub.wake_all();
        serving.guard.drain(DRAIN_TIME);
        if let Some(saved) = &serving.saved {
            saved.finish();
        }
    });
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

/// What a part calls with the reason when only a new process can help.
fn lost(sender: &mpsc::Sender<Happening>, exit: Exit) -> impl FnOnce(String) + Send + 'static {
    let sender = sender.clone();
    move |reason| {
        let what = match exit {
            Exit::EncoderLost => "the encoder is lost",
            _ => "the camera is lost",
        };
        let reason = format!("{what}: {reason}");
        let _ = sender.send(Happening::Lost { exit, reason }); // if nobody listens any more, picam is ending
    }
}

/// Waits for a part, but not for one that hangs.
fn join_in_time(ending: &Ending, join: impl FnOnce() + Send + 'static) {
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || {
        join();
        ended.send(()).ok();
    });
    if has_ended.recv_timeout(STOP_TIME).is_err() {
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

/// Loads the configuration again and takes over what can be while running. A configuration with an error
/// changes nothing.
fn reload_config(context: &Context, layers: &Layers) {
    let new = match layers.load() {
        Ok(new) => new,
        Err(error) => {
            for line in error.to_string().lines() {
                warn!("not reloaded: {line}");
            }
            return;
        }
    };
    let old = context.config();
    let (config, changes) = old.take_live(&new);
    log::set_max_level(config.log.level);
    context.encoder.set_quality(config.jpeg.quality);
    let limits = within_descriptors(config.limits.clone());
    context.guard.set_limits(limits);
    if config.camera.rate != old.camera.rate {
        context.remote.set_rate(config.camera.rate);
    }
    if config.controls != old.controls {
        context.remote.replace(config.controls); // the file wins over what /set asked for
        if let Some(saved) = &context.saved {
            saved.save(config.controls);
        }
    }
    context.set_config(config);
    let list = |keys: &[String]| match keys.is_empty() {
        true => "nothing".to_owned(),
        false => keys.join(", "),
    };
    info!("reloaded; changed: {}", list(&changes.applied));
    if !changes.needs_restart.is_empty() {
        warn!(
            "changed but in force only after a restart: {}",
            list(&changes.needs_restart)
        );
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |reason| Error::System { what, reason }
}
