"""Words of the language in which one speaks with the kernel's network stack: messages, flags, attributes.

A message has a type (RTM_…), flags (NLM_F_…), a structure of fixed size, then attributes: each a number (IFLA_… of a
link, IFA_… of an address, TCA_… of a queue), a length and a value, which may be attributes again.

See: netlink(7), rtnetlink(7), <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_link.h>, <linux/pkt_sched.h>.
"""

from __future__ import annotations

NLMSG_ERROR = 2
NLMSG_DONE = 3

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_ROOT = 0x100
NLM_F_MATCH = 0x200
NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH
#: The same two bits, in a request that makes something.
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_GETROUTE = 26
RTM_NEWQDISC = 36
RTM_DELQDISC = 37
RTM_GETQDISC = 38
RTM_NEWTCLASS = 40
RTM_DELTCLASS = 41
RTM_GETTCLASS = 42

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_LINKINFO = 18
IFLA_NET_NS_PID = 19
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
VETH_INFO_PEER = 1

IFA_ADDRESS = 1
IFA_LOCAL = 2

TCA_KIND = 1
TCA_OPTIONS = 2
TCA_TBF_PARMS = 1
TCA_TBF_BURST = 6
TCA_HTB_PARMS = 1
TCA_HTB_INIT = 2
#: Where the first queue of a link hangs: below nothing.
TC_H_ROOT = 0xFFFFFFFF
TC_LINKLAYER_ETHERNET = 1
