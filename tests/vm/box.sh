#!/usr/bin/env bash
# Called with the tree, a directory, and the key: make the tree a machine that Vagrant can take over.
#
# What a box is: a disk that boots, an ssh server, a user vagrant with the key that everybody knows (Vagrant puts a key
# of its own in its place at once) and with sudo. See: developer.hashicorp.com/vagrant/docs/boxes/base
set -euo pipefail
tree=$1 key=$3

chroot "$tree" useradd --create-home --shell /bin/bash vagrant
install -d -m 0700 "$tree/home/vagrant/.ssh"
install -m 0600 "$key" "$tree/home/vagrant/.ssh/authorized_keys"
chroot "$tree" chown -R vagrant:vagrant /home/vagrant/.ssh
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$tree/etc/sudoers.d/vagrant"
chmod 0440 "$tree/etc/sudoers.d/vagrant"
echo UseDNS no >"$tree/etc/ssh/sshd_config.d/vagrant.conf"

echo labkit-box >"$tree/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 labkit-box\n' >"$tree/etc/hosts"
echo '/dev/vda / ext4 defaults,discard 0 1' >"$tree/etc/fstab"
cat >"$tree/etc/network/interfaces" <<'END'
auto lo eth0
iface lo inet loopback
iface eth0 inet dhcp
END

# How this machine reaches the package indexes is how the one inside it will: its own authorities and pip's settings.
if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$tree/usr/local/share/ca-certificates/"
    chroot "$tree" update-ca-certificates >/dev/null
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$tree/etc/pip.conf"
fi

mkdir -p "$tree/boot/extlinux"
cat >"$tree/boot/extlinux/extlinux.conf" <<'END'
DEFAULT debian
LABEL debian
  LINUX /vmlinuz
  INITRD /initrd.img
  APPEND root=/dev/vda rw net.ifnames=0 mitigations=off console=ttyS0 console=tty0
END
ls "$tree"/vmlinuz "$tree"/initrd.img
