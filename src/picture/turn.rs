//! Pictures as they are to be seen: turned by quarters, and mirrored.

use super::{Picture, Plane, Planes, Window};

/// Samples in both directions that are turned in registers.
const BLOCK: usize = 8;
/// Rows that are turned together: a row of what they become is as long as a cache line.
const STRIP: usize = 64;

/// How a picture is turned. What is to be seen at column `x` and row `y` is taken from column and row `y` and `x` where
/// it is `sideways`, counted from the other end where it is flipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    sideways: bool,
    flip_x: bool,
    flip_y: bool,
}

impl Turn {
    /// Clockwise by `rotation` (0, 90, 180 or 270 degrees), then left and right swapped if `mirror`.
    pub fn new(rotation: u16, mirror: bool) -> Self {
        Self {
            sideways: matches!(rotation, 90 | 270),
            flip_x: matches!(rotation, 90 | 180) != mirror,
            flip_y: matches!(rotation, 180 | 270),
        }
    }

    /// Whether the picture stays as it is.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Columns and rows of a turned picture of this size.
    pub fn size(self, (width, height): (usize, usize)) -> (usize, usize) {
        match self.sideways {
            true => (height, width),
            false => (width, height),
        }
    }

    /// Where in the picture what is to be seen in `window` comes from.
    pub fn source_of(self, window: Window) -> Window {
        let [x, y, width, height] = window.0;
        let x = if self.flip_x { 1.0 - x - width } else { x };
        let y = if self.flip_y { 1.0 - y - height } else { y };
        // What is flipped may lie outside by a rounding error.
        let (x, y) = (x.max(0.0), y.max(0.0));
        Window(match self.sideways {
            true => [y, x, height, width],
            false => [x, y, width, height],
        })
    }

    /// Turns `planes`, which show `width` × `height` pixels, into `into`, which has the turned size, and as much chroma.
    pub fn apply(self, planes: &dyn Planes, (width, height): (usize, usize), into: &mut Picture) {
        for (index, plane) in planes.planes().into_iter().enumerate() {
            let scale = planes.chroma().divisor(index);
            let size = (width / scale, height / scale);
            let into = into.plane_mut(index);
            match self.sideways {
                true => self.turn_plane(plane, size, into),
                false => self.flip_plane(plane, size, into),
            }
        }
    }

    fn flip_plane(self, from: Plane, (columns, rows): (usize, usize), into: &mut [u8]) {
        for (y, to) in into.chunks_exact_mut(columns).enumerate() {
            let y = if self.flip_y { rows - 1 - y } else { y };
            to.copy_from_slice(&from.data[y * from.stride..][..columns]);
            if self.flip_x {
                to.reverse();
            }
        }
    }

    fn turn_plane(self, from: Plane, (columns, rows): (usize, usize), into: &mut [u8]) {
        let (whole_columns, whole_rows) = (columns / BLOCK * BLOCK, rows / BLOCK * BLOCK);
        for strip in (0..whole_rows).step_by(STRIP) {
            for left in (0..whole_columns).step_by(BLOCK) {
                for top in (strip..whole_rows.min(strip + STRIP)).step_by(BLOCK) {
                    let row = |index: usize| {
                        let at = (top + index) * from.stride + left;
                        let samples = from.data[at..].first_chunk();
                        u64::from_le_bytes(*samples.unwrap_or(&[0; BLOCK])) // the block is whole
                    };
                    let turned = transposed(std::array::from_fn(row));
                    for (index, samples) in turned.into_iter().enumerate() {
                        let samples = match self.flip_x {
                            true => samples.swap_bytes(),
                            false => samples,
                        };
                        let x = if self.flip_x { rows - BLOCK - top } else { top };
                        let y = self.row(left + index, columns);
                        into[y * rows + x..][..BLOCK].copy_from_slice(&samples.to_le_bytes());
                    }
                }
            }
        }
        // What is left at two of the edges.
        let mut copy = |x: usize, y: usize| {
            let to = if self.flip_x { rows - 1 - y } else { y };
            into[self.row(x, columns) * rows + to] = from.data[y * from.stride + x];
        };
        for y in 0..rows {
            let done = if y < whole_rows { whole_columns } else { 0 };
            (done..columns).for_each(|x| copy(x, y));
        }
    }

    /// The row that a column becomes.
    fn row(self, column: usize, columns: usize) -> usize {
        match self.flip_y {
            true => columns - 1 - column,
            false => column,
        }
    }
}

/// Eight rows of eight bytes, turned over their diagonal: blocks of four, two and one change places.
fn transposed(mut rows: [u64; BLOCK]) -> [u64; BLOCK] {
    for (size, mask) in [
        (4, 0x0000_0000_ffff_ffff_u64),
        (2, 0x0000_ffff_0000_ffff),
        (1, 0x00ff_00ff_00ff_00ff),
    ] {
        let shift = 8 * size;
        for upper in (0..BLOCK).filter(|row| row & size == 0) {
            let (a, b) = (rows[upper], rows[upper + size]);
            rows[upper] = a & mask | (b & mask) << shift;
            rows[upper + size] = a >> shift & mask | b & !mask;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::Chroma;
    use super::*;

    /// Every turn there is, with the column and row that what is seen at `x` and `y` comes from.
    type Source = fn((usize, usize), usize, usize) -> (usize, usize);
    const ALL: [(u16, bool, Source); 8] = [
        (0, false, |_, x, y| (x, y)),
        (0, true, |(w, _), x, y| (w - 1 - x, y)),
        (90, false, |(_, h), x, y| (y, h - 1 - x)),
        (90, true, |_, x, y| (y, x)),
        (180, false, |(w, h), x, y| (w - 1 - x, h - 1 - y)),
        (180, true, |(_, h), x, y| (x, h - 1 - y)),
        (270, false, |(w, _), x, y| (w - 1 - y, x)),
        (270, true, |(w, h), x, y| (w - 1 - y, h - 1 - x)),
    ];

    #[test]
    fn every_pixel_goes_where_it_should() {
        let sizes = [(16, 8), (30, 22), (132, 76), (6, 4)];
        for (size, chroma) in sizes
            .map(|size| [Chroma::Quarter, Chroma::Full].map(|it| (size, it)))
            .concat()
        {
            let mut picture = Picture::with_chroma(size.0, size.1, chroma, [0; 3]);
            for plane in 0..3 {
                for (at, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
                    *sample = (at * 31 + at / 251 + plane) as u8;
                }
            }
            for (rotation, mirror, source) in ALL {
                let turn = Turn::new(rotation, mirror);
                let (width, height) = turn.size(size);
                let mut turned = Picture::with_chroma(width, height, chroma, [0; 3]);
                turn.apply(&picture, size, &mut turned);
                for (index, (seen, plane)) in
                    turned.planes().iter().zip(picture.planes()).enumerate()
                {
                    let scale = chroma.divisor(index);
                    let from = (size.0 / scale, size.1 / scale);
                    for (at, sample) in seen.data.iter().enumerate() {
                        let (x, y) = source(from, at % seen.stride, at / seen.stride);
                        let expected = plane.data[y * plane.stride + x];
                        assert_eq!(
                            *sample, expected,
                            "{rotation} {mirror} {size:?} plane {index} {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_window_is_found_where_its_pixels_come_from() {
        let size = (80, 40);
        let seen = Window([0.1, 0.2, 0.3, 0.4]);
        for (rotation, mirror, source) in ALL {
            let turn = Turn::new(rotation, mirror);
            let (columns, rows) = {
                let (width, height) = turn.size(size);
                seen.pixels(width, height)
            };
            let [x, y, width, height] = turn.source_of(seen).0;
            let inside = |column: usize, row: usize| {
                let (column, row) = (column as f64 / 80.0 + 1e-9, row as f64 / 40.0 + 1e-9);
                (x..x + width).contains(&column) && (y..y + height).contains(&row)
            };
            for (x, y) in [(columns.start, rows.start), (columns.end - 1, rows.end - 1)] {
                let (column, row) = source(size, x, y);
                assert!(inside(column, row), "{rotation} {mirror}: {column} {row}");
            }
        }
        assert!(Turn::new(0, false).is_none() && !Turn::new(0, true).is_none());
    }
}
