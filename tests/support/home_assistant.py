"""Home Assistant's MJPEG camera, its own code: a class and the functions that it serves pictures with.

Home Assistant itself is not installed. tests/setup.sh keeps its package in .venv/home-assistant; the definitions are
read from there, word for word, and get aiohttp and httpx as they would have them in Home Assistant.
"""

import ast
import asyncio
import contextlib
import logging
import types
import zipfile

import aiohttp
import httpx
from aiohttp import web

from support.appliance import ROOT

FOLDER = ROOT / ".venv" / "home-assistant"


class Camera:
    """What the camera needs of Home Assistant's entity."""

    name = "camera"


def _definitions(path, names, given):
    """Runs the definitions of `names` in a module of Home Assistant, with the names in `given` and no import."""
    with zipfile.ZipFile(next(FOLDER.glob("homeassistant-*.whl"))) as package:
        tree = ast.parse(package.read(path), path)
    wanted = [node for node in tree.body if _name(node) in names]
    assert {_name(node) for node in wanted} == set(names), f"{path} does not define all of {names}"
    future = ast.parse("from __future__ import annotations").body  # annotations stay words
    exec(compile(ast.Module([*future, *wanted], []), path, "exec"), given)
    return given


def _name(node):
    return node.targets[0].id if isinstance(node, ast.Assign) else getattr(node, "name", None)


def camera_class(session, client):
    """The class MjpegCamera, whose requests go through this aiohttp session or, for digest, this httpx client."""
    shared = {"asyncio": asyncio, "suppress": contextlib.suppress, "aiohttp": aiohttp, "httpx": httpx, "web": web}
    names = ["async_aiohttp_proxy_web", "async_aiohttp_proxy_stream"]
    errors = {"HTTPBadGateway": web.HTTPBadGateway, "HTTPGatewayTimeout": web.HTTPGatewayTimeout}
    given = {**shared, **errors, "bind_hass": lambda function: function, "CONTENT_TYPE": aiohttp.hdrs.CONTENT_TYPE}
    proxy = _definitions("homeassistant/helpers/aiohttp_client.py", names, given)
    given = {
        **shared,
        "Camera": Camera,
        "HTTP_BASIC_AUTHENTICATION": "basic",
        "HTTP_DIGEST_AUTHENTICATION": "digest",
        "LOGGER": logging.getLogger("home_assistant"),
        "async_aiohttp_proxy_web": proxy["async_aiohttp_proxy_web"],
        "async_get_clientsession": lambda hass, verify_ssl: session,
        "get_async_client": lambda hass, verify_ssl: client,
    }
    names = ["TIMEOUT", "BUFFER_SIZE", "async_extract_image_from_mjpeg", "MjpegCamera"]
    return _definitions("homeassistant/components/mjpeg/camera.py", names, given)["MjpegCamera"]


@contextlib.asynccontextmanager
async def cameras(picam):
    """Home Assistant's camera for this picam, by basic and by digest authentication, each served on a URL of its own
    as Home Assistant's camera proxy serves it: {"basic": (camera, URL), "digest": (camera, URL)}."""
    async with contextlib.AsyncExitStack() as ending:
        session = await ending.enter_async_context(aiohttp.ClientSession())
        client = await ending.enter_async_context(httpx.AsyncClient())
        app, found = web.Application(), {}
        for kind in ("basic", "digest"):
            # Without the URL of a still, the camera takes its still from the stream.
            still = picam.url + "/jpg" if kind == "basic" else None
            camera = camera_class(session, client)(
                mjpeg_url=picam.url + "/stream", still_image_url=still, authentication=kind, username="user", password="x"
            )
            camera.hass = types.SimpleNamespace(is_running=True)
            app.router.add_get(f"/{kind}", camera.handle_async_mjpeg_stream)
            found[kind] = camera
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        ending.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        yield {kind: (camera, f"http://127.0.0.1:{port}/{kind}") for kind, camera in found.items()}
