"""Ages of pictures in frames: what a busy machine does to one client of a loop, it does to the other one, too."""

from support.swarm import Client


class Beside(Client):
    """A swarm's client that notes how many frames the client `other` of the same swarm was ahead when it had a picture."""

    def __init__(self, other, port, path="/stream", limit=None):
        super().__init__(port, path, limit)
        self.other = other
        self.behind = []  # one for each of `sequences` that came when `other` had a picture, too

    def feed(self, data):
        known = len(self.sequences)
        super().feed(data)
        if self.other.sequences:
            self.behind += [self.other.sequences[-1] - sequence for sequence in self.sequences[known:]]


def add(swarm, other, port, path="/stream", limit=None):
    """Connects such a client as one of the swarm's and returns it."""
    client = Beside(other, port, path, limit)
    swarm.clients.append(client)
    return client
