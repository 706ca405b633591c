"""A camera joins a Wi-Fi by wifi.txt, or says why it does not: the appliance's own scripts, a wpa_supplicant with a
distribution's options, a real access point, radios of software."""

import re

import pytest

from wifi.guest import MIXED, NAME, PASSWORD, ROUTER, WPA2, WPA3

GOOD = f"ssid={NAME}\npassword={PASSWORD}\ncountry=DE\n"
WRONG = f"ssid={NAME}\npassword=battery staple\ncountry=DE\n"


def address(camera, interface):
    camera.wait(f"ip -4 address show dev {interface} | grep -q inet")
    return re.search(r"inet ([\d.]+)/", camera.run(f"ip -4 address show dev {interface}"))[1]


def test_wpa2_and_the_password_is_gone_from_the_card(camera):
    camera.access_point(WPA2)
    camera.power_on(GOOD.replace("\n", "  \r\n"))
    assert camera.wait_told("connected") == ""
    assert camera.status()["key_mgmt"] == "WPA2-PSK"
    camera.reaches_router()
    assert address(camera, "wlan0").startswith("10.9.0.")
    assert camera.run("iw dev wlan0 get power_save") == "Power save: off"
    assert f'password="{PASSWORD}"' in camera.run("cat /data/site/wifi.txt")
    assert b"# password: taken" in camera.on_card() and PASSWORD.encode() not in camera.card.read_bytes()
    # What was kept is enough for the next start.
    camera.power_off()
    camera.access_point(WPA2)
    camera.run("/etc/init.d/S40network start")
    assert camera.wait_told("connected") == ""


def test_wpa3(camera):
    camera.access_point(WPA3)
    camera.power_on(GOOD)
    assert camera.wait_told("connected") == ""
    status = camera.status()
    assert (status["key_mgmt"], status["pmf"]) == ("SAE", "2"), status  # 2: management frames are protected, too
    camera.reaches_router()


def test_both_at_once_takes_the_better_one(camera):
    camera.access_point(MIXED)
    camera.power_on(GOOD)
    assert camera.wait_told("connected") == ""
    assert camera.status()["key_mgmt"] == "SAE"
    camera.reaches_router()


def test_hidden(camera):
    camera.access_point(WPA2, "ignore_broadcast_ssid=1", name="hidden")
    camera.power_on(GOOD.replace(NAME, "hidden"))
    assert camera.wait_told("connected", "hidden") == ""
    camera.reaches_router()


@pytest.mark.parametrize("security", [WPA2, WPA3], ids=["wpa2", "wpa3"])
def test_wrong_password(camera, security):
    camera.access_point(security)
    camera.power_on(WRONG)
    told = camera.wait_told("wrong-password")
    assert "The password is wrong" in told
    camera.wait("[ -s /boot/wifi-error.txt ] && grep -q ' /boot .* ro' /proc/mounts")
    assert camera.on_card("wifi-error.txt").decode() == f"{told}\r\n"
    assert camera.on_card().decode() == WRONG and camera.run("ls /data/site") == ""


def test_no_such_network(camera):
    # Of an address of its own: what is left of the story before in the radio's memory is another access point.
    camera.access_point(WPA2, "bssid=02:00:00:00:09:02", name="Net")
    camera.power_on(GOOD)
    told = camera.wait_told("not-found")
    assert told.startswith(f'Not found: the Wi-Fi "{NAME}"')
    camera.wait("[ -s /boot/wifi-error.txt ]")
    # It is tried for ever: the access point is put up later.
    camera.access_point_ends()
    camera.access_point(WPA2)
    assert camera.wait_told("connected") == ""
    camera.wait("[ ! -f /boot/wifi-error.txt ]")


@pytest.mark.parametrize("how", ["stop", "die"])
def test_an_access_point_that_goes_and_returns(camera, how):
    camera.access_point(WPA2)
    camera.power_on(GOOD)
    camera.wait_told("connected")
    camera.reaches_router()
    camera.access_point_ends(how)
    camera.wait('[ "$(sed "s/.* //; q" /run/picam/wifi)" != connected ]')
    camera.access_point(WPA2)
    assert camera.wait_told("connected") == ""
    camera.reaches_router()


def test_a_cable_works_too_when_the_access_point_has_gone(camera):
    """One network, and the Wi-Fi was there first: the camera's answers must not go the way that leads nowhere."""
    camera.access_point(WPA2)
    camera.power_on(GOOD)
    camera.wait_told("connected")
    camera.reaches_router()
    camera.run("/access-point plug")
    wired = address(camera, "eth1")
    camera.access_point_ends("die")
    camera.wait("[ \"$(cat /sys/class/net/wlan0/carrier)\" = 0 ]")
    camera.wait(f"/lab/ip netns exec ap ping -c 1 -W 2 {wired} >/dev/null")
    camera.reaches_router()
    assert address(camera, "eth1") == wired and ROUTER not in wired
