"""Random networks of recurrent layers, and bodies of If and Loop made of a stretch of any network."""

import numpy as np
from onnx import TensorProto, helper

from networks import Misfit, WALKS, network, step

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@network("recurrence", weight=40, least=3, most=9)
def begin(n):
    c = n.c
    shape = [c.pick([1, 2, 3, 5]), c.pick([1, 2, 5, 9]), c.pick([3, 8, 16])]
    n.feed(c.array("float32", shape), ["N", "T", shape[2]] if c.chance(0.3) else None)


@step("recurrence", weight=6)
def recurrent(n, x):
    """A layer whose input and output are [b, t, size]."""
    c = n.c
    if len(n.shapes[x]) != 3:
        raise Misfit
    b, t, size = n.shapes[x]
    kind, hidden = c.pick(list(GATES)), c.pick([1, 4, 8, 16, 17, 32])
    direction = c.pick(["forward", "reverse", "bidirectional"])
    ways, gates = 2 if direction == "bidirectional" else 1, GATES[kind]
    fixed = not n.dims
    inputs = [
        n.transpose(x, 1, 0, 2),
        n.weight(ways, gates * hidden, size, over=size),
        n.weight(ways, gates * hidden, hidden, over=hidden),
        n.weight(ways, 2 * gates * hidden, over=9) if c.chance(0.7) else "",
        n.constant(c.rng.integers(1, t, b, endpoint=True).astype("int32")) if fixed and c.chance(0.3) else "",
        n.weight(ways, b, hidden, over=1) if fixed and c.chance(0.4) else "",
    ]
    options = {"linear_before_reset": c.integer(0, 1)} if kind == "GRU" else {}
    while not inputs[-1]:
        inputs.pop()
    y, *_ = n.add(kind, inputs, 3 if kind == "LSTM" else 2, hidden_size=hidden, direction=direction, **options)
    if ways == 1 and c.chance(0.6):
        y = n.add("Squeeze", [y, n.integers(1)])
    else:
        y = n.reshape(n.transpose(y, 0, 2, 1, 3), t, b, ways * hidden)
    y = n.transpose(y, 1, 0, 2)
    return n.add("MatMul", [y, n.weight(ways * hidden, size, over=ways * hidden)]) if c.chance(0.6) else y


@step("recurrence", weight=2)
def dense(n, x):
    shape = n.shapes[x]
    y = n.add("MatMul", [x, n.weight(shape[-1], n.c.pick([4, 8, 16]), over=shape[-1])])
    return n.add("Add", [y, n.weight(n.shapes[y][-1], over=4)])


def stretch(n, x):
    """Some steps from a value on, to be taken out of the graph again: where they begin and what they made."""
    steps, start, before = WALKS[n.kind], len(n.c.nodes), set(n.shapes)
    for _ in range(n.c.integer(1, 3)):
        try:
            n.c.pick(steps)[0](n, x)
        except Misfit:
            pass
        fresh = [v for v in n.shapes if v not in before and v not in n.c.inputs and v not in n.kinds]
        x = fresh[-1] if fresh else x
    made = [v for v in n.shapes if v not in before and v not in n.c.inputs and v not in n.kinds]
    if not made:
        raise Misfit
    return start, made


def take(n, start):
    """The nodes from there on, which are in the graph no longer."""
    nodes = n.c.nodes[start:]
    del n.c.nodes[start:]
    names = {output for node in nodes for output in node.output}
    shapes = {name: n.shapes.pop(name) for name in names & set(n.shapes)}
    n.forget(names)
    return nodes, names, shapes


def renamed(nodes, names):
    """Copies that call values otherwise, in bodies of their own too."""
    copies = []
    for node in nodes:
        copy = type(node)()
        copy.CopyFrom(node)
        copy.input[:] = [names.get(i, i) for i in node.input]
        copy.output[:] = [names.get(o, o) for o in node.output]
        for attribute in copy.attribute:
            if attribute.HasField("g"):
                inner = renamed(attribute.g.node, names)
                del attribute.g.node[:]
                attribute.g.node.extend(inner)
                for output in attribute.g.output:
                    output.name = names.get(output.name, output.name)
        copies.append(copy)
    return copies


def port(name, kind=TensorProto.FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


@step("images", "attention", "bytes", weight=0.5)
@step("recurrence", weight=3)
def branches(n, x):
    """An If whose branches are a stretch, and the same with its results negated."""
    c = n.c
    start, made = stretch(n, x)
    exports = list(dict.fromkeys([made[-1], c.pick(made)]))
    nodes, names, shapes = take(n, start)
    graphs = {}
    for tag in ("then", "else"):
        own = {name: f"{name}_{tag}" for name in names}
        body = renamed(nodes, own)
        results = [own[e] for e in exports]
        if tag == "else":
            body += [helper.make_node("Neg", [r], [f"{r}_neg"]) for r in results]
            results = [f"{r}_neg" for r in results]
        graphs[f"{tag}_branch"] = helper.make_graph(body, tag, [], [port(r) for r in results])
    choice = n.constant(np.array(c.chance(0.5))) if c.chance(0.2) else c.feed(np.array(c.chance(0.5)), symbolic=False)
    c.nodes.append(helper.make_node("If", [choice], exports, **graphs))
    n.shapes |= {e: shapes[e] for e in exports}
    return exports[0]


@step("images", "attention", "bytes", weight=0.5)
@step("recurrence", weight=3)
def turns(n, x):
    """A Loop whose body is a stretch: what it makes of the value goes round, or what each turn makes is stacked."""
    c = n.c
    start, made = stretch(n, x)
    round_ = next((v for v in reversed(made) if n.shapes[v] == n.shapes[x]), None)
    if round_ and c.chance(0.8):
        round_ = n.add("Tanh", [round_])
    stacked = [c.pick(made)] if not round_ or c.chance(0.4) else []
    nodes, names, shapes = take(n, start)
    tag = c.fresh("turn")
    own = {name: f"{name}_{tag}" for name in names} | ({x: f"{x}_{tag}"} if round_ else {})
    body = renamed(nodes, own) + [helper.make_node("Identity", [f"{tag}_go"], [f"{tag}_on"])]
    ins = [port(f"{tag}_i", TensorProto.INT64, []), port(f"{tag}_go", TensorProto.BOOL, [])]
    outs = [port(f"{tag}_on", TensorProto.BOOL, [])]
    count = c.integer(1, 3)
    results, sizes, carried = [], [], []
    if round_:
        ins.append(port(own[x]))
        outs.append(port(own[round_]))
        carried, sizes, results = [x], [shapes[round_]], [c.fresh()]
    for value in stacked:
        copy = f"{own[value]}_copy"
        body.append(helper.make_node("Identity", [own[value]], [copy]))
        outs.append(port(copy))
        sizes.append((count, *shapes[value]))
        results.append(c.fresh())
    times = np.array(count, np.int64)
    times = n.constant(times) if c.chance(0.5) else c.feed(times, symbolic=False)
    go = n.constant(np.array(True)) if c.chance(0.5) else ""
    graph = helper.make_graph(body, tag, ins, outs)
    c.nodes.append(helper.make_node("Loop", [times, go, *carried], results, body=graph))
    n.shapes |= dict(zip(results, sizes))
    return results[0]
