//! Examining a request before may_minihttp reads it. may_minihttp prints a line on standard error for each request it
//! cannot parse, hides why, takes fewer headers than browsers send, and gives a client up that has closed its side right
//! behind its request: what has come when a connection is accepted is therefore parsed here first, by the same parser.

use super::reply::Status;
use super::request::Request;

/// A browser sends up to 20 to localhost or by TLS, and a proxy adds a few.
const MOST_HEADERS: usize = 32;
/// may_minihttp's limit, which cannot be lifted from outside.
pub(super) const MINIHTTP_HEADERS: usize = 16;

/// What has come of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Examined {
    /// All of its header.
    Whole(Box<Request>),
    /// Something that no further byte can make a request of, and how it is answered.
    Malformed(Malformed),
    /// Its beginning, or nothing yet.
    Incomplete,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// More than [`MOST_HEADERS`].
    TooManyHeaders,
    /// Not HTTP/1.
    NotHttp,
}

impl Malformed {
    /// The status and the line that answer it.
    pub fn answer(self) -> (Status, &'static str) {
        match self {
            Malformed::TooManyHeaders => (
                Status::HeaderTooLarge,
                "more than 32 request headers; a proxy can remove some, see docs/http.md",
            ),
            Malformed::NotHttp => (
                Status::BadRequest,
                "expected an HTTP/1 request; one that comes in pieces has at most 16 headers",
            ),
        }
    }
}

/// Parses the first bytes of a connection.
pub fn examine(bytes: &[u8]) -> Examined {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => Examined::Incomplete,
        Ok(httparse::Status::Complete(_)) => Examined::Whole(Box::new(Request::new(
            request.method.unwrap_or_default(),
            request.path.unwrap_or_default(),
            request.headers.iter().map(|it| (it.name, it.value)),
        ))),
        Err(httparse::Error::TooManyHeaders) => Examined::Malformed(Malformed::TooManyHeaders),
        Err(_) => Examined::Malformed(Malformed::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_malformed_or_still_to_come() {
        let whole = examine(b"GET /jpg?fresh=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        let Examined::Whole(request) = whole else {
            panic!("{whole:?}");
        };
        assert_eq!((&*request.path, &*request.query), ("/jpg", "fresh=1"));
        for beginning in ["", "GE", "GET /jpg HTTP/1.1\r\nHost: x\r\n", "\r\n\r\n"] {
            assert_eq!(
                examine(beginning.as_bytes()),
                Examined::Incomplete,
                "{beginning}"
            );
        }
        for rubbish in [&b"\0\0\0\0"[..], b"\x16\x03\x01\0", b"GET /jpg\r\n\r\n"] {
            let malformed = Examined::Malformed(Malformed::NotHttp);
            assert_eq!(examine(rubbish), malformed, "{rubbish:?}");
        }
    }

    #[test]
    fn the_thirty_third_header_is_one_too_many() {
        let with = |count: usize| {
            let headers: String = (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect();
            examine(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes())
        };
        assert!(matches!(with(32), Examined::Whole(request) if request.header_count == 32));
        let refused = Examined::Malformed(Malformed::TooManyHeaders);
        assert_eq!(with(33), refused);
    }
}
