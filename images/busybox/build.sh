#!/bin/sh
# Make the root file system of the image `busybox` in the directory $1, out of this machine's own files:
# Debian's static busybox with a link for each applet, and three tools of util-linux that busybox has
# only in part (its setpriv knows neither --reuid nor --bounding-set), each with the libraries it needs.
#
# Needs no root and no network. Run twice it gives the same tree; as root the files belong to root.
set -eu
umask 022

dest=${1:?usage: build.sh DIRECTORY}
PATH=$PATH:/usr/sbin:/sbin # a user's PATH on Debian lacks them
export PATH

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

busybox=$(command -v busybox) || fail "busybox is not here; install the package busybox-static"
if ldd "$busybox" >/dev/null 2>&1; then
    fail "$busybox is not static, so it would not run in an empty root; install the package busybox-static"
fi

# The directories that the FHS wants, those that something is mounted on, and the two places to live in.
cd "$dest"
mkdir -p bin sbin usr/bin usr/sbin etc dev proc sys run mnt srv opt var/log lib usr/lib root home/tenant tmp var/tmp
chmod 0755 .
chmod 0700 root
chmod 1777 tmp var/tmp # the sticky bit: here each may delete only what is their own

# One program, some 270 names. The links are relative, so that they hold wherever this tree is mounted.
cp "$busybox" bin/busybox
chmod 0755 bin/busybox
"$busybox" --list-full | while read -r applet; do
    case $applet in
        bin/busybox) ;;
        bin/*) ln -sf busybox "$applet" ;;
        sbin/*) ln -sf ../bin/busybox "$applet" ;;
        usr/bin/* | usr/sbin/*) ln -sf ../../bin/busybox "$applet" ;;
    esac
done

# `ldd` says which libraries a program wants; the loader is found by its absolute name, the rest through it.
for tool in setpriv unshare nsenter; do
    path=$(command -v "$tool") || fail "$tool is not here; install the package util-linux"
    path=$(readlink -f "$path")
    rm -f "bin/$tool" "usr/bin/$tool"
    cp "$path" "usr/bin/$tool"
    chmod 0755 "usr/bin/$tool"
    ldd "$path" | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/" { print $1 }' | while read -r library; do
        mkdir -p ".$(dirname "$library")"
        cp -L "$library" ".$library"
        chmod 0755 ".$library"
    done
done

# Who is who. `tenant` is the one of the course's story; no password opens any of them.
cat >etc/passwd <<'EOF'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
tenant:x:1000:1000:a tenant:/home/tenant:/bin/sh
EOF
cat >etc/group <<'EOF'
root:x:0:
tty:x:5:
nogroup:x:65534:
tenant:x:1000:
EOF
echo busybox >etc/hostname
printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' >etc/hosts
: >etc/resolv.conf
echo 'passwd: files
group: files
hosts: files dns' >etc/nsswitch.conf
cat >etc/profile <<'EOF'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PS1='\u@\h:\w\$ '
EOF
chmod 0644 etc/*

if [ "$(id -u)" = 0 ]; then
    chown -hR 0:0 .
    chown -R 1000:1000 home/tenant
fi
find . -exec touch -h -d @0 {} + # the same bytes and the same times, whenever and wherever it is built
