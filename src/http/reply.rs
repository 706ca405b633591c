//! Whole responses. picam writes every byte itself: may_minihttp's own responses copy the body, allow 16
//! headers, and know no HEAD.

use std::fmt::Write;
use std::sync::Arc;

/// A response that is not a stream.
pub struct Reply {
    status: &'static str,
    content_type: &'static str,
    headers: String,
    body: Body,
}

enum Body {
    Text(String),
    Jpeg(Arc<[u8]>),
}

impl Reply {
    /// One plain line, the newline excepted.
    pub fn line(status: &'static str, line: &str) -> Self {
        Self::text(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }

    /// Text of any content type.
    pub fn text(status: &'static str, content_type: &'static str, text: String) -> Self {
        Self {
            status,
            content_type,
            headers: String::new(),
            body: Body::Text(text),
        }
    }

    /// A JPEG, which is not copied.
    pub fn jpeg(data: Arc<[u8]>) -> Self {
        Self {
            status: "200 OK",
            content_type: "image/jpeg",
            headers: String::new(),
            body: Body::Jpeg(data),
        }
    }

    /// With one header more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.headers, "{name}: {value}\r\n"); // writing to a String cannot fail
        self
    }

    /// The status line and all headers, with the empty line.
    pub fn head(&self) -> String {
        format!(
            "HTTP/1.1 {}\r\nServer: picam/{}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\n{}Connection: close\r\n\r\n",
            self.status,
            env!("CARGO_PKG_VERSION"),
            self.content_type,
            self.body().len(),
            self.headers
        )
    }

    /// The body's bytes.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Text(text) => text.as_bytes(),
            Body::Jpeg(data) => data,
        }
    }
}

/// A whole response of one line, for last words to a connection that is cut.
pub fn plain(status: &'static str, line: &str) -> String {
    let reply = Reply::line(status, line);
    format!("{}{line}\n", reply.head())
}
