#!/usr/bin/env bash
# From a Debian tree to the machine that the tests boot: a student, Python's packages, kernels, and a unit that runs
# the job. Called by setup/vm/image.py.
#
# usage: tree.sh TREE OUT WHEELS NAME=SUITE...     leaves OUT/NAME/vmlinuz, initrd and release for each kernel
set -euo pipefail
tree=$1 out=$2 wheels=$3
shift 3

# shellcheck source=setup/vm/kernel.sh
source "$(dirname "$0")/kernel.sh"

student() {
    inside useradd --create-home --shell /bin/bash --uid 1000 student
    echo vm >"$tree/etc/hostname"
    printf '127.0.0.1 localhost vm\n' >"$tree/etc/hosts"
    : >"$tree/etc/fstab"
}

python_packages() {
    local list=()
    cp -r "$wheels" "$tree/root/wheels"
    mapfile -t list <"$wheels/requirements"
    inside python3 -m venv /opt/venv
    inside /opt/venv/bin/pip install -q --disable-pip-version-check --no-index --find-links /root/wheels "${list[@]}"
    rm -r "$tree/root/wheels"
    # As `pip install -e` would; where the project lies is known, its code comes with the job.
    echo /home/student/labkit >"$(echo "$tree"/opt/venv/lib/python3.*/site-packages)/labkit.pth"
}

the_job() {
    cat >"$tree/etc/systemd/system/job.service" <<'END'
[Unit]
Description=the job on /dev/vdb

[Service]
ExecStart=/bin/bash -c 'tar -C /home/student -xf /dev/vdb && exec bash /home/student/job/run.sh'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
Delegate=yes
# What the job says is all that the console shows, and its end is the machine's.
ExecStopPost=/bin/systemctl poweroff --force --force

[Install]
WantedBy=multi-user.target
END
    inside systemctl -q enable job.service
    # The console belongs to the job; nothing shall begin by itself while tests look at the machine.
    inside systemctl -q mask serial-getty@ttyS0.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer \
        e2scrub_all.timer fstrim.timer man-db.timer dpkg-db-backup.timer systemd-networkd-wait-online.service \
        systemd-tmpfiles-clean.timer systemd-timesyncd.service
}

student
python_packages
while (($#)); do
    kernel "${1#*=}" "$out/${1%%=*}"
    shift
done
the_job
