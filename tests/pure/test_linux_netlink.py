"""Messages to the network stack: what labkit puts together, pyroute2 reads as it was meant, and so does the reader."""

from __future__ import annotations

import json
import struct
import sys
from ipaddress import IPv4Interface
from typing import Any

import pytest
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from labkit.agent.actor import resolve
from labkit.agent.wire import pack
from labkit.linux import netlink, netlink_text, rates, requests
from labkit.linux.answers import link_in, refusal
from labkit.linux.calls import Index, Packed, Pid, Ret
from labkit.linux.constants import EEXIST, RTM_DELQDISC, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWQDISC, TC_H_ROOT
from labkit.steps.backends.tape import told
from labkit.steps.call import Call, render
from labkit.steps.merge import shifted

VETH = requests.veth("veth-c1", "02:00:0a:09:00:01", "eth0", "02:00:0a:09:00:02", "c1")
ADDRESS = requests.address(IPv4Interface("10.9.0.2/24"))
BUCKET = requests.tbf(0x10000, rate=8_000_000, burst=16384, limit=66384)
TREE = requests.htb(0x10000, default=0x20)
CLASS = requests.htb_class(0x10020, 0x10000, rate=4_000_000, ceil=8_000_000, burst=16384)


def read(message: bytes) -> Any:
    (found,) = MarshalRtnl().parse(message)
    assert len(message) == struct.unpack_from("=I", message)[0] and not len(message) % 4
    return found


def filled(message: Packed, **known: Any) -> bytes:
    """As the executing process fills it in."""
    raw = resolve(pack(message), [], {}, known.get("pids", {}), known.get("links", {}))
    assert isinstance(raw, bytes)
    return raw


def test_pyroute2_reads_a_pair_of_links_as_it_was_meant() -> None:
    found = read(filled(VETH, pids={"c1": 4711}))
    info = found.get_attr("IFLA_LINKINFO")
    peer = info.get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")
    assert found["header"]["type"] == RTM_NEWLINK and info.get_attr("IFLA_INFO_KIND") == "veth"
    assert found.get_attr("IFLA_IFNAME") == "veth-c1" and found.get_attr("IFLA_ADDRESS") == "02:00:0a:09:00:01"
    assert peer.get_attr("IFLA_IFNAME") == "eth0" and peer.get_attr("IFLA_ADDRESS") == "02:00:0a:09:00:02"
    assert peer.get_attr("IFLA_NET_NS_PID") == 4711


def test_pyroute2_reads_links_and_addresses_as_they_were_meant() -> None:
    up, down = read(requests.set_link("eth0", up=True)), read(requests.set_link("eth0", up=False))
    assert (up["flags"], up["change"], down["flags"], down["change"]) == (1, 1, 0, 1)
    assert up.get_attr("IFLA_IFNAME") == read(requests.remove_link("eth0")).get_attr("IFLA_IFNAME") == "eth0"
    assert read(requests.loopback_up())["index"] == 1
    found = read(ADDRESS)
    assert (found["header"]["type"], found["prefixlen"]) == (RTM_NEWADDR, 24)
    assert found.get_attr("IFA_LOCAL") == found.get_attr("IFA_ADDRESS") == "10.9.0.2"


def test_pyroute2_reads_a_bucket_as_it_was_meant() -> None:
    found = read(BUCKET)
    told = dict(found.get_attr("TCA_OPTIONS")["attrs"])["TCA_TBF_PARMS"]
    assert (found["header"]["type"], found["handle"], found["parent"]) == (RTM_NEWQDISC, 0x10000, TC_H_ROOT)
    assert found.get_attr("TCA_KIND") == "tbf"
    assert (told["rate"], told["limit"]) == (1_000_000, 66384)
    assert told["buffer"] * 64 == 16_384_000, "nanoseconds: a million bytes a second, a microsecond each"
    assert struct.pack("=HHI", 8, 6, 16384) in BUCKET, "TCA_TBF_BURST, which pyroute2 does not know"
    gone = read(requests.remove_qdisc())
    assert (gone["header"]["type"], gone["parent"]) == (RTM_DELQDISC, TC_H_ROOT)


def test_pyroute2_reads_a_tree_and_its_class_as_they_were_meant() -> None:
    tree = dict(read(TREE).get_attr("TCA_OPTIONS")["attrs"])["TCA_HTB_INIT"]
    assert (tree["version"], tree["defcls"], tree["rate2quantum"]) == (3, 0x20, 10)
    found = read(CLASS)
    told = dict(found.get_attr("TCA_OPTIONS")["attrs"])["TCA_HTB_PARMS"]
    assert (found["handle"], found["parent"]) == (0x10020, 0x10000)
    assert (told["rate"], told["ceil"]) == (500_000, 1_000_000)
    assert (told["buffer"] * 64, told["cbuffer"] * 64) == (32_768_000, 16_384_000)


def test_the_number_of_a_link_is_filled_in_from_what_the_kernel_answered() -> None:
    calls = list(netlink.ask_about("eth0", BUCKET))
    assert [call.name for call in calls] == ["socket", "bind", "sendto", "recvfrom", "sendto", "recvfrom", "close"]
    wanted = calls[4].args[1]
    assert read(filled(wanted, links={3: 44}))["index"] == 44
    with pytest.raises(KeyError):
        filled(wanted)
    answer = struct.pack("=IHHIIBxHiII", 32, RTM_NEWLINK, 0, 0, 0, 0, 1, 44, 0, 0)
    no = struct.pack("=IHHIIi", 36, 2, 0, 0, 0, -19) + BUCKET[:12]
    assert (link_in(answer), link_in(no), link_in(b"")) == (44, 0, 0), "never a number out of a refusal"
    assert refusal(no) == 19 and refusal(answer) == 0


def test_references_in_a_message_are_shifted_with_the_calls() -> None:
    one = tuple(netlink.ask_about("eth0", ADDRESS))
    both = shifted([one, one])
    assert both[7 + 4].args[0] == Ret(7)
    assert [part for part in both[7 + 4].args[1].parts if isinstance(part, Index)] == [Index(7 + 3)]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (requests.loopback_up(), "{RTM_SETLINK, NLM_F_REQUEST|NLM_F_ACK, {ifi_index=1, ifi_flags=IFF_UP}}"),
        (requests.remove_link("eth0"), '{RTM_DELLINK, NLM_F_REQUEST|NLM_F_ACK, IFLA_IFNAME="eth0"}'),
        (VETH, '{IFLA_IFNAME="eth0", IFLA_ADDRESS=02:00:0a:09:00:02, IFLA_NET_NS_PID=pid of c1}'),
        (ADDRESS, "{ifa_family=AF_INET, ifa_prefixlen=24}, IFA_LOCAL=10.9.0.2, IFA_ADDRESS=10.9.0.2}"),
        (BUCKET, "TCA_OPTIONS={TCA_TBF_PARMS={rate=1000000, limit=66384, buffer=256000}, TCA_TBF_BURST=16384}}"),
        (TREE, 'TCA_KIND="htb", TCA_OPTIONS={TCA_HTB_INIT={version=3, rate2quantum=10, defcls=32}}}'),
        (CLASS, "{tcm_handle=1:20, tcm_parent=1:}, "),
        (CLASS, "TCA_HTB_PARMS={rate=500000, ceil=1000000, buffer=512000, cbuffer=256000}"),
        (list(netlink.ask_about("eth0", BUCKET))[4].args[1], "{tcm_ifindex=number of that link, tcm_handle=1:, "),
        (b"hello", ""),
        (b"", ""),
        (struct.pack("=IHHII", 16, 2, 0, 0, 0), ""),
    ],
)
def test_a_message_reads_as_what_it_asks_for(message: bytes | Packed, words: str) -> None:
    assert words in netlink_text.words(message) and bool(words) == bool(netlink_text.words(message))


def test_a_call_shows_the_message_and_its_length() -> None:
    sent = list(netlink.ask_about("eth0", BUCKET))[4]
    shown = render(sent.name, sent.args)
    assert shown.startswith("sendto(fd, {RTM_NEWQDISC, ") and shown.endswith(f"}}, {len(BUCKET)}, 0, NULL, 0)")
    answered = Call.from_row("host", list(netlink.ask(BUCKET))[3], [36, EEXIST, 1, None])
    assert str(answered).endswith(" = 36, and it says EEXIST") and answered.failed


def test_a_recording_can_keep_the_message_with_its_holes() -> None:
    calls = [told(call) for call in netlink.ask_about("eth0", BUCKET)]
    assert json.loads(json.dumps(calls)) == calls
    assert {"index": 3} in calls[4][1]["packed"]


def test_bytes_are_laid_out_in_the_order_of_this_machine() -> None:
    assert filled(Packed((b"a", Pid("c1"))), pids={"c1": 1}) == b"a" + (1).to_bytes(4, sys.byteorder)


@pytest.mark.parametrize(
    ("given", "bits"),
    [("8M", 8_000_000), ("8Mbit", 8_000_000), ("1.5 mbit/s", 1_500_000), ("64k", 64_000), (8_000, 8_000),
     ("1G", 10**9), (1e6, 10**6), ("32G", 32 * 10**9)],
)  # fmt: skip
def test_a_rate_counts_bits_in_thousands(given: object, bits: int) -> None:
    assert rates.bits("rate", given) == bits


@pytest.mark.parametrize("rate", [8_000, 64_000, 1_500_000, 8_000_000, 10**9, 32 * 10**9])
def test_a_rate_reads_as_it_was_written(rate: int) -> None:
    assert rates.bits("rate", rates.shown(rate).replace(" ", "")) == rate


@pytest.mark.parametrize("rate", [8_000, 777_777, 8_000_000, 123_456_784, 10**9, 32 * 10**9])
@pytest.mark.parametrize("burst", [1514, 16_384, 99_999])
def test_a_burst_comes_back_from_the_kernels_clock_as_one_that_stays(rate: int, burst: int) -> None:
    told = rates.size(rate, rates.ticks(rate, burst))
    assert burst - rate * 64 // 8 // 10**9 - 1 <= told <= burst
    assert rates.size(rate, rates.ticks(rate, told)) == told
