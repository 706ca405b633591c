//! Drawing on the brightness of a picture: text, and the stamp that machines read.

use super::Picture;
use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_10X20};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use std::convert::Infallible;
use std::time::Duration;

/// Bits in a stamp: frame number (32), capture time in Unix milliseconds (48), CRC-16 (16).
pub const STAMP_BITS: usize = 96;
const STAMP_COLUMNS: usize = STAMP_BITS / 2;
/// Blocks that fit side by side into a picture: 48, a quiet border, and room to spare.
const BLOCKS_PER_WIDTH: usize = 72;
/// Smaller blocks do not survive a JPEG of low quality.
const MINIMUM_BLOCK: usize = 4;
const WHITE: u8 = 240;
const BLACK: u8 = 16;
const QUIET: u8 = 128;

/// What a stamped picture says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The frame's sequence number.
    pub sequence: u64,
    /// When it was captured, since 1970-01-01 UTC.
    pub unix: Duration,
}

impl Stamp {
    /// Draws the stamp in the picture's upper left corner: two rows of 48 square blocks in a border of
    /// grey, most significant bit first (frame number modulo 2³², Unix milliseconds, CRC-16/CCITT-FALSE of
    /// the ten bytes before), then `lines` as text. A picture too narrow for blocks of four pixels gets no
    /// blocks.
    pub fn draw(&self, picture: &mut Picture, lines: &[&str]) {
        let block = self.draw_blocks(picture);
        let size = (picture.width() / 640).max(1);
        let mut y = 4 * block + 4 * size;
        for line in lines {
            text(picture, (block.max(4), y), size, line);
            y += 22 * size;
        }
    }

    fn draw_blocks(&self, picture: &mut Picture) -> usize {
        let block = (picture.width() / BLOCKS_PER_WIDTH) & !1;
        if block < MINIMUM_BLOCK || picture.height() < 4 * block {
            return 0;
        }
        let grey = |y| [y, 128, 128];
        picture.fill_rectangle(
            (0, 0),
            ((STAMP_COLUMNS + 2) * block, 4 * block),
            grey(QUIET),
        );
        let bits = self.bits();
        for index in 0..STAMP_BITS {
            let (row, column) = (index / STAMP_COLUMNS, index % STAMP_COLUMNS);
            let bit = bits >> (STAMP_BITS - 1 - index) & 1;
            let at = ((column + 1) * block, (row + 1) * block);
            picture.fill_rectangle(
                at,
                (block, block),
                grey(if bit == 1 { WHITE } else { BLACK }),
            );
        }
        block
    }

    fn bits(&self) -> u128 {
        let milliseconds = self.unix.as_millis() as u64;
        let mut payload = [0; 10];
        payload[..4].copy_from_slice(&(self.sequence as u32).to_be_bytes());
        payload[4..].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        let value = payload
            .iter()
            .fold(0, |bits, &byte| bits << 8 | u128::from(byte));
        value << 16 | u128::from(crc16(&payload))
    }
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xffff, nothing reflected.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 != 0 {
                crc << 1 ^ 0x1021
            } else {
                crc << 1
            }
        })
    })
}

/// Writes `line` in white on black with its upper left corner at (`x`, `y`), each of the font's 10 × 20 pixels `size`
/// pixels large. What does not fit into the picture is cut.
pub fn text(picture: &mut Picture, at: (usize, usize), size: usize, line: &str) {
    let box_size = (line.len() * 10 * size, 20 * size);
    picture.fill_rectangle(at, box_size, [BLACK, 128, 128]);
    let mut canvas = Canvas { picture, at, size };
    let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
    // Infallible: the canvas has no error.
    let _ = Text::with_baseline(line, Point::zero(), style, Baseline::Top).draw(&mut canvas);
}

/// The font's pixels on the picture's luma, `size` times enlarged and moved to `at`.
struct Canvas<'a> {
    picture: &'a mut Picture,
    at: (usize, usize),
    size: usize,
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.picture.width() as u32, self.picture.height() as u32)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        let (columns, rows) = (self.picture.width(), self.picture.height());
        let luma = self.picture.plane_mut(0);
        for Pixel(point, _) in pixels {
            let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) else {
                continue;
            };
            let left = (self.at.0 + x * self.size).min(columns);
            let right = (left + self.size).min(columns);
            let top = (self.at.1 + y * self.size).min(rows);
            let bottom = (top + self.size).min(rows);
            for row in top..bottom {
                luma[row * columns + left..row * columns + right].fill(WHITE);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_has_the_standards_check_value() {
        assert_eq!(crc16(b"123456789"), 0x29b1);
    }

    #[test]
    fn blocks_read_back() {
        let stamp = Stamp {
            sequence: 0x1_0203_0405,
            unix: Duration::from_millis(1_792_000_000_250),
        };
        let mut picture = Picture::filled(640, 360, [90, 128, 128]);
        stamp.draw(&mut picture, &["frame"]);
        let block = 8;
        let luma = picture.plane_mut(0).to_vec();
        let read = (0..STAMP_BITS).fold(0u128, |bits, index| {
            let (row, column) = (index / STAMP_COLUMNS, index % STAMP_COLUMNS);
            let (x, y) = ((column + 1) * block + 4, (row + 1) * block + 4);
            bits << 1 | u128::from(luma[y * 640 + x] > 128)
        });
        assert_eq!(read, stamp.bits());
        assert_eq!((read >> 64) as u32, 0x0203_0405);
        assert_eq!(read >> 16 & 0xffff_ffff_ffff, 1_792_000_000_250);
    }

    #[test]
    fn a_small_picture_is_drawn_on_without_overflow() {
        let mut picture = Picture::filled(64, 64, [90, 128, 128]);
        let stamp = Stamp {
            sequence: 1,
            unix: Duration::ZERO,
        };
        stamp.draw(&mut picture, &["a line that is longer than the picture"; 9]);
        assert!(picture.plane_mut(0).contains(&WHITE));
    }
}
