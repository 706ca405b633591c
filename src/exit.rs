//! How picam ends: the one list of exit codes and what each means to a supervisor.

use std::process::ExitCode;

/// The exit codes, with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Stopped on request, or an option like `--check-config` did what it is for.
    Done = 0,
    /// Something failed while running.
    Failed = 1,
    /// The command line or the configuration was refused.
    Refused = 2,
    /// Another instance has the address.
    AddressTaken = 3,
    /// The camera could not be opened.
    NoCamera = 4,
    /// The camera failed while running, and neither restarting nor reopening it helped.
    CameraLost = 5,
    /// The encoder failed on every frame, or hung.
    EncoderLost = 6,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Exit; 7] = [
        Exit::Done,
        Exit::Failed,
        Exit::Refused,
        Exit::AddressTaken,
        Exit::NoCamera,
        Exit::CameraLost,
        Exit::EncoderLost,
    ];

    /// What `picam --help` prints beside the number.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "stopped on request, or did what an option above says",
            Exit::Failed => "something failed while running",
            Exit::Refused => "the command line or the configuration was refused",
            Exit::AddressTaken => "the address is taken by another program",
            Exit::NoCamera => "the camera could not be opened",
            Exit::CameraLost => {
                "the camera failed while running, and neither restarting nor reopening it helped"
            }
            Exit::EncoderLost => "the encoder failed on every frame, or hung",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Ends the process at once: no destructors, no exit handlers. They could wait for what hangs, and libcamera's must
/// not run while another thread captures.
pub fn leave(exit: Exit) -> ! {
    // SAFETY: _exit takes any number, touches no memory of ours, and does not return.
    unsafe { libc::_exit(i32::from(exit as u8)) }
}
