//! JPEG files, one after the other. One that cannot be decoded is named in the log once and left out.

use super::fit::{check_size, fit};
use crate::camera::CameraError;
use crate::picture::Picture;
use log::warn;
use std::path::{Path, PathBuf};
use turbojpeg::YuvImage;

/// Decoded pictures of a folder are kept up to this size in all; those beyond it are decoded each time.
const CACHE_BYTES: usize = 256 << 20;

pub(super) struct Stills {
    files: Vec<File>,
    next: usize,
    cached: usize,
    uncached: Picture,
}

struct File {
    path: PathBuf,
    picture: Decoded,
}

/// What is known of a file.
enum Decoded {
    Not,
    Kept(Picture),
    Bad,
}

impl Stills {
    /// Plays `files`, scaled to this size.
    ///
    /// # Errors
    /// None of them can be decoded; the first one's reason.
    pub(super) fn open(
        files: Vec<PathBuf>,
        (width, height): (usize, usize),
    ) -> Result<Self, CameraError> {
        let files = files.into_iter().map(|path| File {
            path,
            picture: Decoded::Not,
        });
        let mut stills = Self {
            files: files.collect(),
            next: 0,
            cached: 0,
            uncached: Picture::filled(width, height, [0, 128, 128]),
        };
        stills.next()?;
        stills.next = 0;
        Ok(stills)
    }

    /// The next picture that can be decoded.
    ///
    /// # Errors
    /// There is none any more.
    pub(super) fn next(&mut self) -> Result<&Picture, CameraError> {
        let mut refused = None;
        for _ in 0..self.files.len() {
            let index = self.next;
            self.next = (index + 1) % self.files.len();
            match self.decode(index) {
                Ok(true) => return Ok(self.picture(index)),
                Ok(false) => {}
                Err(error) => {
                    warn!("replay: {error}: left out");
                    refused.get_or_insert(error);
                }
            }
        }
        Err(refused.unwrap_or_else(|| {
            let first = &self.files[0].path; // never empty
            CameraError::unreadable(first, "not decoded before, nor any other file")
        }))
    }

    /// Makes the picture of a file available; returns whether there is one.
    fn decode(&mut self, index: usize) -> Result<bool, CameraError> {
        let size = (self.uncached.width(), self.uncached.height());
        let file = &mut self.files[index];
        match file.picture {
            Decoded::Kept(_) => return Ok(true),
            Decoded::Bad => return Ok(false),
            Decoded::Not => {}
        }
        let picture = decode_jpeg(&file.path, size).inspect_err(|_| file.picture = Decoded::Bad)?;
        let bytes = size.0 * size.1 * 3 / 2;
        if self.cached + bytes > CACHE_BYTES {
            self.uncached = picture;
        } else {
            self.cached += bytes;
            file.picture = Decoded::Kept(picture);
        }
        Ok(true)
    }

    fn picture(&self, index: usize) -> &Picture {
        match &self.files[index].picture {
            Decoded::Kept(picture) => picture,
            Decoded::Not | Decoded::Bad => &self.uncached,
        }
    }
}

fn decode_jpeg(path: &Path, size: (usize, usize)) -> Result<Picture, CameraError> {
    let jpeg = std::fs::read(path).map_err(|error| CameraError::unreadable(path, error))?;
    let yuv = to_yuv(&jpeg).map_err(|reason| CameraError::unreadable(path, reason))?;
    let mut picture = Picture::filled(size.0, size.1, [0, 128, 128]);
    let (columns, rows) = yuv.y_size();
    let (luma, chroma) = yuv.pixels.split_at(columns * rows);
    let mut planes = vec![(luma, columns, rows)];
    if !chroma.is_empty() {
        let (columns, rows) = yuv.uv_size();
        let (cb, cr) = chroma.split_at(columns * rows);
        planes.extend([(cb, columns, rows), (cr, columns, rows)]);
    } // Else it is a grey JPEG: the chroma planes stay neutral.
    fit(&planes, &mut picture);
    Ok(picture)
}

/// Decodes without colour conversion, and without padding: turbojpeg's own shortcut pads rows to four bytes.
fn to_yuv(jpeg: &[u8]) -> Result<YuvImage<Vec<u8>>, String> {
    let told = |error: turbojpeg::Error| error.to_string();
    let mut decompressor = turbojpeg::Decompressor::new().map_err(told)?;
    let header = decompressor.read_header(jpeg).map_err(told)?;
    let (width, height, subsamp) = (header.width, header.height, header.subsamp);
    check_size(width, height)?;
    let length = turbojpeg::yuv_pixels_len(width, 1, height, subsamp).map_err(told)?;
    let mut image = YuvImage {
        pixels: vec![0; length],
        width,
        align: 1,
        height,
        subsamp,
    };
    let decoded = decompressor.decompress_to_yuv(jpeg, image.as_deref_mut());
    decoded.map(|_| image).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of the test's own with these files.
    fn folder(name: &str, files: &[(&str, &[u8])]) -> Vec<PathBuf> {
        let folder =
            std::env::temp_dir().join(format!("picam-stills-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let write = |&(name, content): &(&str, &[u8])| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        files.iter().map(write).collect()
    }

    fn grey(level: u8) -> Vec<u8> {
        let image = turbojpeg::Image {
            pixels: &[level; 16 * 16][..],
            width: 16,
            pitch: 16,
            height: 16,
            format: turbojpeg::PixelFormat::GRAY,
        };
        let jpeg = turbojpeg::compress(image, 100, turbojpeg::Subsamp::Gray).unwrap();
        jpeg.to_vec()
    }

    #[test]
    fn a_bad_file_among_good_ones_is_left_out() {
        let (dark, bright) = (grey(50), grey(200));
        let files = folder(
            "one-bad",
            &[
                ("a.jpg", b"not a JPEG"),
                ("b.jpg", &dark),
                ("c.jpg", &dark[..100]),
                ("d.jpg", &bright),
            ],
        );
        let mut stills = Stills::open(files, (16, 16)).unwrap();
        let seen: Vec<u8> = (0..5)
            .map(|_| stills.next().unwrap().clone().plane_mut(0)[0])
            .collect();
        assert_eq!(seen, [50, 200, 50, 200, 50]);
    }

    #[test]
    fn a_picture_that_claims_to_be_huge_is_refused_before_it_takes_memory() {
        let mut huge = grey(50);
        let size = huge.windows(2).position(|marker| marker == [0xff, 0xc0]);
        let size = size.unwrap() + 5; // behind the marker, a length and a precision
        huge[size..size + 4].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
        let error = Stills::open(folder("huge", &[("a.jpg", &huge)]), (16, 16));
        let error = error.err().unwrap().to_string();
        let expected = "30000 x 30000 pixels: expected at most 50 megapixels";
        assert!(error.ends_with(expected), "{error}");
    }

    #[test]
    fn nothing_but_bad_files_is_an_error_that_names_the_first() {
        let files = folder("all-bad", &[("a.jpg", b"nothing"), ("b.jpg", b"")]);
        let first = files[0].display().to_string();
        let error = Stills::open(files, (16, 16)).err().unwrap();
        assert!(error.to_string().starts_with(&first), "{error}");
    }
}
