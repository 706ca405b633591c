//! Who may, where the owner has set a token: `server.token` for everything, `server.key` for reading alone. Pages send
//! the token as Bearer, programs as the password of Basic; a key stands in the query, for an `<img>` has no headers.

use super::reply::{Reply, Status};
use super::request::Request;
use crate::config::ServerConfig;
use base64::prelude::{BASE64_STANDARD, Engine};
use subtle::ConstantTimeEq;

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Something that everybody may.
    Open,
    /// Read pictures, or what picam tells of itself.
    Read,
    /// Change something.
    Change,
}

/// Why a request may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It has neither token nor key.
    Asked,
    /// What it has is wrong.
    Wrong,
}

/// Whether the request has what it needs.
///
/// # Errors
/// It has not.
pub(super) fn check(
    request: &Request,
    purpose: Purpose,
    server: &ServerConfig,
) -> Result<(), Denied> {
    let is_needed = match purpose {
        Purpose::Open => false,
        Purpose::Read => !server.key.is_empty(),
        Purpose::Change => !server.token.is_empty(),
    };
    if !is_needed {
        return Ok(());
    }
    let token = request.authorization.as_deref().map(token_of);
    let key = match purpose {
        Purpose::Read => request.parameter("key"),
        _ => None,
    };
    let is_right =
        |given: &str, expected: &str| bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
    match (token, key) {
        (Some(Some(token)), _) if is_right(&token, &server.token) => Ok(()),
        (_, Some(key)) if is_right(key, &server.key) => Ok(()),
        (None, None) => Err(Denied::Asked),
        _ => Err(Denied::Wrong),
    }
}

/// The token in the value of Authorization, if it is of a kind that picam knows.
fn token_of(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(value.to_owned()),
        "basic" => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(value).ok()?).ok()?;
            Some(pair.split_once(':')?.1.to_owned()) // whatever the user's name is
        }
        _ => None,
    }
}

impl Denied {
    pub(super) fn reply(self, purpose: Purpose) -> Reply {
        let expected = match purpose {
            Purpose::Change => "server.token, as Bearer or as the password of Basic",
            _ => "server.token, as Bearer or as the password of Basic, or ?key= with server.key",
        };
        let what = match self {
            Denied::Asked => "no token",
            Denied::Wrong => "a wrong token or key",
        };
        let line = format!("{what}: expected {expected}");
        Reply::line(Status::Unauthorized, &line).with(
            "WWW-Authenticate",
            "Basic realm=\"picam\", charset=\"UTF-8\"",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(token: &str, key: &str) -> ServerConfig {
        ServerConfig {
            token: token.into(),
            key: key.into(),
            ..ServerConfig::default()
        }
    }

    fn request(query: &str, authorization: Option<&str>) -> Request {
        let headers = authorization.map(|value| ("Authorization", value.as_bytes()));
        Request::new("GET", &format!("/jpg{query}"), headers.into_iter())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    #[test]
    fn nothing_is_needed_where_nothing_is_set() {
        let anybody = request("", None);
        for purpose in [Purpose::Open, Purpose::Read, Purpose::Change] {
            assert_eq!(check(&anybody, purpose, &server("", "")), Ok(()));
        }
        let guarded = server("secret-token", "view-key");
        assert_eq!(check(&anybody, Purpose::Open, &guarded), Ok(()));
        assert_eq!(
            check(&anybody, Purpose::Read, &server("secret-token", "")),
            Ok(())
        );
    }

    #[test]
    fn the_token_opens_everything_and_the_key_pictures_alone() {
        let guarded = server("secret:token", "view-key");
        let both = [Purpose::Read, Purpose::Change];
        for good in [
            "Bearer secret:token",
            "bearer  secret:token",
            &basic("anybody:secret:token"),
        ] {
            for purpose in both {
                assert_eq!(
                    check(&request("", Some(good)), purpose, &guarded),
                    Ok(()),
                    "{good}"
                );
            }
        }
        for bad in [
            "Bearer view-key",
            "Bearer secret",
            "Bearer ",
            "Basic ???",
            "Digest x",
            &basic("secret:token:"),
        ] {
            for purpose in both {
                let outcome = check(&request("", Some(bad)), purpose, &guarded);
                assert_eq!(outcome, Err(Denied::Wrong), "{bad}");
            }
        }
        let with_key = request("?key=view-key", None);
        assert_eq!(check(&with_key, Purpose::Read, &guarded), Ok(()));
        assert_eq!(
            check(&with_key, Purpose::Change, &guarded),
            Err(Denied::Asked)
        );
        for bad in [
            "?key=",
            "?key=secret:token",
            "?key=view-ke",
            "?key=view-key1",
        ] {
            assert_eq!(
                check(&request(bad, None), Purpose::Read, &guarded),
                Err(Denied::Wrong),
                "{bad}"
            );
        }
        for purpose in both {
            assert_eq!(
                check(&request("", None), purpose, &guarded),
                Err(Denied::Asked)
            );
        }
    }
}
