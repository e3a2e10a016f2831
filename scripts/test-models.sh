#!/bin/sh
# Runs real models against their recorded outputs, where they lie beside the project: scripts/test-models.sh COMMAND
set -eu
command=$1
cd "$(dirname "$0")/.."

models=../shared/models/real
if [ ! -d "$models" ]; then
  echo "test-models: $models is absent: nothing to run"
  exit 0
fi
for isa in $(scripts/isa-levels.sh); do
  for threads in 1 2; do
    answer=$(DLRT_ISA=$isa "$command" test "$models"/* --threads $threads --rtol 1e-3 --atol 1e-4) || {
      echo "test-models: $isa, $threads threads: $answer" >&2
      exit 1
    }
    echo "test-models: $isa, $threads threads: $(echo "$answer" | tail -n 1)"
  done
done
