# shellcheck shell=bash
# ./lab test: ring by ring from the cheapest on, each reported, the sum at the end.

RINGS=(style pure kernel interop notebooks browser) # `long` runs only when it is asked for
RESULTS=()

run_rings() { # [--report DIR] [RING...] [PYTEST-OPTION...]
    local ring result seconds rings=() failed=0 asked=()
    REPORT=
    while (($#)); do
        if [[ $1 == --report ]]; then
            [[ -n ${2:-} ]] || wrong "--report wants a directory"
            REPORT=$2
            [[ $REPORT == /* ]] || REPORT=$OLDPWD/$REPORT # where the caller stands
            asked+=(--report "$REPORT")
            shift 2
        elif is_ring "$1"; then
            rings+=("$1")
            shift
        elif [[ $1 == -* || (-n ${rings[*]} && -e ${1%%::*}) ]]; then
            break # the rest is for pytest
        else
            wrong "there is no ring $1"
        fi
    done
    open_state
    packages need want test
    environment test
    images
    flock -u 9 # nothing more is set up: ./lab down may run beside the tests
    in_a_scope test "${asked[@]}" "${rings[@]}" "$@"
    ((${#rings[@]})) || mapfile -t rings < <(all_rings)
    [[ -z $REPORT ]] || "$PYTHON" tests/ringreport machine "$REPORT"
    for ring in "${rings[@]}"; do
        one_ring "$ring" "$@" || failed=1
    done
    printf '\n%-11s %-8s %8s\n' ring result seconds
    printf '%s\n' "${RESULTS[@]}" | while IFS='=' read -r ring result seconds; do
        printf '%-11s %-8s %8d\n' "$ring" "$result" "$seconds"
    done
    [[ -z $REPORT ]] || "$PYTHON" tests/ringreport summary "$REPORT" "${RESULTS[@]}"
    return "$failed"
}

is_ring() { [[ " ${RINGS[*]} long " == *" $1 "* ]]; }

all_rings() { # but the one that another user cannot run at all; asked for by its name it fails, and says why
    local ring
    for ring in "${RINGS[@]}"; do
        if [[ $ring == interop ]] && ((EUID != 0)); then
            note "the interop ring is left out: labkit is compared with other tools as root runs them"
        else
            echo "$ring"
        fi
    done
}

in_a_scope() { # COMMAND [OPTION...]: once more in a cgroup that may be divided, where systemd gives one
    local words
    mapfile -t words < <("$PYTHON" -m labkit.agent.delegation)
    unset LABKIT_SCOPE # who was born in one has stepped aside by now
    ((${#words[@]} == 0)) || exec "${words[@]}" "$ROOT/lab" "$@"
}

one_ring() { # RING [PYTEST-OPTION...]
    local ring=$1 began=$SECONDS status=0 result=passed
    shift
    RING=$ring
    printf '\n=== %s ===\n' "$ring"
    "ring_$ring" "$@" || status=$?
    ((status == 0)) || result=FAILED
    RESULTS+=("$ring=$result=$((SECONDS - began))")
    return "$status"
}

ring_style() { "$PYTHON" tests/ringreport style "${REPORT:-}"; }

pytest() { # OPTION...; a ring that ran no test fails: see tests/ringreport/plugin.py
    local report=()
    if [[ -n ${REPORT:-} ]]; then
        report=(--report "$REPORT" --ring "$RING" --junitxml "$REPORT/$RING.xml" -o junit_suite_name="$RING")
    fi
    "$PYTHON" -m pytest "$@" "${report[@]}" </dev/null
}

ring_pure() { pytest tests/pure -q -n 2 "$@"; }
ring_kernel() { pytest tests/kernel -q -n 2 "$@"; }
ring_interop() { pytest tests/interop -q "$@"; }
ring_long() { # an hour for one test; and new examples for every property
    LABKIT_LONG=1 pytest tests -q -m "long or hypothesis" -o timeout=3600 -o faulthandler_exit_on_timeout=false "$@"
}

ring_browser() { # Debian's Chromium; where there is none (Ubuntu has it as a snap only) Playwright's own
    if ! command -v chromium >/dev/null; then
        task "download a browser" "is the network there? Or install Chromium as /usr/bin/chromium" \
            "$PYTHON" -m playwright install chromium-headless-shell
    fi
    pytest tests/browser -q -n 2 --dist loadgroup "$@"
}

ring_notebooks() { # every notebook against the text it shows, and what tests/notebooks adds
    local scratch status=0
    scratch=$(mktemp -d)
    # live: a lesson that found no lab would go on from its recording, and pass
    LABKIT_BACKEND=live LABKIT_GATE=off LABKIT_PROGRESS="$scratch/progress.jsonl" \
        pytest -q -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=50 "$@" \
        notebooks/*.ipynb tests/notebooks || status=$?
    rm -r "$scratch"
    return "$status"
}
