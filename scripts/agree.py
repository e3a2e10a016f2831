#!/usr/bin/env python3
"""Whether the command gives ONNX Runtime's numbers: scripts/agree.py COMMAND [options] MODEL...

Each model runs on the same random inputs in ONNX Runtime and in the command, at every instruction-set level of this
machine and at 1 and 2 threads. The measure is the largest difference relative to the output's largest magnitude.
Needs numpy, onnx and onnxruntime in the Python that runs it.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent


def random_inputs(model, dims, seed):
    weights = {weight.name for weight in model.graph.initializer}
    rng, inputs = np.random.default_rng(seed), {}
    for value in model.graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value or dims.get(d.dim_param, 1) for d in tensor.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if value.name.endswith("mask"):
            inputs[value.name] = np.ones(shape, kind)
        elif kind.kind == "f":
            inputs[value.name] = rng.standard_normal(shape).astype(kind)
        else:
            inputs[value.name] = rng.integers(0, 100, shape).astype(kind)
    return inputs


def read(path):
    return numpy_helper.to_array(onnx.load_tensor(path))


def difference(got, expected):
    """The largest difference relative to the largest magnitude."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"{got.dtype}{got.shape} instead of {expected.dtype}{expected.shape}"
    if got.size == 0:
        return 0.0
    scale = max(float(np.abs(expected.astype(np.float64)).max()), 1e-30)
    return float(np.abs(got.astype(np.float64) - expected.astype(np.float64)).max()) / scale


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--dim", action="append", default=["N=1", "T=32"], help="NAME=V, as in the command")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--isa", help="levels, with commas between; all of this machine if left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-optimize", action="store_true")
    args = parser.parse_args()
    dims = {name: int(size) for name, size in (text.split("=") for text in args.dim)}
    levels = args.isa.split(",") if args.isa else subprocess.run(
        [ROOT / "scripts" / "isa-levels.sh"], capture_output=True, text=True, check=True).stdout.split()
    worst, failed = 0.0, 0
    for path in args.models:
        model = onnx.load(path)
        inputs = random_inputs(model, dims, args.seed)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        expected = session.run(None, inputs)
        with tempfile.TemporaryDirectory() as folder:
            for index, name in enumerate(names):
                onnx.save_tensor(numpy_helper.from_array(inputs[name], name), f"{folder}/input_{index}.pb")
            for level in levels:
                for threads in args.threads.split(","):
                    done = subprocess.run(
                        [args.command, "run", path, "--inputs", folder, "--outputs", f"{folder}/out", "--json",
                         "--threads", threads] + (["--no-optimize"] if args.no_optimize else []),
                        env=os.environ | {"DLRT_ISA": level}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                        text=True)
                    title = f"{pathlib.Path(path).stem:24} {level:12} {threads} threads"
                    if done.returncode != 0:
                        failed += 1
                        print(f"{title}  failed: {done.stderr.strip()[:200]}", flush=True)
                        continue
                    found = [difference(read(f"{folder}/out/output_{i}.pb"), want) for i, want in enumerate(expected)]
                    wrong = [d for d in found if isinstance(d, str) or not d <= args.tolerance]
                    failed += bool(wrong)
                    worst = max([worst] + [d for d in found if isinstance(d, float)])
                    shown = ", ".join(d if isinstance(d, str) else f"{d:.1e}" for d in found)
                    print(f"{title}  {'DIFFERS ' if wrong else ''}{shown}", flush=True)
    print(f"largest relative difference {worst:.1e}; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
