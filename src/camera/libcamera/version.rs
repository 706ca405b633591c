//! What of libcamera is inside this executable.

/// The lines that `picam --version` prints of libcamera: the pipelines that are linked in, and its version.
pub fn versions() -> String {
    format!(
        "pipelines: {}\nlibcamera {}\n",
        pipelines().unwrap_or_else(|| "unknown".to_owned()),
        libcamera::version::runtime_version(),
    )
}

/// The names of the linked pipeline handlers. `None` if the build had no internal headers of libcamera to
/// ask with.
#[cfg(picam_pipelines)]
fn pipelines() -> Option<String> {
    unsafe extern "C" {
        /// From pipelines.cpp: the names with a space after each, for ever valid.
        fn picam_pipelines() -> *const std::ffi::c_char;
    }
    // SAFETY: the function returns a C string that is never freed.
    let names = unsafe { std::ffi::CStr::from_ptr(picam_pipelines()) };
    Some(names.to_string_lossy().trim_end().to_owned())
}

#[cfg(not(picam_pipelines))]
fn pipelines() -> Option<String> {
    None
}
