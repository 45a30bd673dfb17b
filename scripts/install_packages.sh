#!/bin/sh
# Installs what packages.txt lists and this machine lacks. Does nothing, and needs no network and no rights, when all of
# it is there.
# usage: install_packages.sh SECTION...      sections of packages.txt, for example: build test
set -eu
cd "$(dirname "$0")/.."

wanted=""
for section in "$@"; do
  wanted="$wanted $(awk -v section="[$section]" '
    /^# \[/ { on = ($2 == section); next }
    on && !/^#/ && NF { print $1 }' packages.txt)"
done

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "hadal: this is not a Debian system; on Debian 12 the needed packages are:" $wanted >&2
  exit 0
fi

# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Architecture}\n' $wanted 2>/dev/null |
  awk '$1 == "installed" { print $2; print $2 ":" $3 }' || true)
missing=""
for package in $wanted; do
  echo "$installed" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1; then
  as_root="sudo"
else
  echo "hadal: these packages are missing and neither root nor sudo is at hand. As root run:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

echo "hadal: installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! {
  case $missing in *:arm64*) $as_root dpkg --add-architecture arm64 ;; esac &&
    $as_root apt-get -o DPkg::Lock::Timeout=300 update &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
      install -y --no-install-recommends $missing
} >"$log" 2>&1 </dev/null; then
  tail -n 15 "$log" >&2
  echo "hadal: apt-get could not install$missing" >&2
  exit 1
fi
