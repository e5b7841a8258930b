#!/usr/bin/env bash
# Installs the Python peer in a virtual environment under $BENCH_BUILD/venv, every package of it as
# requirements.txt pins it. A second run with the same file installs nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${BENCH_BUILD:-$here/../../target}/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/installed.txt"
fi
