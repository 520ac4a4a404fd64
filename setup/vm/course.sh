#!/usr/bin/env bash
# From a Debian tree to the course's machine: a kernel, vm/provision.sh, and a network as qemu offers it. Called by
# setup/vm/image.py.
#
# usage: course.sh TREE OUT SUITE      leaves OUT/vmlinuz and OUT/initrd
set -euo pipefail
tree=$1 out=$2 suite=$3
source=/usr/local/src/labkit
# shellcheck source=setup/vm/kernel.sh
source "$(dirname "$0")/kernel.sh"

identity() {
    echo labkit >"$tree/etc/hostname"
    printf '127.0.0.1 localhost labkit\n::1 localhost\n' >"$tree/etc/hosts"
    echo '/dev/vda / ext4 discard 0 0' >"$tree/etc/fstab" # a log is replayed by mounting; a check would only take time
    inside useradd --create-home --shell /bin/bash vagrant # as on all the course's machines
    echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$tree/etc/sudoers.d/vagrant"
    chmod 0440 "$tree/etc/sudoers.d/vagrant"
}

provision() { # how this machine reaches the package indexes is how the tree does, for as long as it is being made
    local name settings=()
    for name in http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
        [[ -z ${!name:-} ]] || settings+=("$name=${!name}")
    done
    if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
        cp /etc/ssl/certs/ca-certificates.crt "$tree/var/tmp/authorities"
        settings+=(PIP_CERT=/var/tmp/authorities)
    fi
    mkdir -p "$tree$source"
    tar -C "$tree$source" --no-same-owner -xf "$out/project.tar"
    inside "${settings[@]}" "$source/vm/provision.sh" --vm
    rm -f "$tree/var/tmp/authorities"
}

network() { # qemu's own, which is the same everywhere: nobody has to be asked for an address
    cat >"$tree/etc/systemd/network/10-qemu.network" <<'END'
[Match]
Name=eth0

[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
END
    echo nameserver 10.0.2.3 >"$tree/etc/resolv.conf"
    inside systemctl -q enable systemd-networkd.service
    # Nobody logs in at a screen that is not there; and what cares for a server would take an emulated processor away.
    inside systemctl -q mask getty@tty1.service "serial-getty@.service" apt-daily.timer apt-daily-upgrade.timer \
        e2scrub_all.timer e2scrub_reap.service man-db.timer dpkg-db-backup.timer systemd-networkd-wait-online.service
}

identity
kernel "$suite" "$out"
provision
network
