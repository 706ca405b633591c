"""A BusyBox with the options that OpenEmbedded's or Buildroot's has, made from Debian's source of it.

Either distribution starts from a configuration of its own, which is not copied here. What counts is what they leave out
of `make defconfig`, as far as scripts can notice: LACKS. tests/distro/test_busybox.py compares it with the distributions'
own files where they are at hand.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

from distro.tree import COMMON, ROOT, assignments
from image.lab.packages import Apt

CACHE = ROOT / "target/distro-tests"
LACKS = {
    "openembedded": """
        ASH_IDLE_TIMEOUT ASH_MAIL ASH_RANDOM_SUPPORT CROND DESKTOP FEATURE_CP_REFLINK FEATURE_DATE_ISOFMT FEATURE_DD_IBS_OBS
        FEATURE_DD_STATUS FEATURE_DD_THIRD_STATUS_LINE FEATURE_FANCY_HEAD FEATURE_FIND_DELETE FEATURE_FIND_INUM
        FEATURE_FIND_LINKS FEATURE_INIT_MODIFY_CMDLINE FEATURE_INIT_QUIET FEATURE_INIT_SCTTY FEATURE_INIT_SYSLOG
        FEATURE_IP_LINK_CAN FEATURE_IP_NEIGH FEATURE_IP_RULE FEATURE_LS_COLOR_IS_DEFAULT FEATURE_MDEV_CONF
        FEATURE_MDEV_DAEMON FEATURE_MDEV_EXEC FEATURE_MDEV_LOAD_FIRMWARE FEATURE_MDEV_RENAME FEATURE_MDEV_RENAME_REGEXP
        FEATURE_MODPROBE_SMALL_CHECK_ALREADY_LOADED FEATURE_MOUNT_CIFS FEATURE_MOUNT_FAKE FEATURE_MOUNT_OTHERTAB
        FEATURE_MOUNT_VERBOSE FEATURE_NTPD_CONF FEATURE_NTPD_SERVER FEATURE_NTP_AUTH FEATURE_PIDOF_OMIT
        FEATURE_PIDOF_SINGLE FEATURE_SETPRIV_CAPABILITIES FEATURE_SH_EMBEDDED_SCRIPTS FEATURE_SH_READ_FRAC
        FEATURE_SPLIT_FANCY FEATURE_SYNC_FANCY FEATURE_TR_EQUIV FEATURE_UDHCP_8021Q FEATURE_WC_LARGE FEATURE_WGET_HTTPS
        FEATURE_XARGS_SUPPORT_ARGS_FILE FEATURE_XARGS_SUPPORT_CONFIRMATION FEATURE_XARGS_SUPPORT_PARALLEL
        FEATURE_XARGS_SUPPORT_QUOTES FEATURE_XARGS_SUPPORT_TERMOPT FEATURE_XARGS_SUPPORT_ZERO_TERM FOLD FSCK_MINIX FSYNC
        HALT IFCONFIG INIT IPCALC MDEV MKE2FS MODPROBE_SMALL NETSTAT NICE NTPD PKILL POWEROFF ROUTE SEEDRNG SETPRIV SPLIT
        TAC TIMEOUT TRUNCATE WATCHDOG
    """,
    "buildroot": """
        ASH_MAIL FEATURE_AWK_LIBM FEATURE_CHOWN_LONG_OPTIONS FEATURE_CP_LONG_OPTIONS FEATURE_CP_REFLINK
        FEATURE_DD_THIRD_STATUS_LINE FEATURE_FIND_DELETE FEATURE_FIND_EXEC_OK FEATURE_FIND_INUM FEATURE_FIND_LINKS
        FEATURE_IPC_SYSLOG FEATURE_IP_LINK_CAN FEATURE_LOGREAD_REDUCED_LOCKING FEATURE_MDEV_LOAD_FIRMWARE
        FEATURE_MDEV_RENAME_REGEXP FEATURE_MODPROBE_SMALL_CHECK_ALREADY_LOADED FEATURE_MOUNT_FAKE FEATURE_MOUNT_LABEL
        FEATURE_MOUNT_VERBOSE FEATURE_NTPD_CONF FEATURE_NTPD_SERVER FEATURE_NTP_AUTH FEATURE_SH_HISTFILESIZE
        FEATURE_SPLIT_FANCY FEATURE_STAT_FILESYSTEM FEATURE_STAT_FORMAT FEATURE_SYNC_FANCY FEATURE_SYSLOGD_CFG
        FEATURE_SYSLOGD_DUP FEATURE_WC_LARGE FEATURE_WGET_HTTPS FEATURE_XARGS_SUPPORT_CONFIRMATION FSCK_MINIX FSYNC IPCALC
        LOGREAD MODPROBE_SMALL NTPD PGREP PKILL SPLIT STAT TAC TIMEOUT UNICODE_SUPPORT
    """,
}
LACKS = {name: set(words.split()) for name, words in LACKS.items()}
# Added by each, and by picam's images.
FRAGMENTS = {
    "openembedded": [COMMON / "busybox.cfg"],
    "buildroot": [COMMON / "busybox.cfg", COMMON / "busybox-init.cfg"],
}
# To be run here, whatever this machine's libraries and kernel headers are.
HERE = {"CONFIG_STATIC": "y", "CONFIG_TC": "n", "CONFIG_FEATURE_TC_INGRESS": "n"}


def switched_on(texts):
    """The options that are y after all of these texts, a later one counting more."""
    values = {}
    for name, value, off in re.findall(r"^CONFIG_(\w+)=(.*)$|^# CONFIG_(\w+) is not set$", "\n".join(texts), re.M):
        values[name or off] = value
    return {name for name, value in values.items() if value == "y"}


def settings(name):
    """What is changed in `make defconfig`: CONFIG_X → value."""
    changed = {f"CONFIG_{option}": "n" for option in LACKS[name]}
    for fragment in FRAGMENTS[name]:
        changed |= assignments(fragment)
    return changed | HERE


def build(name):
    """The path of the BusyBox of `name`; made once for each configuration and version, in a minute or two."""
    tarball = Apt(name="apt-source", types="deb deb-src").source("busybox")
    lines = [f"# {key} is not set" if value == "n" else f"{key}={value}" for key, value in sorted(settings(name).items())]
    digest = hashlib.sha256("\n".join([tarball.name, *lines]).encode()).hexdigest()[:12]
    folder = CACHE / f"busybox-{name}-{digest}"
    if (folder / "complete").exists():
        return folder / "busybox"
    folder.mkdir(parents=True, exist_ok=True)

    def run(*command, **options):
        done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, **options)
        assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-2000:]}"

    run("tar", "-xf", tarball, "--strip-components=1")
    run("make", "defconfig")
    config = folder / ".config"
    kept = [line for line in config.read_text().splitlines() if not re.match(rf"(# )?({'|'.join(settings(name))})[ =]", line)]
    config.write_text("\n".join([*kept, *lines]) + "\n")
    # What depends on something that is on only now is asked for: the default will do.
    run("make", "oldconfig", input="\n" * 2000)
    run("nice", "-n", "19", "make", f"--jobs={os.cpu_count()}", "busybox")
    (folder / "complete").touch()
    return folder / "busybox"
