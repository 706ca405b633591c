//! Tests of what is kept, with a camera that remembers what is requested of it.

use super::*;
use std::fs;
use std::path::PathBuf;

#[derive(Clone, Default)]
struct Camera(Arc<Mutex<Set>>);

impl Requested for Camera {
    fn now(&self) -> Set {
        *lock(&self.0)
    }

    fn add(&self, news: &Set) {
        lock(&self.0).merge(news);
    }

    fn replace(&self, set: Set) {
        *lock(&self.0) = set;
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("picam-saved-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let _ = fs::remove_file(&folder);
    folder
}

fn set(query: &str) -> Set {
    Set::parse_query(query).unwrap()
}

/// A picam's part that keeps things in `folder`, and its camera.
fn started(folder: &Path) -> (Saved, Camera) {
    let saved = Saved::open(folder, set("Contrast=1&AfMode=continuous"));
    let camera = Camera::default();
    camera.replace(saved.at_start());
    saved.start(camera.clone()).unwrap();
    (saved, camera)
}

/// Gives an order and waits for its outcome.
fn ordered(saved: &Saved, change: Change) -> Result<(), NotKept> {
    let (sender, done) = mpsc::channel();
    let order = Arc::new(Order::new(change, move || sender.send(()).unwrap()));
    saved.order(&order);
    done.recv().unwrap();
    order.outcome().unwrap()
}

#[test]
fn what_is_saved_outlasts_what_is_not() {
    let folder = folder("levels");
    let (saved, camera) = started(&folder);
    assert_eq!(
        (saved.base(), saved.saved().is_some()),
        (camera.now(), false)
    );
    camera.add(&set("Brightness=0.5"));
    ordered(&saved, Change::Save(set("LensPosition=2"))).unwrap();
    assert_eq!(
        camera.now(),
        set("Brightness=0.5&LensPosition=2&AfMode=manual&Contrast=1")
    );
    assert_eq!(
        (saved.base(), saved.saved().is_some()),
        (camera.now(), true)
    );
    let kept = camera.now();
    camera.add(&set("Sharpness=3"));
    saved.changed();
    saved.finish();

    // picam is started again; the machine is.
    let unsaved = folder.join("controls.toml");
    let (again, camera) = started(&folder);
    assert_eq!(camera.now().to_string(), format!("{kept} Sharpness=3"));
    again.finish();
    let stale = fs::read_to_string(&unsaved).unwrap();
    fs::write(&unsaved, stale.replace("boot = \"", "boot = \"x")).unwrap();
    let (rebooted, camera) = started(&folder);
    assert_eq!(camera.now(), kept);

    ordered(&rebooted, Change::Reset).unwrap();
    assert_eq!(camera.now(), set("Contrast=1&AfMode=continuous"));
    assert!(rebooted.saved().is_none());
    rebooted.finish();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

/// picam may be killed between the two files.
#[test]
fn what_is_saved_ends_what_was_not() {
    let folder = folder("between");
    let (saved, camera) = started(&folder);
    camera.add(&set("Contrast=2&Brightness=0.5"));
    saved.changed();
    saved.finish();
    Folder::new(&folder).save(Some(&set("Contrast=3"))).unwrap();
    let (again, camera) = started(&folder);
    assert_eq!(camera.now(), set("Contrast=3&AfMode=continuous"));
    again.finish();
    assert!(!folder.join("controls.toml").exists());
}

#[test]
fn what_is_saved_stays_over_what_is_configured() {
    let (saved, _) = started(&folder("configured"));
    ordered(&saved, Change::Save(set("LensPosition=2"))).unwrap();
    saved.configure(set("AfMode=continuous&Brightness=0.5"));
    assert_eq!(
        saved.base(),
        set("LensPosition=2&AfMode=manual&Contrast=1&Brightness=0.5")
    );
    saved.finish();
}

#[test]
fn many_orders_are_one_write() {
    let folder = folder("many");
    let (saved, camera) = started(&folder);
    let orders: Vec<_> = (1..100)
        .map(|lens| {
            let change = Change::Save(set(&format!("LensPosition={lens}")));
            Arc::new(Order::new(change, || {}))
        })
        .collect();
    orders.iter().for_each(|order| saved.order(order));
    saved.finish();
    assert!(orders.iter().all(|order| order.outcome() == Some(Ok(()))));
    assert_eq!(
        camera.now(),
        set("LensPosition=99&AfMode=manual&Contrast=1")
    );
    let (again, camera) = started(&folder);
    assert_eq!(again.base(), camera.now());
    again.finish();
    assert_eq!(
        ordered(&again, Change::Save(set("Contrast=2"))),
        Err(NotKept::Stopping)
    );
}

#[test]
fn what_cannot_be_saved_is_not_requested() {
    let folder = folder("refused");
    fs::write(&folder, "a file where the folder should be").unwrap();
    let (saved, camera) = started(&folder);
    let before = camera.now();
    let refusal = ordered(&saved, Change::Save(set("Contrast=2"))).unwrap_err();
    let line = refusal.to_string();
    assert!(
        line.contains("/saved.toml: ") && line.ends_with("; nothing changed"),
        "{line}"
    );
    assert_eq!((camera.now(), saved.base()), (before, before));
    saved.finish();
}

#[test]
fn what_could_not_be_kept_is_tried_again_at_the_end() {
    let folder = folder("late");
    fs::write(&folder, "a file where the folder should be").unwrap();
    let (saved, camera) = started(&folder);
    camera.add(&set("Contrast=2"));
    saved.changed();
    ordered(&saved, Change::Reset).unwrap_err(); // the attempt was made
    fs::remove_file(&folder).unwrap();
    saved.finish();
    let (again, camera) = started(&folder);
    assert_eq!(camera.now(), set("Contrast=2&AfMode=continuous"));
    again.finish();
}

#[test]
fn without_a_folder_nothing_is_saved() {
    let (saved, camera) = started(Path::new(""));
    let save = Change::Save(set("Contrast=2"));
    assert_eq!(ordered(&saved, save), Err(NotKept::NoFolder));
    camera.add(&set("Brightness=0.5"));
    assert_eq!(ordered(&saved, Change::Reset), Ok(()));
    assert_eq!(camera.now(), saved.base());
    saved.finish();
}

#[test]
fn a_damaged_file_is_put_aside_until_something_is_saved() {
    let folder = folder("damaged");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("saved.toml"), "[controls]\nExposureTime = -1\n").unwrap();
    let (saved, _) = started(&folder);
    let problem = saved.problem().unwrap();
    assert!(problem.contains("saved.toml:2: controls.ExposureTime = -1: expected"));
    assert!(problem.ends_with("saved.toml.bad"), "{problem}");
    assert!(folder.join("saved.toml.bad").exists() && saved.saved().is_none());
    ordered(&saved, Change::Save(Set::default())).unwrap();
    assert_eq!((saved.problem(), saved.saved().is_some()), (None, true));
    saved.finish();
}
