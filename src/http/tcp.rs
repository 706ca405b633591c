//! TCP sockets as Linux shows them: their state, options, and ends.

use nix::sys::socket::{self, MsgFlags, SockaddrLike, SockaddrStorage};
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;

/// Bytes of struct tcp_info that are read here, up to and with tcpi_snd_wnd (Linux 5.4).
const TCP_INFO_LENGTH: usize = 232;
// Offsets in struct tcp_info, <linux/tcp.h>; fields are only ever added behind.
/// The first one, the state.
const ESTABLISHED: u8 = 1;
const UNACKED_SEGMENTS: usize = 24;
const SINCE_ACK: usize = 56;
const BYTES_RECEIVED: usize = 128;
const UNSENT_BYTES: usize = 144;
const LEAST_ROUND_TRIP: usize = 148;
const RECEIVE_WINDOW_LIMITED: usize = 176;
const SEND_WINDOW: usize = 228;

/// The state of a connection, as the kernel knows it from the last segment that came from the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info {
    /// Whether neither side has closed.
    pub established: bool,
    /// Bytes the peer has sent on this connection.
    pub bytes_received: u64,
    /// Bytes that were written but not transmitted yet.
    pub unsent: u32,
    /// Whether something was transmitted that the peer has not acknowledged.
    pub in_flight: bool,
    /// How long ago the newest acknowledgement came; the kernel counts in its ticks of up to 4 ms.
    pub since_ack: Duration,
    /// What a segment and its acknowledgement take at the least.
    pub round_trip: Duration,
    /// How long, in all, the peer's receive window has kept us from sending.
    pub window_limited: Duration,
    /// The free receive buffer the peer last announced, in bytes; `None` on kernels older than 5.4.
    pub window: Option<u32>,
}

/// Reads the connection's state.
///
/// # Errors
/// `fd` is no TCP socket.
pub fn info(fd: RawFd) -> io::Result<Info> {
    let mut buffer = [0u8; TCP_INFO_LENGTH];
    let mut length = TCP_INFO_LENGTH as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into the buffer of that length.
    let result = unsafe {
        let to = buffer.as_mut_ptr().cast();
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, to, &mut length)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let four = |at: usize| {
        u32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]])
    };
    let eight = |at: usize| match cfg!(target_endian = "little") {
        true => u64::from(four(at)) | u64::from(four(at + 4)) << 32,
        false => u64::from(four(at)) << 32 | u64::from(four(at + 4)),
    };
    Ok(Info {
        established: buffer[0] == ESTABLISHED,
        bytes_received: eight(BYTES_RECEIVED),
        unsent: four(UNSENT_BYTES),
        in_flight: four(UNACKED_SEGMENTS) > 0,
        since_ack: Duration::from_millis(four(SINCE_ACK).into()),
        round_trip: Duration::from_micros(four(LEAST_ROUND_TRIP).into()),
        window_limited: Duration::from_micros(eight(RECEIVE_WINDOW_LIMITED)),
        window: (length as usize >= TCP_INFO_LENGTH).then(|| four(SEND_WINDOW)),
    })
}

/// Sets an integer socket option. A kernel without it goes on without it: all that are set here only make a
/// limit tighter.
pub fn set_option(fd: RawFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) {
    // SAFETY: the value outlives the call and is as long as said.
    unsafe {
        let length = size_of_val(&value) as libc::socklen_t;
        libc::setsockopt(fd, level, option, (&raw const value).cast(), length);
    }
}

/// Reads an integer socket option; `None` if `fd` has none such.
pub fn option(fd: RawFd, level: libc::c_int, option: libc::c_int) -> Option<libc::c_int> {
    let mut value = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into the integer of that length.
    let result =
        unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut length) };
    (result == 0).then_some(value)
}

/// Reads what has arrived without taking it, and without waiting.
pub fn peek(fd: RawFd, buffer: &mut [u8]) -> usize {
    socket::recv(fd, buffer, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT).unwrap_or(0)
}

/// Takes what has arrived and throws it away, at most `most` bytes. A close with bytes unread would reset the
/// connection, and the client might lose its answer.
pub fn drain(fd: RawFd, most: usize) {
    let (mut scrap, mut total) = ([0; 4096], 0);
    while total < most
        && let Ok(length @ 1..) = socket::recv(fd, &mut scrap, MsgFlags::MSG_DONTWAIT)
    {
        total += length;
    }
}

/// Writes as much of `bytes` as fits without waiting; for last words before a connection is cut.
pub fn send_now(fd: RawFd, bytes: &[u8]) {
    let _ = socket::send(fd, bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL); // else it is gone
}

/// Whoever reads finds an end; what the peer still sends is thrown away.
pub fn end_reading(fd: RawFd) {
    let _ = socket::shutdown(fd, socket::Shutdown::Read); // else it is gone
}

/// Ends our side: the peer reads an end behind what was sent.
pub fn end_writing(fd: RawFd) {
    let _ = socket::shutdown(fd, socket::Shutdown::Write); // else it is gone
}

/// Ends both sides; whoever waits on the socket is woken.
pub fn shutdown(fd: RawFd) {
    let _ = socket::shutdown(fd, socket::Shutdown::Both); // else it is gone
}

/// The peer's address.
pub fn peer(fd: RawFd) -> Option<SocketAddr> {
    socket::getpeername(fd).ok().and_then(|it| to_std(&it))
}

/// A second descriptor for the same socket, as a coroutine's stream that may wait.
///
/// # Errors
/// There is no free descriptor.
///
/// # Panics
/// The scheduler cannot watch it, for want of kernel memory.
pub fn coroutine_stream(fd: RawFd) -> io::Result<may::net::TcpStream> {
    use std::os::fd::FromRawFd;
    // SAFETY: only integers are passed; the result is checked.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `copy` is a socket that nobody else owns.
    Ok(unsafe { may::net::TcpStream::from_raw_fd(copy) })
}

/// Whether the connection is broken, or closed from both sides. A peer that has only closed its side may still want
/// its answer.
pub fn is_gone(fd: RawFd) -> bool {
    let events = libc::POLLERR | libc::POLLHUP;
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one pollfd, and its number is one.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 && poll.revents & events != 0 }
}

/// Whether the peer has closed its side. Not by poll, which does not tell that from [`end_reading`].
pub fn is_half_closed(fd: RawFd) -> bool {
    info(fd).map_or(true, |info| !info.established)
}

/// This process's listening socket on `port`. may_minihttp keeps it to itself.
pub fn listener_on(port: u16) -> Option<RawFd> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?;
    open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .find(|&fd: &RawFd| {
            option(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN) == Some(1)
                && port_of(fd) == Some(port)
        })
}

fn port_of(fd: RawFd) -> Option<u16> {
    let address: SockaddrStorage = socket::getsockname(fd).ok()?;
    to_std(&address).map(|address| address.port())
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    match address.family()? {
        socket::AddressFamily::Inet => Some(SocketAddr::V4((*address.as_sockaddr_in()?).into())),
        socket::AddressFamily::Inet6 => Some(SocketAddr::V6((*address.as_sockaddr_in6()?).into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_kernel_says_what_it_knows() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listener_on(port), Some(listener.as_raw_fd()));
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"hello").unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        let told = info(server.as_raw_fd()).unwrap();
        assert_eq!(told.bytes_received, 5);
        assert_eq!((told.unsent, told.in_flight), (0, false));
        assert!(told.window.unwrap() > 10_000);
        assert_eq!(peer(server.as_raw_fd()), client.local_addr().ok());
        client.write_all(b"more").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        drain(server.as_raw_fd(), 1 << 16);
        server.read_to_end(&mut Vec::new()).unwrap();
        assert!(is_half_closed(server.as_raw_fd()) && !is_gone(server.as_raw_fd()));
        shutdown(server.as_raw_fd());
        assert!(is_gone(server.as_raw_fd()));
    }
}
