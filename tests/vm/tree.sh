#!/usr/bin/env bash
# From a Debian tree to the machine that the tests boot: a student, Python's packages, kernels, and a unit that runs
# the job. Called by setup/vm/image.py.
#
# usage: tree.sh TREE OUT WHEELS NAME=SUITE...     leaves OUT/NAME/vmlinuz, initrd and release for each kernel
set -euo pipefail
tree=$1 out=$2 wheels=$3
shift 3

inside() { chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

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

kernel() { # NAME SUITE: the files of its packages, without what installing them would set in motion
    local scratch packages package release
    scratch=$(mktemp -d)
    mapfile -t packages < <(inside apt-get -s -t "$2" --no-install-recommends install \
        "linux-image-cloud-$(dpkg --print-architecture)" | sed -nE 's/^Inst (linux-(base|image|binary|modules)-[0-9][^ ]*).*/\1/p')
    inside sh -c 'mkdir /var/tmp/kernel && cd /var/tmp/kernel && apt-get -q download "$@"' - "${packages[@]}"
    for package in "$tree"/var/tmp/kernel/*.deb; do dpkg -x "$package" "$scratch"; done
    rm -r "$tree/var/tmp/kernel"
    find "$scratch" -path '*/lib/modules' -type d -exec cp -a {} "$tree/usr/lib/" \;
    release=$(basename "$(find "$scratch" -path '*/lib/modules/*' -prune -type d)")
    inside depmod "$release"
    mkdir -p "$out/$1"
    cp "$(find "$scratch" -name 'vmlinuz*' -type f -print -quit)" "$out/$1/vmlinuz"
    echo "$release" >"$out/$1/release"
    first_file_system "$release" >"$out/$1/initrd"
    rm -r "$scratch"
}

first_file_system() { # RELEASE: an initramfs that mounts the disk and hands over; the distribution's would take longer
    local room module path
    room=$(mktemp -d)
    mkdir -p "$room"/{bin,dev,proc,root,lib}
    cp "$tree/bin/busybox" "$room/bin/busybox"
    for module in sh mount umount insmod sleep reboot switch_root; do ln -s busybox "$room/bin/$module"; done
    for module in virtio_pci virtio_blk ext4; do
        inside modprobe --show-depends -S "$1" "$module" | sed -n 's/^insmod //p'
    done | awk '!seen[$1]++ { print $1 }' >"$room/paths"
    while read -r path; do
        path=$tree/$path
        case $path in
            *.xz) xz -dc "$path" ;;
            *.zst) zstd -dcq "$path" ;;
            *) cat "$path" ;;
        esac >"$room/lib/$(basename "$path" | sed 's/\.ko.*/.ko/')"
        basename "$path" | sed 's/\.ko.*/.ko/' >>"$room/lib/order"
    done <"$room/paths"
    touch "$room/lib/order"
    rm "$room/paths"
    cat >"$room/init" <<'END'
#!/bin/sh
export PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
while read -r module; do insmod "/lib/$module"; done </lib/order
n=0
until mount -t ext4 /dev/vda /root 2>/dev/null; do
    n=$((n + 1))
    [ "$n" -lt 100 ] || { echo "no root file system on /dev/vda"; reboot -f; }
    sleep 0.1
done
umount /proc
mount --move /dev /root/dev
exec switch_root /root /sbin/init
END
    chmod +x "$room/init"
    (cd "$room" && find . | cpio -o -H newc --quiet | gzip -1)
    rm -r "$room"
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
    kernel "${1%%=*}" "${1#*=}"
    shift
done
the_job
