"""What the clients' tests measure, in one table."""

import pytest

ROW = "{:<12} {:>14} {:>20} {:>22}"


class Figures:
    """A row for each client: how long after its start it had its first picture, how old what it shows is."""

    def __init__(self):
        self.rows = []

    def add(self, client, stream, first, age):
        """stream: frames per second; first, age: seconds."""
        self.rows.append(ROW.format(client, f"{stream:g} Hz", f"{first:.3f} s", f"{age:.3f} s"))

    def __str__(self):
        head = ROW.format("client", "stream", "first picture after", "age of shown picture")
        return "\n".join(["", head, *self.rows])


@pytest.fixture(scope="session")
def figures(pytestconfig):
    """Prints the `Figures` after the last test. They are for people: no test depends on them."""
    found = Figures()
    yield found
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(found)
