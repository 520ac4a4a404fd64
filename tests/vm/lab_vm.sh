#!/usr/bin/env bash
# A student's way with `./lab vm`, and what can go wrong on it: a port that is taken, no network, a power cut, half a
# gigabyte of memory, a clock ten years off. Half an hour in software emulation. Not part of ./lab test.
#
#   tests/vm/lab_vm.sh [DIRECTORY]     a copy of the project there, with its image (.lab/course)
#
# As root or not. What it starts is one machine, which it stops.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
ROOT=$PWD WORK=$(readlink -m "${1:-.lab/course}")
mkdir -p "$WORK/project" "$WORK/wheels"

# shellcheck source=tests/vm/trial.sh
source tests/vm/trial.sh
here() { echo .machine/*/disk.qcow2; } # the directory of the machine in use is the one with the disk
there() { # COMMAND: in the machine, by the way that `./lab vm --shell` has made
    ssh -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i .machine/key \
        -p "$(sed 's/.*"ssh": \([0-9]*\).*/\1/' "$(dirname "$(here)")/port")" vagrant@127.0.0.1 "$@"
}
start() { # SETTING...: prints what `./lab vm` says, keeps it in $WORK/said, and its address in ADDRESS
    env "$@" ./lab vm | tee "$WORK/said"
    ADDRESS=$(tail -n 1 "$WORK/said")
}
cut_power() { # of all processes that are this user's, the one whose directory is the machine's
    local process
    for process in /proc/[0-9]*; do
        [[ $(readlink "$process/cwd") == "$(readlink -f "$(dirname "$(here)")")" ]] || continue
        kill -KILL "${process#/proc/}"
        while [[ -e $process ]]; do sleep 0.1; done
    done 2>/dev/null
}

tar -C "$ROOT" --exclude-from=vm/not-placed.txt -cf - . | tar -C "$WORK/project" -xf -
cd "$WORK/project"
finish() {
    [[ -z ${taken:-} ]] || kill "$taken" 2>/dev/null || true
    LABKIT_FORGET=1 ./lab vm --reset >/dev/null
}
finish
trap finish EXIT
rm -rf vm/saved

step "an image"
[[ -n ${LABKIT_KEEP_IMAGE:-} ]] || must ./lab vm --build # one of an older course will do, while the rest is tried
du -sm .machine/*/disk.img

step "the first start: port 8888 taken, no network"
python3 -m http.server --bind 127.0.0.1 8888 >/dev/null 2>&1 &
taken=$!
must start LABKIT_OFFLINE=1
must grep -q '^http://localhost:8889/' <<<"$ADDRESS"
must ask GET status
first=$ADDRESS

step "once more: it runs already, and a terminal in it"
must start
must grep -q 'running already' "$WORK/said"
must test "$ADDRESS" == "$first"
must grep -q '^vagrant' < <(./lab vm --shell <<<'whoami')
there 'df -m / | tail -n 1; uname -r; systemctl --failed --no-legend'
must there 'test ! -e /usr/sbin/policy-rc.d && ! grep -q Fake /sbin/start-stop-daemon' # nothing of mmdebstrap's is left
must test ! "$(there 'timeout 20 bash -c "</dev/tcp/10.0.2.2/8888" 2>/dev/null && echo "this computer is reached"')"
kill "$taken"
unset taken

step "a login: a lab in it, the doctor, and JupyterLab started by hand"
must there 'cd labkit && .venv/bin/python -c "
from labkit import Lab
with Lab() as lab: print(lab.run(\"busybox\", [\"hostname\"], hostname=\"login\").stdout)"' | tee "$WORK/login"
must grep -q login "$WORK/login"
there 'cd labkit && ./lab doctor --verbose' | tee "$WORK/doctor"
must grep -q 'cpu (v2), memory (v2), io (v2), pids (v2)' "$WORK/doctor"
must grep -q systemd-run < <(there 'cd labkit && .venv/bin/python -m labkit.agent.delegation') # so ./lab test asks
must there 'sudo systemctl stop labkit && cd labkit && ./lab up --port 9000'
there bash <<'END' | tee "$WORK/up"
cat "/proc/$(sed 's/.*"pid": \([0-9]*\).*/\1/' labkit/.lab/server.json)/cgroup"
END
must grep -q '^0::/user.slice/.*\.scope/jupyter$' "$WORK/up"
must there 'cd labkit && ./lab down && sudo systemctl start labkit'

if [[ -x $ROOT/.venv/bin/python ]] && command -v chromium >/dev/null; then
    step "a browser"
    must "$ROOT/.venv/bin/python" "$ROOT/tests/vm/browse.py" "$ADDRESS" "$WORK/browser.png"
fi

step "all lessons, without a network"
python3 -m pip download -q --disable-pip-version-check --only-binary=:all: --python-version=3.11 -d "$WORK/wheels" \
    pytest pytest-xdist pytest-timeout nbval
tar -C "$WORK" -cf - wheels | there 'tar -xf - && cd labkit && .venv/bin/pip install -q --no-index --find-links ~/wheels pytest pytest-xdist pytest-timeout nbval'
must there bash <<'END'
exec sudo systemd-run --quiet --wait --collect --pipe --property=Delegate=yes --uid=vagrant --setenv=HOME="$HOME" \
    --setenv=LC_ALL=C.UTF-8 --working-directory="$PWD/labkit" bash tests/vm/ring.sh notebooks --ignore=tests/notebooks
END

step "a power cut in mid-lesson"
must new_notebook mine
must there 'labkit/.venv/bin/python -c "from labkit.learn import progress; progress.Book().add(\"answer\", \"tests/mine\")"'
cut_power
! ./lab vm --reset 2>"$WORK/refused" || { echo "FAILED: thrown away" >&2 && exit 1; }
must grep -q 'would be lost' "$WORK/refused"

step "the start after it, with 512 MB and a clock ten years off"
must start LABKIT_MEMORY=512 "LABKIT_QEMU=-rtc base=2036-02-29"
must ask GET contents/mine.ipynb >/dev/null
must there 'grep tests/mine ~/.local/share/labkit/progress.jsonl'
must test "$(there date --utc +%Y)" == "$(date --utc +%Y)"
there 'free -m; cd labkit && .venv/bin/python -c "
from labkit import Lab
with Lab() as lab: print(lab.run(\"busybox\", [\"hostname\"], hostname=\"small\").stdout)"' | tee "$WORK/small"
must grep -q small "$WORK/small"

step "the end of the day; a new disk, and the work on it"
must ./lab vm --stop
must ./lab vm --reset
must test ! -e .machine/*/disk.qcow2
must start
must ask GET contents/mine.ipynb >/dev/null
must ./lab vm --shell <<<'grep tests/mine ~/.local/share/labkit/progress.jsonl'
must ./lab vm --stop
step "all as it should be"
