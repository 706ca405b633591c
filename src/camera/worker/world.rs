//! The machine as the worker sees it.

use super::super::source::open;
use crate::camera::remote::Command;
use crate::camera::{Camera, CameraError};
use crate::clock::Timestamp;
use crate::config::CameraConfig;
use crate::controls;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// What the worker needs of the machine; the tests script it.
pub(in crate::camera) trait World {
    fn now(&self) -> Timestamp;

    fn open(
        &mut self,
        config: &CameraConfig,
        requested: &controls::Set,
        last: u64,
    ) -> Result<Box<dyn Camera>, CameraError>;

    /// Waits for a command, at most `span`.
    fn wait(
        &mut self,
        commands: &Receiver<Command>,
        span: Duration,
    ) -> Result<Command, RecvTimeoutError>;
}

/// This machine and its clock.
pub(in crate::camera) struct ThisMachine;

impl World for ThisMachine {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn open(
        &mut self,
        config: &CameraConfig,
        requested: &controls::Set,
        last: u64,
    ) -> Result<Box<dyn Camera>, CameraError> {
        open(config, requested, last)
    }

    fn wait(
        &mut self,
        commands: &Receiver<Command>,
        span: Duration,
    ) -> Result<Command, RecvTimeoutError> {
        commands.recv_timeout(span)
    }
}
