#!/bin/sh
# Configures a build folder from a preset of CMakePresets.json, once: later changes of the CMake files are the build's
# own business. Starts over when the folder belongs to another place (the tree was moved or copied).
# usage: configure.sh PRESET FOLDER [-DNAME=VALUE...]      the -D settings are made sure of each time
set -eu
cd "$(dirname "$0")/.."
preset=$1 folder=$2
shift 2

cache="$folder/CMakeCache.txt"
if [ -f "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$(pwd -P)" "$cache" &&
  ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$cache"; then
  rm -rf "$folder"
fi
stale=no
[ -f "$folder/build.ninja" ] || stale=yes
for setting in "$@"; do
  name=${setting#-D} value=${setting#*=}
  grep -q "^${name%%=*}:[A-Z]*=$value\$" "$cache" 2>/dev/null || stale=yes
done
[ $stale = yes ] || exit 0
cmake --preset "$preset" "$@" --log-level=WARNING
