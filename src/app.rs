//! Runs picam: starts the parts, waits for signals, stops the parts.

mod parts;
mod reload;

use crate::camera::{self, CaptureError};
use crate::config::{Config, Layers};
use crate::exit::{Exit, leave};
use crate::system::affinity::{self, NoSuchCore};
use crate::system::instance::InstanceError;
use crate::system::sandbox::Sandbox;
use parts::{Parts, start};
use reload::reload_config;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

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
    let sandbox = Sandbox::enter(&config, layers);
    // Until it serves, nothing needs to be ended well, and a source may hang while it is opened.
    let starting = Arc::new(AtomicBool::new(true));
    for signal in [SIGTERM, SIGINT] {
        let outcome =
            signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::clone(&starting));
        outcome.map_err(system("cannot listen to signals"))?;
    }
    let (sender, happenings) = mpsc::channel();
    forward_signals(sender.clone()).map_err(system("cannot listen to signals"))?;
    let mut parts = Parts::none();
    let context = match start(config, sandbox, &sender, &starting, &mut parts) {
        Ok(context) => context,
        Err(error) => {
            if !parts.stop(true) {
                log::error!("{error}");
                leave(error.exit()); // exit handlers would run beside what hangs
            }
            return Err(error);
        }
    };
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

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |reason| Error::System { what, reason }
}
