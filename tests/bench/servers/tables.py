"""The figures of `make bench` as Markdown."""

from ..page import markdown
from .servers import HERTZ

EXPLAINED = """\
Each figure is the median of {rounds} rounds of {seconds:g} s, in which all servers took turns. Age: from the capture to the last byte at the
client. Processor: of the server, of one core. A server that encodes gets raw pictures of {size}, {hertz} a second."""


def result(told):
    """All of it. `told`: what target/bench/bench.json holds."""
    machine, rows = told["machine"], told["rows"]
    counts = [load["clients"] for load in rows[0]["loads"]]
    served = [count for count in counts if count]
    ages = [[_name(row), *(_age(load) for load in row["loads"] if load["clients"])] for row in rows]
    spent = [[_name(row), *(_spent(load) for load in row["loads"])] for row in rows]
    costs = [[_name(row), *_costs(row)] for row in rows]
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    cores = "one core" if machine["cores"] == 1 else f"{machine['cores']} cores"
    where = "{date}: {0} of an {processor}, Linux {kernel}. ".format(cores, **machine)
    return "\n\n".join([
        where + EXPLAINED.format(hertz=HERTZ, **machine),
        "Age in ms, median / 99th percentile, by the number of clients; pictures a second in brackets where not all came.",
        markdown(["", *map(str, served)], ages),
        "Processor in ms per second, by the number of clients.",
        markdown(["", *map(str, counts)], spent),
        "Costs.",
        markdown(["", "KB a frame", "ms per frame, one client", "µs per further client's frame", "MB at 1 client", "MB at 200", "first JPEG, ms"], costs),
        f"libjpeg-turbo alone encodes one of the photographs in {told['tjbench_ms']:.1f} ms (`tjbench -yuv`). Versions: {versions}.",
    ])  # fmt: skip


def _name(row):
    return row["server"] if row["quality"] == 100 else f"{row['server']}, quality {row['quality']}"


def _age(load):
    if "failed" in load:
        return "failed"
    if load["age_p50_ms"] is None:
        return "no picture"
    rate = "" if load["rate_hz"] > HERTZ * 0.95 else f" ({load['rate_hz']:.1f} Hz)"
    return f"{load['age_p50_ms']:.1f} / {load['age_p99_ms']:.1f}{rate}"


def _spent(load):
    return "failed" if "failed" in load else f"{_per_second(load):.0f}"


def _per_second(load):
    return load["processor_seconds"] / load["seconds"] * 1000


def _costs(row):
    by_count = {load["clients"]: load for load in row["loads"] if "failed" not in load}
    one, most = by_count.get(1), by_count.get(200)
    if not one:
        return ["failed"] * 6
    each = memory = "failed"
    if most:
        frames = most["pictures"] / most["seconds"] - one["pictures"] / one["seconds"]
        each = f"{(_per_second(most) - _per_second(one)) / frames * 1000:.0f}"
        memory = f"{most['memory_mb']:.0f}"
    per_frame = f"{one['processor_seconds'] / one['pictures'] * 1000:.1f}"
    return [f"{one['kilobytes']:.0f}", per_frame, each, f"{one['memory_mb']:.0f}", memory, f"{row['first_jpeg_ms']:.0f}"]
