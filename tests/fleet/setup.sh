#!/bin/sh
# Installs the server of a fleet, for its many packages into a venv of its own: .venv-fleet.
set -eu
cd "$(dirname "$0")/../.."
if ! cmp -s tests/fleet/requirements.txt .venv-fleet/installed; then
    python3 -m venv .venv-fleet
    .venv-fleet/bin/pip install --quiet --disable-pip-version-check --requirement tests/fleet/requirements.txt
    cp tests/fleet/requirements.txt .venv-fleet/installed
fi
