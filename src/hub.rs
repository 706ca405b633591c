//! The newest JPEG, shared by all clients: a slot, not a queue. A slow client skips frames; it never delays
//! one and never makes memory grow.

use crate::clock::Timestamp;
use may::io::WaitIoWaker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// One encoded picture, immutable.
pub struct Jpeg {
    /// Counts the pictures that were published, from 1.
    pub number: u64,
    /// The frame's sequence number; a "no signal" picture has that of the last frame.
    pub sequence: u64,
    /// When the frame was captured.
    pub captured: Timestamp,
    /// When the camera handed it over; a sensor's exposure and read-out come before.
    pub arrived: Timestamp,
    /// The same as Unix seconds with six decimals.
    pub timestamp: String,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// False for a "no signal" picture.
    pub live: bool,
    /// The boundary and the header of the multipart part, up to and with the empty line.
    pub part_head: String,
    /// The JPEG file.
    pub data: Arc<[u8]>,
}

/// Wakes one client's coroutine out of its `wait_io`.
pub struct Waiter {
    waker: WaitIoWaker,
    /// The coroutine is in `wait_io`, or just about to be: only then is it worth a wake-up.
    idle: AtomicBool,
}

impl Waiter {
    /// For the coroutine that waits on the socket which `waker` comes from.
    pub fn new(waker: WaitIoWaker) -> Arc<Self> {
        Arc::new(Self {
            waker,
            idle: AtomicBool::new(false),
        })
    }

    /// Says whether the coroutine is about to wait. After `set_idle(true)`, look once more at what is waited for:
    /// what happened before is not told any more.
    pub fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::SeqCst);
    }

    /// Wakes the coroutine if it waits.
    pub fn wake(&self) {
        if self.idle.load(Ordering::SeqCst) {
            self.waker.wakeup();
        }
    }
}

/// Holds the newest JPEG and knows who waits for the next.
#[derive(Default)]
pub struct Hub {
    newest: RwLock<Option<Arc<Jpeg>>>,
    waiters: Mutex<Vec<Arc<Waiter>>>,
}

impl Hub {
    /// A hub without a picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the newest JPEG and wakes everybody who waits.
    pub fn publish(&self, jpeg: Jpeg) {
        let newest = Some(Arc::new(jpeg));
        let replaced = std::mem::replace(
            &mut *self.newest.write().unwrap_or_else(PoisonError::into_inner),
            newest,
        );
        drop(replaced); // outside the lock: it may be the last one to hold a megabyte
        self.wake_all();
    }

    /// The newest JPEG, or `None` before the first.
    pub fn newest(&self) -> Option<Arc<Jpeg>> {
        self.newest
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Wakes everybody who waits, for instance because picam stops.
    pub fn wake_all(&self) {
        for waiter in self.lock().iter() {
            waiter.wake();
        }
    }

    /// Lets `waiter` be woken by each JPEG from now on, until the returned subscription is dropped.
    pub fn subscribe(&self, waiter: Arc<Waiter>) -> Subscription<'_> {
        self.lock().push(Arc::clone(&waiter));
        Subscription { hub: self, waiter }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Waiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place among those that are woken.
pub struct Subscription<'a> {
    hub: &'a Hub,
    waiter: Arc<Waiter>,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut waiters = self.hub.lock();
        if let Some(index) = waiters
            .iter()
            .position(|waiter| Arc::ptr_eq(waiter, &self.waiter))
        {
            waiters.swap_remove(index);
        }
    }
}
