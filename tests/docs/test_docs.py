"""The documents against the program and the tree: keys, endpoints, metrics and the rest, links, files, make's targets."""

import json
import re
import signal
import socket
import subprocess
import tomllib

import pytest
from support.appliance import BINARY, ROOT

CONFIGURATION, HTTP = (ROOT / "docs" / name for name in ("configuration.md", "http.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "meta-picam/SECURITY.md"]
# A valid value other than the default for keys that describe a text.
OTHER_TEXTS = {
    "server.listen": "127.0.0.1:18000",
    "server.allow_origin": "*",
    "server.token": "a-long-token",
    "server.key": "a-long-key",
    "camera.source": "replay:/nowhere",
    "camera.id": "another",
    "state.directory": "/nowhere",
    "watchdog.device": "/nowhere",
    "update.url": "http://updates.example/",
    "log.level": "debug",
    "controls.AfMode": "manual",  # goes with a LensPosition
    "controls.AfMetering": "windows",  # goes with AfWindows
}


# The same for keys that take a list.
LISTS = {
    "names": '["camera.example.org"]',
    "core numbers": "[0]",
    "[nearest, farthest]": "[0.5, 2.0]",
    "red,blue": "[1.5, 2.0]",
    "x,y,w,h": "[0.25, 0.25, 0.5, 0.5]",
}


def tables(page):
    """(heading, [{column: cell}]) of each table of a page, in order; headings as they are written."""
    heading, rows, header, found = None, [], None, []
    for line in [*page.read_text().splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if header is None:
                header = cells
                found.append((heading, rows := []))
            elif set("".join(cells)) - set("-"):
                assert len(cells) == len(header), f"{page.name}: {line}"
                rows.append(dict(zip(header, cells)))
        else:
            header = None
    return found


def rows_with(page, column):
    """The rows of all tables of a page that have this column, as (heading, row)."""
    return [(heading, row) for heading, rows in tables(page) for row in rows if column in row]


def code(cell):
    """The texts in backticks of a cell."""
    return re.findall(r"`([^`]+)`", cell)


def plain(cell):
    return cell.replace("`", "")


def run(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=10, check=True).stdout


@pytest.fixture(scope="module")
def printed_keys(tmp_path_factory):
    """{section.key: (default, expected)} as `--print-config` prints them; the default is None where there is none."""
    empty = tmp_path_factory.mktemp("defaults") / "picam.toml"
    empty.write_text("")
    keys, section, told = {}, None, None
    for line in run("--print-config", "--config", str(empty)).splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.fullmatch(r"# Expected: (.*)\. Default: (.*)\.", line):
            told = (None if match[2] == "not set" else match[2]), match[1]
        elif match := re.fullmatch(r"#?(\w+) =.*", line):
            assert told, f"--print-config says neither default nor what is expected of {section}.{match[1]}"
            keys[f"{section}.{match[1]}"], told = told, None
    return keys


def documented_keys():
    """{section.key: row} of docs/configuration.md; the heading over a table is its section."""
    return {f"{section}.{plain(row['key'])}": row for section, row in rows_with(CONFIGURATION, "key")}


def test_every_key_with_its_default_and_what_is_expected(printed_keys):
    documented = {
        name: (None if row["default"] == "not set" else plain(row["default"]), plain(row["expected"]))
        for name, row in documented_keys().items()
    }
    assert documented == printed_keys


def other_value(name, default, expected):
    """A value of this key that is valid and not its default, as TOML and JSON spell it."""
    if name in OTHER_TEXTS:
        return json.dumps(OTHER_TEXTS[name])
    if expected.startswith("true"):
        return json.dumps(default != "true")
    if words := re.fullmatch(r"([\w:-]+(?:, [\w:-]+)*) or ([\w:-]+)(?: \(.*\))?", expected):
        word = next(word for word in [*words[1].split(", "), words[2]] if word not in (default, (default or "").strip('"')))
        return word if word.isdigit() else json.dumps(word)
    for kind, value in LISTS.items():
        if kind in expected:
            return value
    least, most = re.search(r" (?:from|of at least) (-?[\d.]+)(?: to ([\d.]+))?", expected).groups()
    if float(least) < 0:
        return f"{float(most) / 2:g}"
    current = float(least if default in (None, '"auto"') else default)
    doubled = 2 * current or float(most or 1)  # the limits keep their order if all are doubled
    value = doubled if most is None or doubled <= float(most) else current / 2
    return f"{value:g}"


def test_keys_are_live_as_documented(start_picam, printed_keys):
    """Every key gets another value at once; what picam logs after SIGHUP are the two kinds."""
    picam = start_picam({"log": {"level": "info"}})
    sections = {}
    for name, (default, expected) in printed_keys.items():
        section, key = name.split(".")
        if name == "controls.ColourTemperature":
            continue  # not together with ColourGains
        sections.setdefault(section, []).append(f"{key} = {other_value(name, default, expected)}")
    picam.write_config("\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items()))
    picam.signal(signal.SIGHUP)
    live = picam.wait_log(r"reloaded; changed: (.*)$").group(1).split(", ")
    restart = picam.wait_log(r"only after a restart: (.*)$").group(1).split(", ")
    kinds = {**dict.fromkeys(live, "live"), **dict.fromkeys(restart, "restart")}
    kinds["controls.ColourTemperature"] = kinds["controls.ColourGains"]
    kinds["server.listen"] = "restart"  # --listen wins over the file: http/test_process.py reloads without it
    assert {name: row["live"] for name, row in documented_keys().items()} == kinds


def test_every_option():
    options = set(re.findall(r"^ +(--[\w-]+)", run("--help"), re.M))
    documented = {code(row["option"])[0].split()[0] for _, row in rows_with(CONFIGURATION, "option")}
    assert documented == options


def test_every_exit_code():
    printed = dict(re.findall(r"^  (\d+)  (.*)$", run("--help"), re.M))
    documented = {row["code"]: row["meaning"] for _, row in rows_with(CONFIGURATION, "meaning") if "code" in row}
    assert documented == printed


def test_the_manual_page_has_every_option_and_exit_code():
    manual = (ROOT / "cross/debian/picam.1").read_text().replace("\\-", "-")
    options, _, codes = manual.partition(".SH OPTIONS")[2].partition(".SH EXIT STATUS")
    printed = run("--help")
    assert re.findall(r"^\.B\S* (--[\w-]+)", options, re.M) == re.findall(r"^ +(--[\w-]+)", printed, re.M)
    meanings = re.findall(r"^\.B (\d+)\n(.*)$", codes, re.M)
    assert [code for code, _ in meanings] == re.findall(r"^  (\d+)  ", printed, re.M)


def endpoint_rows():
    return [row for _, row in rows_with(HTTP, "also as")]


def test_the_404_line_names_the_documented_endpoints(picam):
    status, _, line = picam.get("/nothing")
    assert status == 404
    named = set(re.findall(r"/[\w/]*", line.decode()))
    assert {code(row["path"])[0] for row in endpoint_rows()} == named


ALL_PATHS = [path for row in endpoint_rows() for cell in ("path", "also as") for path in code(row[cell])]


@pytest.mark.parametrize("path", ALL_PATHS)
def test_documented_endpoints_are_there(picam, path):
    assert picam.get(path, method="HEAD")[0] != 404


def test_parameters_refuse_what_is_not_expected(picam):
    rows = [row for _, row in rows_with(HTTP, "parameter")]
    paths = {name: code(row["path"])[0] for row in endpoint_rows() for name in code(row["parameters"])}
    expected = {name: plain(row["expected"]) for row in rows for name in code(row["parameter"])}
    assert set(expected) == set(paths)
    for name, path in paths.items():
        method = "POST" if path.startswith("/focus/") else "GET"
        status, _, line = picam.get(f"{path}?{name}=x", method=method)
        assert status == 400
        assert f"expected {expected[name]}" in line.decode()


def control_rows():
    return {code(row["name"])[0]: row for _, row in rows_with(HTTP, "effect") if "name" in row}


def test_every_control_and_what_is_expected(picam):
    status, _, line = picam.get("/set?NoSuchControl=1")
    assert status == 400
    documented = control_rows()
    assert set(documented) == set(re.findall(r"\w+", line.decode().partition("expected ")[2])) - {"or"}
    for name, row in documented.items():
        status, _, line = picam.get(f"/set?{name}=x")
        assert status == 400
        assert line.decode().rstrip() == f'{name} = "x": expected {plain(row["expected"])}'
    assert set(picam.status()["controls"]["requested"]) <= set(documented)


def fields(value, name=""):
    """Dotted names of everything in a JSON object, its parts included where those are documented one by one."""
    if name:
        yield name
    if isinstance(value, dict) and not name.startswith("controls."):
        for key, part in value.items():
            yield from fields(part, f"{name}.{key}" if name else key)


def test_every_field_of_the_status(picam):
    picam.get("/jpg")  # so that there is a newest frame
    documented = {name for _, row in rows_with(HTTP, "field") for name in code(row["field"])}
    printed = set(fields(picam.status()))
    parents = {name.rpartition(".")[0] for name in printed} - documented - {""}
    assert documented == printed - parents


def test_every_member_of_a_control(picam):
    documented = {name for _, row in rows_with(HTTP, "member") for name in code(row["member"])}
    answer = json.loads(picam.get("/controls")[2])
    assert [control["name"] for control in answer] == list(control_rows())
    assert all(set(control) == documented for control in answer)


def test_every_metric(picam):
    with socket.create_connection(("127.0.0.1", picam.port)) as sock:  # a counter by reason begins with the first one
        sock.sendall(b"nonsense\r\n\r\n")
        sock.recv(1)
    text = picam.get("/metrics")[2].decode()
    kinds = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)
    total = {"counter": "_total"}
    printed = {name.removesuffix("_total") + total.get(kind, ""): kind for name, kind in kinds}
    documented = {code(row["metric"])[0]: row["kind"] for _, row in rows_with(HTTP, "metric")}
    assert documented == printed


def test_every_limit_and_reason(printed_keys):
    reasons = {code(row["`reason` in the metrics"])[0] for _, row in rows_with(HTTP, "`reason` in the metrics")}
    limits = {name.partition(".")[2] for name in printed_keys if name.startswith("limits.")}
    assert reasons == limits | {"malformed", "stopping"}


def anchors(page):
    """GitHub's anchors for the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_rooms_are_there():
    rooms = {path for _, row in rows_with(ROOT / "README.md", "look in") for path in code(row["look in"])}
    assert rooms
    assert not [path for path in rooms if not (ROOT / path).exists()]


# Columns of tables whose texts in backticks are all files of this repository.
FILE_COLUMNS = ("look in", "go through", "by which test")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    """Whatever in backticks begins with one of the repository's folders, and all of the columns that name files."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"target", "dist", ".venv"}
    words = {word.rstrip(":") for text in re.findall(r"`([^`\n]+)`", page.read_text()) for word in text.split()}
    named = {word for word in words if "/" in word and word.partition("/")[0] in folders}
    for column in FILE_COLUMNS:
        named |= {path for _, row in rows_with(page, column) for path in code(row[column])}
    missing = [path for path in named if not list(ROOT.glob(path.rstrip("/")))]
    assert not missing


def make_targets():
    joined = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    return set(re.search(r"^\.PHONY: (.*)$", joined, re.M)[1].split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_of_make_that_are_named_exist(page):
    """In backticks and in indented blocks."""
    text = page.read_text()
    spans = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (.*)$", text, re.M)
    named = {target for span in spans for target in re.findall(r"\bmake ([a-z][a-z-]*)", span)}
    assert named <= make_targets()


def test_every_lane_is_in_contributing():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert not [target for target in make_targets() if target != "help" and f"make {target}" not in text]


def test_whom_to_tell_of_a_vulnerability_and_when_there_is_an_answer():
    page = ROOT / "SECURITY.md"
    assert all(re.fullmatch(r"\d+ days", row["within"]) for _, row in rows_with(page, "within"))
    threats = rows_with(page, "must not")
    assert len(threats) >= 6 and all(row["who"] and row["must not"] and row["so"] for _, row in threats)
    assert "git log -1 --format" in page.read_text()


def test_the_changelog_is_kept():
    """Newest first, each with a date but the one to come, sections of Keep a Changelog alone; the version is there."""
    text = (ROOT / "CHANGELOG.md").read_text()
    heads = re.findall(r"^## (.*)$", text, re.M)
    assert heads[0] == "[Unreleased]" or re.match(r"\[\d", heads[0])
    versions = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d\d-\d\d", head) for head in heads if head != "[Unreleased]"]
    assert all(versions)
    numbers = [tuple(map(int, version.groups())) for version in versions]
    assert numbers == sorted(numbers, reverse=True)
    sections = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= sections
    unreleased = text.split("\n## ")[1]
    version = ".".join(map(str, numbers[0]))
    assert run("--version").split()[1] in (version, *re.findall(r"\d+\.\d+\.\d+", unreleased))


# Written by cargo; what changed in it; what is not installed any more; what was measured.
VERSION_FILES = {"Cargo.toml", "Cargo.lock", "fuzz/Cargo.lock", "CHANGELOG.md", "docs/security.md"}
VERSION_FILES |= {"rootfs-overlay/etc/rauc/system.conf", "docs/performance.md"}


def test_the_version_is_in_one_place():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    assert run("--version").split()[:2] == ["picam", version]
    for lock in ("Cargo.lock", "fuzz/Cargo.lock"):
        packages = tomllib.loads((ROOT / lock).read_text())["package"]
        assert [package["version"] for package in packages if package["name"] == "picam"] == [version], lock
    found = subprocess.run(["git", "grep", "-lwF", version], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert set(found.split()) <= VERSION_FILES
