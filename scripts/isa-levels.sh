#!/bin/sh
# Prints the DLRT_ISA levels that this machine's processor has, best first.
flags=" $(sed -n 's/^flags[[:space:]]*: //p' /proc/cpuinfo | head -n 1) "

has() {
  for flag in "$@"; do
    case "$flags" in *" $flag "*) ;; *) return 1 ;; esac
  done
}

if has avx2 fma f16c bmi1 bmi2 movbe; then
  if has avx512f avx512bw avx512cd avx512dq avx512vl; then
    if has avx512_vnni; then echo avx512vnni; fi
    echo avx512
  fi
  echo avx2
fi
echo baseline
