# shellcheck shell=bash
# Put the project, a tar on standard input, into the directory $1, as the user whose directory it is. (The notebooks that
# the student works in are copies beside it: labkit/copies.py.)
#
# What the student has written or changed there is never touched. A file is the course's if its content is one that
# was once put here: .lab/placed lists them all, as `SHA-256  NAME`, and is written before the first file moves. So
# whoever is killed in the middle leaves whole files, old ones and new ones, and the next run tells them apart.
# Where the student's file stands in the way of a new version, that one goes to course-update/, and a line says so.
set -euo pipefail
umask 022
place=$1
mkdir -p "$place/.lab"
chmod 0700 "$place/.lab"
cd "$place/.lab"
touch placed

rm -rf coming
mkdir coming
tar -C coming --no-same-owner -xf -
(cd coming && find . -type f -print0 | xargs -0 sha256sum) >coming.sums
known=$(cut -c67- placed coming.sums | sort -u)
(cd .. && tr '\n' '\0' <<<"$known" | xargs -0 sha256sum 2>/dev/null) >there.sums || true # not all of them are there

# From the three lists: what to take, what to leave for the student, what the course no longer has.
awk '
    { sum = substr($0, 1, 64); name = substr($0, 67) }
    FILENAME == "placed" { ours[sum, name] = 1; next }
    FILENAME == "there.sums" { there[name] = sum; next }
    { came[name] = 1 }
    !(name in there) { print "take", name; next }
    there[name] == sum { next }
    ((there[name], name) in ours) { print "take", name; next }
    !((sum, name) in ours) { print "keep", name }
    END { for (name in there) if (!(name in came) && ((there[name], name) in ours)) print "drop", name }
' placed there.sums coming.sums >todo
sort -u placed coming.sums >placed.new
mv placed.new placed

cd ..
while read -r what name; do
    case $what in
        take) mkdir -p "$(dirname "$name")" && mv -fT ".lab/coming/$name" "$name" ;;
        drop) rm -f "$name" ;;
        keep)
            mkdir -p "$(dirname "course-update/$name")"
            mv -fT ".lab/coming/$name" "course-update/$name"
            echo "kept your ${name#./}; the course's new one is in course-update/${name#./}"
            ;;
    esac
done <.lab/todo
rm -rf .lab/coming .lab/coming.sums .lab/there.sums .lab/todo
