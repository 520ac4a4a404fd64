# shellcheck shell=bash
# How ./lab talks: tasks with their elapsed time, and failures that name the step and the remedy.

# The server's state, logs and locks; everything in it can be made again. In a clone that this user may not write it
# is in the user's home. (labkit/jupyter.py does the same.)
STATE=$ROOT/.lab
if [[ ! -w $STATE && (-e $STATE || ! -w $ROOT) ]]; then
    STATE=${ROOT#/}
    STATE=${XDG_STATE_HOME:-${HOME:-}/.local/state}/labkit/${STATE//[^a-zA-Z0-9_.]/-}
fi

me() { # the user's name; the number where the machine has no name for it, as in some containers
    local name
    name=$(id -un 2>/dev/null) || name=$(id -u)
    printf '%s\n' "$name"
}

# Without an account there is often no home either: HOME is missing, or / or another that may not be written. pip,
# Jupyter and IPython want one.
: "${HOME:=$(cd ~ 2>/dev/null && pwd)}"
[[ -d $HOME && -w $HOME ]] || HOME=$STATE/home
export HOME

# Downloads lie where LABKIT_CACHE says, so that a CI can keep them from one run to the next: docs/testing.md.
if [[ -n ${LABKIT_CACHE:-} ]]; then
    [[ $LABKIT_CACHE == /* ]] || LABKIT_CACHE=$OLDPWD/$LABKIT_CACHE # where the caller stands
    export LABKIT_CACHE PIP_CACHE_DIR=$LABKIT_CACHE/pip PLAYWRIGHT_BROWSERS_PATH=$LABKIT_CACHE/playwright
fi

say() { printf '%s\n' "$*"; }

note() { printf 'note: %s\n' "$*" >&2; }

wrong() { # MESSAGE: the command line is not understood
    printf 'lab: %s\nTry ./lab --help\n' "$1" >&2
    exit 2
}

fail() { # STEP WHY REMEDY
    printf '\nlab: the step "%s" failed\n  because: %s\n  remedy:  %s\n' "$1" "$2" "$3" >&2
    exit 1
}

open_state() { # make it, and let one ./lab at a time change what is there
    if ! mkdir -p "$STATE/log" 2>/dev/null || [[ ! -w $STATE || ! -w $STATE/log ]]; then
        fail "make the state directory" "$(me) may write neither in $ROOT nor in $STATE" \
            "set XDG_STATE_HOME to a directory of your own, or clone into one"
    fi
    [[ $HOME != "$STATE/home" ]] || mkdir -p "$HOME"
    chmod 0700 "$STATE"
    exec 9>"$STATE/lock"
    command -v flock >/dev/null || return 0 # macOS has none; there are only recorded lessons there
    if ! flock -n 9; then
        say "waiting for another ./lab in this directory"
        flock 9
    fi
}

# task TITLE REMEDY COMMAND...
#
# The command runs in the foreground, so that Ctrl-C reaches it; what ticks is in the background, and
# writes nothing for a task of less than two seconds. (A function as COMMAND checks its own failures:
# bash suspends `set -e` for whatever is tested by `if`.)
task() {
    local title=$1 remedy=$2 began=$SECONDS status=0 log
    shift 2
    log=$STATE/log/${title//[^a-zA-Z0-9]/-}.log
    { tick "$title" & } 2>/dev/null # from its birth: bash complains when it is ended at once
    TICKER=$!
    "$@" <&0 >"$log" 2>&1 9>&- || status=$?
    stop_ticking
    if ((status != 0)); then
        tail -n 15 "$log" | sed 's/^/  | /' >&2
        full_disk "$title"
        fail "$title" "exit status $status; the last lines are above, all of them in ${log#"$ROOT"/}" "$remedy"
    fi
    if ((SECONDS - began >= 2)); then
        say "done: $title ($((SECONDS - began)) s)"
    fi
}

full_disk() { # STEP: say so when that is why; the log, on the same disk, may have lost the line that did
    local where avail
    while read -r avail where; do
        ((avail > 1024)) || fail "$1" "there is no room left on $where" "make some (df -h $where), then the same command again"
    done < <(df --output=avail,target "$STATE" /var /tmp 2>/dev/null | sed 1d)
}

tick() { # TITLE: show that something goes on, and for how long
    local turn='-\|/' n=0
    trap - EXIT
    trap 'kill "${!:-}" 2>/dev/null; exit' TERM # and its sleep with it
    exec 9>&-
    while pause "$n" && kill -0 $$ 2>/dev/null; do
        if [[ -t 1 ]]; then
            printf '\r%s %s  %d s ' "${turn:n++ % 4:1}" "$1" $((n / 5 + 2))
        else
            printf '.....  %s%s\n' "$1" "$( ((n)) && printf ', %d s' $((n * 15 + 2)))"
            n=$((n + 1))
        fi
    done
}

pause() { # N: two seconds before the first sign of life; then five signs a second, or one in 15 s
    local seconds=15
    [[ ! -t 1 ]] || seconds=0.2
    (($1)) || seconds=2
    sleep "$seconds" >/dev/null 2>&1 & # with no hold on our output: a reader of it must not wait for a sleep
    wait $!
}

stop_ticking() {
    [[ -n ${TICKER:-} ]] || return 0
    kill "$TICKER" 2>/dev/null || true
    wait "$TICKER" 2>/dev/null || true
    TICKER=
    [[ ! -t 1 ]] || printf '\r\033[K'
}
trap stop_ticking EXIT
trap 'echo; echo "lab: interrupted; the same command again goes on where it stopped" >&2; exit 130' INT

# may_be_root WHY: true when as_root will work. Asks for the password on a terminal, once, saying why.
may_be_root() {
    ((EUID != 0)) || return 0
    [[ -z ${NO_ROOT:-} ]] || return 1
    if command -v sudo >/dev/null; then
        ! sudo -n true 2>/dev/null || return 0
        if [[ -t 0 && -z ${CI:-} ]]; then
            say "Your password is needed to $1."
            ! sudo -v || return 0
        fi
    fi
    NO_ROOT=1
    return 1
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

fingerprint() { # FILE...: one line that changes when a file or this directory's place changes
    { echo "$ROOT $PYTHON" && cat "$@"; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1 # or macOS's
}
