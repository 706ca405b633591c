//! The key table: what each key of the TOML file means, its unit, what it accepts, and whether a
//! running picam can take over a new value. The defaults are those of [`Config`](super::Config).

use std::net::SocketAddr;

use super::accepts::Accepts;
use super::types::{
    ORIGIN_EXPECTED, SECRET_EXPECTED, UPDATE_URL_EXPECTED, is_origin, is_secret, is_update_url,
};
use super::{LISTEN_EXPECTED, Source};
use crate::controls::{Control, TABLE};

/// A section of the file.
pub(super) struct Section {
    /// Its name.
    pub name: &'static str,
    /// Its keys, in the order in which they are printed.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// Its name within the section.
    pub name: &'static str,
    /// Unit of the value; empty where it has none.
    pub unit: &'static str,
    /// What it accepts.
    pub accepts: Accepts,
    /// Whether it can change without a restart.
    pub live: bool,
    /// What it is for.
    pub doc: &'static str,
}

impl Key {
    /// [`Accepts`] with the unit.
    pub fn expected(&self) -> String {
        // The control table puts the unit in by itself.
        match (self.unit, self.accepts) {
            ("", accepts) | (_, accepts @ Accepts::Control(_)) => accepts.to_string(),
            (unit, accepts) => format!("{accepts} ({unit})"),
        }
    }
}

const PATH_EXPECTED: &str = "an absolute path, or empty";

fn is_path(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

/// Every section and key.
pub(super) static SECTIONS: &[Section] = &[
    Section {
        name: "server",
        keys: &[
            Key {
                name: "listen",
                unit: "",
                accepts: Accepts::Text(|text| text.parse::<SocketAddr>().is_ok(), LISTEN_EXPECTED),
                live: false,
                doc: "Where to listen. [::]:8000 serves IPv6 and IPv4; port 0 picks a free port.",
            },
            Key {
                name: "allow_origin",
                unit: "",
                accepts: Accepts::Text(is_origin, ORIGIN_EXPECTED),
                live: true,
                doc: "Pages of this origin may read picam's answers (CORS). \"*\": of any origin. Empty: of none.",
            },
            Key {
                name: "names",
                unit: "",
                accepts: Accepts::Names,
                live: true,
                doc: "Public names by which browsers may reach picam. Addresses and local names need no entry.",
            },
            Key {
                name: "direct_set",
                unit: "",
                accepts: Accepts::Bool,
                live: true,
                doc: "A typed /set?… sets at once instead of asking. Then any page that a user of the LAN visits can set, too.",
            },
            Key {
                name: "mdns",
                unit: "",
                accepts: Accepts::Bool,
                live: false,
                doc: "Make picam known on the local network by mDNS: HOST.local. picam-announce reads it when it starts.",
            },
            Key {
                name: "token",
                unit: "",
                accepts: Accepts::Text(is_secret, SECRET_EXPECTED),
                live: true,
                doc: "Who changes anything must send it: Authorization: Bearer TOKEN, or as the password of Basic. Empty: nobody need.",
            },
            Key {
                name: "key",
                unit: "",
                accepts: Accepts::Text(is_secret, SECRET_EXPECTED),
                live: true,
                doc: "Who reads pictures must send it as ?key=KEY, or the token. It changes nothing. Empty: nobody need.",
            },
        ],
    },
    Section {
        name: "camera",
        keys: &[
            Key {
                name: "source",
                unit: "",
                accepts: Accepts::Text(|text| text.parse::<Source>().is_ok(), Source::EXPECTED),
                live: false,
                doc: "Where the frames come from: a test picture, files in a loop, or the camera.",
            },
            Key {
                name: "id",
                unit: "",
                accepts: Accepts::Text(|_| true, "a camera's id, or empty"),
                live: false,
                doc: "Which camera libcamera opens, by its id. Empty: the IMX708, or else the only one there is.",
            },
            Key {
                name: "width",
                unit: "pixels",
                accepts: Accepts::Even(64, 4608),
                live: false,
                doc: "Width of the frames.",
            },
            Key {
                name: "height",
                unit: "pixels",
                accepts: Accepts::Even(64, 2592),
                live: false,
                doc: "Height of the frames.",
            },
            Key {
                name: "rate",
                unit: "Hz",
                accepts: Accepts::Float(0.1, 120.0),
                live: true,
                doc: "Frames per second.",
            },
            Key {
                name: "sensor_rate",
                unit: "Hz",
                accepts: Accepts::AutoOr(&Accepts::Float(0.0, 120.0)),
                live: false,
                doc: "The sensor runs at a multiple of rate, up to this. auto: three times rate while exposure or focus settles.",
            },
            Key {
                name: "hdr",
                unit: "",
                accepts: Accepts::Bool,
                live: false,
                doc: "The sensor takes each picture with several exposures: for backlight. 2304x1296 and 30 Hz at most.",
            },
            Key {
                name: "longest_exposure",
                unit: "µs",
                accepts: Accepts::AutoOr(&Accepts::Integer(100, 1_000_000)),
                live: false,
                doc: "The longest exposure that automatic exposure chooses. Short ones keep what moves sharp.",
            },
            Key {
                name: "focus_range",
                unit: "metres",
                accepts: Accepts::AutoOr(&Accepts::Distances),
                live: false,
                doc: "Distances that autofocus looks at: it is faster, and is not caught by what is in front.",
            },
            Key {
                name: "stamp",
                unit: "",
                accepts: Accepts::Bool,
                live: false,
                doc: "Draw frame number and time into replayed pictures. The pattern always has them.",
            },
            Key {
                name: "rotation",
                unit: "degrees",
                accepts: Accepts::OneOf(&[0, 90, 180, 270]),
                live: false,
                doc: "Turns the pictures clockwise. At 90 and 270 their width is what height says.",
            },
            Key {
                name: "mirror",
                unit: "",
                accepts: Accepts::Bool,
                live: false,
                doc: "Swaps left and right in what is then seen.",
            },
            Key {
                name: "still",
                unit: "",
                accepts: Accepts::Word(&["off", "switch", "always"]),
                live: false,
                doc: "switch: /still takes the camera for a moment, and the streams wait. always: they go on, and it costs memory and light.",
            },
            Key {
                name: "still_chroma",
                unit: "",
                accepts: Accepts::Word(&["4:2:0", "4:4:4"]),
                live: false,
                doc: "Samples of colour in a still: one for four pixels, as in the streams, or one for each, with twice the memory.",
            },
        ],
    },
    Section {
        name: "jpeg",
        keys: &[
            Key {
                name: "quality",
                unit: "",
                accepts: Accepts::Integer(1, 100),
                live: true,
                doc: "JPEG quality; the higher, the larger the frames.",
            },
            Key {
                name: "threads",
                unit: "",
                accepts: Accepts::AutoOr(&Accepts::Integer(1, 16)),
                live: true,
                doc: "How many threads encode each frame together. auto: as many as its rate needs.",
            },
            Key {
                name: "max_mbit",
                unit: "Mbit/s",
                accepts: Accepts::Float(0.0, 10_000.0),
                live: true,
                doc: "Where a stream at camera.rate needs more, its quality is lowered, down to 30. 0: never.",
            },
        ],
    },
    CONTROLS_SECTION,
    Section {
        name: "cpu",
        keys: &[
            Key {
                name: "capture",
                unit: "",
                accepts: Accepts::AutoOr(&Accepts::Cores),
                live: false,
                doc: "Cores for the thread that takes frames from the camera.",
            },
            Key {
                name: "encode",
                unit: "",
                accepts: Accepts::AutoOr(&Accepts::Cores),
                live: false,
                doc: "Cores for the threads that encode them: for the streams, for stills and for single pictures.",
            },
            Key {
                name: "http",
                unit: "",
                accepts: Accepts::AutoOr(&Accepts::Cores),
                live: false,
                doc: "Cores for the threads that serve the clients.",
            },
        ],
    },
    Section {
        name: "limits",
        keys: &[
            Key {
                name: "header_bytes",
                unit: "bytes",
                accepts: Accepts::Integer(1024, 65536),
                live: true,
                doc: "Received on a connection before its request is complete; more is answered 431 and closed.",
            },
            Key {
                name: "request_seconds",
                unit: "seconds",
                accepts: Accepts::Float(0.5, 60.0),
                live: true,
                doc: "Time a client has to complete its request; longer is answered 408 and closed.",
            },
            Key {
                name: "write_seconds",
                unit: "seconds",
                accepts: Accepts::Float(1.0, 600.0),
                live: true,
                doc: "Time a client has to take one frame; longer closes the connection.",
            },
            Key {
                name: "connections",
                unit: "connections",
                accepts: Accepts::Integer(1, 4096),
                live: true,
                doc: "Served at the same time; more are answered 503.",
            },
            Key {
                name: "connections_hard",
                unit: "connections",
                accepts: Accepts::Integer(2, 8192),
                live: true,
                doc: "Open at the same time; more are not accepted until one ends. More than connections.",
            },
            Key {
                name: "per_address",
                unit: "connections",
                accepts: Accepts::Integer(1, 4096),
                live: true,
                doc: "Served at the same time to one address, a proxy's or relay's for example; more are answered 429.",
            },
            Key {
                name: "streams",
                unit: "streams",
                accepts: Accepts::Integer(1, 4096),
                live: true,
                doc: "Served at the same time; more are answered 503. At most connections.",
            },
            Key {
                name: "events",
                unit: "clients",
                accepts: Accepts::Integer(1, 4096),
                live: true,
                doc: "Clients of /events served at the same time; more are answered 503.",
            },
            Key {
                name: "jpegs",
                unit: "JPEGs",
                accepts: Accepts::Integer(2, 4096),
                live: true,
                doc: "Different JPEGs that slow clients keep in memory; beyond, the client with the oldest one is cut.",
            },
        ],
    },
    Section {
        name: "state",
        keys: &[Key {
            name: "directory",
            unit: "",
            accepts: Accepts::Text(is_path, PATH_EXPECTED),
            live: false,
            doc: "A folder for what is set and saved while picam runs. Empty: nothing can be saved, and a restart forgets what was set.",
        }],
    },
    Section {
        name: "watchdog",
        keys: &[
            Key {
                name: "device",
                unit: "",
                accepts: Accepts::Text(is_path, PATH_EXPECTED),
                live: false,
                doc: "The hardware watchdog, like /dev/watchdog. It runs from the first frame on. Empty: none.",
            },
            Key {
                name: "frame_seconds",
                unit: "seconds",
                accepts: Accepts::Float(30.0, 3600.0),
                live: false,
                doc: "Without a frame for this long the hardware watchdog is left to reset the machine.",
            },
        ],
    },
    Section {
        name: "update",
        keys: &[Key {
            name: "url",
            unit: "",
            accepts: Accepts::Text(is_update_url, UPDATE_URL_EXPECTED),
            live: true,
            doc: "Where the appliance looks for a newer bundle by itself: the first URL that can be read. Empty: it does not look.",
        }],
    },
    Section {
        name: "security",
        keys: &[Key {
            name: "sandbox",
            unit: "",
            accepts: Accepts::Word(&["on", "log", "off"]),
            live: false,
            doc: "picam gives up what it never needs: files, connections, system calls. log: only the kernel's log says what it would miss.",
        }],
    },
    Section {
        name: "log",
        keys: &[Key {
            name: "level",
            unit: "",
            accepts: Accepts::Word(&["error", "warn", "info", "debug", "trace"]),
            live: true,
            doc: "The least important messages that are logged on standard error.",
        }],
    },
];

/// What `saved.toml` may have.
pub(super) static SAVED: &[Section] = &[CONTROLS_SECTION];
/// What `controls.toml` may have: controls, and over what they lie.
pub(super) static UNSAVED: &[Section] = &[
    Section {
        name: "over",
        keys: &[
            Key {
                name: "boot",
                unit: "",
                accepts: Accepts::Text(|_| true, "the kernel's name for a start of the machine"),
                live: false,
                doc: "The start of the machine in which these controls were requested.",
            },
            Key {
                name: "controls",
                unit: "",
                accepts: Accepts::Text(|_| true, "controls and their values"),
                live: false,
                doc: "What was saved or configured then.",
            },
        ],
    },
    CONTROLS_SECTION,
];

const CONTROLS_SECTION: Section = Section {
    name: "controls",
    keys: &CONTROLS,
};

/// The keys of `[controls]`: the rows of the control table.
static CONTROLS: [Key; TABLE.len()] = {
    let mut keys = [control_key(&TABLE[0]); TABLE.len()];
    let mut row = 1;
    while row < TABLE.len() {
        keys[row] = control_key(&TABLE[row]);
        row += 1;
    }
    keys
};

const fn control_key(control: &'static Control) -> Key {
    Key {
        name: control.name,
        unit: control.unit,
        accepts: Accepts::Control(control),
        live: true,
        doc: control.effect,
    }
}
