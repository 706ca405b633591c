//! Signals that a fault raises end the process at once. A handler in the process would run on top of whatever is broken:
//! that of may's coroutines allocates, and hangs in a fault within malloc. Then picam would live on without the thread
//! that failed, and no supervisor would start it again.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// A fault's signals: wild addresses, broken instructions and arithmetic, and `abort`.
const FAULTS: [Signal; 5] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
];

/// Takes away whatever handles a fault. The process then ends with the signal's number, from any thread, an overflow of
/// a stack included, and its supervisor logs which. To be called once more when something has installed a handler.
pub fn end_the_process() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in FAULTS {
        // SAFETY: the default action runs no code of ours. It cannot fail for these signals.
        let _ = unsafe { sigaction(signal, &default) };
    }
}

/// A fault as native code makes one, for tests.
pub fn segfault() {
    // SAFETY: none. Nothing is mapped at this address, and the process ends.
    unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() };
}
