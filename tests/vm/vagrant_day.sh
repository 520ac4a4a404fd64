# shellcheck shell=bash
# Sourced by vagrant_up.sh when the browser has begun lesson 03: what a student does with the machine in mid-lesson, and
# what must not get lost by it. $WORK/up.txt ends with the address.

export LABKIT_EMULATE=1
ADDRESS=$(tail -n 1 "$WORK/up.txt")

guest() { vagrant --no-tty ssh -c "$1" 2>/dev/null; }
work() { guest 'cd labkit-work && sha256sum *.ipynb ~/.local/share/labkit/progress.jsonl'; }
lesson() { guest 'pgrep -f [i]pykernel_launcher; pgrep -x "labkit:.host."'; } # its Python, and its lab's host
is_saved() { tar -tzf vm/saved/student.tgz >/dev/null && test ! -e vm/saved/unsaved; }
back() { # VERB...: the machine is there again: the address in the last line answers, and nothing is lost
    vagrant --no-tty "$@" | tee "$WORK/said"
    ADDRESS=$(tail -n 1 "$WORK/said")
    ask GET status >/dev/null && test "$(work)" == "$DONE" && test -e vm/saved/unsaved
}
away() { # VERB...: the machine is not there any more, and all of the student's is here
    vagrant --no-tty "$@" && is_saved
}
a_new_box() { # what `vagrant package` would make: the disk as it is, without what is the student's, with the known key
    local disk=$WORK/ready mounted=$WORK/mounted
    mkdir -p "$disk" "$mounted"
    qemu-img convert -O raw /var/lib/libvirt/images/project_default.img "$disk/box.raw"
    mount -o loop "$disk/box.raw" "$mounted"
    rm -r "$mounted/home/vagrant/labkit-work" "$mounted/home/vagrant/.local/share/labkit/progress.jsonl"
    cat "$(dpkg -L vagrant | grep '/keys/vagrant\.pub$')" >>"$mounted/home/vagrant/.ssh/authorized_keys"
    umount "$mounted"
    qemu-img convert -O qcow2 "$disk/box.raw" "$disk/box.img"
    rm "$disk/box.raw"
    tar -C "$HOME/.vagrant.d/boxes/labkit-test/0/libvirt" -cf - metadata.json Vagrantfile | tar -C "$disk" -xf -
    tar -C "$disk" -czf "$WORK/ready.box" metadata.json Vagrantfile box.img
    vagrant --no-tty box add --force --name labkit-ready "$WORK/ready.box"
}

step "vagrant ssh greets"
must grep 'take Linux containers apart' < <(timeout 120 script -qec 'vagrant ssh' /dev/null <<<exit)

step "work is done: a new notebook, one of the course's changed, an answer (the browser gave it)"
must new_notebook mine
must guest 'echo | tee -a labkit-work/02-*.ipynb; df -m / | tail -n 1; uname -r; systemctl is-active labkit'
must guest 'tail -n 1 ~/.local/share/labkit/progress.jsonl'
DONE=$(work)
running=$(lesson)
must test "$(wc -l <<<"$running")" -ge 2

step "suspend"
must away suspend
step "resume: the very same Python and lab go on"
must back resume
must test "$(lesson)" == "$running"

step "reload"
must back reload

step "halt"
must away halt
step "up, without a network, and with port 8888 taken"
ip link set uplink down
python3 -m http.server --bind 127.0.0.1 8888 >/dev/null 2>&1 &
taken=$!
must back up
must test "${ADDRESS%%/lab*}" == http://localhost:8889
kill "$taken"
ip link set uplink up

step "destroy, after a shutdown from inside: refused"
guest 'sudo systemctl poweroff' || true
until vagrant --no-tty status | grep -q shutoff; do sleep 2; done
must grep 'would be lost' < <(vagrant --no-tty destroy -f 2>&1)

step "a box of the machine as it is, without the student's files"
a_new_box

step "up again, and destroy"
must back up
must away destroy -f

step "another machine, from that box, without a network: it begins with what was saved"
ip link set uplink down
export LABKIT_BOX=labkit-ready
must back up
must away destroy -f
step "all as it should be"
