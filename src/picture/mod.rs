//! Pictures in memory: planar YUV, full range BT.601, as JPEG wants it; 4:2:0 (I420), and stills 4:4:4 if they are to be.

mod draw;
mod scale;
mod turn;
mod window;

pub use draw::{STAMP_BITS, Stamp, crc16, text};
pub use scale::{crop, scale};
pub use turn::Turn;
pub use window::Window;

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One plane of samples, a byte each.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// The samples, row by row; at least `stride × rows` long, but for the last row's padding.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// How many samples of colour a picture has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chroma {
    /// One for each four pixels.
    #[default]
    #[serde(rename = "4:2:0")]
    Quarter,
    /// One for each pixel.
    #[serde(rename = "4:4:4")]
    Full,
}

impl Chroma {
    /// How many pixels there are for a sample of plane `index` (0 Y, 1 Cb, 2 Cr), in either direction.
    pub fn divisor(self, index: usize) -> usize {
        match (self, index) {
            (Self::Quarter, 1..) => 2,
            _ => 1,
        }
    }
}

/// Something that holds the three planes of a picture: a buffer of our own or a camera's.
pub trait Planes: Send + Sync {
    /// Y (width × height), Cb and Cr: for 4:2:0 half of that in both directions, rounded up, for 4:4:4 the same.
    fn planes(&self) -> [Plane<'_>; 3];

    /// Size of the planes of colour.
    fn chroma(&self) -> Chroma {
        Chroma::Quarter
    }
}

/// A picture in memory of our own, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    chroma: Chroma,
    samples: Vec<u8>,
}

impl Picture {
    /// A 4:2:0 picture of `width` × `height` pixels (both even) in one colour.
    pub fn filled(width: usize, height: usize, yuv: [u8; 3]) -> Self {
        Self::with_chroma(width, height, Chroma::Quarter, yuv)
    }

    /// A picture of `width` × `height` pixels (both even) in one colour.
    pub fn with_chroma(width: usize, height: usize, chroma: Chroma, yuv: [u8; 3]) -> Self {
        let mut picture = Self {
            width,
            height,
            chroma,
            samples: Vec::new(),
        };
        for (index, sample) in yuv.into_iter().enumerate() {
            let (columns, rows) = picture.plane_size(index);
            let end = picture.samples.len() + columns * rows;
            picture.samples.resize(end, sample);
        }
        picture
    }

    /// A 4:4:4 picture of what `planes` show, `width` × `height` pixels (both even).
    pub fn with_full_chroma(width: usize, height: usize, planes: &dyn Planes) -> Self {
        let mut full = Self::with_chroma(width, height, Chroma::Full, [0; 3]);
        let chroma = planes.chroma();
        for (index, from) in planes.planes().into_iter().enumerate() {
            let scale = chroma.divisor(index);
            for (y, row) in full.plane_mut(index).chunks_exact_mut(width).enumerate() {
                let from = &from.data[y / scale * from.stride..];
                for (x, sample) in row.iter_mut().enumerate() {
                    *sample = from[x / scale];
                }
            }
        }
        full
    }

    /// A copy of `planes`, which show `width` × `height` pixels (both even).
    pub fn copied(width: usize, height: usize, planes: &dyn Planes) -> Self {
        let mut copy = Self::with_chroma(width, height, planes.chroma(), [0; 3]);
        for (index, from) in planes.planes().into_iter().enumerate() {
            let (row_length, _) = copy.plane_size(index);
            let rows = copy.plane_mut(index).chunks_exact_mut(row_length);
            for (to, from) in rows.zip(from.data.chunks(from.stride)) {
                to.copy_from_slice(&from[..row_length]);
            }
        }
        copy
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns and rows of plane `index` (0 Y, 1 Cb, 2 Cr).
    pub fn plane_size(&self, index: usize) -> (usize, usize) {
        let divisor = self.chroma.divisor(index);
        (self.width / divisor, self.height / divisor)
    }

    /// The samples of plane `index` (0 Y, 1 Cb, 2 Cr), to be drawn on.
    pub fn plane_mut(&mut self, index: usize) -> &mut [u8] {
        let (luma, rest) = self.samples.split_at_mut(self.width * self.height);
        let (cb, cr) = rest.split_at_mut(rest.len() / 2);
        [luma, cb, cr].into_iter().nth(index).unwrap_or_default()
    }

    /// Takes over the samples of `other`, a picture of the same size.
    pub fn copy_from(&mut self, other: &Picture) {
        self.samples.copy_from_slice(&other.samples);
    }

    /// Fills the rectangle at (`x`, `y`) with one colour, clipped to the picture. Where chroma has half the
    /// resolution, even coordinates fill exactly.
    pub fn fill_rectangle(
        &mut self,
        (x, y): (usize, usize),
        (width, height): (usize, usize),
        yuv: [u8; 3],
    ) {
        for (index, value) in yuv.into_iter().enumerate() {
            let scale = self.chroma.divisor(index);
            let (columns, rows) = self.plane_size(index);
            let left = (x / scale).min(columns);
            let right = ((x + width) / scale).min(columns);
            let (top, bottom) = ((y / scale).min(rows), ((y + height) / scale).min(rows));
            for row in
                self.plane_mut(index)[top * columns..bottom * columns].chunks_exact_mut(columns)
            {
                row[left..right].fill(value);
            }
        }
    }

    /// Makes the picture darker: a third of its brightness, the colours kept.
    pub fn dim(&mut self) {
        for luma in self.plane_mut(0) {
            *luma /= 3;
        }
    }
}

impl Planes for Picture {
    fn planes(&self) -> [Plane<'_>; 3] {
        let (luma, chroma) = self.samples.split_at(self.width * self.height);
        let (cb, cr) = chroma.split_at(chroma.len() / 2);
        let (columns, _) = self.plane_size(1);
        [(luma, self.width), (cb, columns), (cr, columns)]
            .map(|(data, stride)| Plane { data, stride })
    }

    fn chroma(&self) -> Chroma {
        self.chroma
    }
}

/// A few pictures that are used again and again, so that a frame costs no allocation.
pub struct Pool {
    pictures: Vec<Arc<Picture>>,
    blank: Picture,
}

impl Pool {
    /// An empty pool of copies of `blank`; it grows to as many as are in use at a time.
    pub fn new(blank: Picture) -> Self {
        Self {
            pictures: Vec::new(),
            blank,
        }
    }

    /// Lets `paint` draw on a picture that nobody holds any more and hands it out. What is on it before
    /// is whatever was drawn last.
    pub fn paint(&mut self, paint: impl FnOnce(&mut Picture)) -> Arc<Picture> {
        let free = self
            .pictures
            .iter()
            .position(|picture| Arc::strong_count(picture) == 1);
        let index = free.unwrap_or_else(|| {
            self.pictures.push(Arc::new(self.blank.clone()));
            self.pictures.len() - 1
        });
        if let Some(picture) = Arc::get_mut(&mut self.pictures[index]) {
            paint(picture);
        }
        Arc::clone(&self.pictures[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_drops_the_padding() {
        struct Padded([Vec<u8>; 3]);
        impl Planes for Padded {
            fn planes(&self) -> [Plane<'_>; 3] {
                [6, 5, 5].map(|stride| Plane {
                    data: &self.0[if stride == 6 { 0 } else { 1 }],
                    stride,
                })
            }
        }
        let padded = Padded([
            vec![1, 2, 3, 4, 99, 99, 5, 6, 7, 8],
            vec![9, 10, 99, 99, 99],
            vec![],
        ]);
        let copy = Picture::copied(4, 2, &padded);
        assert_eq!(copy.samples, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9, 10]);
    }

    #[test]
    fn full_chroma_repeats_what_there_is() {
        let mut picture = Picture::filled(4, 2, [9; 3]);
        picture.plane_mut(1).copy_from_slice(&[1, 2]);
        picture.plane_mut(2).copy_from_slice(&[3, 4]);
        let full = Picture::with_full_chroma(4, 2, &picture);
        let planes = full.planes().map(|plane| plane.data.to_vec());
        assert_eq!(planes[0], [9; 8]);
        assert_eq!(planes[1], [1, 1, 2, 2, 1, 1, 2, 2]);
        assert_eq!(planes[2], [3, 3, 4, 4, 3, 3, 4, 4]);
        assert_eq!(Picture::with_full_chroma(4, 2, &full), full);
    }

    #[test]
    fn rectangles_are_clipped() {
        let mut picture = Picture::filled(8, 4, [0, 128, 128]);
        picture.fill_rectangle((6, 2), (10, 10), [200, 10, 20]);
        assert_eq!(
            picture.plane_mut(0).iter().filter(|&&y| y == 200).count(),
            4
        );
        assert_eq!(
            picture.plane_mut(1),
            [128, 128, 128, 128, 128, 128, 128, 10]
        );
    }

    #[test]
    fn the_pool_uses_pictures_again() {
        let mut pool = Pool::new(Picture::filled(4, 2, [0; 3]));
        let first = pool.paint(|_| ());
        let second = pool.paint(|_| ());
        assert!(!Arc::ptr_eq(&first, &second));
        drop(first);
        pool.paint(|picture| picture.fill_rectangle((0, 0), (4, 2), [7; 3]));
        assert_eq!(pool.pictures.len(), 2);
    }
}
