"""A Vagrant box for libvirt, made of Debian packages by name: `python tests/vm/box.py KEY BOX`, as root.

See: vagrant-libvirt "box format", extlinux(1).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "setup/vm"))

import image  # noqa: E402

GIGABYTES = 6
PACKAGES = (
    "linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", "zstd",
    "openssh-server", "sudo", "ifupdown", "isc-dhcp-client", "iproute2", "ca-certificates", "e2fsprogs",
)  # fmt: skip


def make(key: Path, box: Path) -> None:
    """Write `box`, whose user vagrant knows `key`."""
    with tempfile.TemporaryDirectory(dir=box.parent) as scratch:
        here = Path(scratch)
        recipe = image.Recipe(
            release="bookworm", packages=PACKAGES, script=Path(__file__).with_name("box.sh"),
            arguments=(str(key),), size=f"{GIGABYTES}G",
        )  # fmt: skip
        image.build(recipe, here / "tree", box.with_suffix(".log"))
        disk = here / "tree/disk.img"
        make_bootable(disk, here / "mounted")
        run("qemu-img", "convert", "-O", "qcow2", "-c", str(disk), str(here / "box.img"))
        told = {"provider": "libvirt", "format": "qcow2", "virtual_size": GIGABYTES}
        (here / "metadata.json").write_text(json.dumps(told))
        (here / "Vagrantfile").write_text('Vagrant.configure("2") { |config| config.ssh.username = "vagrant" }\n')
        run("tar", "-C", scratch, "-czf", str(box), "metadata.json", "Vagrantfile", "box.img")


def make_bootable(disk: Path, where: Path) -> None:
    """The boot loader goes into the first kilobyte, which ext4 leaves free: there is no partition table to need."""
    where.mkdir()
    run("mount", "-o", "loop", str(disk), str(where))
    try:
        run("extlinux", "--install", str(where / "boot/extlinux"))
    finally:
        run("umount", str(where))


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
