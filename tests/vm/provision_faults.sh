#!/usr/bin/env bash
# vm/provision.sh on a fresh Debian tree, with what goes wrong on the way: a full disk, a kill, no network, no sudo.
#
#   tests/vm/provision_faults.sh [RELEASE]     bookworm; about eight minutes; needs root. Not part of ./lab test.
#
# The tree is a tmpfs in mount, pid, uts and ipc namespaces of this script: when it ends, all of it has ended.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

if [[ ${1:-} != --inside ]]; then
    release=${1:-bookworm} work=$PWD/.lab/provision
    mkdir -p "$work"
    if [[ ! -e $work/$release.tar ]]; then
        .venv/bin/python - "$release" >"$work/$release.list" <<'END'
import sys
sys.path.insert(0, "setup/vm")
import sources
print("\n".join(sources.lines(sys.argv[1])))
END
        mmdebstrap --variant=minbase --include=systemd-sysv,libpam-systemd,openssh-server,ca-certificates \
            "$release" "$work/$release.tar" "$work/$release.list" 2>"$work/$release.log"
    fi
    exec unshare --mount --pid --fork --kill-child --uts --ipc --mount-proc "$0" --inside "$work/$release.tar"
fi

TREE=$(mktemp -d)
mount --make-rprivate /
mount -t tmpfs -o size=520M,mode=755 tree "$TREE" # too small for all that has to come
tar -C "$TREE" --exclude='./dev/*' -xf "$2"
mount -t proc proc "$TREE/proc"
mount --rbind /sys "$TREE/sys"
mount -t tmpfs dev "$TREE/dev"
for device in null zero full random urandom tty; do
    touch "$TREE/dev/$device"
    mount --bind "/dev/$device" "$TREE/dev/$device"
done
ln -s /proc/self/fd "$TREE/dev/fd"
mkdir -p "$TREE/dev/pts" "$TREE/dev/shm" "$TREE/usr/local/src/labkit"
mount -t tmpfs run "$TREE/run"
mount -t tmpfs tmp "$TREE/tmp"
mount --bind "$PWD" "$TREE/usr/local/src/labkit"
mount -o remount,bind,ro "$TREE/usr/local/src/labkit"
# How this machine reaches the package indexes is how the tree will.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [[ -e $file ]] || continue
    touch "$TREE$file"
    mount --bind "$file" "$TREE$file"
done

in_tree() { chroot "$TREE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$@"; }
provision() { in_tree /usr/local/src/labkit/vm/provision.sh --vm; }
# shellcheck source=tests/vm/trial.sh
source tests/vm/trial.sh

step "a disk that is too small: the failure names the step, the cause and the remedy"
! provision >"$TREE/tmp/said" 2>&1 || { echo "FAILED: it all fitted" >&2 && exit 1; }
tail -n 12 "$TREE/tmp/said"
must grep -q 'lab: the step ".*" failed' "$TREE/tmp/said"
must grep -q '  because: ' "$TREE/tmp/said"
must grep -q '  remedy:  ' "$TREE/tmp/said"
must grep -q 'no room left on /' "$TREE/tmp/said"

step "room, and then a SIGKILL in the middle of it"
mount -o remount,size=3G "$TREE"
unshare --pid --fork --kill-child chroot "$TREE" env -i PATH="$PATH" HOME=/root \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt /usr/local/src/labkit/vm/provision.sh --vm >"$TREE/tmp/said" 2>&1 &
until grep -qs 'set up labkit as' "$TREE/tmp/said" || ! kill -0 $!; do sleep 0.1; done
sleep "${LABKIT_KILL_AFTER:-5}" # in the middle of the longest step: it takes twenty seconds on a quick machine
# Its child, the init of a pid namespace, takes all that it has started along.
kill -KILL $! || { tail -n 20 "$TREE/tmp/said" && echo "FAILED: it ended before it was killed" && exit 1; }
wait || true
tail -n 2 "$TREE/tmp/said"
must test ! -e "$TREE/etc/systemd/system/labkit.service"

step "once more: it heals"
began=$SECONDS
must provision
echo "healed in $((SECONDS - began)) s; the tree has $(du -xsm "$TREE" | cut -f1) MB"

step "a second run without a network"
began=$(date +%s%N)
must unshare --net chroot "$TREE" /usr/local/src/labkit/vm/provision.sh --vm
took=$((($(date +%s%N) - began) / 1000000))
echo "second run, offline: $took ms"
must test "$took" -le 10000

step "a user without sudo: told so when asking for all; has the agent's rule all the same"
! in_tree runuser -u vagrant -- /usr/local/src/labkit/vm/provision.sh --vm 2>"$TREE/tmp/said" || exit 1
cat "$TREE/tmp/said"
must grep -q 'vagrant is not root' "$TREE/tmp/said"
must in_tree runuser -u vagrant -- sudo -n -l /usr/local/libexec/labkit/agent
! in_tree runuser -u vagrant -- sudo -n true 2>/dev/null || { echo "FAILED: sudo for everything" >&2 && exit 1; }
must in_tree runuser -u vagrant -- sh -c 'cd ~/labkit && .venv/bin/python -c "
from labkit import Lab
with Lab() as lab: print(lab.run(\"busybox\", [\"hostname\"], hostname=\"healed\").stdout)"'

step "the student's work stays when the course brings it anew, and comes back on another machine"
home=$TREE/home/vagrant
echo mine >"$home/labkit/notebooks/mine.ipynb"
cp "$home/labkit/README.md" "$TREE/tmp/README" && echo changed >>"$home/labkit/README.md"
in_tree chown vagrant: /home/vagrant/labkit/notebooks/mine.ipynb
must provision >/dev/null
must grep -q changed "$home/labkit/README.md"
in_tree runuser -u vagrant -- env HOME=/home/vagrant bash /usr/local/src/labkit/vm/keep.sh save /home/vagrant/labkit >"$TREE/tmp/saved.tgz"
tar -tzf "$TREE/tmp/saved.tgz"
mv "$TREE/tmp/README" "$home/labkit/README.md" && rm "$home/labkit/notebooks/mine.ipynb"
must in_tree /usr/local/src/labkit/vm/provision.sh --vm --saved /tmp/saved.tgz
must grep -q mine "$home/labkit/notebooks/mine.ipynb"
must grep -q changed "$home/labkit/README.md"

step "./lab remove takes back what was put outside the project, and only that"
in_tree sh -c 'cd /home/vagrant/labkit && ./lab remove'
must test -z "$(find "$TREE"/etc "$TREE/usr/local" "$TREE/var/lib" -name '*labkit*' -not -path "$TREE/usr/local/src/*" -print)"
must test -e "$home/labkit/notebooks/mine.ipynb"
echo; echo "all as it should be"
