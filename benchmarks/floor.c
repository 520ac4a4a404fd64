/* The floor: as little as a container start can cost, as a program of its own.
 *
 *     floor CGROUP ROOTFS PROGRAM [ARG...]
 *
 * Six namespaces, a cgroup, a writable overlay on ROOTFS, /proc, pivot_root, execve; then wait and clean up. One
 * clone3(2) does what others need several processes and writes for. No error is explained here: line and errno.
 * What labkit's own plan costs as such a program is another row of the table (benchmarks/same_calls.py).
 *
 * See: clone(2), cgroups(7) "cgroup v2", pivot_root(2), labkit/tiny.py (the same, to be read).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OK(call)                                                                            \
    do {                                                                                    \
        if ((call) < 0) {                                                                   \
            dprintf(2, "floor.c:%d: %s: %s\n", __LINE__, #call, strerror(errno));           \
            _exit(125);                                                                     \
        }                                                                                   \
    } while (0)

static void become(const char *rootfs, char **argv)
{
    OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    OK(chdir(rootfs)); /* as "." it stays reachable under the tmpfs, and needs no quoting in the options */
    OK(mount("tmpfs", "/tmp", "tmpfs", 0, "mode=755"));
    OK(mkdir("/tmp/upper", 0755));
    OK(mkdir("/tmp/work", 0755));
    OK(mkdir("/tmp/root", 0755));
    OK(mount("overlay", "/tmp/root", "overlay", 0, "lowerdir=.,upperdir=/tmp/upper,workdir=/tmp/work"));
    OK(chdir("/tmp/root"));
    OK(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    OK(syscall(SYS_pivot_root, ".", "."));
    OK(umount2(".", MNT_DETACH));
    OK(chdir("/"));
    OK(execv(argv[0], argv));
}

int main(int argc, char **argv)
{
    char cgroup[4096];
    int status;

    if (argc < 4)
        return 125;
    snprintf(cgroup, sizeof cgroup, "%s/floor-%d", argv[1], getpid());
    OK(mkdir(cgroup, 0755));
    int fd = open(cgroup, O_DIRECTORY | O_CLOEXEC);
    OK(fd);

    /* CLONE_INTO_CGROUP: born in the cgroup. A write to cgroup.procs would wait for an RCU grace period. */
    struct clone_args how = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP |
                 CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .cgroup = (unsigned long long)fd,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    OK(pid);
    if (pid == 0)
        become(argv[2], argv + 3);

    OK(waitpid(pid, &status, 0));
    while (rmdir(cgroup) < 0 && errno == EBUSY) /* the dead child is still being counted out */
        usleep(100);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
