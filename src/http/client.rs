//! One client that is being answered: writes to it without copies, and waits for pictures on its behalf.

use super::guard::{Guard, Stage};
use super::reply::Reply;
use super::request::Request;
use super::{Context, tcp};
use crate::hub::Waiter;
use may::io::WaitIo;
use may::net::TcpStream;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Alarms are not set further ahead; a wait may return early anyway.
const LONGEST_ALARM: Duration = Duration::from_secs(1);
/// What a client that was answered may still send; it is thrown away.
const LINGER_BYTES: usize = 1 << 20;

/// The connection of a request, by the descriptor that may_minihttp owns. It may only be used inside the request's
/// `call`.
pub struct Client {
    fd: RawFd,
    guard: Arc<Guard>,
    /// A second descriptor that can wait, made by the first write or wait that has to.
    waiting: Option<TcpStream>,
    waiter: Option<Arc<Waiter>>,
    /// Whether anything was written.
    pub answered: bool,
}

impl Client {
    /// The client on `fd`.
    pub fn new(fd: RawFd, guard: Arc<Guard>) -> Self {
        Self {
            fd,
            guard,
            waiting: None,
            waiter: None,
            answered: false,
        }
    }

    /// Answers `request`, of which a HEAD gets the head alone.
    ///
    /// # Errors
    /// As [`Client::write`].
    pub fn reply(&mut self, context: &Context, request: &Request, reply: &Reply) -> io::Result<()> {
        let head = reply.head(&context.config().server.allow_origin);
        let (jpeg, body) = match request.is_head() {
            true => (None, &[][..]),
            false => (reply.jpeg_number(), reply.body()),
        };
        self.write_watched(jpeg, &[head.as_bytes(), body])
    }

    /// Writes all of `parts`, while the guard watches the time.
    ///
    /// # Errors
    /// The client is gone, or was cut for being slow.
    pub fn write<const N: usize>(&mut self, parts: &[&[u8]; N]) -> io::Result<()> {
        self.write_watched(None, parts)
    }

    /// The same for `parts` with the picture of this number among them: the guard bounds how many are kept for clients.
    ///
    /// # Errors
    /// As [`Client::write`].
    pub fn write_jpeg<const N: usize>(
        &mut self,
        number: u64,
        parts: &[&[u8]; N],
    ) -> io::Result<()> {
        self.write_watched(Some(number), parts)
    }

    fn write_watched<const N: usize>(
        &mut self,
        jpeg: Option<u64>,
        parts: &[&[u8]; N],
    ) -> io::Result<()> {
        self.answered = true;
        self.guard.enter(self.fd, Stage::Write(jpeg));
        let result = self.write_all(parts);
        self.guard.enter(self.fd, Stage::Answer);
        result
    }

    fn write_all<const N: usize>(&mut self, parts: &[&[u8]; N]) -> io::Result<()> {
        let mut slices = parts.map(IoSlice::new);
        let mut left = slices.as_mut_slice();
        // Most responses fit into the socket's buffer and need no second descriptor.
        // SAFETY: the descriptor is open during the request and not closed by this, thanks to ManuallyDrop.
        let mut direct =
            unsafe { std::mem::ManuallyDrop::new(std::net::TcpStream::from_raw_fd(self.fd)) };
        while !left.is_empty() {
            let written = match &mut self.waiting {
                Some(stream) => stream.write_vectored(left),
                None => direct.write_vectored(left),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What wakes this client's [`Client::wait`].
    ///
    /// # Errors
    /// There is no free descriptor.
    pub fn waiter(&mut self) -> io::Result<Arc<Waiter>> {
        if let Some(waiter) = &self.waiter {
            return Ok(Arc::clone(waiter));
        }
        let waiter = Waiter::new(self.waiting()?.waker());
        Ok(Arc::clone(self.waiter.insert(waiter)))
    }

    /// Waits until the waiter is woken, something happens on the socket, or it is `until`; not at all if `ready`. May return early: check again what is waited for.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn wait(&mut self, until: Option<Instant>, ready: impl FnOnce() -> bool) -> io::Result<()> {
        let waiter = self.waiter()?;
        waiter.set_idle(true);
        if !ready() {
            if let Some(until) = until {
                // A wait ends early more often than not, and its alarm stays until it is due.
                self.guard
                    .alarm(until.min(Instant::now() + LONGEST_ALARM), &waiter);
            }
            self.waiting()?.wait_io();
        }
        waiter.set_idle(false);
        match tcp::is_gone(self.fd) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }

    /// Whether the client has closed its side. It may still read, or be gone.
    pub fn is_half_closed(&self) -> bool {
        tcp::is_half_closed(self.fd)
    }

    /// What the kernel knows of the connection.
    ///
    /// # Errors
    /// It is no TCP connection.
    pub fn info(&self) -> io::Result<tcp::Info> {
        tcp::info(self.fd)
    }

    /// Ends the response, and waits for the client to end its side: a close with bytes unread would reset the
    /// connection, and the client might lose the response's end.
    pub fn linger(&mut self) {
        self.guard.enter(self.fd, Stage::Linger);
        tcp::end_writing(self.fd);
        if let Ok(stream) = self.waiting() {
            let (mut scrap, mut total) = ([0; 1024], 0);
            while let Ok(length @ 1..) = stream.read(&mut scrap) {
                total += length;
                if total > LINGER_BYTES {
                    break;
                }
            }
        }
        tcp::shutdown(self.fd);
    }

    fn waiting(&mut self) -> io::Result<&mut TcpStream> {
        match &mut self.waiting {
            Some(_) => {}
            none => *none = Some(tcp::coroutine_stream(self.fd)?),
        }
        // Infallible: it was just set.
        self.waiting
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}
