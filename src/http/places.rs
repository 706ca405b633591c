//! Who gets a place among the connections that are served, and among the clients that stay. One address cannot take what the
//! others need, and programs of this machine itself find a place beyond all of them: the appliance's guard kills a picam that
//! does not answer it.

use super::reply::{Reply, Status};
use crate::config::LimitsConfig;
use crate::metrics::Metrics;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places beyond `limits.connections`, for this machine alone.
const OWN_PLACES: usize = 4;

/// The limit that leaves no place, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The address has as many connections as one may have.
    PerAddress(IpAddr, usize),
    /// All connections are taken.
    Connections(usize),
}

impl Full {
    /// The limit's key.
    pub fn limit(self) -> &'static str {
        match self {
            Full::PerAddress(..) => "per_address",
            Full::Connections(_) => "connections",
        }
    }

    /// How the connection is answered.
    pub fn answer(self) -> Reply {
        let (status, line) = match self {
            Full::PerAddress(address, most) => (
                Status::TooMany,
                format!("{address} has {most} connections already"),
            ),
            Full::Connections(most) => (
                Status::Unavailable,
                format!("all {most} connections are taken"),
            ),
        };
        Reply::full(status, &line, self.limit())
    }
}

/// Places of one kind of client that stays.
#[derive(Debug, Default)]
pub struct Seats(AtomicUsize);

/// One of them, free again with its drop.
#[derive(Debug)]
pub struct Seat<'a>(&'a AtomicUsize);

impl Seats {
    /// Takes one, if fewer than `most` are taken.
    ///
    /// # Errors
    /// None is left; the answer, which names `limit`, the limit's key.
    pub(super) fn take(
        &self,
        limit: &'static str,
        most: usize,
        metrics: &Metrics,
    ) -> Result<Seat<'_>, Reply> {
        let more = |taken| (taken < most).then_some(taken + 1);
        match self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        {
            Ok(_) => Ok(Seat(&self.0)),
            Err(_) => {
                metrics.refuse(limit);
                let line = format!("all {most} {limit} are taken");
                Err(Reply::full(Status::Unavailable, &line, limit))
            }
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether there is a place for one more connection of `peer`, beside those of the peers in `served`. A peer whose
/// address is not known, because it is gone already, shares one with all such.
///
/// # Errors
/// The limit that is reached.
pub fn find(
    peer: Option<IpAddr>,
    served: impl Iterator<Item = Option<IpAddr>>,
    limits: &LimitsConfig,
) -> Result<(), Full> {
    let own = peer.is_some_and(is_this_machine);
    let (mut all, mut of_peer) = (0, 0);
    for other in served {
        all += 1;
        of_peer += usize::from(other == peer);
    }
    if !own && of_peer >= limits.per_address {
        let address = peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        return Err(Full::PerAddress(address, limits.per_address));
    }
    match all < limits.connections + if own { OWN_PLACES } else { 0 } {
        true => Ok(()),
        false => Err(Full::Connections(limits.connections)),
    }
}

/// Whether a connection from `address` comes from a program of this machine.
fn is_this_machine(address: IpAddr) -> bool {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 168, 1, last]))
    }

    fn with(peer: Option<IpAddr>, served: &[Option<IpAddr>]) -> Result<(), Full> {
        let limits = LimitsConfig {
            connections: 6,
            per_address: 4,
            ..LimitsConfig::default()
        };
        find(peer, served.iter().copied(), &limits)
    }

    #[test]
    fn one_address_leaves_room_for_the_others() {
        let greedy = [address(1); 4];
        assert_eq!(with(address(1), &greedy[..3]), Ok(()));
        let refused = Full::PerAddress(address(1).unwrap(), 4);
        assert_eq!(with(address(1), &greedy), Err(refused));
        assert_eq!(with(address(2), &greedy), Ok(()));
    }

    #[test]
    fn this_machine_finds_a_place_when_all_are_taken() {
        let own = Some(IpAddr::V6(Ipv6Addr::LOCALHOST));
        let mut served: Vec<_> = (0..6).map(address).collect();
        assert_eq!(with(address(9), &served), Err(Full::Connections(6)));
        for _ in 0..OWN_PLACES {
            assert_eq!(with(own, &served), Ok(()));
            served.push(own);
        }
        assert_eq!(with(own, &served), Err(Full::Connections(6)));
    }
}
