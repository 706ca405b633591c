//! Bounds what a connection may cost. may_minihttp has no limits and no timeouts of its own; one thread looks
//! at all connections and cuts those that exceed a limit of the configuration's `[limits]`. It also keeps the
//! alarms of coroutines that wait for a moment rather than for their socket.

use super::tcp;
use crate::config::Limits;
use crate::hub::Waiter;
use crate::metrics::Metrics;
use log::debug;
use may::coroutine::{self, Coroutine};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::os::fd::RawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks at all connections, while there are any.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How long a client may take to close its side after it was answered; what it still sends is thrown away.
const LINGER: Duration = Duration::from_secs(2);
/// What is left of a started frame when picam stops.
const LAST_WRITE: Duration = Duration::from_millis(300);

/// What a connection is doing, and so which limit it is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has not sent a complete request: `request_seconds` and `header_bytes`.
    Request,
    /// Its request is being answered, or it is a stream that waits for a frame: no limit.
    Answer,
    /// A response's or frame's bytes are being written: `write_seconds`.
    Write,
    /// It was answered and has to close.
    Linger,
}

struct Connection {
    phase: Phase,
    since: Instant,
    /// The guard has cut it, and has said why.
    cut: bool,
}

struct Alarm {
    at: Instant,
    waiter: Weak<Waiter>,
}

#[derive(Default)]
struct State {
    connections: HashMap<RawFd, Connection>,
    alarms: BinaryHeap<Reverse<Alarm>>,
    /// When the thread looks next; `None` while it waits to be told.
    wakes: Option<Instant>,
    /// The accept coroutine, while it is parked because there are `connections_hard` connections.
    parked: Option<Coroutine>,
    stopping: Option<Instant>,
    ended: bool,
}

/// All open connections and their limits.
pub struct Guard {
    state: Mutex<State>,
    changed: Condvar,
    /// Told when the last connection is gone.
    empty: Condvar,
    limits: Mutex<Limits>,
    metrics: Arc<Metrics>,
}

impl Guard {
    /// A guard over no connection.
    pub fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            empty: Condvar::new(),
            limits: Mutex::new(limits),
            metrics,
        }
    }

    /// Starts the thread that looks at the connections, until [`Guard::end`].
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
    pub fn limits(&self) -> Limits {
        self.limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts other limits in force, for open connections too.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
        self.unpark_accept();
    }

    /// The number of open connections.
    pub fn connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// Lets the calling coroutine, the one that accepts, wait while there are `connections_hard` connections.
    /// Without that, may's accept would spin once the process had no free descriptor.
    pub fn wait_for_room(&self) {
        let mut counted = false;
        loop {
            let most = self.limits().connections_hard;
            {
                let mut state = self.lock();
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

    /// Takes over a new connection. `fd` stays valid until [`Guard::remove`].
    pub fn add(&self, fd: RawFd) {
        let mut state = self.lock();
        let connection = Connection {
            phase: Phase::Request,
            since: Instant::now(),
            cut: false,
        };
        state.connections.insert(fd, connection);
        self.wake_by(&mut state, Instant::now() + LOOK_INTERVAL);
    }

    /// The connection entered another phase.
    pub fn enter(&self, fd: RawFd, phase: Phase) {
        if let Some(connection) = self.lock().connections.get_mut(&fd) {
            connection.phase = phase;
            connection.since = Instant::now();
        }
    }

    /// The connection is about to be closed. Returns whether the guard has cut it.
    pub fn remove(&self, fd: RawFd) -> bool {
        let cut = {
            let mut state = self.lock();
            let cut = state
                .connections
                .remove(&fd)
                .is_some_and(|connection| connection.cut);
            if state.connections.is_empty() {
                self.empty.notify_all();
            }
            cut
        };
        self.unpark_accept();
        cut
    }

    /// Wakes `waiter` at `at`, or somewhat later, if it still waits then.
    pub fn alarm(&self, at: Instant, waiter: &Arc<Waiter>) {
        let mut state = self.lock();
        let waiter = Arc::downgrade(waiter);
        state.alarms.push(Reverse(Alarm { at, waiter }));
        self.wake_by(&mut state, at);
    }

    /// Cuts what has not sent a request, gives started writes a moment to finish, and waits at most `patience` until
    /// no connection is open.
    pub fn drain(&self, patience: Duration) {
        let mut state = self.lock();
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
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn run(&self) {
        let mut looked = Instant::now();
        loop {
            let now = Instant::now();
            let mut due = Vec::new();
            let mut state = self.lock();
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
            if now >= looked + LOOK_INTERVAL && !state.connections.is_empty() {
                looked = now;
                self.look(&mut state, now);
            }
            let next_alarm = state.alarms.peek().map(|Reverse(alarm)| alarm.at);
            let next_look = (!state.connections.is_empty()).then(|| looked + LOOK_INTERVAL);
            state.wakes = next_alarm.into_iter().chain(next_look).min();
            if !due.is_empty() {
                drop(state);
                due.iter().for_each(|waiter| waiter.wake());
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
    fn look(&self, state: &mut State, now: Instant) {
        let limits = self.limits();
        let stopping = state.stopping;
        for (&fd, connection) in state
            .connections
            .iter_mut()
            .filter(|(_, connection)| !connection.cut)
        {
            let spent = now.saturating_duration_since(connection.since);
            let over = match connection.phase {
                Phase::Answer => continue,
                Phase::Request if stopping.is_some() => {
                    Some(("stopping", "503 Service Unavailable", "stopping".into()))
                }
                Phase::Request => over_in_request(fd, spent, &limits),
                Phase::Write => {
                    let late = stopping
                        .is_some_and(|since| now.saturating_duration_since(since) > LAST_WRITE);
                    let over = spent > Duration::from_secs_f64(limits.write_seconds);
                    (over || late).then(|| {
                        (
                            if late { "stopping" } else { "write_seconds" },
                            "",
                            String::new(),
                        )
                    })
                }
                Phase::Linger => {
                    (spent > LINGER || stopping.is_some()).then(|| ("", "", String::new()))
                }
            };
            if let Some((reason, status, line)) = over {
                connection.cut = true;
                if !status.is_empty() {
                    tcp::send_now(fd, super::reply::plain(status, &line).as_bytes());
                }
                tcp::shutdown(fd, libc::SHUT_RDWR);
                if !reason.is_empty() {
                    self.metrics.refuse(reason);
                    debug!("connection {fd} cut: {reason}");
                }
            }
        }
    }

    fn unpark_accept(&self) {
        let parked = self.lock().parked.take();
        if let Some(accept) = parked {
            accept.unpark();
        }
    }

    fn wake_by(&self, state: &mut State, at: Instant) {
        if state.wakes.is_none_or(|wakes| at < wakes) {
            state.wakes = Some(at);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn over_in_request(
    fd: RawFd,
    spent: Duration,
    limits: &Limits,
) -> Option<(&'static str, &'static str, String)> {
    let received = tcp::info(fd).map_or(0, |info| info.bytes_received);
    if received > limits.header_bytes {
        let line = format!("request header over {} bytes", limits.header_bytes);
        return Some(("header_bytes", "431 Request Header Fields Too Large", line));
    }
    (spent > Duration::from_secs_f64(limits.request_seconds)).then(|| {
        let line = format!("no complete request within {} s", limits.request_seconds);
        ("request_seconds", "408 Request Timeout", line)
    })
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
