#!/usr/bin/env bash
# usage: ring.sh RING OPTION...     one ring of ./lab test, in the VM, where everything is installed already
set -euo pipefail
ROOT=$PWD PYTHON=$PWD/.venv/bin/python
export ROOT PYTHON
export PYTEST_ADDOPTS="-p no:cacheprovider -o faulthandler_timeout=0" # a later part is another user's, who could not write into it
export LABKIT_TEST_PATIENCE=6 # an emulated machine is slow; it is ended after seven minutes of silence
# shellcheck source=setup/rings.sh
source setup/rings.sh
"$PYTHON" -c 'from labkit.agent import delegation; delegation.step_aside()' # as who starts Jupyter does

ring_files() { "$PYTHON" -m pytest -q "$@" </dev/null; } # those of the kernel ring that are named

"ring_$1" "${@:2}"
