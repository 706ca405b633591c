//! The server in the shape that may_minihttp allows: it accepts and parses, picam answers through the
//! connection's descriptor. One request a connection.

use super::client::Client;
use super::guard::Phase;
use super::{Context, Request, answer, reply, tcp};
use log::{debug, error};
use may_minihttp::{HttpService, HttpServiceFactory, Response};
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
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
/// may_minihttp's limit, which cannot be lifted from outside.
const REQUEST_HEADERS: usize = 16;
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

/// Starts accepting connections on `address`. The coroutines' threads inherit the calling thread's name and
/// processor affinity: call it on a thread made for that.
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
    let accept = Acceptor { context }.start(address)?;
    if let Some(listener) = tcp::listener_on(address.port()) {
        tcp::set_option(
            listener,
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            DEFER_ACCEPT_SECONDS,
        );
    }
    Ok(Listener { accept })
}

/// The accepting coroutine.
pub struct Listener {
    accept: may::coroutine::JoinHandle<()>,
}

impl Listener {
    /// Closes the listening socket; open connections go on.
    pub fn stop(self) {
        // SAFETY: the accept coroutine holds no lock while it waits, and unwinding it only drops its socket.
        unsafe { self.accept.coroutine().cancel() };
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
        let most = limits.connections;
        let full = context.guard.connections() >= most;
        context.guard.add(fd);
        if full {
            context.metrics.refuse("connections");
            let line = format!("all {most} connections are taken (limits.connections)");
            tcp::send_now(
                fd,
                reply::plain("503 Service Unavailable", &line).as_bytes(),
            );
            tcp::shutdown(fd, libc::SHUT_RDWR);
        }
        Connection {
            fd,
            done: full,
            too_many_headers: has_too_many_headers(fd),
            context,
        }
    }
}

/// Whether may_minihttp, if it cannot parse the request that waits on `fd`, will have found too many headers: it does
/// not say. A request whose header has not come whole is taken for one of that kind if it begins as a request does.
fn has_too_many_headers(fd: RawFd) -> bool {
    let mut start = vec![0; 16 << 10];
    let length = tcp::peek(fd, &mut start);
    let mut lines = start[..length].split(|&byte| byte == b'\n');
    let request_line = lines.next().unwrap_or_default().trim_ascii_end();
    if !request_line.ends_with(b"HTTP/1.1") && !request_line.ends_with(b"HTTP/1.0") {
        return false;
    }
    let mut headers = lines.map(<[u8]>::trim_ascii_end);
    headers
        .position(<[u8]>::is_empty)
        .is_none_or(|count| count > REQUEST_HEADERS)
        || !start[..length]
            .windows(3)
            .any(|end| end == b"\n\r\n" || end.ends_with(b"\n\n"))
}

/// One connection, from its accept to just before its close.
struct Connection {
    fd: RawFd,
    context: Arc<Context>,
    /// It was answered: whatever it still sends is not a request.
    done: bool,
    too_many_headers: bool,
}

impl HttpService for Connection {
    fn call(&mut self, request: may_minihttp::Request, _: &mut Response) -> io::Result<()> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(());
        }
        self.context.guard.enter(self.fd, Phase::Answer);
        self.context.metrics.requests.inc();
        let request = Request::new(&request);
        let mut client = Client::new(self.fd, Arc::clone(&self.context.guard));
        let answered = catch_unwind(AssertUnwindSafe(|| {
            answer(&self.context, &request, &mut client).map(|()| client.linger())
        }));
        match answered {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                debug!("{} {}: {error}", request.method, request.path);
                tcp::shutdown(self.fd, libc::SHUT_RDWR);
            }
            Err(_) => {
                self.context.metrics.panics.inc();
                error!("{} {}: the handler panicked", request.method, request.path);
                if !client.answered {
                    let sorry = "picam failed to answer this; see its log";
                    let sorry = reply::plain("500 Internal Server Error", sorry);
                    tcp::send_now(self.fd, sorry.as_bytes());
                }
                tcp::shutdown(self.fd, libc::SHUT_WR);
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let cut = self.context.guard.remove(self.fd);
        let silent = tcp::info(self.fd).map_or(true, |info| info.bytes_received == 0);
        if self.done || cut || silent {
            return;
        }
        // may_minihttp could not parse what came, and closes without a word.
        self.context.metrics.refuse("malformed");
        let last_words = match self.too_many_headers {
            true => reply::plain(
                "431 Request Header Fields Too Large",
                "more than 16 request headers, or a malformed one; a proxy can remove some, see the README",
            ),
            false => reply::plain(
                "400 Bad Request",
                "not an HTTP/1 request with at most 16 headers, or closed before it was answered",
            ),
        };
        tcp::send_now(self.fd, last_words.as_bytes());
        tcp::shutdown(self.fd, libc::SHUT_WR);
    }
}
