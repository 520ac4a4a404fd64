# shellcheck shell=bash
# ./lab test: ring by ring from the cheapest on, each reported, the sum at the end.

RINGS=(style pure kernel interop notebooks browser) # `long` runs only when it is asked for
RESULTS=()

run_rings() { # [RING [PYTEST-OPTION...]]
    local ring rings=("${RINGS[@]}") failed=0 asked=("$@")
    if (($#)); then
        case " ${RINGS[*]} long " in
            *" $1 "*) rings=("$1") ;;
            *) wrong "there is no ring $1" ;;
        esac
        shift
    fi
    open_state
    packages need want test
    environment test
    images
    flock -u 9 # nothing more is set up: ./lab down may run beside the tests
    in_a_scope test "${asked[@]}"
    for ring in "${rings[@]}"; do
        one_ring "$ring" "$@" || failed=1
    done
    printf '\n%-11s %-8s %8s\n' ring result seconds
    printf '%s\n' "${RESULTS[@]}"
    return "$failed"
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
    printf '\n=== %s ===\n' "$ring"
    "ring_$ring" "$@" || status=$?
    if ((status == 5)) && ! has_tests "$ring"; then
        status=0 result=empty
    fi
    ((status == 0)) || result=FAILED
    RESULTS+=("$(printf '%-11s %-8s %8d' "$ring" "$result" $((SECONDS - began)))")
    return "$status"
}

has_tests() { # RING
    if [[ $1 == long ]]; then
        grep -rqs 'mark\.long' tests
    else
        [[ -n $(find "tests/$1" -name 'test_*.py' -print -quit 2>/dev/null) ]]
    fi
}

ring_style() {
    local status=0
    "$PYTHON" -m ruff check . || status=1
    "$PYTHON" -m mypy || status=1
    shellcheck -x lab .ci/run setup/*.sh setup/vm/*.sh tests/vm/*.sh setup/agent/agent vm/*.sh images/*/build.sh || status=1
    return "$status"
}

pytest() { # DIRECTORY [OPTION...]: exit status 5 says that there was no test
    [[ -d $1 ]] || return 5
    "$PYTHON" -m pytest "$@" </dev/null
}

ring_pure() { pytest tests/pure -q "$@"; }
ring_kernel() { pytest tests/kernel -q -n 2 "$@"; }
ring_interop() { pytest tests/interop -q "$@"; }
ring_long() { pytest tests -q -m long -o faulthandler_exit_on_timeout=false "$@"; } # minutes for one test are normal

ring_browser() { # Debian's Chromium; where there is none (Ubuntu has it as a snap only) Playwright's own
    if ! command -v chromium >/dev/null && has_tests browser; then
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
        "$PYTHON" -m pytest -q -n 2 --dist loadfile --nbval --nbval-current-env "$@" notebooks/*.ipynb tests/notebooks \
        </dev/null || status=$?
    rm -r "$scratch"
    return "$status"
}
