//! Parameters that several endpoints read alike. Each refusal is one line.

use super::request::Request;
use crate::controls::{one_of, shown};
use crate::jpeg::WIDTHS;
use crate::picture::Window;
use std::ops::RangeInclusive;

/// Of a JPEG for one request; below, a picture is blocks.
const QUALITIES: RangeInclusive<u8> = 10..=100;
/// Of such a JPEG where none is given: a part is looked at closely, and a still kept.
pub(super) const QUALITY: u8 = 95;
/// Smaller windows show too little for their sharpness to be told from noise.
const LEAST_MEASURED: f64 = 0.125;

/// `name=1` or `name=0`; no value, and no parameter, is 0.
pub(super) fn flag(request: &Request, name: &str) -> Result<bool, String> {
    match request.parameter(name) {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{name} = {}: expected 0 or 1", shown(other))),
    }
}

/// `width=`: one of the widths that are made.
pub(super) fn width(request: &Request) -> Result<Option<u32>, String> {
    let Some(text) = request.parameter("width") else {
        return Ok(None);
    };
    let given = text.parse().ok();
    match WIDTHS.into_iter().find(|&width| Some(width) == given) {
        Some(width) => Ok(Some(width)),
        None => {
            let widths = WIDTHS.map(|width| width.to_string());
            let widths = one_of(&widths.each_ref().map(String::as_str));
            Err(format!("width = {}: expected {widths}", shown(text)))
        }
    }
}

/// `quality=`: of a JPEG for this request alone.
pub(super) fn quality(request: &Request) -> Result<Option<u8>, String> {
    let Some(text) = request.parameter("quality") else {
        return Ok(None);
    };
    match text.parse().ok().filter(|it| QUALITIES.contains(it)) {
        Some(quality) => Ok(Some(quality)),
        None => {
            let ((least, most), given) = (QUALITIES.into_inner(), shown(text));
            Err(format!(
                "quality = {given}: expected an integer from {least} to {most}"
            ))
        }
    }
}

/// `name=x,y,w,h`.
pub(super) fn window(request: &Request, name: &str) -> Result<Option<Window>, String> {
    // Programs write the commas as they are, browsers as %2C.
    let mut pairs = form_urlencoded::parse(request.query.as_bytes());
    let Some((_, text)) = pairs.find(|(key, _)| key == name) else {
        return Ok(None);
    };
    match Window::parse(&text) {
        Some(window) => Ok(Some(window)),
        None => {
            let expected = Window::EXPECTED;
            Err(format!("{name} = {}: expected {expected}", shown(&text)))
        }
    }
}

/// `window=x,y,w,h`, large enough to be measured.
pub(super) fn measured_window(request: &Request) -> Result<Option<Window>, String> {
    let window = window(request, "window")?;
    match window {
        Some(Window([_, _, width, height])) if width.min(height) < LEAST_MEASURED => Err(format!(
            "window: {width} by {height} of the picture: expected at least {LEAST_MEASURED} by {LEAST_MEASURED}"
        )),
        window => Ok(window),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str) -> Request {
        Request::new("GET", &format!("/jpg?{query}"), std::iter::empty())
    }

    #[test]
    fn flags_widths_qualities_and_windows_are_read_or_refused_in_one_line() {
        assert_eq!(flag(&request("raw=1"), "raw"), Ok(true));
        assert_eq!(flag(&request("raw="), "raw"), Ok(false));
        assert_eq!(
            flag(&request("raw=yes"), "raw").unwrap_err(),
            "raw = \"yes\": expected 0 or 1"
        );
        assert_eq!(width(&request("width=480")), Ok(Some(480)));
        assert_eq!(width(&request("")), Ok(None));
        for bad in ["481", "0480x", "", "-480", "NaN"] {
            assert_eq!(
                width(&request(&format!("width={bad}"))).unwrap_err(),
                format!("width = {bad:?}: expected 480, 960 or 1440")
            );
        }
        assert_eq!(quality(&request("quality=10")), Ok(Some(10)));
        assert_eq!(quality(&request("")), Ok(None));
        for bad in ["9", "101", "256", "-1", "8e1", "NaN", ""] {
            assert_eq!(
                quality(&request(&format!("quality={bad}"))).unwrap_err(),
                format!("quality = {bad:?}: expected an integer from 10 to 100")
            );
        }
        let whole = Some(Window([0.0, 0.0, 1.0, 1.0]));
        assert_eq!(measured_window(&request("window=0,0,1,1")), Ok(whole));
        assert_eq!(measured_window(&request("window=0%2C0%2c1%2C1")), Ok(whole));
        for bad in [
            "",
            "1",
            "0,0,1",
            "0,0,0,1",
            "0.5,0,0.6,1",
            "nan,0,1,1",
            "0,0,1,1,1",
            "inf,0,1,1",
        ] {
            let line = window(&request(&format!("crop={bad}")), "crop").unwrap_err();
            assert_eq!(
                line,
                format!(
                    "crop = {bad:?}: expected x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2"
                )
            );
        }
        assert_eq!(
            measured_window(&request("window=0,0,0.1,0.5")).unwrap_err(),
            "window: 0.1 by 0.5 of the picture: expected at least 0.125 by 0.125"
        );
    }
}
