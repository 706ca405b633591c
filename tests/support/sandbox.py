"""What somebody who has taken picam over would try, by /debug/sandbox."""

import re

# Numbers of system calls.
CALLS = {
    "x86_64": {
        "bind": 49, "bpf": 321, "chmod": 90, "clone": 56, "connect": 42, "execve": 59, "fork": 57, "init_module": 175,
        "io_uring_setup": 425, "ioctl": 16, "kill": 62, "memfd_create": 319, "mmap": 9, "mount": 165, "prctl": 157, "prlimit64": 302,
        "process_vm_readv": 310, "ptrace": 101, "reboot": 169, "rmdir": 84, "seccomp": 317, "setuid": 105, "socket": 41, "tgkill": 234,
        "unshare": 272,
    },
    "aarch64": {
        "bind": 200, "bpf": 280, "clone": 220, "connect": 203, "execve": 221, "init_module": 105,
        "io_uring_setup": 425, "ioctl": 29, "kill": 129, "memfd_create": 279, "mmap": 222, "mount": 40, "prctl": 167, "prlimit64": 261,
        "process_vm_readv": 270, "ptrace": 117, "reboot": 142, "seccomp": 277, "setuid": 146, "socket": 198, "tgkill": 131,
        "unshare": 97,
    },
}  # fmt: skip
# Arguments: those that the sandbox refuses where it looks at them.
ARGUMENTS = {
    "clone": (17,),  # a process that says with SIGCHLD how it ended
    "ioctl": (0, 0x5412, 0),  # types for whoever sits at the terminal
    "mmap": (0, 4096, 7, 0x22, -1, 0),  # memory to write code to
    "prctl": (4, 1),  # core dumps
    "prlimit64": (1, 7),  # of init
    "socket": (2, 1, 0),  # TCP
    "tgkill": (1, 1, 0),
}


def attempt(get, what, target):
    """What comes of it: `done`, or why not. `get` asks the picam for a path."""
    status, _, body = get(f"/debug/sandbox/{what}?target={target}")
    assert status == 200
    line = body.decode().strip()
    return "done" if line.startswith("done") else re.fullmatch(r"refused: (.*) \(os error \d+\)", line)[1]


def arguments(calls, name):
    """`name` of one architecture's calls as the target of an attempt."""
    return ",".join(map(str, (calls[name], *ARGUMENTS.get(name, ()))))
