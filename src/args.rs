//! The command line.

use std::ffi::OsString;
use std::str::FromStr;

use lexopt::ValueExt;

use crate::config::{LISTEN_EXPECTED, Layers, Source};
use crate::exit::Exit;
use crate::probe::{URL_EXPECTED, Url};

const HELP: &str = "\
picam: serves one camera to the local network as MJPEG over HTTP

picam [--config FILE]... [--camera SOURCE] [--listen ADDR:PORT] [--check-config | --print-config]
picam --probe URL | --version | --help | --tryboot

  --config FILE       read this file instead of /etc/picam/picam.toml and /data/picam/picam.toml;
                      may be repeated, a later file wins over an earlier one, key by key
  --camera SOURCE     pattern, replay:PATH (a JPEG file, a folder of them or a Y4M file) or
                      libcamera; wins over camera.source in the files
  --listen ADDR:PORT  where to listen, like 0.0.0.0:8000 or [::]:8000; wins over server.listen
  --check-config      print ok, or what is wrong with the configuration, and exit
  --print-config      print the effective configuration, what was saved included, as a TOML file
                      with comments and the origin of each value, and exit
  --probe URL         ask the picam at http://ADDR:PORT/PATH, print one line that begins with
                      live, blind (no pictures), full (a limit keeps this client out) or silent,
                      and exit with 0 if it is live, else 1
  --tryboot           restart this Raspberry Pi at once into its other boot slot, for one attempt;
                      the appliance's update uses it when everything else has been stopped
  --version           print the version and exit
  --help              print this and exit
";

/// What `picam --help` prints.
pub fn help() -> String {
    let codes = Exit::ALL.map(|exit| format!("  {}  {}\n", exit as u8, exit.meaning()));
    format!("{HELP}\nExit codes:\n{}", codes.concat())
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve the camera.
    Run,
    /// Say whether the configuration is acceptable.
    CheckConfig,
    /// Print the effective configuration.
    PrintConfig,
    /// Tell how the picam at this URL is.
    Probe(Url),
    /// Restart the machine into the other boot slot.
    Tryboot,
    /// Print the version.
    Version,
    /// Print [`help`].
    Help,
}

/// A command line, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Args {
    /// What to do.
    pub action: Action,
    /// Where the configuration comes from.
    pub layers: Layers,
}

/// Why the command line is not acceptable; displayed as one line.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// An unknown option, one without its value, or an argument that belongs to none.
    #[error("{0}: see picam --help")]
    Usage(#[from] lexopt::Error),
    /// An option's value.
    #[error("{option} {given:?}: expected {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// The value as given.
        given: String,
        /// What it accepts.
        expected: &'static str,
    },
    /// Two options that each ask for something else to do.
    #[error("{first} and {second}: expected one of them")]
    Actions {
        /// The one before.
        first: &'static str,
        /// The one after.
        second: &'static str,
    },
}

/// Reads the arguments, without the program's name. The last --camera and --listen win.
///
/// # Errors
/// The first argument that is not acceptable.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, ArgsError> {
    use lexopt::Arg::Long;

    let mut layers = Layers::default();
    let mut action: Option<(&'static str, Action)> = None;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        let asked = match argument {
            Long("config") => {
                if !layers.required {
                    layers.files.clear();
                    layers.required = true;
                }
                layers.files.push(parser.value()?.into());
                continue;
            }
            Long("camera") => {
                let given = parser.value()?.string()?;
                layers.overrides.source = Some(read("--camera", given, Source::EXPECTED)?);
                continue;
            }
            Long("listen") => {
                let given = parser.value()?.string()?;
                layers.overrides.listen = Some(read("--listen", given, LISTEN_EXPECTED)?);
                continue;
            }
            Long("check-config") => ("--check-config", Action::CheckConfig),
            Long("print-config") => ("--print-config", Action::PrintConfig),
            Long("probe") => {
                let given = parser.value()?.string()?;
                let url = read("--probe", given, URL_EXPECTED)?;
                ("--probe", Action::Probe(url))
            }
            Long("tryboot") => ("--tryboot", Action::Tryboot),
            Long("version") => ("--version", Action::Version),
            Long("help") => ("--help", Action::Help),
            other => return Err(other.unexpected().into()),
        };
        match action {
            Some((first, _)) if first != asked.0 => {
                return Err(ArgsError::Actions {
                    first,
                    second: asked.0,
                });
            }
            _ => action = Some(asked),
        }
    }
    Ok(Args {
        action: action.map_or(Action::Run, |(_, action)| action),
        layers,
    })
}

fn read<T: FromStr>(
    option: &'static str,
    given: String,
    expected: &'static str,
) -> Result<T, ArgsError> {
    given.parse().map_err(|_| ArgsError::Value {
        option,
        given,
        expected,
    })
}
