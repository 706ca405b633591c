//! picam: one process owns one camera and serves it to the local network as MJPEG over HTTP.
//!
//! The way of a frame: [`camera`] → [`feed`] → [`jpeg`] → [`hub`] → [`http`], one direction, no way back. Beside it
//! [`pulse`] knows whether pictures flow, and [`controls`] what a camera can be asked for.

pub mod app;
pub mod args;
pub mod camera;
pub mod clock;
pub mod config;
pub mod controls;
pub mod exit;
pub mod feed;
pub mod focus;
pub mod http;
pub mod hub;
pub mod jpeg;
mod log_limit;
pub mod metrics;
pub mod picture;
pub mod probe;
pub mod pulse;
pub mod shelf;
mod sync;
pub mod system;
