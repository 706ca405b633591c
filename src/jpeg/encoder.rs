//! turbojpeg straight from the camera's planes: no detour over RGB, and one buffer that is used again and again.

use crate::camera::Frame;
use turbojpeg::{Compressor, OutputBuf, Subsamp, YuvPlanesImage};

/// Compresses frames, one after the other, into a buffer that it keeps.
pub struct Encoder {
    compressor: Compressor,
    quality: Option<u8>,
    buffer: Vec<u8>,
}

impl Encoder {
    /// An encoder without a buffer; the first frame makes it.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> turbojpeg::Result<Self> {
        Ok(Self {
            compressor: Compressor::new()?,
            quality: None,
            buffer: Vec::new(),
        })
    }

    /// The JPEG of `frame` with `quality` (1 to 100), 4:2:0, JFIF. Valid until the next call.
    ///
    /// # Errors
    /// libjpeg-turbo's, in its words.
    pub fn encode(&mut self, frame: &Frame, quality: u8) -> turbojpeg::Result<&[u8]> {
        if self.quality != Some(quality) {
            self.compressor.set_quality(quality.into())?;
            self.quality = Some(quality);
        }
        let most = turbojpeg::compressed_buf_len(frame.width, frame.height, Subsamp::Sub2x2)?;
        if self.buffer.len() < most {
            self.buffer.resize(most, 0);
        }
        let [y, cb, cr] = frame.planes.planes();
        let image = YuvPlanesImage {
            y_plane: y.data,
            u_plane: cb.data,
            v_plane: cr.data,
            width: frame.width,
            height: frame.height,
            y_stride: y.stride,
            u_stride: cb.stride,
            v_stride: cr.stride,
            subsamp: Subsamp::Sub2x2,
        };
        let mut output = OutputBuf::borrowed(&mut self.buffer);
        self.compressor.compress_yuv_planes(&image, &mut output)?;
        let length = output.len();
        drop(output);
        Ok(&self.buffer[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Readings;
    use crate::clock::Timestamp;
    use crate::picture::{Picture, Planes};
    use std::sync::Arc;

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
        let (width, height) = (322, 182); // not a multiple of the 16-pixel blocks
        let mut picture = Picture::filled(width, height, [0, 128, 128]);
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
            width,
            height,
            planes: Arc::new(picture.clone()),
            readings: Readings::default(),
        };
        let mut encoder = Encoder::new().unwrap();
        let jpeg = encoder.encode(&frame, 100).unwrap().to_vec();
        let image = turbojpeg::decompress_to_yuv(&jpeg).unwrap();
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
        assert!(encoder.encode(&frame, 30).unwrap().len() < jpeg.len() / 3);
    }
}
