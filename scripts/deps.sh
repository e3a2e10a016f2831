#!/bin/sh
# Installs the Debian packages that the build needs, where they are missing: scripts/deps.sh [EXTRA_PACKAGE...]
# Silent when there is nothing to do. Exits with 1, naming the packages, when they cannot be installed.
set -u

needed="libonnx-dev libprotobuf-dev libpng-dev libturbojpeg0-dev libjansson-dev zlib1g-dev pkg-config $*"

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  # Another distribution has the same headers under other package names; the compiler will name what is absent.
  echo "deps: not a Debian system; the build expects what these packages hold: $needed" >&2
  exit 0
fi

installed() {
  dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed'
}

missing=""
for package in $needed; do
  installed "$package" || missing="$missing $package"
done
# Without these the build goes on, and ImageDecoder says what it lacks.
optional=""
failed=build/without-optional-packages
for package in libtiff-dev libwebp-dev libopenjp2-7-dev; do
  [ -e "$failed" ] || installed "$package" || optional="$optional $package"
done
[ -n "$missing$optional" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root="sudo"
  elif [ -z "$missing" ]; then
    exit 0
  else
    echo "deps: these Debian packages are missing:$missing" >&2
    echo "deps: install them as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
fi

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null
}

echo "deps: installing$missing$optional" >&2
# Package lists may be absent or too old to be served: they are read anew only when the first attempt fails.
# shellcheck disable=SC2086
if apt install --no-install-recommends $missing $optional; then exit 0; fi
# shellcheck disable=SC2086
if apt update && apt install --no-install-recommends $missing $optional; then exit 0; fi
if [ -z "$missing" ]; then
  echo "deps: going on without$optional: images of these kinds cannot be decoded (tried again after make clean)" >&2
  mkdir -p build && touch "$failed"
  exit 0
fi
# shellcheck disable=SC2086
if apt install --no-install-recommends $missing; then exit 0; fi

cat "$log" >&2
echo "deps: could not install$missing" >&2
exit 1
