//! Whole responses. picam writes every byte itself: may_minihttp's own responses copy the body, allow 16
//! headers, and know no HEAD.

use crate::hub::Jpeg;
use std::fmt::{self, Write};
use std::sync::Arc;

/// The status codes that picam answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 204
    NoContent,
    /// 304
    NotModified,
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 409
    Conflict,
    /// 408
    RequestTimeout,
    /// 413
    TooLarge,
    /// 429
    TooMany,
    /// 431
    HeaderTooLarge,
    /// 500
    InternalError,
    /// 503
    Unavailable,
    /// 507
    InsufficientStorage,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Ok => "200 OK",
            Status::NoContent => "204 No Content",
            Status::NotModified => "304 Not Modified",
            Status::BadRequest => "400 Bad Request",
            Status::Unauthorized => "401 Unauthorized",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::Conflict => "409 Conflict",
            Status::RequestTimeout => "408 Request Timeout",
            Status::TooLarge => "413 Content Too Large",
            Status::TooMany => "429 Too Many Requests",
            Status::HeaderTooLarge => "431 Request Header Fields Too Large",
            Status::InternalError => "500 Internal Server Error",
            Status::Unavailable => "503 Service Unavailable",
            Status::InsufficientStorage => "507 Insufficient Storage",
        })
    }
}

/// A response that is not a stream.
pub struct Reply {
    status: Status,
    content_type: &'static str,
    headers: String,
    caching: &'static str,
    body: Body,
}

enum Body {
    Text(String),
    Jpeg(Arc<Jpeg>),
    BuiltIn(&'static [u8]),
}

impl Reply {
    /// One plain line, given without its newline.
    pub fn line(status: Status, line: &str) -> Self {
        Self::text(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }

    /// Text of any content type.
    pub fn text(status: Status, content_type: &'static str, text: String) -> Self {
        Self {
            status,
            content_type,
            headers: String::new(),
            caching: "no-store",
            body: Body::Text(text),
        }
    }

    /// A JSON value.
    pub fn json(status: Status, value: &serde_json::Value) -> Self {
        Self::text(status, "application/json", format!("{value:#}\n"))
    }

    /// What is built in, of any content type. Browsers keep it, and ask each time whether it is still what `tag` names.
    pub fn built_in(content_type: &'static str, tag: &str, body: &'static [u8]) -> Self {
        Self {
            status: Status::Ok,
            content_type,
            headers: String::new(),
            caching: "no-cache",
            body: Body::BuiltIn(body),
        }
        .with("ETag", tag)
    }

    /// Whether it is 200.
    pub fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// The head alone: the browser has the rest, by the same tag.
    pub fn not_modified(self) -> Self {
        Self {
            status: Status::NotModified,
            body: Body::BuiltIn(&[]),
            ..self
        }
    }

    /// Nothing but a head: 204.
    pub fn nothing() -> Self {
        Self::text(Status::NoContent, "", String::new())
    }

    /// A JPEG, which is not copied, with its time and number.
    pub fn jpeg(jpeg: Arc<Jpeg>) -> Self {
        let (timestamp, sequence) = (jpeg.timestamp.to_string(), jpeg.sequence.to_string());
        let reply = Self {
            status: Status::Ok,
            content_type: "image/jpeg",
            headers: String::new(),
            caching: "no-store",
            body: Body::Jpeg(jpeg),
        };
        reply
            .with("X-Timestamp", &timestamp)
            .with("X-Frame", &sequence)
    }

    /// The picture's number in the hub, if it is one.
    pub fn jpeg_number(&self) -> Option<u64> {
        match &self.body {
            Body::Text(_) | Body::BuiltIn(_) => None,
            Body::Jpeg(jpeg) => Some(jpeg.number),
        }
    }

    /// With one header more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.headers, "{name}: {value}\r\n"); // writing to a String cannot fail
        self
    }

    /// One plain line, from a connection or stream that found no place; `limit` is the key in `[limits]`. Programs
    /// tell by the header that picam is full, and not without pictures.
    pub fn full(status: Status, line: &str, limit: &str) -> Self {
        Self::line(status, &format!("{line} (limits.{limit})")).with("X-Limit", limit)
    }

    /// The status line and all headers, with the empty line. Pages of `allow_origin` may read the answer.
    pub fn head(&self, allow_origin: &str) -> String {
        let about_body = match self.status {
            Status::NoContent | Status::NotModified => String::new(),
            _ => format!(
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                self.content_type,
                self.body().len()
            ),
        };
        format!(
            "HTTP/1.1 {}\r\nServer: picam/{}\r\n{about_body}Cache-Control: {}\r\n{}{}\
             Connection: close\r\n\r\n",
            self.status,
            env!("CARGO_PKG_VERSION"),
            self.caching,
            self.headers,
            allow(allow_origin)
        )
    }

    /// All of it as one text, for last words to a connection that is cut.
    pub fn last_words(&self) -> Vec<u8> {
        [self.head("").as_bytes(), self.body()].concat()
    }

    /// The body's bytes.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Text(text) => text.as_bytes(),
            Body::Jpeg(jpeg) => &jpeg.data,
            Body::BuiltIn(bytes) => bytes,
        }
    }
}

/// The header line that lets pages of `origin` read an answer; none if that is empty.
pub fn allow(origin: &str) -> String {
    match origin {
        "" => String::new(),
        origin => format!("Access-Control-Allow-Origin: {origin}\r\n"),
    }
}
