#!/usr/bin/env python3
"""Latency of the command beside other runtimes: scripts/bench.py COMMAND [options] MODEL...

Each runtime runs alone, in a process of its own, in turn, for several rounds; the figure is the median of its best
round, in milliseconds. Peers are fetched into a scratch environment. Symbolic dimensions are 1, or what --dim says.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / "build" / "peers"
PACKAGES = {"onnxruntime": ["onnxruntime"], "openvino": ["openvino"]}


def prepare(peers):
    """The Python of an environment that has the peers; None when it cannot be had."""
    python = VENV / "bin" / "python"
    wanted = ["numpy", "onnx"] + [package for peer in peers for package in PACKAGES[peer]]
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        probe = f"import {', '.join(wanted)}"
        if subprocess.run([python, "-c", probe], capture_output=True).returncode != 0:
            print(f"bench: fetching {', '.join(wanted)}", file=sys.stderr)
            subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
        return str(python)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench: peers cannot be had here: {error}", file=sys.stderr)
        return None


def random_inputs(path, dims):
    import numpy as np
    import onnx
    graph = onnx.load(path, load_external_data=False).graph
    weights = {weight.name for weight in graph.initializer}
    rng, inputs = np.random.default_rng(0), {}
    for value in graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value or dims.get(d.dim_param, 1) for d in tensor.shape.dim]
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        inputs[value.name] = (rng.standard_normal(shape) if kind.kind == "f" else np.ones(shape)).astype(kind)
    return inputs


def open_onnxruntime(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)


def open_openvino(path, threads):
    import openvino
    model = openvino.Core().compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    return lambda inputs: request.infer(dict(enumerate(inputs.values())))


def measure_here(peer, path, threads, seconds, dims):
    """Runs in the peer's process."""
    inputs = random_inputs(path, dims)
    run = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}[peer](path, threads)
    for _ in range(3):
        run(inputs)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run(inputs)
        times.append(time.perf_counter() - start)
    print(json.dumps({"median_ms": statistics.median(times) * 1e3}))


def measure(engine, command, python, path, args):
    if engine == "dlrt":
        arguments = [command, "bench", path, "--threads", str(args.threads), "--seconds", str(args.seconds), "--json"]
        arguments += [part for dim in args.dim for part in ("--dim", dim)]
    else:
        arguments = [python, __file__, "--measure", engine, path, str(args.threads), str(args.seconds), *args.dim]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"bench: {engine}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}", file=sys.stderr)
        return float("inf")
    return json.loads(done.stdout.strip().splitlines()[-1])["median_ms"]


def parsed(dims):
    return {name: int(value) for name, value in (dim.split("=", 1) for dim in dims)}


def main():
    if sys.argv[1:2] == ["--measure"]:
        peer, path, threads, seconds, *dims = sys.argv[2:]
        return measure_here(peer, path, int(threads), float(seconds), parsed(dims))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="onnxruntime,openvino", help="comma-separated; empty for none")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=V")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    peers = [peer for peer in args.peers.split(",") if peer]
    python = prepare(peers) if peers else None
    engines = ["dlrt"] + (peers if python else [])

    heading = "model".ljust(24) + "".join(engine.rjust(14) for engine in engines)
    print(heading + ("   best peer / dlrt" if python else ""))
    ratios = []
    for path in args.models:
        best = dict.fromkeys(engines, float("inf"))
        for _ in range(args.rounds):
            for engine in engines:
                best[engine] = min(best[engine], measure(engine, args.command, python, path, args))
        row = pathlib.Path(path).stem.ljust(24) + "".join(f"{best[engine]:14.3f}" for engine in engines)
        peer = min((best[engine] for engine in engines[1:]), default=float("inf"))
        if max(peer, best["dlrt"]) < float("inf"):
            ratios.append(peer / best["dlrt"])
            row += f"   {ratios[-1]:.2f}x"
        print(row, flush=True)
    if len(ratios) > 1:
        print(f"geometric mean {statistics.geometric_mean(ratios):.2f}x, worst {min(ratios):.2f}x")


if __name__ == "__main__":
    sys.exit(main())
