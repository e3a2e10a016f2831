#!/usr/bin/env python3
"""Random models, and broken ones, run by the command: scripts/differential.py run|mutate COMMAND [option...]

The rest is in Tests/differential, which needs numpy, onnx and onnxruntime: they are fetched into the scratch
environment that `make bench` uses. Exits with 0 as well when they cannot be had, and says so.
"""
import subprocess
import sys

from bench import ROOT, prepare
from conformance import CACHE, find_cases

mode, command, *options = sys.argv[1:]
python = prepare(["onnxruntime"])
if python is None:
    sys.exit(0)
if mode == "mutate":
    # What is broken are the models of ONNX's own tests.
    cases = find_cases(CACHE, "--write-cases")
    if cases is None:
        sys.exit(0)
    options.insert(0, cases / "node")
sys.exit(subprocess.run([python, ROOT / "Tests" / "differential" / f"{mode}.py", command, *options]).returncode)
