# shellcheck shell=bash
# The agent as root for an ordinary user: one sudo rule for one command without arguments.

LIBEXEC=/usr/local/libexec/labkit
RULE_FOR=$(me) RULE_UID=$(id -u) # vm/provision.sh, as root, installs the rule for another
RULES=/etc/sudoers.d/labkit

agent_files() { # what the agent imports, and nothing else: no compiled file, no symlink
    find labkit/__init__.py labkit/linux labkit/agent -name '*.py' -type f
}

agent_is_current() { # root's copy equals this checkout, and the rule lets us start it
    local file
    [[ -x $LIBEXEC/agent ]] && cmp -s setup/agent/agent "$LIBEXEC/agent" || return 1
    while read -r file; do
        cmp -s "$file" "$LIBEXEC/lib/$file" || return 1
    done < <(agent_files)
    rule_is_there
}

rule_is_there() {
    local other=()
    [[ $RULE_FOR == "$(me)" ]] || other=(-U "$RULE_FOR")
    sudo -n "${other[@]}" -l "$LIBEXEC/agent" >/dev/null 2>&1
}

sudo_rule() { # ask | yes | no
    local mode=$1 answer refusal=$STATE/no-sudo-rule
    ((EUID != 0)) || return 0
    if [[ $mode == no ]]; then
        : >"$refusal"
        return 0
    fi
    if ! getent passwd "$RULE_UID" >/dev/null; then # sudo: "you do not exist in the passwd database"
        [[ $mode != yes ]] || fail "install the sudo rule" "sudo serves only users with an account, and uid $RULE_UID has none" \
            "./lab up --no-sudo-rule goes on without; or an administrator gives uid $RULE_UID a line in /etc/passwd"
        return 0
    fi
    ! agent_is_current || return 0
    if [[ $mode == ask ]] && rule_is_there && sudo -n true 2>/dev/null; then
        mode=yes # asked and answered; only the code has changed since
    fi
    if [[ $mode == ask ]]; then
        [[ ! -e $refusal ]] || return 0
        if [[ ! -t 0 || -n ${CI:-} ]] || ! command -v sudo >/dev/null; then
            note "the lab's agent runs without root here, and a few steps will be refused; ./lab up --sudo-rule changes that"
            return 0
        fi
        cat <<EOF

The lessons take their steps through a small agent. As root it can take all of them; without root it
works in a user namespace, and a few steps (cgroup limits, for instance) are refused with the reason.

A sudo rule would let $(me) start this agent, and only this, as root and without a password:
  $RULES        $(rule)
  $LIBEXEC/     the agent's code, a copy that belongs to root
Whoever may start it can do to this machine what root can: say yes on a machine of your own or made for
the course. ./lab remove takes the rule back.
EOF
        if ! read -r -p "Install it? [y/N] " answer; then
            echo
            return 0 # no answer: ask again next time
        fi
        if [[ ${answer,,} != y* ]]; then
            : >"$refusal"
            return 0
        fi
    fi
    may_be_root "install the sudo rule" || fail "install the sudo rule" "$(me) has no sudo here, or it wants a password and there is no terminal" \
        "run ./lab up --sudo-rule in a terminal, or ./lab up --no-sudo-rule to go on without"
    task "install the sudo rule" "./lab up --no-sudo-rule goes on without it" install_rule
    rm -f "$refusal"
}

rule() {
    printf '%s ALL=(root) NOPASSWD: %s/agent ""' "$(rule_user)" "$LIBEXEC"
}

# A plain name as it is; any other by its number, which sudoers(5) takes for every user: in a name like EXAMPLE\jane or
# jane@example.org some letters would have to be escaped, and ALL means everybody.
rule_user() {
    local LC_ALL=C
    if [[ $RULE_FOR =~ ^[a-z_][a-z0-9_-]*$ ]]; then
        printf '%s' "$RULE_FOR"
    else
        printf '#%s' "$RULE_UID"
    fi
}

install_rule() {
    local file scratch
    # Root's copy first, whole or not at all; then the rule that makes it worth something.
    as_root rm -rf "$LIBEXEC/lib.new" "$LIBEXEC/lib.old" || return 1
    while read -r file; do
        as_root install -D -o root -g root -m 0644 "$file" "$LIBEXEC/lib.new/$file" || return 1
    done < <(agent_files)
    as_root find "$LIBEXEC" -type d -exec chmod 0755 {} + || return 1
    as_root /usr/bin/python3 -I -S -m compileall -q "$LIBEXEC/lib.new" || return 1
    if [[ -d $LIBEXEC/lib ]]; then
        as_root mv "$LIBEXEC/lib" "$LIBEXEC/lib.old" || return 1
    fi
    as_root mv "$LIBEXEC/lib.new" "$LIBEXEC/lib" || return 1
    as_root rm -rf "$LIBEXEC/lib.old" || return 1
    as_root install -o root -g root -m 0755 setup/agent/agent "$LIBEXEC/agent" || return 1

    scratch=$(mktemp) || return 1
    {
        echo "# Written by labkit's ./lab up; ./lab remove takes it back."
        other_rules
        rule
        echo
    } >"$scratch"
    as_root visudo -cqf "$scratch" && as_root install -o root -g root -m 0440 "$scratch" "$RULES"
    local status=$?
    rm -f "$scratch"
    return $status
}

other_rules() { # the lines of other users of this machine
    as_root sh -c "cat $RULES 2>/dev/null || true" | grep -v -e '^#[^0-9]' -e "^$(rule_user) " || true
}
