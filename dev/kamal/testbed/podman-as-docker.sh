#!/usr/bin/env bash
# podman with Docker's manners, as far as Kamal relies on them (kamal §6.2). TESTBED_STORE and TESTBED_RUN say whose containers: each host has its own.
set -u

podman=(podman --root "$TESTBED_STORE/root" --runroot "$TESTBED_RUN" --tmpdir "$TESTBED_STORE/tmp")
verb=${1:-}

# podman forgets to call off the next start of a container that it stops between two.
stay_stopped() {
  local rest=0
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    read -r status count < <("${podman[@]}" inspect --format '{{.State.Status}} {{.RestartCount}}' "$1" 2>/dev/null)
    [ "${count:-0}" -gt 0 ] || return
    if [ "$status" = running ]; then
      rest=0
      "${podman[@]}" stop -t 10 "$1" >/dev/null 2>&1
    else
      rest=$((rest + 1))
      [ "$rest" -gt 3 ] && return
    fi
    sleep 0.3
  done
}

case "$verb ${2:-}" in
  'network '*)
    # Kamal makes a network of its own; here all containers share the host's.
    echo "${3:-kamal}"
    exit 0
    ;;
  'info '*)
    # Docker without registry mirrors fails here too; podman would answer something else.
    case "$*" in *Mirrors*) echo 'template: :1:2: executing "" at <index .RegistryConfig.Mirrors 0>: error calling index: reflect: slice index out of range' >&2; exit 1 ;; esac
    ;;
  'image rm')
    # podman would remove stopped containers of the image with it.
    shift 2
    images=()
    for word in "$@"; do [ "${word#-}" = "$word" ] && images+=("$word"); done
    exec "${podman[@]}" untag "${images[@]}"
    ;;
  'buildx version')
    # Kamal wants it where it is started, though nothing is built there.
    echo 'github.com/docker/buildx v0.0.0'
    exit 0
    ;;
  'stop '*)
    "${podman[@]}" "$@"
    code=$?
    shift
    [ "${1:-}" = -t ] && shift 2
    for id in "$@"; do stay_stopped "$id"; done
    exit "$code"
    ;;
  'inspect '*)
    case "$*" in
      *'{{if .State.Health}}'*)
        # The health that Kamal asks for. In podman `.State.Health` is always there; and podman starts a container that ends again at once and
        # for ever, so it is seen running: Docker waits longer each time, and calls it restarting until it has lived for ten seconds.
        for id in "$@"; do :; done
        read -r status count startedAt < <("${podman[@]}" inspect --format '{{.State.Status}} {{.RestartCount}} {{.State.StartedAt.Unix}}' "$id")
        [ -n "$status" ] || exit 1
        [ "$status" = running ] && [ "$count" -gt 0 ] && [ $(($(date +%s) - startedAt)) -lt 10 ] && status=restarting
        echo "$status"
        exit 0
        ;;
    esac
    ;;
  'image ls' | 'images '*)
    # podman lists an image with two names once for each of them, under both.
    "${podman[@]}" "$@" | awk '!seen[$0]++'
    exit "${PIPESTATUS[0]}"
    ;;
esac

words=()
ports=()
host=''
while [ $# -gt 0 ]; do
  case "$1" in
    --network | --publish)
      [ "$verb" = run ] || words+=("$1" "$2")
      [ "$verb" = run ] && [ "$1" = --publish ] && ports+=("$2")
      shift
      ;;
    --filter)
      # podman refuses these two, and then finds nothing at all.
      case "$2" in status=restarting | status=dead) ;; *) words+=("$1" "$2") ;; esac
      shift
      ;;
    KAMAL_HOST=*)
      host=$(eval "printf %s ${1#KAMAL_HOST=}")
      words+=("$1")
      ;;
    *) words+=("$1") ;;
  esac
  shift
done

is_taken() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# The network is shared, so ports cannot be published; what Docker does when they are taken can be done.
refuse_port() {
  echo "${2:+docker: }Error response from daemon: driver failed programming external connectivity on endpoint: Bind for 0.0.0.0:$1 failed: port is already allocated." >&2
  exit "$3"
}

if [ "$verb" = run ]; then
  numbers=("${ports[@]%%:*}")
  words=(run --network host --env "KAMAL_TESTBED=${KAMAL_TESTBED:-}" --label "testbed.listens=${host:-127.0.0.1} ${numbers[*]}" "${words[@]:1}")
  for number in "${numbers[@]}"; do
    is_taken "${host:-127.0.0.1}" "$number" || continue
    args=()
    for word in "${words[@]:1}"; do [ "$word" = --detach ] || args+=("$word"); done
    "${podman[@]}" create "${args[@]}"
    refuse_port "$number" run 125
  done
elif [ "$verb" = start ]; then
  for name in "${words[@]:1}"; do
    [ "$("${podman[@]}" inspect --format '{{.State.Status}}' "$name" 2>/dev/null)" = running ] && continue
    read -r ip numbers < <("${podman[@]}" inspect --format '{{index .Config.Labels "testbed.listens"}}' "$name" 2>/dev/null)
    for number in $numbers; do is_taken "$ip" "$number" && refuse_port "$number" '' 1; done
  done
fi
exec "${podman[@]}" "${words[@]}"
