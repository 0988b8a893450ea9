#!/bin/sh
#
# A program in shell that does what it is told; see writer.mjs. It is a writer
# of statvent 1.0: one line, without annotations.
#
#   writer.sh SLOT HANDLER

slot=$1
handler=$2
pipe=$STATVENT_PIPE_DIR/$$.stats
next=$STATVENT_PIPE_DIR/.$$.next
values=$STATVENT_PIPE_DIR/.$$.values
counted=0

show() {
  printf 'chaos.shell.%d: %d\n' "$slot" "$counted" >"$values.new" &&
    mv -f "$values.new" "$values"
}

serve() {
  trap 'writer=$!; timeout --foreground 1 cat "$pipe" & wait "${writer:-0}"; exit' TERM
  while kill -0 "$$"; do
    [ -p "$pipe" ] || mkfifo -m 644 "$pipe" || exit
    [ -p "$next" ] || mkfifo -m 644 "$next" || exit
    # shellcheck disable=SC2016
    timeout --foreground 10 sh -c '{ mv -f "$1" "$2"; cat "$3"; } >"$2"' \
      sh "$next" "$pipe" "$values" &
    wait "$!"
  done
} >/dev/null 2>&1

finish() {
  kill "$server"
  wait "$server"
  rm -f "$next" "$pipe" "$values" "$values.new"
} 2>/dev/null

mkdir -p "$STATVENT_PIPE_DIR"
rm -f "$next" "$pipe" "$values" "$values.new"
mkfifo -m 644 "$pipe"
show
serve &
server=$!
[ "$handler" = term ] && trap 'finish; exit 0' TERM
echo ready
while read -r number command amount _; do
  case $command in
  count)
    counted=$((counted + amount))
    show
    ;;
  hang) sleep "0.$(printf %03d "$((amount % 1000))")" ;;
  exec)
    finish
    exec sh "$0" "$amount" "$handler"
    ;;
  end) break ;;
  esac
  echo "ok $number"
done
finish
exit 0
