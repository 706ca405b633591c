//! One picam an address. may's listener sets SO_REUSEPORT, so a second instance on the port would start
//! without a word and get half of the connections.

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrStorage, UnixAddr, bind,
    getsockname, setsockopt, socket, sockopt,
};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// Why an address cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Somebody listens there.
    #[error(
        "{0} is taken by another program, or another picam; --listen ADDR:PORT or server.listen choose another address"
    )]
    Taken(SocketAddr),
    /// The system refuses the address.
    #[error("cannot listen on {address}: {reason}")]
    Refused {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        reason: nix::Error,
    },
}

/// The right to listen on an address, as long as it lives.
#[derive(Debug)]
pub struct Instance {
    /// The address, with the port that was chosen if 0 was asked for.
    pub address: SocketAddr,
    _lock: OwnedFd,
    /// Keeps a chosen port from being given to somebody else before the listener has it.
    _reserved: Option<OwnedFd>,
}

impl Instance {
    /// Takes `address`; with port 0 a free one.
    ///
    /// # Errors
    /// It is taken, or not an address of this machine.
    pub fn claim(address: SocketAddr) -> Result<Self, InstanceError> {
        let refused = |reason| match reason {
            nix::Error::EADDRINUSE => InstanceError::Taken(address),
            reason => InstanceError::Refused { address, reason },
        };
        let choose = address.port() == 0;
        // Without SO_REUSEPORT this fails if anybody listens there, whatever options he has set.
        let probe = bound(address, choose).map_err(refused)?;
        let address = if choose {
            local_address(&probe).map_err(refused)?
        } else {
            address
        };
        // Two that start at the same moment both pass the probe: an abstract socket's name can be had once. Any user of
        // the machine can take it first, as he can the port itself. Unlike a file's, the name is gone with its process
        // and belongs to the same network as the port.
        let lock = lock(address).map_err(refused)?;
        Ok(Self {
            address,
            _lock: lock,
            _reserved: choose.then_some(probe),
        })
    }
}

fn bound(address: SocketAddr, reuse_port: bool) -> nix::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let probe = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Connections that were closed a moment ago do not count.
    setsockopt(&probe, sockopt::ReuseAddr, &true)?;
    if reuse_port {
        setsockopt(&probe, sockopt::ReusePort, &true)?;
    }
    match address {
        SocketAddr::V4(v4) => bind(probe.as_raw_fd(), &SockaddrIn::from(v4))?,
        SocketAddr::V6(v6) => bind(probe.as_raw_fd(), &SockaddrIn6::from(v6))?,
    }
    Ok(probe)
}

fn local_address(socket: &OwnedFd) -> nix::Result<SocketAddr> {
    let address: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let v4 = address
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()));
    let v6 = || {
        address
            .as_sockaddr_in6()
            .map(|v6| SocketAddr::V6((*v6).into()))
    };
    v4.or_else(v6).ok_or(nix::Error::EAFNOSUPPORT)
}

fn lock(address: SocketAddr) -> nix::Result<OwnedFd> {
    let lock = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    bind(
        lock.as_raw_fd(),
        &UnixAddr::new_abstract(format!("picam {address}").as_bytes())?,
    )?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_given_once() {
        let any = "127.0.0.1:0".parse().unwrap();
        let first = Instance::claim(any).unwrap();
        assert_ne!(first.address.port(), 0);
        assert!(matches!(
            Instance::claim(first.address),
            Err(InstanceError::Taken(_))
        ));
        let address = first.address;
        drop(first);
        Instance::claim(address).unwrap();
    }

    #[test]
    fn a_listener_that_shares_its_port_is_seen() {
        let probe = bound("127.0.0.1:0".parse().unwrap(), true).unwrap();
        let address = local_address(&probe).unwrap();
        nix::sys::socket::listen(&probe, nix::sys::socket::Backlog::new(1).unwrap()).unwrap();
        let line = Instance::claim(address).unwrap_err().to_string();
        assert!(line.contains("is taken"), "{line}");
    }

    #[test]
    fn a_foreign_address_is_refused() {
        let error = Instance::claim("203.0.113.1:8000".parse().unwrap()).unwrap_err();
        assert!(matches!(error, InstanceError::Refused { .. }), "{error}");
    }
}
