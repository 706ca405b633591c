//! What a client asks of its stream in the query.

use crate::controls::shown;
use crate::http::multipart::CONTENT_TYPE;
use crate::http::parameters::{flag, measured_window, width};
use crate::http::rate_limit::LEAST_FPS;
use crate::http::request::Request;
use crate::hub::Jpeg;
use crate::picture::Window;
use std::fmt::Write;

/// The content type of `raw=1`: pages can read it in WebKit, too, which keeps multipart to itself.
const RAW: &str = "application/octet-stream";

/// A stream's parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// Frames a second at the most.
    pub(super) fps: Option<f64>,
    /// Columns, if not the camera's.
    pub(super) width: Option<u32>,
    /// Whether the response is to be read by the script of a page.
    raw: bool,
    /// Whether each part tells what the camera reported with its frame.
    readings: bool,
    /// The part of the picture whose sharpness each part tells.
    pub(super) window: Option<Window>,
}

impl Asked {
    /// Reads the query.
    ///
    /// # Errors
    /// One line about the first value that cannot be.
    pub(super) fn parse(request: &Request) -> Result<Self, String> {
        let given = request.parameter("fps");
        let fps = given.map(|fps| fps.parse().unwrap_or(f64::NAN));
        if fps.is_some_and(|fps| fps.is_nan() || fps < LEAST_FPS || fps.is_infinite()) {
            let given = shown(given.unwrap_or_default());
            let expected = format!("expected a number of at least {LEAST_FPS}");
            return Err(format!("fps = {given}: {expected}"));
        }
        Ok(Self {
            fps,
            width: width(request)?,
            raw: flag(request, "raw")?,
            readings: flag(request, "readings")?,
            window: measured_window(request)?,
        })
    }

    pub(super) fn content_type(&self) -> &'static str {
        if self.raw { RAW } else { CONTENT_TYPE }
    }

    /// Whether the parts' headers must come with their pictures.
    pub(super) fn needs_headers(&self) -> bool {
        self.raw || self.readings || self.window.is_some()
    }

    /// The header lines that a part has besides the usual ones.
    pub(super) fn header_lines(&self, jpeg: &Jpeg) -> String {
        let mut lines = String::new();
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(lines, "{name}: {value}\r\n"); // writing to a String cannot fail
            }
        };
        if self.readings {
            let readings = &jpeg.readings;
            line(
                "X-Exposure",
                readings.exposure_time.map(|it| it.to_string()),
            );
            line(
                "X-Gain",
                readings.analogue_gain.map(|it| format!("{it:.2}")),
            );
            line(
                "X-Lens",
                readings.lens_position.map(|it| format!("{it:.3}")),
            );
            line("X-AfState", readings.af_state.map(str::to_owned));
        }
        let score = self.window.and_then(|window| jpeg.score(window));
        line("X-Sharpness", score.map(|score| format!("{score:.2}")));
        lines
    }
}
