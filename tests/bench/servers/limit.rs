//! As little as a server can do: the next of a folder's JPEGs at each tick, one `writev` a client, nothing else. It is what
//! `make bench` compares the cost of clients with.
//!
//! `bench-limit FOLDER HERTZ PORT` listens on 127.0.0.1. A client that is not ready for a picture misses it.

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n";
const END: &[u8] = b"\r\n--frame\r\n";
/// Of the listener among the clients' numbers.
const LISTENER: u64 = u64::MAX;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, hertz, port] = arguments.as_slice() else {
        return Err("expected FOLDER HERTZ PORT".into());
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|it| it == "jpg"));
    files.sort();
    let jpegs = files.iter().map(|file| Ok(Rc::new(std::fs::read(file)?)));
    let jpegs = jpegs.collect::<std::io::Result<Vec<_>>>()?;
    let mut pictures = jpegs.iter().cycle();
    let interval = Duration::from_secs_f64(1.0 / hertz.parse::<f64>()?);

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?))?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut due = Instant::now();
    let mut events = [EpollEvent::empty(); 64];
    loop {
        // Whole milliseconds are waited for: rather late than again and again.
        let patience = due.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        let count = epoll.wait(&mut events, EpollTimeout::try_from(patience)?)?;
        for event in &events[..count] {
            if event.data() == LISTENER {
                let client = Client::greet(listener.accept()?.0)?;
                let writable = EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
                epoll.add(
                    &client.stream,
                    EpollEvent::new(writable, clients.len() as u64),
                )?;
                clients.push(Some(client));
            } else {
                write(&mut clients[event.data() as usize]);
            }
        }
        if Instant::now() >= due {
            due += interval;
            let jpeg = pictures.next().ok_or("no .jpg in FOLDER")?;
            let header = Rc::new(header(jpeg.len()));
            for client in clients.iter_mut().flatten() {
                if client.picture.is_none() {
                    client.picture = Some((Rc::clone(&header), Rc::clone(jpeg)));
                }
            }
            clients.iter_mut().for_each(write);
        }
    }
}

fn header(length: usize) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {:.6}\r\n\r\n",
        now.as_secs_f64()
    )
}

struct Client {
    stream: TcpStream,
    /// Header and JPEG of what is being written.
    picture: Option<(Rc<String>, Rc<Vec<u8>>)>,
    written: usize,
}

impl Client {
    fn greet(mut stream: TcpStream) -> std::io::Result<Self> {
        let _ = stream.read(&mut [0; 1024])?; // whatever is asked for
        stream.write_all(ANSWER)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            picture: None,
            written: 0,
        })
    }
}

/// Writes what a client's socket takes of its picture. One that has gone is forgotten.
fn write(slot: &mut Option<Client>) {
    let Some(client) = slot else { return };
    while let Some((header, jpeg)) = &client.picture {
        let mut slices = [header.as_bytes(), jpeg, END].map(IoSlice::new);
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, client.written);
        match client.stream.write_vectored(left) {
            Ok(count) => client.written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => {
                *slot = None;
                return;
            }
        }
        if client.written >= header.len() + jpeg.len() + END.len() {
            (client.picture, client.written) = (None, 0);
        }
    }
}
