#!/usr/bin/env bash
# What the student wrote, answered and set, as one file: `keep.sh save PLACE >FILE`, `keep.sh restore PLACE <FILE`.
#
# The student's are: the copies of the lessons (labkit/copies.py), with the record that tells which versions they had; in
# the project's place, all that was not put there by the course as it is now (.lab/placed, see place.sh); the answers;
# and JupyterLab's settings. Not: what can be made again, and what lies elsewhere in the home.
set -euo pipefail
umask 077
case ${1:-} in save | restore) ;; *) echo "usage: keep.sh save PLACE >FILE, or restore PLACE <FILE" >&2 && exit 2 ;; esac
verb=$1 place=$(cd "$2" && pwd)
data=.local/share/labkit
answers=$data/progress.jsonl trust=$data/trust # which notebooks' pictures JupyterLab may show
copies=labkit-work # in the home, beside the project in ~/labkit
settings=.lab/jupyter/config

students_files() { # NUL after each
    find . -type d \( -path ./.venv -o -path ./.lab -o -path ./course-update -o -name '.*_cache' -o -name __pycache__ \
        -o -name .ipynb_checkpoints -o -name '*.egg-info' \) -prune -o -type f -print0 | xargs -0r sha256sum |
        LC_ALL=C sort | LC_ALL=C comm -23 - <(LC_ALL=C sort .lab/placed) | cut -c67- | tr '\n' '\0'
    [[ ! -d $settings ]] || find "$settings" -type f -print0
}

cd "$place"
if [[ $verb == save ]]; then
    there=()
    [[ ! -e $HOME/$answers ]] || there=(-C "$HOME" "$answers")
    [[ ! -d $HOME/$trust ]] || there+=(-C "$HOME" "$trust")
    [[ ! -d $HOME/$copies ]] || there+=(-C "$HOME" "$copies")
    students_files | tar -czf - --exclude=.ipynb_checkpoints --transform 's|^\./|place/|' --transform 's|^\.lab/|place/.lab/|' \
        --null --verbatim-files-from --files-from=- "${there[@]}"
else
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    tar -C "$scratch" --no-same-owner -xzf -
    [[ ! -d $scratch/place ]] || cp -a --remove-destination "$scratch/place/." "$place/"
    [[ ! -d $scratch/$copies ]] || cp -a --remove-destination "$scratch/$copies" "$HOME/"
    if [[ -d $scratch/$data ]]; then
        mkdir -p "$HOME/$data"
        cp -a "$scratch/$data/." "$HOME/$data/"
    fi
fi
