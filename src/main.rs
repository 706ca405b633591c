//! The picam executable: arguments → configuration → run. How it ends: see [`Exit`].

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use log::LevelFilter;
use picam::app::{self, Reload};
use picam::args::{self, Action};
use picam::camera;
use picam::config::{Layers, Traced};
use picam::exit::{Exit, leave};
use picam::probe::{self, Health};
use picam::shelf;
use picam::system::{faults, tryboot};

fn main() -> ExitCode {
    // First of all: the signal's own action would end picam.
    let reload = Reload::on_hangup();
    faults::end_the_process();
    shelf::keep_pages_apart();
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(error) => return fail(Exit::Refused, error),
    };
    match args.action {
        Action::Help => print(&args::help()),
        Action::Probe(url) => report(&probe::ask(&url)),
        Action::Tryboot => fail(Exit::Failed, tryboot::restart()),
        Action::Version => print(&format!(
            "picam {}\n{}",
            env!("CARGO_PKG_VERSION"),
            camera::versions()
        )),
        action => with_config(action, args.layers, reload),
    }
}

fn with_config(action: Action, layers: Layers, reload: io::Result<Reload>) -> ExitCode {
    let traced = match layers.trace() {
        Ok(traced) => traced,
        Err(error) => return fail(Exit::Refused, error),
    };
    let config = match action {
        Action::CheckConfig | Action::PrintConfig => return inspect(&action, traced),
        _ => traced.config,
    };
    start_logging(config.log.level);
    match app::run(&layers, config, reload) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            let exit = error.exit();
            let code = fail(exit, &error);
            if let app::Error::Lost { .. } = error {
                leave(exit); // threads may be left that hang in a driver
            }
            code
        }
    }
}

/// Prints what a start would make of the configuration, or just that it can. What was saved and is damaged keeps no picam from
/// its start: it is told, and no failure.
fn inspect(action: &Action, traced: Traced) -> ExitCode {
    let (traced, left_out) = traced.with_saved();
    if let Some(left_out) = left_out {
        complain("what was saved is left out: ", left_out);
    }
    match action {
        Action::PrintConfig => print(&traced.to_toml()),
        _ => print("ok\n"),
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
        // A request's handler is caught. Without any other thread picam would run without serving: the supervisor
        // starts it anew. (Our own threads have names, the scheduler's have none.)
        if std::thread::current().name().is_some() {
            leave(Exit::Failed);
        }
    }));
}

/// Prints on standard output. A reader that closes the pipe early has what it wants.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(
            Exit::Failed,
            format_args!("cannot write to standard output: {error}"),
        ),
        _ => Exit::Done.into(),
    }
}

/// Prints how a picam is; only a live one is a success.
fn report(health: &Health) -> ExitCode {
    match (print(&format!("{health}\n")), health) {
        (printed, Health::Live(_)) => printed,
        _ => Exit::Failed.into(),
    }
}

/// Prints why on standard error. If that is closed, the exit code has to do.
fn fail(exit: Exit, error: impl Display) -> ExitCode {
    complain("", error);
    exit.into()
}

/// Prints on standard error, line by line, each with this beginning.
fn complain(beginning: &str, error: impl Display) {
    for line in error.to_string().lines() {
        let _ = writeln!(io::stderr(), "picam: {beginning}{line}");
    }
}
