"""usr/lib/picam/network, dhcp and S49ntpd as they are: what fails is told and tried again, and what a site's editor leaves in
its files does no harm. Wi-Fi has test_wifi.py."""

import pytest
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# Each writes down how it was called; wpa_supplicant refuses the file, as it does where an option of it was not built in.
RECORDED = "#!/bin/sh\necho \"{name} $*\" >>/events/log\n{more}"
PROGRAMS = {
    "programs/ntpd": (RECORDED.format(name="ntpd", more=""), 0o755),
    "programs/ip": (RECORDED.format(name="ip", more=""), 0o755),
    "programs/udhcpc": (RECORDED.format(name="udhcpc", more=""), 0o755),
    "programs/wpa_supplicant": (RECORDED.format(name="wpa_supplicant", more="echo 'Line 1: unknown global field' && exit 255\n"), 0o755),
}


@pytest.fixture
def root(tmp_path):
    with Overlay(tmp_path, {"network": {"RETRY": 1}, "wifi": {"RETRY": 1}}, PROGRAMS) as root:
        root.shell("mkdir -p /data/site")
        yield root


def interface(root, name, wireless=False):
    folder = root.folder / "sys/class/net" / name
    folder.mkdir(parents=True)
    if wireless:
        (folder / "wireless").mkdir()


def site(root, name, text):
    (root.folder / "events/file").write_bytes(text.encode())
    root.shell(f"cp /events/file /data/site/{name}")


def test_wifi_that_is_refused_is_told_and_tried_again(root):
    interface(root, "wlan0", wireless=True)
    interface(root, "eth0")
    root.start("/usr/lib/picam/network")
    root.wait_event("udhcpc .*-i eth0")
    assert "wlan0" not in root.events(), "without a file there is nothing to try"
    site(root, "wpa_supplicant.conf", "ctrl_interface=/run/wpa_supplicant\n")
    root.wait(lambda: root.events().count("wpa_supplicant -B -i wlan0") > 2, "it to be tried again")
    root.wait_event(r"logger .*wpa_supplicant -B .* ended with 255: Line 1: unknown global field")
    root.wait_event("udhcpc .*-i wlan0")
    assert root.events().count("-i eth0") == 1
    state, name, error = root.shell("cat /run/picam/wifi").split("\n")
    assert (state.split()[1], name) == ("refused", "") and error.endswith("does not start: Line 1: unknown global field")


def test_each_address_is_its_own_interfaces(root):
    root.start("/usr/lib/picam/network")
    root.wait_event("ip link set lo up")
    values = root.shell("cd /proc/sys/net/ipv4/conf; cat all/arp_ignore all/arp_announce default/ignore_routes_with_linkdown")
    assert values == "1\n2\n1"


def test_a_cable_is_the_way_out(root):
    for name, wireless in (("eth0", False), ("wlan0", True)):
        interface(root, name, wireless)
        root.shell(f"interface={name} ip=10.0.0.7 router=10.0.0.1 /usr/lib/picam/dhcp bound")
    routes = [line for line in root.events().splitlines() if line.startswith("ip route")]
    assert routes == ["ip route add default via 10.0.0.1 dev eth0", "ip route add default via 10.0.0.1 dev wlan0 metric 600"]


def test_a_fixed_address_from_a_windows_editor(root):
    interface(root, "eth0")
    site(root, "address.eth0", "\r\n# the hall's\r\n192.168.1.20/24 192.168.1.1 192.168.1.2\r\n\r\n")
    root.start("/usr/lib/picam/network")
    root.wait_event(r"(?m)^ip address add 192\.168\.1\.20/24 dev eth0$")
    root.wait_event(r"(?m)^ip route add default via 192\.168\.1\.1 dev eth0$")
    root.wait_event("eth0 has the fixed address")
    assert root.shell("cat /run/resolv.conf") == "nameserver 192.168.1.2"


def test_time_servers_from_a_windows_editor(root):
    site(root, "ntp-servers", "\r\nntp.example\r\n\r\n10.0.0.1\r\n")
    assert root.shell("/etc/init.d/S49ntpd start") == ""
    root.wait_event(r"(?m)^ntpd -n -p ntp\.example -p 10\.0\.0\.1$")


def test_a_lease_leaves_ipv6_alone(root):
    for event in ("deconfig", "bound"):
        root.shell(f"interface=eth0 ip=10.0.0.7 /usr/lib/picam/dhcp {event}")
    flushes = [line for line in root.events().splitlines() if "flush" in line]
    assert flushes == ["ip -4 address flush dev eth0"] * 2


def test_a_lease_that_cannot_be_set_is_told(root):
    root.shell("printf '#!/bin/sh\\necho \"no device\" >&2\\nexit 1\\n' >/run/ip; chmod 755 /run/ip; mount --bind /run/ip /programs/ip")
    told = root.shell("interface=eth0 ip=10.0.0.7 router=10.0.0.1 /usr/lib/picam/dhcp bound")
    assert "ip address add 10.0.0.7/24 dev eth0 ended with 1: no device" in told
    assert "logger -t dhcp -- ip route add default via 10.0.0.1 dev eth0 ended with 1: no device" in root.events()
