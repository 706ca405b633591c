//! `picam --probe URL`: asks a running picam as any client would, and tells in one line how it is. The appliance's guard
//! decides by that line what to kill; its exit code only tells whether all is well.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// The answer has to be complete within this time.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// No answer of picam is larger: a JPEG of 12 megapixels at quality 100 is half of it.
const LARGEST: u64 = 32 << 20;

/// What a URL must look like.
pub const URL_EXPECTED: &str = "http://ADDR:PORT/PATH with a numeric address";

/// Where to ask. The address is numeric: a name would have to be resolved first, without a limit on the time for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    address: SocketAddr,
    path: String,
}

impl FromStr for Url {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix("http://").ok_or(())?;
        let slash = rest.find('/').unwrap_or(rest.len());
        let (address, path) = rest.split_at(slash);
        let path = if path.is_empty() { "/" } else { path };
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(());
        }
        Ok(Self {
            address: address.parse().map_err(drop)?,
            path: path.to_owned(),
        })
    }
}

/// How a picam is. Displayed as one line that begins with one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// 200, with the number of the picture's frame if it is one.
    Live(Option<u64>),
    /// It answers, but not with 200; and its line.
    Blind(String),
    /// It answers, but refuses for a limit on places: whether pictures flow is not known; and its line.
    Full(String),
    /// There is no complete answer in time, and why.
    Silent(String),
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Health::Live(None) => write!(f, "live"),
            Health::Live(Some(frame)) => write!(f, "live {frame}"),
            Health::Blind(line) => write!(f, "blind {line}"),
            Health::Full(line) => write!(f, "full {line}"),
            Health::Silent(reason) => write!(f, "silent {reason}"),
        }
    }
}

/// Asks, within [`PATIENCE`].
pub fn ask(url: &Url) -> Health {
    match exchange(url, Instant::now() + PATIENCE) {
        Ok(answer) => judge(&answer),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Health::Silent(format!("no answer within {PATIENCE:?}"))
        }
        Err(error) => Health::Silent(error.to_string()),
    }
}

/// All bytes of the answer.
fn exchange(url: &Url, until: Instant) -> io::Result<Vec<u8>> {
    let left = || match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::WouldBlock)),
        left => Ok(left),
    };
    let mut stream = TcpStream::connect_timeout(&url.address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    // At once: a picam that is full answers and closes before it has read anything.
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", url.path, url.address);
    let sent = stream.write_all(request.as_bytes());
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut part) {
            Ok(0) if answer.is_empty() => return sent.map(|()| answer),
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !answer.is_empty() => {
                return Ok(answer);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if answer.len() as u64 > LARGEST {
            return Err(io::Error::other("the answer does not end"));
        }
    }
}

fn judge(answer: &[u8]) -> Health {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = response.parse(answer) else {
        return Health::Silent("what comes is no HTTP answer".into());
    };
    let header = |name: &str| {
        let mut all = response.headers.iter();
        let found = all.find(|it| it.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let body = &answer[length..];
    let whole = header("Content-Length").and_then(|length| length.parse().ok());
    if whole != Some(body.len()) {
        return Health::Silent("the answer breaks off".into());
    }
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default().to_owned();
    match response.code {
        Some(200) => Health::Live(header("X-Frame").and_then(|number| number.parse().ok())),
        _ if header("X-Limit").is_some() => Health::Full(line),
        _ => Health::Blind(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str, body: &str) -> String {
        let head = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        judge(head.as_bytes()).to_string()
    }

    #[test]
    fn urls_are_numeric() {
        let url: Url = "http://127.0.0.1:8000/jpg".parse().unwrap();
        assert_eq!((url.address.port(), &*url.path), (8000, "/jpg"));
        assert_eq!("http://[::1]:80".parse::<Url>().unwrap().path, "/");
        for wrong in [
            "",
            "127.0.0.1:8000/",
            "http://picam:8000/",
            "https://127.0.0.1:1/",
            "http://127.0.0.1/",
            "http://127.0.0.1:1/a b",
        ] {
            assert_eq!(wrong.parse::<Url>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn full_is_not_blind() {
        assert_eq!(judged("HTTP/1.1 200 OK", "ok\n"), "live");
        assert_eq!(judged("HTTP/1.1 200 OK\r\nX-Frame: 12", "jpeg"), "live 12");
        let unavailable = "HTTP/1.1 503 Service Unavailable";
        assert_eq!(judged(unavailable, "no signal\n"), "blind no signal");
        let limit = format!("{unavailable}\r\nX-Limit: connections");
        assert_eq!(judged(&limit, "all taken\n"), "full all taken");
        assert_eq!(
            judged("ICY 200 OK", ""),
            "silent what comes is no HTTP answer"
        );
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        assert_eq!(judge(half).to_string(), "silent the answer breaks off");
    }
}
