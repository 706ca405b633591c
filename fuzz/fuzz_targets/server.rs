//! A connection to the whole of picam: the first byte says how the rest is sent, in one to four pieces, and whether the
//! sending side is then closed. Whatever comes, picam answers in HTTP or closes, and goes on accepting; a handler's
//! panic ends the run.
#![no_main]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use picam::app::{Reload, run};
use picam::config::{Config, Layers, Overrides, SandboxMode};

/// Of the first byte: one piece less than are sent, the closing, and whether a stream is watched for longer.
const PIECES: u8 = 3;
const CLOSE: u8 = 4;
const WATCH: u8 = 8;
/// Read of a stream before it is left, within a picture mostly.
const MOST_READ: usize = 40_000;

/// picam serves from here to the end of the process.
static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| {
    // SAFETY: the signal is ignored, no code of ours runs. Rust's own `main` does the same, but here it is libFuzzer's.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let mut config = Config::default();
    config.server.listen = free_address();
    config.camera.width = 64;
    config.camera.height = 64;
    config.camera.rate = 20.0;
    config.limits.header_bytes = 1024;
    config.limits.request_seconds = 0.5;
    config.limits.write_seconds = 1.0;
    config.security.sandbox = SandboxMode::Off; // the fuzzer is in the same process
    let address = config.server.listen;
    let layers = Layers {
        files: Vec::new(),
        required: true,
        overrides: Overrides::default(),
    };
    thread::spawn(move || {
        let ended = run(&layers, config, Reload::on_hangup());
        panic!("picam ended: {ended:?}");
    });
    while TcpStream::connect(address).is_err() {
        thread::yield_now();
    }
    address
});

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// What comes back until picam closes, or says no more for a while.
fn talk(how: u8, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut client = TcpStream::connect(*ADDRESS).expect("picam accepts connections");
    let pieces = usize::from(1 + (how & PIECES));
    for piece in request.chunks(request.len().div_ceil(pieces).max(1)) {
        client.write_all(piece)?;
    }
    if how & CLOSE != 0 {
        client.shutdown(Shutdown::Write)?;
    }
    let patience = if how & WATCH != 0 { 60 } else { 15 };
    client.set_read_timeout(Some(Duration::from_millis(patience)))?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while answer.len() < MOST_READ {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

fuzz_target!(|data: &[u8]| {
    if let Some((how, request)) = data.split_first()
        && let Ok(answer) = talk(*how, request)
    {
        let answers = answer.is_empty() || answer.starts_with(b"HTTP/1.1 ");
        assert!(answers, "{:?}", String::from_utf8_lossy(&answer));
    } // Else picam has reset the connection, as it may.
});
