//! What of a request matters to picam.

/// A parsed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As it came.
    pub method: String,
    /// What is asked for, without its query.
    pub path: String,
    /// Without its question mark.
    pub query: String,
    /// How many headers it has.
    pub header_count: usize,
    /// The value of Accept, in lower case.
    pub accept: String,
    /// The value of Accept-Encoding, in lower case.
    pub accept_encoding: String,
    /// The value of If-None-Match.
    pub if_none_match: Option<String>,
    /// The value of Content-Length, if it is not a number of bytes.
    pub bad_length: Option<String>,
    /// Whether a body follows.
    pub has_body: bool,
    /// The value of Host.
    pub host: Option<String>,
    /// The value of Origin.
    pub origin: Option<String>,
    /// The value of Referer.
    pub referer: Option<String>,
    /// The value of Sec-Fetch-Site.
    pub fetch_site: Option<String>,
    /// The value of User-Agent.
    pub user_agent: Option<String>,
    /// The value of Authorization.
    pub authorization: Option<String>,
}

impl Request {
    /// Takes over method, target and headers (names and values) as they came.
    pub(super) fn new<'a>(
        method: &str,
        target: &str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        // A proxy may ask for an absolute URI.
        let target = match target.strip_prefix("http://") {
            Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            header_count: 0,
            accept: String::new(),
            accept_encoding: String::new(),
            if_none_match: None,
            bad_length: None,
            has_body: false,
            host: None,
            origin: None,
            referer: None,
            fetch_site: None,
            user_agent: None,
            authorization: None,
        };
        for (name, value) in headers {
            request.header_count += 1;
            request.take_over(name, String::from_utf8_lossy(value).trim());
        }
        request
    }

    fn take_over(&mut self, name: &str, value: &str) {
        let header = match name.to_ascii_lowercase().as_str() {
            "accept" => {
                self.accept = value.to_ascii_lowercase();
                return;
            }
            "accept-encoding" => {
                self.accept_encoding = value.to_ascii_lowercase();
                return;
            }
            "if-none-match" => &mut self.if_none_match,
            "content-length" => match is_length(value) {
                true => return self.has_body |= value.bytes().any(|digit| digit != b'0'),
                false => &mut self.bad_length,
            },
            "transfer-encoding" => return self.has_body = true,
            "host" => &mut self.host,
            "origin" => &mut self.origin,
            "referer" => &mut self.referer,
            "sec-fetch-site" => &mut self.fetch_site,
            "user-agent" => &mut self.user_agent,
            "authorization" => &mut self.authorization,
            _ => return,
        };
        header.get_or_insert(value.to_owned());
    }

    /// The value of a query parameter. Names and numbers only: nothing here is ever percent-encoded.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        // mjpg-streamer's clients append a second "?" against caches.
        let pairs = self.query.split(['&', '?']);
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Whether only the head of the response is asked for.
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether a browser asks, for itself or for an `<img>`: programs accept `*/*`, or say nothing.
    pub(super) fn is_from_browser(&self) -> bool {
        self.accept.contains("image/")
    }

    /// Whether the answer may be compressed by gzip.
    pub(super) fn takes_gzip(&self) -> bool {
        self.accept_encoding.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let weight = weight
                .trim()
                .strip_prefix("q=")
                .and_then(|q| q.parse().ok());
            name.trim() == "gzip" && weight.is_some_and(|weight: f64| weight > 0.0)
        })
    }

    /// Whether the browser has the answer already, by its tag.
    pub(super) fn has(&self, tag: &str) -> bool {
        let known = self.if_none_match.as_deref().unwrap_or_default();
        known
            .split(',')
            .any(|known| [tag, "*"].contains(&known.trim()))
    }

    /// Whether something asks that runs the scripts of pages, for whatever: no page can make it say something else.
    pub(super) fn is_from_web_engine(&self) -> bool {
        self.user_agent
            .as_ref()
            .is_some_and(|agent| agent.starts_with("Mozilla/"))
    }
}

fn is_length(value: &str) -> bool {
    !value.starts_with('+') && value.parse::<u64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        Request::new("GET", target, headers)
    }

    #[test]
    fn targets_are_taken_apart() {
        let plain = request("/stream?fps=2&x", &[]);
        assert_eq!(
            (&*plain.path, plain.parameter("fps")),
            ("/stream", Some("2"))
        );
        let absolute = request("http://camera:8000/jpg?fresh=1", &[]);
        assert_eq!((&*absolute.path, &*absolute.query), ("/jpg", "fresh=1"));
        assert_eq!(request("http://camera", &[]).path, "/");
        let twice = request("/?action=stream?dummy=1.mjpg", &[]);
        assert_eq!(twice.parameter("action"), Some("stream"));
    }

    #[test]
    fn lengths_that_are_none_are_kept_for_the_refusal() {
        let bad = |value| request("/", &[("content-LENGTH", value)]).bad_length;
        assert_eq!(bad("12"), None);
        assert_eq!(bad("0"), None);
        for value in ["+1", "-1", "abc", "1 1", "", "99999999999999999999999"] {
            assert_eq!(bad(value).as_deref(), Some(value));
        }
    }

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        let takes = |value| request("/", &[("Accept-Encoding", value)]).takes_gzip();
        for value in ["gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.8, *;q=0.1"] {
            assert!(takes(value), "{value}");
        }
        for value in [
            "",
            "identity",
            "gzip;q=0",
            "deflate, gzip; q=0.0",
            "x-gzip-not",
        ] {
            assert!(!takes(value), "{value}");
        }
        assert!(!request("/", &[]).takes_gzip());
    }

    #[test]
    fn what_a_browser_has_is_told_by_its_tag() {
        let has = |value| request("/", &[("If-None-Match", value)]).has("W/\"a\"");
        assert!(has("W/\"a\"") && has("\"b\", W/\"a\"") && has("*"));
        assert!(!has("W/\"b\"") && !has("") && !request("/", &[]).has("W/\"a\""));
    }

    #[test]
    fn browsers_are_told_by_what_they_accept() {
        let img = "image/avif,image/webp,image/apng,*/*;q=0.8";
        assert!(request("/", &[("Accept", img)]).is_from_browser());
        assert!(!request("/", &[("Accept", "*/*")]).is_from_browser());
        assert!(!request("/", &[]).is_from_browser());
    }
}
