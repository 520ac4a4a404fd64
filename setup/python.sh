# shellcheck shell=bash
# The Python environment: .venv, or the conda environment `labkit` when that is the active one. In a clone that this user
# may not write, its owner may have made .venv; else the user gets one in the state directory.

find_environment() { # [EXTRA]: sets VENV and PYTHON
    VENV=$ROOT/.venv
    if [[ ${CONDA_DEFAULT_ENV:-} == labkit && -x ${CONDA_PREFIX:-}/bin/python ]]; then
        VENV=$CONDA_PREFIX
    fi
    PYTHON=$VENV/bin/python
    if [[ $VENV == "$ROOT/.venv" && ! -w $ROOT ]] && ! is_current "${1:-}"; then
        VENV=$STATE/venv PYTHON=$STATE/venv/bin/python
    fi
}

is_current() { # EXTRA: is all installed that pyproject.toml asks for?
    [[ $(cat "$VENV/.labkit${1:+-$1}" 2>/dev/null) == "$(fingerprint pyproject.toml)" ]]
}

find_python() { # print a Python that is new enough; the system's first, because the agent runs on it
    local python
    for python in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return
        fi
    done
    return 1
}

environment() { # [EXTRA]: make the environment and install labkit with what it needs; seconds when it is there
    local python extra=${1:-} stamp
    find_environment "$extra"
    if half_made || ! "$PYTHON" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(find_python) || fail "find Python" "there is no Python 3.11 or newer with the venv module" \
            "on Debian 12, Debian 13 or Ubuntu 24.04: apt-get install python3-venv"
        "$python" setup/server.py stop >/dev/null # one that runs from here would lose its libraries
        task "make the Python environment ${VENV##*/}" "rm -r $VENV, look at the lines above, and ./lab up again" \
            "$python" -m venv --clear "$VENV"
    fi
    stamp=$VENV/.labkit${extra:+-$extra}
    if ! is_current "$extra"; then
        touch "$VENV/.unfinished"
        task "install Python packages${extra:+ for $extra}" \
            "is the package index reachable? Then ./lab up again: it goes on where it stopped" \
            "$PYTHON" -m pip install --disable-pip-version-check --no-input --progress-bar off -e ".${extra:+[$extra]}"
        fingerprint pyproject.toml >"$stamp"
        rm -f "$VENV/.unfinished"
    fi
    kernel_and_settings
}

half_made() { # a full disk or a kill leaves files cut short, and pip takes them for whole: begin .venv again
    [[ $VENV == "$ROOT/.venv" || $VENV == "$STATE/venv" ]] && [[ -d $VENV ]] || return 1
    [[ -e $VENV/.unfinished ]] || ! compgen -G "$VENV/.labkit*" >/dev/null
}

kernel_and_settings() { # the lab's kernel by its name, and JupyterLab as the course wants it
    local share=$VENV/share/jupyter
    mkdir -p "$share/lab/settings" "$share/kernels/python3"
    update setup/jupyter/overrides.json "$share/lab/settings/overrides.json"
    update setup/jupyter/page_config.json "$share/lab/settings/page_config.json"
    update setup/jupyter/kernel.json "$share/kernels/python3/kernel.json"
}

update() { # FROM TO
    cmp -s "$1" "$2" || cp "$1" "$2"
}

images() { # build the lab's own images, into the machine's store when that is permitted (-B: root leaves no .pyc here)
    local image builder=()
    ! "$PYTHON" -m labkit image check 2>/dev/null || return 0
    if may_be_root "build the lab's images so that their files belong to root"; then
        builder=(as_root)
    fi
    for image in images/*/build.sh; do
        image=$(basename "$(dirname "$image")")
        task "build the image $image" "look at the lines above; sh -x images/$image/build.sh \$(mktemp -d) shows each step" \
            "${builder[@]}" "$PYTHON" -B -m labkit image build "$image"
    done
}
