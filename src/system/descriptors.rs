//! How many descriptors the connections may use.

use crate::config::LimitsConfig;
use log::warn;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors beyond those of the connections: files, the camera's buffers, the scheduler.
const OTHERS: u64 = 128;

/// Raises the limit on open descriptors to what `limits.connections_hard` needs: two each, a stream has a copy of
/// its own. Where the system does not allow that, the limit is lowered to what it allows: without a free descriptor
/// the accept would spin.
pub fn within_descriptors(mut limits: LimitsConfig) -> LimitsConfig {
    let needed = 2 * limits.connections_hard as u64 + OTHERS;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return limits;
    };
    let raised = soft.max(needed.min(hard));
    let allowed = match setrlimit(Resource::RLIMIT_NOFILE, raised, hard) {
        Ok(()) => raised,
        Err(_) => soft,
    };
    if allowed < needed {
        let others = OTHERS.min(allowed / 2);
        let possible = usize::try_from((allowed - others) / 2).unwrap_or(usize::MAX);
        let possible = possible.max(2);
        warn!(
            "limits.connections_hard = {} needs {needed} open files, the system allows {allowed} (ulimit -n): \
             lowered to {possible}",
            limits.connections_hard
        );
        limits.connections_hard = possible;
        limits.connections = limits.connections.min(limits.connections_hard - 1);
        limits.streams = limits.streams.min(limits.connections);
        limits.events = limits.events.min(limits.connections);
    }
    limits
}
