//! Smaller copies of frames, for clients that cannot take so much.

use crate::camera::Frame;
use crate::picture::{Picture, Pool, scale};
use fast_image_resize::Resizer;

/// Makes copies of one width.
pub(super) struct Shrink {
    width: usize,
    resizer: Resizer,
    /// Of the size that the last frame became.
    copies: Option<((usize, usize), Pool)>,
}

impl Shrink {
    pub(super) fn to(width: usize) -> Self {
        Self {
            width,
            resizer: Resizer::new(),
            copies: None,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A copy of `frame`, which is wider.
    pub(super) fn shrink(&mut self, frame: &Frame) -> Frame {
        let height = shrunk_height(self.width, (frame.width, frame.height));
        let size = (self.width, height);
        if self.copies.as_ref().is_none_or(|(of, _)| *of != size) {
            let blank = Picture::filled(self.width, height, [0, 128, 128]);
            self.copies = Some((size, Pool::new(blank)));
        }
        let Some((_, copies)) = &mut self.copies else {
            return frame.clone(); // never: it was just set
        };
        let planes = copies.paint(|copy| {
            let from = (frame.width, frame.height);
            scale(&mut self.resizer, frame.planes.as_ref(), from, copy);
        });
        Frame {
            width: self.width,
            height,
            planes,
            ..frame.clone()
        }
    }
}

/// How high a copy of `width` columns is, even.
pub fn shrunk_height(width: usize, (columns, rows): (usize, usize)) -> usize {
    ((width * rows).div_ceil(columns) & !1).max(2)
}
