#!/usr/bin/env python3
"""Random models, and broken ones, run by the command: scripts/differential.py run|mutate COMMAND [option...]

The rest is in Tests/differential, which needs numpy, onnx and onnxruntime: they are fetched into the scratch
environment that `make bench` uses. Exits with 0 as well when they cannot be had, and says so.
"""
import subprocess
import sys

from bench import ROOT, prepare

python = prepare(["onnxruntime"])
if python is None:
    sys.exit(0)
sys.exit(subprocess.run([python, ROOT / "Tests" / "differential" / f"{sys.argv[1]}.py", *sys.argv[2:]]).returncode)
