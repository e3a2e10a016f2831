"""Random networks: a walk adds a step at a time to what is there, so that steps meet that no small pattern joins."""

import copy

import numpy as np
import onnx
from onnx import helper, numpy_helper

from case import Skip, bfloat16, operator

LARGEST = 60_000  # elements of a value
WALKS = {}


class Misfit(Exception):
    """A step that does not fit the value it was given."""


def step(*kinds, weight=1):
    """Registers a step of networks of these kinds: a function of a network and a value that returns values or None."""

    def register(function):
        for kind in kinds:
            WALKS.setdefault(kind, []).append((function, weight))
        return function

    return register


class Network:
    """A graph under way: the shape of each of its values, which the standard's own inference gives."""

    def __init__(self, c):
        self.c = c
        self.shapes, self.known, self.dims = {}, {}, {}
        self.kinds = {}  # element types of values that are not float32

    # Values

    def feed(self, array, dims=None):
        """A graph input; dims are names and numbers where the case's data may have other sizes in a second run."""
        name = self.c.feed(array, symbolic=False)
        if dims:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            self.c.input_types[name] = helper.make_tensor_type_proto(kind, dims)
            self.dims[name] = dims
        self.note(name, array.shape, helper.np_dtype_to_tensor_dtype(array.dtype))
        return name

    def note(self, name, shape, kind):
        self.shapes[name] = tuple(shape)
        if kind != onnx.TensorProto.FLOAT:
            self.kinds[name] = kind

    def constant(self, array):
        name = self.c.constant(array)
        self.known[name] = np.asarray(array)
        return name

    def weight(self, *shape, over=None):
        """Weights that keep the size of what they are multiplied with."""
        scale = np.sqrt(over or max(1, int(np.prod(shape[1:]))))
        return self.constant((self.c.rng.standard_normal(shape) / scale).astype("float32"))

    def about(self, shape):
        """Factors about 1."""
        return self.constant(self.c.array("float32", shape, 0.5, 1.5))

    def number(self, value, exact=0.95):
        """A number, as exporters store them: mostly a scalar. Some are not quite what a pattern has."""
        value = value if self.c.chance(exact) else value * self.c.pick([1.0018, 0.9991, 1.004])
        shape = self.c.pick([[]] * 12 + [[1]] * 3 + [[1, 1, 1]])
        return self.constant(np.full(shape, value, "float32"))

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def lengths(self, values, likes=None):
        """Numbers that a shape, sizes or a split is made of: known when the model is loaded, or only in the run."""
        c, values = self.c, [int(v) for v in values]
        kind = c.integer(0, 9)
        if kind == 0:
            return self.given(values)
        if kind == 1:
            given = c.feed(np.array([0], np.int64), symbolic=False)
            name = c.node("Add", [self.integers(*values), given])
        elif kind == 2:
            name = self.measured(values)
        elif kind == 3 and likes and list(self.shapes[likes]) == values:
            name = c.node("Shape", [likes])
        else:
            return self.integers(*values)
        self.known[name] = np.array(values, np.int64)
        return name

    def given(self, values):
        """Numbers that are an input, so that a stage ends before what reads them."""
        name = self.c.feed(np.array(values, np.int64), symbolic=False)
        self.known[name] = np.array(values, np.int64)
        return name

    def measured(self, values):
        """The same from other values' shapes, one by one."""
        parts = []
        for value in values:
            sources = [(v, i) for v, shape in self.shapes.items() for i, size in enumerate(shape) if size == value]
            if sources and self.c.chance(0.7):
                source, axis = self.c.pick(sources)
                parts.append(self.c.node("Gather", [self.c.node("Shape", [source]), self.integers(axis)], axis=0))
            else:
                parts.append(self.integers(value))
        return self.c.node("Concat", parts, axis=0)

    def forget(self, names):
        """What is known of values that only a body has now."""

    # Steps

    def add(self, op, inputs, outputs=1, **attributes):
        """A node; Misfit where the standard's inference refuses it or the value would be empty or large."""
        attributes = {key: value for key, value in attributes.items() if value is not None}
        names = [self.c.fresh() for _ in range(outputs)]
        node = helper.make_node(op, [i or "" for i in inputs], names, **attributes)
        made = self.infer(node)
        for shape, _ in made:
            if 0 in shape or min(shape, default=1) < 0 or np.prod(shape) > LARGEST:
                raise Misfit
        self.c.nodes.append(node)
        for name, (shape, kind) in zip(names, made):
            self.note(name, shape, kind)
        return names[0] if outputs == 1 else names

    def infer(self, node):
        types, data = {}, {}
        for name in filter(None, node.input):
            if name in self.known:
                data[name] = numpy_helper.from_array(self.known[name], name)
                types[name] = helper.make_tensor_type_proto(data[name].data_type, self.known[name].shape)
            else:
                types[name] = helper.make_tensor_type_proto(self.kinds.get(name, 1), self.shapes[name])
        try:
            schema = onnx.defs.get_schema(node.op_type, self.c.opset, "")
            imports = [helper.make_opsetid("", self.c.opset)]
            made = onnx.shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=imports, ir_version=10
            )
            tensors = [made[name].tensor_type for name in node.output]
        except Exception:
            raise Misfit
        if not all(d.HasField("dim_value") for tensor in tensors for d in tensor.shape.dim):
            raise Misfit
        return [(tuple(d.dim_value for d in tensor.shape.dim), tensor.elem_type) for tensor in tensors]

    def has(self, op):
        return onnx.defs.has(op, self.c.opset, "")

    def mean(self, x, *axes):
        if self.c.opset < 18:
            return self.add("ReduceMean", [x], axes=list(axes))
        return self.add("ReduceMean", [x, self.integers(*axes)])

    def reshape(self, x, *shape):
        return self.add("Reshape", [x, self.lengths(shape)])

    def transpose(self, x, *perm):
        return self.add("Transpose", [x], perm=list(perm))

    def shuffled(self, *values):
        return [values[i] for i in self.c.rng.permutation(len(values))]

    # The walk

    def recent(self, fits=lambda shape: True, kinds=(onnx.TensorProto.FLOAT,)):
        """A value, more likely a late one, so that the graph grows long as well as wide."""
        of_kind = lambda name: self.kinds.get(name, onnx.TensorProto.FLOAT) in kinds
        fitting = [name for name, shape in self.shapes.items() if fits(shape) and of_kind(name)]
        if not fitting:
            raise Misfit
        return fitting[-1 - min(len(fitting) - 1, int(self.c.rng.geometric(0.45)) - 1)]

    def walk(self, kind, least, most):
        self.kind, steps = kind, WALKS[kind]
        weights = np.array([weight for _, weight in steps], float)
        for _ in range(self.c.integer(least, most)):
            function = steps[int(self.c.rng.choice(len(steps), p=weights / weights.sum()))][0]
            try:
                function(self, self.recent())
            except Misfit:
                pass

    def finish(self, retypes=0.15, kinds=("float16", "float16", "float64", bfloat16)):
        """What nobody reads is an output, and a few others."""
        nodes = list(every(self.c.nodes))
        read = {name for node in nodes for name in node.input}
        read |= {port.name for node in nodes for body in bodies(node) for port in body.output}
        outputs = [v for v in self.shapes if v not in self.c.inputs and (v not in read or self.c.chance(0.08))]
        if not outputs:
            raise Skip
        self.c.output(*outputs)
        self.c.grown = True
        self.c.loose(1e-3, 5e-5)
        self.vary()
        if self.c.chance(retypes) and not {"Resize", "Cast"} & {node.op_type for node in every(self.c.nodes)}:
            kind = self.c.pick(kinds)
            if kind == bfloat16 and not all(takes(node, self.c.opset) for node in every(self.c.nodes)):
                return
            retype(self.c, kind)
            if kind == bfloat16:
                self.c.twin = copy.deepcopy(self.c)
                self.c.twin.is_twin = True
                retype(self.c.twin, "float32", bfloat16)

    def vary(self):
        """Further runs of the session with other sizes, where dimensions have names: their plans are made beside the
        first one's, and they find the memory of larger and smaller runs. Images only grow, so that windows fit."""
        if not self.dims:
            return
        c = self.c
        for _ in range(c.pick([1, 1, 2, 7])):
            sizes, other, back = {}, dict(c.inputs), c.chance(0.25)
            for name, dims in self.dims.items():
                for dim, size in zip(dims, c.inputs[name].shape):
                    if dim not in sizes:
                        least = size if dim in ("H", "W", "D") else 1
                        most = size if back else c.pick([size + 2, size + 2, 3 * size + 1])
                        sizes[dim] = c.integer(size if back else least, most) if isinstance(dim, str) else size
                shape, kind = [sizes[dim] for dim in dims], c.inputs[name].dtype
                own = c.array(kind, shape) if kind.kind == "f" else c.array(kind, shape, 0, 255)
                other[name] = own
            c.others.append(other)


def bodies(node):
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def every(nodes):
    """Nodes and those of their bodies."""
    for node in nodes:
        yield node
        for body in bodies(node):
            yield from every(body.node)


def takes(node, opset):
    """Whether an operator takes bfloat16 wherever it takes float32."""
    if node.domain:
        return False
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    kinds = [formal.types for formal in [*schema.inputs, *schema.outputs]]
    return all("tensor(bfloat16)" in allowed for allowed in kinds if "tensor(float)" in allowed)


def retype(c, kind, given="float32"):
    """Makes another type of a case's floats. Operators whose types do not all change must not be in it."""
    code, before = [helper.np_dtype_to_tensor_dtype(np.dtype(own)) for own in (kind, given)]

    @np.errstate(over="ignore")
    def turned(array):
        return array.astype(kind) if array.dtype == given else array

    stored = lambda tensor: numpy_helper.from_array(turned(numpy_helper.to_array(tensor)), tensor.name)
    c.inputs = {name: turned(array) for name, array in c.inputs.items()}
    c.others = [{name: turned(array) for name, array in inputs.items()} for inputs in c.others]
    c.weights = {name: stored(tensor) for name, tensor in c.weights.items()}
    types = list(c.input_types.values())
    for node in every(c.nodes):
        if node.op_type == "Constant":
            node.attribute[0].t.CopyFrom(stored(node.attribute[0].t))
        types += [port.type for body in bodies(node) for port in [*body.input, *body.output]]
    for type_proto in types:
        if type_proto.tensor_type.elem_type == before:
            type_proto.tensor_type.elem_type = code


def network(kind, weight, least=4, most=13):
    """Registers the beginning of a network: a function of a network that feeds it."""

    def register(begin):
        @operator(f"Network of {kind}", weight=weight)
        def make(c):
            n = Network(c)
            begin(n)
            n.walk(kind, least, most)
            n.finish()

        return begin

    return register


# What all kinds have


ACTIVATIONS = ["Relu", "Sigmoid", "Tanh", "Erf", "LeakyRelu", "Elu", "HardSwish", "HardSigmoid", "Softplus", "Abs"]


@step("images", weight=4)
@step("attention", "recurrence", weight=2)
@step("lines", weight=5)
def activation(n, x):
    """One operator, or several, as exporters write them."""
    c = n.c
    kind = c.integer(0, 7)
    if kind < 3:
        return n.add(c.pick(ACTIVATIONS), [x])
    if kind == 3:
        return n.add("Clip", [x, n.constant(np.float32(c.pick([-1, 0]))), n.constant(np.float32(c.pick([0.8, 6])))])
    if kind == 4:
        gate = x if c.chance(0.6) else n.add("Mul", [x, n.number(1.702)])
        y = n.add("Mul", n.shuffled(x, n.add("Sigmoid", [gate])))
        return n.add("Mul", [y, n.number(1)]) if c.chance(0.2) else y
    if kind == 5:
        erf = n.add("Erf", [n.add("Div", [x, n.number(2**0.5)])])
        sum_ = n.add("Add", n.shuffled(erf, n.number(1)))
        if c.chance(0.5):
            return n.add("Mul", [n.add("Mul", n.shuffled(x, sum_)), n.number(0.5)])
        return n.add("Mul", n.shuffled(n.add("Mul", [x, n.number(0.5)]), sum_))
    if kind == 6:
        cut = n.add("Clip", [n.add("Add", [x, n.number(3)]), n.constant(np.float32(0)), n.constant(np.float32(6))])
        return n.add("Div", [n.add("Mul", n.shuffled(x, cut)), n.number(6)])
    cube = n.add("Pow", [x, n.number(3, exact=1)]) if c.chance(0.5) else n.add("Mul", [x, n.add("Mul", [x, x])])
    inner = n.add("Add", n.shuffled(x, n.add("Mul", [cube, n.number(0.044715)])))
    tanh = n.add("Tanh", [n.add("Mul", [inner, n.number(0.7978845608)])])
    return n.add("Mul", [n.add("Mul", [x, n.number(0.5)]), n.add("Add", [tanh, n.number(1)])])


def broadcasts(shape, other):
    return all(a == b or 1 in (a, b) for a, b in zip(shape[::-1], other[::-1]))


@step("images", "attention", "recurrence", "lines", weight=3)
def pair(n, x):
    """Two values, of one shape or not: residuals, gates, a value with itself."""
    shape = n.shapes[x]
    same = n.c.chance(0.6)
    other = n.recent(lambda s: s == shape if same else len(s) == len(shape) and broadcasts(s, shape))
    if n.c.chance(0.15):
        other = n.add("Sigmoid", [other])
    return n.add(n.c.pick(["Add", "Add", "Mul", "Mul", "Sub", "Max"]), n.shuffled(x, other))


@step("images", "attention", "recurrence", "lines", weight=2)
def by_constant(n, x):
    """A constant of any shape that broadcasts, of more axes too."""
    shape = n.c.subshape(list(n.shapes[x]))
    if n.c.chance(0.06):
        shape = [1] * (len(n.shapes[x]) - len(shape) + 1) + shape
    return n.add(n.c.pick(["Add", "Mul", "Sub", "Div"]), [x, n.about(shape)])


@step("images", "attention", "recurrence", weight=3)
@step("lines", weight=1)
def concat(n, x):
    """Parts that others read too, the same one twice, parts of a later stage; then perhaps the whole with a part."""
    c, shape = n.c, n.shapes[x]
    if not shape:
        raise Misfit
    axis = (1 if c.chance(0.5) else c.integer(0, len(shape) - 1)) % len(shape)
    fits = lambda s: len(s) == len(shape) and all(i == axis or a == b for i, (a, b) in enumerate(zip(s, shape)))
    parts = [x, *[n.recent(fits) for _ in range(c.integer(0, 2))]]
    if c.chance(0.25):
        late = by_weights(n, n.add("Reshape", [x, n.given(shape)]))
        parts = [by_weights(n, x), late, *parts[1:]]
    parts = n.shuffled(*parts)
    if sum(n.shapes[part][axis] for part in parts) > 100:
        raise Misfit
    whole = n.add("Concat", parts, axis=axis - len(shape) if c.chance(0.3) else axis)
    fitting = [part for part in parts if broadcasts(n.shapes[part], n.shapes[whole])]
    if fitting and c.chance(0.4):
        return n.add("Sigmoid", [n.add(c.pick(["Mul", "Add"]), n.shuffled(whole, c.pick(fitting)))])
    return whole


def by_weights(n, x):
    """A product that keeps the shape: the kind of step that writes where it is told to."""
    size = n.shapes[x][1 if n.kind == "images" and len(n.shapes[x]) > 2 else -1]
    if n.kind == "images" and len(n.shapes[x]) > 2:
        return n.add("Conv", [x, n.weight(size, size, *[1] * (len(n.shapes[x]) - 2))])
    return n.add("MatMul", [x, n.weight(size, size)])


@step("images", "attention", "recurrence", weight=2)
def part(n, x):
    """Split, or Slice, the sizes known or not."""
    c, shape = n.c, n.shapes[x]
    axis = c.integer(0, len(shape) - 1)
    axis = 1 if len(shape) > 1 and shape[1] > 1 and c.chance(0.4) else axis
    if shape[axis] < 2:
        raise Misfit
    at = c.integer(1, shape[axis] - 1)
    if c.chance(0.5):
        return n.add("Split", [x, n.lengths([at, shape[axis] - at])], 2, axis=axis)
    ends = [at, 10**6] if c.chance(0.5) else [0, at]
    return n.add("Slice", [x, n.lengths([ends[0]]), n.lengths([ends[1]]), n.integers(axis)])


@step("images", "attention", "recurrence", weight=1)
def reshape(n, x):
    """The same elements under another shape, which perhaps only the run knows."""
    shape = list(n.shapes[x])
    if len(shape) < 2:
        raise Misfit
    first = n.c.integer(1, len(shape) - 1)
    kind = n.c.integer(0, 2)
    if kind == 0:
        shape[first - 1], shape[first] = shape[first], shape[first - 1]
    return n.add("Reshape", [x, n.lengths(shape, x)])


@step("images", weight=1)
@step("attention", weight=2)
@step("lines", "recurrence", weight=1)
def transpose(n, x):
    if not n.shapes[x]:
        raise Misfit
    return n.transpose(x, *[int(i) for i in n.c.rng.permutation(len(n.shapes[x]))])


@step("images", "attention", weight=1)
def repeat(n, x):
    """An axis of one made longer, or a row picked that everyone then reads."""
    c, shape = n.c, list(n.shapes[x])
    axis = c.integer(0, len(shape) - 1)
    if 1 in shape:
        return n.add("Expand", [x, n.lengths([c.integer(2, 3) if size == 1 else size for size in shape])])
    return n.add("Gather", [x, n.integers(c.integer(0, shape[axis] - 1))], axis=axis)


@step("images", "attention", "recurrence", weight=1)
def identity(n, x):
    return n.add(n.c.pick(["Identity", "Dropout"]), [x])
