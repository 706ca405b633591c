//! What holds for every query, every order of merging and every TOML file, tried on random ones. A failure prints its
//! input, made smaller; `PROPTEST_CASES=100000 cargo test --test properties` tries more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use picam::config::{Config, Layers, Overrides};
use picam::controls::{Set, TABLE, Value};
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes of one line of a refusal, the file's path not counted: a quoted text of 60 characters, each escaped in up to 10
/// bytes, and the names of all keys of a section.
const LONGEST_LINE: usize = 1200;

/// A failing input is printed and belongs into a test of its own: nothing is written beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn is_one_printable_line(line: &str) -> bool {
    !line.is_empty() && line.len() <= LONGEST_LINE && !line.chars().any(char::is_control)
}

/// Texts that are values of some control or key, and texts that are next to one.
static WORDS: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "+1",
    "20000",
    "2147483647",
    "2147483648",
    "1.5",
    "1e400",
    "-0",
    "nan",
    "inf",
    "true",
    "false",
    "auto",
    "manual",
    "continuous",
    "normal",
    "spot",
    "off",
    "windows",
    "1.5,2",
    "0.25,0,0.5,1",
    "pattern",
    "libcamera",
    "replay:",
    "replay:/srv/frames",
    "info",
    "trace",
    "0.0.0.0:8000",
    "[fe80::1%3]:1",
    "/dev/watchdog",
    "http://updates.example/picam/",
    " 1 ",
    "1\n",
    "\u{202e}1",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(WORDS).prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        2 => any::<f64>().prop_map(|number| number.to_string()),
        1 => any::<String>(),
    ]
}

fn accepts(name: &str, text: &str) -> bool {
    Set::default().insert(name, text).is_ok()
}

/// A control and a value that it accepts by itself.
fn good_pair() -> impl Strategy<Value = (String, String)> {
    let names: Vec<_> = TABLE.iter().map(|control| control.name).collect();
    let pairs: Vec<_> = names
        .iter()
        .flat_map(|name| {
            WORDS
                .iter()
                .map(|text| (name.to_string(), text.to_string()))
        })
        .filter(|(name, text)| accepts(name, text))
        .collect();
    let numeric = names.into_iter().filter(|name| accepts(name, "7"));
    let number = (
        select(numeric.collect::<Vec<_>>()),
        1..100_000_i64,
        0..1000_u32,
    );
    let number = number.prop_map(|(name, whole, part)| {
        let real = format!("{whole}.{part:03}");
        let text = if accepts(name, &real) {
            real
        } else {
            whole.to_string()
        };
        (name.to_owned(), text)
    });
    prop_oneof![select(pairs), number]
}

fn pair() -> impl Strategy<Value = (String, String)> {
    let names: Vec<_> = TABLE.iter().map(|control| control.name).collect();
    prop_oneof![
        20 => good_pair(),
        2 => (select(names).prop_map(str::to_owned), word()),
        1 => (any::<String>(), word()),
    ]
}

/// A query of names and values, encoded as a browser does or not at all; or any text.
fn query() -> impl Strategy<Value = String> {
    let encoded = prop::collection::vec(pair(), 0..5).prop_map(|pairs| {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish()
    });
    let raw = prop::collection::vec(pair(), 0..5).prop_map(|pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        pairs.join("&")
    });
    prop_oneof![6 => encoded, 3 => raw, 1 => any::<String>()]
}

/// A set of up to six values: whatever of the random pairs goes together.
fn set() -> impl Strategy<Value = Set> {
    prop::collection::vec(pair(), 0..8).prop_map(|pairs| {
        let mut set = Set::default();
        for (name, text) in pairs {
            let before = set;
            if set.insert(&name, &text).is_err() {
                assert_eq!(set, before, "a refused value leaves the set as it was");
            }
        }
        set
    })
}

/// Builds the set anew from its own values, in this order or the reverse: fails if two of them exclude each other.
fn rebuilt(set: &Set, reverse: bool) -> Result<Set, String> {
    let mut values: Vec<_> = set.iter().collect();
    if reverse {
        values.reverse();
    }
    let mut again = Set::default();
    for (name, value) in values {
        let inserted = again.insert(name, &value.to_string());
        inserted.map_err(|refusal| refusal.to_string())?;
    }
    Ok(again)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_query_is_a_set_that_reads_back_or_one_line(query in query()) {
        match Set::parse_query(&query) {
            Ok(set) => {
                let displayed = set.to_string();
                prop_assert_eq!(Set::parse_query(&displayed.replace(' ', "&")), Ok(set));
            }
            Err(refusal) => {
                let line = refusal.to_string();
                prop_assert!(is_one_printable_line(&line), "{line:?}");
            }
        }
    }

    #[test]
    fn merging_in_any_order_never_contradicts_itself(
        (sets, shuffled) in prop::collection::vec(set(), 1..6)
            .prop_flat_map(|sets| (Just(sets.clone()), Just(sets).prop_shuffle()))
    ) {
        for order in [sets, shuffled] {
            let mut state = Config::default().controls;
            for newer in &order {
                state.merge(newer);
                for reverse in [false, true] {
                    prop_assert_eq!(rebuilt(&state, reverse), Ok(state), "after {} of {:?}", newer, order);
                }
                // auto becomes another control's value.
                for (name, value) in newer.iter().filter(|(_, value)| *value != Value::Auto) {
                    prop_assert!(state.iter().any(|known| known == (name, value)), "{name} of {newer} is not in {state}");
                }
                let once = state;
                state.merge(newer);
                prop_assert_eq!(state, once, "a second time changes nothing");
            }
        }
    }
}

proptest! {
    #![proptest_config(config())]

    /// What is saved is all that was requested; the files it is laid over may be others at the next start.
    #[test]
    fn what_was_requested_is_so_again_over_its_files(
        files in prop::collection::vec(set(), 0..3),
        news in prop::collection::vec(set(), 0..5),
        others in prop::collection::vec(set(), 0..3),
    ) {
        let merged = |mut state: Set, sets: &[Set]| {
            sets.iter().for_each(|newer| state.merge(newer));
            state
        };
        let base = merged(Config::default().controls, &files);
        let requested = merged(base, &news);
        let mut again = base;
        again.overlay(&requested);
        prop_assert_eq!(again, requested);

        let other = merged(Config::default().controls, &others);
        let mut over = other;
        over.overlay(&requested);
        prop_assert_eq!(rebuilt(&over, false), Ok(over));
        for control in &TABLE {
            let (saved, now) = (requested.get(control.id), over.get(control.id));
            prop_assert!(saved.is_none() || now == saved, "{} of {requested} is not in {over}", control.name);
            prop_assert!(now == saved || now == other.get(control.id), "{} of {over}", control.name);
        }
    }
}

/// A key as `picam --print-config` prints it.
#[derive(Clone, Debug)]
struct Key {
    section: String,
    name: String,
    /// Its default as TOML; `None` for a control that has none.
    default: Option<String>,
}

/// Every key there is.
fn keys() -> Vec<Key> {
    let (printed, mut section, mut keys) = (Config::default().to_toml(), String::new(), Vec::new());
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((name, value)) = line.split_once(" =")
            && !line.starts_with("# ")
        {
            let unset = name.strip_prefix('#');
            keys.push(Key {
                section: section.clone(),
                name: unset.unwrap_or(name).to_owned(),
                default: unset.is_none().then(|| value.trim().to_owned()),
            });
        }
    }
    assert!(keys.len() > 20, "{printed}");
    keys
}

/// A TOML string on one line.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", c as u32),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// For each key, values that it accepts by itself: found by trying.
static GOOD_VALUES: LazyLock<Vec<(Key, Vec<String>)>> = LazyLock::new(|| {
    let good = |key: Key| {
        let default = key.default.clone().unwrap_or_else(|| "1".to_owned());
        let mut tried = vec![
            default.clone(),
            "[0, 3]".to_owned(),
            "[0.25, 0, 0.5, 1]".to_owned(),
        ];
        if let Ok(number) = default.parse::<f64>() {
            let near = [number / 2.0, number + 0.1, number * 2.0];
            tried.extend(near.map(|near| format!("{near:?}")));
            tried.extend(near.map(|near| format!("{}", near as i64 / 2 * 2)));
        }
        let bare = WORDS.iter().filter(|word| !word.contains(char::is_control));
        tried.extend(bare.map(|word| word.to_string()));
        tried.extend(WORDS.iter().map(|word| quoted(word)));
        tried.retain(|value| {
            let text = format!("{}.{} = {value}\n", key.section, key.name);
            load(&[written("property-value.toml", text.as_bytes())]).is_ok()
        });
        (key, tried)
    };
    keys().into_iter().map(good).collect()
});

fn good_value(key: &Key) -> impl Strategy<Value = String> + use<> {
    let (_, values) = GOOD_VALUES
        .iter()
        .find(|(known, _)| known.section == key.section && known.name == key.name)
        .expect("every key is tried");
    select(values.clone())
}

/// A value as TOML, and whether no key can accept it.
fn any_value(key: &Key) -> impl Strategy<Value = (String, bool)> + use<> {
    let maybe = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-10..5000_i64).prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| match number.is_finite() {
            true => format!("{number:?}"),
            false => "inf".to_owned(),
        }),
        (0.0..150.0_f64).prop_map(|number| format!("{number:?}")),
        any::<bool>().prop_map(|on| on.to_string()),
        word().prop_map(|text| quoted(&text)),
        prop::collection::vec(-1..1025_i64, 0..4).prop_map(|cores| format!("{cores:?}")),
    ];
    let never = select(&["1979-05-27", "12:00:00", "{ a = 1 }", "[[1]]", "nan"][..]);
    prop_oneof![
        8 => good_value(key).prop_map(|text| (text, false)),
        6 => maybe.prop_map(|text| (text, false)),
        1 => never.prop_map(|text| (text.to_owned(), true)),
    ]
}

/// A file, and its lines that must be refused whatever the others say.
#[derive(Clone, Debug)]
struct File {
    text: String,
    wrong: BTreeSet<usize>,
}

impl File {
    /// Sets the keys to the values, as dotted keys or in sections, one a line.
    fn new(entries: Vec<(Key, (String, bool))>, dotted: bool) -> Self {
        let (mut lines, mut wrong, mut section) = (Vec::new(), BTreeSet::new(), String::new());
        for (key, (value, refused)) in entries {
            if !dotted && key.section != section {
                lines.push(format!("[{}]", key.section));
                section.clone_from(&key.section);
            }
            lines.push(match dotted {
                true => format!("{}.{} = {value}", key.section, key.name),
                false => format!("{} = {value}", key.name),
            });
            if refused {
                wrong.insert(lines.len());
            }
        }
        let text = lines.join("\n") + "\n";
        Self { text, wrong }
    }
}

/// A file that is likely to be accepted.
fn good_file() -> impl Strategy<Value = File> {
    let entry = |key: Key| {
        let value = good_value(&key).prop_map(|text| (text, false));
        (Just(key), value)
    };
    let entries = prop::sample::subsequence(keys(), 0..5)
        .prop_flat_map(move |keys| keys.into_iter().map(entry).collect::<Vec<_>>());
    (entries, any::<bool>()).prop_map(|(entries, dotted)| File::new(entries, dotted))
}

/// A file that sets any of the keys to anything; some of their names, and of the sections', are misspelt.
fn any_file() -> impl Strategy<Value = File> {
    let all = keys();
    let entry = |key: Key| {
        let value = any_value(&key);
        let key = (Just(key), prop::bool::weighted(0.03));
        (key, value).prop_map(|((mut key, misspelt), (text, refused))| {
            if misspelt {
                key.name += "_";
            }
            (key, (text, refused || misspelt))
        })
    };
    let entries = prop::sample::subsequence(all.clone(), 0..=all.len())
        .prop_flat_map(move |keys| keys.into_iter().map(entry).collect::<Vec<_>>());
    let file = (entries, any::<bool>()).prop_map(|(entries, dotted)| File::new(entries, dotted));
    (file, prop::bool::weighted(0.1)).prop_map(|(mut file, foreign)| {
        if foreign {
            file.text += "[nonsense]\nkey = 1\n";
            file.wrong.insert(file.text.lines().count() - 1);
        }
        file
    })
}

fn file() -> impl Strategy<Value = File> {
    prop_oneof![2 => good_file(), 1 => any_file()]
}

fn load(files: &[PathBuf]) -> Result<Config, String> {
    let layers = Layers {
        files: files.to_vec(),
        required: true,
        overrides: Overrides::default(),
    };
    layers.load().map_err(|error| error.to_string())
}

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The problems that a refusal tells, and whether these are all: of many the rest is only counted.
fn told(refusal: &str) -> (&str, bool) {
    match refusal.rsplit_once("\nand ") {
        Some((told, rest)) if rest.ends_with(" more like these") => {
            assert_eq!(told.lines().count(), 20, "{refusal}");
            (told, false)
        }
        _ => (refusal, true),
    }
}

/// The lines of `path` that a refusal names, after checking that each of its lines names one of `path`'s or `others`'.
fn named_lines(refusal: &str, path: &Path, others: &[&Path]) -> Result<Vec<usize>, TestCaseError> {
    let mut named = Vec::new();
    for line in refusal.lines() {
        let of = |path: &Path| {
            let place = line.strip_prefix(path.to_str()?)?.strip_prefix(':')?;
            let (number, rest) = place.split_once(": ")?;
            is_one_printable_line(rest).then(|| number.parse::<usize>().ok())?
        };
        let here = of(path);
        prop_assert!(
            here.is_some() || others.iter().any(|other| of(other).is_some()),
            "{line:?}"
        );
        named.extend(here);
    }
    Ok(named)
}

/// What an accepted configuration prints is accepted and means the same.
fn assert_reads_back(config: &Config, name: &str) -> Result<(), TestCaseError> {
    let printed = config.to_toml();
    let again = load(&[written(name, printed.as_bytes())]);
    prop_assert_eq!(again.as_ref(), Ok(config), "{}", printed);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn files_of_known_keys_read_back_or_are_refused_line_by_line(image in file(), site in file()) {
        let files = [("image", &image), ("site", &site)]
            .map(|(name, file)| written(&format!("property-{name}.toml"), file.text.as_bytes()));
        match load(&files) {
            Ok(config) => {
                prop_assert_eq!((image.wrong.len(), site.wrong.len()), (0, 0));
                assert_reads_back(&config, "property-printed.toml")?;
            }
            Err(refusal) => {
                let (refusal, all) = told(&refusal);
                let lines: Vec<_> = refusal.lines().collect();
                prop_assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "twice the same: {}", refusal);
                for (path, other, file) in [(&files[0], &files[1], &image), (&files[1], &files[0], &site)] {
                    let named = named_lines(refusal, path, &[other])?;
                    prop_assert!(named.iter().all(|line| (1..=file.text.lines().count()).contains(line)), "{}", refusal);
                    for line in &file.wrong {
                        let times = named.iter().filter(|named| *named == line).count();
                        prop_assert!(times == 1 || times == 0 && !all, "line {} of {}: {}", line, path.display(), refusal);
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_a_configuration_or_are_refused_line_by_line(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            any::<String>().prop_map(String::into_bytes),
            "[\\[\\]{}=\"'#.a-c0-9 \n\r\t_-]{0,60}".prop_map(String::into_bytes),
            // A good file with a few bytes of it changed.
            (file(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)).prop_map(|(file, changes)| {
                let mut bytes = file.text.into_bytes();
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                bytes
            }),
        ]
    ) {
        let path = written("property-bytes.toml", &bytes);
        match load(std::slice::from_ref(&path)) {
            Ok(config) => assert_reads_back(&config, "property-bytes-printed.toml")?,
            Err(refusal) => {
                let named = named_lines(told(&refusal).0, &path, &[])?;
                let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
                prop_assert!(!named.is_empty() && named.iter().all(|line| (1..=lines).contains(line)), "{}", refusal);
            }
        }
    }
}
