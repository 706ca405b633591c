"""Tables in Markdown, and where they are written into a page of the documentation."""

END = "<!-- end -->"


def markdown(head, rows):
    """A table; all cells are text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_into(page, text, command):
    """Puts `text` between the marks of a page that say `command` has written it."""
    before, mark, rest = page.read_text().partition(f"<!-- written by {command} -->")
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{page}: expected <!-- written by {command} --> and {END}")
    page.write_text(f"{before}{mark}\n\n{text}\n\n{end}{after}")
