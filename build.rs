//! Joins the page that asks before it sets controls. With the feature `libcamera`: compiles the few lines of C++ that ask
//! libcamera for what is linked in.

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(picam_pipelines)");
    #[cfg(feature = "libcamera")]
    pipelines();
    page()
}

/// Puts style and script into the page, as `set.html`; a browser runs no other ones in it.
fn page() -> std::io::Result<()> {
    let read = |name| {
        let path = format!("src/http/page/{name}");
        println!("cargo::rerun-if-changed={path}");
        std::fs::read_to_string(path)
    };
    let (style, script) = (read("set.css")?, read("set.js")?);
    let page = read("set.html")?
        .replace("<style></style>", &format!("<style>{style}</style>"))
        .replace("<script></script>", &format!("<script>{script}</script>"));
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    std::fs::write(std::path::Path::new(&out).join("set.html"), page)?;
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    println!(
        "cargo::rustc-env=PICAM_SET_PAGE_POLICY=default-src 'none'; style-src {}; script-src {}; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(&style),
        hash(&script)
    );
    Ok(())
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
