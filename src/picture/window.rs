//! A part of a picture, named by fractions: the same part of a picture of any size.

use serde::Serialize;
use std::ops::Range;

/// Left, top, width and height as fractions of the picture's width and height.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window(pub [f64; 4]);

impl Window {
    /// The middle third of each side.
    pub const MIDDLE: Window = Window([1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);

    /// What is expected of a window in text.
    pub const EXPECTED: &str = "x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2";

    /// Reads `x,y,w,h`, which must lie in the picture.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|it| it.trim().parse().ok()).collect();
        let [x, y, width, height]: [f64; 4] = numbers?.try_into().ok()?;
        let inside =
            |start: f64, length: f64| start >= 0.0 && length > 0.0 && start + length <= 1.0;
        (inside(x, width) && inside(y, height)).then_some(Self([x, y, width, height]))
    }

    /// Its columns and rows in a picture of `width` × `height` pixels (both even): rounded outwards to even ones, never
    /// empty.
    pub fn pixels(&self, width: usize, height: usize) -> (Range<usize>, Range<usize>) {
        let [x, y, w, h] = self.0;
        (even(x, w, width), even(y, h, height))
    }
}

/// Parts of a pixel that are the arithmetic's, and not meant.
const ROUNDING: f64 = 1e-6;

fn even(start: f64, length: f64, whole: usize) -> Range<usize> {
    let at = |fraction: f64| fraction * whole as f64;
    let from = ((at(start) + ROUNDING) as usize & !1).min(whole.saturating_sub(2));
    let to = ((at(start + length) - ROUNDING).ceil() as usize).next_multiple_of(2);
    from..to.clamp(from + 2, whole.max(from + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_even_inside_the_picture_and_never_none() {
        let pixels = |window| Window(window).pixels(640, 360);
        assert_eq!(pixels([0.0, 0.0, 1.0, 1.0]), (0..640, 0..360));
        assert_eq!(pixels([0.5, 0.5, 0.25, 0.25]), (320..480, 180..270));
        assert_eq!(pixels([0.501, 0.501, 0.001, 0.001]), (320..322, 180..182));
        assert_eq!(pixels([1.0, 1.0, 0.0, 0.0]), (638..640, 358..360));
        assert_eq!(pixels([0.999, 0.999, 1e-9, 1e-9]), (638..640, 358..360));
    }
}
