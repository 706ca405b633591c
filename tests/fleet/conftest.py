"""`make test` has no server of a fleet: `make test-fleet` says so by the environment variable PICAM_TEST_FLEET."""

import os

if not os.environ.get("PICAM_TEST_FLEET"):
    collect_ignore_glob = ["test_*.py"]
