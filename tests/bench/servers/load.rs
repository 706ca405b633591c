//! Many clients of one MJPEG stream on 127.0.0.1, read by one thread that throws the pictures away: what a server is
//! measured with by `make bench`.
//!
//! `bench-load PORT PATH CLIENTS SECONDS PID header|stamp` prints one line of JSON. A picture's age, at its last byte, is
//! from the header X-Timestamp, or from the stamp that the cameras made of software beside this file draw into it: servers
//! disagree on what the header means. PID is the server's, for its processor time and memory.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};
use picam::picture::{STAMP_BITS, crc16};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

/// Connections settle before anything counts.
const WARM: Duration = Duration::from_secs(1);
/// By so many of its first bytes, and its length, a picture is told from others: the stamp's number is among them.
const NAME_BYTES: usize = 64 << 10;
/// The stamp is within so many bytes, whatever the picture.
const STAMP_BYTES: usize = 512 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, path, clients, seconds, pid, clock] = arguments.as_slice() else {
        return Err("expected PORT PATH CLIENTS SECONDS PID header|stamp".into());
    };
    let (port, pid): (u16, u32) = (port.parse()?, pid.parse()?);
    let seconds = Duration::from_secs_f64(seconds.parse()?);
    let mut stamps = (clock == "stamp").then(Stamps::default);

    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut clients = (0..clients.parse()?)
        .map(|_| Client::connect(port, path))
        .collect::<std::io::Result<Vec<_>>>()?;
    for (number, client) in clients.iter().enumerate() {
        let readable = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        epoll.add(&client.stream, readable)?;
    }

    let mut seen = Seen::default();
    let began = Instant::now();
    let mut before = None;
    let mut events = [EpollEvent::empty(); 64];
    while began.elapsed() < WARM + seconds {
        let count = epoll.wait(&mut events, EpollTimeout::from(50u8))?;
        if before.is_none() && began.elapsed() >= WARM {
            before = Some((processor_seconds(pid)?, Instant::now()));
            seen = Seen::default();
        }
        for event in &events[..count] {
            let client = &mut clients[event.data() as usize];
            if !client.read(&mut seen, &mut stamps)? {
                epoll.delete(&client.stream)?;
                seen.ended += 1;
            }
        }
    }
    let (spent, since) = before.ok_or("no time to measure in")?;
    let measured = since.elapsed().as_secs_f64();
    let spent = processor_seconds(pid)? - spent;
    println!(
        "{}",
        seen.told(clients.len(), measured, spent, resident_megabytes(pid)?)
    );
    Ok(())
}

/// What all clients saw together.
#[derive(Default)]
struct Seen {
    /// Of each picture, seconds.
    ages: Vec<f64>,
    bytes: usize,
    /// Pictures whose age could not be told.
    ageless: usize,
    /// Connections that the server ended.
    ended: usize,
}

impl Seen {
    fn picture(&mut self, length: usize, age: Option<f64>) {
        self.bytes += length;
        match age {
            Some(age) => self.ages.push(age),
            None => self.ageless += 1,
        }
    }

    fn told(
        mut self,
        clients: usize,
        seconds: f64,
        processor: f64,
        memory: f64,
    ) -> serde_json::Value {
        self.ages.sort_by(f64::total_cmp);
        let pictures = self.ages.len() + self.ageless;
        let quantile = |part: f64| {
            let last = self.ages.len().checked_sub(1)?;
            Some(self.ages[(last as f64 * part) as usize] * 1000.0)
        };
        serde_json::json!({
            "clients": clients,
            "seconds": seconds,
            "pictures": pictures,
            "rate_hz": pictures as f64 / seconds / clients as f64,
            "kilobytes": self.bytes as f64 / 1000.0 / pictures.max(1) as f64,
            "age_p50_ms": quantile(0.5),
            "age_p99_ms": quantile(0.99),
            "ageless": self.ageless,
            "ended": self.ended,
            "processor_seconds": processor,
            "memory_mb": memory,
        })
    }
}

struct Client {
    stream: TcpStream,
    state: State,
    /// What came of a header, or the first bytes of a picture that may have to be decoded.
    kept: Vec<u8>,
    /// The header's X-Timestamp.
    timestamp: Option<f64>,
}

enum State {
    Header,
    Picture { length: usize, left: usize },
}

impl Client {
    fn connect(port: u16, path: &str) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        // 1.0: no chunks, which are none of the pictures' bytes.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            state: State::Header,
            kept: Vec::new(),
            timestamp: None,
        })
    }

    /// Takes what has come; false at the end of the connection.
    fn read(&mut self, seen: &mut Seen, stamps: &mut Option<Stamps>) -> nix::Result<bool> {
        let mut buffer = [0; 64 << 10];
        loop {
            // The kernel throws away what nobody looks at: this client is to cost little.
            let (most, flags) = match self.state {
                State::Header => (1024, MsgFlags::empty()),
                State::Picture { left, length } if self.looks(length, stamps) => {
                    (left.min(buffer.len()), MsgFlags::empty())
                }
                State::Picture { left, .. } => (left.min(buffer.len()), MsgFlags::MSG_TRUNC),
            };
            let got = match recv(self.stream.as_raw_fd(), &mut buffer[..most], flags) {
                Ok(0) | Err(nix::Error::ECONNRESET) => return Ok(false),
                Ok(got) => got,
                Err(nix::Error::EAGAIN) => return Ok(true),
                Err(error) => return Err(error),
            };
            match &mut self.state {
                State::Header => {
                    self.kept.extend_from_slice(&buffer[..got]);
                    self.header();
                }
                State::Picture { left, .. } => {
                    *left -= got;
                    if flags.is_empty() {
                        self.kept.extend_from_slice(&buffer[..got]);
                    }
                }
            }
            if let State::Picture { length, left: 0 } = self.state {
                seen.picture(length, self.age(length, stamps));
                self.state = State::Header;
                self.kept.clear();
            }
        }
    }

    /// Whether more bytes of the picture are needed to know its age.
    fn looks(&self, length: usize, stamps: &Option<Stamps>) -> bool {
        let Some(stamps) = stamps else { return false };
        match self.kept.len() {
            ..NAME_BYTES => true,
            NAME_BYTES.. => self.kept.len() < STAMP_BYTES && !stamps.knows(&self.kept, length),
        }
    }

    /// Goes on to the picture once its header is whole. The answer's own header has no length.
    fn header(&mut self) {
        while let Some(end) = self.kept.windows(4).position(|four| four == b"\r\n\r\n") {
            let header = String::from_utf8_lossy(&self.kept[..end]).to_ascii_lowercase();
            let value = |name: &str| Some(header.rsplit_once(name)?.1.lines().next()?.trim());
            let length = value("content-length:").and_then(|text| text.parse().ok());
            self.timestamp = value("x-timestamp:").and_then(|text| text.parse().ok());
            self.kept.drain(..end + 4);
            if let Some(length) = length {
                let left = usize::saturating_sub(length, self.kept.len());
                self.state = State::Picture { length, left };
                return;
            }
        }
    }

    fn age(&self, length: usize, stamps: &mut Option<Stamps>) -> Option<f64> {
        let captured = match stamps {
            Some(stamps) => stamps.time(&self.kept, length),
            None => self.timestamp,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(now.as_secs_f64() - captured?)
    }
}

/// The capture times of pictures, read from their stamps: once a picture, not once a client.
#[derive(Default)]
struct Stamps {
    times: HashMap<u64, Option<f64>>,
}

impl Stamps {
    fn name(start: &[u8], length: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&start[..start.len().min(NAME_BYTES)], length).hash(&mut hasher);
        hasher.finish()
    }

    fn knows(&self, start: &[u8], length: usize) -> bool {
        self.times.contains_key(&Self::name(start, length))
    }

    fn time(&mut self, start: &[u8], length: usize) -> Option<f64> {
        let name = Self::name(start, length);
        *self.times.entry(name).or_insert_with(|| stamp_time(start))
    }
}

/// Unix seconds in the stamp of a JPEG of which `start` came. See src/picture/draw.rs for its layout.
fn stamp_time(start: &[u8]) -> Option<f64> {
    const COLUMNS: usize = STAMP_BITS / 2;
    let mut decompressor = Decompressor::new().ok()?;
    let header = decompressor.read_header(start).ok()?;
    decompressor
        .set_scaling_factor(ScalingFactor::ONE_EIGHTH)
        .ok()?;
    let scaled = header.scaled(ScalingFactor::ONE_EIGHTH);
    let mut pixels = vec![0; scaled.width * scaled.height];
    let gray = Image {
        pixels: &mut pixels[..],
        width: scaled.width,
        pitch: scaled.width,
        height: scaled.height,
        format: PixelFormat::GRAY,
    };
    let _ = decompressor.decompress(start, gray); // it ends early; the stamp is at the top
    let block = (header.width / 72) & !1;
    let centre = |index: usize| (index * block + block + block / 2) / 8;
    let bits = (0..STAMP_BITS).fold(0u128, |bits, index| {
        let at = centre(index / COLUMNS) * scaled.width + centre(index % COLUMNS);
        bits << 1 | u128::from(pixels[at] > 128)
    });
    let payload = &(bits >> 16).to_be_bytes()[6..];
    let milliseconds = (bits >> 16) as u64 & 0xffff_ffff_ffff;
    (crc16(payload) == bits as u16).then_some(milliseconds as f64 / 1000.0)
}

/// Time on a processor that a process has spent so far, threads that have ended among it.
fn processor_seconds(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or("").split(' ').collect();
    let [user, system] = [fields[12].parse::<f64>()?, fields[13].parse::<f64>()?];
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100);
    Ok((user + system) / ticks as f64)
}

fn resident_megabytes(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmRSS")?
        .parse()?;
    Ok(kib * 1024.0 / 1e6)
}
