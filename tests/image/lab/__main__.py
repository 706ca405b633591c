"""`make image`: the qemu image with the real overlay and picam, its test keys and a bundle, in dist/image."""

import sys
import time

from .factory import FACTORY_VERSION, DebianFactory
from .tools import ROOT, ToolError


def main():
    """Builds; one line a file, or one line why not."""
    started = time.monotonic()
    try:
        factory = DebianFactory(ROOT / "dist/image")
        made = [factory.disk(factory.folder / "picam-qemu-aarch64.img"), factory.bundle("picam-qemu-aarch64", "1.0.1")]
    except ToolError as error:
        print(f"make image: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")
    print(f"version {FACTORY_VERSION}, kernel {factory.kernel}, {time.monotonic() - started:.0f} s")
    return 0


sys.exit(main())
