//! Starts the parts in order, waits for signals, stops the parts in reverse.

use crate::camera::{self, Capture, CaptureError, Job, Pulse, Remote};
use crate::clock::Timestamp;
use crate::config::{Config, Layers, Limits};
use crate::http::{self, Context, Guard, Listener};
use crate::hub::Hub;
use crate::jpeg::{self, Feed};
use crate::metrics::Metrics;
use crate::system::affinity::{self, NoSuchCore, Role};
use crate::system::instance::{Instance, InstanceError};
use crate::system::notify::Notify;
use crate::system::watchdog::{self, Device, Watchdog, Watching};
use log::{info, warn};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Streams and started responses get this long to end when picam stops.
const DRAIN_TIME: Duration = Duration::from_millis(600);
/// The capture and encode threads get this long then; a camera that hangs does not keep the process.
const STOP_TIME: Duration = Duration::from_millis(300);
/// Descriptors beyond those of the connections: files, the camera's buffers, the scheduler.
const OTHER_DESCRIPTORS: u64 = 128;
/// The exit code when the camera cannot be brought back: the supervisor starts a new picam then.
pub const CAMERA_LOST: u8 = 5;
/// The environment variable that switches /debug/panic, /debug/stall and /debug/hang on, for tests.
const FAULTS_VARIABLE: &str = "PICAM_TEST_FAULTS";

/// Why picam did not start, or not go on. `main` turns each into its exit code.
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
    /// The camera failed while running, and nothing helped.
    #[error("the camera is lost: {0}")]
    CameraLost(String),
    /// The system refuses something picam cannot do without.
    #[error("{what}: {reason}")]
    System {
        /// What picam wanted.
        what: &'static str,
        /// Why it did not get it.
        reason: io::Error,
    },
}

/// What `run` waits for.
enum Event {
    Signal(i32),
    CameraLost(String),
}

/// Runs picam with `config`, which was loaded from `layers`, until SIGTERM or SIGINT. SIGHUP loads the layers again.
///
/// # Errors
/// Something it needs at the start is not there, or the camera is lost. After [`Error::CameraLost`] threads may be
/// left that hang in a driver; [`watchdog::leave`] is the way out.
pub fn run(layers: &Layers, config: Config) -> Result<(), Error> {
    affinity::check(&config.cpu)?;
    camera::prepare(&config.camera);
    // While it starts, nothing needs to be ended well, and a source may hang while it is opened.
    let starting = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT] {
        let outcome =
            signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::clone(&starting));
        outcome.map_err(system("cannot listen to signals"))?;
    }
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(system("cannot listen to signals"))?;
    let (sender, events) = mpsc::channel();
    let lost = sender.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                if sender.send(Event::Signal(signal)).is_err() {
                    return; // picam has ended
                }
            }
        })
        .map_err(system("cannot listen to signals"))?;
    let parts = Parts::start(config, &lost)?;
    starting.store(false, Ordering::SeqCst);
    for event in events {
        match event {
            Event::Signal(SIGHUP) => parts.reload(layers),
            Event::Signal(_) => break,
            Event::CameraLost(reason) => {
                parts.stop(false);
                return Err(Error::CameraLost(reason));
            }
        }
    }
    if !parts.stop(true) {
        watchdog::leave(0); // an orderly exit would wait for what hangs
    }
    Ok(())
}

/// Everything that runs.
struct Parts {
    _instance: Instance,
    context: Arc<Context>,
    capture: Capture,
    encode: JoinHandle<()>,
    listener: Listener,
    notify: Option<Arc<Notify>>,
    watching: Watching,
}

impl Parts {
    fn start(config: Config, lost: &mpsc::Sender<Event>) -> Result<Self, Error> {
        let instance = Instance::claim(config.server.listen)?;
        let limits = within_descriptors(config.limits.clone());
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new());
        let feed = Arc::new(Feed::new(config.camera.rate, config.jpeg.quality));
        let guard = Arc::new(Guard::new(limits, Arc::clone(&metrics)));

        let notify = Notify::from_environment().map_err(system("NOTIFY_SOCKET"))?;
        let notify = notify.map(Arc::new);
        let pulse = Arc::new(Pulse::new(Timestamp::now()));
        // Before the camera: opening it may hang, too.
        let watching = start_watchdog(&config, &pulse, notify.clone(), lost.clone())?;
        let (capture, remote) = start_capture(&config, &feed, &metrics, pulse, lost.clone())?;
        let size = (config.camera.width as usize, config.camera.height as usize);
        let encode = jpeg::start(
            Arc::clone(&feed),
            Arc::clone(&hub),
            Arc::clone(&metrics),
            size,
            &config.cpu.encode,
        );
        let encode = encode.map_err(system("cannot start the encoder"))?;
        guard.start().map_err(system("cannot start the guard"))?;
        let context = Arc::new(Context {
            hub,
            feed,
            remote: Arc::new(remote),
            guard,
            metrics,
            streams: AtomicUsize::new(0),
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            faults: std::env::var_os(FAULTS_VARIABLE).is_some_and(|value| value == "1"),
            config: RwLock::new(Arc::new(config)),
        });
        let listener =
            start_http(&context, &instance).map_err(system("cannot start the HTTP server"))?;
        info!(
            "picam {}: listening on http://{}/",
            env!("CARGO_PKG_VERSION"),
            instance.address
        );
        if let Some(notify) = &notify {
            notify.ready();
        }
        Ok(Self {
            _instance: instance,
            context,
            capture,
            encode,
            listener,
            notify,
            watching,
        })
    }

    /// Loads the configuration again and takes over what can be while running. A configuration with an error
    /// changes nothing.
    fn reload(&self, layers: &Layers) {
        let new = match layers.load() {
            Ok(new) => new,
            Err(error) => {
                for line in error.to_string().lines() {
                    warn!("not reloaded: {line}");
                }
                return;
            }
        };
        let context = &self.context;
        let old = context.config();
        let changes = old.live_changes(&new);
        // What needs a restart stays as it is in the configuration in force, too.
        let mut config = Config::clone(&old);
        config.jpeg = new.jpeg;
        config.camera.rate = new.camera.rate;
        config.limits = new.limits;
        config.update = new.update; // picam-update's alone
        config.log = new.log;
        config.controls = new.controls;
        log::set_max_level(config.log.level);
        context.feed.set_quality(config.jpeg.quality);
        context
            .guard
            .set_limits(within_descriptors(config.limits.clone()));
        if config.camera.rate != old.camera.rate {
            context.feed.set_rate(config.camera.rate);
            context.remote.set_rate(config.camera.rate);
        }
        if config.controls != old.controls {
            context.remote.replace(config.controls); // the file wins over what /set asked for
        }
        *context
            .config
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        let list = |keys: &[String]| {
            if keys.is_empty() {
                "nothing".to_owned()
            } else {
                keys.join(", ")
            }
        };
        info!("reloaded; changed: {}", list(&changes.applied));
        if !changes.needs_restart.is_empty() {
            warn!(
                "changed but in force only after a restart: {}",
                list(&changes.needs_restart)
            );
        }
    }

    /// Ends the streams with their last boundary, then everything else, in less than a second even if a part hangs;
    /// returns whether none did. `clean` disarms the machine's watchdog: nobody needs to bring picam back.
    fn stop(self, clean: bool) -> bool {
        info!("stopping");
        if let Some(notify) = &self.notify {
            notify.stopping();
        }
        self.listener.stop();
        self.context.stopping.store(true, Ordering::SeqCst);
        self.context.hub.wake_all();
        self.context.guard.drain(DRAIN_TIME);
        self.context.guard.end();
        self.context.feed.stop();
        self.context.remote.stop();
        let (ended, all_ended) = mpsc::channel();
        std::thread::spawn(move || {
            self.encode.join().ok();
            self.capture.join();
            ended.send(()).ok();
        });
        let ended = all_ended.recv_timeout(STOP_TIME).is_ok();
        self.watching.stop(clean);
        if ended {
            info!("stopped");
        } else {
            warn!("stopped, though the camera or the encoder hangs");
        }
        ended
    }
}

fn start_watchdog(
    config: &Config,
    pulse: &Arc<Pulse>,
    notify: Option<Arc<Notify>>,
    lost: mpsc::Sender<Event>,
) -> Result<Watching, Error> {
    let path = &config.watchdog.device;
    let frame_time = Duration::from_secs_f64(config.watchdog.frame_seconds);
    let device = match path.as_os_str().is_empty() {
        true => None,
        false => Some(Device::new(path.clone(), frame_time).map_err(system("watchdog.device"))?),
    };
    let stuck = move |reason| {
        let _ = lost.send(Event::CameraLost(reason)); // if nobody listens any more, picam is ending
    };
    Watchdog::new(Arc::clone(pulse), notify, device)
        .start(CAMERA_LOST, stuck)
        .map_err(system("cannot start the watchdog"))
}

fn start_capture(
    config: &Config,
    feed: &Arc<Feed>,
    metrics: &Arc<Metrics>,
    pulse: Arc<Pulse>,
    lost: mpsc::Sender<Event>,
) -> Result<(Capture, Remote), Error> {
    let feed = Arc::clone(feed);
    Ok(Capture::start(Job {
        config: config.camera.clone(),
        requested: config.controls,
        cores: config.cpu.capture.clone(),
        metrics: Arc::clone(metrics),
        pulse,
        deliver: Box::new(move |frame| feed.put(frame)),
        give_up: Box::new(move |reason| {
            let _ = lost.send(Event::CameraLost(reason)); // as above
        }),
    })?)
}

/// The scheduler's threads have no names and no affinity of their own: they inherit those of the thread that
/// starts them.
fn start_http(context: &Arc<Context>, instance: &Instance) -> io::Result<Listener> {
    let (context, address) = (Arc::clone(context), instance.address);
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

/// Raises the limit on open descriptors to what `limits.connections_hard` needs: two each, a stream has a copy of
/// its own. Where the system does not allow that, the limit is lowered to what it allows: without a free descriptor
/// the accept would spin.
fn within_descriptors(mut limits: Limits) -> Limits {
    let needed = 2 * limits.connections_hard as u64 + OTHER_DESCRIPTORS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return limits;
    };
    let raised = soft.max(needed.min(hard));
    if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_err() || raised < needed {
        let others = OTHER_DESCRIPTORS.min(raised / 2);
        let possible = usize::try_from((raised - others) / 2).unwrap_or(usize::MAX);
        warn!(
            "limits.connections_hard = {} needs {needed} open files, the system allows {raised} (ulimit -n): \
             it is {possible} for now",
            limits.connections_hard
        );
        limits.connections_hard = possible.max(2);
        limits.connections = limits.connections.min(limits.connections_hard - 1);
        limits.streams = limits.streams.min(limits.connections);
    }
    limits
}

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |reason| Error::System { what, reason }
}
