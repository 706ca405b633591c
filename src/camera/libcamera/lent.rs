//! Pictures in the memory that camera and processor share: how they lie there, and whether somebody still looks at them.

use super::memory::{Mapping, SYNC_END, SYNC_READ};
use crate::picture::{Chroma, Plane, Planes};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Once, OnceLock};

/// How the samples lie in the camera's planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Y, Cb, Cr: what the encoder takes.
    Yuv420,
    /// Y, and Cb and Cr in turns: has to be taken apart.
    Nv12,
    /// Red, green and blue in turns: has to be taken apart, and mixed.
    Rgb,
}

/// Size and layout of a stream's pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub format: Format,
    pub width: usize,
    pub height: usize,
    /// Bytes from one row of the first plane to the next.
    pub stride: usize,
}

impl Layout {
    /// Offset and length of each plane in a buffer of their own, in bytes.
    pub(super) fn planes(&self) -> Vec<(usize, usize)> {
        let (luma, rows) = (self.stride * self.height, self.height / 2);
        match self.format {
            Format::Yuv420 => {
                let chroma = self.stride / 2 * rows;
                vec![(0, luma), (luma, chroma), (luma + chroma, chroma)]
            }
            Format::Nv12 => vec![(0, luma), (luma, self.stride * rows)],
            Format::Rgb => vec![(0, luma)],
        }
    }
}

/// One of the camera's buffers, as the processor sees it.
pub(super) struct Slot {
    pub layout: Layout,
    /// The memory that the planes are in; often only one.
    pub mappings: Vec<Mapping>,
    /// For each plane, which mapping and where in it.
    pub planes: Vec<(usize, usize)>,
}

impl Slot {
    fn plane(&self, index: usize) -> &[u8] {
        let (mapping, offset) = self.planes[index];
        &self.mappings[mapping].bytes()[offset..]
    }
}

/// A captured picture in one of the camera's buffers. It says on the channel when nobody looks at it any more.
pub(super) struct Lent<E: From<usize>> {
    slot: Arc<Slot>,
    read: Once,
    /// The planes that are not in the slot.
    apart: OnceLock<Vec<Vec<u8>>>,
    channel: Sender<E>,
    index: usize,
}

impl<E: From<usize>> Lent<E> {
    /// The picture that is in `slot` now. In the end `index` is sent on `channel`.
    pub(super) fn new(slot: Arc<Slot>, channel: Sender<E>, index: usize) -> Self {
        Self {
            slot,
            read: Once::new(),
            apart: OnceLock::new(),
            channel,
            index,
        }
    }
}

impl<E: From<usize> + Send> Planes for Lent<E> {
    fn planes(&self) -> [Plane<'_>; 3] {
        // Not before somebody wants to read: frames that nobody encodes cost nothing.
        self.read.call_once(|| {
            for mapping in &self.slot.mappings {
                mapping.sync(SYNC_READ);
            }
        });
        let layout = self.slot.layout;
        let here = |index, stride| Plane {
            data: self.slot.plane(index),
            stride,
        };
        match layout.format {
            Format::Yuv420 => [(0, 1), (1, 2), (2, 2)]
                .map(|(index, divisor)| here(index, layout.stride / divisor)),
            Format::Nv12 => {
                let apart = self
                    .apart
                    .get_or_init(|| take_apart(self.slot.plane(1), &layout));
                let [cb, cr] = [0, 1].map(|index| Plane {
                    data: &apart[index],
                    stride: layout.width / 2,
                });
                [here(0, layout.stride), cb, cr]
            }
            Format::Rgb => {
                let apart = self
                    .apart
                    .get_or_init(|| mixed(self.slot.plane(0), &layout));
                [0, 1, 2].map(|index| Plane {
                    data: &apart[index],
                    stride: layout.width,
                })
            }
        }
    }

    fn chroma(&self) -> Chroma {
        match self.slot.layout.format {
            Format::Rgb => Chroma::Full,
            _ => Chroma::Quarter,
        }
    }
}

impl<E: From<usize>> Drop for Lent<E> {
    fn drop(&mut self) {
        if self.read.is_completed() {
            for mapping in &self.slot.mappings {
                mapping.sync(SYNC_READ | SYNC_END);
            }
        }
        let _ = self.channel.send(self.index.into()); // fails when the camera has been closed meanwhile
    }
}

/// NV12's chroma plane as two planes without padding.
fn take_apart(chroma: &[u8], layout: &Layout) -> Vec<Vec<u8>> {
    let (columns, rows) = (layout.width / 2, layout.height / 2);
    let mut planes = [0; 2].map(|_| Vec::with_capacity(columns * rows));
    for row in chroma.chunks(layout.stride).take(rows) {
        for (index, plane) in planes.iter_mut().enumerate() {
            plane.extend(row[..2 * columns].iter().skip(index).step_by(2));
        }
    }
    planes.into()
}

/// Y, Cb and Cr of an RGB picture, by JFIF's mixture (BT.601, full range), without padding.
fn mixed(rgb: &[u8], layout: &Layout) -> Vec<Vec<u8>> {
    /// Parts of 65536 of red, green and blue, and what is added.
    const MIXTURES: [([i32; 3], i32); 3] = [
        ([19_595, 38_470, 7_471], 0),
        ([-11_058, -21_710, 32_768], 128 << 16),
        ([32_768, -27_439, -5_329], 128 << 16),
    ];
    let mut planes = [0; 3].map(|_| Vec::with_capacity(layout.width * layout.height));
    for row in rgb.chunks(layout.stride).take(layout.height) {
        let pixels = row[..3 * layout.width].as_chunks::<3>().0;
        for (plane, (parts, base)) in planes.iter_mut().zip(MIXTURES) {
            plane.extend(pixels.iter().map(|pixel| {
                let parts = parts
                    .iter()
                    .zip(pixel)
                    .map(|(part, &it)| part * i32::from(it));
                // Pure blue and red are half a step beyond the range.
                ((parts.sum::<i32>() + base + (1 << 15)) >> 16).min(255) as u8
            }));
        }
    }
    planes.into()
}

#[cfg(test)]
mod tests {
    use super::super::memory::Heap;
    use super::*;
    use crate::picture::Picture;
    use std::fs::File;
    use std::io::{Seek, Write};
    use std::os::fd::AsFd;
    use std::sync::mpsc;

    /// A buffer with `samples` in it.
    fn slot(layout: Layout, samples: &[u8]) -> Arc<Slot> {
        let fd = Heap::Memfd.allocate(samples.len()).unwrap();
        let mut file = File::from(fd.try_clone().unwrap());
        file.rewind().unwrap();
        file.write_all(samples).unwrap();
        Arc::new(Slot {
            layout,
            mappings: vec![Mapping::new(fd.as_fd(), samples.len()).unwrap()],
            planes: layout
                .planes()
                .into_iter()
                .map(|(offset, _)| (0, offset))
                .collect(),
        })
    }

    fn picture(layout: Layout, samples: &[u8]) -> Picture {
        let (sender, returned) = mpsc::channel::<usize>();
        let lent = Lent::new(slot(layout, samples), sender, 7);
        let picture = Picture::copied(layout.width, layout.height, &lent);
        assert!(returned.try_recv().is_err(), "still looked at");
        drop(lent);
        assert_eq!(returned.try_recv(), Ok(7));
        picture
    }

    #[test]
    fn yuv420_and_nv12_show_the_same_picture() {
        let layout = |format| Layout {
            format,
            width: 4,
            height: 4,
            stride: 8,
        };
        let luma: Vec<u8> = (0..4)
            .flat_map(|y| (0..8).map(move |x| 10 * y + x))
            .collect();
        let pad = [99; 2];
        let planar = [
            luma.clone(),
            [[100, 101], pad, [102, 103], pad].concat(),
            [[200, 201], pad, [202, 203], pad].concat(),
        ];
        let packed = [
            luma,
            vec![100, 200, 101, 201, 99, 99, 99, 99],
            vec![102, 202, 103, 203, 99, 99, 99, 99],
        ];
        let planar = picture(layout(Format::Yuv420), &planar.concat());
        let packed = picture(layout(Format::Nv12), &packed.concat());
        assert_eq!(planar, packed);
        assert_eq!(planar.planes()[1].data, [100, 101, 102, 103]);
        assert_eq!(planar.planes()[2].data, [200, 201, 202, 203]);
        assert_eq!(planar.planes()[0].data[..8], [0, 1, 2, 3, 10, 11, 12, 13]);
    }

    #[test]
    fn rgb_shows_the_colours_of_jfif() {
        let layout = Layout {
            format: Format::Rgb,
            width: 2,
            height: 2,
            stride: 8,
        };
        let rows = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [200, 100, 50]]];
        let samples = rows
            .map(|row| [row.as_flattened(), &[99; 2]].concat())
            .concat();
        let (sender, _returned) = mpsc::channel::<usize>();
        let lent = Lent::new(slot(layout, &samples), sender, 0);
        assert_eq!(lent.chroma(), Chroma::Full);
        let planes = lent.planes().map(|plane| plane.data);
        assert_eq!(
            planes,
            [[76, 150, 29, 124], [85, 44, 255, 86], [255, 21, 107, 182]]
        );
    }

    #[test]
    fn planes_lie_one_after_the_other() {
        let layout = Layout {
            format: Format::Yuv420,
            width: 2304,
            height: 1296,
            stride: 2304,
        };
        let (luma, chroma) = (2304 * 1296, 1152 * 648);
        assert_eq!(
            layout.planes(),
            [(0, luma), (luma, chroma), (luma + chroma, chroma)]
        );
    }

    #[test]
    fn a_frame_outlives_its_camera() {
        let layout = Layout {
            format: Format::Nv12,
            width: 2,
            height: 2,
            stride: 2,
        };
        let (sender, receiver) = mpsc::channel::<usize>();
        let lent = Lent::new(slot(layout, &[1, 2, 3, 4, 5, 6]), sender, 0);
        drop(receiver);
        assert_eq!(lent.planes()[0].data[..4], [1, 2, 3, 4]);
    }
}
