"""The scenes of lesson 06: whose account, and the programs whose cost is put on it."""

from __future__ import annotations

from labkit.cgroups.places import ROOT

BAKERY, RADIO = f"{ROOT}/bakery", f"{ROOT}/radio"
COMPUTE = 'timeout 1 sh -c "while :; do :; done"'  #: in the program itself, and hardly in the kernel
COPY = "timeout 1 dd if=/dev/zero of=/dev/null bs=1M"  #: the other way round: the kernel fills memory with zeros
FILM, PATH = 32, "/srv/film"  #: MiB, and where it lies
RECORD = f"dd if=/dev/zero of={PATH} bs=1M count={FILM}"
PROGRAM = "/bin/busybox"  #: the largest file of the image
READ = f"dd if={PROGRAM} of=/dev/null bs=64k"
