//! seccomp: the system calls of a picam that serves, with the reason for each. What is not here ends the process with SIGSYS.
//!
//! Taken from `strace -f` under the tests, x86_64 and aarch64; glibc's own choices of a call are part of it.

use super::Force;
use crate::config::SandboxMode;
use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

/// With any arguments, whatever the camera.
#[rustfmt::skip]
const ALWAYS: &[c_long] = &[
    // Threads: they start (clone: see below), wait for each other, stay on their cores, and end.
    libc::SYS_clone3, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_futex, libc::SYS_getpid,
    libc::SYS_gettid, libc::SYS_rseq, libc::SYS_sched_getaffinity, libc::SYS_sched_yield, libc::SYS_set_robust_list,
    // Memory: the allocator, and the stacks of threads and coroutines (mmap and mprotect: see below).
    libc::SYS_brk, libc::SYS_madvise, libc::SYS_mremap, libc::SYS_munmap, libc::SYS_sigaltstack,
    // Signals: SIGHUP and SIGTERM come; a thread masks them while it starts.
    libc::SYS_restart_syscall, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    // Time, where the vDSO does not tell it.
    libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_nanosleep,
    // Seeds of hash tables.
    libc::SYS_getrandom,
    // Connections: they are accepted and served. No socket is made, and none connects.
    libc::SYS_accept4, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_getpeername, libc::SYS_getsockname,
    libc::SYS_getsockopt, libc::SYS_ppoll, libc::SYS_recvfrom, libc::SYS_setsockopt, libc::SYS_shutdown,
    // To them, and to the supervisor's socket.
    libc::SYS_sendto, libc::SYS_write, libc::SYS_writev,
    // Files: the configuration, /proc/self, replayed pictures.
    libc::SYS_close, libc::SYS_fcntl, libc::SYS_fstat, libc::SYS_getdents64, libc::SYS_lseek, libc::SYS_newfstatat,
    libc::SYS_openat, libc::SYS_read, libc::SYS_readlinkat, libc::SYS_readv, libc::SYS_statx,
    // What was set is written beside the file, brought to the card, and renamed; or the file is removed.
    libc::SYS_fsync, libc::SYS_mkdirat, libc::SYS_renameat, libc::SYS_unlinkat,
];

/// Calls that glibc makes on this architecture only, instead of others above.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLD: &[c_long] = &[
    libc::SYS_access, libc::SYS_epoll_wait, libc::SYS_mkdir, libc::SYS_poll, libc::SYS_readlink, libc::SYS_rename,
    libc::SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
const OLD: &[c_long] = &[];

/// With any arguments, if the camera is libcamera's.
#[rustfmt::skip]
const LIBCAMERA: &[c_long] = &[
    // Buffers: the kernel's have further descriptors, and where it has none, they are files in memory.
    libc::SYS_dup, libc::SYS_ftruncate, libc::SYS_memfd_create,
    // Its threads wake each other.
    libc::SYS_eventfd2,
    // It asks whether it may open a device.
    libc::SYS_faccessat, libc::SYS_faccessat2,
];

const ARCHITECTURE: TargetArch = match cfg!(target_arch = "aarch64") {
    true => TargetArch::aarch64,
    false => TargetArch::x86_64,
};

/// Kinds of ioctl (the second byte of its number) that libcamera needs: V4L2, media controller, DMA heap, DMA buffer,
/// udmabuf.
const CAMERA_IOCTLS: [u8; 5] = [b'V', b'|', b'H', b'b', b'u'];

/// Restricts all threads; what is in force, and what is missing.
pub(super) fn restrict(mode: SandboxMode, libcamera: bool) -> (Force, Option<String>) {
    let (denied, force) = match mode {
        SandboxMode::Log => (SeccompAction::Log, Force::Logged),
        _ => (SeccompAction::KillProcess, Force::Enforced),
    };
    match filtered(denied, libcamera) {
        Ok(()) => (force, None),
        Err(error) => (Force::Open, Some(format!("system calls are open: {error}"))),
    }
}

fn filtered(denied: SeccompAction, libcamera: bool) -> Result<(), seccompiler::Error> {
    if denied != SeccompAction::Log {
        apply_filter_all_threads(&without_clone3()?)?; // before the other, which does not allow to add one
    }
    apply_filter_all_threads(&filter(denied, libcamera)?)
}

fn filter(denied: SeccompAction, libcamera: bool) -> Result<BpfProgram, BackendError> {
    let mut calls = [ALWAYS, OLD].concat();
    let mut ioctls = vec![only(1, SeccompCmpOp::Eq, libc::FIONBIO)?]; // of connections
    if libcamera {
        calls.extend(LIBCAMERA);
        for kind in CAMERA_IOCTLS {
            ioctls.push(only(
                1,
                SeccompCmpOp::MaskedEq(0xff00),
                u64::from(kind) << 8,
            )?);
        }
    }
    let with_any_arguments = calls.into_iter().map(|call| (call, Vec::new()));
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = with_any_arguments.collect();
    let thread = libc::CLONE_THREAD as u64;
    // Nothing becomes executable that was not from the start.
    let no_code = || only(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0);
    let this_process = || only(0, SeccompCmpOp::Eq, std::process::id().into());
    let this_thread = || only(0, SeccompCmpOp::Eq, 0);
    rules.extend([
        (libc::SYS_ioctl, ioctls),
        // No process.
        (
            libc::SYS_clone,
            vec![only(0, SeccompCmpOp::MaskedEq(thread), thread)?],
        ),
        (libc::SYS_mmap, vec![no_code()?]),
        (libc::SYS_mprotect, vec![no_code()?]),
        // `abort` sends itself a signal.
        (libc::SYS_tgkill, vec![this_process()?]),
        // Open files, when the configuration is read again. Beyond its own it reaches none of its user's processes.
        (libc::SYS_prlimit64, vec![this_thread()?]),
        (libc::SYS_sched_setaffinity, vec![this_thread()?]),
        // Threads get their names.
        (
            libc::SYS_prctl,
            vec![only(0, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?],
        ),
    ]);
    SeccompFilter::new(rules, denied, SeccompAction::Allow, ARCHITECTURE)?.try_into()
}

/// Whether clone3 is to start a thread or a process is in memory, where no filter can look. Where the kernel does not know
/// it, the C library calls clone instead.
fn without_clone3() -> Result<BpfProgram, BackendError> {
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    SeccompFilter::new(rules, SeccompAction::Allow, unknown, ARCHITECTURE)?.try_into()
}

/// A call whose argument compares so. The kernel reads the lower half of all arguments that are compared here.
fn only(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let length = SeccompCmpArgLen::Dword;
    SeccompRule::new(vec![SeccompCondition::new(
        argument, length, operator, value,
    )?])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That it holds is tested from outside: it would end the tests' own process.
    #[test]
    fn the_filter_compiles_and_libcamera_gets_more() {
        let length = |libcamera| filter(SeccompAction::KillProcess, libcamera).unwrap().len();
        assert!(length(false) < length(true));
    }

    #[test]
    fn nothing_is_listed_twice() {
        let mut calls = [ALWAYS, OLD, LIBCAMERA].concat();
        calls.sort_unstable();
        let listed = calls.len();
        calls.dedup();
        assert_eq!(calls.len(), listed);
    }
}
