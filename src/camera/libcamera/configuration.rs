//! What is asked of the camera before it starts: size, format, colours, sensor mode.

use super::buffers::{self, failed};
use super::choice::{self, Mode};
use super::lent::{Format, Layout};
use super::timing;
use crate::camera::CameraError;
use crate::camera::still::SIZE as STILL;
use crate::config::CameraConfig;
use crate::picture::{Chroma, Turn};
use libcamera::camera::{ActiveCamera, CameraConfiguration, Orientation, SensorConfiguration};
use libcamera::color_space::{ColorSpace, Range, YcbcrEncoding};
use libcamera::geometry::Size;
use libcamera::stream::{Stream, StreamRole};
use log::{debug, info, warn};

/// Buffers: one is filled, some wait to be, one is encoded, and the newest is kept for whoever asks next.
const BUFFERS: u32 = 5;
/// Buffers of RGB, where the camera is opened for a still alone: each is twice as large, and more would not fit into the
/// contiguous memory that a Pi 4 has.
const RGB_BUFFERS: u32 = 2;

/// The sensor mode that picam chooses; `None` if the sensor is no IMX708.
pub(super) fn mode(config: &CameraConfig, model: &str) -> Option<Mode> {
    let sensor_rate = timing::calm_rate(config.rate, config.sensor_rate);
    let (width, height) = match has_stills(config, model) {
        true => STILL,
        false => (config.width, config.height),
    };
    choice::is_imx708(model).then(|| choice::mode(width, height, sensor_rate, config.hdr))
}

/// Whether the camera is asked for stills beside the stream's pictures.
pub(super) fn has_stills(config: &CameraConfig, model: &str) -> bool {
    let smaller = (config.width, config.height) != STILL;
    config.has_stills_beside() && smaller && choice::is_imx708(model)
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
        let mut candidate = wanted(camera, config, has_stills(config, model))?;
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
    stills: bool,
) -> Result<CameraConfiguration, CameraError> {
    let roles = [StreamRole::VideoRecording, StreamRole::StillCapture];
    let configuration = camera.generate_configuration(&roles[..1 + usize::from(stills)]);
    let mut configuration = configuration.ok_or_else(|| CameraError::Failed {
        what: "configuring the camera",
        reason: "it has no video stream".into(),
    })?;
    let buffers = match config.chroma {
        Chroma::Quarter => BUFFERS,
        Chroma::Full => RGB_BUFFERS,
    };
    let streams = [
        (config.width, config.height, config.chroma, buffers),
        (STILL.0, STILL.1, config.still_chroma, 1),
    ];
    for (index, (width, height, chroma, buffers)) in streams.into_iter().enumerate() {
        if let Some(mut stream) = configuration.get_mut(index) {
            stream.set_pixel_format(match chroma {
                Chroma::Quarter => libcamera::formats::YUV420,
                // The VC4's image processor makes no planes of colour of that size.
                Chroma::Full => libcamera::formats::BGR888,
            });
            stream.set_size(Size::new(width, height));
            // JPEG's own: video streams have a limited range otherwise, and black would be grey.
            stream.set_color_space(Some(ColorSpace::sycc()));
            stream.set_buffer_count(buffers);
        }
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

/// What the camera made of that for its stream at `index`.
pub(super) struct Agreed {
    pub stream: Stream,
    /// The layout of its pictures.
    pub layout: Layout,
    /// How many buffers it has.
    pub count: usize,
    /// How long each of them is, bytes.
    pub length: usize,
}

/// What the camera made of that for the stream at `index`, of which pictures of `wanted` columns and rows are expected, with so
/// much `chroma`.
///
/// # Errors
/// There is no such stream, or pictures that picam cannot take.
pub(super) fn agreed(
    configuration: &CameraConfiguration,
    index: usize,
    wanted: (u32, u32),
    chroma: Chroma,
) -> Result<Agreed, CameraError> {
    let missing = || CameraError::Failed {
        what: "configuring the camera",
        reason: "it has no such stream".into(),
    };
    let configured = configuration.get(index).ok_or_else(missing)?;
    let stream = configured.stream().ok_or_else(missing)?;
    let (size, pixel_format) = (configured.get_size(), configured.get_pixel_format());
    let format = buffers::format(pixel_format).ok_or_else(|| {
        CameraError::Unusable(format!(
            "the camera delivers {pixel_format:?}; picam takes YUV420, NV12 and BGR888"
        ))
    })?;
    if chroma == Chroma::Full && format != Format::Rgb {
        warn!("camera: it delivers no RGB; what colour there is, is repeated to 4:4:4");
    }
    if (size.width, size.height) != wanted {
        warn!(
            "camera: {}x{} was asked for; it delivers {}x{}",
            wanted.0, wanted.1, size.width, size.height
        );
    }
    if let Some(space) = configured.get_color_space()
        && format != Format::Rgb
        && (space.range, space.ycbcr_encoding) != (Range::Full, YcbcrEncoding::Rec601)
    {
        warn!("camera: its colour space {space} is not JPEG's; colours are slightly off");
    }
    let layout = Layout {
        format,
        width: (size.width & !1) as usize,
        height: (size.height & !1) as usize,
        stride: configured.get_stride() as usize,
    };
    Ok(Agreed {
        stream,
        layout,
        count: configured.get_buffer_count() as usize,
        length: configured.get_frame_size() as usize,
    })
}
