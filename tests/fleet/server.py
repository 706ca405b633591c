"""A goosebit on this machine alone: server.py FOLDER PORT. Makes its database, and serves until it is ended."""

import asyncio
import os
import sys
from pathlib import Path

folder, port = Path(sys.argv[1]).resolve(), int(sys.argv[2])
os.environ.update(
    GOOSEBIT_DB_URI=f"sqlite:///{folder}/db.sqlite3",
    GOOSEBIT_ARTIFACTS_DIR=str(folder / "artifacts"),
    GOOSEBIT_POLL_TIME="00:00:05",
    # Else every program that knows a name is that device.
    GOOSEBIT_DEVICE_AUTH__ENABLE="true",
    GOOSEBIT_DEVICE_AUTH__MODE="strict",
)
os.chdir(folder)
Path("pid").write_text(str(os.getpid()))

# It reads its settings when it is imported.
import goosebit  # noqa: E402
import uvicorn  # noqa: E402
from aerich import Command  # noqa: E402
from goosebit.db.config import TORTOISE_CONF  # noqa: E402
from tortoise import Tortoise  # noqa: E402


async def migrate():
    location = str(Path(goosebit.__file__).parent / "db/migrations")
    command = Command(tortoise_config=TORTOISE_CONF, app="models", location=location)
    await command.init()
    await command.upgrade(run_in_transaction=True)
    await Tortoise.close_connections()


asyncio.run(migrate())
uvicorn.run(goosebit.app, host="127.0.0.1", port=port)
