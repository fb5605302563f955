#!/usr/bin/env bash
# Builds the project's image and tries it, and the services of compose.yaml, in containers.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Usage: deploy/containers.sh COMMAND

  build             make the image co2-assets:local
  run [WORD...]     run a command in the image; without one: co2 up on 127.0.0.1, made data. Its home is the
                    volume co2, which stays
  try-image         the first run on made data in the image; tells its seconds and its memory
  try-compose [OPTION...]
                    start the services of compose.yaml, run once, kill one, stop all (--help has the options)

With Docker, build and run use it; try-compose needs podman. Without Docker everything is done by podman
as root, and an image that cannot be pulled is made of Debian's packages under the name asked for (by
debootstrap). Containers use the network of the machine. The trials have volumes of their own and remove
them.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 something is missing on this machine.
TEXT
}

image=co2-assets:local
# The Debian releases whose packages have the versions that Dockerfile and compose.yaml ask for.
python_release=bookworm
postgres_release=trixie
days=${CO2_HISTORY_DAYS:-30}

missing() {
  echo "deploy/containers.sh: $1" >&2
  exit 3
}

need() {
  command -v "$1" >/dev/null || missing "$1 is not installed (Debian: apt-get install $2)"
}

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then engine=docker; else engine=podman; fi

need_engine() {
  [ "$engine" = docker ] || need podman 'podman runc catatonit'
}

# The base image named in the Dockerfile, and the image of PostgreSQL named in compose.yaml.
python_image() { awk '$1 == "FROM" { print $2; exit }' Dockerfile; }
postgres_image() { awk '$1 == "image:" && $2 ~ /^postgres:/ { print $2; exit }' compose.yaml; }

# Make the image $1 of Debian's release $2, unless it is here or can be pulled. The function $3 prepares the
# folder that becomes the root of the image; the other words say how the image is run.
debian_image() {
  local name=$1 release=$2 prepare=$3 mirror='' root
  shift 3
  if podman image exists "$name"; then return; fi
  echo "Pulling $name ..."
  if timeout 300 podman pull --quiet "$name" 2>/dev/null; then return; fi
  echo "$name cannot be pulled from here: it is made of Debian's packages ($release)."
  need debootstrap debootstrap
  [ "$(id -u)" = 0 ] || missing "an image of Debian's packages is made by root: run this as root"
  # shellcheck disable=SC2016
  read -r mirror < <(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian') || true
  root=$(mktemp -d)
  # Every user of the container passes through it.
  chmod 755 "$root"
  # The folder of now.
  # shellcheck disable=SC2064
  trap "rm -r --one-file-system '$root'" EXIT
  debootstrap --variant=minbase --include=ca-certificates "$release" "$root" ${mirror:+"$mirror"} >"$root.log" ||
    { tail -5 "$root.log" >&2; missing "debootstrap failed; its output is in $root.log"; }
  rm "$root.log"
  # Nothing is started by being installed.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  "$prepare" "$root"
  rm "$root/usr/sbin/policy-rc.d"
  chroot "$root" apt-get clean
  find "$root/var/lib/apt/lists" -type f -delete
  tar --directory "$root" --create . | podman import --quiet --change 'LABEL co2.stand-in=true' "$@" - "$name" >/dev/null
  rm -r --one-file-system "$root"
  trap - EXIT
}

install_in() {
  local root=$1
  shift
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install --quiet --quiet --yes --no-install-recommends "$@" >/dev/null
}

prepare_python() {
  install_in "$1" python3 python3-venv
  ln --symbolic --force python3 "$1/usr/bin/python"
}

prepare_postgres() {
  local name major
  name=$(postgres_image)
  major=${name#postgres:}
  major=${major%%[.-]*}
  # The user has the number that he has in the official image.
  chroot "$1" groupadd --gid 999 postgres
  chroot "$1" useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres
  mkdir --parents "$1/etc/postgresql-common"
  echo 'create_main_cluster = false' >"$1/etc/postgresql-common/createcluster.conf"
  install_in "$1" "postgresql-$major"
  # With the rights that both folders have in the official image: a tmpfs takes them over, without the owner.
  chroot "$1" install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql/data
  chroot "$1" install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
  install --mode 755 deploy/postgres-stand-in.sh "$1/usr/local/bin/stand-in"
  ln --symbolic --force "/usr/lib/postgresql/$major/bin" "$1/usr/local/postgresql"
}

base_image() {
  debian_image "$(python_image)" "$python_release" prepare_python \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
}

database_image() {
  debian_image "$(postgres_image)" "$postgres_release" prepare_postgres \
    --change 'ENV PATH=/usr/local/postgresql:/usr/local/bin:/usr/bin:/bin' \
    --change 'ENV PGDATA=/var/lib/postgresql/data' --change 'VOLUME /var/lib/postgresql/data' \
    --change 'STOPSIGNAL SIGINT' --change 'ENTRYPOINT ["/usr/local/bin/stand-in"]'
}

# pip in the build finds packages where pip here does: print podman's options for its settings (written to the
# file $1) and for the files and folders that they name.
pip_options() {
  local path
  python3 -m pip config list | python3 -c '
import ast, sys
settings = {}
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    settings[name.rpartition(".")[2]] = ast.literal_eval(value).replace("\n", " ")
print("[global]", *(f"{name} = {value}" for name, value in settings.items()), sep="\n")' >"$1"
  echo "--volume=$1:/etc/pip.conf:ro"
  # An index in a folder refers to files beside it.
  { grep -oE '(^|[ /=])/[A-Za-z0-9._/-]+' "$1" || true; } | sed -E 's#^[ /=]*#/#; s#/simple/?$##' | sort --unique |
    while read -r path; do
      if [ -e "$path" ]; then echo "--volume=$path:$path:ro"; fi
    done
}

build() {
  need_engine
  if [ "$engine" = docker ]; then
    docker build --tag "$image" .
    docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "co2-assets:local has %.0f MB\n", $1 / 1e6 }'
    return
  fi
  base_image
  local settings options status=0
  settings=$(mktemp)
  mapfile -t options < <(pip_options "$settings")
  # Without overlays every layer is a whole copy.
  if [ "$(podman info --format '{{.Store.GraphDriverName}}')" = vfs ]; then options+=(--layers=false); fi
  # Only Docker's format of an image has a health check.
  podman build --format docker --network host --isolation chroot --pull-never "${options[@]}" --tag "$image" . || status=$?
  rm "$settings"
  [ "$status" = 0 ] || return 1
  podman image inspect --format '{{.Size}}' "$image" | awk '{ printf "co2-assets:local has %.0f MB\n", $1 / 1e6 }'
}

need_image() {
  need_engine
  "$engine" image inspect "$image" >/dev/null 2>&1 || missing "there is no image $image: deploy/containers.sh build"
}

# Run the image as the Dockerfile says: as its own user, the root of the file system read-only.
start() {
  local volume=$1
  shift
  local only=()
  # podman would raise these limits, which not every machine lets it do.
  [ "$engine" = docker ] || only=(--pull=never --read-only-tmpfs=false --ulimit nofile=4096:4096 --ulimit nproc=4096:4096)
  "$engine" run --rm --network host --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    ${only[@]+"${only[@]}"} --volume "$volume:/data" --env "CO2_HISTORY_DAYS=$days" "$image" "$@"
}

run() {
  need_image
  [ $# -gt 0 ] || set -- co2 up --host 127.0.0.1 --source simulator
  start co2 "$@"
}

try_image() {
  need_image
  local volume status=0
  # Of another name than those of try-compose, which removes all of its own.
  volume=co2-first-run-$$
  "$engine" volume create "$volume" >/dev/null
  # The names of now; also if it is interrupted.
  # shellcheck disable=SC2064
  trap "'$engine' volume rm '$volume' >/dev/null" EXIT
  start "$volume" python -c '
import resource, subprocess, sys, time
begun = time.monotonic()
code = subprocess.call(sys.argv[1:])
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"The first run took {time.monotonic() - begun:.0f} s and at most {most:.0f} MB.")
sys.exit(code)' co2 tick --source simulator || status=1
  return "$status"
}

# The commands after which podman has the image.
image_for_podman() {
  if [ "$engine" = docker ]; then
    echo "deploy/containers.sh build && docker save $image | podman load"
  else
    echo 'deploy/containers.sh build'
  fi
}

try_compose() {
  need podman 'podman runc catatonit'
  local python=.venv/bin/python
  [ -x "$python" ] || missing "there is no .venv: make setup"
  case " $* " in *' --help '* | *' -h '*) ;; *)
    podman image exists "$image" || missing "podman has no image $image: $(image_for_podman)"
    database_image ;;
  esac
  "$python" -m deploy.try_compose "$@"
}

command=${1:-}
[ $# -eq 0 ] || shift
case "$command" in
build) build ;;
run) run "$@" ;;
try-image) try_image ;;
try-compose) try_compose "$@" ;;
help | -h | --help) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
