//! What more than one target needs: files that picam reads by their names, and the replay of one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use picam::camera::{CameraError, Frame, open};
use picam::config::{CameraConfig, Source};
use picam::controls::Set;

/// Columns and rows of what is replayed: small, so that scaling takes little of the time.
const SIZE: (usize, usize) = (64, 48);
/// More than the files of the corpus hold: a replay begins again at a file's end.
const FRAMES: usize = 4;
/// A refusal: the file's name, a reason, and what is accepted instead.
const LONGEST_REFUSAL: usize = 400;

/// A name of this process's own that ends in `ending`, in memory where the system has a place for that.
pub fn file(ending: &str) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    place.join(format!("picam-fuzz-{}-{ending}", std::process::id()))
}

/// Replays `file` with these contents: its frames have the configured size, however large its own are, and a refusal is
/// one short printable line that names it.
pub fn replay(file: &Path, contents: &[u8]) {
    std::fs::write(file, contents).expect("a temporary file can be written");
    let played = play(file);
    std::fs::remove_file(file).expect("it was just written");
    match played {
        Ok(frames) => frames.iter().for_each(check),
        Err(refusal) => {
            let line = refusal.to_string();
            let reason = line.strip_prefix(&*file.to_string_lossy());
            assert!(reason.is_some_and(|it| it.len() > 2), "{line:?}");
            assert!(line.len() <= LONGEST_REFUSAL, "{} bytes", line.len());
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}

fn play(file: &Path) -> Result<Vec<Frame>, CameraError> {
    let config = CameraConfig {
        source: Source::Replay(file.to_owned()),
        width: SIZE.0 as u32,
        height: SIZE.1 as u32,
        rate: 1e6, // without a pause
        ..CameraConfig::default()
    };
    let mut camera = open(&config, &Set::default(), 0)?;
    let frame = |_| camera.next_frame(Duration::from_secs(1)).transpose();
    (0..FRAMES).filter_map(frame).collect()
}

fn check(frame: &Frame) {
    assert_eq!((frame.width, frame.height), SIZE);
    let half = (SIZE.0 / 2, SIZE.1 / 2);
    for (plane, (columns, rows)) in frame.planes.planes().iter().zip([SIZE, half, half]) {
        assert_eq!((plane.stride, plane.data.len()), (columns, columns * rows));
    }
}
