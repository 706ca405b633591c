//! Joins the pages that picam answers. With the feature `libcamera`: compiles the few lines of C++ that ask libcamera for
//! what is linked in.

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};
use std::io::{Error, Result};
use std::path::PathBuf;

/// Where the pages' files are.
const PAGES: &str = "src/http/page";
/// The scripts of the page at `/`, in this order: each may use those before it, and all once the page runs.
const SCRIPTS: [&str; 9] = [
    "dom", "net", "stream", "view", "focus", "controls", "save", "status", "main",
];
/// What a phone on a slow network loads before it shows anything, bytes: whole, and as it is sent.
const MOST: (usize, usize) = (60 << 10, 20 << 10);

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(picam_pipelines)");
    #[cfg(feature = "libcamera")]
    pipelines();
    set_page()?;
    main_page()
}

/// The page that asks before it sets controls: `set.html`, and its policy.
fn set_page() -> Result<()> {
    let page = Page::join(&read("set.html")?, &read("set.css")?, &read("set.js")?);
    std::fs::write(out("set.html"), &page.text)?;
    println!(
        "cargo::rustc-env=PICAM_SET_PAGE_POLICY={}; img-src 'self'; frame-ancestors 'none'",
        page.policy
    );
    Ok(())
}

/// The page at `/`: `page.html`, the same compressed, its policy, and a tag that differs from that of any other page.
fn main_page() -> Result<()> {
    let scripts: Result<String> = SCRIPTS
        .iter()
        .map(|name| Ok(tidy_script(&read(&format!("js/{name}.js"))?)))
        .collect();
    let page = Page::join(
        &tidy(&read("page.html")?),
        &tidy_style(&read("style.css")?),
        &scripts?,
    );
    let mut gzip = Vec::new();
    zopfli::compress(
        zopfli::Options::default(),
        zopfli::Format::Gzip,
        page.text.as_bytes(),
        &mut gzip,
    )?;
    if page.text.len() > MOST.0 || gzip.len() > MOST.1 {
        let is = (page.text.len(), gzip.len());
        let line =
            format!("{PAGES}: (bytes, bytes of its gzip) = {is:?}: expected at most {MOST:?}");
        return Err(Error::other(line));
    }
    std::fs::write(out("page.html"), &page.text)?;
    std::fs::write(out("page.html.gz"), gzip)?;
    println!(
        "cargo::rustc-env=PICAM_PAGE_POLICY={}; img-src 'self' blob: data:; frame-ancestors 'self'",
        page.policy
    );
    let tag = BASE64_STANDARD.encode(&Sha256::digest(&page.text)[..12]);
    println!("cargo::rustc-env=PICAM_PAGE_TAG=W/\"{tag}\"");
    Ok(())
}

/// A page with its style and its script inside.
struct Page {
    text: String,
    /// A browser runs no other style and script in it, and connects to nobody else.
    policy: String,
}

impl Page {
    fn join(html: &str, style: &str, script: &str) -> Self {
        let hash =
            |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
        Self {
            text: html
                .replace("<style></style>", &format!("<style>{style}</style>"))
                .replace("<script></script>", &format!("<script>{script}</script>")),
            policy: format!(
                "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; base-uri 'none'; \
                 form-action 'none'",
                hash(style),
                hash(script)
            ),
        }
    }
}

fn read(name: &str) -> Result<String> {
    let path = format!("{PAGES}/{name}");
    println!("cargo::rerun-if-changed={path}");
    std::fs::read_to_string(&path)
        .map_err(|error| Error::new(error.kind(), format!("{path}: {error}")))
}

fn out(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join(name)
}

/// [`tidy`], and without the spaces round the signs of rules and declarations.
fn tidy_style(text: &str) -> String {
    let signs = [
        (" {", "{"),
        ("{ ", "{"),
        ("; ", ";"),
        (": ", ":"),
        (";\n}", "}"),
        ("; }", "}"),
    ];
    shortened(tidy(text), &signs)
}

/// [`tidy`], and without the spaces round the commonest operators: no text of the page has those between spaces.
fn tidy_script(text: &str) -> String {
    let signs = [
        (" = ", "="),
        (" => ", "=>"),
        (" === ", "==="),
        (" !== ", "!=="),
        (" && ", "&&"),
        (" || ", "||"),
        (" ?? ", "??"),
        (") {", "){"),
    ];
    shortened(tidy(text), &signs)
}

/// `text` with the second of each pair in the place of the first.
fn shortened(text: String, pairs: &[(&str, &str)]) -> String {
    let shorten = |text: String, (long, short): &(&str, &str)| text.replace(long, short);
    pairs.iter().fold(text, shorten)
}

/// Without indentation, empty lines, and comments that are a line or stand behind a statement: no text of the page looks
/// like one.
fn tidy(text: &str) -> String {
    let is_comment =
        |line: &str| line.starts_with("//") || line.starts_with("/*") && line.ends_with("*/");
    text.lines()
        .map(|line| match line.split_once("; // ") {
            Some((statement, _)) => format!("{};\n", statement.trim()),
            None if is_comment(line.trim()) || line.trim().is_empty() => String::new(),
            None => format!("{}\n", line.trim()),
        })
        .collect()
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
