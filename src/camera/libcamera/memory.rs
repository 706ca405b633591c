//! Memory that camera and processor share.
//!
//! V4L2's own buffers are uncached for the processor on Raspberry Pis and very slow to read. A dma-heap's are
//! cached: the processor's caches are told before and after each read (DMA_BUF_IOCTL_SYNC).

use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

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
pub(super) const SYNC_READ: u64 = 1;
pub(super) const SYNC_END: u64 = 4;

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

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is this long and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.length) }
    }

    /// Tells the processor's caches that reading begins, or ends. Memory that is no dma-buf needs none of it.
    pub(super) fn sync(&self, flags: u64) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_pieces_is_for_the_pi_5_and_better_there() {
        let names: Vec<_> = heaps(true).collect();
        assert_eq!(names[..3], ["vidbuf_cached", "system", "linux,cma"]);
        assert!(heaps(false).all(|name| name != "system"));
    }
}
