//! Whose page asks. picam knows no users: what keeps pages of other sites from reading its pictures and from changing its
//! settings, through the browser of somebody on its network, is what that browser says of itself and of them. Programs
//! are no such way in: they do what their user wants.

use super::request::Request;
use crate::config::ServerConfig;
use std::net::IpAddr;

/// Ends of names that are only known on a local network.
const LOCAL: [&str; 5] = [".local", ".lan", ".home.arpa", ".internal", ".localhost"];

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// A public name: whoever owns it makes a browser believe that his pages and this camera are one (DNS rebinding).
    #[error("Host = {0:?}: expected an address, a local name, or one of server.names")]
    Name(String),
    /// A page of another site.
    #[error("{0}: expected a page of this camera, or of server.allow_origin")]
    Page(String),
    /// A browser that does not say who asks. The user may have typed the address; an `<img>` of any page looks the same.
    #[error("expected a POST from a browser, or server.direct_set = true")]
    Unclear,
}

/// Whether a browser may show the answer to its user.
///
/// # Errors
/// [`Foreign::Name`].
pub fn may_read(request: &Request, server: &ServerConfig) -> Result<(), Foreign> {
    match request.is_from_web_engine() {
        true => check_name(request, server),
        false => Ok(()),
    }
}

/// Whether the request may change something.
///
/// # Errors
/// All kinds.
pub fn may_change(request: &Request, server: &ServerConfig) -> Result<(), Foreign> {
    check_name(request, server)?;
    let is_ours = |origin: &str| {
        let host = origin
            .strip_prefix("http://")
            .or(origin.strip_prefix("https://"));
        host.is_some() && host == request.host.as_deref()
            || !origin.is_empty() && origin == server.allow_origin
    };
    let foreign = |header, value: &str| Err(Foreign::Page(format!("{header} = {value:?}")));
    let is_post = request.method == "POST";
    match (request.fetch_site.as_deref(), request.origin.as_deref()) {
        (Some("same-origin"), _) => return Ok(()),
        (Some("none"), None) if !is_post => return Ok(()), // typed, or a bookmark
        (_, Some(origin)) if is_ours(origin) => return Ok(()),
        (_, Some(origin)) => return foreign("Origin", origin),
        (Some(site), None) => return foreign("Sec-Fetch-Site", site),
        (None, None) => {}
    }
    if !request.is_from_web_engine() {
        return Ok(());
    }
    if is_post {
        return foreign("Origin", ""); // all browsers send it
    }
    match request.referer.as_deref().map(origin_of) {
        Some(origin) if is_ours(origin) => Ok(()),
        Some(origin) => foreign("Referer", origin),
        None if server.direct_set => Ok(()),
        None => Err(Foreign::Unclear),
    }
}

fn check_name(request: &Request, server: &ServerConfig) -> Result<(), Foreign> {
    let Some(host) = &request.host else {
        return Ok(()); // HTTP/1.0
    };
    let name = name_of(host);
    let is_local = name.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || LOCAL.iter().any(|end| name.ends_with(end));
    match is_local || server.names.contains(&name) {
        true => Ok(()),
        false => Err(Foreign::Name(host.clone())),
    }
}

/// `Camera.Local.:8000` → `camera.local`, `[::1]:8000` → `::1`.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// `http://host:8000/path` → `http://host:8000`.
fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: (&str, &str) = ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)");
    const HOST: (&str, &str) = ("Host", "192.168.1.7:8000");

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        Request::new(method, "/set?LensPosition=1", headers)
    }

    fn server() -> ServerConfig {
        ServerConfig {
            names: vec!["camera.example.org".into()],
            allow_origin: "http://dashboard.example".into(),
            ..ServerConfig::default()
        }
    }

    fn changes(method: &str, headers: &[(&str, &str)]) -> Result<(), Foreign> {
        may_change(&request(method, headers), &server())
    }

    #[test]
    fn names_that_only_the_local_network_knows() {
        for host in [
            "192.168.1.7",
            "192.168.1.7:8000",
            "[fe80::1]:8000",
            "localhost:8000",
            "picam",
            "Picam.Local.:80",
            "a.lan",
            "cam.home.arpa",
            "cam.internal",
            "camera.example.org:8000",
        ] {
            let request = request("GET", &[("Host", host), BROWSER]);
            assert_eq!(may_read(&request, &server()), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8000",
            "local.evil.example",
            "1.2.3.4.evil.example",
            "a.b",
        ] {
            let name = Err(Foreign::Name(host.into()));
            let browser = request("GET", &[("Host", host), BROWSER]);
            assert_eq!(may_read(&browser, &server()), name, "{host}");
            let program = request("GET", &[("Host", host)]);
            assert_eq!(may_read(&program, &server()), Ok(()), "{host}");
            assert_eq!(may_change(&program, &server()), name, "{host}");
        }
    }

    #[test]
    fn programs_and_our_own_pages_change_what_they_like() {
        let own = ("Origin", "http://192.168.1.7:8000");
        for (method, headers) in [
            ("GET", &[][..]),
            ("GET", &[HOST, ("User-Agent", "curl/8.14")]),
            ("POST", &[HOST, ("User-Agent", "python-requests/2.32")]),
            ("POST", &[HOST, BROWSER, own]),
            (
                "POST",
                &[HOST, BROWSER, ("Origin", "https://192.168.1.7:8000")],
            ),
            (
                "POST",
                &[
                    HOST,
                    BROWSER,
                    ("Origin", "http://other"),
                    ("Sec-Fetch-Site", "same-origin"),
                ],
            ),
            (
                "POST",
                &[
                    HOST,
                    BROWSER,
                    ("Origin", "http://dashboard.example"),
                    ("Sec-Fetch-Site", "cross-site"),
                ],
            ),
            (
                "GET",
                &[HOST, BROWSER, ("Referer", "http://192.168.1.7:8000/")],
            ),
            (
                "GET",
                &[HOST, BROWSER, ("Referer", "http://192.168.1.7:8000")],
            ),
            ("GET", &[HOST, BROWSER, ("Sec-Fetch-Site", "none")]),
        ] {
            assert_eq!(changes(method, headers), Ok(()), "{method} {headers:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        for (method, headers) in [
            ("POST", &[HOST, BROWSER][..]),
            ("POST", &[HOST, BROWSER, ("Origin", "null")]),
            ("POST", &[HOST, BROWSER, ("Origin", "http://evil.example")]),
            ("POST", &[HOST, BROWSER, ("Origin", "http://192.168.1.7")]),
            ("POST", &[HOST, BROWSER, ("Sec-Fetch-Site", "none")]),
            ("POST", &[HOST, ("Origin", "http://evil.example")]),
            ("GET", &[HOST, BROWSER, ("Sec-Fetch-Site", "cross-site")]),
            ("GET", &[HOST, BROWSER, ("Sec-Fetch-Site", "same-site")]),
            (
                "GET",
                &[
                    HOST,
                    BROWSER,
                    ("Referer", "http://evil.example/192.168.1.7:8000"),
                ],
            ),
            (
                "GET",
                &[
                    HOST,
                    BROWSER,
                    ("Referer", "http://192.168.1.7:8000.evil.example/"),
                ],
            ),
            ("GET", &[BROWSER, ("Origin", "http://")]),
        ] {
            let refused = changes(method, headers);
            assert!(
                matches!(refused, Err(Foreign::Page(_))),
                "{method} {headers:?}: {refused:?}"
            );
        }
        assert_eq!(changes("GET", &[HOST, BROWSER]), Err(Foreign::Unclear));
        let direct = ServerConfig {
            direct_set: true,
            ..server()
        };
        let typed = request("GET", &[HOST, BROWSER]);
        assert_eq!(may_change(&typed, &direct), Ok(()));
    }

    #[test]
    fn any_page_may_read_but_not_change() {
        let open = ServerConfig {
            allow_origin: "*".into(),
            ..server()
        };
        let page = request("POST", &[HOST, BROWSER, ("Origin", "http://evil.example")]);
        assert!(may_change(&page, &open).is_err());
    }
}
