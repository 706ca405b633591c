//! Plays a JPEG file, a folder of JPEG files or a Y4M file, at the configured rate and size, for ever.

use super::{Beat, Camera, CameraError, Frame};
use crate::clock::{Timestamp, calendar};
use crate::config::CameraConfig;
use crate::controls;
use crate::picture::{Picture, Pool, Stamp};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{ResizeOptions, Resizer, pixels::U8};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;
use turbojpeg::YuvImage;

/// Decoded pictures of a folder are kept up to this size in all; those beyond it are decoded each time.
const CACHE_BYTES: usize = 256 << 20;

pub(super) struct Replay {
    beat: Beat,
    media: Media,
    pool: Pool,
    stamp: bool,
}

impl Replay {
    pub(super) fn open(path: &Path, config: &CameraConfig, last: u64) -> Result<Self, CameraError> {
        let size = (config.width as usize, config.height as usize);
        Ok(Self {
            beat: Beat::new(config.rate, last),
            media: Media::open(path, size)?,
            pool: Pool::new(Picture::filled(size.0, size.1, [0, 128, 128])),
            stamp: config.stamp,
        })
    }
}

impl Camera for Replay {
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let Some(sequence) = self.beat.wait(patience) else {
            return Ok(None);
        };
        let source = self.media.next()?;
        // The stamp tells when the picture is handed on, as a sensor's would; decoding comes before that.
        let captured = Timestamp::now();
        let (width, height) = (source.width(), source.height());
        let planes = self.pool.paint(|picture| {
            picture.copy_from(source);
            if self.stamp {
                let unix = captured.unix();
                let stamp = Stamp { sequence, unix };
                stamp.draw(picture, &[&format!("frame {sequence}"), &calendar(unix)]);
            }
        });
        Ok(Some(Frame {
            sequence,
            captured,
            width,
            height,
            planes,
        }))
    }

    fn apply(&mut self, _: &controls::Set, _: &controls::Set) -> Result<(), CameraError> {
        Ok(()) // A recording has no controls; what was requested is remembered by the remote.
    }

    fn set_rate(&mut self, rate: f64) -> Result<(), CameraError> {
        self.beat.set_rate(rate);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        Ok(()) // Nothing here that could hang.
    }
}

/// What is replayed, as pictures of the configured size.
enum Media {
    Stills(Stills),
    Video(Box<Video>),
}

impl Media {
    fn open(path: &Path, size: (usize, usize)) -> Result<Self, CameraError> {
        let is = |path: &Path, endings: &[&str]| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            endings
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        };
        if is(path, &["y4m"]) {
            return Ok(Self::Video(Box::new(Video::open(path, size)?)));
        }
        let mut stills = Vec::new();
        if path.is_dir() {
            let entries = path.read_dir().map_err(|error| unreadable(path, error))?;
            let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            stills.extend(files.filter(|path| is(path, &["jpg", "jpeg"])));
            stills.sort();
        } else if path.is_file() {
            stills.push(path.to_owned());
        }
        if stills.is_empty() {
            return Err(CameraError::NothingToReplay {
                path: path.to_owned(),
            });
        }
        Ok(Self::Stills(Stills::open(stills, size)?))
    }

    fn next(&mut self) -> Result<&Picture, CameraError> {
        match self {
            Self::Stills(stills) => stills.next(),
            Self::Video(video) => video.next(),
        }
    }
}

/// JPEG files, one after the other.
struct Stills {
    /// With what was decoded of them, up to CACHE_BYTES in all.
    files: Vec<(PathBuf, Option<Picture>)>,
    next: usize,
    cached: usize,
    uncached: Picture,
}

impl Stills {
    fn open(files: Vec<PathBuf>, (width, height): (usize, usize)) -> Result<Self, CameraError> {
        let mut stills = Self {
            files: files.into_iter().map(|path| (path, None)).collect(),
            next: 0,
            cached: 0,
            uncached: Picture::filled(width, height, [0, 128, 128]),
        };
        stills.next()?; // What cannot be decoded is refused at the start, with the file's name.
        stills.next = 0;
        Ok(stills)
    }

    fn next(&mut self) -> Result<&Picture, CameraError> {
        let count = self.files.len();
        let (path, still) = &mut self.files[self.next];
        self.next = (self.next + 1) % count;
        if still.is_none() {
            let size = (self.uncached.width(), self.uncached.height());
            let picture = decode_jpeg(path, size)?;
            let bytes = size.0 * size.1 * 3 / 2;
            if self.cached + bytes > CACHE_BYTES {
                self.uncached = picture;
            } else {
                self.cached += bytes;
                *still = Some(picture);
            }
        }
        Ok(still.as_ref().unwrap_or(&self.uncached))
    }
}

/// A Y4M file.
struct Video {
    path: PathBuf,
    decoder: y4m::Decoder<BufReader<File>>,
    chroma: Chroma,
    /// The last frame that was read; `None` at the beginning.
    current: Option<Picture>,
    size: (usize, usize),
}

impl Video {
    fn open(path: &Path, size: (usize, usize)) -> Result<Self, CameraError> {
        let (decoder, chroma) = open_y4m(path)?;
        let mut video = Self {
            path: path.to_owned(),
            decoder,
            chroma,
            current: None,
            size,
        };
        video.next()?; // What cannot be decoded is refused at the start.
        video.rewind()?;
        Ok(video)
    }

    fn rewind(&mut self) -> Result<(), CameraError> {
        (self.decoder, self.chroma) = open_y4m(&self.path)?;
        self.current = None;
        Ok(())
    }

    fn next(&mut self) -> Result<&Picture, CameraError> {
        let (width, height) = (self.decoder.get_width(), self.decoder.get_height());
        let frame = match self.decoder.read_frame() {
            Ok(frame) => frame,
            Err(y4m::Error::EOF) if self.current.is_some() => {
                self.rewind()?;
                return self.next();
            }
            Err(y4m::Error::EOF) => return Err(unreadable(&self.path, "no whole frame in it")),
            Err(error) => return Err(unreadable(&self.path, error)),
        };
        let (columns, rows) = self.chroma.size(width, height);
        let planes = [
            (frame.get_y_plane(), width, height),
            (frame.get_u_plane(), columns, rows),
            (frame.get_v_plane(), columns, rows),
        ];
        let blank = || Picture::filled(self.size.0, self.size.1, [0, 128, 128]);
        let current = self.current.get_or_insert_with(blank);
        fit(&planes, current);
        Ok(current)
    }
}

/// How many luma samples a chroma sample stands for, across and down, in a Y4M file.
#[derive(Clone, Copy)]
struct Chroma(usize, usize);

impl Chroma {
    fn size(self, width: usize, height: usize) -> (usize, usize) {
        (width.div_ceil(self.0), height.div_ceil(self.1))
    }
}

fn open_y4m(path: &Path) -> Result<(y4m::Decoder<BufReader<File>>, Chroma), CameraError> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let decoder = y4m::decode(BufReader::new(file)).map_err(|error| unreadable(path, error))?;
    use y4m::Colorspace::{C420, C420jpeg, C420mpeg2, C420paldv, C422, C444};
    let chroma = match decoder.get_colorspace() {
        C420 | C420jpeg | C420mpeg2 | C420paldv => Chroma(2, 2),
        C422 => Chroma(2, 1),
        C444 => Chroma(1, 1),
        other => {
            let reason =
                format!("Y4M colour space {other:?}; 8-bit C420, C422 and C444 are accepted");
            return Err(unreadable(path, reason));
        }
    };
    Ok((decoder, chroma))
}

fn decode_jpeg(path: &Path, size: (usize, usize)) -> Result<Picture, CameraError> {
    let jpeg = std::fs::read(path).map_err(|error| unreadable(path, error))?;
    let yuv = to_yuv(&jpeg).map_err(|error| unreadable(path, error))?;
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
fn to_yuv(jpeg: &[u8]) -> turbojpeg::Result<YuvImage<Vec<u8>>> {
    let mut decompressor = turbojpeg::Decompressor::new()?;
    let header = decompressor.read_header(jpeg)?;
    let (width, height, subsamp) = (header.width, header.height, header.subsamp);
    let mut image = YuvImage {
        pixels: vec![0; turbojpeg::yuv_pixels_len(width, 1, height, subsamp)?],
        width,
        align: 1,
        height,
        subsamp,
    };
    decompressor.decompress_to_yuv(jpeg, image.as_deref_mut())?;
    Ok(image)
}

/// Scales planes (samples, columns, rows) into `picture`, cutting what exceeds its aspect ratio.
fn fit(planes: &[(&[u8], usize, usize)], picture: &mut Picture) {
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

fn unreadable(path: &Path, reason: impl std::fmt::Display) -> CameraError {
    CameraError::Unreadable {
        path: path.to_owned(),
        reason: reason.to_string(),
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
