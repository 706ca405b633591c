//! The sections of the TOML file as types, with their built-in defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use log::LevelFilter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::auto::AutoOr;
use super::source::Source;
use crate::controls;
use crate::picture::{Chroma, Turn};

/// Everything that can be configured. The default is what picam does without any file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where picam listens.
    pub server: ServerConfig,
    /// Where the frames come from, their size and rate.
    pub camera: CameraConfig,
    /// How frames are encoded.
    pub jpeg: JpegConfig,
    /// Start values of the camera controls. [`Layers::load`](super::Layers::load) reads them itself, because a control
    /// in a later file can drop another one of an earlier file.
    #[serde(skip_deserializing)]
    pub controls: controls::Set,
    /// On which cores the threads run.
    pub cpu: CpuConfig,
    /// What one client, and all of them together, may cost.
    pub limits: LimitsConfig,
    /// Where picam keeps what was set while it ran.
    pub state: StateConfig,
    /// The hardware watchdog.
    pub watchdog: WatchdogConfig,
    /// Where the appliance gets its updates.
    pub update: UpdateConfig,
    /// What picam gives up.
    pub security: SecurityConfig,
    /// What is logged.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        let mut controls = controls::Set::default();
        for (name, value) in [
            ("AfMode", "continuous"),
            ("AeEnable", "true"),
            ("AwbEnable", "true"),
        ] {
            controls
                .insert(name, value)
                .expect("the control table accepts its defaults");
        }
        Config {
            server: ServerConfig::default(),
            camera: CameraConfig::default(),
            jpeg: JpegConfig::default(),
            controls,
            cpu: CpuConfig::default(),
            limits: LimitsConfig::default(),
            state: StateConfig::default(),
            watchdog: WatchdogConfig::default(),
            update: UpdateConfig::default(),
            security: SecurityConfig::default(),
            log: LogConfig::default(),
        }
    }
}

/// What `server.listen` and `--listen` accept.
pub const LISTEN_EXPECTED: &str =
    "ADDR:PORT with a numeric address, like 0.0.0.0:8000 or [::]:8000";

/// The `[server]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// Address and port of the listener; port 0 lets the kernel choose one.
    pub listen: SocketAddr,
    /// The origin whose pages may read answers (Access-Control-Allow-Origin): `*` for any, empty for none.
    pub allow_origin: String,
    /// Public names of this camera, in lower case.
    pub names: Vec<String>,
    /// Whether `/set` changes controls at once for a browser that does not say which page asks.
    pub direct_set: bool,
    /// Whether picam-announce makes it known on the local network.
    pub mdns: bool,
    /// What changes need; empty for nothing.
    pub token: String,
    /// What reading needs, unless it has the token; empty for nothing.
    pub key: String,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: (Ipv4Addr::UNSPECIFIED, 8000).into(),
            allow_origin: String::new(),
            names: Vec::new(),
            direct_set: false,
            mdns: true,
            token: String::new(),
            key: String::new(),
        }
    }
}

/// The `[camera]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraConfig {
    /// Which camera.
    pub source: Source,
    /// The id of the camera that libcamera opens; empty for the IMX708 or the only camera.
    pub id: String,
    /// Width of a frame in pixels, even.
    pub width: u32,
    /// Height of a frame in pixels, even.
    pub height: u32,
    /// Frames per second (Hz).
    pub rate: f64,
    /// How fast the sensor runs.
    pub sensor_rate: SensorRate,
    /// Whether the sensor takes each picture with several exposures (HDR).
    pub hdr: bool,
    /// The longest exposure time that automatic exposure chooses, µs; `Auto`: as the sensor's tuning file has it.
    pub longest_exposure: AutoOr<u32>,
    /// The nearest and the farthest distance that autofocus looks at, metres; `Auto`: as the tuning file has it.
    pub focus_range: AutoOr<[f64; 2]>,
    /// Whether frame number and time are drawn into replayed pictures.
    pub stamp: bool,
    /// By how many degrees pictures are turned clockwise: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Whether left and right are swapped in what is then seen.
    pub mirror: bool,
    /// How stills are taken.
    pub still: StillMode,
    /// How many samples of colour a still has.
    pub still_chroma: Chroma,
    /// How many samples of colour a frame has. No key: it is 4:2:0 but where the camera is opened for a still alone.
    #[serde(skip)]
    pub chroma: Chroma,
}

impl CameraConfig {
    /// Whether the camera is to deliver stills beside the stream's pictures. Several exposures (HDR) leave no pixels for that.
    pub fn has_stills_beside(&self) -> bool {
        self.still == StillMode::Always && !self.hdr
    }

    /// How pictures are turned.
    pub fn turn(&self) -> Turn {
        Turn::new(self.rotation, self.mirror)
    }

    /// Columns and rows of the pictures that are seen.
    pub fn seen_size(&self) -> (usize, usize) {
        self.turn()
            .size((self.width as usize, self.height as usize))
    }
}

impl Default for CameraConfig {
    fn default() -> Self {
        CameraConfig {
            source: Source::Pattern,
            id: String::new(),
            width: 2304,
            height: 1296,
            rate: 8.0,
            sensor_rate: AutoOr::Auto,
            hdr: false,
            longest_exposure: AutoOr::Auto,
            focus_range: AutoOr::Auto,
            stamp: false,
            rotation: 0,
            mirror: false,
            still: StillMode::Switch,
            still_chroma: Chroma::Quarter,
            chroma: Chroma::Quarter,
        }
    }
}

/// How stills are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StillMode {
    /// Not at all.
    Off,
    /// The camera is opened for the still alone; the streams wait.
    Switch,
    /// The camera delivers both all the time; no frame of the streams is missed.
    Always,
}

/// How fast the sensor runs: at the largest multiple of the stream's rate up to this (Hz), and at least at the rate.
/// `Auto`: at three times the rate while exposure or focus settle, else at the rate.
pub type SensorRate = AutoOr<f64>;

/// The `[jpeg]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JpegConfig {
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// How many threads encode each frame, 1 to 16; `Auto`: as many as its rate needs.
    pub threads: AutoOr<u8>,
    /// What a stream may need, Mbit/s: the quality is lowered for that. 0: whatever it needs.
    pub max_mbit: f64,
}

impl Default for JpegConfig {
    fn default() -> Self {
        JpegConfig {
            quality: 100,
            threads: AutoOr::Auto,
            max_mbit: 0.0,
        }
    }
}

/// On which cores a thread may run, by number from 0; never empty. Whether they exist is for the machine to say, not
/// the file.
pub type Cores = AutoOr<Vec<usize>>;

/// The `[cpu]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuConfig {
    /// For the thread that takes frames from the camera.
    pub capture: Cores,
    /// For the threads that encode them: for the streams, for stills and for single pictures.
    pub encode: Cores,
    /// For the threads that serve the clients.
    pub http: Cores,
}

/// The `[limits]` section. Times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsConfig {
    /// Bytes received on a connection before its request is complete.
    pub header_bytes: u64,
    /// Time from the accept to a complete request.
    pub request_seconds: f64,
    /// Time within the write of one frame.
    pub write_seconds: f64,
    /// Connections that are served; the next ones are answered 503.
    pub connections: usize,
    /// Connections that are accepted at all; the next ones wait in the kernel.
    pub connections_hard: usize,
    /// Connections of one address that are served; its next ones are answered 429.
    pub per_address: usize,
    /// Streams that are served; the next ones are answered 503.
    pub streams: usize,
    /// Clients of `/events` that are served; the next ones are answered 503.
    pub events: usize,
    /// Different JPEGs that are being written to clients.
    pub jpegs: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            header_bytes: 16384,
            request_seconds: 5.0,
            write_seconds: 10.0,
            connections: 256,
            connections_hard: 320,
            per_address: 64,
            streams: 224,
            events: 8,
            jpegs: 16,
        }
    }
}

/// What `server.token` and `server.key` accept.
pub(super) const SECRET_EXPECTED: &str = "8 to 128 letters, digits, -, ., _ or ~, or empty";

/// Whether `text` is one of [`SECRET_EXPECTED`]: it may stand in a query and in a header as it is.
pub(super) fn is_secret(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    text.is_empty() || (8..=128).contains(&text.len()) && text.chars().all(plain)
}

/// What `server.allow_origin` accepts.
pub(super) const ORIGIN_EXPECTED: &str =
    "\"*\", an origin like \"http://dashboard.local:8080\", or empty";

/// Whether `text` is one of [`ORIGIN_EXPECTED`]. It becomes a header's value: no blanks, no path.
pub(super) fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    matches!(text, "" | "*") || host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}

/// The `[state]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StateConfig {
    /// The folder, an absolute path; empty for none.
    pub directory: PathBuf,
}

/// The `[watchdog]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchdogConfig {
    /// The watchdog's device, an absolute path; empty for none.
    pub device: PathBuf,
    /// Without a frame for this long (seconds) the device is not fed any more.
    pub frame_seconds: f64,
}

impl Default for WatchdogConfig {
    fn default() -> Self {
        WatchdogConfig {
            device: PathBuf::new(),
            frame_seconds: 60.0,
        }
    }
}

/// What `update.url` accepts.
pub(super) const UPDATE_URL_EXPECTED: &str = "http:// or https:// URLs with a blank between them (one that ends in / gets the board's bundle name appended), or empty";

/// The `[update]` section. The streamer itself has no use for it: `picam-update` of the appliance reads it
/// from `picam --print-config`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateConfig {
    /// URLs of a RAUC bundle, or of the folder with one bundle a board where it ends in `/`; empty for none. The first that
    /// can be read counts.
    pub url: String,
}

/// Whether `text` is one of [`UPDATE_URL_EXPECTED`]. A shell script reads it: no quotes, no escapes.
pub(super) fn is_update_url(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"\"'`\\<>".contains(c);
    let is_url = |text: &str| {
        let host = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        host.is_some_and(|host| {
            !host.is_empty() && !host.starts_with('/') && host.chars().all(plain)
        })
    };
    text.is_empty() || text.split(' ').all(is_url)
}

/// The `[security]` section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecurityConfig {
    /// Whether picam gives up what it does not need.
    pub sandbox: SandboxMode,
}

/// What becomes of files and system calls that picam does not need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// They are refused.
    #[default]
    On,
    /// The kernel logs the calls, and nothing is refused.
    Log,
    /// Everything is open to picam that is open to its user.
    Off,
}

/// The `[log]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// The least important level that is logged.
    #[serde(serialize_with = "write_level", deserialize_with = "read_level")]
    pub level: LevelFilter,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            level: LevelFilter::Info,
        }
    }
}

fn write_level<S: Serializer>(level: &LevelFilter, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&level.as_str().to_ascii_lowercase())
}

fn read_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LevelFilter, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}
