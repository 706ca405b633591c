//! Frame after frame with what the camera reported and how sharp a part is, for those who need no picture. The smallest
//! JPEGs carry it.

use super::client::Client;
use super::{Context, Rendition};
use crate::clock::Timestamp;
use crate::focus::rounded;
use crate::hub::{Jpeg, Subscription};
use crate::picture::Window;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Added to the stall time and two intervals: encoding, and a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// A client's view of frames.
pub(super) struct Watch<'a> {
    context: &'a Context,
    rendition: &'a Rendition,
    window: Window,
    /// The oldest frame that is new.
    from: Timestamp,
    _subscription: Subscription<'a>,
}

impl<'a> Watch<'a> {
    /// Watches `window` from now on.
    ///
    /// # Errors
    /// There is no free descriptor.
    pub(super) fn start(
        context: &'a Context,
        client: &mut Client,
        window: Window,
    ) -> io::Result<Self> {
        let rendition = context.smallest();
        Ok(Self {
            context,
            rendition,
            window,
            from: Timestamp::now().before(context.pulse.interval()),
            _subscription: rendition.hub.subscribe(client.waiter()?),
        })
    }

    /// The next frame and the window's sharpness in it; `None` if there was none in the time in which there must be one.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn next(&mut self, client: &mut Client) -> io::Result<Option<(Arc<Jpeg>, f64)>> {
        let (hub, window, from) = (&self.rendition.hub, self.window, self.from);
        let _wanted = self.rendition.feed.want(from, Some(window));
        let found = || {
            let jpeg = hub.newest().filter(|it| it.live && it.arrived >= from)?;
            let score = jpeg.score(window)?;
            Some((jpeg, score))
        };
        let patience = self.context.pulse.patience() + 2 * self.context.pulse.interval() + SLACK;
        let give_up = Instant::now() + patience;
        loop {
            if let Some((jpeg, score)) = found() {
                self.from = jpeg.arrived.after(Duration::from_nanos(1));
                return Ok(Some((jpeg, score)));
            }
            if self.context.is_stopping() || Instant::now() >= give_up {
                return Ok(None);
            }
            client.wait(Some(give_up), || {
                found().is_some() || self.context.is_stopping()
            })?;
        }
    }
}

/// What programs and pages are told of a frame.
pub(super) fn told(jpeg: &Jpeg, window: Window, score: f64) -> Value {
    let readings = &jpeg.readings;
    json!({
        "frame": jpeg.sequence,
        "timestamp": jpeg.timestamp.to_string(),
        "window": window,
        "sharpness": rounded(score),
        "lens": readings.lens_position.map(rounded),
        "exposure": readings.exposure_time,
        "gain": readings.analogue_gain.map(rounded),
        "af_state": readings.af_state,
    })
}
