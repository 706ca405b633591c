//! Restarting a Raspberry Pi into its other boot slot. The firmware is told by the argument of reboot(2), which
//! neither BusyBox's reboot nor a C library's can pass on.

use std::ffi::CStr;
use std::io;
use std::path::Path;

/// What the firmware driver of Raspberry Pi's kernel reads: partition 0 (as autoboot.txt says) and the tryboot
/// flag, which makes autoboot.txt's `[tryboot]` section count once.
const ARGUMENT: &CStr = c"0 tryboot";
/// Every appliance image has it. A developer's machine, where `--tryboot` would be an accident, does not.
const RELEASE: &str = "/etc/picam-release";

/// Why the machine goes on running.
#[derive(Debug, thiserror::Error)]
pub enum TrybootError {
    /// The machine has no boot slots.
    #[error("--tryboot is for the appliance image only, and here is no {RELEASE}")]
    NoAppliance,
    /// The kernel does not want to; to everyone but root it says so.
    #[error("cannot restart this machine: {0}")]
    Refused(io::Error),
}

/// Writes out what the kernel still holds and restarts the machine at once, without stopping anything. Returns only
/// if that is refused.
pub fn restart() -> TrybootError {
    if !Path::new(RELEASE).exists() {
        return TrybootError::NoAppliance;
    }
    // SAFETY: sync(2) takes nothing and cannot fail. reboot(2) reads its last argument as a C string, which
    // ARGUMENT is, and does not keep it.
    unsafe {
        libc::sync();
        libc::syscall(
            libc::SYS_reboot,
            libc::LINUX_REBOOT_MAGIC1,
            libc::LINUX_REBOOT_MAGIC2,
            libc::LINUX_REBOOT_CMD_RESTART2,
            ARGUMENT.as_ptr(),
        );
    }
    TrybootError::Refused(io::Error::last_os_error())
}
