//! An order to change what is saved: whoever gives it waits until the state thread has carried it out.

use crate::controls::Set;
use crate::sync::lock;
use std::sync::Mutex;

/// What is to become of what is saved.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one or two are there at a time")]
pub enum Change {
    /// What is requested is saved with these values, and then these are requested.
    Save(Set),
    /// Nothing is saved any more, and then what the configuration files say is requested.
    Reset,
}

/// Why an order was not carried out. What is saved and what is requested are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are what the messages show")]
pub enum NotKept {
    /// There is nowhere to save.
    #[error("state.directory is empty: expected a folder to save in; nothing changed")]
    NoFolder,
    /// The system refuses, because the card is full for instance.
    #[error("{path}: {reason}; nothing changed")]
    Refused { path: String, reason: String },
    /// Nothing is saved any more.
    #[error("picam is stopping; nothing changed")]
    Stopping,
}

/// One order. Shared by who waits for it and by the thread that carries it out.
pub struct Order {
    /// What is ordered.
    pub(super) change: Change,
    progress: Mutex<Progress>,
    /// Wakes whoever waits.
    wake: Box<dyn Fn() + Send + Sync>,
}

enum Progress {
    Waiting,
    GivenUp,
    Done(Result<(), NotKept>),
}

impl Order {
    /// An order. `wake` is called when it has been carried out, or cannot be.
    pub fn new(change: Change, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            change,
            progress: Mutex::new(Progress::Waiting),
            wake: Box::new(wake),
        }
    }

    /// How it went; `None` while it has not been carried out.
    pub fn outcome(&self) -> Option<Result<(), NotKept>> {
        match &*lock(&self.progress) {
            Progress::Done(outcome) => Some(outcome.clone()),
            Progress::Waiting | Progress::GivenUp => None,
        }
    }

    /// Nobody waits any more: it is not to be begun.
    pub fn give_up(&self) {
        let mut progress = lock(&self.progress);
        if let Progress::Waiting = *progress {
            *progress = Progress::GivenUp;
        }
    }

    pub(super) fn is_given_up(&self) -> bool {
        matches!(*lock(&self.progress), Progress::GivenUp)
    }

    pub(super) fn finish(&self, outcome: Result<(), NotKept>) {
        *lock(&self.progress) = Progress::Done(outcome);
        (self.wake)();
    }
}
