//! What EXIF says of a still.

use crate::camera::{Readings, Still};
use crate::clock::calendar;
use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use std::io::Cursor;

/// A JPEG file's first bytes: start of image, and a JFIF segment of this length, which EXIF replaces.
const JFIF: [u8; 6] = [0xff, 0xd8, 0xff, 0xe0, 0, 16];
/// Where the next segment begins.
const BEHIND_JFIF: usize = 20;
/// The start of image alone.
const BEHIND_START: usize = 2;

/// `jpeg` as a file with EXIF in it.
///
/// # Errors
/// The data cannot be written as EXIF, in the crate's words.
pub(super) fn with_exif(jpeg: &[u8], still: &Still) -> Result<Vec<u8>, exif::Error> {
    let tiff = tiff(still)?;
    let length = tiff.len() + 8; // with itself and the six bytes of the name
    let behind = match jpeg.starts_with(&JFIF) {
        true => BEHIND_JFIF,
        false => BEHIND_START,
    };
    let mut file = Vec::with_capacity(jpeg.len() + length + 2);
    file.extend_from_slice(&jpeg[..BEHIND_START]);
    file.extend_from_slice(&[0xff, 0xe1, (length >> 8) as u8, length as u8]);
    file.extend_from_slice(b"Exif\0\0");
    file.extend_from_slice(&tiff);
    file.extend_from_slice(&jpeg[behind..]);
    Ok(file)
}

/// The fields, as the TIFF file that EXIF is.
fn tiff(still: &Still) -> Result<Vec<u8>, exif::Error> {
    let fields: Vec<Field> = fields(still)
        .into_iter()
        .map(|(tag, value)| Field {
            tag,
            ifd_num: In::PRIMARY,
            value,
        })
        .collect();
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut tiff = Cursor::new(Vec::with_capacity(1024));
    writer.write(&mut tiff, true)?;
    Ok(tiff.into_inner())
}

fn fields(still: &Still) -> Vec<(Tag, Value)> {
    let (frame, readings) = (&still.frame, &still.frame.readings);
    let unix = frame.unix;
    // "2026-11-22 19:10:00.250 UTC" as EXIF writes it.
    let time = calendar(unix)[..19].replacen('-', ":", 2);
    let subseconds = format!("{:06}", unix.subsec_micros());
    let version = concat!("picam ", env!("CARGO_PKG_VERSION"));
    let mut fields = vec![
        (Tag::Software, ascii(version)),
        (Tag::Orientation, Value::Short(vec![1])), // the pixels are turned
        (Tag::XResolution, rational(72, 1)),
        (Tag::YResolution, rational(72, 1)),
        (Tag::ResolutionUnit, Value::Short(vec![2])),
        (Tag::YCbCrPositioning, Value::Short(vec![1])),
        (Tag::ExifVersion, undefined(b"0232")),
        (Tag::ComponentsConfiguration, undefined(&[1, 2, 3, 0])),
        (Tag::FlashpixVersion, undefined(b"0100")),
        (Tag::ColorSpace, Value::Short(vec![1])),
        (Tag::PixelXDimension, Value::Long(vec![frame.width as u32])),
        (Tag::PixelYDimension, Value::Long(vec![frame.height as u32])),
        (Tag::UserComment, undefined(&comment(readings))),
    ];
    for tag in [Tag::DateTime, Tag::DateTimeOriginal, Tag::DateTimeDigitized] {
        fields.push((tag, ascii(&time)));
    }
    for tag in [
        Tag::SubSecTime,
        Tag::SubSecTimeOriginal,
        Tag::SubSecTimeDigitized,
    ] {
        fields.push((tag, ascii(&subseconds)));
    }
    for tag in [
        Tag::OffsetTime,
        Tag::OffsetTimeOriginal,
        Tag::OffsetTimeDigitized,
    ] {
        fields.push((tag, ascii("+00:00")));
    }
    if let Some(time) = readings.exposure_time {
        fields.push((Tag::ExposureTime, rational(time.max(0) as u32, 1_000_000)));
    }
    if let Some(gain) = readings.analogue_gain {
        let gain = gain * readings.digital_gain.unwrap_or(1.0);
        let speed = (100.0 * gain).round() as u16; // saturates
        fields.push((Tag::PhotographicSensitivity, Value::Short(vec![speed])));
    }
    if let Some(lens) = readings.lens_position {
        fields.push((Tag::SubjectDistance, distance(lens)));
    }
    if let Some(lens) = still.lens {
        fields.push((Tag::Make, ascii("Raspberry Pi")));
        fields.push((Tag::Model, ascii(lens.model)));
        fields.push((Tag::LensModel, ascii(lens.model)));
        fields.push((Tag::FNumber, rational(lens.f_number_tenths, 10)));
        let focal_length = rational(lens.focal_length_hundredths, 100);
        fields.push((Tag::FocalLength, focal_length));
    }
    fields
}

/// What has no field of its own.
fn comment(readings: &Readings) -> Vec<u8> {
    let mut comment = b"ASCII\0\0\0".to_vec();
    comment.extend(serde_json::to_vec(readings).unwrap_or_default());
    comment
}

/// The distance of a lens position (dioptres).
fn distance(lens: f64) -> Value {
    match (1000.0 / lens).round() {
        millimetres if millimetres.is_finite() && millimetres < 1e9 => {
            rational(millimetres as u32, 1000)
        }
        _ => rational(u32::MAX, 1), // infinity
    }
}

fn ascii(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

fn rational(num: u32, denom: u32) -> Value {
    Value::Rational(vec![Rational { num, denom }])
}

fn undefined(bytes: &[u8]) -> Value {
    Value::Undefined(bytes.to_vec(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::{Frame, Lens};
    use crate::clock::Timestamp;
    use crate::jpeg::Encoder;
    use crate::picture::Picture;
    use crate::shelf::Bytes;
    use std::sync::Arc;
    use std::time::Duration;

    fn still(lens_position: f64) -> Still {
        let frame = Frame {
            sequence: 1,
            captured: Timestamp::now(),
            unix: Duration::ZERO,
            width: 64,
            height: 32,
            planes: Arc::new(Picture::filled(64, 32, [90, 128, 128])),
            readings: Readings {
                exposure_time: Some(20_000),
                analogue_gain: Some(2.0),
                lens_position: Some(lens_position),
                ..Readings::default()
            },
        };
        let lens = Some(Lens {
            model: "Camera Module 3",
            f_number_tenths: 18,
            focal_length_hundredths: 474,
        });
        Still {
            frame,
            lens,
            interrupted: true,
        }
    }

    #[test]
    fn it_is_read_back_and_the_picture_is_the_same() {
        let still = still(2.5);
        let mut encoder = Encoder::new().unwrap();
        let mut jpeg = Bytes::default();
        encoder.encode(&still.frame, 90, &mut jpeg).unwrap();
        let file = with_exif(&jpeg, &still).unwrap();
        let read = exif::Reader::new()
            .read_from_container(&mut Cursor::new(&file))
            .unwrap();
        let shown = |tag| {
            let field = read.get_field(tag, In::PRIMARY);
            field.map(|field| field.display_value().to_string())
        };
        assert_eq!(shown(Tag::ExposureTime).as_deref(), Some("1/50"));
        assert_eq!(shown(Tag::PhotographicSensitivity).as_deref(), Some("200"));
        assert_eq!(shown(Tag::SubjectDistance).as_deref(), Some("0.4"));
        assert_eq!(shown(Tag::FNumber).as_deref(), Some("1.8"));
        assert_eq!(shown(Tag::PixelXDimension).as_deref(), Some("64"));
        assert_eq!(
            shown(Tag::LensModel).as_deref(),
            Some("\"Camera Module 3\"")
        );
        let pixels = |file: &[u8]| {
            turbojpeg::decompress(file, turbojpeg::PixelFormat::RGB)
                .unwrap()
                .pixels
        };
        assert!(pixels(&file) == pixels(&jpeg));
    }

    #[test]
    fn a_lens_at_infinity_says_so() {
        assert!(matches!(distance(0.0), Value::Rational(it) if it[0].num == u32::MAX));
        assert!(matches!(distance(1e-9), Value::Rational(it) if it[0].num == u32::MAX));
        assert!(
            matches!(distance(10.0), Value::Rational(it) if (it[0].num, it[0].denom) == (100, 1000))
        );
    }
}
