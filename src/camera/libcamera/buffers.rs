//! The camera's buffers: allocated, mapped, and put into requests.

use super::configuration::Agreed;
use super::lent::{Format, Layout, Slot};
use super::memory::{Heap, Mapping};
use crate::camera::CameraError;
use libcamera::camera::ActiveCamera;
use libcamera::framebuffer::{
    AsFrameBuffer, FrameBufferPlane, FrameMetadataStatus, OwnedFrameBuffer,
};
use libcamera::framebuffer_allocator::{FrameBuffer, FrameBufferAllocator};
use libcamera::request::Request;
use libcamera::stream::Stream;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Requests with a buffer each, and what the processor sees of the buffers, by the requests' cookies.
pub(super) struct Buffers {
    pub requests: Vec<Request>,
    pub slots: Vec<Arc<Slot>>,
    /// Where the memory is from, for the log.
    pub kind: String,
}

/// Makes `count` requests with buffers for the stream that was `agreed` on: from a dma-heap, else from the camera itself,
/// else plain shared memory. `pieces` says that the camera takes memory in pieces.
///
/// # Errors
/// None of these works.
pub(super) fn make(
    camera: &mut ActiveCamera<'static>,
    agreed: &Agreed,
    count: usize,
    pieces: bool,
) -> Result<Buffers, CameraError> {
    if let Some(heap) = Heap::best(pieces) {
        match imported(camera, agreed, count, &heap) {
            Ok(buffers) => return Ok(buffers),
            Err(error) => log::warn!("camera: no buffers from {}: {error}", heap.name()),
        }
    }
    match exported(camera, agreed) {
        Ok(buffers) => return Ok(buffers),
        Err(error) => log::debug!("camera: no buffers of its own: {error}"),
    }
    imported(camera, agreed, count, &Heap::Memfd)
}

/// Gives `request` a buffer of another stream, too; what the processor sees of it.
///
/// # Errors
/// There is no memory for it.
pub(super) fn add(
    request: &mut Request,
    agreed: &Agreed,
    pieces: bool,
) -> Result<Slot, CameraError> {
    let heap = Heap::best(pieces).unwrap_or(Heap::Memfd);
    let (buffer, slot) = allocate(agreed, &heap)?;
    request
        .add_buffer(&agreed.stream, buffer)
        .map_err(failed("giving a buffer to a request"))?;
    Ok(slot)
}

/// Buffers from `heap`.
fn imported(
    camera: &mut ActiveCamera<'static>,
    agreed: &Agreed,
    count: usize,
    heap: &Heap,
) -> Result<Buffers, CameraError> {
    let mut buffers = Buffers {
        requests: Vec::new(),
        slots: Vec::new(),
        kind: heap.name(),
    };
    for index in 0..count {
        let (buffer, slot) = allocate(agreed, heap)?;
        buffers
            .requests
            .push(request(camera, &agreed.stream, index, buffer)?);
        buffers.slots.push(Arc::new(slot));
    }
    Ok(buffers)
}

/// One buffer from `heap`, as libcamera and as the processor sees it.
fn allocate(agreed: &Agreed, heap: &Heap) -> Result<(OwnedFrameBuffer, Slot), CameraError> {
    let planes = agreed.layout.planes();
    let end = planes.last().map_or(0, |(offset, length)| offset + length);
    let fd = heap
        .allocate(agreed.length.max(end))
        .map_err(failed("allocating a buffer"))?;
    let buffer = described(&fd, &planes).map_err(failed("describing a buffer"))?;
    let mapping = Mapping::new(fd.as_fd(), end).map_err(failed("mapping a buffer"))?;
    let slot = Slot {
        layout: agreed.layout,
        mappings: vec![mapping],
        planes: planes.iter().map(|&(offset, _)| (0, offset)).collect(),
    };
    Ok((buffer, slot))
}

/// A buffer for libcamera with these planes (offset and length) in the memory behind `fd`.
fn described(fd: &OwnedFd, planes: &[(usize, usize)]) -> io::Result<OwnedFrameBuffer> {
    let plane = |&(offset, length): &(usize, usize)| {
        Ok(FrameBufferPlane {
            fd: fd.try_clone()?,
            offset: offset as u32,
            length: length as u32,
        })
    };
    let planes: Vec<_> = planes.iter().map(plane).collect::<io::Result<_>>()?;
    let given: Vec<_> = planes.iter().map(|plane| plane.fd.as_raw_fd()).collect();
    let buffer = OwnedFrameBuffer::new(planes, None)?;
    for fd in given {
        // SAFETY: the crate's version 0.7.0, and only that one may be used, gives up these descriptors without closing
        // them, and libcamera works with copies of its own. Each was open until now, and nobody else has it.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    Ok(buffer)
}

/// Buffers that the camera's driver allocates.
fn exported(camera: &mut ActiveCamera<'static>, agreed: &Agreed) -> Result<Buffers, CameraError> {
    let mut allocator = FrameBufferAllocator::new(camera);
    let allocated = allocator
        .alloc(&agreed.stream)
        .map_err(failed("allocating the camera's buffers"))?;
    let mut buffers = Buffers {
        requests: Vec::new(),
        slots: Vec::new(),
        kind: "the camera's driver".into(),
    };
    for (index, buffer) in allocated.into_iter().enumerate() {
        let slot = map(&buffer, agreed.layout)?;
        buffers
            .requests
            .push(request(camera, &agreed.stream, index, buffer)?);
        buffers.slots.push(Arc::new(slot));
    }
    Ok(buffers)
}

/// Maps the planes of a buffer; those with one descriptor at once.
fn map(buffer: &FrameBuffer, layout: Layout) -> Result<Slot, CameraError> {
    let mut planes: Vec<(i32, usize, usize)> = Vec::new();
    let described = buffer.planes();
    for plane in 0..described.len() {
        if let Some(plane) = described.get(plane) {
            planes.push((plane.fd(), plane.offset().unwrap_or(0), plane.len()));
        }
    }
    let expected = layout.planes();
    let long_enough =
        |(plane, (_, length)): (&(i32, usize, usize), &(usize, usize))| plane.2 >= *length;
    if planes.len() != expected.len() || !planes.iter().zip(&expected).all(long_enough) {
        return Err(CameraError::Failed {
            what: "mapping the camera's buffers",
            reason: format!("planes {planes:?} where {layout:?} was agreed on"),
        });
    }
    let mut slot = Slot {
        layout,
        mappings: Vec::new(),
        planes: Vec::new(),
    };
    let mut mapped: Vec<i32> = Vec::new();
    for &(fd, offset, _) in &planes {
        let index = match mapped.iter().position(|it| *it == fd) {
            Some(index) => index,
            None => {
                let same = planes.iter().filter(|plane| plane.0 == fd);
                let end = same.map(|plane| plane.1 + plane.2).max().unwrap_or(0);
                // SAFETY: the descriptor is the buffer's, which outlives this use of it.
                let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
                slot.mappings
                    .push(Mapping::new(borrowed, end).map_err(failed("mapping a buffer"))?);
                mapped.push(fd);
                mapped.len() - 1
            }
        };
        slot.planes.push((index, offset));
    }
    Ok(slot)
}

fn request<B: AsFrameBuffer + 'static>(
    camera: &mut ActiveCamera<'static>,
    stream: &Stream,
    index: usize,
    buffer: B,
) -> Result<Request, CameraError> {
    let request = camera.create_request(Some(index as u64));
    let mut request = request.ok_or_else(|| CameraError::Failed {
        what: "making a request",
        reason: "libcamera refuses".into(),
    })?;
    request
        .add_buffer(stream, buffer)
        .map_err(failed("giving a buffer to a request"))?;
    Ok(request)
}

/// What libcamera reports of the picture in a completed request's buffer: its time in nanoseconds, and whether it is
/// good to be shown. `None` if there is nothing in it.
pub(super) fn filled(request: &Request, stream: &Stream) -> Option<(u64, bool)> {
    let metadata = |buffer: &dyn AsFrameBuffer| {
        let metadata = buffer.metadata()?;
        let good = match metadata.status() {
            FrameMetadataStatus::Success => true,
            // Algorithms are still finding their way.
            FrameMetadataStatus::Startup => false,
            FrameMetadataStatus::Error | FrameMetadataStatus::Cancelled => return None,
        };
        Some((metadata.timestamp(), good))
    };
    match request.buffer::<OwnedFrameBuffer>(stream) {
        Some(buffer) => metadata(buffer),
        None => metadata(request.buffer::<FrameBuffer>(stream)?),
    }
}

/// The pixel formats that picam takes.
pub(super) fn format(format: libcamera::pixel_format::PixelFormat) -> Option<Format> {
    if format == libcamera::formats::YUV420 {
        Some(Format::Yuv420)
    } else if format == libcamera::formats::NV12 {
        Some(Format::Nv12)
    } else if format == libcamera::formats::BGR888 {
        Some(Format::Rgb) // by the order in memory
    } else {
        None
    }
}

pub(super) fn failed(what: &'static str) -> impl Fn(io::Error) -> CameraError {
    move |reason| CameraError::Failed {
        what,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libcamera::framebuffer::AsFrameBuffer;
    use nix::sys::memfd::{MFdFlags, memfd_create};

    /// How many descriptors of this process show the memory behind `fd`.
    fn descriptors(fd: &OwnedFd) -> usize {
        let target = |fd: &str| std::fs::read_link(format!("/proc/self/fd/{fd}"));
        let wanted = target(&fd.as_raw_fd().to_string()).unwrap();
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let names = open.map(|entry| entry.unwrap().file_name());
        let same = |name: &std::ffi::OsString| {
            target(&name.to_string_lossy()).is_ok_and(|link| link == wanted)
        };
        names.filter(same).count()
    }

    /// On a Raspberry Pi the memory for pictures is gone after a few reopenings, if descriptors stay behind.
    #[test]
    fn a_buffer_that_is_dropped_leaves_no_descriptor_behind() {
        let fd = memfd_create(c"picam-buffers-test", MFdFlags::MFD_CLOEXEC).unwrap();
        let buffer = described(&fd, &[(0, 4096), (4096, 1024), (5120, 1024)]).unwrap();
        let used = buffer.planes().len();
        assert_eq!(used, 3);
        assert!((2..=1 + used).contains(&descriptors(&fd)), "libcamera's");
        drop(buffer);
        assert_eq!(descriptors(&fd), 1, "only the test's own");
    }
}
