//! A source whose pictures are turned in software. Only what somebody looks at is turned, once for all.

use super::{Camera, CameraError, Frame, Lens};
use crate::controls;
use crate::picture::{Chroma, Picture, Plane, Planes, Pool, Turn, Window};
use crate::sync::lock;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Turns what `camera` delivers.
pub(super) struct TurnedCamera {
    camera: Box<dyn Camera>,
    turn: Turn,
    /// Pictures of the newest frame's turned size.
    pool: Option<SizedPool>,
}

struct SizedPool {
    size: (usize, usize),
    pictures: Arc<Mutex<Pool>>,
}

/// `camera`, with its pictures turned.
pub(super) fn turned(camera: Box<dyn Camera>, turn: Turn) -> Box<dyn Camera> {
    if turn.is_none() {
        return camera;
    }
    let pool = None;
    Box::new(TurnedCamera { camera, turn, pool })
}

impl TurnedCamera {
    /// Pictures of this turned size.
    fn pool(&mut self, size: (usize, usize)) -> Arc<Mutex<Pool>> {
        if let Some(pool) = &self.pool
            && pool.size == size
        {
            return Arc::clone(&pool.pictures);
        }
        let blank = Picture::filled(size.0, size.1, [0, 128, 128]);
        let pictures = Arc::new(Mutex::new(Pool::new(blank)));
        self.pool = Some(SizedPool {
            size,
            pictures: Arc::clone(&pictures),
        });
        pictures
    }

    /// The same for the camera, which sees the scene as it comes.
    fn set(&self, set: &controls::Set) -> controls::Set {
        set.with_windows(|window| self.turn.source_of(Window(window)).0)
    }
}

/// `frame`, turned into a picture of `pool`, or into one of its own.
fn turned_frame(frame: Frame, turn: Turn, pool: Option<Arc<Mutex<Pool>>>) -> Frame {
    let size = (frame.width, frame.height);
    let (width, height) = turn.size(size);
    let planes = TurnedPlanes {
        source: frame.planes,
        size,
        turn,
        pool,
        turned: OnceLock::new(),
    };
    Frame {
        width,
        height,
        planes: Arc::new(planes),
        ..frame
    }
}

impl Camera for TurnedCamera {
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let Some(frame) = self.camera.next_frame(patience)? else {
            return Ok(None);
        };
        let size = self.turn.size((frame.width, frame.height));
        // Stills are large, and come one at a time.
        let pool = (frame.planes.chroma() == Chroma::Quarter).then(|| self.pool(size));
        Ok(Some(turned_frame(frame, self.turn, pool)))
    }

    fn apply(
        &mut self,
        requested: &controls::Set,
        changed: &controls::Set,
        number: u64,
    ) -> Result<(), CameraError> {
        let (requested, changed) = (self.set(requested), self.set(changed));
        self.camera.apply(&requested, &changed, number)
    }

    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError> {
        self.camera.set_rate(rate)
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        self.camera.restart()
    }

    fn order_still(&mut self) -> bool {
        self.camera.order_still()
    }

    fn still(&mut self) -> Option<Frame> {
        let still = self.camera.still()?;
        Some(turned_frame(still, self.turn, None))
    }

    fn sensitivity(&self) -> f64 {
        self.camera.sensitivity()
    }

    fn lens(&self) -> Option<Lens> {
        self.camera.lens()
    }

    fn ranges(&self) -> controls::Ranges {
        self.camera.ranges()
    }
}

/// A picture that is turned when it is looked at for the first time.
struct TurnedPlanes {
    source: Arc<dyn Planes>,
    size: (usize, usize),
    turn: Turn,
    pool: Option<Arc<Mutex<Pool>>>,
    turned: OnceLock<Arc<Picture>>,
}

impl Planes for TurnedPlanes {
    fn planes(&self) -> [Plane<'_>; 3] {
        let picture = self.turned.get_or_init(|| {
            let apply = |into: &mut Picture| self.turn.apply(self.source.as_ref(), self.size, into);
            if let Some(pool) = &self.pool {
                return lock(pool).paint(apply);
            }
            let (width, height) = self.turn.size(self.size);
            let mut picture = Picture::with_chroma(width, height, self.chroma(), [0; 3]);
            apply(&mut picture);
            Arc::new(picture)
        });
        picture.planes()
    }

    fn chroma(&self) -> Chroma {
        self.source.chroma()
    }
}
