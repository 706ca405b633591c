//! Stills beside the stream: one request that has a buffer of either, and is queued only when somebody wants a still.

use super::Event;
use super::buffers::{self, filled};
use super::configuration::Agreed;
use super::lent::{Lent, Slot};
use crate::camera::{CameraError, Frame, Readings};
use crate::clock::Timestamp;
use libcamera::request::Request;
use libcamera::stream::Stream;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Stills, and the request that they come with.
pub(super) struct Beside {
    stream: Stream,
    slot: Arc<Slot>,
    /// The request's cookie.
    cookie: u64,
    /// The request, while nobody wants a still.
    parked: Option<Request>,
    ordered: bool,
    /// How many of the request's two pictures are looked at.
    lent: usize,
    still: Option<Frame>,
}

impl Beside {
    /// Takes a `request` of the stream for stills, which were `agreed` on.
    ///
    /// # Errors
    /// There is no memory for a still.
    pub(super) fn new(
        mut request: Request,
        agreed: &Agreed,
        pieces: bool,
    ) -> Result<Self, CameraError> {
        let slot = buffers::add(&mut request, agreed, pieces)?;
        Ok(Self {
            stream: agreed.stream,
            slot: Arc::new(slot),
            cookie: request.cookie(),
            parked: Some(request),
            ordered: false,
            lent: 0,
            still: None,
        })
    }

    /// Whether this is the request that stills come with.
    pub(super) fn owns(&self, cookie: u64) -> bool {
        self.cookie == cookie
    }

    /// Whether nobody has the request.
    pub(super) fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// Keeps the request until somebody wants a still.
    pub(super) fn park(&mut self, request: Request) {
        self.parked = Some(request);
    }

    /// The capture starts anew: who waited for a still does so no longer.
    pub(super) fn restart(&mut self) {
        self.ordered = false;
        self.still = None;
    }

    /// Wants a still.
    pub(super) fn order(&mut self) {
        self.ordered = true;
    }

    /// The request, if it is to be queued.
    pub(super) fn due(&mut self) -> Option<Request> {
        if !self.ordered {
            return None;
        }
        let request = self.parked.take()?;
        self.ordered = false;
        Some(request)
    }

    /// Takes the still out of the completed request; whether there is one. When it is looked at no longer, `index` comes back
    /// over the channel.
    pub(super) fn take(
        &mut self,
        request: &Request,
        readings: Readings,
        events: &Sender<Event>,
        index: usize,
    ) -> bool {
        let good = filled(request, &self.stream).filter(|(_, good)| *good);
        let Some((time, _)) = good else {
            self.ordered = true; // the next one
            return false;
        };
        let time = readings.sensor_timestamp.map_or(time, |time| time as u64);
        let layout = self.slot.layout;
        self.lend();
        let captured = Timestamp::from_sensor(time);
        self.still = Some(Frame {
            sequence: 0,
            captured,
            unix: captured.unix(),
            width: layout.width,
            height: layout.height,
            planes: Arc::new(Lent::new(Arc::clone(&self.slot), events.clone(), index)),
            readings,
        });
        true
    }

    /// The still that has come, once.
    pub(super) fn still(&mut self) -> Option<Frame> {
        self.still.take()
    }

    /// One more of the request's pictures is looked at.
    pub(super) fn lend(&mut self) {
        self.lent += 1;
    }

    /// One of them is looked at no longer; whether none is.
    pub(super) fn returned(&mut self) -> bool {
        self.lent = self.lent.saturating_sub(1);
        self.lent == 0
    }
}
