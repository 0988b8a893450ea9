#!/bin/sh
#
# Counts the lines and bytes of its standard input and offers both on a named
# pipe while it runs, in the plain statvent 1.0 format of PIPE_FORMAT.md.
#
#   tail -f some.log | sh examples/writer.sh
#   cat /tmp/stats-pipe/*.stats             # in another terminal
#
# STATVENT_PIPE_DIR names another directory. Needs `timeout`, as in coreutils.

LC_ALL=C # A line's length is in bytes.
export LC_ALL

dir=${STATVENT_PIPE_DIR:-/tmp/stats-pipe}
pipe=$dir/$$.stats
# Readers ignore names that begin with a dot.
next=$dir/.$$.next
values=$dir/.$$.values

# Writes all stats to a file, atomically, since a reader may come at any time.
show() {
  printf 'input.lines: %d\ninput.bytes: %d\n' "$lines" "$bytes" \
    >"$values.new" && mv -f "$values.new" "$values"
}

# Serves one reader after the other, until SIGTERM.
serve() {
  # A writer that waits for a reader gets one, and ends. A kill might come too
  # early or too late, and the writer would then act after the files are removed.
  trap 'writer=$!; timeout 1 cat "$pipe" & wait "${writer:-0}"; exit' TERM
  # The loop also ends soon after the script is killed by SIGKILL.
  while kill -0 "$$"; do
    # Without a pipe, the shell below would create a file of that name.
    [ -p "$pipe" ] || mkfifo -m 644 "$pipe" || exit
    [ -p "$next" ] || mkfifo -m 644 "$next" || exit
    # This shell waits in opening the pipe until a reader comes. The next reader
    # gets a pipe of its own. `timeout` also bounds the time of a reader that
    # stops reading.
    # shellcheck disable=SC2016
    timeout 10 sh -c '{ mv -f "$1" "$2"; cat "$3"; } >"$2"' \
      sh "$next" "$pipe" "$values" &
    wait "$!"
  done
  clean
} >/dev/null 2>&1

clean() {
  rm -f "$next" "$pipe" "$values" "$values.new"
}

finish() {
  kill "$server"
  wait "$server"
  clean
} 2>/dev/null

mkdir -p "$dir" || exit
lines=0
bytes=0
clean # What an earlier process with the same id has left behind.
show || exit
serve &
server=$!
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

while IFS= read -r line; do
  lines=$((lines + 1))
  bytes=$((bytes + ${#line} + 1))
  show
done
