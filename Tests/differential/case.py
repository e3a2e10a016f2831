"""What a random case is made of: a model, its inputs, and how far answers may lie apart."""

import numpy as np
import onnx
from ml_dtypes import bfloat16
from onnx import TensorProto, helper, numpy_helper

FLOATS = ["float32", "float32", "float32", "float64", "float16"]
SIGNED = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
INTEGERS = SIGNED + UNSIGNED
NUMBERS = FLOATS + ["int32", "int64"] + INTEGERS
NEWEST = 26
OLDEST = 7

GENERATORS = {}


def operator(*names, weight=1):
    """Registers a function that makes cases of these operators."""

    def register(function):
        for name in names:
            GENERATORS.setdefault(name, []).append((function, weight))
        return function

    return register


class Skip(Exception):
    """A draw that makes no case."""


class Case:
    def __init__(self, name, rng, opset=None):
        self.name, self.rng = name, rng
        self.nodes, self.inputs, self.weights, self.outputs = [], {}, {}, []
        self.input_types = {}
        self.others, self.grown = [], False  # inputs of further runs; whether errors may have grown on a long way
        self.exact = False  # whether rounding is none, so that all must be equal
        self.twin, self.is_twin = None, False  # the same numbers as float32, where ONNX Runtime lacks the type
        self.rtol, self.atol = 1e-3, 1e-5
        self.count = 0
        versions = [
            s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == name and s.domain == ""
        ]
        self.opset = opset or (self.pick_opset(sorted(versions)) if versions else int(rng.integers(13, NEWEST + 1)))
        fitting = [v for v in versions if v <= self.opset]
        self.version = max(fitting) if fitting else 1
        self.domains = {"": self.opset}

    def pick_opset(self, versions):
        """An operator-set version; each version of the operator is equally likely."""
        ranges = [
            (max(start, OLDEST), min(end - 1, NEWEST))
            for start, end in zip(versions, versions[1:] + [NEWEST + 1])
            if end > OLDEST and start <= NEWEST
        ]
        if not ranges:
            raise Skip
        low, high = ranges[self.rng.integers(len(ranges))]
        return int(self.rng.integers(low, high + 1))

    # Draws

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def pick(self, values):
        return values[int(self.rng.integers(len(values)))]

    def size(self, zero=0.02):
        if self.chance(zero):
            return 0
        return self.pick([1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 19, 33])

    def shape(self, low=0, high=4, zero=0.02, most=4000):
        shape = [self.size(zero) for _ in range(self.integer(low, high))]
        while np.prod(shape) > most:
            at = int(np.argmax(shape))
            shape[at] = max(shape[at] // 2, 1)
        return shape

    def subshape(self, shape):
        """A shape that broadcasts with this one."""
        own = [1 if self.chance(0.3) else size for size in shape]
        return own[self.integer(0, len(own)) :] if self.chance(0.3) else own

    def array(self, kind, shape, low=None, high=None):
        """Random elements of a type; floats about normal, or even between bounds."""
        kind = np.dtype(bfloat16) if kind == "bfloat16" else kind
        shape = tuple(shape)
        if kind == "bool":
            return self.rng.random(shape) < 0.5
        if kind == "string":
            words = ["", "a", "b", "ab", "Hello", "world", "ä", "monday", "tuesday", "x y", "12", "-3.5"]
            return np.array([self.pick(words) for _ in range(int(np.prod(shape)))], object).reshape(shape)
        kind = np.dtype(kind)
        if kind.kind in "iu":
            info = np.iinfo(kind)
            if low is None:
                low, high = (
                    (max(info.min, -20), 20) if self.chance(0.7) else (max(info.min, -1000), min(info.max, 1000))
                )
            return self.rng.integers(low, high, shape, endpoint=True).astype(kind)
        if low is not None:
            return (low + (high - low) * self.rng.random(shape)).astype(kind)
        return (self.rng.standard_normal(shape) * self.pick([1, 1, 3])).astype(kind)

    # Building

    def fresh(self, stem="v"):
        self.count += 1
        return f"{stem}{self.count}"

    def feed(self, array, symbolic=None):
        """A graph input."""
        name = self.fresh("x")
        array = np.asarray(array)
        self.inputs[name] = array
        symbolic = self.chance(0.25) if symbolic is None else symbolic
        dims = [f"{name}_{i}" if symbolic and self.chance(0.6) else size for i, size in enumerate(array.shape)]
        self.input_types[name] = helper.make_tensor_type_proto(element_type(array), dims)
        return name

    def constant(self, array):
        name = self.fresh("w")
        tensor = (
            numpy_helper.from_array(np.asarray(array), name)
            if np.asarray(array).dtype != object
            else helper.make_tensor(
                name, TensorProto.STRING, np.asarray(array).shape, [s.encode() for s in np.asarray(array).ravel()]
            )
        )
        if self.chance(0.2):
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.weights[name] = tensor
        return name

    def value(self, array, constant=0.3):
        """An input or a constant."""
        return self.constant(array) if self.chance(constant) else self.feed(array)

    def node(self, op, inputs, outputs=1, domain="", **attributes):
        names = [self.fresh() for _ in range(outputs)] if isinstance(outputs, int) else outputs
        attributes = {key: value for key, value in attributes.items() if value is not None}
        while inputs and not inputs[-1]:
            inputs = inputs[:-1]
        self.nodes.append(helper.make_node(op, [i or "" for i in inputs], names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def output(self, *names):
        self.outputs += [name for name in names if name]

    def model(self, types=None):
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_value_info(name, type_proto) for name, type_proto in self.input_types.items()],
            [
                helper.make_value_info(name, types[name]) if types and name in types else onnx.ValueInfoProto(name=name)
                for name in self.outputs
            ],
            list(self.weights.values()),
        )
        imports = [helper.make_opsetid(domain, version) for domain, version in self.domains.items()]
        return helper.make_model(graph, opset_imports=imports, ir_version=10)

    def loose(self, rtol, atol):
        self.rtol, self.atol = max(self.rtol, rtol), max(self.atol, atol)


def element_type(array):
    return TensorProto.STRING if array.dtype == object else helper.np_dtype_to_tensor_dtype(array.dtype)
