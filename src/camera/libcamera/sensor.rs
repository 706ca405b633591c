//! What the sensor has and libcamera has no control for.

use super::machine::Machine;
use crate::camera::CameraError;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

// linux/v4l2-controls.h, linux/videodev2.h
const V4L2_CID_WIDE_DYNAMIC_RANGE: u32 = 0x009a_0915;

#[repr(C)]
pub struct V4l2Control {
    id: u32,
    value: i32,
}

nix::ioctl_readwrite!(vidioc_s_ctrl, b'V', 28, V4l2Control);

/// Switches the HDR mode of the IMX708s that are there. Before libcamera starts: it asks for their modes then.
///
/// # Errors
/// It is wanted, and the sensor's driver refuses.
pub(super) fn set_hdr(machine: &Machine, on: bool) -> Result<(), CameraError> {
    for device in machine.sensor_devices() {
        match set(&device, V4L2_CID_WIDE_DYNAMIC_RANGE, on.into()) {
            Err(reason) if on => {
                return Err(CameraError::Unusable(format!(
                    "camera.hdr: {}: {reason}",
                    device.display()
                )));
            }
            // Drivers without the mode need not be told; one that is busy is told so by libcamera.
            _ => {}
        }
    }
    Ok(())
}

fn set(device: &Path, id: u32, value: i32) -> io::Result<()> {
    let device = File::options().read(true).write(true).open(device)?;
    let mut control = V4l2Control { id, value };
    // SAFETY: the ioctl reads and writes the struct, which is laid out as the kernel's.
    unsafe { vidioc_s_ctrl(device.as_raw_fd(), &mut control) }?;
    Ok(())
}
