//! picam and the operating system: cores, the address, supervisors, watchdogs, updates and starts, Wi-Fi and the name on the
//! network, the sandbox.

pub mod affinity;
pub mod announced;
pub mod descriptors;
pub mod faults;
pub mod instance;
pub mod network;
pub mod notify;
pub mod sandbox;
pub mod starts;
pub mod tryboot;
pub mod update;
pub mod watchdog;
