#!/usr/bin/env python3
"""Broken models: the command must refuse them or run them, and never crash, hang or take all memory.

usage: Tests/differential/mutate.py COMMAND CASES [--count N] [--seed S] [--keep DIR]

CASES is a folder of ONNX test folders, such as build/conformance/node. A mutant is one of them with a few attributes,
numbers, shapes, types, connections or bytes changed. Mutants run with 3 GB of address space; one that ends with a
signal, or takes more than 20 s, is kept in DIR (build/mutants). Exits with 1 when there is one.
"""

import argparse
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import AttributeProto, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BATCH, SECONDS, MEMORY = 100, 20, 3 << 30
EXTREME = [
    0,
    1,
    -1,
    2,
    3,
    -2,
    7,
    100,
    2**31 - 1,
    -(2**31),
    2**31,
    2**32,
    2**40,
    2**62,
    2**63 - 1,
    -(2**63),
    1 << 20,
    65536,
    -100,
]
ODD_FLOATS = [0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 1e-30, 2.5]


class Mutator:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, values):
        return values[int(self.rng.integers(len(values)))]

    def integer(self, value):
        return (
            self.pick(EXTREME)
            if self.rng.random() < 0.7
            else max(-(2**63), min(value + int(self.rng.integers(-3, 4)), 2**63 - 1))
        )

    def nodes(self, graph):
        found = list(graph.node)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == AttributeProto.GRAPH:
                    found += self.nodes(attribute.g)
        return found

    def attribute(self, model, data):
        nodes = [n for n in self.nodes(model.graph) if n.attribute]
        if not nodes:
            return self.element(model, data)
        entry = self.pick(list(self.pick(nodes).attribute))
        if entry.type == AttributeProto.INT:
            entry.i = self.integer(entry.i)
        elif entry.type == AttributeProto.FLOAT:
            entry.f = self.pick(ODD_FLOATS)
        elif entry.type == AttributeProto.INTS and entry.ints:
            if self.rng.random() < 0.3:
                entry.ints.append(self.integer(0)) if self.rng.random() < 0.5 else entry.ints.pop()
            else:
                at = int(self.rng.integers(len(entry.ints)))
                entry.ints[at] = self.integer(entry.ints[at])
        elif entry.type == AttributeProto.FLOATS and entry.floats:
            entry.floats[int(self.rng.integers(len(entry.floats)))] = self.pick(ODD_FLOATS)
        elif entry.type == AttributeProto.STRING:
            entry.s = self.pick(
                [b"", b"SAME_UPPER", b"linear", b"\xff\xfe", b"reflect", b"ab,bc->ac", b"...->", b"((("]
            )
        elif entry.type == AttributeProto.TENSOR:
            entry.t.CopyFrom(self.tensor(entry.t))

    def tensor(self, tensor):
        """The tensor with another element, shape or type."""
        try:
            array = np.array(numpy_helper.to_array(tensor))
        except Exception:
            return tensor
        what = self.rng.random()
        if array.size and array.dtype.kind in "iu" and what < 0.6:
            info = np.iinfo(array.dtype)
            array.reshape(-1)[int(self.rng.integers(array.size))] = max(info.min, min(self.integer(0), info.max))
        elif array.size and array.dtype.kind == "f" and what < 0.5:
            with np.errstate(all="ignore"):
                array.reshape(-1)[int(self.rng.integers(array.size))] = self.pick(ODD_FLOATS)
        elif what < 0.85:
            shape = list(array.shape)
            change = self.rng.random()
            if change < 0.25 or not shape:
                shape.insert(int(self.rng.integers(len(shape) + 1)), self.pick([0, 1, 2, 3]))
            elif change < 0.5:
                shape.pop(int(self.rng.integers(len(shape))))
            elif change < 0.6:
                shape = [int(s) for s in self.rng.permutation(shape)]
            else:
                shape[int(self.rng.integers(len(shape)))] = self.pick([0, 1, 2, 3, 5, 17, 64])
            if np.prod(shape) < 1 << 22:
                array = np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)
        elif array.dtype != object:
            array = array.astype(
                self.pick([np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.int8, np.bool_])
            )
        try:
            made = numpy_helper.from_array(array, tensor.name)
        except Exception:
            return tensor
        return made

    def element(self, model, data):
        """Another element or shape of a constant or of an input, whose declared shape goes."""
        tensors = list(model.graph.initializer)
        if tensors and self.rng.random() < 0.5:
            chosen = self.pick(tensors)
            return chosen.CopyFrom(self.tensor(chosen))
        names = [n for n in data if n.startswith("input_")]
        if not names:
            return
        name = self.pick(names)
        index = int(name[6:-3])
        if index >= len(model.graph.input) or not model.graph.input[index].type.HasField("tensor_type"):
            return
        tensor = onnx.TensorProto()
        tensor.ParseFromString(data[name])
        made = self.tensor(tensor)
        data[name] = made.SerializeToString()
        declared = model.graph.input[index].type.tensor_type
        declared.ClearField("shape")
        declared.elem_type = made.data_type
        if self.rng.random() < 0.7:
            for i in range(len(made.dims)):
                declared.shape.dim.add().dim_param = f"d{index}_{i}"
        if self.rng.random() < 0.3:
            # The element is known at load.
            made.name = model.graph.input[index].name
            model.graph.initializer.append(made)

    def connection(self, model, data):
        node = self.pick(self.nodes(model.graph))
        names = [n for other in model.graph.node for n in list(other.input) + list(other.output)] + [""]
        what = self.rng.random()
        if node.input and what < 0.5:
            node.input[int(self.rng.integers(len(node.input)))] = self.pick(names)
        elif node.input and what < 0.7:
            del node.input[int(self.rng.integers(len(node.input)))]
        elif what < 0.85:
            node.input.append(self.pick(names))
        elif node.attribute:
            del node.attribute[int(self.rng.integers(len(node.attribute)))]

    def operator(self, model, data):
        node = self.pick(self.nodes(model.graph))
        node.op_type = self.pick(
            [
                "Add",
                "Reshape",
                "Gather",
                "Slice",
                "Concat",
                "Conv",
                "MatMul",
                "Squeeze",
                "Expand",
                "Tile",
                "Pad",
                "Resize",
                "TopK",
                "ScatterND",
                "Softmax",
                "Split",
                "Transpose",
                "Range",
                "ConstantOfShape",
            ]
        )

    def opset(self, model, data):
        if model.opset_import:
            model.opset_import[0].version = int(self.rng.integers(1, 29))

    def mutate(self, source, target):
        data = {p.name: p.read_bytes() for p in (source / "test_data_set_0").glob("*.pb")}
        raw = (source / "model.onnx").read_bytes()
        if self.rng.random() < 0.15:
            raw = bytearray(raw)
            for _ in range(int(self.rng.integers(1, 6))):
                raw[int(self.rng.integers(len(raw)))] = int(self.rng.integers(256))
            raw = bytes(raw)
        else:
            model = onnx.load_from_string(raw)
            for _ in range(int(self.rng.integers(1, 4))):
                self.pick([self.attribute] * 4 + [self.element] * 6 + [self.connection, self.operator, self.opset])(
                    model, data
                )
            raw = model.SerializeToString()
        (target / "test_data_set_0").mkdir(parents=True)
        (target / "model.onnx").write_bytes(raw)
        for name, content in data.items():
            (target / "test_data_set_0" / name).write_bytes(content)


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(command, folders, options):
    """The mutants that are not handled, with what became of them."""
    try:
        done = subprocess.run(
            [command, "test", "--quiet", *options, *map(str, folders)],
            capture_output=True,
            text=True,
            preexec_fn=limit,
            timeout=SECONDS if len(folders) == 1 else SECONDS * 3,
        )
        if done.returncode in (0, 1):
            return {}
        why = f"ended with {done.returncode}: {' '.join(done.stderr.split())[:300]}"
    except subprocess.TimeoutExpired:
        why = "took too long"
    if len(folders) == 1:
        return {folders[0]: why}
    half = len(folders) // 2
    return run(command, folders[:half], options) | run(command, folders[half:], options)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("command")
    parser.add_argument("cases", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, default=ROOT / "build" / "mutants")
    args = parser.parse_args()

    # A loop may be told to go on for ever, which is the caller's to end.
    sources = sorted(
        p.parent
        for p in args.cases.glob("*/model.onnx")
        if p.stat().st_size < 1 << 20 and b"Loop" not in p.read_bytes()
    )
    print(f"mutants: seed {args.seed}, {args.count} of {len(sources)} models")
    shutil.rmtree(args.keep, ignore_errors=True)
    bad = 0
    for start in range(0, args.count, BATCH):
        with tempfile.TemporaryDirectory() as scratch:
            folders = []
            for number in range(start, min(start + BATCH, args.count)):
                rng = np.random.default_rng([args.seed, number])
                source = sources[int(rng.integers(len(sources)))]
                target = pathlib.Path(scratch) / f"{number}-{source.name}"
                try:
                    Mutator(rng).mutate(source, target)
                    folders.append(target)
                except Exception as error:  # the mutant cannot be written
                    shutil.rmtree(target, ignore_errors=True)
                    if not isinstance(error, (ValueError, OverflowError, TypeError)):
                        print(f"mutants: {number}: {type(error).__name__}: {error}", file=sys.stderr)
            for options in ([], ["--no-optimize"]):
                for folder, why in run(args.command, folders, options).items():
                    bad += 1
                    kept = args.keep / folder.name
                    shutil.copytree(folder, kept, dirs_exist_ok=True)
                    print(f"BAD {kept} {' '.join(options)}: {why}", flush=True)
    print(f"mutants: {args.count} made, {bad} not handled")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
