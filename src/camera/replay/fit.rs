//! Scaling pictures into the configured size.

use crate::picture::Picture;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{ResizeOptions, Resizer, pixels::U8};

/// The largest picture that is decoded: a small file can claim to be any size, and all of that becomes memory.
const LARGEST_PIXELS: usize = 50_000_000;

/// Whether a picture of this size is decoded.
///
/// # Errors
/// It has more than [`LARGEST_PIXELS`]; the reason.
pub(super) fn check_size(width: usize, height: usize) -> Result<(), String> {
    if width.saturating_mul(height) <= LARGEST_PIXELS {
        return Ok(());
    }
    let most = LARGEST_PIXELS / 1_000_000;
    Err(format!(
        "{width} x {height} pixels: expected at most {most} megapixels"
    ))
}

/// Scales planes (samples, columns, rows) into `picture`, cutting what exceeds its aspect ratio.
pub(super) fn fit(planes: &[(&[u8], usize, usize)], picture: &mut Picture) {
    let mut resizer = Resizer::new();
    let options = ResizeOptions::new().fit_into_destination(None);
    for (index, &(samples, columns, rows)) in planes.iter().enumerate() {
        let (to_columns, to_rows) = picture.plane_size(index);
        let to = picture.plane_mut(index);
        if (columns, rows) == (to_columns, to_rows) {
            to.copy_from_slice(&samples[..columns * rows]);
            continue;
        }
        // Infallible: both buffers are as large as the sizes beside them, and one byte needs no alignment. Typed
        // images, because the generic ones link the code of every pixel type: 1.9 MB.
        let from = TypedImageRef::<U8>::from_buffer(columns as u32, rows as u32, samples);
        let into = TypedImage::<U8>::from_buffer(to_columns as u32, to_rows as u32, to);
        if let (Ok(from), Ok(mut into)) = (from, into) {
            let _ = resizer.resize_typed(&from, &mut into, &options);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_scaled_and_cut_into_the_middle() {
        // Four bands of six columns, scaled to twice their size: 48 × 8 samples, of which the middle 32 columns remain.
        let luma: Vec<u8> = (0..24 * 4)
            .map(|at| 10 + 80 * (at % 24 / 6) as u8)
            .collect();
        let mut picture = Picture::filled(32, 8, [0, 128, 128]);
        fit(&[(&luma, 24, 4), (&[70; 12 * 2], 12, 2)], &mut picture);

        let rows: Vec<&[u8]> = picture.plane_mut(0).chunks(32).collect();
        assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
        for (column, band) in [(0, 10), (9, 90), (10, 90), (21, 170), (22, 170), (31, 250)] {
            let sample = rows[0][column];
            // The filter overshoots a little beside the edge between two bands.
            assert!(
                sample.abs_diff(band) <= 8,
                "column {column}: {sample}, not {band}"
            );
        }
        assert!(picture.plane_mut(1).iter().all(|&sample| sample == 70));
        assert!(picture.plane_mut(2).iter().all(|&sample| sample == 128));
    }
}
