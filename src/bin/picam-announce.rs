//! picam-announce: makes picam known on the local network by mDNS and DNS-SD (RFC 6762, RFC 6763): its name, HOST.local, and
//! its page to whatever lists services. A process of its own that can open no file: what strangers send is read far from the
//! camera.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use log::{LevelFilter, error, info, warn};
use mdns_sd::{DaemonEvent, IfKind, MDNS_PORT, RRType, ServiceDaemon, ServiceInfo};
use nix::unistd::gethostname;
use picam::args::{self, Action};
use picam::exit::Exit;
use picam::system::announced::{Announced, Board};
use picam::system::sandbox;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const HELP: &str = "\
picam-announce: makes picam known on the local network by mDNS: HOST.local, and its page to lists of services

picam-announce [--config FILE]... [--listen ADDR:PORT] | --version | --help

The options are picam's: give those that picam runs with. picam-announce ends by itself if server.mdns is
false, or if picam listens to this machine alone.
";
const SERVICE: &str = "_http._tcp.local.";
/// Some ten times what it ever takes: a stranger who makes it grow ends it, and it is started anew.
const MEMORY: u64 = 128 << 20;
/// Goodbyes are sent by then.
const GOODBYE: Duration = Duration::from_secs(2);
/// mdns-sd repeats them after 120 ms.
const SECOND_GOODBYE: Duration = Duration::from_millis(200);
/// Between two looks for another responder.
const NEXT_LOOK: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .filter_module("mdns_sd", LevelFilter::Off) // it logs what anybody sends
        .init();
    let layers = match args::parse(std::env::args_os().skip(1)) {
        Err(error) => return fail(Exit::Refused, error),
        Ok(args) => match args.action {
            Action::Run => args.layers,
            Action::Help => return print(HELP),
            Action::Version => {
                return print(concat!("picam-announce ", env!("CARGO_PKG_VERSION"), "\n"));
            }
            _ => {
                return fail(
                    Exit::Refused,
                    "expected --config, --listen, --version or --help",
                );
            }
        },
    };
    let board = Board::open();
    // Nothing else of it, and no secret, is kept while strangers are read.
    let (listen, mdns) = match layers.load() {
        Ok(config) => (config.server.listen, config.server.mdns),
        Err(error) => return fail(Exit::Refused, error),
    };
    let ended = match (mdns, listen.ip().is_loopback()) {
        (false, _) => nothing("server.mdns is false"),
        (_, true) => nothing("picam listens to this machine alone"),
        _ => announce(listen, &board),
    };
    // A name that nobody answers to is no longer shown.
    board.show(&Announced {
        name: None,
        error: ended.as_ref().err().cloned(),
    });
    match ended {
        Ok(()) => Exit::Done.into(),
        Err(error) => fail(Exit::Failed, error),
    }
}

fn nothing(reason: &str) -> Result<(), String> {
    info!("nothing is announced: {reason}");
    Ok(())
}

/// What may happen while it announces.
enum Event {
    /// Somebody wants it to end.
    Signal,
    /// The responder tells something.
    Responder(DaemonEvent),
    /// The responder's thread is gone.
    Lost,
}

/// Announces until a signal comes, then says goodbye.
fn announce(listen: SocketAddr, board: &Board) -> Result<(), String> {
    sandbox::seal(MEMORY);
    let (sender, events) = channel();
    on_signal(sender.clone()).map_err(|error| format!("signals: {error}"))?;
    if !wait_for_port(board, &events)? {
        return Ok(());
    }
    let host = gethostname().map_err(|error| format!("the machine's name: {error}"))?;
    let host = host.to_string_lossy().into_owned();
    let responder = ServiceDaemon::new().map_err(|error| error.to_string())?;
    let service = register(&responder, &host, listen, sender)
        .map_err(|error| format!("{host}.local: {error}"))?;
    let mut announced = Announced {
        name: Some(format!("{host}.local")),
        error: None,
    };
    board.show(&announced);
    info!("{host}.local is announced");
    for event in events {
        match event {
            Event::Signal => {
                if let Ok(answer) = responder.unregister(&service) {
                    let _ = answer.recv_timeout(GOODBYE);
                    // It says goodbye once more by itself, without telling: Wi-Fi loses such packets.
                    thread::sleep(SECOND_GOODBYE);
                }
                return Ok(());
            }
            Event::Responder(DaemonEvent::NameChange(change)) if is_host(change.rr_type) => {
                let name = change.new_name.trim_end_matches('.').to_owned();
                if announced.name.as_ref() == Some(&name) {
                    continue; // each address of each interface has its own
                }
                let line = format!("another machine has the name {host}.local: this one is {name}");
                warn!("{line}");
                announced = Announced {
                    name: Some(name),
                    error: Some(line),
                };
                board.show(&announced);
            }
            Event::Responder(DaemonEvent::Error(error)) => warn!("{error}"),
            Event::Responder(_) => {}
            Event::Lost => break,
        }
    }
    Err("mDNS has ended by itself".to_owned())
}

/// Waits until no other program of this machine answers mDNS, like avahi or systemd-resolved: two of them would get each
/// other's answers. Whether it is to go on: not if a signal came first.
fn wait_for_port(board: &Board, events: &Receiver<Event>) -> Result<bool, String> {
    let mut told = false;
    loop {
        match claim_port() {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(format!("UDP port {MDNS_PORT}: {error}")),
        }
        if !told {
            let line = format!(
                "another program of this machine has UDP port {MDNS_PORT}: it has to announce picam"
            );
            warn!("{line}");
            board.show(&Announced {
                name: None,
                error: Some(line),
            });
            told = true;
        }
        if !matches!(
            events.recv_timeout(NEXT_LOOK),
            Err(RecvTimeoutError::Timeout)
        ) {
            return Ok(false);
        }
    }
}

fn register(
    responder: &ServiceDaemon,
    host: &str,
    listen: SocketAddr,
    events: Sender<Event>,
) -> mdns_sd::Result<String> {
    let mut silent = vec![IfKind::LoopbackV4, IfKind::LoopbackV6];
    if listen.is_ipv4() {
        silent.push(IfKind::IPv6); // picam does not answer there
    }
    responder.disable_interface(silent)?;
    let told = responder.monitor()?;
    thread::spawn(move || {
        for event in told {
            let _ = events.send(Event::Responder(event));
        }
        let _ = events.send(Event::Lost);
    });
    let about = [
        ("path", "/"),
        ("model", "picam"),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    let (name, machine) = (format!("picam on {host}"), format!("{host}.local."));
    let addresses = match listen.ip() {
        ip if ip.is_unspecified() => String::new(), // all that there are, and will be
        ip => ip.to_string(),
    };
    let auto = addresses.is_empty();
    let mut service = ServiceInfo::new(
        SERVICE,
        &name,
        &machine,
        addresses,
        listen.port(),
        &about[..],
    )?;
    if auto {
        service = service.enable_addr_auto();
    }
    let name = service.get_fullname().to_owned();
    responder.register(service)?;
    Ok(name)
}

fn is_host(kind: RRType) -> bool {
    matches!(kind, RRType::A | RRType::AAAA)
}

fn on_signal(events: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let _ = events.send(Event::Signal);
        }
    });
    Ok(())
}

/// Whether the port can be had: not if a responder has it, whatever that one shares. By itself mdns-sd would share it.
fn claim_port() -> io::Result<()> {
    // Both families at once, unless this machine has only one.
    match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, MDNS_PORT)) {
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, MDNS_PORT)).map(drop)
        }
        bound => bound.map(drop),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Done.into(),
        Err(_) => Exit::Failed.into(),
    }
}

fn fail(exit: Exit, error: impl Display) -> ExitCode {
    error!("{error}");
    exit.into()
}
