//! With the feature `libcamera`: compiles the few lines of C++ that ask libcamera for what is linked in.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(picam_pipelines)");
    #[cfg(feature = "libcamera")]
    pipelines();
}

/// They need libcamera's internal headers, which cross/setup keeps; without them `picam --version` says so.
#[cfg(feature = "libcamera")]
fn pipelines() {
    const SOURCE: &str = "src/camera/libcamera/pipelines.cpp";
    let target = std::env::var("TARGET").unwrap_or_default();
    let variable = format!(
        "PICAM_LIBCAMERA_{}",
        target.to_uppercase().replace('-', "_")
    );
    println!("cargo::rerun-if-env-changed={variable}");
    println!("cargo::rerun-if-changed={SOURCE}");
    let Some(prefix) = std::env::var_os(&variable) else {
        println!(
            "cargo::warning={variable} is not set: picam --version will not list the pipelines"
        );
        return;
    };
    let include = std::path::Path::new(&prefix).join("usr/include");
    let private = include.join("libcamera-private");
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .flag("-include")
        .flag(private.join("config.h"))
        .define("LIBCAMERA_BASE_PRIVATE", None)
        .include(include.join("libcamera"))
        .include(private)
        .warnings(false) // they are of libcamera's headers
        .file(SOURCE)
        .compile("picam_pipelines");
    println!("cargo::rustc-cfg=picam_pipelines");
}
