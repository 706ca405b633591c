//! Orders that a thread carries out one after the other, for clients that wait for what comes of them.

use crate::hub::Waiter;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};

/// One order, in the hands of the thread.
pub(super) struct Order<T, R> {
    /// What is ordered.
    pub(super) what: T,
    outcome: Arc<OnceLock<R>>,
    waiter: Arc<Waiter>,
}

impl<T, R> Order<T, R> {
    /// Tells whoever ordered what came of it.
    pub(super) fn finish(self, outcome: R) {
        let _ = self.outcome.set(outcome); // nobody else sets it
        self.waiter.wake();
    }
}

/// One order, in the hands of the client.
pub struct Ordered<R>(Arc<OnceLock<R>>);

impl<R: Clone> Ordered<R> {
    /// What came of it; nothing yet.
    pub fn outcome(&self) -> Option<R> {
        self.0.get().cloned()
    }
}

/// Gives an order; `waiter` is woken when it has been carried out. `None`: too many wait.
pub(super) fn order<T, R>(
    queue: &SyncSender<Order<T, R>>,
    what: T,
    waiter: Arc<Waiter>,
) -> Option<Ordered<R>> {
    let outcome = Arc::new(OnceLock::new());
    let order = Order {
        what,
        outcome: Arc::clone(&outcome),
        waiter,
    };
    queue.try_send(order).ok().map(|()| Ordered(outcome))
}
