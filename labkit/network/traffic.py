"""What has gone over a container's link, as the kernel counts it: the metering of the network.

The counters of a link count what went through it, after the queue before it; what a full queue dropped, only the queue
knows. For what a container receives that is the queue at the other end, in the lab host.

See: ip-link(8) "-statistics", tc(8) "-statistics", <linux/if_link.h> "rtnl_link_stats64".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.steps.display import Shown

Counters = Mapping[str, int]


@dataclass(frozen=True)
class Traffic(Shown):
    """Bytes (with the headers of all layers), packets and drops since the link was made, as the container sees it."""

    received_bytes: int
    received_packets: int
    received_drops: int
    sent_bytes: int
    sent_packets: int
    sent_drops: int

    @classmethod
    def of(cls, inside: Counters, outside: Counters) -> Traffic:
        """From the counters of both ends: the container's, and the one in the lab host."""
        return cls(
            inside["rx_bytes"], inside["rx_packets"], inside["rx_dropped"] + outside["queue_dropped"],
            inside["tx_bytes"], inside["tx_packets"], inside["tx_dropped"] + inside["queue_dropped"],
        )  # fmt: skip

    def __str__(self) -> str:
        rows = (
            ("received", self.received_bytes, self.received_packets, self.received_drops),
            ("sent", self.sent_bytes, self.sent_packets, self.sent_drops),
        )
        return "\n".join(
            f"{word:9} {size / 10**6:.3f} MB in {packets} packets, {drops} dropped on the way"
            for word, size, packets, drops in rows
        )
