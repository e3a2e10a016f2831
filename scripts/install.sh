#!/bin/sh
# Installs what has been built, or removes it: scripts/install.sh [--remove] VERSION PREFIX LIBDIR DESTDIR
set -eu
cd "$(dirname "$0")/.."

remove=no
if [ "$1" = --remove ]; then
  remove=yes
  shift
fi
version=$1 prefix=$2 libdir=$3 root=$4

case "$prefix$libdir" in
  *\|* | *\&*) echo "install: PREFIX and LIBDIR must not hold '|' or '&'" >&2; exit 2 ;;
esac
case "$prefix" in /*) ;; *) echo "install: PREFIX must be an absolute path, not '$prefix'" >&2; exit 2 ;; esac
case "$libdir" in /*) ;; *) echo "install: LIBDIR must be an absolute path, not '$libdir'" >&2; exit 2 ;; esac

put() { # put MODE SOURCE TARGET
  if [ $remove = yes ]; then
    rm -f "$root$3"
  else
    install -D -m "$1" "$2" "$root$3"
  fi
}

fill() { # fill TEMPLATE TARGET: a template with its names replaced
  if [ $remove = no ]; then
    sed -e "s|@VERSION@|$version|" -e "s|@PREFIX@|$prefix|" -e "s|@LIBDIR@|$libdir|" \
      -e "s|@INCLUDE_FROM_CONFIG@|$(realpath -m --relative-to="$libdir/cmake/dlrt" "$prefix/include")|" "$1" >"$filled"
  fi
  put 644 "$filled" "$2"
}

filled=$(mktemp)
trap 'rm -f "$filled"' EXIT

put 755 build/bin/dlrt "$prefix/bin/dlrt"
put 755 build/lib/libdlrt.so.1 "$libdir/libdlrt.so.1"
put 644 include/dlrt.h "$prefix/include/dlrt.h"
fill packaging/dlrt.pc.in "$libdir/pkgconfig/dlrt.pc"
fill packaging/dlrt-config.cmake.in "$libdir/cmake/dlrt/dlrt-config.cmake"
fill packaging/dlrt-config-version.cmake.in "$libdir/cmake/dlrt/dlrt-config-version.cmake"

if [ $remove = yes ]; then
  rm -f "$root$libdir/libdlrt.so"
  rmdir "$root$libdir/cmake/dlrt" 2>/dev/null || true
  exit 0
fi
ln -sf libdlrt.so.1 "$root$libdir/libdlrt.so"
# The loader finds a library in a system folder only after this.
if [ -z "$root" ] && [ "$(id -u)" -eq 0 ]; then ldconfig 2>/dev/null || true; fi
echo "install: dlrt $version in $root$prefix"
