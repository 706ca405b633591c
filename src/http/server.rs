//! The server in the shape that may_minihttp allows: it accepts and parses, picam answers through the
//! connection's descriptor. One request a connection.

use super::client::Client;
use super::guard::Stage;
use super::intake::{Examined, MINIHTTP_HEADERS, Malformed, examine};
use super::reply::{Reply, Status};
use super::request::Request;
use super::route::answer;
use super::{Context, tcp};
use crate::exit::{Exit, leave};
use crate::system::faults;
use log::{debug, error, warn};
use may_minihttp::{HttpService, HttpServiceFactory, Response};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Threads that run the clients' coroutines. With more than one, a coroutine that was just put to wait can be woken and
/// run to its end by another worker while may still reads its stack (`RawIoBlock::subscribe`). One is enough:
/// frames go from memory to the kernel, and the network is slower than that.
const WORKERS: usize = 1;
/// Words of stack for each coroutine. A panic with its backtrace takes 25 KiB; untouched pages cost nothing.
const STACK_WORDS: usize = 0x2000;
/// Stacks that are kept for the next connection.
const STACK_POOL: usize = 16;
/// The scheduler's longest sleep. It is woken by events; its default of 10 ms only burns power.
const POLL_NANOSECONDS: u64 = 1_000_000_000;
/// As much of a request as is examined before may_minihttp reads it.
const EXAMINED_BYTES: usize = 16 << 10;
/// What a client that was refused may have sent; it is thrown away.
const DRAINED_BYTES: usize = 64 << 10;
/// A request is small; what a client sends beyond stays with the client.
const RECEIVE_BUFFER: i32 = 4 << 10;
/// Bytes that may wait in the kernel beyond what is in flight: they are the past that a slow client sees.
const UNSENT_BYTES: i32 = 96 << 10;
/// A peer that acknowledges nothing for this long is gone; somewhat longer than a frame's write may take.
const PEER_TIMEOUT: Duration = Duration::from_secs(15);
const PEER_TIMEOUT_MARGIN: Duration = Duration::from_secs(5);
/// A silent peer is asked whether it is still there after this many seconds, and this many more times at that
/// interval: a stream may have nothing to send for long (`?fps=0.01`).
const KEEPALIVE_SECONDS: i32 = 30;
const KEEPALIVE_PROBES: i32 = 3;
/// A connection is accepted when its request has come, or after this.
const DEFER_ACCEPT_SECONDS: i32 = 1;

/// Starts accepting connections on `address`. The coroutines' threads inherit the calling thread's processor
/// affinity: call it on a thread made for that.
///
/// # Errors
/// The address cannot be bound.
pub fn start(context: Arc<Context>, address: SocketAddr) -> io::Result<Listener> {
    may::config()
        .set_workers(WORKERS)
        .set_pool_capacity(STACK_POOL)
        .set_stack_size(STACK_WORDS);
    may::config().set_worker_pin(false);
    may::config().set_timeout_ns(POLL_NANOSECONDS);
    // The first coroutine that runs installs a handler for SIGSEGV and SIGBUS, and no later one does.
    // SAFETY: it uses next to nothing of its stack.
    let first = unsafe { may::coroutine::spawn(|| {}) };
    let _ = first.join(); // nothing in it can panic
    faults::end_the_process();
    let serving = Arc::clone(&context);
    let accept = Acceptor { context }.start(address)?;
    if let Some(listener) = tcp::listener_on(address.port()) {
        tcp::set_option(
            listener,
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            DEFER_ACCEPT_SECONDS,
        );
    }
    let listener = Listener {
        accept: accept.coroutine().clone(),
    };
    // A panic while accepting ends that coroutine: picam would run without serving.
    let watch = move || {
        let _ = accept.join(); // how it ended does not matter
        if !serving.is_stopping() {
            error!("http: accepting connections has ended");
            leave(Exit::Failed);
        }
    };
    let thread = std::thread::Builder::new().name("accept".into());
    thread.spawn(watch)?;
    Ok(listener)
}

/// The accepting coroutine.
pub struct Listener {
    accept: may::coroutine::Coroutine,
}

impl Listener {
    /// Closes the listening socket; open connections go on.
    pub fn stop(self) {
        // SAFETY: the accept coroutine holds no lock while it waits, and unwinding it only drops its socket.
        unsafe { self.accept.cancel() };
    }
}

struct Acceptor {
    context: Arc<Context>,
}

impl HttpServiceFactory for Acceptor {
    type Service = Connection;

    fn new_service(&self, id: usize) -> Connection {
        let fd = id as RawFd; // may_minihttp's id is the socket's descriptor
        let context = Arc::clone(&self.context);
        context.guard.wait_for_room();
        let limits = context.guard.limits();
        let write_time = Duration::from_secs_f64(limits.write_seconds);
        let peer_timeout = PEER_TIMEOUT.max(write_time + PEER_TIMEOUT_MARGIN);
        for (level, option, value) in [
            (libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
            (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, UNSENT_BYTES),
            (
                libc::IPPROTO_TCP,
                libc::TCP_USER_TIMEOUT,
                peer_timeout.as_millis() as i32,
            ),
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
            (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, KEEPALIVE_SECONDS),
            (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, KEEPALIVE_SECONDS),
            (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, KEEPALIVE_PROBES),
            (libc::SOL_SOCKET, libc::SO_RCVBUF, RECEIVE_BUFFER),
        ] {
            tcp::set_option(fd, level, option, value);
        }
        let peer = tcp::peer(fd).map(|peer| peer.ip().to_canonical());
        let place = context.guard.add(fd, peer);
        let mut connection = Connection {
            fd,
            context,
            progress: Progress::Waiting(None),
        };
        if let Err(full) = place {
            connection.context.metrics.refuse(full.limit());
            connection.refuse(&full.answer());
            return connection;
        }
        let mut start = vec![0; EXAMINED_BYTES];
        let length = tcp::peek(fd, &mut start);
        match examine(&start[..length]) {
            Examined::Whole(request) => {
                if request.header_count > MINIHTTP_HEADERS {
                    // may_minihttp would print a line. So it finds an end instead, and gives the connection up, which is
                    // served when it is dropped.
                    tcp::drain(fd, length);
                    tcp::end_reading(fd);
                }
                connection.progress = Progress::Waiting(Some(request));
            }
            Examined::Malformed(malformed) => connection.refuse_malformed(malformed),
            Examined::Incomplete => {}
        }
        connection
    }
}

/// How far a connection has got.
enum Progress {
    /// may_minihttp has not handed over its request, which may have been seen.
    Waiting(Option<Box<Request>>),
    /// It was answered: whatever it still sends is not a request.
    Answered,
}

/// One connection, from its accept to just before its close.
struct Connection {
    fd: RawFd,
    context: Arc<Context>,
    progress: Progress,
}

impl Connection {
    fn refuse_malformed(&mut self, malformed: Malformed) {
        self.context.metrics.refuse("malformed");
        let (status, line) = malformed.answer();
        if let Some(more) = self.context.malformed.allow() {
            let peer = tcp::peer(self.fd).map_or_else(|| "?".into(), |peer| peer.ip().to_string());
            warn!("http: malformed request from {peer}, answered {status}{more}");
        }
        self.refuse(&Reply::line(status, line));
    }

    /// Answers and closes.
    fn refuse(&mut self, answer: &Reply) {
        self.progress = Progress::Answered;
        tcp::drain(self.fd, DRAINED_BYTES);
        tcp::send_now(self.fd, &answer.last_words());
        tcp::shutdown(self.fd);
    }
}

impl HttpService for Connection {
    fn call(&mut self, request: may_minihttp::Request, _: &mut Response) -> io::Result<()> {
        let Progress::Waiting(seen) = std::mem::replace(&mut self.progress, Progress::Answered)
        else {
            return Ok(());
        };
        let request = seen.unwrap_or_else(|| {
            let headers = request.headers().iter();
            let headers = headers.map(|header| (header.name, header.value));
            Box::new(Request::new(request.method(), request.path(), headers))
        });
        let mut client = Client::new(self.fd, Arc::clone(&self.context.guard));
        serve(&self.context, &request, &mut client);
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let open = !self.context.guard.has_cut(self.fd);
        match std::mem::replace(&mut self.progress, Progress::Answered) {
            // The client has closed its side right behind its request, and may_minihttp gives it up for that, or for its
            // many headers. The socket stays open until this returns.
            Progress::Waiting(Some(request)) if open => {
                let mut client = Client::new(self.fd, Arc::clone(&self.context.guard));
                serve(&self.context, &request, &mut client);
            }
            // It came in pieces, and may_minihttp could not parse them.
            Progress::Waiting(None) if open && !tcp::is_half_closed(self.fd) => {
                self.refuse_malformed(Malformed::NotHttp);
            }
            // Answered, cut, or gone before its request was complete.
            _ => {}
        }
        self.context.guard.remove(self.fd);
    }
}

/// Answers one request, whatever its handler does.
fn serve(context: &Context, request: &Request, client: &mut Client) {
    let fd = client.as_raw_fd();
    context.guard.enter(fd, Stage::Answer);
    context.metrics.requests.inc();
    let answered = catch_unwind(AssertUnwindSafe(|| {
        answer(context, request, client).map(|()| client.linger())
    }));
    match answered {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            debug!("{} {}: {error}", request.method, request.path);
            tcp::shutdown(fd);
        }
        Err(_) => {
            context.metrics.panics.inc();
            error!("{} {}: the handler panicked", request.method, request.path);
            if !client.answered {
                let sorry = "picam failed to answer this; see its log";
                let answer = Reply::line(Status::InternalError, sorry);
                tcp::send_now(fd, &answer.last_words());
            }
            tcp::end_writing(fd);
        }
    }
}
