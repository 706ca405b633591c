//! Bounds what a connection may cost. may_minihttp has no limits and no timeouts of its own; one thread checks all
//! connections and cuts those that exceed a limit of the configuration's `[limits]`. It also keeps the alarms of
//! coroutines that wait for a moment rather than for their socket.

use super::cut::Cut;
use super::places::{self, Full};
use super::tcp;
use crate::config::LimitsConfig;
use crate::hub::Waiter;
use crate::metrics::Metrics;
use crate::sync::lock;
use log::debug;
use may::coroutine::{self, Coroutine};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two checks of all connections, while there are any.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// How long a client may take to close its side after it was answered; what it still sends is thrown away.
const LINGER: Duration = Duration::from_secs(2);
/// The time that a started frame's write gets when picam stops.
const LAST_WRITE: Duration = Duration::from_millis(300);

/// What a connection is doing, and so which limit it is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not sent a complete request: `request_seconds` and `header_bytes`.
    Request,
    /// Its request is being answered, or it is a stream that waits for a frame: no limit.
    Answer,
    /// A response's or frame's bytes are being written: `write_seconds`, and `jpegs` by the picture's number.
    Write(Option<u64>),
    /// It was answered and has to close.
    Linger,
}

struct Watched {
    /// Where it comes from; `None` if it was gone before that could be asked.
    peer: Option<IpAddr>,
    /// It has a place among those that are served; others are refused and about to close.
    served: bool,
    stage: Stage,
    since: Instant,
    /// The guard has cut it, and has answered why.
    cut: bool,
}

struct Alarm {
    at: Instant,
    waiter: Weak<Waiter>,
}

#[derive(Default)]
struct Watch {
    connections: HashMap<RawFd, Watched>,
    alarms: BinaryHeap<Reverse<Alarm>>,
    /// When the thread checks next; `None` while it waits for a notice.
    wakes: Option<Instant>,
    /// The accept coroutine, while it is parked because there are `connections_hard` connections.
    parked: Option<Coroutine>,
    stopping: Option<Instant>,
    ended: bool,
}

/// All open connections and their limits.
pub struct Guard {
    state: Mutex<Watch>,
    changed: Condvar,
    /// Notified when the last connection is gone.
    empty: Condvar,
    limits: Mutex<LimitsConfig>,
    metrics: Arc<Metrics>,
}

impl Guard {
    /// A guard over no connection.
    pub fn new(limits: LimitsConfig, metrics: Arc<Metrics>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            empty: Condvar::new(),
            limits: Mutex::new(limits),
            metrics,
        }
    }

    /// Starts the thread that checks the connections, until [`Guard::end`].
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let guard = Arc::clone(self);
        std::thread::Builder::new()
            .name("guard".into())
            .spawn(move || guard.run())
    }

    /// The limits in force.
    pub fn limits(&self) -> LimitsConfig {
        lock(&self.limits).clone()
    }

    /// Puts other limits in force, for open connections too.
    pub fn set_limits(&self, limits: LimitsConfig) {
        *lock(&self.limits) = limits;
        self.unpark_accept();
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections.len()
    }

    /// Lets the calling coroutine, the one that accepts, wait while there are `connections_hard` connections.
    /// Without that, may's accept would spin once the process had no free descriptor.
    pub fn wait_for_room(&self) {
        let mut counted = false;
        loop {
            {
                let mut state = lock(&self.state);
                let most = self.limits().connections_hard; // under the lock: a change must not pass unseen
                if state.connections.len() < most || state.stopping.is_some() {
                    return;
                }
                state.parked = Some(coroutine::current());
            }
            if !std::mem::replace(&mut counted, true) {
                self.metrics.refuse("connections_hard");
            }
            coroutine::park();
        }
    }

    /// Takes over a new connection of `peer`. `fd` stays valid until [`Guard::remove`].
    ///
    /// # Errors
    /// There is no place for it: it is to be refused, and watched until it is closed.
    pub fn add(&self, fd: RawFd, peer: Option<IpAddr>) -> Result<(), Full> {
        let limits = self.limits();
        let mut state = lock(&self.state);
        let open = state.connections.values();
        let served = open.filter(|other| other.served).map(|other| other.peer);
        let place = places::find(peer, served, &limits);
        let connection = Watched {
            peer,
            served: place.is_ok(),
            stage: Stage::Request,
            since: Instant::now(),
            cut: false,
        };
        state.connections.insert(fd, connection);
        self.wake_by(&mut state, Instant::now() + CHECK_INTERVAL);
        place
    }

    /// The connection entered another stage.
    pub fn enter(&self, fd: RawFd, stage: Stage) {
        if let Some(connection) = lock(&self.state).connections.get_mut(&fd) {
            connection.stage = stage;
            connection.since = Instant::now();
        }
    }

    /// Whether the guard has cut the connection.
    pub fn has_cut(&self, fd: RawFd) -> bool {
        let state = lock(&self.state);
        state.connections.get(&fd).is_some_and(|it| it.cut)
    }

    /// The connection is about to be closed.
    pub fn remove(&self, fd: RawFd) {
        {
            let mut state = lock(&self.state);
            state.connections.remove(&fd);
            if state.connections.is_empty() {
                self.empty.notify_all();
            }
        }
        self.unpark_accept();
    }

    /// Wakes `waiter` at `at`, or somewhat later, if it still waits then.
    pub fn alarm(&self, at: Instant, waiter: &Arc<Waiter>) {
        let mut state = lock(&self.state);
        let waiter = Arc::downgrade(waiter);
        state.alarms.push(Reverse(Alarm { at, waiter }));
        self.wake_by(&mut state, at);
    }

    /// Cuts what has not sent a request, gives started writes a moment to finish, and waits at most `patience` until
    /// no connection is open.
    pub fn drain(&self, patience: Duration) {
        let mut state = lock(&self.state);
        state.stopping = Some(Instant::now());
        self.changed.notify_all();
        let wait = self
            .empty
            .wait_timeout_while(state, patience, |state| !state.connections.is_empty());
        drop(wait);
        self.unpark_accept();
    }

    /// Ends the guard's thread.
    pub fn end(&self) {
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }

    fn run(&self) {
        let mut checked = Instant::now();
        let mut due: Vec<Arc<Waiter>> = Vec::new();
        loop {
            let now = Instant::now();
            let mut state = lock(&self.state);
            if state.ended {
                return;
            }
            while state
                .alarms
                .peek()
                .is_some_and(|Reverse(alarm)| alarm.at <= now)
            {
                due.extend(
                    state
                        .alarms
                        .pop()
                        .and_then(|Reverse(alarm)| alarm.waiter.upgrade()),
                );
            }
            if now >= checked + CHECK_INTERVAL && !state.connections.is_empty() {
                checked = now;
                self.check(&mut state, now);
            }
            let next_alarm = state.alarms.peek().map(|Reverse(alarm)| alarm.at);
            let next_check = (!state.connections.is_empty()).then(|| checked + CHECK_INTERVAL);
            state.wakes = next_alarm.into_iter().chain(next_check).min();
            if !due.is_empty() {
                drop(state);
                due.drain(..).for_each(|waiter| waiter.wake());
                continue;
            }
            let patience = state
                .wakes
                .map(|at| at.saturating_duration_since(Instant::now()));
            let _state = match patience {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) => match self.changed.wait_timeout(state, left) {
                    Ok((state, _)) => state,
                    Err(poisoned) => poisoned.into_inner().0,
                },
            };
        }
    }

    /// Cuts the connections that are over a limit.
    fn check(&self, state: &mut Watch, now: Instant) {
        let limits = self.limits();
        let stopping = state
            .stopping
            .map(|since| now.saturating_duration_since(since));
        let open = state.connections.iter_mut();
        for (&fd, connection) in open.filter(|(_, connection)| !connection.cut) {
            let spent = now.saturating_duration_since(connection.since);
            let cut = match connection.stage {
                Stage::Answer => None,
                Stage::Request if stopping.is_some() => Some(Cut::Stopping),
                Stage::Request => Cut::in_request(fd, spent, &limits),
                Stage::Write(_) if stopping.is_some_and(|stopping| stopping > LAST_WRITE) => {
                    Some(Cut::LastWrite)
                }
                Stage::Write(_) => {
                    let over = spent > Duration::from_secs_f64(limits.write_seconds);
                    over.then_some(Cut::WriteSeconds)
                }
                Stage::Linger => (spent > LINGER || stopping.is_some()).then_some(Cut::Linger),
            };
            if let Some(cut) = cut {
                self.cut(fd, connection, cut);
            }
        }
        self.check_jpegs(state, limits.jpegs);
    }

    /// Cuts the clients that keep the oldest JPEGs, until no more than `most` are kept.
    fn check_jpegs(&self, state: &mut Watch, most: usize) {
        let writing = |connection: &Watched| match connection.stage {
            Stage::Write(jpeg) if !connection.cut => jpeg,
            _ => None,
        };
        let mut kept: BTreeSet<u64> = state.connections.values().filter_map(writing).collect();
        while kept.len() > most {
            let oldest = kept.pop_first();
            for (&fd, connection) in &mut state.connections {
                if writing(connection) == oldest {
                    self.cut(fd, connection, Cut::Jpegs);
                }
            }
        }
    }

    fn cut(&self, fd: RawFd, connection: &mut Watched, why: Cut) {
        connection.cut = true;
        if let Some(answer) = why.answer() {
            tcp::send_now(fd, &answer.last_words());
        }
        tcp::shutdown(fd);
        if let Some(reason) = why.reason() {
            self.metrics.refuse(reason);
            debug!("connection {fd} cut: {reason}");
        }
    }

    fn unpark_accept(&self) {
        let parked = lock(&self.state).parked.take();
        if let Some(accept) = parked {
            accept.unpark();
        }
    }

    fn wake_by(&self, state: &mut Watch, at: Instant) {
        if state.wakes.is_none_or(|wakes| at < wakes) {
            state.wakes = Some(at);
            self.changed.notify_all();
        }
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
