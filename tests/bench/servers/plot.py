"""The figures of `make bench` as a picture."""

import matplotlib

matplotlib.use("svg")
# The same figures give the same file.
matplotlib.rcParams["svg.hashsalt"] = "picam"
from matplotlib import pyplot  # noqa: E402


def plot(told, path):
    """Writes `path`, an SVG: age and processor time over the number of clients, a line for each server at quality 100."""
    figure, (ages, costs) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for row in told["rows"]:
        loads = [load for load in row["loads"] if "failed" not in load and load["clients"] and load["age_p50_ms"]]
        if row["quality"] != 100 or not loads:
            continue
        clients = [load["clients"] for load in loads]
        style = {"marker": "o", "linewidth": 2.5 if row["server"] == "picam" else 1.2, "label": row["server"]}
        ages.plot(clients, [load["age_p50_ms"] for load in loads], **style)
        costs.plot(clients, [load["processor_seconds"] / load["seconds"] * 100 for load in loads], **style)
    for axes, title in ((ages, "age of the picture at its last byte, median, ms"), (costs, "processor, % of one core")):
        axes.set(xscale="log", yscale="log", xlabel="clients", title=title)
        axes.set_xticks([1, 10, 50, 200], labels=["1", "10", "50", "200"])
        axes.grid(alpha=0.3)
    ages.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
