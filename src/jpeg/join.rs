//! Joins the JPEGs of a picture's bands: their scans, with restart markers in between, become one baseline JPEG with the first
//! band's header (ITU-T T.81, B.2.4.4 and E.1.4).

use crate::shelf::Bytes;

/// RST0 to RST7.
const RESTARTS: [[u8; 2]; 8] = [
    [0xff, 0xd0],
    [0xff, 0xd1],
    [0xff, 0xd2],
    [0xff, 0xd3],
    [0xff, 0xd4],
    [0xff, 0xd5],
    [0xff, 0xd6],
    [0xff, 0xd7],
];

/// Joins the JPEGs of bands into one of `height` rows; all of them but the last have `interval` MCUs.
///
/// # Errors
/// They are no such JPEGs, or too large for one.
pub(super) fn join(
    bands: &[Bytes],
    height: usize,
    interval: usize,
    jpeg: &mut Bytes,
) -> Result<(), String> {
    let number = |number: usize| u16::try_from(number).map(u16::to_be_bytes);
    let (Ok(height), Ok(interval)) = (number(height), number(interval)) else {
        return Err(format!(
            "{height} rows, {interval} MCUs a band: a JPEG has fewer than 65536"
        ));
    };
    let parts: Option<Vec<Parts>> = bands.iter().map(|band| Parts::of(band)).collect();
    let parts = parts.ok_or("a band is no baseline JPEG with one scan")?;
    let Some(Parts { header, .. }) = parts.first() else {
        return Err("there is no band".into());
    };
    // In their order: everything before the number of rows, it, everything up to the scan's header, which follows DRI.
    let mut pieces: Vec<&[u8]> = vec![
        header[0],
        &height,
        header[1],
        &[0xff, 0xdd, 0, 4],
        &interval,
        header[2],
    ];
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            pieces.push(RESTARTS[(index - 1) % RESTARTS.len()].as_slice());
        }
        pieces.push(part.scan);
    }
    pieces.push(&[0xff, 0xd9]);
    jpeg.join(&pieces);
    Ok(())
}

/// A baseline JPEG with one scan, taken apart.
struct Parts<'a> {
    /// Before the number of rows; behind it; the scan's header.
    header: [&'a [u8]; 3],
    /// The scan's data.
    scan: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(jpeg: &'a [u8]) -> Option<Self> {
        let (mut at, mut rows) = (2, None); // behind SOI
        loop {
            let &[0xff, kind, high, low] = jpeg.get(at..at + 4)? else {
                return None;
            };
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            match kind {
                0xc0 => rows = Some(at + 5), // SOF0: its length and the precision come before
                0xda => {
                    let rows = rows?;
                    return Some(Self {
                        header: [&jpeg[..rows], jpeg.get(rows + 2..at)?, jpeg.get(at..end)?],
                        scan: jpeg[end..].strip_suffix(&[0xff, 0xd9])?,
                    });
                }
                _ => {}
            }
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_jpeg_is_not_joined() {
        for bytes in [
            &b""[..],
            b"\xff\xd8",
            b"\xff\xd8\xff\xda\x00\x02\xff\xd9",
            b"\xff\xd8\xff\xc0\xff\xff",
        ] {
            assert!(Parts::of(bytes).is_none());
        }
    }
}
