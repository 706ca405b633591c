//! Which processor cores picam's threads run on.

use crate::config::{AutoOr, Cores, CpuConfig};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// From this number of cores on, "auto" gives capture and encoder a core each; with fewer the scheduler
/// knows better.
const AUTO_CORES: usize = 4;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes frames from the camera.
    Capture,
    /// Makes JPEGs of them.
    Encode,
    /// Helps to make them.
    EncodeBands,
    /// Serves the clients.
    Http,
}

/// A core in the configuration that is not there.
#[derive(Debug, thiserror::Error)]
#[error("cpu.{key}: core {core} is not there; this machine has {available}, or \"auto\"")]
pub struct NoSuchCore {
    key: &'static str,
    core: usize,
    available: String,
}

/// Checks that all configured cores are there and allowed.
///
/// # Errors
/// The first one that is not.
pub fn check(config: &CpuConfig) -> Result<(), NoSuchCore> {
    let available = available_cores();
    let keys = [
        ("capture", &config.capture),
        ("encode", &config.encode),
        ("http", &config.http),
    ];
    for (key, cores) in keys {
        let AutoOr::Given(cores) = cores else {
            continue;
        };
        if let Some(&core) = cores.iter().find(|core| !available.contains(core)) {
            let available = available
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(NoSuchCore {
                key,
                core,
                available,
            });
        }
    }
    Ok(())
}

/// The cores for a role, as far as it is to have its own: "auto" on four cores or more. Then the last is for capture, the one
/// before for the encoder, the others for HTTP; who helps the encoder may run on all but the last.
pub fn cores_for(role: Role, cores: &Cores) -> Option<Vec<usize>> {
    let available = available_cores();
    match cores {
        AutoOr::Given(cores) => Some(cores.clone()),
        AutoOr::Auto => {
            (available.len() >= AUTO_CORES).then(|| automatic(role, &available).to_vec())
        }
    }
}

/// Keeps the calling thread, and those it starts, on the cores for its role.
pub fn pin_this_thread(role: Role, cores: &Cores) {
    pin_to(role, cores_for(role, cores).as_deref());
}

/// Keeps the calling thread, and those it starts, on these cores; on those where it is without any.
pub fn pin_to(role: Role, cores: Option<&[usize]>) {
    let Some(cores) = cores else {
        return;
    };
    let mut set = CpuSet::new();
    let result = cores.iter().try_for_each(|&core| set.set(core));
    if let Err(error) = result.and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)) {
        log::warn!("cannot keep the {role:?} thread on cores {cores:?}: {error}");
    }
}

/// How many cores there are for a role.
pub fn count_for(role: Role, cores: &Cores) -> usize {
    cores_for(role, cores).map_or_else(|| available_cores().len(), |cores| cores.len())
}

fn automatic(role: Role, available: &[usize]) -> &[usize] {
    let last = available.len().saturating_sub(1);
    let range = match role {
        Role::Capture => last..available.len(),
        Role::Encode => last.saturating_sub(1)..last,
        Role::EncodeBands => 0..last,
        Role::Http => 0..last.saturating_sub(1),
    };
    &available[range]
}

/// The cores that picam may run on: those of its first thread, which is never pinned.
fn available_cores() -> Vec<usize> {
    cores_of(Pid::this())
}

fn cores_of(thread: Pid) -> Vec<usize> {
    let allowed = sched_getaffinity(thread).unwrap_or_default();
    (0..CpuSet::count())
        .filter(|&core| allowed.is_set(core) == Ok(true))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_gives_each_role_cores_of_its_own() {
        let pi = [0, 1, 2, 3];
        assert_eq!(automatic(Role::Capture, &pi), [3]);
        assert_eq!(automatic(Role::Encode, &pi), [2]);
        assert_eq!(automatic(Role::Http, &pi), [0, 1]);
    }

    #[test]
    fn a_core_that_is_not_there_is_refused() {
        let config = CpuConfig {
            encode: AutoOr::Given(vec![1000]),
            ..CpuConfig::default()
        };
        let line = check(&config).unwrap_err().to_string();
        assert!(
            line.starts_with("cpu.encode: core 1000 is not there; this machine has "),
            "{line}"
        );
    }

    #[test]
    fn a_thread_stays_where_it_is_put() {
        let first = available_cores()[0];
        std::thread::spawn(move || {
            pin_this_thread(Role::Encode, &AutoOr::Given(vec![first]));
            assert_eq!(cores_of(Pid::from_raw(0)), [first]);
            let all = cores_for(Role::Capture, &AutoOr::Auto);
            assert!(all.is_none_or(|cores| cores.last() != Some(&first)));
        })
        .join()
        .unwrap();
    }
}
