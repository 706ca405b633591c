//! Memory that camera and processor share, and pictures in it.
//!
//! V4L2's own buffers are uncached for the processor on Raspberry Pis and very slow to read. A dma-heap's are
//! cached: the processor's caches are told before and after each read (DMA_BUF_IOCTL_SYNC).

use crate::picture::{Plane, Planes};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Once, OnceLock};

/// Raspberry Pi OS's name for the best one.
const CACHED_HEAP: &str = "vidbuf_cached";
/// Memory in pieces: for processors of pictures behind an IOMMU, which the VC4's are not.
const SYSTEM_HEAP: &str = "system";
/// Contiguous memory, by the kernel's names.
const CONTIGUOUS_HEAPS: [&str; 3] = ["linux,cma", "reserved", "default_cma_region"];

/// The heaps, the best first. Where memory may be in pieces, the contiguous memory is left to the receiver, which
/// needs it.
fn heaps(pieces: bool) -> impl Iterator<Item = &'static str> {
    [CACHED_HEAP]
        .into_iter()
        .chain(pieces.then_some(SYSTEM_HEAP))
        .chain(CONTIGUOUS_HEAPS)
}

// linux/dma-heap.h, linux/dma-buf.h
#[repr(C)]
struct HeapAllocation {
    length: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}
const DMA_HEAP_IOCTL_ALLOC: libc::c_ulong = 0xc018_4800;
const DMA_BUF_IOCTL_SYNC: libc::c_ulong = 0x4008_6200;
const SYNC_READ: u64 = 1;
const SYNC_END: u64 = 4;

/// Where buffers can be had from.
pub(super) enum Heap {
    /// A dma-heap, by its name.
    Dma(&'static str, File),
    /// Plain shared memory, for pipelines without hardware.
    Memfd,
}

impl Heap {
    /// The best dma-heap there is; `pieces` says that memory may be in pieces.
    pub(super) fn best(pieces: bool) -> Option<Self> {
        let mut open = heaps(pieces).filter_map(|name| {
            // Read-only is enough: the ioctl checks no more.
            let heap = File::open(Path::new("/dev/dma_heap").join(name)).ok()?;
            Some(Self::Dma(name, heap))
        });
        open.next()
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Dma(name, _) => format!("dma-heap {name}"),
            Self::Memfd => "shared memory".to_owned(),
        }
    }

    /// Memory of `length` bytes.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn allocate(&self, length: usize) -> io::Result<OwnedFd> {
        match self {
            Self::Dma(_, heap) => {
                let mut allocation = HeapAllocation {
                    length: length as u64,
                    fd: 0,
                    fd_flags: (libc::O_RDWR | libc::O_CLOEXEC) as u32,
                    heap_flags: 0,
                };
                // SAFETY: the ioctl reads and writes the struct, which is laid out as the kernel's.
                check(unsafe {
                    libc::ioctl(heap.as_raw_fd(), DMA_HEAP_IOCTL_ALLOC as _, &mut allocation)
                })?;
                // SAFETY: the kernel has just made this descriptor for us.
                Ok(unsafe { OwnedFd::from_raw_fd(allocation.fd as RawFd) })
            }
            Self::Memfd => {
                let fd = memfd_create(c"picam-frame", MFdFlags::MFD_CLOEXEC)?;
                File::from(fd.try_clone()?).set_len(length as u64)?;
                Ok(fd)
            }
        }
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A buffer's memory, mapped for reading. It outlives the camera it came from, if somebody still looks at it.
pub(super) struct Mapping {
    fd: OwnedFd,
    start: *mut libc::c_void,
    length: usize,
}

// SAFETY: the mapping is only read, and lasts until the drop; that the camera may write to it meanwhile is kept
// from happening by the buffer's way: it goes back to the camera when nobody looks at it any more.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of `fd`.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn new(fd: BorrowedFd, length: usize) -> io::Result<Self> {
        let fd = fd.try_clone_to_owned()?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { fd, start, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is this long and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.length) }
    }

    /// Tells the processor's caches that reading begins, or ends. Memory that is no dma-buf needs none of it.
    fn sync(&self, flags: u64) {
        // SAFETY: the ioctl reads eight bytes from the pointer.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), DMA_BUF_IOCTL_SYNC as _, &flags) };
        if result < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::ENOTTY) {
                log::debug!("DMA_BUF_IOCTL_SYNC: {error}");
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nobody holds a slice of it any more: they borrow self.
        unsafe { libc::munmap(self.start, self.length) };
    }
}

/// How the samples lie in the camera's planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Y, Cb, Cr: what the encoder takes.
    Yuv420,
    /// Y, and Cb and Cr in turns: has to be taken apart.
    Nv12,
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
    chroma: OnceLock<[Vec<u8>; 2]>,
    channel: Sender<E>,
    index: usize,
}

impl<E: From<usize>> Lent<E> {
    /// The picture that is in `slot` now. In the end `index` is sent on `channel`.
    pub(super) fn new(slot: Arc<Slot>, channel: Sender<E>, index: usize) -> Self {
        Self {
            slot,
            read: Once::new(),
            chroma: OnceLock::new(),
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
        let luma = Plane {
            data: self.slot.plane(0),
            stride: layout.stride,
        };
        let chroma = |data, stride| Plane { data, stride };
        let [cb, cr] = match layout.format {
            Format::Yuv420 => [1, 2].map(|plane| chroma(self.slot.plane(plane), layout.stride / 2)),
            Format::Nv12 => {
                let [cb, cr] = self
                    .chroma
                    .get_or_init(|| take_apart(self.slot.plane(1), &layout));
                [cb, cr].map(|plane| chroma(plane, layout.width / 2))
            }
        };
        [luma, cb, cr]
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
fn take_apart(chroma: &[u8], layout: &Layout) -> [Vec<u8>; 2] {
    let (columns, rows) = (layout.width / 2, layout.height / 2);
    let mut planes = [0, 1].map(|_| Vec::with_capacity(columns * rows));
    for row in chroma.chunks(layout.stride).take(rows) {
        for (index, plane) in planes.iter_mut().enumerate() {
            plane.extend(row[..2 * columns].iter().skip(index).step_by(2));
        }
    }
    planes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use std::io::{Seek, Write};
    use std::os::fd::AsFd;
    use std::sync::mpsc;

    #[test]
    fn memory_in_pieces_is_for_the_pi_5_and_better_there() {
        let names: Vec<_> = heaps(true).collect();
        assert_eq!(names[..3], ["vidbuf_cached", "system", "linux,cma"]);
        assert!(heaps(false).all(|name| name != "system"));
    }

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
