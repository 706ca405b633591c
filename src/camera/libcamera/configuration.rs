//! What is asked of the camera before it starts: size, format, colours, sensor mode.

use super::buffers::{self, failed};
use super::choice::{self, Mode};
use super::memory::Layout;
use super::timing;
use crate::camera::CameraError;
use crate::config::CameraConfig;
use crate::picture::Turn;
use libcamera::camera::{ActiveCamera, CameraConfiguration, Orientation, SensorConfiguration};
use libcamera::color_space::{ColorSpace, Range, YcbcrEncoding};
use libcamera::geometry::Size;
use libcamera::stream::StreamRole;
use log::{debug, info, warn};

/// Buffers: one is filled, some wait to be, one is encoded, and the newest is kept for whoever asks next.
const BUFFERS: u32 = 5;

/// The sensor mode that picam chooses; `None` if the sensor is no IMX708.
pub(super) fn mode(config: &CameraConfig, model: &str) -> Option<Mode> {
    let sensor_rate = timing::calm_rate(config.rate, config.sensor_rate);
    choice::is_imx708(model)
        .then(|| choice::mode(config.width, config.height, sensor_rate, config.hdr))
}

/// Configures the camera for frames as `config` wants them, with the sensor mode that picam chooses for an IMX708.
///
/// # Errors
/// The camera cannot do it in any way.
pub(super) fn apply(
    camera: &mut ActiveCamera<'static>,
    config: &CameraConfig,
    model: &str,
) -> Result<CameraConfiguration, CameraError> {
    let sensor_rate = timing::calm_rate(config.rate, config.sensor_rate);
    let mode = mode(config, model);
    let mut configuration = None;
    for mode in [mode, None] {
        let mut candidate = wanted(camera, config)?;
        if let Some(mode) = mode {
            let mut sensor = SensorConfiguration::new();
            sensor.set_bit_depth(choice::BIT_DEPTH);
            sensor.set_output_size(mode.width, mode.height);
            candidate.set_sensor_configuration(sensor);
        }
        if candidate.validate().is_invalid() {
            debug!("camera: not with sensor mode {mode:?}");
            continue;
        }
        if let Some(mode) = mode {
            info!("camera: sensor mode {}x{}", mode.width, mode.height);
            if config.width > mode.width || config.height > mode.height {
                warn!(
                    "camera: {}x{} wanted; the sensor mode has fewer pixels, and its pictures are scaled up",
                    config.width, config.height
                );
            }
            if sensor_rate > mode.rate {
                warn!(
                    "camera: {sensor_rate} Hz wanted; the sensor mode does {} Hz",
                    mode.rate
                );
            }
        }
        configuration = Some(candidate);
        break;
    }
    let mut configuration = configuration.ok_or_else(|| {
        CameraError::Unusable(format!(
            "the camera cannot do {}x{} in any way",
            config.width, config.height
        ))
    })?;
    camera
        .configure(&mut configuration)
        .map_err(failed("configuring the camera"))?;
    Ok(configuration)
}

/// What picam would like best.
fn wanted(
    camera: &ActiveCamera<'static>,
    config: &CameraConfig,
) -> Result<CameraConfiguration, CameraError> {
    let configuration = camera.generate_configuration(&[StreamRole::VideoRecording]);
    let mut configuration = configuration.ok_or_else(|| CameraError::Failed {
        what: "configuring the camera",
        reason: "it has no video stream".into(),
    })?;
    if let Some(mut stream) = configuration.get_mut(0) {
        stream.set_pixel_format(libcamera::formats::YUV420);
        stream.set_size(Size::new(config.width, config.height));
        // JPEG's own: video streams have a limited range otherwise, and black would be grey.
        stream.set_color_space(Some(ColorSpace::sycc()));
        stream.set_buffer_count(BUFFERS);
    }
    if let Some(orientation) = orientation(config) {
        configuration.set_orientation(orientation);
    }
    Ok(configuration)
}

/// The orientation that libcamera is asked for; `None` where that would be on its side, which no camera can do.
fn orientation(config: &CameraConfig) -> Option<Orientation> {
    match (config.rotation, config.mirror) {
        (0, false) => Some(Orientation::Rotate0),
        (0, true) => Some(Orientation::Rotate0Mirror),
        (180, false) => Some(Orientation::Rotate180),
        (180, true) => Some(Orientation::Rotate180Mirror),
        _ => None,
    }
}

/// How pictures are to be turned that the configured camera delivers: not every sensor can flip them.
pub(super) fn left_to_turn(configuration: &CameraConfiguration, config: &CameraConfig) -> Turn {
    match orientation(config) {
        Some(wanted) if configuration.orientation() == wanted => Turn::default(),
        _ => config.turn(),
    }
}

/// What the camera made of that: the layout of its pictures, and number and length of its buffers.
///
/// # Errors
/// Pictures that picam cannot take.
pub(super) fn describe(
    configuration: &CameraConfiguration,
    config: &CameraConfig,
) -> Result<(Layout, usize, usize), CameraError> {
    let stream = configuration.get(0).ok_or_else(|| CameraError::Failed {
        what: "configuring the camera",
        reason: "it has no stream".into(),
    })?;
    let (size, pixel_format) = (stream.get_size(), stream.get_pixel_format());
    let format = buffers::format(pixel_format).ok_or_else(|| {
        CameraError::Unusable(format!(
            "the camera delivers {pixel_format:?}; picam takes YUV420 and NV12"
        ))
    })?;
    if (size.width, size.height) != (config.width, config.height) {
        warn!(
            "camera: {}x{} was asked for; it delivers {}x{}",
            config.width, config.height, size.width, size.height
        );
    }
    if let Some(space) = stream.get_color_space()
        && (space.range, space.ycbcr_encoding) != (Range::Full, YcbcrEncoding::Rec601)
    {
        warn!("camera: its colour space {space} is not JPEG's; colours are slightly off");
    }
    let layout = Layout {
        format,
        width: (size.width & !1) as usize,
        height: (size.height & !1) as usize,
        stride: stream.get_stride() as usize,
    };
    let (count, length) = (stream.get_buffer_count(), stream.get_frame_size());
    Ok((layout, count.max(2) as usize, length as usize))
}
