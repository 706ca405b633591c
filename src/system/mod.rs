//! picam's relations to the operating system.

pub mod affinity;
pub mod instance;
pub mod notify;
pub mod tryboot;
pub mod watchdog;
