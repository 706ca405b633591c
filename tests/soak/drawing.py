"""The samples of a soak as an SVG: one panel a figure, the source's stalls shaded."""

from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, GAP = 960, 130, 90, 40
PANELS = [
    ("resident memory, MiB", [("memory_kib", 1 / 1024, "#1f77b4")]),
    ("mappings", [("mappings", 1, "#8c564b")]),
    ("open descriptors", [("descriptors", 1, "#2ca02c")]),
    ("threads", [("threads", 1, "#9467bd")]),
    ("connections; streams", [("connections", 1, "#ff7f0e"), ("streams", 1, "#d62728")]),
]


def panel(samples, top, title, lines, across):
    values = [sample[name] * factor for name, factor, _ in lines for sample in samples]
    low, high = min(values), max(values)
    span = (high - low) or 1
    parts = [f'<text x="{LEFT}" y="{top - 6}">{escape(title)}</text>']
    parts += [f'<text x="{LEFT - 6}" y="{y}" text-anchor="end">{value:g}</text>'
              for y, value in ((top + 10, round(high, 2)), (top + PANEL, round(low, 2)))]  # fmt: skip
    parts.append(f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT}" height="{PANEL}" fill="none" stroke="#999"/>')
    for name, factor, colour in lines:
        points = " ".join(
            f"{across(sample['second']):.1f},{top + PANEL - (sample[name] * factor - low) / span * PANEL:.1f}"
            for sample in samples
        )
        parts.append(f'<polyline fill="none" stroke="{colour}" points="{points}"/>')
    return parts


def svg(samples, stalls, seed):
    """`stalls`: (second, length in seconds) of each."""
    end = max((sample["second"] for sample in samples), default=1) or 1
    height = GAP + len(PANELS) * (PANEL + GAP)

    def across(second):
        return LEFT + second / end * (WIDTH - LEFT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 20}" height="{height + 10}" font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="white"/><text x="4" y="16">{end:.0f} s, seed {seed}; shaded: the source stalls</text>',
    ]
    for second, length in stalls:
        wide = length / end * (WIDTH - LEFT)
        parts.append(f'<rect x="{across(second):.1f}" y="{GAP}" width="{wide:.1f}" height="{height - GAP}" fill="#eee"/>')
    if samples:
        for number, (title, lines) in enumerate(PANELS):
            parts += panel(samples, GAP + number * (PANEL + GAP) + 10, title, lines, across)
    return "\n".join([*parts, "</svg>\n"])
