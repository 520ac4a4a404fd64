"""The queues before the links: what the kernel says of those that somebody has put there.

Every link that sends has a queue, and who wants it otherwise puts another in its place, a queueing discipline
("qdisc"). Those that the kernel chooses itself have no handle, and are left out: they differ from machine to machine.

See: tc(8), tc-tbf(8), tc-htb(8), rtnetlink(7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.linux import rates
from labkit.linux.constants import TC_H_ROOT
from labkit.linux.netlink_text import handle

#: link, parent, kind, handle, bits a second, burst and limit in bytes, class for what no filter sends elsewhere
Qdisc = tuple[str, str, str, str, int, int, int, str]
#: link, handle, parent, bits a second, what it may borrow up to, burst in bytes
Class = tuple[str, str, str, int, int, int]


def qdisc(message: Any, names: Mapping[int, str]) -> Qdisc:
    """A queue from its decoded message; the numbers are zero where its kind has none."""
    kind, number = str(message.get_attr("TCA_KIND")), message["handle"]
    found = message.get_attr("TCA_OPTIONS")
    options = dict(found["attrs"]) if found and kind in ("tbf", "htb") else {}
    rate, burst, limit, default = 0, 0, 0, ""
    if tbf := options.get("TCA_TBF_PARMS"):
        rate, limit = tbf["rate"] * 8, tbf["limit"]
        burst = rates.size(rate, tbf["buffer"])
    if htb := options.get("TCA_HTB_INIT"):
        default = handle(number | htb["defcls"])
    return names[message["index"]], place(message["parent"]), kind, handle(number), rate, burst, limit, default


def htb_class(message: Any, names: Mapping[int, str]) -> Class:
    """A class of a tree from its decoded message."""
    found = dict(message.get_attr("TCA_OPTIONS")["attrs"])["TCA_HTB_PARMS"]
    rate, ceil = found["rate"] * 8, found["ceil"] * 8
    number, above = message["handle"], message["parent"]
    parent = handle(number & 0xFFFF0000 if above == TC_H_ROOT else above)
    return names[message["index"]], handle(number), parent, rate, ceil, rates.size(rate, found["buffer"])


def place(parent: int) -> str:
    """Where a queue hangs, as tc says it."""
    return "root" if parent == TC_H_ROOT else handle(parent)
