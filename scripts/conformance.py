#!/usr/bin/env python3
"""Runs ONNX's own operator tests and compares with the list of those that are known to pass.

usage: scripts/conformance.py COMMAND [--cases DIR] [--update] [--no-optimize] [NAME...]

Tests/conformance.txt names the cases that pass. A listed case that fails is an error; an unlisted one that passes is
reported, and --update adds it (it never removes one). With NAMEs only the cases whose names contain one of them run.
The cases come from --cases, else from ../shared/conformance, else from the `onnx` Python package, which a scratch
environment fetches. Exits with 0 as well when there is no way to get them, and says so.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "Tests" / "conformance.txt"
CACHE = ROOT / "build" / "conformance"
ONNX = "1.23.2"
BATCH = 100


def write_cases(directory):
    """Writes the test cases of the installed onnx package, one folder each."""
    from onnx import TensorProto, numpy_helper
    from onnx.backend.test.case import model as models
    from onnx.backend.test.case import node as nodes

    def serialised(value, kind):
        if isinstance(value, TensorProto):
            return value.SerializeToString()
        convert = {"map_type": numpy_helper.from_dict, "sequence_type": numpy_helper.from_list,
                   "optional_type": numpy_helper.from_optional}.get(kind.WhichOneof("value"), numpy_helper.from_array)
        return convert(value).SerializeToString()

    for case in nodes.collect_testcases(None) + models.collect_testcases():
        if case.model is None:
            continue
        folder = directory / case.kind / case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for number, (inputs, outputs) in enumerate(case.data_sets):
            data = folder / f"test_data_set_{number}"
            data.mkdir(exist_ok=True)
            for role, values, declared in (("input", inputs, case.model.graph.input),
                                           ("output", outputs, case.model.graph.output)):
                for i, value in enumerate(values):
                    (data / f"{role}_{i}.pb").write_bytes(serialised(value, declared[i].type))


def find_cases():
    """The folder of the cases, made at the first call; None when they cannot be had."""
    if (CACHE / "complete").exists():
        return CACHE
    CACHE.mkdir(parents=True, exist_ok=True)
    archive = ROOT.parent / "shared" / "conformance" / f"onnx-node-{ONNX}.tar.xz"
    if archive.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(CACHE, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    else:
        python = CACHE / "venv" / "bin" / "python"
        try:
            print(f"conformance: fetching onnx {ONNX}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", CACHE / "venv"], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"onnx=={ONNX}"],
                           check=True)
            subprocess.run([python, __file__, "--write-cases", CACHE], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"conformance: the cases cannot be had here: {error}", file=sys.stderr)
            return None
    (CACHE / "complete").touch()
    return CACHE


def run(command, options, cases, names):
    """What became of each case: (result, message). A batch that takes the command down is tried case by case."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        arguments = [command, "test", "--json", report.name, *options, *(str(cases / name) for name in names)]
        done = subprocess.run(arguments, capture_output=True, text=True)
        if done.returncode in (0, 1):
            entries = json.loads(pathlib.Path(report.name).read_text())["cases"]
            return {str(pathlib.Path(e["folder"]).relative_to(cases)): (e["result"], e.get("message", ""))
                    for e in entries}
    if len(names) == 1:
        reason = (done.stderr.strip().splitlines() or [""])[-1]
        return {names[0]: ("failed", f"the command ended with {done.returncode}: {reason}")}
    return {name: result for one in names for name, result in run(command, options, cases, [one]).items()}


def main():
    if sys.argv[1:2] == ["--write-cases"]:
        return write_cases(pathlib.Path(sys.argv[2]))
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("command")
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--no-optimize", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()

    cases = args.cases or find_cases()
    if cases is None:
        return 0
    cases = cases.resolve()
    names = sorted(str(p.parent.relative_to(cases)) for p in cases.glob("*/*/model.onnx"))
    if args.names:
        names = [name for name in names if any(part in name for part in args.names)]
    allowed = set(ALLOWED.read_text().split()) if ALLOWED.exists() else set()

    results = {}
    options = ["--rtol", "1e-3", "--atol", "1e-7"] + (["--no-optimize"] if args.no_optimize else [])
    for start in range(0, len(names), BATCH):
        results |= run(args.command, options, cases, names[start:start + BATCH])

    passed = {name for name, (result, _) in results.items() if result == "passed"}
    lost = sorted((allowed & set(names)) - passed)
    gained = sorted(passed - allowed)
    for name in sorted(set(names) - passed) if args.names else lost:
        print(f"{'LOST' if name in allowed else 'failed'} {name}: {results.get(name, ('', 'was not run'))[1]}")
    for name in gained[:20]:
        print(f"passes, but is not listed: {name}")
    if len(gained) > 20:
        print(f"… and {len(gained) - 20} more")
    if args.update and gained:
        ALLOWED.write_text("".join(f"{name}\n" for name in sorted(allowed | passed)))
    print(f"{len(passed)} passed, {len(names) - len(passed)} failed; {len(allowed)} listed, {len(lost)} of them lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
