# shellcheck shell=bash
# Taking back what `up` and vm/provision.sh put outside this directory.

remove_everything() {
    local own=${XDG_DATA_HOME:-$HOME/.local/share}/labkit thing there=()
    down
    open_state
    if [[ -d $own/images ]]; then
        rm -r "$own/images"
        say "removed $own/images"
    fi
    for thing in "$RULES" "$LIBEXEC" /var/lib/labkit "${OF_THE_MACHINE[@]}"; do
        [[ ! -e $thing ]] || there+=("$thing")
    done
    if ((${#there[@]})); then
        if may_be_root "remove ${there[*]}"; then
            remove_as_root "${there[@]}"
        else # then somebody else has put it there, and may still want it
            note "$(me) has no sudo here, so this stays: ${there[*]}"
        fi
    fi
    [[ ! -e $STATE/work ]] || say "Your copies of the lessons stay in $(<"$STATE/work")"
    [[ ! -e $own/progress.jsonl ]] || say "Your answers stay in $own/progress.jsonl"
    if [[ -e .machine ]]; then
        say "The virtual machine of ./lab vm stays in .machine; what of your work was copied out of it, in vm/saved."
    fi
    say "What is left is in this directory (.venv, .lab)$(state_elsewhere): delete it whenever you like."
    if [[ -s $STATE/apt-installed ]]; then
        say "Packages that ./lab up installed stay, for others may use them by now: $(sort -u "$STATE/apt-installed" | xargs)"
    fi
}

state_elsewhere() { [[ $STATE == "$ROOT/.lab" ]] || printf ' and in %s' "$STATE"; }

remove_as_root() { # THING...
    local others thing
    others=$(other_rules)
    if [[ -n $others && $EUID != 0 ]]; then # a neighbour's rule needs the agent and the images
        printf '%s\n' "$others" | as_root tee "$RULES" >/dev/null
        say "removed the rule of $(me); other users of this machine keep theirs"
        return
    fi
    if [[ -e $UNIT ]] && command -v systemctl >/dev/null; then
        as_root systemctl -q disable labkit.service
        ! systemd_runs || as_root systemctl stop labkit.service
    fi
    for thing; do
        as_root rm -rf "$thing"
        say "removed $thing"
    done
    as_root rmdir --ignore-fail-on-non-empty "$(dirname "$DELEGATION")" 2>/dev/null || true
    ! systemd_runs || as_root systemctl daemon-reload
}
