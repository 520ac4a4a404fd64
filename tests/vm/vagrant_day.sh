# shellcheck shell=bash
# Sourced by vagrant_up.sh when the machine is up: what a student does with it, and what must not get lost.

must() { "$@" || { echo "FAILED: $*" >&2 && exit 1; }; }
mine() { vagrant --no-tty ssh -c 'cat ~/labkit/notebooks/mine.ipynb ~/.local/share/labkit/progress.jsonl'; }

step "work is done"
vagrant --no-tty ssh -c 'echo mine >~/labkit/notebooks/mine.ipynb; mkdir -p ~/.local/share/labkit
    echo "{}" >>~/.local/share/labkit/progress.jsonl; df -m / | tail -n 1; uname -r; systemctl is-active labkit'

step "halt; then up, without a network, and with port 8888 taken"
must vagrant --no-tty halt
must tar -tzf vm/saved/student.tgz
must test ! -e vm/saved/unsaved
ip link set uplink down
python3 -m http.server --bind 127.0.0.1 8888 >/dev/null 2>&1 &
taken=$!
LABKIT_EMULATE=1 vagrant --no-tty up | tee "$WORK/again.txt"
must grep -q '^http://localhost:8889/' <(tail -n 1 "$WORK/again.txt")
must grep -q mine <(mine)
kill "$taken"
ip link set uplink up

step "destroy, after a shutdown from inside: refused"
vagrant --no-tty ssh -c 'sudo systemctl poweroff' || true
until vagrant --no-tty status | grep -q shutoff; do sleep 2; done
must grep -q 'would be lost' <(vagrant --no-tty destroy -f 2>&1)

step "up again, and destroy: the work is here"
LABKIT_EMULATE=1 vagrant --no-tty up | tail -n 1
must vagrant --no-tty destroy -f
must grep -q 'place/notebooks/mine.ipynb' <(tar -tzf vm/saved/student.tgz)
must grep -q 'progress.jsonl' <(tar -tzf vm/saved/student.tgz)
must test ! -e vm/saved/unsaved
step "all as it should be"
