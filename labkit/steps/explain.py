"""Why a call usually fails like this, and where to look next: (call, errno) turned into a lesson.

Each entry is a sentence from the call's manual page or from the kernel's source, said in terms of what
the student can do. What is not in the table gets the manual page.
"""

# ruff: noqa: E501  # a row of the table is one sentence on one line

from __future__ import annotations

from labkit.errors import StepError
from labkit.linux.constants import (
    E2BIG,
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    EBUSY,
    EEXIST,
    EINVAL,
    ENAMETOOLONG,
    ENODEV,
    ENOENT,
    ENOEXEC,
    ENOSPC,
    ENOSYS,
    ENOTDIR,
    ENOTEMPTY,
    EOPNOTSUPP,
    EPERM,
    ERANGE,
    EROFS,
    ESRCH,
    EUSERS,
)
from labkit.steps.step import Step

TABLE: dict[tuple[str, int], tuple[str, str]] = {
    ("pivot_root", EINVAL): ("the new root is not a mount point, or its parent mount is shared; bind it on itself and make / private",
                             "findmnt -o TARGET,PROPAGATION"),
    ("pivot_root", EBUSY): ("the new root or the old one's place is the current root", "findmnt /"),
    ("pivot_root", ENOTDIR): ("both arguments must be directories", "ls -ld of both"),
    ("unshare", EINVAL): ("the process has several threads, or the kernel lacks that kind of namespace", "ls /proc/self/ns"),
    ("unshare", EPERM): ("without CAP_SYS_ADMIN only a user namespace can be made; make that first", "grep Cap /proc/self/status"),
    ("unshare", ENOSPC): ("the limit for this kind of namespace is reached", "sysctl user"),
    ("clone3", EPERM): ("without CAP_SYS_ADMIN only a user namespace can be made; make that first", "grep Cap /proc/self/status"),
    ("clone3", EINVAL): ("flags that exclude each other, or a kind of namespace that this kernel lacks", "ls /proc/self/ns"),
    ("clone3", ENOSPC): ("namespaces are nested too deep (32 levels), or their limit is reached", "sysctl user"),
    ("clone3", EUSERS): ("user namespaces are nested too deep (32 levels)", "sysctl user.max_user_namespaces"),
    ("clone3", EAGAIN): ("no room for one more process: in its cgroup or one above (pids.max), or for this user (RLIMIT_NPROC)",
                         "cat pids.max pids.current; ulimit -u"),
    ("clone3", EBUSY): ("the cgroup cannot take processes: it hands controllers to its children", "cat cgroup.subtree_control"),
    ("setns", EINVAL): ("not a namespace of that kind, or one that this process may not enter (it is in it already: user)", "ls -l /proc/self/ns"),
    ("setns", EPERM): ("CAP_SYS_ADMIN is missing in the namespace to be entered", "grep Cap /proc/self/status"),
    ("bind", EADDRINUSE): ("another socket has this port on this address; it may belong to anybody in this network namespace",
                           "print(lab.snapshot('net'))"),
    ("bind", EADDRNOTAVAIL): ("no interface of this network namespace has that address", "ip address"),
    ("recvfrom", ENODEV): ("there is no link of that name in this network namespace", "print(lab.snapshot('net')); ip link"),
    ("recvfrom", EEXIST): ("it is there already: a link or a class of that name, or the address on that link", "print(lab.snapshot('net'))"),
    ("recvfrom", ENOENT): ("there is nothing of that kind to change or to remove, or this kernel has no such queue", "tc qdisc show"),
    ("recvfrom", ESRCH): ("the process whose network namespace was meant has gone", "print(lab.snapshot('processes'))"),
    ("recvfrom", EADDRNOTAVAIL): ("that link has no such address", "print(lab.snapshot('net')); ip address"),
    ("recvfrom", EINVAL): ("a queue of another kind is at that place, or a number that this kind does not take", "tc qdisc show"),
    ("recvfrom", EPERM): ("CAP_NET_ADMIN is missing in the user namespace to which this network namespace belongs", "grep Cap /proc/self/status"),
    ("bpf", EPERM): ("a program about devices takes CAP_SYS_ADMIN (or CAP_BPF with CAP_NET_ADMIN) in the first user namespace; or the "
                     "cgroup above has one that may not be added to", "grep CapEff /proc/self/status"),
    ("bpf", EINVAL): ("the kernel was built without CONFIG_CGROUP_BPF, or its verifier does not take the program", "zgrep BPF /proc/config.gz"),
    ("bpf", ENOSYS): ("the kernel was built without CONFIG_BPF_SYSCALL", "zgrep BPF /proc/config.gz"),
    ("bpf", ENOENT): ("no program of this kind is attached to that cgroup", "bpftool cgroup show PATH"),
    ("mount", ENOENT): ("the target or the source does not exist", "ls -ld of both"),
    ("mount", ENODEV): ("this kernel has no such file system", "cat /proc/filesystems"),
    ("mount", EPERM): ("a user namespace may not mount this, or a complete /proc or /sys is not visible to it", "cat /proc/self/mountinfo"),
    ("mount", EINVAL): ("an option the file system does not know, or a target that is not a mount point", "dmesg | tail"),
    ("mount", EBUSY): ("it is mounted already, or files on it are open for writing", "findmnt; fuser -vm TARGET"),
    ("umount2", EINVAL): ("this is not a mount point, or it is locked because it came from a more privileged namespace", "findmnt TARGET"),
    ("umount2", EBUSY): ("somebody's current directory, root or open file is on it", "fuser -vm TARGET; or MNT_DETACH"),
    ("mkdirat", EEXIST): ("it is there already", "ls -ld"),
    ("mkdirat", ENOENT): ("the directory above it is missing", "ls -ld"),
    ("unlinkat", ENOTEMPTY): ("only an empty directory can be removed", "ls -A PATH"),
    ("unlinkat", EBUSY): ("something is mounted there; or it is a cgroup, and a process is in it (a killed one takes a moment to go)",
                          "findmnt PATH; cat PATH/cgroup.procs"),
    ("mknodat", EPERM): ("making devices needs CAP_MKNOD in the first user namespace", "bind the machine's own device instead"),
    ("openat", ENOENT): ("no such file in this process's view of the file system", "print(lab.facts('root', 'mounts'))"),
    ("openat", EACCES): ("the file's owner and mode do not let this uid in", "ls -l; id"),
    ("openat", EROFS): ("the mount through which this path goes is read-only; through another one the same files may be writable",
                        "findmnt -T PATH"),
    ("openat", EPERM): ("the file is there, but this process lacks the capability for it", "grep Cap /proc/self/status"),
    ("write", EPERM): ("a map is written once only, by a process with CAP_SETUID in the parent user namespace, and an unprivileged gid_map "
                       "needs setgroups denied before", "cat /proc/PID/uid_map /proc/PID/setgroups"),
    ("write", EINVAL): ("the kernel takes this file whole or not at all, and this line is not in its format", "the file's manual page"),
    ("write", EBUSY): ("processes live in this cgroup, so it cannot hand controllers to its children", "cat cgroup.procs"),
    ("write", EOPNOTSUPP): ("in a threaded tree a cgroup takes nobody in until it is threaded itself, and hands no memory or io down",
                            "cat cgroup.type here and above"),
    ("write", ENOENT): ("the cgroup has not got that controller: its parent does not hand it down", "cat cgroup.controllers"),
    ("write", ERANGE): ("a number that is less or more than the kernel takes there", "the file's manual page"),
    ("sethostname", EINVAL): ("a host name has at most 64 bytes", "echo -n NAME | wc -c"),
    ("sethostname", EPERM): ("CAP_SYS_ADMIN is missing in the owner of this uts namespace", "readlink /proc/self/ns/uts"),
    ("chdir", ENOENT): ("no such directory in this root file system", "ls -ld PATH"),
    ("chdir", ENOTDIR): ("that is a file, or lies below one", "ls -ld PATH"),
    ("chdir", EACCES): ("a directory on the way does not let this uid in", "ls -ld; id"),
    ("execve", ENOENT): ("no such program in this root file system, or its loader (the first line's interpreter) is missing", "ls -l; file PROGRAM"),
    ("execve", EACCES): ("not executable, or on a mount with noexec", "ls -l; findmnt -T PROGRAM"),
    ("execve", ENOEXEC): ("neither an ELF file of this architecture nor a script with #!", "file PROGRAM"),
    ("execve", E2BIG): ("one argument over 128 KiB, or all of them over a quarter of the stack limit", "getconf ARG_MAX"),
    ("execve", ENAMETOOLONG): ("a path has at most 4095 bytes", "echo -n PATH | wc -c"),
    ("setresuid", EINVAL): ("this uid has no number in the user namespace", "cat /proc/self/uid_map"),
    ("setresgid", EINVAL): ("this gid has no number in the user namespace", "cat /proc/self/gid_map"),
    ("setgroups", EPERM): ("setgroups is denied in this user namespace, or CAP_SETGID is missing", "cat /proc/self/setgroups"),
    ("prctl", EPERM): ("the capability for it is missing", "grep Cap /proc/self/status"),
    ("chroot", EPERM): ("CAP_SYS_CHROOT is missing", "grep Cap /proc/self/status"),
}  # fmt: skip


def explain(fault: StepError, step: Step, number: int, total: int) -> None:
    """Add to `fault` where it stood in the plan, the likely cause and where to look; keep what it already says."""
    name = fault.call.partition("(")[0]
    likely, look = TABLE.get((name, fault.errno), (None, f"man {' '.join(step.man()) or name}"))
    fault.message = f'{fault.message} in step {number} of {total}, "{step.title}"'
    fault.args = (fault.message,)
    fault.likely = fault.likely or likely
    fault.look = fault.look or look
