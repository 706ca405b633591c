//! Smaller copies and parts of pictures.

use super::{Picture, Plane, Planes, Window};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer, pixels::U8};

/// Scales `planes`, which show `width` × `height` pixels, to the size of `into`.
pub fn scale(resizer: &mut Resizer, planes: &dyn Planes, size: (usize, usize), into: &mut Picture) {
    for (index, plane) in planes.planes().into_iter().enumerate() {
        let divisor = planes.chroma().divisor(index);
        let (columns, rows) = (size.0.div_ceil(divisor), size.1.div_ceil(divisor));
        let (to_columns, to_rows) = into.plane_size(index);
        // The samples are read as rows as long as the stride; the last row may lack its padding.
        let whole = rows.min(plane.data.len() / plane.stride);
        let from = TypedImageRef::<U8>::from_buffer(plane.stride as u32, whole as u32, plane.data);
        let to = into.plane_mut(index);
        let to = TypedImage::<U8>::from_buffer(to_columns as u32, to_rows as u32, to);
        // Infallible: the buffers are as large as the sizes beside them, and one byte needs no alignment. Typed images,
        // because the generic ones link the code of every pixel type.
        if let (Ok(from), Ok(mut to)) = (from, to) {
            let options = ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
                .crop(0.0, 0.0, columns as f64, whole as f64);
            let _ = resizer.resize_typed(&from, &mut to, &options);
        }
    }
}

/// A copy of the part of `planes`, which show `width` × `height` pixels, that `window` names, pixel by pixel.
pub fn crop(planes: &dyn Planes, (width, height): (usize, usize), window: Window) -> Picture {
    let (columns, rows) = window.pixels(width, height);
    let chroma = planes.chroma();
    let mut part = Picture::with_chroma(columns.len(), rows.len(), chroma, [0; 3]);
    for (index, Plane { data, stride }) in planes.planes().into_iter().enumerate() {
        let scale = chroma.divisor(index);
        let left = columns.start / scale;
        let (length, _) = part.plane_size(index);
        let from = data.chunks(stride).skip(rows.start / scale);
        let to = part.plane_mut(index).chunks_exact_mut(length);
        for (to, from) in to.zip(from) {
            to.copy_from_slice(&from[left..left + length]);
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Padded([Vec<u8>; 3]);

    impl Planes for Padded {
        fn planes(&self) -> [Plane<'_>; 3] {
            let plane = |index: usize, stride| Plane {
                data: &self.0[index],
                stride,
            };
            [plane(0, 80), plane(1, 48), plane(2, 48)]
        }
    }

    /// 64 × 32 pixels, the left half dark, the right half bright, rows longer than that, the last one without padding.
    fn padded() -> Padded {
        let plane = |columns: usize, rows: usize, stride: usize| {
            let row = |at: usize| if at < columns / 2 { 40 } else { 200 };
            let mut samples: Vec<u8> = (0..rows * stride).map(|at| row(at % stride)).collect();
            samples.truncate((rows - 1) * stride + columns);
            samples
        };
        Padded([plane(64, 32, 80), plane(32, 16, 48), plane(32, 16, 48)])
    }

    #[test]
    fn a_smaller_copy_shows_the_same() {
        let mut small = Picture::filled(16, 8, [0; 3]);
        scale(&mut Resizer::new(), &padded(), (64, 32), &mut small);
        for index in 0..3 {
            let (columns, _) = small.plane_size(index);
            for row in small.plane_mut(index).chunks(columns) {
                assert!(row[..columns / 2 - 1].iter().all(|&it| it == 40), "{row:?}");
                assert!(
                    row[columns / 2 + 1..].iter().all(|&it| it == 200),
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    fn a_part_is_copied_pixel_by_pixel() {
        let mut part = crop(&padded(), (64, 32), Window([0.375, 0.5, 0.25, 0.5]));
        assert_eq!((part.width(), part.height()), (16, 16));
        for index in 0..3 {
            let (columns, _) = part.plane_size(index);
            for row in part.plane_mut(index).chunks(columns) {
                let (dark, bright) = row.split_at(columns / 2);
                assert!(dark.iter().all(|&it| it == 40) && bright.iter().all(|&it| it == 200));
            }
        }
    }
}
