//! The configuration as a user meets it: the executable's `--check-config`, `--print-config` and its
//! other options, and what the library makes of the layers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use picam::config::{AutoOr, Config, LARGEST_FILE, Layers, Overrides, Source};

/// Writes a file that no other test uses.
fn file(name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn picam(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picam"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Asserts that the answer is exactly this line, with exit code 2.
fn assert_refused(arguments: &[&str], line: &str) {
    let output = picam(arguments);
    assert_eq!(stderr(&output), format!("picam: {line}\n"), "{arguments:?}");
    assert_eq!(
        (stdout(&output), output.status.code()),
        ("", Some(2)),
        "{arguments:?}"
    );
}

fn layers(files: &[&PathBuf]) -> Layers {
    let files = files.iter().map(|path| path.to_path_buf()).collect();
    Layers {
        files,
        required: true,
        overrides: Overrides::default(),
    }
}

fn load(name: &str, text: &str) -> Config {
    layers(&[&file(name, text)])
        .load()
        .unwrap_or_else(|error| panic!("{error}"))
}

const WIDTH: &str = "expected an even integer from 64 to 4608 (pixels)";
const RATE: &str = "expected a number from 0.1 to 120 (Hz)";
const QUALITY: &str = "expected an integer from 1 to 100";
const LISTEN: &str = "expected ADDR:PORT with a numeric address, like 0.0.0.0:8000 or [::]:8000";
const SOURCE: &str =
    "expected pattern, replay:PATH (a JPEG file, a folder of them or a Y4M file) or libcamera";
const CORES: &str = "expected \"auto\" or a list of core numbers from 0 to 1023, like [3]";
const EXPOSURE: &str = "expected auto or an integer from 1 to 2147483647 (µs)";
const LENS: &str = "expected auto or a number of at least 0 (dioptres)";

/// Each file has one mistake; the answer is one line: FILE:LINE, what is there, what is expected.
#[test]
fn every_kind_of_bad_file_is_answered_by_one_line() {
    let cases: &[(&str, usize, &str)] = &[
        // Not TOML.
        (
            "[camera]\nrate = 8,0",
            2,
            "not TOML: unexpected key or value, expected newline, `#`, in: rate = 8,0",
        ),
        (
            "[camera]\nsource = pattern",
            2,
            "not TOML: string values must be quoted, expected literal string, in: source = pattern",
        ),
        (
            "[camera]\n\nwidth",
            3,
            "not TOML: key with no value, expected `=`, in: width",
        ),
        (
            "\n[camera",
            2,
            "not TOML: unclosed table, expected `]`, in: [camera",
        ),
        (
            "[jpeg]\nquality = 90\nquality = 80",
            3,
            "not TOML: duplicate key, in: quality = 80",
        ),
        (
            "[jpeg]\n[camera]\n[jpeg]",
            3,
            "not TOML: duplicate key, in: [jpeg]",
        ),
        // Sections and keys.
        (
            "listen = '[::]:8000'",
            1,
            "unknown section \"listen\": expected server, camera, jpeg, controls, cpu, limits, state, watchdog, update, security or log",
        ),
        (
            "[jpeg]\n[jpg]\nquality = 90",
            2,
            "unknown section \"jpg\": expected server, camera, jpeg, controls, cpu, limits, state, watchdog, update, security or log",
        ),
        (
            "jpeg = 90",
            1,
            "jpeg = 90: expected a section [jpeg] with keys",
        ),
        (
            "[[log]]\nlevel = 'info'",
            1,
            "log = [[log]]: expected a section [log] with keys",
        ),
        (
            "[camera]\nrate = 8\nwidht = 640",
            3,
            "unknown key \"widht\" in [camera]: expected source, id, width, height, rate, sensor_rate, hdr, longest_exposure, focus_range, stamp, rotation, mirror, still or still_chroma",
        ),
        (
            "[camera.rate]\nhz = 8",
            1,
            &format!("camera.rate = [camera.rate]: {RATE}"),
        ),
        // Types.
        (
            "[camera]\nwidth = '640'",
            2,
            &format!("camera.width = '640': {WIDTH}"),
        ),
        (
            "[camera]\nwidth = 640.0",
            2,
            &format!("camera.width = 640.0: {WIDTH}"),
        ),
        (
            "[camera]\nstamp = 1",
            2,
            "camera.stamp = 1: expected true or false",
        ),
        (
            "[camera]\nrate = 2026-01-01",
            2,
            &format!("camera.rate = 2026-01-01: {RATE}"),
        ),
        (
            "[jpeg]\nquality = '''\n90'''",
            2,
            &format!("jpeg.quality = '''…: {QUALITY}"),
        ),
        (
            "[log]\nlevel = true",
            2,
            "log.level = true: expected error, warn, info, debug or trace",
        ),
        // Ranges.
        (
            "[camera]\nwidth = 641",
            2,
            &format!("camera.width = 641: {WIDTH}"),
        ),
        (
            "[camera]\nwidth = 62",
            2,
            &format!("camera.width = 62: {WIDTH}"),
        ),
        (
            "[camera]\nheight = 2594",
            2,
            "camera.height = 2594: expected an even integer from 64 to 2592 (pixels)",
        ),
        ("[camera]\nrate = 0", 2, &format!("camera.rate = 0: {RATE}")),
        (
            "[camera]\nrate = nan",
            2,
            &format!("camera.rate = nan: {RATE}"),
        ),
        (
            "[camera]\nrate = +inf",
            2,
            &format!("camera.rate = +inf: {RATE}"),
        ),
        (
            "[jpeg]\nquality = 101",
            2,
            &format!("jpeg.quality = 101: {QUALITY}"),
        ),
        (
            "[jpeg]\nquality = -1",
            2,
            &format!("jpeg.quality = -1: {QUALITY}"),
        ),
        (
            "[jpeg]\nquality = 99999999999999999999",
            2,
            &format!("jpeg.quality = 99999999999999999999: {QUALITY}"),
        ),
        (
            "[limits]\nheader_bytes = 100",
            2,
            "limits.header_bytes = 100: expected an integer from 1024 to 65536 (bytes)",
        ),
        (
            "[limits]\nwrite_seconds = 0.5",
            2,
            "limits.write_seconds = 0.5: expected a number from 1 to 600 (seconds)",
        ),
        // Words and texts.
        (
            "[log]\nlevel = 'loud'",
            2,
            "log.level = 'loud': expected error, warn, info, debug or trace",
        ),
        (
            "[security]\nsandbox = 'yes'",
            2,
            "security.sandbox = 'yes': expected on, log or off",
        ),
        (
            "[server]\nlisten = 'localhost:8000'",
            2,
            &format!("server.listen = 'localhost:8000': {LISTEN}"),
        ),
        (
            "[server]\nlisten = '0.0.0.0'",
            2,
            &format!("server.listen = '0.0.0.0': {LISTEN}"),
        ),
        (
            "[server]\nlisten = '0.0.0.0:65536'",
            2,
            &format!("server.listen = '0.0.0.0:65536': {LISTEN}"),
        ),
        (
            "[camera]\nsource = 'webcam'",
            2,
            &format!("camera.source = 'webcam': {SOURCE}"),
        ),
        (
            "[camera]\nsource = 'replay:'",
            2,
            &format!("camera.source = 'replay:': {SOURCE}"),
        ),
        (
            "[cpu]\nhttp = 'all'",
            2,
            &format!("cpu.http = 'all': {CORES}"),
        ),
        (
            "[cpu]\nencode = []",
            2,
            &format!("cpu.encode = []: {CORES}"),
        ),
        (
            "[cpu]\ncapture = [0, -1]",
            2,
            &format!("cpu.capture = [0, -1]: {CORES}"),
        ),
        // Controls.
        (
            "[controls]\nExposure = 5",
            2,
            "unknown key \"Exposure\" in [controls]: expected ExposureTime, AnalogueGain, ExposureValue, AeEnable, AeExposureMode, AeMeteringMode, AeFlickerPeriod, LensPosition, AfMode, AfRange, AfSpeed, AfMetering, AfWindows, ColourGains, ColourTemperature, AwbEnable, AwbMode, Brightness, Contrast, Saturation, Sharpness, NoiseReductionMode or HdrMode",
        ),
        (
            "[controls]\nExposureTime = 0.5",
            2,
            &format!("controls.ExposureTime = 0.5: {EXPOSURE}"),
        ),
        (
            "[controls]\nExposureTime = '5'",
            2,
            &format!("controls.ExposureTime = '5': {EXPOSURE}"),
        ),
        (
            "[controls]\nLensPosition = -1",
            2,
            &format!("controls.LensPosition = -1: {LENS}"),
        ),
        (
            "[controls]\nLensPosition = inf",
            2,
            &format!("controls.LensPosition = inf: {LENS}"),
        ),
        (
            "[controls]\nAfMode = true",
            2,
            "controls.AfMode = true: expected manual, auto or continuous",
        ),
        (
            "[controls]\nAeEnable = true\nExposureTime = 5",
            3,
            "controls: ExposureTime with AeEnable=true contradict each other: leave one out, or make it AeEnable=false",
        ),
        (
            "[controls]\nLensPosition = 1\nAfMode = 'auto'",
            3,
            "controls: LensPosition with AfMode=auto contradict each other: leave one out, or make it AfMode=manual",
        ),
        // Two keys that do not go together.
        (
            "[limits]\nconnections = 100",
            2,
            "limits.streams = 224 with limits.connections = 100: expected limits.streams of at most limits.connections",
        ),
        (
            "[limits]\nconnections_hard = 256\nrequest_seconds = 1",
            2,
            "limits.connections = 256 with limits.connections_hard = 256: expected limits.connections_hard of more than limits.connections",
        ),
    ];
    for (number, (text, line, answer)) in cases.iter().enumerate() {
        let path = file(&format!("bad-{number}.toml"), text);
        let path = path.to_str().unwrap();
        assert_refused(
            &["--config", path, "--check-config"],
            &format!("{path}:{line}: {answer}"),
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_answered_by_one_line() {
    let latin1 = file("latin1.toml", b"# gr\xfcn\n[jpeg]\n");
    let latin1 = latin1.to_str().unwrap();
    assert_refused(
        &["--check-config", "--config", latin1],
        &format!("{latin1}:1: not TOML: not UTF-8"),
    );
    assert_refused(
        &["--check-config", "--config", "/nonexistent/picam.toml"],
        "/nonexistent/picam.toml: cannot be read: No such file or directory (os error 2)",
    );
    assert_refused(
        &["--check-config", "--config", "/"],
        "/: cannot be read: expected a regular file",
    );
}

/// Whatever lies on the card is refused at once: the appliance asks for the configuration between two pets of its
/// watchdog. A pipe without a writer would be waited for for ever.
#[test]
fn a_file_of_any_size_and_kind_is_refused_within_bounds() {
    let pipe = file("pipe.txt", "").with_extension("toml");
    let _ = std::fs::remove_file(&pipe); // an earlier run's
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let regular = "cannot be read: expected a regular file";
    assert_refused(
        &["--check-config", "--config", pipe],
        &format!("{pipe}: {regular}"),
    );
    let largest = LARGEST_FILE as usize;
    assert_refused(
        &["--check-config", "--config", "/dev/zero"],
        &format!("/dev/zero: cannot be read: expected at most {largest} bytes"),
    );
    let fits = file("fits.toml", format!("rate{}", "#".repeat(largest - 4)));
    let fits = fits.to_str().unwrap();
    assert_refused(
        &["--check-config", "--config", fits],
        &format!(
            "{fits}:1: not TOML: key with no value, expected `=`, in: rate{}…",
            "#".repeat(56)
        ),
    );
    let large = file("large.toml", "#".repeat(largest + 1));
    let large = large.to_str().unwrap();
    assert_refused(
        &["--check-config", "--config", large],
        &format!("{large}: cannot be read: expected at most {largest} bytes"),
    );
}

#[test]
fn the_first_problems_are_told_and_the_others_counted() {
    let keys: String = (0..5000).map(|n| format!("k{n}=0\n")).collect();
    let path = file("rubbish.toml", format!("[jpeg]\n{keys}"));
    let output = picam(&["--check-config", "--config", path.to_str().unwrap()]);
    let lines: Vec<_> = stderr(&output).lines().collect();
    assert_eq!(lines.len(), 21);
    assert!(
        lines[0].contains(":2: unknown key \"k0\" in [jpeg]"),
        "{}",
        lines[0]
    );
    assert!(
        lines[19].contains(":21: unknown key \"k19\""),
        "{}",
        lines[19]
    );
    assert_eq!(lines[20], "picam: and 4980 more like these");
}

/// Every way of asking meets the same refusal, also a start.
#[test]
fn a_bad_file_stops_the_start_and_the_printing() {
    let path = file("refused.toml", "[jpeg]\nquality = 0\n");
    let path = path.to_str().unwrap();
    let line = format!("{path}:2: jpeg.quality = 0: {QUALITY}");
    assert_refused(&["--config", path], &line);
    assert_refused(&["--config", path, "--print-config"], &line);
}

#[test]
fn all_problems_of_all_files_are_reported() {
    let first = file(
        "many-1.toml",
        "[jpeg]\nquality = 0\n[camera]\nrate = 0\nwidth = 1\n",
    );
    let second = file("many-2.toml", "[log]\nlevel = 1\n");
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let output = picam(&["--check-config", "--config", first, "--config", second]);
    let places: Vec<_> = stderr(&output)
        .lines()
        .map(|line| line.splitn(4, ':').take(3).collect::<String>())
        .collect();
    assert_eq!(
        places,
        [(first, 2), (first, 4), (first, 5), (second, 2)]
            .map(|(path, line)| format!("picam {path}{line}"))
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn good_files_are_ok() {
    let empty = file("empty.toml", "");
    let good = file("good.toml", "camera.rate = 15\njpeg = { quality = 90 }\n");
    for path in [empty, good] {
        let output = picam(&["--check-config", "--config", path.to_str().unwrap()]);
        assert_eq!(
            (stdout(&output), stderr(&output), output.status.code()),
            ("ok\n", "", Some(0))
        );
    }
}

#[test]
fn a_later_file_wins_key_by_key() {
    let first = file(
        "layer-1.toml",
        "[camera]\nwidth = 640\nrate = 15\n[jpeg]\nquality = 80\n",
    );
    let second = file("layer-2.toml", "[camera]\nrate = 30.0\nheight = 480\n");
    let config = layers(&[&first, &second]).load().unwrap();

    let mut expected = Config::default();
    expected.camera.width = 640;
    expected.camera.height = 480;
    expected.camera.rate = 30.0;
    expected.jpeg.quality = 80;
    assert_eq!(config, expected);
    assert_eq!(layers(&[&second, &first]).load().unwrap().camera.rate, 15.0);
}

#[test]
fn the_command_line_wins_over_the_files() {
    let path = file(
        "overridden.toml",
        "[server]\nlisten = '127.0.0.1:80'\n[camera]\nsource = 'libcamera'\nrate = 4\n",
    );
    let output = picam(&[
        "--listen=127.0.0.1:1",
        "--camera",
        "replay:first",
        "--config",
        path.to_str().unwrap(),
        "--listen",
        "[::]:0",
        "--camera=replay:a b:c.y4m",
        "--print-config",
    ]);
    assert_eq!(stderr(&output), "");
    let config = load("overridden-printed.toml", stdout(&output));
    assert_eq!(config.server.listen, "[::]:0".parse().unwrap());
    assert_eq!(config.camera.source, Source::Replay("a b:c.y4m".into()));
    assert_eq!(config.camera.rate, 4.0);
}

#[test]
fn files_that_need_not_exist_may_be_absent() {
    let site = file("site.toml", "[jpeg]\nquality = 50\n");
    let mut layers = layers(&[&"/nonexistent/picam.toml".into(), &site]);
    layers.required = false;
    assert_eq!(layers.load().unwrap().jpeg.quality, 50);
    assert_eq!(
        Layers::default().files,
        [
            Path::new("/etc/picam/picam.toml"),
            Path::new("/data/picam/picam.toml")
        ]
    );
    assert!(!Layers::default().required);
}

#[test]
fn a_control_in_a_later_file_drops_what_it_replaces() {
    let fixed = file(
        "fixed.toml",
        "[controls]\nExposureTime = 20000\nLensPosition = 2\n",
    );
    let automatic = file(
        "automatic.toml",
        "[controls]\nAeEnable = true\nAwbEnable = 0\n",
    );
    let state = |files: &[&PathBuf]| layers(files).load().unwrap().controls.to_string();
    assert_eq!(state(&[]), "AeEnable=true AfMode=continuous AwbEnable=true");
    assert_eq!(
        state(&[&fixed]),
        "ExposureTime=20000 LensPosition=2 AfMode=manual AwbEnable=true"
    );
    assert_eq!(
        state(&[&fixed, &automatic]),
        "AeEnable=true LensPosition=2 AfMode=manual AwbEnable=false"
    );
}

/// The later of two keys that do not go together is named, in whatever file it is.
#[test]
fn limits_are_compared_over_all_files() {
    let first = file(
        "limits-1.toml",
        "[limits]\nconnections = 100\nstreams = 90\n",
    );
    let second = file("limits-2.toml", "\n\n[limits]\nstreams = 120\n");
    layers(&[&first]).load().unwrap();
    let error = layers(&[&first, &second]).load().unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}:4: limits.streams = 120", second.display())),
        "{error}"
    );
}

/// The extremes of every range, and every form of value, survive printing and reading.
#[test]
fn what_is_printed_reads_back_as_the_same() {
    let cases = [
        "",
        "[server]\nlisten = '[fe80::1]:1'\n[camera]\nsource = 'replay:/a \"b\\\\c'\nwidth = 64\nheight = 64\nrate = 0.1
longest_exposure = 100
focus_range = [1, 2.5]
         stamp = true\n[jpeg]\nquality = 1\n[log]\nlevel = 'error'
         [limits]\nheader_bytes = 1024\nrequest_seconds = 0.5\nwrite_seconds = 1\nconnections = 1\nconnections_hard = 2\nstreams = 1",
        "[camera]\nsource = 'libcamera'\nwidth = 4608\nheight = 2592\nrate = 120\nsensor_rate = 24\nhdr = true\nlongest_exposure = 1000000\nfocus_range = [0.02, inf]\n[log]\nlevel = 'trace'
         [limits]\nheader_bytes = 65536\nrequest_seconds = 60\nwrite_seconds = 600\nconnections = 4096\nconnections_hard = 8192\nstreams = 4096",
        "[controls]\nExposureTime = 2147483647\nAnalogueGain = 1.123456789\nLensPosition = 0\nAwbEnable = false",
        "[controls]\nAfWindows = [0.25, 0, 0.5, 1]\nColourGains = [1.5, 2]\nAeFlickerPeriod = '50'\nSharpness = 2\nHdrMode = 'off'",
        "[controls]\nAfMode = 'auto'\nAeEnable = false\n[cpu]\ncapture = [0]\nencode = [1, 1023]\nhttp = 'auto'",
    ];
    for (number, text) in cases.iter().enumerate() {
        let config = load(&format!("round-{number}.toml"), text);
        let printed = config.to_toml();
        assert_eq!(
            load(&format!("round-{number}-printed.toml"), &printed),
            config,
            "{printed}"
        );
    }
    let cores = load("cores.toml", "[cpu]\nencode = [1, 1023]").cpu.encode;
    assert_eq!(cores, AutoOr::Given(vec![1, 1023]));
}

/// The lines before the value of each key that say where it comes from.
fn origins(printed: &str) -> Vec<(String, String)> {
    let (mut origins, mut from) = (Vec::new(), None);
    for line in printed.lines() {
        if let Some(origin) = line.strip_prefix("# From ") {
            from = Some(origin.trim_end_matches('.').to_owned());
        } else if let Some((key, _)) = line.split_once(" = ")
            && let Some(from) = from.take()
        {
            origins.push((key.to_owned(), from));
        }
    }
    origins
}

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.map(|(key, from)| (key.to_owned(), from)).to_vec()
}

/// What was saved lies over the files and under the command line; each value says where it comes from.
#[test]
fn what_was_saved_is_printed_with_the_origin_of_each_value() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("origins-state");
    std::fs::create_dir_all(&state).unwrap();
    let saved = state.join("saved.toml");
    let first = file(
        "origins-1.toml",
        "[jpeg]\nquality = 90\n[controls]\nExposureTime = 20000\nBrightness = 0.25\n",
    );
    let second = format!(
        "[state]\ndirectory = \"{}\"\n\n[jpeg]\nquality = 80\n[controls]\nContrast = 2\nLensPosition = 1\n",
        state.display()
    );
    let second = file("origins-2.toml", second);
    let arguments = [
        "--print-config",
        "--config",
        first.to_str().unwrap(),
        "--config",
        second.to_str().unwrap(),
        "--listen",
        "127.0.0.1:1",
    ];
    let at = |path: &Path, line: usize| format!("{}:{line}", path.display());
    let of_the_files = |controls: Vec<(String, String)>| {
        let before = pairs([
            ("listen", "--listen".to_owned()),
            ("quality", at(&second, 5)),
        ]);
        let behind = pairs([("directory", at(&second, 2))]);
        [before, controls, behind].concat()
    };

    let _ = std::fs::remove_file(&saved); // an earlier run's
    let output = picam(&arguments);
    assert_eq!(stderr(&output), "");
    let expected = pairs([
        ("ExposureTime", at(&first, 4)),
        ("LensPosition", at(&second, 8)),
        (
            "AfMode",
            format!("{}, by another control", second.display()),
        ),
        ("Brightness", at(&first, 5)),
        ("Contrast", at(&second, 7)),
    ]);
    assert_eq!(origins(stdout(&output)), of_the_files(expected));

    std::fs::write(&saved, "[controls]\nAeEnable = true\nContrast = 3\n").unwrap();
    let output = picam(&arguments);
    assert_eq!(stderr(&output), "");
    let expected = pairs([
        ("AeEnable", at(&saved, 2)),
        ("LensPosition", at(&second, 8)),
        (
            "AfMode",
            format!("{}, by another control", second.display()),
        ),
        ("Brightness", at(&first, 5)),
        ("Contrast", at(&saved, 3)),
    ]);
    assert_eq!(origins(stdout(&output)), of_the_files(expected));
    let printed = load("origins-printed.toml", stdout(&output));
    assert_eq!(
        printed.controls.to_string(),
        "AeEnable=true LensPosition=1 AfMode=manual AwbEnable=true Brightness=0.25 Contrast=3"
    );
}

/// A damaged file of what was saved keeps no picam from starting, and nobody from asking for the configuration; nor does
/// what a newer picam has saved.
#[test]
fn what_was_saved_and_cannot_be_used_is_told_and_left_out() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged-state");
    std::fs::create_dir_all(&state).unwrap();
    let saved = state.join("saved.toml");
    let text = format!("[state]\ndirectory = \"{}\"\n", state.display());
    let site = file("damaged-state.toml", text);
    let shown = saved.display();
    for (damage, told, contrast) in [
        (
            "[controls]\nContrast = 2\nSaturation = -1\n",
            ":3: controls.Saturation = -1: expected a number from 0 to 32",
            "#Contrast =",
        ),
        (
            "[contr",
            ":1: not TOML: unclosed table, expected `]`, in: [contr",
            "#Contrast =",
        ),
        (
            "[update]\nurl = \"http://evil.example/\"\n[controls]\nContrast = 2\n",
            ":1: unknown section \"update\": expected controls",
            "Contrast = 2.0",
        ),
    ] {
        std::fs::write(&saved, damage).unwrap();
        for action in ["--check-config", "--print-config"] {
            let output = picam(&[action, "--config", site.to_str().unwrap()]);
            assert_eq!(
                stderr(&output),
                format!("picam: what was saved is left out: {shown}{told}\n")
            );
            assert_eq!(output.status.code(), Some(0));
            let printed = stdout(&output);
            assert!(!printed.contains("evil"), "{printed}");
            if action == "--print-config" {
                assert!(printed.lines().any(|line| line == contrast), "{printed}");
            } else {
                assert_eq!(printed, "ok\n");
            }
        }
        assert_eq!(std::fs::read_to_string(&saved).unwrap(), damage);
    }
}

/// Each key of the printed file stands under two comment lines: meaning, and what is expected.
#[test]
fn every_printed_key_is_commented() {
    let text = Config::default().to_toml();
    let lines: Vec<_> = text.lines().collect();
    let keys: Vec<_> = (0..lines.len())
        .filter(|&i| lines[i].contains(" ="))
        .collect();
    assert_eq!(keys.len(), 65);
    for i in keys {
        assert!(
            lines[i - 2].starts_with("# ") && lines[i - 2].ends_with('.'),
            "{}",
            lines[i]
        );
        assert!(lines[i - 1].starts_with("# Expected: "), "{}", lines[i]);
        assert!(lines[i - 1].contains(". Default: "), "{}", lines[i]);
    }
}

/// The image's file is what `--print-config` prints of itself, but for where each value comes from: whole, up to date, and
/// with what an image needs.
#[test]
fn the_image_has_the_printed_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-overlay/etc/picam/picam.toml");
    let shown = path.to_str().unwrap();
    let output = picam(&["--print-config", "--config", shown]);
    let lines = stdout(&output).split_inclusive('\n');
    let printed: String = lines.filter(|line| !line.starts_with("# From ")).collect();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        printed,
        "write it anew with: picam --print-config --config {shown} | grep -v '^# From '"
    );
    let image = layers(&[&path]).load().unwrap();
    let mut expected = Config::default();
    expected.camera.source = Source::Libcamera;
    expected.state.directory = "/data/picam/state".into();
    assert_eq!(image, expected);
}

#[test]
fn changes_are_split_by_what_needs_a_restart() {
    let old = Config::default();
    assert_eq!(old.take_live(&old).1, Default::default());
    let new = load(
        "changed.toml",
        "[server]\nlisten = '127.0.0.1:0'\n[camera]\nrate = 4\nwidth = 640\n[jpeg]\nquality = 90
         [controls]\nExposureTime = 5\n[cpu]\nhttp = [0]\n[limits]\nstreams = 10\n[log]\nlevel = 'debug'",
    );
    let (_, changes) = old.take_live(&new);
    assert_eq!(
        changes.applied,
        [
            "camera.rate",
            "jpeg.quality",
            "controls.ExposureTime",
            "controls.AeEnable",
            "limits.streams",
            "log.level"
        ]
    );
    assert_eq!(
        changes.needs_restart,
        ["server.listen", "camera.width", "cpu.http"]
    );
}

#[test]
fn a_bad_command_line_is_answered_by_one_line() {
    let help = "see picam --help";
    assert_refused(&["--foo"], &format!("invalid option '--foo': {help}"));
    assert_refused(&["-x"], &format!("invalid option '-x': {help}"));
    assert_refused(
        &["serve"],
        &format!("unexpected argument \"serve\": {help}"),
    );
    assert_refused(
        &["--config"],
        &format!("missing argument for option '--config': {help}"),
    );
    assert_refused(
        &["--version=3"],
        &format!("unexpected argument for option '--version': \"3\": {help}"),
    );
    assert_refused(&["--camera", "usb"], &format!("--camera \"usb\": {SOURCE}"));
    assert_refused(
        &["--camera", "replay:"],
        &format!("--camera \"replay:\": {SOURCE}"),
    );
    assert_refused(
        &["--listen", "8000"],
        &format!("--listen \"8000\": {LISTEN}"),
    );
    assert_refused(
        &["--listen", "a\nb"],
        &format!("--listen \"a\\nb\": {LISTEN}"),
    );
    assert_refused(
        &["--check-config", "--print-config"],
        "--check-config and --print-config: expected one of them",
    );
}

#[test]
fn help_and_version_are_printed() {
    let output = picam(&["--version"]);
    let version = concat!("picam ", env!("CARGO_PKG_VERSION"), "\n");
    if cfg!(feature = "libcamera") {
        let lines: Vec<_> = stdout(&output).lines().collect();
        assert!(stdout(&output).starts_with(version) && lines.len() == 3);
        assert!(lines[1].starts_with("pipelines: ") && lines[2].starts_with("libcamera "));
    } else {
        assert_eq!(stdout(&output), version);
    }
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));

    let output = picam(&["--help"]);
    for word in [
        "--config",
        "--camera",
        "--listen",
        "--check-config",
        "--print-config",
        "--probe",
        "--tryboot",
        "Exit codes",
    ] {
        assert!(stdout(&output).contains(word), "{word}");
    }
    assert!(stdout(&output).lines().all(|line| line.len() <= 100));
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

/// On a machine that is no appliance, like the one of a test, nothing restarts.
#[test]
fn tryboot_is_for_the_appliance() {
    let output = picam(&["--tryboot"]);
    assert!(stderr(&output).starts_with("picam: --tryboot is for the appliance image only"));
    assert_eq!((stdout(&output), output.status.code()), ("", Some(1)));
}

/// `[update] url` is read by a shell script, so it has no character that one could stumble over.
#[test]
fn update_urls() {
    for url in [
        "",
        "http://10.0.0.1/picam/",
        "https://updates.example:8443/picam-rpi5.raucb?site=3&x=%20",
        "https://updates.example/picam/ http://10.0.0.1/picam/",
    ] {
        load("update.toml", &format!("[update]\nurl = \"{url}\""));
    }
    for url in [
        "ftp://host/x",
        "/data/x.raucb",
        "http://",
        "http:///x",
        "http://a/b c",
        "http://a/  http://b/",
        "http://a/ ",
        "http://a/$'x'",
        "http://ä/",
    ] {
        let file = file("update.toml", format!("[update]\nurl = \"{url}\""));
        let output = picam(&["--check-config", "--config", file.to_str().unwrap()]);
        assert!(
            stderr(&output).contains(":2: update.url = "),
            "{}",
            stderr(&output)
        );
        assert_eq!(output.status.code(), Some(2), "{url}");
    }
}

/// `picam --print-config | head -1` is no failure; a full disk is.
#[test]
fn output_that_goes_nowhere() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = Command::new(env!("CARGO_BIN_EXE_picam"))
        .args(["--print-config", "--config", "/dev/null"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!((stderr(&closed), closed.status.code()), ("", Some(0)));

    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let full = Command::new(env!("CARGO_BIN_EXE_picam"))
        .arg("--version")
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(stderr(&full).starts_with("picam: cannot write to standard output: "));
    assert_eq!(full.status.code(), Some(1));
}
