"""Requests for ioctl(2): what one may ask a namespace, a terminal or a network interface.

A request is a packed word: two bits of direction, fourteen of size, a byte that names the driver and a
byte that counts. ``_IO(0xb7, 1)`` is therefore 0xb701. The terminals' requests are older than the scheme.

See: ioctl(2), ioctl_ns(2), ioctl_tty(2), netdevice(7), <linux/nsfs.h>, <asm-generic/ioctls.h>.
"""

from __future__ import annotations

NS_GET_USERNS = 0xB701
NS_GET_PARENT = 0xB702
NS_GET_NSTYPE = 0xB703
NS_GET_OWNER_UID = 0xB704
#: Linux 6.11: the 64-bit id of a mount namespace, which is never used again.
NS_GET_MNTNS_ID = 0x8008B705

TCGETS = 0x5401
TCSETS = 0x5402
TCSETSW = 0x5403
TCSETSF = 0x5404
TIOCEXCL = 0x540C
TIOCSCTTY = 0x540E
TIOCGPGRP = 0x540F
TIOCSPGRP = 0x5410
TIOCSTI = 0x5412
TIOCGWINSZ = 0x5413
TIOCSWINSZ = 0x5414
FIONREAD = 0x541B
TIOCNOTTY = 0x5422
TIOCGSID = 0x5429
TIOCGPTN = 0x80045430
TIOCSPTLCK = 0x40045431
TIOCGPTPEER = 0x5441

SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
SIOCGIFINDEX = 0x8933
#: The network namespace in which a socket was born, as a file descriptor.
SIOCGSKNS = 0x894C
