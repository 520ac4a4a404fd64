# shellcheck shell=bash
# A kernel from Debian's packages into a tree that is being made, and what boots it. Sourced by scripts that
# setup/vm/image.py calls, with `tree` set.
: "${tree:?}"

inside() { chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }

kernel() { # SUITE OUT: the files of its packages, without what installing them would set in motion
    local scratch packages package release
    scratch=$(mktemp -d)
    mapfile -t packages < <(inside apt-get -s -t "$1" --no-install-recommends install \
        "linux-image-cloud-$(dpkg --print-architecture)" | sed -nE 's/^Inst (linux-(base|image|binary|modules)-[0-9][^ ]*).*/\1/p')
    inside sh -c 'mkdir /var/tmp/kernel && cd /var/tmp/kernel && apt-get -q download "$@"' - "${packages[@]}"
    for package in "$tree"/var/tmp/kernel/*.deb; do dpkg -x "$package" "$scratch"; done
    rm -r "$tree/var/tmp/kernel"
    find "$scratch" -path '*/lib/modules' -type d -exec cp -a {} "$tree/usr/lib/" \;
    release=$(basename "$(find "$scratch" -path '*/lib/modules/*' -prune -type d)")
    inside depmod "$release"
    [[ -d $2 ]] || mkdir -m 0777 "$2" # without root, its files belong to another user id than who removes them
    cp "$(find "$scratch" -name 'vmlinuz*' -type f -print -quit)" "$2/vmlinuz"
    echo "$release" >"$2/release"
    first_file_system "$release" >"$2/initrd"
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
