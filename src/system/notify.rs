//! systemd's notification protocol (sd_notify(3)), as far as picam needs it: words on a datagram socket. Nothing
//! happens where no supervisor asks for it.
//!
//! The crate sd-notify (0.5.0) is not used: it takes an abstract name for a path, and blocks when the supervisor does not
//! read. The first two tests show that picam needs both.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The supervisor's socket.
pub struct Notify {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to be told that picam is alive.
    watchdog: Option<Duration>,
}

impl Notify {
    /// The supervisor that the environment names, if there is one.
    ///
    /// # Errors
    /// `NOTIFY_SOCKET` names what cannot be a socket.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let variable = |name| std::env::var_os(name);
        let Some(path) = variable("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        let interval = watchdog_interval(
            variable("WATCHDOG_USEC"),
            variable("WATCHDOG_PID"),
            std::process::id(),
        );
        Self::new(&path, interval).map(Some)
    }

    /// A supervisor that listens at `path`, where a leading `@` stands for an abstract name, and wants to hear of
    /// picam at least every `watchdog`.
    ///
    /// # Errors
    /// That cannot be a socket, or the system has none left.
    pub fn new(path: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match path.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?; // a supervisor that does not read must not stop us
        Ok(Self {
            socket,
            address,
            watchdog,
        })
    }

    /// How often [`Notify::alive`] is expected, if at all.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// picam serves.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// picam is alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// picam is about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, words: &str) {
        if let Err(error) = self.socket.send_to_addr(words.as_bytes(), &self.address) {
            log::debug!("cannot tell the supervisor {words}: {error}");
        }
    }
}

/// The interval in `WATCHDOG_USEC`, unless `WATCHDOG_PID` says that it is meant for another process.
fn watchdog_interval(usec: Option<OsString>, pid: Option<OsString>, own: u32) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    if pid.is_some_and(|pid| number(pid) != Some(own.into())) {
        return None;
    }
    number(usec?)
        .filter(|usec| *usec > 0)
        .map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn words_arrive_at_a_path_and_at_an_abstract_name() {
        let folder = std::env::temp_dir().join(format!("picam-notify-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let supervisor = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::new(path.as_os_str(), None).unwrap();
        notify.ready();
        notify.alive();
        notify.stopping();
        let words = [(); 3].map(|()| received(&supervisor));
        assert_eq!(words, ["READY=1", "WATCHDOG=1", "STOPPING=1"]);
        std::fs::remove_dir_all(&folder).unwrap();

        let name = format!("picam-notify-{}", std::process::id());
        let supervisor =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notify::new(OsStr::new(&format!("@{name}")), None)
            .unwrap()
            .ready();
        assert_eq!(received(&supervisor), "READY=1");
    }

    #[test]
    fn a_supervisor_that_does_not_read_stops_nobody() {
        let name = format!("picam-notify-deaf-{}", std::process::id());
        let _deaf =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let notify = Notify::new(OsStr::new(&format!("@{name}")), None).unwrap();
        for _ in 0..10_000 {
            notify.alive(); // a socket that blocks would never return from one of these
        }
    }

    #[test]
    fn a_supervisor_that_went_away_is_no_failure() {
        Notify::new(OsStr::new("/nonexistent/socket"), None)
            .unwrap()
            .alive();
        assert!(Notify::new(OsStr::new(&"long".repeat(100)), None).is_err());
    }

    #[test]
    fn the_interval_is_for_this_process_only() {
        let interval = |usec: &str, pid: Option<&str>| {
            watchdog_interval(Some(usec.into()), pid.map(Into::into), 7)
        };
        assert_eq!(interval("10000000", None), Some(Duration::from_secs(10)));
        assert_eq!(
            interval("10000000", Some("7")),
            Some(Duration::from_secs(10))
        );
        assert_eq!(interval("10000000", Some("8")), None);
        assert_eq!(interval("0", None), None);
        assert_eq!(interval("soon", None), None);
        assert_eq!(watchdog_interval(None, None, 7), None);
    }
}
