//! turbojpeg straight from the camera's planes: no detour over RGB.

use crate::camera::Frame;
use crate::picture::Chroma;
use crate::shelf::Bytes;
use std::ops::Range;
use turbojpeg::{Compressor, OutputBuf, Subsamp, YuvPlanesImage};

/// Compresses frames, one after the other.
pub struct Encoder {
    compressor: Compressor,
    quality: Option<u8>,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> turbojpeg::Result<Self> {
        Ok(Self {
            compressor: Compressor::new()?,
            quality: None,
        })
    }

    /// Writes the JPEG of `frame` with `quality` (1 to 100), 4:2:0 or 4:4:4 as the frame is, JFIF, into `jpeg`.
    ///
    /// # Errors
    /// libjpeg-turbo's, in its words.
    pub fn encode(
        &mut self,
        frame: &Frame,
        quality: u8,
        jpeg: &mut Bytes,
    ) -> turbojpeg::Result<()> {
        self.encode_rows(frame, 0..frame.height, quality, jpeg)
    }

    /// The same of some rows of the frame, as if they were a picture. The first one has an even number.
    ///
    /// # Errors
    /// libjpeg-turbo's, in its words.
    pub(super) fn encode_rows(
        &mut self,
        frame: &Frame,
        rows: Range<usize>,
        quality: u8,
        jpeg: &mut Bytes,
    ) -> turbojpeg::Result<()> {
        if self.quality != Some(quality) {
            self.compressor.set_quality(quality.into())?;
            self.quality = Some(quality);
        }
        let [y, cb, cr] = frame.planes.planes();
        let subsamp = match frame.planes.chroma() {
            Chroma::Quarter => Subsamp::Sub2x2,
            Chroma::Full => Subsamp::None,
        };
        let chroma_row = rows.start / frame.planes.chroma().divisor(1);
        let image = YuvPlanesImage {
            y_plane: &y.data[rows.start * y.stride..],
            u_plane: &cb.data[chroma_row * cb.stride..],
            v_plane: &cr.data[chroma_row * cr.stride..],
            width: frame.width,
            height: rows.len(),
            y_stride: y.stride,
            u_stride: cb.stride,
            v_stride: cr.stride,
            subsamp,
        };
        let most = turbojpeg::compressed_buf_len(frame.width, rows.len(), subsamp)?;
        let mut output = OutputBuf::borrowed(jpeg.room(most));
        self.compressor.compress_yuv_planes(&image, &mut output)?;
        let length = output.len();
        drop(output);
        jpeg.set_length(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Readings;
    use crate::clock::Timestamp;
    use crate::picture::{Picture, Planes};
    use std::sync::Arc;
    use std::time::Duration;

    /// 10 log10(255² / mean squared error), in dB.
    fn psnr(a: &[u8], b: &[u8]) -> f64 {
        let squares: f64 = a
            .iter()
            .zip(b)
            .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
            .sum();
        10.0 * (255.0f64.powi(2) / (squares / a.len() as f64)).log10()
    }

    #[test]
    fn quality_100_gives_back_what_went_in() {
        for chroma in [Chroma::Quarter, Chroma::Full] {
            gives_back(chroma);
        }
    }

    fn gives_back(chroma: Chroma) {
        let (width, height) = (322, 182); // not a multiple of the 16-pixel blocks
        let mut picture = Picture::with_chroma(width, height, chroma, [0, 128, 128]);
        for plane in 0..3 {
            let (columns, _) = picture.plane_size(plane);
            for (at, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
                let (x, y) = ((at % columns) as f64, (at / columns) as f64);
                *sample =
                    (128.0 + 100.0 * (x / 17.0).sin() * (y / 11.0 + plane as f64).cos()) as u8;
            }
        }
        let frame = Frame {
            sequence: 1,
            captured: Timestamp::now(),
            unix: Duration::ZERO,
            width,
            height,
            planes: Arc::new(picture.clone()),
            readings: Readings::default(),
        };
        let mut encoder = Encoder::new().unwrap();
        let mut jpeg = Bytes::default();
        encoder.encode(&frame, 100, &mut jpeg).unwrap();
        let image = turbojpeg::decompress_to_yuv(&jpeg).unwrap();
        let subsamp = match chroma {
            Chroma::Quarter => Subsamp::Sub2x2,
            Chroma::Full => Subsamp::None,
        };
        assert_eq!(image.subsamp, subsamp);
        let mut decoded = image.pixels.as_slice();
        for (index, plane) in picture.planes().into_iter().enumerate() {
            let (columns, rows) = picture.plane_size(index);
            let stride = columns.next_multiple_of(image.align);
            let (samples, rest) = decoded.split_at(stride * rows);
            decoded = rest;
            let samples: Vec<u8> = samples
                .chunks(stride)
                .flat_map(|row| &row[..columns])
                .copied()
                .collect();
            let quality = psnr(plane.data, &samples);
            assert!(quality >= 45.0, "plane {index}: {quality:.1} dB");
        }
        let mut small = Bytes::default();
        encoder.encode(&frame, 30, &mut small).unwrap();
        assert!(small.len() < jpeg.len() / 3);
    }
}
