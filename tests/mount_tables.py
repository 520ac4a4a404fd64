"""Mount tables of many machines, as far as cgroups are concerned: the form of /proc/PID/mountinfo."""

ROOT = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:20 / /sys rw - sysfs sysfs rw\n"
#: A Debian of today.
V2 = ROOT + "30 2 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#: systemd's "hybrid", as on older machines.
HYBRID = (
    ROOT
    + "31 2 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec - tmpfs tmpfs ro,mode=755\n"
    + "32 31 0:29 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n"
    + "33 31 0:30 / /sys/fs/cgroup/systemd rw,nosuid - cgroup cgroup rw,xattr,name=systemd\n"
    + "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
)
V1 = "\n".join(line for line in HYBRID.split("\n") if "cgroup2" not in line)
#: WSL 2 with its own kernel: version 1 beside an unified tree, drives of Windows with a space in the source.
WSL2 = (
    "60 54 8:32 / / rw,relatime - ext4 /dev/sdc rw,discard,errors=remount-ro\n"
    r"61 60 0:27 / /mnt/c rw,noatime - 9p C:\134 rw,dirsync,aname=drvfs;path=C:\134;uid=1000" + "\n"
    r"62 60 0:28 / /mnt/my\040drive rw,noatime - 9p drvfs rw" + "\n"
    "79 60 0:22 / /sys rw,nosuid - sysfs sysfs rw\n"
    "80 79 0:33 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755\n"
    "81 80 0:34 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    "82 80 0:35 / /sys/fs/cgroup/cpuset rw,nosuid - cgroup cgroup rw,cpuset\n"
)
#: In a Docker container with a cgroup namespace of its own: read-only, and the root is ours.
DOCKER = (
    "700 600 0:50 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w\n"
    "701 700 0:51 / /proc rw - proc proc rw\n"
    "702 700 0:52 / /sys ro - sysfs sysfs ro\n"
    "703 702 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
)
#: The same without one (--cgroupns=host): the mount shows a part of the tree, and so does the path.
DOCKER_HOSTNS = DOCKER.replace("703 702 0:26 / /sys", "703 702 0:26 /system.slice/docker-4f.scope /sys")
