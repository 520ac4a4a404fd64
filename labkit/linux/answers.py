"""What the network stack answers, as far as the process that asked has to know it: whether it was no, and which link.

Kept apart from `labkit.linux.netlink`, because that process imports as little as it can.

See: netlink(7) "nlmsgerr", rtnetlink(7).
"""

from __future__ import annotations

import sys

_ERROR, _NEWLINK = 2, 16  # NLMSG_ERROR, RTM_NEWLINK


def refusal(answer: bytes) -> int:
    """The errno in an acknowledgement; 0 for one that says yes, or for another message."""
    return -_int(answer[16:20]) if _kind(answer) == _ERROR else 0


def link_in(answer: bytes) -> int:
    """The number of the link that an answer tells of; 0 if it tells of none."""
    return _int(answer[20:24]) if _kind(answer) == _NEWLINK else 0


def _kind(answer: bytes) -> int:
    return _int(answer[4:6]) if len(answer) >= 20 else 0


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, sys.byteorder, signed=True)
