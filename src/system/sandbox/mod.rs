//! What picam gives up for ever, so that whoever takes it over gets little: privileges and core dumps, files and network
//! (Landlock), system calls (seccomp). The kernel holds the whole process to it.

mod attempt;
mod calls;
mod files;

pub use attempt::attempt;

use crate::config::{Config, Layers, SandboxMode, Source};
use landlock::RulesetStatus;
use log::{info, warn};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::resource::{Resource, setrlimit};
use serde::Serialize;
use std::sync::OnceLock;

/// How far a part of the sandbox is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Force {
    /// All of it.
    Enforced,
    /// What this kernel knows of it.
    Partly,
    /// The kernel logs what would be refused.
    Logged,
    /// Nothing: it is not wanted, or this kernel cannot do it, or picam does not serve yet.
    Open,
}

/// Gives up for ever all files, TCP, other processes, and memory beyond so many bytes: for a process that only reads what
/// strangers send. Call it before any thread is started, for threads inherit it.
pub fn seal(memory: u64) {
    // Both are refused to nobody.
    let _ = set_no_new_privs();
    let _ = setrlimit(Resource::RLIMIT_AS, memory, memory);
    match files::close_all() {
        Ok(RulesetStatus::FullyEnforced) => {}
        Ok(_) => {
            warn!("sandbox: not complete: this kernel, older than 6.12, has not all of Landlock")
        }
        Err(error) => warn!("sandbox: files are open: {error}"),
    }
}

/// The sandbox that this process is in.
#[derive(Debug)]
pub struct Sandbox {
    /// What the configuration wants.
    mode: SandboxMode,
    /// Whether libcamera is part of this picam.
    libcamera: bool,
    /// Files and network, and what is missing.
    files: (Force, Option<String>),
    /// System calls, once they are restricted.
    calls: OnceLock<Force>,
}

/// The sandbox as it is, for people and programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    mode: SandboxMode,
    files: Force,
    calls: Force,
}

impl Sandbox {
    /// Gives up privileges, core dumps, and all files and connections that a picam with this configuration has no use for.
    /// Call it before any thread is started, for threads inherit it; and after everything is set in the environment.
    pub fn enter(config: &Config, layers: &Layers) -> Self {
        let mode = config.security.sandbox;
        if mode != SandboxMode::Off {
            // Both are refused to nobody. A core would have the pictures in it.
            let _ = set_no_new_privs();
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        }
        let files = match mode {
            SandboxMode::On => files::restrict(config, layers),
            SandboxMode::Log | SandboxMode::Off => (Force::Open, None), // Landlock cannot just log
        };
        Self {
            mode,
            libcamera: config.camera.source == Source::Libcamera,
            files,
            calls: OnceLock::new(),
        }
    }

    /// Gives up all system calls but those of a picam that serves, for all threads. Call it once everything is done that
    /// only a start needs.
    pub fn close(&self) {
        let (calls, no_calls) = match self.mode {
            SandboxMode::Off => (Force::Open, None),
            mode => calls::restrict(mode, self.libcamera),
        };
        let _ = self.calls.set(calls);
        let missing = [self.files.1.clone(), no_calls];
        let missing: Vec<String> = missing.into_iter().flatten().collect();
        match (missing.is_empty(), self.mode) {
            (false, _) => warn!("sandbox: not complete: {}", missing.join("; ")),
            (_, SandboxMode::On) => info!("sandbox: on"),
            (_, SandboxMode::Log) => {
                info!("sandbox: nothing is refused; the kernel's log has what would be")
            }
            (_, SandboxMode::Off) => info!("sandbox: off"),
        }
    }

    /// The sandbox as it is.
    pub fn report(&self) -> Report {
        Report {
            mode: self.mode,
            files: self.files.0,
            calls: self.calls.get().copied().unwrap_or(Force::Open),
        }
    }
}
