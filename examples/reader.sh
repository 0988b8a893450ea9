#!/bin/sh
#
# Prints the stats of all processes of this host, summed by name. It reads the
# format of PIPE_FORMAT.md.
#
#   sh examples/reader.sh
#
# The stats that a `# window` describes are left out: percentiles and means have
# no sum. Pipes without a whole snapshot are named on standard error.
# STATVENT_PIPE_DIR names another directory. Needs `mktemp` and `timeout`, as in
# coreutils.

set -u
LC_ALL=C # Lengths are in bytes, and numbers have a point.
export LC_ALL

dir=${STATVENT_PIPE_DIR:-/tmp/stats-pipe}
seconds=1 # How long one pipe may take.

# Prints the lines of a snapshot that can be summed. Fails unless it is whole.
# shellcheck disable=SC2016
plain='
  BEGIN { largest = 1.7976931348623157e308 }
  # Finds the quoted names of the stats of a window.
  function shown(window) {
    sub(/,"values":.*/, "", window)
    return substr(window, index(window, "\"percentiles\":"))
  }
  function isShown(name) {
    gsub(/[\\"]/, "\\\\&", name)
    return index(windows, ",\"" name "\"]") ||
      index(windows, "\"mean\":\"" name "\"\n")
  }
  {
    if (!match($0, /: [^:]*$/)) wrong = 1
    name = substr($0, 1, RSTART - 1)
    number = substr($0, RSTART + 2)
    if (number !~ /^[ \t]*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?[ \t\r]*$/)
      wrong = 1
    if (number + 0 > largest || number + 0 < -largest) wrong = 1
    if (name == "# EOF" && number + 0 == bytes) end = NR
    if (name ~ /^# window /) windows = windows shown(name) "\n"
    if (name ~ /^# /) annotated = 1
    else {
      names[++count] = name
      lines[count] = $0
    }
    bytes += length($0) + 1
  }
  END {
    # Without annotations, whole pages may be a part that another reader left.
    whole = annotated ? end == NR : bytes % 4096
    if (wrong || !whole) exit 1
    for (i = 1; i <= count; i++) if (!isShown(names[i])) print lines[i]
  }'

# Sums lines by name.
# shellcheck disable=SC2016
sum='
  BEGIN { largest = 1.7976931348623157e308 }
  # Finds the shortest text that reads back as the same number.
  function show(value, fractional,   text, digits) {
    if (!fractional) return sprintf("%.0f", value)
    for (digits = 15; digits <= 17; digits++) {
      text = sprintf("%." digits "g", value)
      if (text + 0 == value) break
    }
    if (text !~ /[.]/) sub(/e|$/, ".0&", text)
    return text
  }
  {
    match($0, /: [^:]*$/)
    name = substr($0, 1, RSTART - 1)
    number = substr($0, RSTART + 2)
    sums[name] += number
    # A sum beyond the range of numbers becomes the largest number.
    if (sums[name] > largest) sums[name] = largest
    if (sums[name] < -largest) sums[name] = -largest
    if (number ~ /[.eE]/) fractional[name] = 1
  }
  END { for (name in sums) print name ": " show(sums[name], name in fractional) }'

# Reads a pipe. Tries again if another reader got a part of the snapshot.
read_pipe() {
  for _ in 1 2 3; do
    timeout "$seconds" cat "$1" >"$2.text" 2>/dev/null
    [ $? -eq 124 ] && break
    # The last line must be complete.
    [ -z "$(tail -c 1 "$2.text")" ] &&
      awk "$plain" "$2.text" >"$2.part" && mv "$2.part" "$2.plain" && return
  done
  printf 'reader.sh: no whole snapshot from %s\n' "$1" >&2
}

scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for pipe in "$dir"/*.stats; do
  pid=${pipe##*/}
  pid=${pid%.stats}
  case $pid in *[!0-9]*) continue ;; esac
  [ -p "$pipe" ] && read_pipe "$pipe" "$scratch/$pid" &
done
wait

: >"$scratch/none.plain"
awk "$sum" "$scratch"/*.plain | sort
