#!/usr/bin/env python3
"""Speed, load time and memory of the command beside other runtimes: scripts/bench.py COMMAND [options] [MODEL...]

Each runtime runs alone, in a process of its own, in turn, for several rounds; the figure is the median of its best
round. Without models it measures the networks of scripts/bench_models.py, which it writes first. Peers are fetched
into a scratch environment. Symbolic dimensions are what --dim says, otherwise 1.

Load is the time until the first answer: loading, planning and the first run. Memory is the peak of the whole process
for the command; for a peer it is what its process grew by after the imports.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / "build" / "peers"
MODELS = ROOT / "build" / "bench"
# pnnx, which writes ncnn's format, brings PyTorch with it: several gigabytes.
PACKAGES = {"onnxruntime": ["onnxruntime"], "openvino": ["openvino"], "ncnn": ["ncnn", "pnnx"]}


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


def input_specs(path, dims):
    """Name, shape and element type of each input. Read by the parent, so that peers hold no second copy of a model."""
    import onnx
    graph = onnx.load(path, load_external_data=False).graph
    weights = {weight.name for weight in graph.initializer}
    return [(value.name, [d.dim_value or dims.get(d.dim_param, 1) for d in value.type.tensor_type.shape.dim],
             onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).str)
            for value in graph.input if value.name not in weights]


def random_inputs(specs):
    import numpy as np
    rng = np.random.default_rng(0)
    return {name: (rng.standard_normal(shape) if np.dtype(kind).kind == "f" else np.ones(shape)).astype(kind)
            for name, shape, kind in specs}


def open_onnxruntime(path, threads, specs):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)


def open_openvino(path, threads, specs):
    import openvino
    model = openvino.Core().compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()

    def run(inputs):
        answers = request.infer(dict(enumerate(inputs.values())))
        return [answers[i] for i in range(len(answers))]
    return run


def open_ncnn(path, threads, specs):
    import ncnn
    import numpy as np
    stem = path.removesuffix(".onnx")
    if not os.path.exists(f"{stem}.ncnn.bin"):
        shape = str(specs[0][1]).replace(" ", "")
        subprocess.run([VENV / "bin" / "pnnx", path, f"inputshape={shape}", "fp16=0"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param(f"{stem}.ncnn.param")
    net.load_model(f"{stem}.ncnn.bin")

    def run(inputs):
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(next(iter(inputs.values()))[0]))
        return np.array(extractor.extract("out0")[1])
    return run


OPEN = {"onnxruntime": open_onnxruntime, "openvino": open_openvino, "ncnn": open_ncnn}


def peak_mb():
    """The kernel's own mark: the one of `resource` is handed down from the parent."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def measure_here(peer, path, threads, seconds, specs):
    """Runs in the peer's process."""
    inputs = random_inputs(specs)
    __import__(peer)
    before, start = peak_mb(), time.perf_counter()
    run = OPEN[peer](path, threads, specs)
    run(inputs)
    first = time.perf_counter()
    for _ in range(2):
        run(inputs)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.perf_counter()
        run(inputs)
        times.append(time.perf_counter() - began)
    print(json.dumps({"median_ms": statistics.median(times) * 1e3, "ready_ms": (first - start) * 1e3,
                      "peak_mb": peak_mb() - before}))


def measure(engine, args, python, path, specs):
    if engine == "dlrt":
        arguments = [args.command, "bench", path, "--threads", str(args.threads), "--seconds", str(args.seconds),
                     "--json"]
        arguments += [part for dim in args.dim for part in ("--dim", dim)]
    else:
        arguments = [python, __file__, "--measure", engine, path, str(args.threads), str(args.seconds),
                     json.dumps(specs)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"bench: {engine}: {(done.stderr.strip().splitlines() or ['failed'])[-1][:150]}", file=sys.stderr)
        return None
    result = json.loads(done.stdout.strip().splitlines()[-1])
    if engine == "dlrt":
        result |= {"ready_ms": result["load_ms"] + result["first_ms"], "peak_mb": result["peak_rss_mb"]}
    return result


def best_of(old, new):
    return old if new is None or (old and old["median_ms"] <= new["median_ms"]) else new


def print_table(title, key, engines, rows, note):
    print(f"\n{title}\n" + "model".ljust(20) + "".join(engine.rjust(13) for engine in engines) + f"   {note}")
    ratios = []
    for name, row in rows.items():
        cells = "".join(f"{row[engine][key]:13.2f}" if row[engine] else "–".rjust(13) for engine in engines)
        peers = [row[engine][key] for engine in engines[1:] if row[engine]]
        ratio = ""
        if row["dlrt"] and peers:
            ratios.append(min(peers) / row["dlrt"][key])
            ratio = f"   {ratios[-1]:.2f}x"
        print(name.ljust(20) + cells + ratio)
    if len(ratios) > 1:
        print(f"geometric mean {statistics.geometric_mean(ratios):.2f}x, worst {min(ratios):.2f}x")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="onnxruntime,openvino",
                        help=f"of {', '.join(PACKAGES)}, with commas between; empty for none")
    parser.add_argument("--dim", action="append", default=["N=1", "T=128"], metavar="NAME=V")
    parser.add_argument("--json", metavar="FILE", help="writes all figures there")
    parser.add_argument("models", nargs="*")
    return parser.parse_args()


def main():
    if sys.argv[1:2] == ["--measure"]:
        peer, path, threads, seconds, specs = sys.argv[2:]
        return measure_here(peer, path, int(threads), float(seconds), json.loads(specs))
    args = parse()
    peers = [peer for peer in args.peers.split(",") if peer]
    python = prepare(peers)
    if python is None:
        return 1
    if sys.prefix != str(VENV):
        # Everything below needs the environment's packages.
        os.execv(python, [python, __file__, *sys.argv[1:]])
    models = args.models
    if not models:
        import bench_models
        models = [str(path) for path in bench_models.write(MODELS)]
    dims = {name: int(value) for name, value in (dim.split("=", 1) for dim in args.dim)}

    engines, rows = ["dlrt"] + peers, {}
    for number, path in enumerate(models, 1):
        row, specs = dict.fromkeys(engines), input_specs(path, dims)
        for _ in range(args.rounds):
            for engine in engines:
                row[engine] = best_of(row[engine], measure(engine, args, python, path, specs))
        rows[pathlib.Path(path).stem] = row
        if sys.stderr.isatty():
            print(f"\rbench: {number} of {len(models)} models", end="", file=sys.stderr, flush=True)
    threads = f"{args.threads} thread{'s' if args.threads > 1 else ''}"
    print_table(f"median of a run, ms, {threads}", "median_ms", engines, rows, "best peer / dlrt")
    print_table("until the first answer, ms", "ready_ms", engines, rows, "best peer / dlrt")
    print_table("peak memory, MB", "peak_mb", engines, rows, "best peer / dlrt")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"threads": args.threads, "models": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
