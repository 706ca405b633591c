"""What the tests share: the running picam, raw HTTP clients, peers, photographs and the stamp."""
