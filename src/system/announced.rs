//! What picam-announce has made known on the local network. It leaves a few lines about it; picam shows them.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

/// A line with the name, a line with what is wrong, in plain words. Either of these may be empty. The folder is there where a
/// supervisor has made it, on the appliance.
pub const FILE: &str = "/run/picam-announce/state";
/// What is written is shorter.
const LONGEST: u64 = 1000;

/// What is known on the local network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The machine's name there, like `picam-1a2b3c.local`.
    pub name: Option<String>,
    /// What is wrong.
    pub error: Option<String>,
}

/// What is announced now; nothing if nobody says.
pub fn announced() -> Announced {
    let mut text = String::new();
    // The folder is another user's: whatever lies there, this does not wait for it.
    let open = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(FILE);
    let read = open.and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map(|_| parse(&text)).unwrap_or_default()
}

/// Where picam-announce says it. It stays open: in its sandbox no file can be opened.
#[derive(Debug)]
pub struct Board(Option<File>);

impl Board {
    /// The file, if there is a folder for it.
    pub fn open() -> Self {
        let open = || {
            let file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .open(FILE)?;
            // picam is another user, and a supervisor may have set a strict mask.
            file.set_permissions(Permissions::from_mode(0o644))?;
            Ok::<_, io::Error>(file)
        };
        Self(open().ok())
    }

    /// Takes the place of what was shown before.
    pub fn show(&self, announced: &Announced) {
        let Some(mut file) = self.0.as_ref() else {
            return;
        };
        let text = text(announced);
        let written = file
            .rewind()
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.set_len(text.len() as u64));
        if let Err(error) = written {
            log::warn!("{FILE}: {error}");
        }
    }
}

fn text(Announced { name, error }: &Announced) -> String {
    let line = |it: &Option<String>| it.as_deref().unwrap_or_default().replace('\n', " ");
    format!("{}\n{}\n", line(name), line(error))
}

fn parse(text: &str) -> Announced {
    let mut lines = text.lines();
    let mut line = || lines.next().filter(|it| !it.is_empty()).map(str::to_owned);
    Announced {
        name: line(),
        error: line(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let some = |text: &str| Some(text.to_owned());
        for (name, error) in [
            (some("picam.local"), None),
            (None, some("another program has UDP port 5353")),
            (
                some("picam-2.local"),
                some("another machine is picam.local"),
            ),
            (None, None),
        ] {
            let announced = Announced { name, error };
            assert_eq!(parse(&text(&announced)), announced);
        }
        assert_eq!(parse(""), Announced::default());
    }
}
