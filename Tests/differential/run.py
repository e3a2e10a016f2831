#!/usr/bin/env python3
"""Random models, run by the command and by ONNX Runtime, whose answers must agree.

usage: Tests/differential/run.py COMMAND [--cases N] [--seed S] [--operator NAME]... [--keep DIR] [--list]

Case number i of seed S is the same whatever else runs, so `--seed S --first i --cases 1` gives it again. A case runs
optimised and as the file has it, with one to three threads, on the best level of instructions and on a lower one.
Models that differ are kept in DIR (build/differential), with inputs and the expected outputs, in the form that `dlrt
test` reads. What ONNX Runtime refuses is no case; what it does against the standard is in deviations.py. Exits with 1
when something differs.
"""

import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

import case
import deviations
import elementwise, graphs, movement, numeric, special  # noqa: E401, F401  (they register their operators)
import microsoft  # noqa: F401
import attention, integers, lines, recurrence, rounded, vision  # noqa: E401, F401  (and these their networks)

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BATCH = 200
LEVELS = subprocess.run(["sh", ROOT / "scripts" / "isa-levels.sh"], capture_output=True, text=True).stdout.split()


def make(seed, number, names):
    """The case of a number, or None when the draw makes none."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([sum(weight for _, weight in case.GENERATORS[name]) for name in names], float)
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    try:
        made = case.Case(name, rng)
        function = case.GENERATORS[name][int(rng.integers(len(case.GENERATORS[name])))][0]
        function(made)
    except case.Skip:
        return None
    return made if made.outputs else None


def message(value, name):
    """A value as ONNX stores it."""
    if isinstance(value, list):
        return numpy_helper.from_list(value, name)
    value = np.asarray(value)
    if value.dtype == object or value.dtype.kind in "US":
        return onnx.helper.make_tensor(
            name, onnx.TensorProto.STRING, value.shape, [str(s).encode() for s in value.ravel()]
        )
    return numpy_helper.from_array(value, name)


def from_bfloat16(value):
    """The numbers of ONNX Runtime's value, which NumPy has no type for."""
    import ctypes

    count = int(np.prod(value.shape()))
    words = (ctypes.c_uint16 * count).from_address(value.data_ptr()) if count else []
    return np.array(words, np.uint16).view(case.bfloat16).reshape(value.shape())


def answer(made):
    """ONNX Runtime's outputs for each of the case's inputs, and the first ones' types; raises what it raises."""
    if made.twin:
        narrow = lambda array: array.astype(case.bfloat16) if array.dtype == np.float32 else array
        sets, types = answer(made.twin)
        given = {id(b): a for a, b in zip([made.inputs, *made.others], [made.twin.inputs, *made.twin.others])}
        sets = [(given[id(inputs)], [*map(narrow, values)]) for inputs, values in sets]
        for type_proto in types.values():
            if type_proto.tensor_type.elem_type == onnx.TensorProto.FLOAT:
                type_proto.tensor_type.elem_type = onnx.TensorProto.BFLOAT16
        return sets, types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        made.model().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    declared = session.get_outputs()
    if any(array.dtype.name == "bfloat16" for array in made.inputs.values()):
        inputs = {
            name: (
                onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(
                    array.view(np.uint16), onnx.TensorProto.BFLOAT16
                )
                if array.dtype.name == "bfloat16"
                else onnxruntime.OrtValue.ortvalue_from_numpy(array)
            )
            for name, array in made.inputs.items()
        }
        values = [result.numpy() for result in session.run_with_ort_values(made.outputs, inputs)]
    elif any("bfloat16" in port.type for port in declared):
        results = session.run_with_ort_values(
            made.outputs, {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in made.inputs.items()}
        )
        values = [
            from_bfloat16(result) if "bfloat16" in port.type else result.numpy()
            for result, port in zip(results, declared)
        ]
    else:
        values = session.run(made.outputs, made.inputs)
    types = {}
    for name, value, port in zip(made.outputs, values, declared):
        if isinstance(value, list):
            kind = case.element_type(np.asarray(value[0])) if value else onnx.TensorProto.FLOAT
            types[name] = onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(kind, None))
        else:
            types[name] = onnx.helper.make_tensor_type_proto(case.element_type(np.asarray(value)), None)
    if not made.grown:
        return [(made.inputs, values)], types
    if is_shaky(made, session, made.inputs, values):
        raise case.Skip
    sets = [(made.inputs, values)]
    for inputs in made.others:
        try:
            values = session.run(made.outputs, inputs)
        except Exception:  # sizes that the model's constants do not allow
            continue
        if not is_shaky(made, session, inputs, values):
            sets.append((inputs, values))
    return sets, types


def is_shaky(made, session, inputs, values):
    """Whether rounding alone may move the answers too far: they near the end of float32, or nudged inputs move them."""
    most = 1e30 if made.name == "Network of lines" else 1e6
    if any(array.dtype.name == "float16" for array in inputs.values()):
        most = 100  # what is multiplied with itself on the way shall stay in range
    if not all((np.abs(np.asarray(value, np.float64)) < most).all() for value in values):
        return True
    if made.exact:
        return False
    rng, nudged = np.random.default_rng(0), {}
    for name, array in inputs.items():
        step = 2e-3 if made.is_twin else {"float16": 1e-3}.get(array.dtype.name, 3e-6)
        factor = 1 + step * rng.standard_normal(array.shape) if array.dtype.kind == "f" else 1
        nudged[name] = np.asarray(array * factor, array.dtype)
    bounds = tolerance(made, values)
    moved = session.run(made.outputs, nudged)
    return not all(np.allclose(b, a, bounds["rtol"] / 2, bounds["atol"] / 2) for a, b in zip(values, moved))


def write(made, folder, sets, types):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(made.model(types).SerializeToString())
    for number, (inputs, values) in enumerate(sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        for i, (name, array) in enumerate(inputs.items()):
            (data / f"input_{i}.pb").write_bytes(message(array, name).SerializeToString())
        for i, (name, value) in enumerate(zip(made.outputs, values)):
            (data / f"output_{i}.pb").write_bytes(message(value, name).SerializeToString())


def tolerance(made, values):
    """Absolute tolerances grow with the largest answer, and with the roughest type on the way."""
    rtol, atol, largest = made.rtol, made.atol, 1.0
    kinds = [np.asarray(v).dtype for v in values if not isinstance(v, list)] + [v.dtype for v in made.inputs.values()]
    kinds += [np.dtype(case.bfloat16)] if made.is_twin else []
    for kind in kinds:
        if kind.name == "float16":
            rtol, atol = max(rtol, 4e-3), max(atol, 2e-3)
        if kind.name == "bfloat16":
            rtol, atol = max(rtol, 2e-2), max(atol, 1e-2)
            if made.grown:
                rtol, atol = 2 * rtol, 3 * atol
    for value in values:
        if not isinstance(value, list) and np.asarray(value).dtype.kind == "f" and np.asarray(value).size:
            finite = np.abs(np.asarray(value, np.float64))[np.isfinite(value)]
            largest = max(largest, float(finite.max()) if finite.size else 1.0)
    atol *= largest
    whole = all(not isinstance(v, list) and np.asarray(v).dtype.kind in "iub" for v in values)
    if whole:
        atol = getattr(made, "integers", 0) + 1e-7
    elif getattr(made, "integers", 0):
        atol = max(atol, 0)
    return {"rtol": rtol, "atol": atol}


def prepare(seed, numbers, names, folder, queue):
    """Makes cases and asks ONNX Runtime; tells of each number what became of it."""
    tolerances = {}
    for number in numbers:
        try:
            made = make(seed, number, names)
        except Exception as error:  # a fault of the generator, to be mended there
            queue.put((number, "broken", "", f"{type(error).__name__}: {error}"))
            continue
        if made is None:
            queue.put((number, "none", "", ""))
            continue
        queue.put((number, "asked", made.name, ""))
        reason = deviations.reason(made)
        if reason:
            queue.put((number, "deviates", made.name, reason))
            continue
        try:
            sets, types = answer(made)
        except case.Skip:
            queue.put((number, "shaky", made.name, ""))
            continue
        except Exception as error:
            queue.put((number, "refused", made.name, str(error).splitlines()[0][:200]))
            continue
        values = [value for _, answers in sets for value in answers]
        reason = deviations.reason(made, values)
        if reason:
            queue.put((number, "deviates", made.name, reason))
            continue
        write(made, folder / "case" / str(number), sets, types)
        tolerances[f"case/{number}"] = tolerance(made, values)
        (folder / "cases.json").write_text(json.dumps(tolerances))
        queue.put((number, "ready", made.name, f"opset {made.opset}"))
    queue.put(None)


def prepared(seed, numbers, names, folder):
    """The same in a process of its own, begun anew where ONNX Runtime takes the process down."""
    fates, rest, part = {}, list(numbers), 0
    while rest:
        place = folder / f"part{part}"
        part += 1
        place.mkdir(parents=True)
        queue = multiprocessing.Queue()
        worker = multiprocessing.Process(target=prepare, args=(seed, rest, names, place, queue))
        worker.start()
        while True:
            try:
                entry = queue.get(timeout=60 if worker.is_alive() else 0.5)
            except Exception:
                worker.kill()
                break
            if entry is None:
                break
            number, fate, name, text = entry
            fates[number] = (fate, name, text, place / "case" / str(number))
        worker.join()
        undone = [n for n in rest if n not in fates or fates[n][0] == "asked"]
        if undone and undone[0] in fates:
            fates[undone[0]] = ("refused", fates[undone[0]][1], "ONNX Runtime went down", None)
            undone = undone[1:]
        rest = undone
    return fates


def judge(command, folders, options, level):
    """What differs: folder → message. A batch that takes the command down is tried case by case."""
    if not folders:
        return {}
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run(
            [command, "test", "--quiet", "--json", report.name, *options, *map(str, folders)],
            capture_output=True,
            text=True,
            env=os.environ | {"DLRT_ISA": level},
        )
        if done.returncode in (0, 1):
            entries = json.loads(pathlib.Path(report.name).read_text())["cases"]
            return {
                pathlib.Path(e["folder"]): e.get("message", "was skipped") for e in entries if e["result"] != "passed"
            }
    if len(folders) == 1:
        return {
            folders[0]: f"the command ended with {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"
        }
    half = len(folders) // 2
    return judge(command, folders[:half], options, level) | judge(command, folders[half:], options, level)


def rounds(ready):
    """Runs of a batch, as folders, options and level: two or three threads on the best level optimise each case; one
    thread does so again on the level that its number picks, and there the case runs as the file has it."""
    for threads in (2, 3):
        share = [folder for folder, entry in ready.items() if entry[0] % 5 // 4 == threads - 2]
        yield share, ["--threads", str(threads)], LEVELS[0]
    for i, level in enumerate(LEVELS):
        share = [folder for folder, entry in ready.items() if entry[0] % len(LEVELS) == i]
        yield share, ["--threads", "1"], level
        yield share, ["--threads", "2", "--no-optimize"], level


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("command")
    parser.add_argument("--cases", type=int, default=8000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operator", action="append", default=[])
    parser.add_argument("--keep", type=pathlib.Path, default=ROOT / "build" / "differential")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()

    names = sorted(case.GENERATORS)
    if args.list:
        return print("\n".join(names))
    if args.operator:
        unknown = set(args.operator) - set(names)
        if unknown:
            sys.exit(
                f"differential: there are no cases of {', '.join(sorted(unknown))}; --list names those that there are"
            )
        names = sorted(args.operator)
    print(f"differential: seed {args.seed}, cases {args.first} to {args.first + args.cases - 1}")
    shutil.rmtree(args.keep, ignore_errors=True)
    counts, failures, refusals, covered = collections.Counter(), 0, collections.Counter(), set()
    for start in range(args.first, args.first + args.cases, BATCH):
        numbers = range(start, min(start + BATCH, args.first + args.cases))
        with tempfile.TemporaryDirectory() as scratch:
            fates = prepared(args.seed, numbers, names, pathlib.Path(scratch))
            ready = {entry[3]: (number, *entry[1:3]) for number, entry in fates.items() if entry[0] == "ready"}
            for number, (fate, name, text, _) in fates.items():
                counts[fate] += 1
                if fate == "refused":
                    refusals[f"{name}: {text}"] += 1
                if fate == "broken":
                    print(f"broken case {number}: {text}")
                if fate == "ready":
                    covered.add(name)
            runs, differing = collections.Counter(), collections.defaultdict(list)
            for share, options, level in rounds(ready):
                runs.update(share)
                for folder, why in judge(args.command, share, options, level).items():
                    differing[folder].append((why, [level, *options]))
            for folder, found in differing.items():
                number, name, note = ready[folder]
                # What ONNX Runtime answers wrongly differs in every run.
                if deviations.refusal(found[0][0]) or (len(found) == runs[folder] and deviations.saturates(folder)):
                    counts["deviates"] += 1
                    continue
                failures += 1
                kept = args.keep / "case" / f"{args.seed}-{number}"
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(folder, kept)
                again = f"--seed {args.seed} --first {number}"
                for why, run in found:
                    why = why.replace(str(folder) + "/", "")
                    print(f"DIFFERS {name} ({' '.join([note, *run])}) {again}: {why}\n  {kept}")
    if args.verbose:
        for text, count in refusals.most_common():
            print(f"refused {count}: {text}")
    print(
        f"differential: {counts['ready']} cases of {len(covered)} operators compared, {failures} differ; "
        f"ONNX Runtime refused {counts['refused']}, known to deviate {counts['deviates']}, "
        f"too sensitive {counts['shaky']}, no case {counts['none'] + counts['broken']}"
    )
    return 1 if failures or counts["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
