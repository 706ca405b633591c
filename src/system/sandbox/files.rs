//! Landlock: the files and ports that stay. Everything else is refused with EACCES, to root as well.

use super::Force;
use crate::config::{Config, Layers, Source};
use crate::system::{announced, network, update};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What of Landlock is asked for: all of Linux 6.12. An older kernel gives what it has.
const VERSION: ABI = ABI::V6;

/// What happens below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Files and folders are read.
    Read,
    /// A file is replaced, written beside it and renamed; or removed.
    Keep,
    /// What is there is opened for reading and writing, and told what to do (ioctl).
    Device,
}

impl Use {
    fn access(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Use::Read => read,
            Use::Keep => {
                let replace = AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
                read | AccessFs::WriteFile | replace
            }
            Use::Device => read | AccessFs::WriteFile | AccessFs::IoctlDev,
        }
    }
}

/// Restricts this thread and those it will start; what is in force, and what is missing.
pub(super) fn restrict(config: &Config, layers: &Layers) -> (Force, Option<String>) {
    let folder = &config.state.directory;
    if !folder.as_os_str().is_empty() {
        // Later it could not be made any more. Why it cannot be made is logged when it is written to.
        let _ = std::fs::create_dir_all(folder);
    }
    let notify = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let abstract_sockets = notify.to_string_lossy().starts_with('@');
    let uses = uses(config, layers, std::env::vars_os());
    match landlock(&uses, config.server.listen.port(), abstract_sockets) {
        Ok(RulesetStatus::FullyEnforced) => (Force::Enforced, None),
        Ok(RulesetStatus::PartiallyEnforced) => {
            let missing = "this kernel, older than 6.12, has a part of Landlock only";
            (Force::Partly, Some(missing.into()))
        }
        Ok(RulesetStatus::NotEnforced) => {
            let missing = "files and network are open, for this kernel has no Landlock";
            (Force::Open, Some(missing.into()))
        }
        Err(error) => (
            Force::Open,
            Some(format!("files and network are open: {error}")),
        ),
    }
}

/// Leaves this thread and those it will start no file to open, no TCP, and no other process.
pub(super) fn close_all() -> Result<RulesetStatus, RulesetError> {
    let network = AccessNet::ConnectTcp | AccessNet::BindTcp;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(network)?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?;
    Ok(rules.create()?.restrict_self()?.ruleset)
}

/// Every path that picam needs while it runs, there or not.
fn uses(
    config: &Config,
    layers: &Layers,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(PathBuf, Use)> {
    let read = |path: &str| (PathBuf::from(path), Use::Read);
    let mut uses = vec![
        // Memory and descriptors of its own; what cores there are; the allocator asks whether memory is scarce.
        read("/proc/self"),
        read("/proc/cpuinfo"),
        read("/proc/sys/vm/overcommit_memory"),
        read("/sys"),
        // Whether the machine was started again since something was set.
        read("/proc/sys/kernel/random/boot_id"),
        // The time that is drawn into pictures.
        read("/etc/localtime"),
        read("/usr/share/zoneinfo"),
    ];
    let mut read_around = |path: &Path| uses.extend(around(path).map(|path| (path, Use::Read)));
    layers.files.iter().for_each(|file| read_around(file));
    [announced::FILE, network::FILE, update::FILE]
        .into_iter()
        .for_each(|file| read_around(Path::new(file)));
    match &config.camera.source {
        Source::Pattern => {}
        Source::Replay(path) => read_around(path),
        Source::Libcamera => {
            // Data that the environment names, by picam or before it.
            let own = |name: &OsString| {
                let name = name.to_string_lossy();
                name.starts_with("LIBCAMERA_") || name.starts_with("LIBPISP_")
            };
            for (_, value) in variables.filter(|(name, _)| own(name)) {
                let paths = std::env::split_paths(&value);
                // Files in memory need no rule.
                let on_disk = |path: &PathBuf| path.is_absolute() && !path.starts_with("/proc");
                paths.filter(on_disk).for_each(|path| read_around(&path));
            }
            let data = [
                "/etc/libcamera",
                "/usr/share/libcamera",
                "/usr/share/libpisp",
            ];
            uses.extend(data.map(read));
            // All devices: those of a camera may appear at any time. Their own permissions say which are picam's.
            uses.push(("/dev".into(), Use::Device));
            // By this name the device tree tells which Raspberry Pi it is.
            uses.push(read("/proc/device-tree"));
        }
    }
    for (path, way) in [
        (&config.state.directory, Use::Keep),
        (&config.watchdog.device, Use::Device),
    ] {
        if !path.as_os_str().is_empty() {
            uses.push((path.clone(), way));
        }
    }
    uses
}

/// Where to read what has this path: a folder itself, but of a file the folder, in which another one of its name may take
/// its place; and the one that it leads to if it is a link.
fn around(path: &Path) -> impl Iterator<Item = PathBuf> {
    let parent = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let places = match path.is_dir() {
        true => [Some(path.to_owned()), None],
        false => [
            Some(parent(path)),
            path.canonicalize().ok().map(|path| parent(&path)),
        ],
    };
    places.into_iter().flatten()
}

fn landlock(
    uses: &[(PathBuf, Use)],
    port: u16,
    abstract_sockets: bool,
) -> Result<RulesetStatus, RulesetError> {
    let mut network = BitFlags::from(AccessNet::ConnectTcp);
    if port != 0 {
        network |= AccessNet::BindTcp; // else it is not known yet
    }
    let mut scope = BitFlags::from(Scope::Signal);
    if !abstract_sockets {
        scope |= Scope::AbstractUnixSocket;
    }
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(network)?
        .scope(scope)?
        .create()?;
    if port != 0 {
        rules = rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    for (path, way) in uses {
        let Ok(place) = PathFd::new(path) else {
            continue; // it is not there
        };
        let access = match path.is_dir() {
            true => way.access(),
            false => way.access() & AccessFs::from_file(VERSION),
        };
        rules = rules.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    fn layers(file: &str) -> Layers {
        Layers {
            files: vec![file.into()],
            ..Layers::default()
        }
    }

    fn config(source: &str) -> Config {
        let mut config = Config::default();
        config.camera.source = source.parse().unwrap();
        config
    }

    #[test]
    fn only_libcamera_gets_devices_and_data() {
        let variables = || {
            let set = [
                ("LIBCAMERA_RPI_TUNING_FILE", "/opt/tuning/imx708.json"),
                ("LIBCAMERA_RPI_CONFIG_FILE", "/proc/self/fd/5"),
                ("LIBCAMERA_LOG_LEVELS", "*:WARN"),
                ("HOME", "/root"),
            ];
            set.into_iter()
                .map(|(name, value)| (name.into(), value.into()))
        };
        let layers = layers("site.toml");
        let pattern = uses(&config("pattern"), &layers, variables());
        assert!(
            pattern.contains(&(".".into(), Use::Read)),
            "the file's folder"
        );
        assert!(pattern.iter().all(|(_, way)| *way == Use::Read));
        assert!(
            !pattern
                .iter()
                .any(|(path, _)| path.starts_with("/dev") || path.starts_with("/opt"))
        );
        let libcamera = uses(&config("libcamera"), &layers, variables());
        assert!(libcamera.contains(&("/dev".into(), Use::Device)));
        assert!(libcamera.contains(&("/opt/tuning".into(), Use::Read)));
        let elsewhere = ["/proc/self/fd", "/root", "/"].map(PathBuf::from);
        assert!(!libcamera.iter().any(|(path, _)| elsewhere.contains(path)));
    }

    #[test]
    fn a_folder_is_read_itself_and_a_file_with_what_may_take_its_place() {
        let root = std::env::temp_dir().join(format!("picam-sandbox-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("real")).unwrap();
        std::fs::create_dir_all(root.join("links")).unwrap();
        std::fs::write(root.join("real/file"), "").unwrap();
        std::os::unix::fs::symlink("../real/file", root.join("links/file")).unwrap();
        let root = root.canonicalize().unwrap();
        let places = |path: &str| around(&root.join(path)).collect::<Vec<_>>();
        assert_eq!(places("real"), [root.join("real")]);
        assert_eq!(
            places("links/file"),
            [root.join("links"), root.join("real")]
        );
        assert_eq!(places("missing/file"), [root.join("missing")]);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn nothing_at_all() {
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        let sealed = move || {
            if close_all().unwrap() != RulesetStatus::FullyEnforced {
                return; // an old kernel
            }
            let refused = ErrorKind::PermissionDenied;
            assert_eq!(std::fs::read("/etc/hostname").unwrap_err().kind(), refused);
            let connected = TcpStream::connect(open.local_addr().unwrap());
            assert_eq!(connected.unwrap_err().kind(), refused);
            std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        };
        std::thread::spawn(sealed).join().unwrap();
    }

    /// Landlock is a thread's: the other tests go on.
    #[test]
    fn no_port_but_its_own_and_no_connection() {
        let outside = TcpListener::bind("127.0.0.1:0").unwrap();
        let [own, other] = [0; 2].map(|_| {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
        });
        let restricted = move || {
            let mut config = config("pattern");
            config.server.listen = own;
            let (force, missing) = restrict(&config, &layers("/nonexistent/picam.toml"));
            if force != Force::Enforced {
                return assert!(missing.is_some(), "an old kernel is said");
            }
            let refused = ErrorKind::PermissionDenied;
            assert_eq!(
                TcpStream::connect(outside.local_addr().unwrap())
                    .unwrap_err()
                    .kind(),
                refused
            );
            assert_eq!(TcpListener::bind(other).unwrap_err().kind(), refused);
            TcpListener::bind(own).unwrap();
        };
        std::thread::spawn(restricted).join().unwrap();
    }
}
