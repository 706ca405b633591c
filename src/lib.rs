//! picam: one process owns one camera and serves it to the local network as MJPEG over HTTP.
//!
//! The way of a frame: [`camera`] → [`jpeg`] → [`hub`] → [`http`], one direction, no way back.

pub mod app;
pub mod args;
pub mod camera;
pub mod clock;
pub mod config;
pub mod controls;
pub mod http;
pub mod hub;
pub mod jpeg;
pub mod metrics;
pub mod picture;
pub mod system;
