"""The pictures: drawn from facts by hand, their text compared whole, their drawing read as XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from labkit.errors import LabError
from labkit.steps.fact import Cgroup, CgroupMembership, Credentials, Fact, IdMap, Limit, Mount, Namespace, Process
from labkit.steps.snapshot import Snapshot
from labkit.view import pictures
from labkit.view.pictures import Picture, mount_tree

ALL = (1 << 41) - 1
HOSTILE = '</svg><script>alert("1")</script>&amp;\x1b[31m\u202e\udcff\n\0'
DRAW = [getattr(pictures, name) for name in pictures.PROBES]
SVG = "{http://www.w3.org/2000/svg}"


def spaces(*rows: tuple[str, str, str]) -> list[Fact]:
    """Namespaces by (name, parent, members)."""
    return [Namespace(n.partition("#")[0], n, "user#1", parent, tuple(who.split())) for n, parent, who in rows]


FAMILY: list[Fact] = [
    Process("init", (1,), "", "labkit:[host]"),
    Process("host", (2,), "init", "labkit:[zygote]"),
    Process("c1", (7, 1), "host", "sh"),
    Process("c2", (8, 2, 1), "c1", "sh"),
    Process("sleep#1", (9, 3, 2), "c2", "sleep", "zombie"),
    Process("web", (10, 1), "host", "nginx"),
]
SPACES = spaces(
    ("pid#1", "outside", "host init"), ("pid#2", "pid#1", "c1"), ("pid#3", "pid#2", "c2 sleep#1"),
    ("pid#4", "pid#1", "web"), ("uts#1", "", "host init web"), ("uts#2", "", "c1 c2 sleep#1"),
)  # fmt: skip


def numbers(count: int) -> list[Fact]:
    """A lab with many containers of two processes each, and hostile names in all of it."""
    facts: list[Fact] = [Process("init", (1,), "", "labkit:[host]"), *spaces(("pid#1", "outside", "init"))]
    for n in range(2, count // 2 + 2):
        names = (f"c{n}{HOSTILE}" if n == 5 else f"c{n}", f"日本語#{n}")
        facts += [Process(names[0], (n * 2, 1), "init", HOSTILE), Process(names[1], (n * 2 + 1, 2), names[0], "sleep")]
        facts += [
            Namespace(k, f"{k}#{n}", "user#1", "pid#1" * (k == "pid"), names) for k in ("pid", "uts", "net", "user")
        ]
        facts += [Credentials(names[0], (n, n, n, n), (0, 0, 0, 0), (), 1 << n, 1 << n, 0, ALL, 0)]
        facts += [IdMap(f"user#{n}", ((0, 65536 * n, 65536),), ((0, 65536 * n, 65536),), HOSTILE)]
        facts += [Cgroup(f"/{names[0]}"), Limit(f"/{names[0]}", HOSTILE, HOSTILE)]
        facts += [CgroupMembership(name, f"/{names[0]}") for name in names]
        facts += [
            Mount("/", "overlay", ns=f"mnt#{n}"),
            Mount(f"/{HOSTILE}", HOSTILE, ns=f"mnt#{n}", propagation=HOSTILE),
        ]
    return facts


def drawn(picture: Picture) -> ET.Element:
    """The drawing, read by an XML parser: it must be well-formed."""
    return ET.fromstring(picture.svg)


def letters(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


def test_the_namespace_map_shows_who_shares_what() -> None:
    held = Namespace("net", "net#4", "user#1", held_by=("mount /run/netns/blue",))
    picture = pictures.namespace_map([*FAMILY, *SPACES, held])
    assert (
        str(picture)
        == """\
process              uts    pid    net
init                 uts#1  pid#1  -
└─ host              uts#1  pid#1  -
   ├─ c1             uts#2  pid#2  -
   │  └─ c2          uts#2  pid#3  -
   │     └─ sleep#1  uts#2  pid#3  -
   └─ web            uts#1  pid#4  -
nobody is in net#4, held open by mount /run/netns/blue"""
    )
    boxes = [r for r in drawn(picture).iter(f"{SVG}rect") if r.get("class", "").startswith("lk-c1")]
    assert len(boxes) == 2, "uts#2 is one box over three rows, pid#2 a box of its own"


def test_the_pid_table_has_a_pid_on_every_level() -> None:
    picture = pictures.pid_table([*FAMILY, *SPACES])
    assert (
        str(picture)
        == """\
                  level 1  level 2  level 3
pid#1
   init           1
   host           2
   pid#2
      c1          7        1
      pid#3
         c2       8        2        1
         sleep#1  9        3        2
   pid#4
      web         10       1"""
    )
    assert [text for text in letters(drawn(picture)) if text.isdigit()].count("1") == 4, "four of them are a pid 1"


def test_the_process_tree_tells_new_namespaces_from_inherited_ones() -> None:
    text = str(pictures.process_tree([*FAMILY, *SPACES])).splitlines()
    assert text[3].split() == ["├─", "c1", "7", "sh", "uts#2*", "pid#2*"]
    assert text[4].split()[-2:] == ["uts#2", "pid#3*"]
    assert "sleep, zombie" in text[5]


MOUNTS: list[Fact] = [
    Mount("/", "overlay", propagation="shared with mnt#1:/"),
    Mount("/a, slave of b", "tmpfs", propagation="shared with mnt#1:/a, slave of b"),
    Mount("/proc", "proc", propagation="unbindable"),
    Mount("/sys/fs/cgroup", "cgroup2"),
    Mount("/sys", "sysfs"),
    Mount("/", "overlay", ns="mnt#2", propagation="slave of mnt#1:/"),
    Mount("/", "tmpfs", ns="mnt#2", layer=1),
    Mount("/x", "tmpfs", ns="mnt#2", propagation="shared with mnt#2:/x, slave of mnt#1:/a, slave of b"),
]


def test_the_mount_tree_says_where_news_travels() -> None:
    picture = pictures.mount_tree(MOUNTS)
    assert (
        str(picture)
        == """\
mnt#1
  /                 overlay  shared
  ├─ a, slave of b  tmpfs    shared
  ├─ proc           proc     unbindable
  └─ sys            sysfs    private
     └─ fs/cgroup   cgroup2  private
mnt#2
  /             overlay  slave of mnt#1:/
  └─ (over it)  tmpfs    private
     └─ x       tmpfs    shared, slave of mnt#1:/a, slave of b"""
    )
    assert letters(drawn(picture)).count("shared, slave") == 1, "a path may hold the words of the kernel"


def test_arrows_go_from_master_to_slave_and_both_ways_between_peers() -> None:
    from labkit.view.pictures.mount_news import news

    peer = Mount("/", "overlay", ns="mnt#3", propagation="shared with mnt#1:/")
    mounts = [m for m in (*MOUNTS, peer) if isinstance(m, Mount)]
    found = {(n.source.title, n.target.title, n.both) for n in news(mounts, ["mnt#1", "mnt#2", "mnt#3"])}
    assert found == {
        ("mount / in mnt#1", "mount / in mnt#3", True),
        ("mount / in mnt#1", "mount / in mnt#2", False),
        ("mount /a, slave of b in mnt#1", "mount /x in mnt#2", False),
    }


def test_a_mount_namespace_that_is_not_there_is_refused() -> None:
    with pytest.raises(LabError, match="no mount namespace mnt#9"):
        pictures.mount_tree(MOUNTS, namespaces=["mnt#9"])
    assert "mnt#1" not in str(pictures.mount_tree(MOUNTS, namespaces=["mnt#2"])).split("\n")[0]


def test_the_uid_ruler_maps_inside_to_outside() -> None:
    whole = ((0, 0, 2**32 - 1),)
    facts = [
        IdMap("user#1", whole, whole),
        IdMap("user#2", ((0, 100000, 65536),), ((0, 1000, 1),), "deny"),
        IdMap("user#3"),
    ]
    picture = pictures.uid_ruler(facts)
    assert (
        str(picture)
        == """\
user#1
  uid and gid  every number is itself
user#2 (setgroups denied)
  uid          inside 0…65535  =  outside 100000…165535  (65536)
  gid          inside 0  =  outside 1000
  an id outside that is in no row shows inside as 65534 (nobody)
user#3
  uid and gid  no map: everybody in it is 65534 (nobody)"""
    )
    assert {"0…65535", "100000…165535", "1000"} <= set(letters(drawn(picture)))


def test_a_map_of_340_rows_is_drawn_in_part_and_printed_whole() -> None:
    rows = tuple((n, 1000 + 2 * n, 1) for n in range(340))
    picture = pictures.uid_ruler([IdMap("user#2", rows, rows)])
    assert str(picture).count("inside") >= 340
    assert "and 332 rows more" in letters(drawn(picture))


def test_capability_lights_group_who_has_the_same() -> None:
    facts: list[Fact] = [
        *FAMILY,
        Credentials("init", (0, 0, 0, 0), (0,) * 4, (), ALL, ALL, 0, ALL, 0),
        Credentials("host", (0, 0, 0, 0), (0,) * 4, (), ALL, ALL, 0, ALL, 0),
        Credentials("web", (33, 33, 33, 33), (33,) * 4, (), 1 << 10, 1 << 10, 0, 1 << 41, 0, True),
    ]
    text = str(pictures.capability_lights(facts))
    assert text.splitlines()[0] == "init, host: uid 0"
    assert f"  effective   {'●' * 41}· 41" in text, "a capability newer than the table has a light too"
    assert "web: uid 33, no_new_privs" in text and "effective, permitted: net_bind_service" in text


@pytest.mark.parametrize("draw", DRAW)
def test_hostile_names_stay_letters(draw: Callable[..., Picture]) -> None:
    picture = draw(numbers(50))
    root = drawn(picture)  # a parser takes it: nothing broke out
    assert not list(root.iter(f"{SVG}script")) and not list(root.iter("script"))
    assert picture.html.count("<script") == picture.html.count("</script") == 2  # the drawing, and what puts it there
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", str(picture) + picture.html)
    picture.html.encode()


@pytest.mark.parametrize("draw", DRAW)
def test_fifty_processes_are_not_too_much_for_a_page(draw: Callable[..., Picture]) -> None:
    assert len(draw(numbers(50)).html) < 500_000


@pytest.mark.parametrize("draw", DRAW)
def test_nothing_to_draw_is_said(draw: Callable[..., Picture]) -> None:
    picture = draw([])
    assert str(picture).startswith("(no ")
    drawn(picture)


@pytest.mark.parametrize("draw", DRAW)
def test_order_of_facts_and_of_runs_does_not_matter(draw: Callable[..., Picture]) -> None:
    for facts in ([*FAMILY, *SPACES, *MOUNTS], numbers(10)):
        assert draw(facts).svg == draw(facts[::-1]).svg
        assert str(draw(facts)) == str(draw(facts[::-1]))


@pytest.mark.parametrize("draw", DRAW)
def test_a_bundle_is_text_first_and_a_named_picture(draw: Callable[..., Picture]) -> None:
    picture = draw(FAMILY)
    bundle = picture._repr_mimebundle_()
    assert list(bundle) == ["text/plain", "text/html"] and bundle["text/plain"] == str(picture)
    root = drawn(picture)
    assert root.get("role") == "img" and root.get("aria-label")
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert " id=" not in picture.svg, "several pictures share one page"


def test_a_snapshot_without_the_probe_is_refused_and_a_lab_is_asked() -> None:
    with pytest.raises(LabError, match="no facts of the probe namespaces"):
        pictures.namespace_map(Snapshot.of(["processes"], FAMILY))

    class Lab:
        def snapshot(self, *probes: str) -> Snapshot:
            self.asked = probes
            return Snapshot.of(probes, [*FAMILY, *SPACES])

    class Walk:
        lab = Lab()

    assert str(pictures.pid_table(Lab())) == str(pictures.pid_table(Walk()))
    assert Walk.lab.asked == pictures.PROBES["pid_table"]


def test_parents_in_a_circle_are_each_drawn_once() -> None:
    facts = [Process("a", (1,), "b", "x"), Process("b", (2,), "a", "x"), Process("c", (3,), "c", "x")]
    text = str(pictures.process_tree(facts))
    assert sorted(re.findall(r"\b[abc]\b", text)) == ["a", "b", "c"]


def test_three_mount_trees_wrap_so_that_their_letters_have_12_px_at_1024_by_768() -> None:
    """A notebook there has 820 px, JupyterLab as the course wants it letters of 15 px, the smallest here 11.5 of 13."""
    paths = {"/": "shared with mnt#1:/", "/run/lab/images/busybox": "private", "/var": "slave of mnt#1:/"}
    facts = [Mount(path, "overlay", ns=f"mnt#{n}", propagation=news) for n in (1, 2, 3) for path, news in paths.items()]
    picture = mount_tree(facts)
    width = float(drawn(picture).get("width", "nan"))
    assert min(15 / 13, 820 / width) * 11.5 >= 12
    assert all(f"mnt#{n}" in picture.svg for n in (1, 2, 3))
