//! What was set in a running picam, and how it is kept: what was saved on purpose for good, all else until the machine is
//! started again. One thread writes it: a card may take its time, and only who orders a change waits for that.

use super::order::{Change, NotKept, Order};
use super::problem::ConfigError;
use super::stored::Folder;
use crate::controls::Set;
use crate::sync::lock;
use log::{error, info, warn};
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two writes of a file at the least: whoever turns a knob must not wear out the card.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// After a write that failed: the card may be full, or not be mounted yet.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// What is requested of the camera, as the thread sees and changes it.
pub trait Requested: Send + 'static {
    /// What is requested now.
    fn now(&self) -> Set;

    /// Requests these values, too.
    fn add(&self, news: &Set);

    /// Requests this instead.
    fn replace(&self, set: Set);
}

/// What is saved, and what is below and above it.
pub struct Saved {
    shared: Arc<Shared>,
    writer: Mutex<Option<Writer>>,
}

struct Shared {
    /// `None`: nothing is kept.
    folder: Option<Folder>,
    kept: Mutex<Kept>,
}

struct Kept {
    /// The controls that the configuration files set.
    configured: Set,
    saved: Option<Set>,
    /// What was found damaged at the start, until something is saved.
    problem: Option<String>,
}

/// The thread that writes, until [`Saved::finish`].
struct Writer {
    messages: Sender<Message>,
    thread: JoinHandle<()>,
}

enum Message {
    /// Something else is requested than before, or saved, or configured.
    Changed,
    Order(Arc<Order>),
}

impl Saved {
    /// Reads what was saved in `folder`, an empty path for none. A damaged file is put aside, which is logged. `configured` is
    /// what the configuration files say.
    pub fn open(folder: &Path, configured: Set) -> Self {
        let folder = match folder.as_os_str().is_empty() {
            true => None,
            false => Some(Folder::new(folder)),
        };
        let mut kept = Kept {
            configured,
            saved: None,
            problem: None,
        };
        if let Some(folder) = &folder {
            kept.read(folder);
        }
        let kept = Mutex::new(kept);
        Self {
            shared: Arc::new(Shared { folder, kept }),
            writer: Mutex::new(None),
        }
    }

    /// What is to be requested at the start: what was requested when picam ended, if neither the machine was started again
    /// since then nor anything else saved or configured; else what is.
    pub fn at_start(&self) -> Set {
        let base = self.base();
        let folder = self.shared.folder.as_ref();
        let unsaved = folder.and_then(|folder| folder.unsaved(&base));
        if let Some(unsaved) = &unsaved {
            info!("not saved, and requested again: {unsaved}");
        }
        unsaved.unwrap_or(base)
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub fn start(&self, camera: impl Requested) -> io::Result<()> {
        let (messages, received) = mpsc::channel();
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name("state".into())
            .spawn(move || shared.run(&received, &camera))?;
        *lock(&self.writer) = Some(Writer { messages, thread });
        self.changed(); // what was left of another start of the machine goes
        Ok(())
    }

    /// What a machine that starts now requests: what was saved over what is configured.
    pub fn base(&self) -> Set {
        lock(&self.shared.kept).base()
    }

    /// What is requested where something is saved; `None` if nothing is.
    pub fn saved(&self) -> Option<Set> {
        let kept = lock(&self.shared.kept);
        kept.saved.is_some().then(|| kept.base())
    }

    /// What is wrong with what was saved, in one line.
    pub fn problem(&self) -> Option<String> {
        lock(&self.shared.kept).problem.clone()
    }

    /// The configuration files say this now. What was saved stays over it.
    pub fn configure(&self, configured: Set) {
        lock(&self.shared.kept).configured = configured;
    }

    /// Something else is requested now than before: it is kept, soon.
    pub fn changed(&self) {
        let _ = self.tell(Message::Changed); // nothing is kept any more when picam stops
    }

    /// Carries out an order, in its turn.
    pub fn order(&self, order: &Arc<Order>) {
        if self.tell(Message::Order(Arc::clone(order))).is_none() {
            order.finish(Err(NotKept::Stopping));
        }
    }

    fn tell(&self, message: Message) -> Option<()> {
        lock(&self.writer).as_ref()?.messages.send(message).ok()
    }

    /// Waits until everything is kept; nothing more is.
    pub fn finish(&self) {
        let writer = lock(&self.writer).take();
        if let Some(Writer { messages, thread }) = writer {
            drop(messages);
            if thread.join().is_err() {
                error!("the state thread panicked");
            }
        }
    }
}

impl Kept {
    fn base(&self) -> Set {
        let mut base = self.configured;
        if let Some(saved) = &self.saved {
            base.overlay(saved);
        }
        base
    }

    fn read(&mut self, folder: &Folder) {
        match folder.saved() {
            Ok(None) => {}
            Ok(Some(layer)) => {
                for problem in &layer.unknown {
                    warn!("what was saved is in force but for this: {problem}");
                }
                info!("saved: {}", layer.controls.set);
                self.problem = layer.unknown.first().map(|it| format!("{it}; left out"));
                self.saved = Some(layer.controls.set);
            }
            Err(error) => self.put_aside(folder, &error),
        }
    }

    fn put_aside(&mut self, folder: &Folder, error: &ConfigError) {
        for line in error.to_string().lines() {
            error!("what was saved is damaged, and left out: {line}");
        }
        let what = match folder.put_aside() {
            Ok(aside) => format!("put aside as {}", aside.display()),
            Err(reason) => format!("cannot be put aside: {reason}"),
        };
        error!("{}: {what}", folder.saved_file().display());
        self.problem = error.0.first().map(|first| format!("{first}; {what}"));
    }
}

/// When the next write is due after one at `written`.
fn due(written: Option<Instant>) -> Instant {
    written.map_or_else(Instant::now, |written| written + WRITE_INTERVAL)
}

impl Shared {
    fn run(&self, messages: &Receiver<Message>, camera: &impl Requested) {
        let (mut ordered, mut written) = (None::<Instant>, None::<Instant>);
        let mut failed = false;
        loop {
            let mut first = match failed {
                true => messages.recv_timeout(RETRY_INTERVAL),
                false => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let is_ending = matches!(first, Err(RecvTimeoutError::Disconnected));
            if is_ending && !failed {
                return;
            }
            // What comes until the next write is due is written with it; nothing comes any more when picam stops. Somebody
            // waits for an order: it is written at once, unless another one just was.
            let mut orders = Vec::new();
            let mut until = due(written);
            while let Ok(message) = first {
                if let Message::Order(order) = message {
                    orders.push(order);
                    until = until.min(due(ordered));
                }
                first = messages.recv_timeout(until.saturating_duration_since(Instant::now()));
            }
            orders.retain(|order| !order.is_given_up());
            if !orders.is_empty() {
                self.carry_out(&orders, camera);
                ordered = Some(Instant::now());
            }
            let kept = self.keep_unsaved(camera, failed);
            if is_ending {
                return; // that was the last attempt
            }
            failed = !kept;
            written = Some(Instant::now());
        }
    }

    /// Carries out all of them by one write, or none.
    fn carry_out(&self, orders: &[Arc<Order>], camera: &impl Requested) {
        let Some(folder) = &self.folder else {
            return self.carry_out_in_memory(orders, camera);
        };
        let (mut requested, mut saved) = (camera.now(), lock(&self.kept).saved);
        for order in orders {
            match &order.change {
                Change::Save(news) => {
                    requested.merge(news);
                    saved = Some(requested);
                }
                Change::Reset => {
                    requested = lock(&self.kept).configured;
                    saved = None;
                }
            }
        }
        let outcome = folder
            .save(saved.as_ref())
            .map_err(|reason| NotKept::Refused {
                path: folder.saved_file().display().to_string(),
                reason: reason.to_string(),
            });
        match &outcome {
            Ok(()) => {
                let configured = {
                    let mut kept = lock(&self.kept);
                    (kept.saved, kept.problem) = (saved, None);
                    kept.configured
                };
                for order in orders {
                    order.change.request(configured, camera);
                }
                match saved {
                    Some(saved) => info!("saved: {saved}"),
                    None => info!("nothing is saved any more"),
                }
            }
            Err(refusal) => error!("not saved: {refusal}"),
        }
        orders
            .iter()
            .for_each(|order| order.finish(outcome.clone()));
    }

    /// Without a folder there is nothing to forget.
    fn carry_out_in_memory(&self, orders: &[Arc<Order>], camera: &impl Requested) {
        for order in orders {
            order.finish(match &order.change {
                Change::Save(_) => Err(NotKept::NoFolder),
                Change::Reset => {
                    order.change.request(lock(&self.kept).configured, camera);
                    Ok(())
                }
            });
        }
    }

    /// Keeps what is requested beside what is saved; whether that worked. The first of several failures is logged.
    fn keep_unsaved(&self, camera: &impl Requested, has_failed: bool) -> bool {
        let Some(folder) = &self.folder else {
            return true;
        };
        let (requested, base) = (camera.now(), lock(&self.kept).base());
        let outcome = folder.keep_unsaved(&requested, &base);
        if let Err(reason) = &outcome
            && !has_failed
        {
            error!("{}: not kept: {reason}", folder.unsaved_file().display());
        }
        outcome.is_ok()
    }
}

impl Change {
    /// Requests what it is about.
    fn request(&self, configured: Set, camera: &impl Requested) {
        match self {
            Change::Save(news) if news.is_empty() => {}
            Change::Save(news) => camera.add(news),
            Change::Reset => camera.replace(configured),
        }
    }
}

#[cfg(test)]
mod tests;
