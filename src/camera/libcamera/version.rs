//! What of libcamera is inside this executable.

/// The lines that `picam --version` prints of libcamera: its version, and the pipelines that are linked in.
pub fn versions() -> String {
    format!(
        "libcamera {}\npipelines: {}\n",
        libcamera::version::runtime_version(),
        pipelines().unwrap_or_else(|| "unknown".to_owned())
    )
}

/// The names of the linked pipeline handlers, sorted. `None` if the build had no internal headers of libcamera to
/// ask with.
#[cfg(picam_pipelines)]
fn pipelines() -> Option<String> {
    unsafe extern "C" {
        /// From pipelines.cpp: the names with a space after each, for ever valid.
        fn picam_pipelines() -> *const std::ffi::c_char;
    }
    // SAFETY: the function returns a C string that is never freed.
    let names = unsafe { std::ffi::CStr::from_ptr(picam_pipelines()) };
    let names = names.to_string_lossy().into_owned();
    let mut names: Vec<_> = names.split_whitespace().collect();
    names.sort_unstable();
    Some(names.join(" "))
}

#[cfg(not(picam_pipelines))]
fn pipelines() -> Option<String> {
    None
}
