//! The text between the pictures of a stream: multipart/x-mixed-replace, boundary `frame`.
//!
//! The next part's boundary follows right behind each picture, so that parsers which look for it have the picture at
//! once. A browser shows a picture only when the next part's header is complete: to browsers that follows, too.

use crate::hub::Jpeg;
use std::fmt::Write;

/// The content type of a stream.
pub(super) const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=frame";
/// A header line that says nothing. Its acknowledgement says how much the client has read.
pub(super) const PROBE: &str = "X-Probe: 1\r\n";

/// Of a part whose picture says that there is none from the camera.
const NO_SIGNAL: &str = "X-Signal: lost\r\n";

/// How a stream's parts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Multipart {
    /// The part's header comes with its picture: with length, time and number.
    Programs,
    /// The part's header comes before there is a picture.
    Browsers,
}

impl Multipart {
    /// What comes before the first picture.
    pub(super) fn start(self) -> &'static str {
        match self {
            Multipart::Programs => "--frame\r\n",
            Multipart::Browsers => "--frame\r\nContent-Type: image/jpeg\r\n\r\n",
        }
    }

    /// Writes into `head` what comes right before a picture; `more` are header lines.
    pub(super) fn head(self, jpeg: &Jpeg, more: &str, head: &mut String) {
        head.clear();
        if self == Multipart::Programs {
            let _ = write!(
                head,
                "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\nX-Frame: {}\r\n{}{more}\r\n",
                jpeg.data.len(),
                jpeg.timestamp,
                jpeg.sequence,
                if jpeg.live { "" } else { NO_SIGNAL },
            ); // a String takes all
        }
    }

    /// What comes right behind a picture: the start of the next part.
    pub(super) fn end(self) -> &'static str {
        match self {
            Multipart::Programs => "\r\n--frame\r\n",
            Multipart::Browsers => "\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n",
        }
    }

    /// The stream's end: the part that was started stays empty.
    pub(super) fn last(self) -> &'static str {
        match self {
            Multipart::Programs => "\r\n\r\n--frame--\r\n",
            Multipart::Browsers => "\r\n--frame--\r\n",
        }
    }

    /// Whether there is a place for [`PROBE`] between two pictures.
    pub(super) fn can_probe(self) -> bool {
        self == Multipart::Programs
    }
}
