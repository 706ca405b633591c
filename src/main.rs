//! The picam executable: arguments → configuration → run.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | stopped on request, or did what an option like `--check-config` says |
//! | 1 | something failed while running |
//! | 2 | the command line or the configuration is not acceptable |
//! | 3 | the address is taken by another instance |
//! | 4 | the camera could not be opened |
//! | 5 | the camera failed while running, and neither restarting nor reopening it helped |

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use log::LevelFilter;
use picam::app;
use picam::args::{self, Action};
use picam::camera;
use picam::config::Layers;
use picam::system::instance::InstanceError;
use picam::system::tryboot;
use picam::system::watchdog;

const FAILED: u8 = 1;
const REFUSED: u8 = 2;
const TAKEN: u8 = 3;
const NO_CAMERA: u8 = 4;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(error) => return fail(REFUSED, error),
    };
    match args.action {
        Action::Help => print(args::HELP),
        Action::Tryboot => fail(FAILED, tryboot::restart()),
        Action::Version => print(&format!(
            "picam {}\n{}",
            env!("CARGO_PKG_VERSION"),
            camera::versions()
        )),
        action => with_config(action, args.layers),
    }
}

fn with_config(action: Action, layers: Layers) -> ExitCode {
    let config = match layers.load() {
        Ok(config) => config,
        Err(error) => return fail(REFUSED, error),
    };
    match action {
        Action::CheckConfig => return print("ok\n"),
        Action::PrintConfig => return print(&config.to_toml()),
        _ => start_logging(config.log.level),
    }
    match app::run(&layers, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = exit_code(&error);
            let lost = matches!(error, app::Error::CameraLost(_));
            let exit = fail(code, error);
            if lost {
                watchdog::leave(code);
            }
            exit
        }
    }
}

fn exit_code(error: &app::Error) -> u8 {
    match error {
        app::Error::Core(_) => REFUSED,
        app::Error::Address(InstanceError::Taken(_)) => TAKEN,
        app::Error::Camera(_) => NO_CAMERA,
        app::Error::CameraLost(_) => app::CAMERA_LOST,
        app::Error::Address(InstanceError::Refused { .. }) | app::Error::System { .. } => FAILED,
    }
}

/// Logs on standard error. The logger itself lets everything pass, so that `log::set_max_level`
/// alone decides, now and after the configuration is read again.
fn start_logging(level: LevelFilter) {
    env_logger::Builder::new()
        .filter_level(LevelFilter::Trace)
        // They log each connection; picam counts what matters of them.
        .filter_module("may", LevelFilter::Off)
        .filter_module("may_minihttp", LevelFilter::Off)
        .init();
    log::set_max_level(level);
    // One line, and no backtrace: a coroutine's stack is small, and an appliance has no debugger.
    std::panic::set_hook(Box::new(|panic| {
        log::error!("{}", panic.to_string().replace('\n', " "));
        // A request's handler is caught. Without any other thread picam would be there and not work: the supervisor
        // starts it anew. (Threads of our own have names, the scheduler's have none.)
        if std::thread::current().name().is_some() {
            std::process::exit(FAILED.into());
        }
    }));
}

/// Prints on standard output. A reader that closes the pipe early has what it wants.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(
            FAILED,
            format_args!("cannot write to standard output: {error}"),
        ),
        _ => ExitCode::SUCCESS,
    }
}

/// Says why on standard error, line by line. If that is closed, the exit code has to do.
fn fail(code: u8, error: impl Display) -> ExitCode {
    for line in error.to_string().lines() {
        let _ = writeln!(io::stderr(), "picam: {line}");
    }
    ExitCode::from(code)
}
