#!/usr/bin/env bash
# usage: ring.sh RING OPTION...     one ring of ./lab test, in the VM, where everything is installed already
set -euo pipefail
ROOT=$PWD PYTHON=$PWD/.venv/bin/python
export ROOT PYTHON
export PYTEST_ADDOPTS="-p no:cacheprovider" # a later part is another user's, who could not write into it
# shellcheck source=setup/rings.sh
source setup/rings.sh
"$PYTHON" -c 'from labkit.agent import delegation; delegation.step_aside()' # as who starts Jupyter does

ring_files() { "$PYTHON" -m pytest -q "$@" </dev/null; } # those of the kernel ring that are named

"ring_$1" "${@:2}"
