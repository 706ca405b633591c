//! Memory that is asked for anew while picam streams, of the whole way of a frame, from the source to the socket: counted, so that
//! nobody adds to it unseen. libjpeg-turbo's own, in C, is not among it.

use picam::app::{Reload, run};
use picam::camera::{Frame, Readings};
use picam::clock::Timestamp;
use picam::config::{AutoOr, Config, Layers, SandboxMode, Source};
use picam::jpeg::Encoder;
use picam::picture::Picture;
use picam::shelf::Bytes;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Frames that are counted, after those in which everything finds its size.
const FRAMES: u64 = 100;
const SETTLING: u64 = 40;
/// A piece of this size may be a picture, or a part of one.
const LARGE: usize = 4096;
/// Small pieces a frame, for it and for its client: one where nothing else runs, what all clients share of it; time, not
/// frames, adds some.
const SMALL: u64 = 3;

static SMALL_ONES: AtomicU64 = AtomicU64::new(0);
static LARGE_ONES: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: all is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let counter = if layout.size() < LARGE {
            &SMALL_ONES
        } else {
            &LARGE_ONES
        };
        counter.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A JPEG file with some detail, which the replay decodes once.
fn picture() -> PathBuf {
    let mut picture = Picture::filled(640, 360, [0, 128, 128]);
    for (at, sample) in picture.plane_mut(0).iter_mut().enumerate() {
        *sample = (at * 7 % 251) as u8;
    }
    let frame = Frame {
        sequence: 1,
        captured: Timestamp::now(),
        unix: Duration::ZERO,
        width: 640,
        height: 360,
        planes: Arc::new(picture),
        readings: Readings::default(),
    };
    let mut jpeg = Bytes::default();
    let mut encoder = Encoder::new().unwrap();
    encoder.encode(&frame, 90, &mut jpeg).unwrap();
    let path = std::env::temp_dir().join(format!("picam-allocations-{}.jpg", std::process::id()));
    std::fs::write(&path, &*jpeg).unwrap();
    path
}

/// Reads this many parts of the stream into `buffer`. Returns the bytes of their JPEGs.
fn take(
    stream: &mut BufReader<TcpStream>,
    parts: u64,
    buffer: &mut [u8],
    line: &mut String,
) -> u64 {
    let mut jpegs = 0;
    for _ in 0..parts {
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(line).unwrap();
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                length = number.trim_end().parse().unwrap();
            } else if line == "\r\n" && length > 0 {
                break;
            }
        }
        stream.read_exact(&mut buffer[..length]).unwrap();
        jpegs += length as u64;
    }
    jpegs
}

/// Bytes that the process has handed to the kernel to write, so far.
fn written() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_frame_asks_for_no_large_memory_and_for_little_small_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let file = picture();
    let mut config = Config::default();
    config.server.listen = address;
    config.camera.source = Source::Replay(file.clone());
    (config.camera.width, config.camera.height) = (640, 360);
    config.camera.rate = 50.0;
    config.jpeg.threads = AutoOr::Given(1);
    config.security.sandbox = SandboxMode::Off;
    let running = std::thread::spawn(move || run(&Layers::default(), config, Reload::on_hangup()));
    let connection = loop {
        match TcpStream::connect(address) {
            Ok(connection) => break connection,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    (&connection)
        .write_all(b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        .unwrap();
    let mut stream = BufReader::new(connection);
    let (mut buffer, mut line) = (vec![0; 1 << 20], String::with_capacity(1024));
    take(&mut stream, SETTLING, &mut buffer, &mut line);
    let counted = || {
        (
            SMALL_ONES.load(Ordering::Relaxed),
            LARGE_ONES.load(Ordering::Relaxed),
        )
    };
    let (before, written_before) = (counted(), written());
    let jpegs = take(&mut stream, FRAMES, &mut buffer, &mut line);
    let (after, written) = (counted(), written() - written_before);
    let (small, large) = (after.0 - before.0, after.1 - before.1);
    println!(
        "{FRAMES} frames: {small} small allocations, {large} large ones; {written} bytes written for {jpegs} of JPEGs"
    );
    // SAFETY: the signal has a handler since `run` began.
    unsafe { libc::raise(libc::SIGTERM) };
    running.join().unwrap().unwrap();
    std::fs::remove_file(file).unwrap();
    assert!(large <= 2, "{large}: the shelves may still grow once");
    assert!(small <= SMALL * FRAMES, "{small} in {FRAMES} frames");
    // Once a client, with its header; a frame of more may be on its way at either end.
    let share = written as f64 / jpegs as f64;
    assert!((0.95..1.1).contains(&share), "{share}");
}
