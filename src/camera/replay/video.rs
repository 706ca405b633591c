//! A Y4M file, frame by frame, from the beginning again at its end.

use super::fit::{check_size, fit};
use crate::camera::CameraError;
use crate::picture::Picture;
use log::warn;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

pub(super) struct Video {
    path: PathBuf,
    decoder: y4m::Decoder<BufReader<File>>,
    chroma: Chroma,
    /// The last frame that was read; `None` at the beginning.
    current: Option<Picture>,
    /// Whether the log has said that the file cannot be read to its end.
    cut: bool,
    size: (usize, usize),
}

impl Video {
    pub(super) fn open(path: &Path, size: (usize, usize)) -> Result<Self, CameraError> {
        let (decoder, chroma) = open_y4m(path)?;
        let mut video = Self {
            path: path.to_owned(),
            decoder,
            chroma,
            current: None,
            cut: false,
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

    pub(super) fn next(&mut self) -> Result<&Picture, CameraError> {
        let (width, height) = (self.decoder.get_width(), self.decoder.get_height());
        let frame = match self.decoder.read_frame() {
            Ok(frame) => frame,
            Err(error) if self.current.is_some() => {
                if !matches!(error, y4m::Error::EOF) && !std::mem::replace(&mut self.cut, true) {
                    let path = self.path.display();
                    warn!("replay: {path}: {error}: played up to there");
                }
                self.rewind()?;
                return self.next();
            }
            Err(y4m::Error::EOF) => {
                return Err(CameraError::unreadable(&self.path, "no whole frame in it"));
            }
            Err(error) => return Err(CameraError::unreadable(&self.path, error)),
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
    let file = File::open(path).map_err(|error| CameraError::unreadable(path, error))?;
    let mut reader = BufReader::new(file);
    let start = reader.fill_buf();
    let (width, height) =
        claimed_size(start.map_err(|error| CameraError::unreadable(path, error))?);
    check_size(width, height).map_err(|reason| CameraError::unreadable(path, reason))?;
    let decoder = y4m::Decoder::new(reader);
    let decoder = decoder.map_err(|error| CameraError::unreadable(path, error))?;
    use y4m::Colorspace::{C420, C420jpeg, C420mpeg2, C420paldv, C422, C444};
    let chroma = match decoder.get_colorspace() {
        C420 | C420jpeg | C420mpeg2 | C420paldv => Chroma(2, 2),
        C422 => Chroma(2, 1),
        C444 => Chroma(1, 1),
        other => {
            let reason = format!("Y4M colour space {other:?}: expected 8-bit C420, C422 or C444");
            return Err(CameraError::unreadable(path, reason));
        }
    };
    Ok((decoder, chroma))
}

/// The largest width and height in the header at the start of a Y4M file; 0 for what is not in it. To be checked before
/// the decoder multiplies them, which may overflow.
fn claimed_size(start: &[u8]) -> (usize, usize) {
    let header = start.split(|byte| *byte == b'\n').next();
    let words = header.unwrap_or_default().split(|byte| *byte == b' ');
    let largest = |name| {
        let values = words.clone().filter_map(|word| word.strip_prefix(name));
        let numbers = values.filter_map(|value| std::str::from_utf8(value).ok()?.parse().ok());
        numbers.max().unwrap_or(0)
    };
    (largest(b"W"), largest(b"H"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_that_claims_to_be_huge_is_refused_before_its_size_overflows() {
        let path = std::env::temp_dir().join(format!("picam-huge-{}.y4m", std::process::id()));
        for (width, height) in [(8000, 8000), (1_u64 << 32, 1 << 32), (2, u64::MAX)] {
            let header = format!("YUV4MPEG2 H1 W{width} H{height} C444\nFRAME\n");
            std::fs::write(&path, header).unwrap();
            let error = Video::open(&path, (64, 64)).err().unwrap().to_string();
            let expected = format!("{width} x {height} pixels: expected at most 50 megapixels");
            assert!(error.ends_with(&expected), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
