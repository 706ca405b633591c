//! picam's relations to the operating system.

pub mod affinity;
pub mod instance;
pub mod tryboot;
