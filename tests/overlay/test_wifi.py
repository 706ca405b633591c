"""usr/lib/picam/wifi as it is, beside a wpa_supplicant and a wpa_cli of the test's own, which say what real ones said:
wifi.txt is understood, what is wrong with it is told in plain words, and its password leaves the card once it has worked.
tests/wifi does the same with real ones, and an access point."""

import json
import re

import pytest
from support import raw
from support.appliance import toml
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# wpa_cli says what /run/says gets, and answers each question with /run/status; after `lost` it has lost wpa_supplicant.
WPA_CLI = r"""#!/bin/sh
case $* in
*list_networks) printf 'network id / ssid / bssid / flags\n0\tnet\tany\t[CURRENT]\n1\told\tany\t\n' ;;
*scan_results) cat /run/scan ;;
*)
    tail -f -n +1 /run/says &
    while read -r question; do
        echo "asked: $question" >>/events/log
        cat /run/status
        printf '\r> '
    done
    kill $!
    ;;
esac
"""
RECORDED = '#!/bin/sh\necho "{name} $*" >>/events/log\n'
PROGRAMS = {
    "programs/wpa_cli": (WPA_CLI, 0o755),
    "programs/wpa_supplicant": (RECORDED.format(name="wpa_supplicant"), 0o755),
    "programs/iw": (RECORDED.format(name="iw"), 0o755),
}
SCANNING, COMPLETED = "wpa_state=SCANNING\n", "> bssid=02:00:00:00:01:00\nssid={}\nid={}\nwpa_state=COMPLETED\naddress=02:00:00:00:00:00\n"
DISABLED = 'CTRL-EVENT-SSID-TEMP-DISABLED id={} ssid="net" auth_failures=1 duration=10 reason={}'
REJECTED = "CTRL-EVENT-AUTH-REJECT 02:00:00:00:01:00 auth_type=3 auth_transaction=2 status_code=1"
NOT_FOUND = "CTRL-EVENT-NETWORK-NOT-FOUND "
WINDOWS = b"\xef\xbb\xbfssid = net \r\nPassword=\tcorrect horse  \r\ncountry = de\r\n"
CLEARED = b"\xef\xbb\xbfssid = net \r\n# password: taken over by\r\ncountry = de\r\n"


class Wifi(Overlay):
    """The overlay with a card's first partition that is read only."""

    def card(self, content):
        """Puts wifi.txt on the card, as bytes or text."""
        (self.folder / "events/file").write_bytes(content if isinstance(content, bytes) else content.encode())
        self.shell("mount -o remount,rw /boot; cp /events/file /boot/wifi.txt; mount -o remount,ro /boot")

    def keep(self, name, content):
        """Puts a file into /data/site."""
        (self.folder / "events/file").write_text(content)
        self.shell(f"mkdir -p /data/site; cp /events/file /data/site/{name}")

    def on_card(self, name="wifi.txt"):
        """The bytes of a file on the card."""
        self.shell(f"cat /boot/{name} >/events/copy 2>/dev/null")
        return (self.folder / "events/copy").read_bytes()

    def say(self, *events):
        """Lets wpa_cli say events, as a terminal gets them."""
        self.shell("".join(f"printf '\\r<3>%s\\n> ' '{event}' >>/run/says\n" for event in events))

    def is_now(self, status):
        """What wpa_cli answers from now on."""
        self.shell(f"printf '{status}' >/run/status.new; mv /run/status.new /run/status")

    def told(self):
        """(state, name, what is wrong) as picam reads them."""
        state, name, error = (self.shell("cat /run/picam/wifi 2>/dev/null; echo .").split("\n") + [""] * 3)[:3]
        return state.partition(" ")[2], name, error

    def wait_told(self, state, name="net"):
        """What is wrong, once the state is this one."""
        self.wait(lambda: self.told()[:2] == (state, name), f"{state} {name}")
        return self.told()[2]


@pytest.fixture
def make_wifi(tmp_path):
    def make(constants=None):
        return Wifi(tmp_path, {"wifi": {"RETRY": 1, "PAUSE": 1, **(constants or {})}}, PROGRAMS)

    return make


@pytest.fixture
def wifi(make_wifi):
    with make_wifi() as wifi:
        prepared(wifi)
        yield wifi


def prepared(wifi):
    wifi.shell("mkdir -p /data/site; : >/run/says; : >/run/scan")
    wifi.is_now(SCANNING)


def start(wifi):
    wifi.start("/usr/lib/picam/wifi", "run", "wlan0")


def test_what_has_worked_is_kept_and_its_password_leaves_the_card(wifi):
    wifi.card(WINDOWS)
    start(wifi)
    assert wifi.wait_told("searching") == ""
    assert wifi.on_card() == WINDOWS, "it has not worked yet"
    configuration = wifi.shell("cat /run/picam-wifi/wpa_supplicant.conf")
    for line in ("country=DE", "ssid=6e6574", "scan_ssid=1", 'psk="correct horse"', "key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE", "ieee80211w=1"):
        assert re.search(rf"^ *{re.escape(line)}$", configuration, re.M), line
    assert wifi.shell("stat -c %a /run/picam-wifi /run/picam-wifi/wpa_supplicant.conf /run/picam/wifi") == "700\n600\n644"

    wifi.is_now(COMPLETED.format("net", 0))
    assert wifi.wait_told("connected") == ""
    wifi.wait_event("iw dev wlan0 set power_save off")
    assert wifi.on_card() == CLEARED
    assert wifi.shell("cat /data/site/wifi.txt; stat -c %a /data/site/wifi.txt") == 'ssid="net"\npassword="correct horse"\ncountry=DE\n600'
    assert "read-only" in wifi.shell("touch /boot/x 2>&1").lower()
    # At the next start there is nothing new, and the same network.
    assert wifi.shell("/usr/lib/picam/wifi prepare; ls /run/picam-wifi/new 2>&1; cat /run/picam-wifi/wpa_supplicant.conf").count("network={") == 1
    assert "correct horse" not in wifi.events()


@pytest.mark.parametrize(
    ("events", "scan", "state", "words"),
    [
        ([DISABLED.format(0, "WRONG_KEY")], "", "wrong-password", "The password is wrong"),
        ([REJECTED, REJECTED, DISABLED.format(0, "CONN_FAILED"), NOT_FOUND, NOT_FOUND, NOT_FOUND], "", "wrong-password", "The password is wrong"),
        ([NOT_FOUND] * 3, "02:00:00:00:01:00\t2437\t-30\t[WPA2-PSK-CCMP][ESS]\tnetz\n", "not-found", "Not found"),
        ([NOT_FOUND] * 3, "02:00:00:00:01:00\t2437\t-30\t[WPA2-EAP-CCMP][ESS]\tnet\n", "unsuitable", "takes no password by WPA2 or WPA3"),
        (["CTRL-EVENT-ASSOC-REJECT bssid=02:00:00:00:01:00 status_code=17", DISABLED.format(0, "CONN_FAILED")], "", "failed", "(status 17)"),
    ],
    ids=["WPA2", "WPA3", "no-such-network", "enterprise", "full"],
)
def test_what_is_wrong_is_told_everywhere(wifi, events, scan, state, words):
    wifi.card("ssid=net\npassword=correct horse\n")
    wifi.shell(f"printf '{scan}' >/run/scan")
    (wifi.folder / "events/site").write_text(toml({"camera": {"source": "pattern", "width": 64, "height": 64}}))
    wifi.shell("mkdir -p /data/picam; cp /events/site /data/picam/picam.toml; /etc/init.d/S60picam start")
    wifi.wait(lambda: wifi.shell("picam --probe http://127.0.0.1:8000/healthz") == "live", "frames")
    start(wifi)
    wifi.wait_told("searching")
    wifi.say(*events)
    told = wifi.wait_told(state)
    assert words in told and '"net" of wifi.txt' in told
    wifi.wait(lambda: wifi.on_card("wifi-error.txt") == f"{told}\r\n".encode(), "wifi-error.txt")
    with wifi.network():
        status = json.loads(raw.exchange(8000, raw.get("/status")).body)["network"]
    assert (status["wifi"], status["ssid"], status["error"]) == (state, "net", told) and status["age_seconds"] >= 0
    assert wifi.events().count(f"Wi-Fi \"net\": {state}") == 1
    # It works in the end: the access point had another password until now.
    wifi.is_now(COMPLETED.format("net", 0))
    assert wifi.wait_told("connected") == ""
    wifi.wait(lambda: wifi.shell("ls /boot/wifi-error.txt 2>/dev/null") == "", "the error to be gone")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ssid=net\npasswort=hunter2hunter2\n", "wifi.txt, line 2: expected ssid = NAME, password = PASSWORD or country = DE"),
        (b"net\nhunter2hunter2\n", "wifi.txt, line 1: expected"),
        (b"password=hunter2hunter2", "wifi.txt: expected a line ssid = NAME"),
        (b"ssid=net\n", "wifi.txt: expected a line password = PASSWORD"),
        (b"ssid=net\npassword=hunter2\n", "8 to 63 characters"),
        (b"ssid=" + b"x" * 33 + b"\npassword=hunter2hunter2\n", "at most 32 bytes"),
        (b"ssid=net\npassword=hunter2\x01hunter2\n", "no control characters"),
        (b"ssid=net\npassword=hunter2hunter2\ncountry=Germany\n", "a country of two letters"),
        ("\ufeffssid=net\r\npassword=hunter2hunter2\r\n".encode("utf-16-le"), "is no plain text"),
        (b"#" * 5000, "is longer than 4096 bytes"),
    ],
    ids=["word", "no-word", "no-name", "no-password", "short", "long-name", "control", "country", "utf-16", "long-file"],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(wifi, content, words):
    wifi.card(content)
    assert wifi.shell("/usr/lib/picam/wifi prepare >/dev/null 2>&1; echo $?") == "1"
    state, name, error = wifi.told()
    assert (state, name) == ("refused", "") and words in error
    assert wifi.on_card("wifi-error.txt") == f"{error}\r\n".encode() and wifi.on_card() == content
    assert "hunter2" not in wifi.events()


def test_what_may_be_in_a_name_and_a_password(wifi):
    wifi.card('SSID = "Küche #5 "\npassword = "pass"word" \\ $HOME\'\n')
    wifi.shell("/usr/lib/picam/wifi prepare")
    configuration = wifi.shell("cat /run/picam-wifi/wpa_supplicant.conf")
    assert f"ssid={'Küche #5 '.encode().hex()}\n" in configuration and 'psk=""pass"word" \\ $HOME\'"\n' in configuration
    key = "0123456789abcdef" * 4
    wifi.card(f"ssid=net\npassword={key}\n")
    wifi.shell("/usr/lib/picam/wifi prepare")
    assert f"psk={key}\n    key_mgmt=WPA-PSK WPA-PSK-SHA256\n" in wifi.shell("cat /run/picam-wifi/wpa_supplicant.conf")


def test_the_network_of_before_stands_in_for_one_that_does_not_work(make_wifi):
    with make_wifi({"RESCAN": 1}) as wifi:
        prepared(wifi)
        wifi.keep("wifi.txt", "ssid=old\npassword=worked before\n")
        wifi.card("ssid=net\npassword=correct horse\n")
        start(wifi)
        wifi.wait_told("searching")
        assert re.findall(r"priority=\d", wifi.shell("cat /run/picam-wifi/wpa_supplicant.conf")) == ["priority=2", "priority=1"]
        wifi.say(DISABLED.format(0, "WRONG_KEY"))
        told = wifi.wait_told("wrong-password")
        wifi.is_now(COMPLETED.format("old", 1))
        assert wifi.wait_told("connected", "old") == told
        assert wifi.on_card("wifi-error.txt") == f"{told}\r\n".encode()
        assert "password=correct horse" in wifi.on_card().decode()
        assert "worked before" in wifi.shell("cat /data/site/wifi.txt")
        wifi.wait_event("asked: scan")
        wifi.is_now(COMPLETED.format("net", 0))
        assert wifi.wait_told("connected") == ""
        assert "correct horse" in wifi.shell("cat /data/site/wifi.txt") and "horse" not in wifi.on_card().decode()


def test_a_file_that_cannot_be_used_leaves_the_network_of_before(wifi):
    wifi.keep("wifi.txt", "ssid=net\npassword=worked before\n")
    wifi.card("sid=other\n")
    start(wifi)
    wifi.is_now(COMPLETED.format("net", 0))
    assert "wifi.txt, line 1" in wifi.wait_told("connected")
    wifi.wait(lambda: b"line 1" in wifi.on_card("wifi-error.txt"), "wifi-error.txt")


@pytest.mark.parametrize("lasting", [0, 300])
def test_an_access_point_that_is_away_for_a_while_is_nothing_to_write_down(make_wifi, lasting):
    with make_wifi({"LASTING": lasting}) as wifi:
        prepared(wifi)
        wifi.keep("wifi.txt", "ssid=net\npassword=worked before\n")
        start(wifi)
        wifi.is_now(COMPLETED.format("net", 0))
        wifi.wait_told("connected")
        wifi.is_now(SCANNING)
        wifi.wait_told("searching")
        wifi.say(*[NOT_FOUND] * 3)
        told = wifi.wait_told("not-found")
        if lasting:
            asked = wifi.events().count("asked: ")
            wifi.wait(lambda: wifi.events().count("asked: ") > asked + 2, "more questions")
            assert wifi.shell("ls /boot/wifi-error.txt 2>/dev/null") == ""
        else:
            wifi.wait(lambda: wifi.on_card("wifi-error.txt") == f"{told}\r\n".encode(), "wifi-error.txt")


def test_the_card_is_written_a_few_times_only(make_wifi):
    with make_wifi({"notes": 2, "SCANS": 1}) as wifi:
        prepared(wifi)
        wifi.card("ssid=net\npassword=correct horse\n")
        start(wifi)
        wifi.wait_told("searching")
        for event, state in ((DISABLED.format(0, "WRONG_KEY"), "wrong-password"), (DISABLED.format(0, "CONN_FAILED"), "failed")):
            wifi.say(event)
            wifi.wait_told(state)
        second = wifi.wait(lambda: b"does not let" in wifi.on_card("wifi-error.txt") and wifi.on_card("wifi-error.txt"), "the second")
        wifi.say(DISABLED.format(0, "WRONG_KEY"))
        wifi.wait_told("wrong-password")
        wifi.say(DISABLED.format(0, "CONN_FAILED"))
        wifi.wait_told("failed")
        assert wifi.on_card("wifi-error.txt") == second


def test_where_nothing_can_be_kept_the_password_stays(wifi):
    wifi.shell("mkdir -p /run/picam; : >/run/picam/data-in-memory")
    wifi.card(WINDOWS)
    start(wifi)
    wifi.is_now(COMPLETED.format("net", 0))
    wifi.wait_told("connected")
    wifi.wait_event("/data is in memory: wifi.txt stays as it is")
    assert wifi.on_card() == WINDOWS


def test_a_power_cut_before_the_password_is_gone_costs_another_try(wifi):
    """All is remembered by then, but nothing was written to the card."""
    wifi.card(WINDOWS)
    wifi.keep("wifi.txt", 'ssid="net"\npassword="correct horse"\ncountry=DE\n')
    (wifi.folder / "events/file").write_bytes(CLEARED)
    wifi.shell("sha256sum </events/file >/data/site/.taken-wifi.txt")
    start(wifi)
    wifi.is_now(COMPLETED.format("net", 0))
    wifi.wait(lambda: wifi.on_card() == CLEARED, "the password to be gone")
    assert wifi.shell("/usr/lib/picam/wifi prepare; ls /run/picam-wifi/new 2>/dev/null") == ""


def test_a_wpa_supplicant_that_has_ended_is_started_again(wifi):
    wifi.card("ssid=net\npassword=correct horse\n")
    start(wifi)
    wifi.is_now(COMPLETED.format("net", 0))
    wifi.wait_told("connected")
    wifi.is_now("Not connected to wpa_supplicant - command dropped.\n")
    wifi.wait(lambda: wifi.events().count("wpa_supplicant -B -i wlan0 -D nl80211") > 1, "another one")
    wifi.is_now(COMPLETED.format("net", 0))
    wifi.wait_told("connected")


def test_the_file_that_was_given_last_counts(wifi):
    """A wpa_supplicant.conf, which can say more, and wifi.txt take each other's place."""
    take = "sed '/^mkdir -p \\$RUN$/,$d' /usr/lib/picam/data >/run/data; echo take_over_site >>/run/data; sh /run/data"
    wifi.keep("wifi.txt", "ssid=old\npassword=worked before\n")
    wifi.shell("mount -o remount,rw /boot; printf 'ctrl_interface=/x\\nnetwork={\\n}\\n' >/boot/wpa_supplicant.conf.txt")
    assert "took wpa_supplicant.conf.txt over" in wifi.shell(take)
    assert wifi.shell("ls /data/site") == "wpa_supplicant.conf"
    wifi.shell("/usr/lib/picam/wifi prepare")
    assert wifi.shell("cat /run/picam-wifi/wpa_supplicant.conf") == "\nnetwork={\n}\n\nctrl_interface=/run/wpa_supplicant"
    wifi.card("ssid=net\npassword=correct horse\n")
    start(wifi)
    wifi.is_now(COMPLETED.format("net", 0))
    wifi.wait_told("connected")
    assert wifi.shell("ls /data/site; " + take) == "wifi.txt"


def test_nobody_makes_the_card_read_only_under_another_one(wifi):
    """An update's commit waits for what the Wi-Fi writes; not for who was killed in the middle of it."""
    wifi.shell("mkdir -p /run/picam; mount -o remount,ro /boot; mkfifo /run/go; echo 4194303 >/run/picam/boot.lock")
    change = ". /usr/lib/picam/common; slow() { read -r word </run/go; echo done >/boot/done; }; change_boot slow"
    slow = wifi.start("sh", "-c", change)
    wifi.wait(lambda: "rw" in wifi.shell("grep ' /boot ' /proc/mounts"), "the first one")
    other = ". /usr/lib/picam/common; fast() { cp /boot/done /boot/second; }; change_boot fast && echo yes >/run/second"
    fast = wifi.start("sh", "-c", other)
    wifi.shell("echo go >/run/go")
    assert slow.wait() == fast.wait() == 0
    assert wifi.shell("cat /boot/second /run/second; grep -c ' /boot .* ro' /proc/mounts") == "done\nyes\n1"


def test_who_is_stopped_in_the_middle_closes_the_card_all_the_same(wifi):
    wifi.shell("mkdir -p /run/picam; mount -o remount,ro /boot; mkfifo /run/go")
    change = ". /usr/lib/picam/common; slow() { read -r word </run/go; echo done >/boot/done; }; change_boot slow"
    # As systemd does: the whole group is told to end.
    wifi.start("setsid", "sh", "-c", "echo $$ >/run/group; " + change)
    wifi.wait(lambda: "rw" in wifi.shell("grep ' /boot ' /proc/mounts"), "the change")
    wifi.shell("kill -TERM -$(cat /run/group); echo go >/run/go")
    wifi.wait(lambda: wifi.shell("ls /run/picam") == "", "the end of the change")
    assert wifi.shell("cat /boot/done; grep -c ' /boot .* ro' /proc/mounts; ls /proc/$(cat /run/group) 2>/dev/null") == "done\n1"
