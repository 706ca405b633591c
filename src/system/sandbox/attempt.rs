//! What whoever has taken picam over would try, for tests.

use std::fs::{File, OpenOptions};
use std::io;

/// Tries it: `read` or `write` a path, or `call` by number and arguments, all decimal with commas between them. What comes
/// of it; `None` if there is no such thing to try. A call outside of the sandbox's list does not return.
pub fn attempt(what: &str, target: &str) -> Option<io::Result<i64>> {
    match what {
        "read" => Some(File::open(target).map(|_| 0)),
        "write" => {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(target);
            Some(file.map(|_| 0))
        }
        "call" => call(target),
        _ => None,
    }
}

fn call(numbers: &str) -> Option<io::Result<i64>> {
    let numbers: Vec<libc::c_long> = numbers
        .split(',')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    // SAFETY: none. It is what the test asks for, and in its own process.
    let result = unsafe { libc::syscall(at(0), at(1), at(2), at(3), at(4), at(5), at(6)) };
    Some(match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    })
}
