#!/usr/bin/env bash
# The real `vagrant up` of the project's own Vagrantfile, with Debian's Vagrant, libvirt and a box made on the spot, in
# software emulation; then a student's day with it. Half an hour on two cores; needs root. Not part of ./lab test.
#
#   tests/vm/vagrant_up.sh [DIRECTORY]     keeps the box, the transcript and the log there (.lab/vagrant)
#
# LABKIT_KEEP_MACHINE=1 goes on with the machine that a run before has left there: a power cut has ended it.
#
# libvirt and its network live in mount, network and pid namespaces of this script: when it ends, all of it has ended.
# Only slirp4netns (outside, unprivileged use of the machine's network) leads out, and it can be unplugged.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
ROOT=$PWD
PRIVATE=(run etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt)

outside() { # start ourselves again, inside
    mkdir -p "$1"
    exec 9>"$1/lock"
    flock -n 9 || { echo "another one runs in $1" >&2 && exit 1; }
    [[ -n ${LABKIT_KEEP_MACHINE:-} ]] || (cd "$1" && rm -rf private home project)
    source setup/lib.sh && source setup/packages.sh
    open_state 9>&9
    packages vagrant
    key=$(dpkg -L vagrant | grep '/keys/vagrant\.pub$')
    [[ -e $1/labkit.box ]] || unshare --mount .venv/bin/python tests/vm/box.py "$key" "$1/labkit.box"
    rm -f "$1/pid"
    unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc "$0" --inside "$1" &
    local inside=$!
    until pid=$(pgrep -P "$inside") && [[ -n $pid ]]; do sleep 0.1; done
    slirp4netns --configure --mtu=65520 --disable-host-loopback "$pid" uplink &
    echo $! >"$1/slirp.pid"
    local status=0
    wait "$inside" || status=$?
    kill "$(<"$1/slirp.pid")" 2>/dev/null || true
    exit "$status"
}

begin_libvirt() { # everything that it writes is ours and private
    local name
    rm -rf "$WORK/private/run"
    for name in "${PRIVATE[@]}"; do
        mkdir -p "$WORK/private/$name" "/$name"
    done
    cp -r /etc/libvirt/. "$WORK/private/etc/libvirt/"
    cat >"$WORK/private/etc/libvirt/qemu.conf" <<'END'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
END
    for name in "${PRIVATE[@]}"; do
        mount --bind "$WORK/private/$name" "/$name"
    done
    ip link set lo up
    virtlogd --daemon
    libvirtd --daemon
    until virsh -q -c qemu:///system list >/dev/null 2>&1; do sleep 0.2; done
}

inside() {
    WORK=$1
    # shellcheck source=tests/vm/trial.sh
    source tests/vm/trial.sh
    until ip link show uplink >/dev/null 2>&1; do sleep 0.1; done
    mount --make-rprivate /
    begin_libvirt
    export HOME=$WORK/home VAGRANT_DEFAULT_PROVIDER=libvirt VAGRANT_CHECKPOINT_DISABLE=1 LABKIT_BOX=labkit-test
    mkdir -p "$HOME" "$WORK/project"
    tar -C "$ROOT" --exclude-from=vm/not-placed.txt -cf - . | tar -C "$WORK/project" -xf -
    cd "$WORK/project"
    vagrant --no-tty box add --force --name labkit-test "$WORK/labkit.box"

    step "somebody has port 8888 already"
    python3 -m http.server --bind 127.0.0.1 8888 >/dev/null 2>&1 &
    taken=$!

    step "vagrant up"
    LABKIT_EMULATE=1 vagrant --no-tty up | tee "$WORK/up.txt"
    step "the browser"
    "$ROOT/.venv/bin/python" "$ROOT/tests/vm/browse.py" "$(tail -n 1 "$WORK/up.txt")" "$WORK/browser.png"
    kill "$taken"
    # shellcheck source=tests/vm/vagrant_day.sh
    source "$ROOT/tests/vm/vagrant_day.sh"
}

case ${1:-} in
    --inside) inside "$2" ;;
    *) outside "$(readlink -m "${1:-.lab/vagrant}")" ;;
esac
