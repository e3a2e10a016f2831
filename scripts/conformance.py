#!/usr/bin/env python3
"""Runs ONNX's own operator tests and compares with the list of those that are known to pass.

usage: scripts/conformance.py COMMAND [--suites] [--cases DIR] [--update] [--no-optimize] [NAME...]

Tests/conformance.txt names the cases that pass. A listed case that fails is an error; an unlisted one that passes is
reported, and --update adds it (it never removes one). With NAMEs only the cases whose names contain one of them run.
The cases come from --cases, else from ../shared/conformance, else from the `onnx` Python package, which a scratch
environment fetches. Exits with 0 as well when there is no way to get them, and says so.

--suites runs what the package has besides, all of which must pass: the models of `simple`, `pytorch-converted` and
`pytorch-operator`, and the networks of `light`, whose weights are constants.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "Tests" / "conformance.txt"
CACHE = ROOT / "build" / "conformance"
SUITES = ROOT / "build" / "conformance-suites"
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

    tolerances = {}
    for case in nodes.collect_testcases(None) + models.collect_testcases():
        if case.model is None:
            continue
        tolerances[f"{case.kind}/{case.name}"] = {"rtol": case.rtol, "atol": case.atol}
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
    (directory / "cases.json").write_text(json.dumps(tolerances))


def write_suites(directory):
    """Writes the suites that the installed onnx package has as files, and inputs for the networks without data."""
    import numpy as np
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.loader import DATA_DIR

    source = pathlib.Path(DATA_DIR)
    tolerances = {}
    for suite in ("simple", "pytorch-converted", "pytorch-operator"):
        for folder in source.glob(f"{suite}/*/"):
            if (folder / "model.onnx").exists():
                shutil.copytree(folder, directory / suite / folder.name, dirs_exist_ok=True)
                tolerances[f"{suite}/{folder.name}"] = {"rtol": 1e-3, "atol": 1e-7}
    for path in source.glob("light/*.onnx"):
        name = path.stem.removeprefix("light_")
        data = directory / "light" / name / "test_data_set_0"
        data.mkdir(parents=True, exist_ok=True)
        graph = onnx.load(path).graph
        weights = {weight.name for weight in graph.initializer}
        inputs = [value for value in graph.input if value.name not in weights]
        for i, value in enumerate(inputs):
            shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
            count = int(np.prod(shape))
            tensor = numpy_helper.from_array((np.arange(count).reshape(shape) / count).astype(np.float32))
            (data / f"input_{i}.pb").write_bytes(tensor.SerializeToString())
        shutil.copy(path, data.parent / "model.onnx")
        shutil.copy(path.with_name(f"{path.stem}_output_0.pb"), data / "output_0.pb")
        declared = json.loads((source / "real" / f"test_{name}" / "data.json").read_text())
        tolerances[f"light/{name}"] = {"rtol": declared.get("rtol", 1e-3), "atol": declared.get("atol", 1e-7)}
    (directory / "cases.json").write_text(json.dumps(tolerances))


def find_cases(directory, writer):
    """The folder of the cases, made at the first call; None when they cannot be had."""
    if (directory / "complete").exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    archive = ROOT.parent / "shared" / "conformance" / f"onnx-node-{ONNX}.tar.xz"
    if directory == CACHE and archive.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(CACHE, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    else:
        python = CACHE / "venv" / "bin" / "python"
        try:
            if not python.exists():
                print(f"conformance: fetching onnx {ONNX}", file=sys.stderr)
                subprocess.run([sys.executable, "-m", "venv", CACHE / "venv"], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"onnx=={ONNX}"],
                           check=True)
            subprocess.run([python, __file__, writer, directory], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"conformance: the cases cannot be had here: {error}", file=sys.stderr)
            return None
    (directory / "complete").touch()
    return directory


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
    if sys.argv[1:2] == ["--write-suites"]:
        return write_suites(pathlib.Path(sys.argv[2]))
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("command")
    parser.add_argument("--suites", action="store_true")
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--no-optimize", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()

    if args.suites:
        cases = find_cases(SUITES, "--write-suites")
    else:
        cases = args.cases or find_cases(CACHE, "--write-cases")
    if cases is None:
        return 0
    cases = cases.resolve()
    names = sorted(str(p.parent.relative_to(cases)) for p in cases.glob("*/*/model.onnx"))
    if args.names:
        names = [name for name in names if any(part in name for part in args.names)]
    if args.suites:
        allowed = set(names)
    else:
        allowed = set(ALLOWED.read_text().split()) if ALLOWED.exists() else set()

    results = {}
    options = ["--no-optimize"] if args.no_optimize else []
    if not (cases / "cases.json").exists():
        options += ["--rtol", "1e-3", "--atol", "1e-7"]
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
