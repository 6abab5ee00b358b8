#!/usr/bin/env bash
# podman with Docker's manners, as far as Kamal relies on them (kamal.md §9.7). YARD_STORE says whose containers: each host has its own.
set -u

podman=(podman --root "$YARD_STORE/root" --runroot "$YARD_STORE/run" --tmpdir "$YARD_STORE/tmp")
verb=${1:-}

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
    *'{{if .State.Health}}'*) words+=("${1/\{\{if .State.Health\}\}/\{\{if .State.Health.Status\}\}}") ;;
    *) words+=("$1") ;;
  esac
  shift
done

if [ "$verb" = run ]; then
  words=(run --network host --env "KAMAL_YARD=${KAMAL_YARD:-}" "${words[@]:1}")
  for port in "${ports[@]}"; do
    number=${port%%:*}
    # The network is shared, so the ports cannot be published; what Docker does when they are taken can be.
    if (exec 3<>"/dev/tcp/${host:-127.0.0.1}/$number") 2>/dev/null; then
      args=()
      for word in "${words[@]:1}"; do [ "$word" = --detach ] || args+=("$word"); done
      "${podman[@]}" create "${args[@]}"
      echo "docker: Error response from daemon: driver failed programming external connectivity on endpoint: Bind for 0.0.0.0:$number failed: port is already allocated." >&2
      exit 125
    fi
  done
fi
exec "${podman[@]}" "${words[@]}"
