"""Operators that work element by element."""

import numpy as np

from case import FLOATS, INTEGERS, NUMBERS, SIGNED, Skip, operator


@operator(
    "Abs",
    "Neg",
    "Ceil",
    "Floor",
    "Round",
    "Sqrt",
    "Exp",
    "Log",
    "Sin",
    "Cos",
    "Tan",
    "Asin",
    "Acos",
    "Atan",
    "Sinh",
    "Cosh",
    "Tanh",
    "Asinh",
    "Acosh",
    "Atanh",
    "Erf",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Reciprocal",
    "Sign",
    "Relu",
    "HardSwish",
    "Mish",
    "Identity",
    "Not",
    "IsNaN",
    "BitwiseNot",
)
def unary(c):
    kinds = {
        "Not": ["bool"],
        "Abs": NUMBERS,
        "Neg": FLOATS + SIGNED,
        "Sign": NUMBERS,
        "Identity": NUMBERS + ["bool"],
        "BitwiseNot": INTEGERS,
        "Relu": FLOATS + (SIGNED if c.version >= 14 else []),
    }.get(c.name, FLOATS)
    kind = c.pick(kinds)
    shape = c.shape()
    bounds = {
        "Sqrt": (0, 9),
        "Log": (0.01, 9),
        "Asin": (-1, 1),
        "Acos": (-1, 1),
        "Atanh": (-0.97, 0.97),
        "Acosh": (1, 9),
        "Reciprocal": (0.1, 5),
        "Tan": (-1.4, 1.4),
        "Exp": (-5, 5),
    }.get(c.name, (None, None))
    x = c.array(kind, shape, *bounds) if kind in FLOATS else c.array(kind, shape)
    if (
        kind in FLOATS
        and x.size
        and c.name
        in (
            "IsNaN",
            "Relu",
            "Abs",
            "Sign",
            "Tanh",
            "Sigmoid",
            "Exp",
            "Floor",
            "Ceil",
            "Round",
            "Neg",
            "Sqrt",
            "Log",
            "Erf",
        )
    ):
        for special in (np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -2.5):
            if c.chance(0.2):
                x.reshape(-1)[c.integer(0, x.size - 1)] = special
    c.output(c.node(c.name, [c.feed(x)]))


@operator("LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "HardSigmoid", "Shrink", "Gelu", "Swish", "IsInf")
def unary_with_attributes(c):
    kind = c.pick(FLOATS if c.name != "IsInf" else ["float32", "float64"])
    x = c.array(kind, c.shape())
    number = lambda low, high: float(np.float32(c.rng.uniform(low, high))) if c.chance(0.7) else None
    attributes = {
        "LeakyRelu": lambda: dict(alpha=number(-1, 1)),
        "Elu": lambda: dict(alpha=number(0, 2)),
        "Selu": lambda: dict(alpha=number(0, 2), gamma=number(0, 2)),
        "Celu": lambda: dict(alpha=number(0.2, 2)),
        "ThresholdedRelu": lambda: dict(alpha=number(0, 1)),
        "HardSigmoid": lambda: dict(alpha=number(0, 1), beta=number(0, 1)),
        "Shrink": lambda: dict(bias=number(0, 1), lambd=number(0, 1)),
        "Swish": lambda: dict(alpha=number(0.5, 2)),
        "Gelu": lambda: dict(approximate=c.pick(["none", "tanh", None])),
        "IsInf": lambda: dict(detect_negative=c.pick([0, 1, None]), detect_positive=c.pick([0, 1, None])),
    }
    if c.name == "IsInf" and x.size:
        x.reshape(-1)[c.integer(0, x.size - 1)] = c.pick([np.inf, -np.inf])
    c.output(c.node(c.name, [c.feed(x)], **attributes[c.name]()))


@operator(
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Min",
    "Max",
    "Pow",
    "Mod",
    "And",
    "Or",
    "Xor",
    "Equal",
    "Less",
    "Greater",
    "LessOrEqual",
    "GreaterOrEqual",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "BitShift",
    "PRelu",
    "Sum",
    "Mean",
    weight=2,
)
def binary(c):
    logical, bits = ("And", "Or", "Xor"), ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    kinds = NUMBERS
    if c.name in logical:
        kinds = ["bool"]
    elif c.name in bits:
        kinds = INTEGERS
    elif c.name == "BitShift":
        kinds = ["uint8", "uint16", "uint32", "uint64"]
    elif c.name in ("Sum", "Mean", "PRelu"):
        kinds = FLOATS
    elif c.name == "Equal":
        kinds = NUMBERS + ["bool", "string"] if c.version >= 19 else NUMBERS + ["bool"]
    elif c.name in ("Min", "Max") and c.version < 12:
        kinds = ["float32", "float64"]
    elif c.name == "Pow":
        kinds = ["float32", "float64", "int32", "int64"] if c.version >= 12 else ["float32", "float64"]
    kind = c.pick(kinds)
    shape = c.shape()
    left, right = (c.subshape(shape), shape) if c.chance(0.5) else (shape, c.subshape(shape))
    if c.name == "PRelu":
        left, right = shape, c.subshape(shape)
    x, y = c.array(kind, left), c.array(kind, right)
    attributes = {}
    if c.name == "BitShift":
        attributes["direction"] = c.pick(["LEFT", "RIGHT"])
        y = c.array(kind, right, 0, np.dtype(kind).itemsize * 8 - 1)
    if c.name in ("Div", "Mod") and np.dtype(kind).kind in "iu":
        y = np.where(y == 0, np.ones((), y.dtype), y)
    if c.name == "Div" and np.dtype(kind).kind == "f":
        y = np.where(np.abs(y) < 0.1, np.ones((), y.dtype), y)
    if c.name == "Mod":
        is_float = np.dtype(kind).kind == "f"
        attributes["fmod"] = 1 if is_float or c.chance(0.3) else 0
        if is_float:
            y = np.where(np.abs(y) < 0.1, np.ones((), y.dtype), y)
    if c.name == "Pow":
        if np.dtype(kind).kind == "f":
            x = np.abs(x)
            exponents = ["float32", "float64", "int32", "int64"] if c.version >= 12 else [kind]
            y = c.array(c.pick(exponents), right, -2, 3)
            if c.chance(0.4):
                y = np.full(right, c.pick([2, 3, 0, 1, 2]), y.dtype)
        else:
            x, y = c.array(kind, left, -4, 4), c.array(c.pick(["int32", "int64", kind]), right, 0, 4)
    operands = [c.value(x), c.value(y)]
    if not c.inputs:
        operands[0] = c.feed(x)
    if c.name in ("Sum", "Mean", "Min", "Max"):
        operands += [c.value(c.array(kind, c.subshape(shape))) for _ in range(c.integer(0, 2))]
        operands = operands[:1] if c.chance(0.1) else operands
        c.rng.shuffle(operands)
    c.output(c.node(c.name, operands, **attributes))


@operator("Where")
def where(c):
    kind, shape = c.pick(NUMBERS + ["bool", "string"]), c.shape()
    c.output(
        c.node(
            "Where",
            [
                c.feed(c.array("bool", c.subshape(shape))),
                c.value(c.array(kind, c.subshape(shape))),
                c.feed(c.array(kind, shape)),
            ],
        )
    )


@operator("Clip")
def clip(c):
    if c.version < 11:
        x = c.array("float32", c.shape())
        low = float(np.float32(c.rng.uniform(-1, 0))) if c.chance(0.7) else None
        high = float(np.float32(c.rng.uniform(0, 1))) if c.chance(0.7) else None
        return c.output(c.node("Clip", [c.feed(x)], min=low, max=high))
    kind = c.pick(["float32", "float64", "int8", "int32", "int64", "uint8"]) if c.version >= 12 else "float32"
    bound = lambda low, high: c.value(c.array(kind, [], low, high)) if c.chance(0.8) else ""
    low = bound(0, 2) if kind.startswith("u") else bound(-2, 0)
    c.output(c.node("Clip", [c.feed(c.array(kind, c.shape())), low, bound(1, 4)]))


CASTS = ["float32", "float64", "float16", "bfloat16", "bool"] + INTEGERS


@operator("Cast", "CastLike", weight=3)
def cast(c):
    from onnx import helper

    source, target = c.pick(CASTS + ["string"]), c.pick(CASTS + ["string"])
    if (source, target) == ("bfloat16", "string"):
        raise Skip
    shape = c.shape()
    if source == "string":
        if target in ("string", "bool"):
            raise Skip
        texts = (
            ["1", "-2", "3", "17", "0"]
            if np.dtype(target if target != "bfloat16" else "float32").kind == "i"
            else (
                ["1", "2", "3", "17", "0"]
                if target.startswith("u")
                else ["1.5", "-2", "1e3", "0.25", "NaN", "INF", "-inf"]
            )
        )
        x = np.array([c.pick(texts) for _ in range(int(np.prod(shape)))], object).reshape(shape)
    else:
        unsigned = target.startswith("u")
        x = (
            c.array(source, shape, 0, 100)
            if unsigned
            else c.array(source, shape, -100 if not source.startswith("u") else 0, 100)
        )
        if target == "string" and source in ("float16", "float32", "float64"):
            # Whole numbers print with a fraction in ONNX's tests and without one in ONNX Runtime.
            x = (np.floor(x.astype("float32")) + 0.25).astype(c.array(source, []).dtype)
    number = helper.np_dtype_to_tensor_dtype(c.array(target, []).dtype) if target != "string" else 8
    if c.name == "CastLike":
        if target == "string" and source not in INTEGERS:
            raise Skip
        return c.output(c.node("CastLike", [c.feed(x), c.value(c.array(target, c.shape()))]))
    c.output(c.node("Cast", [c.feed(x)], to=number))


@operator("CumSum")
def cumulative(c):
    shape = c.shape(1, 4)
    axis = c.integer(-len(shape), len(shape) - 1)
    kind = c.pick(["float32", "float64", "int32", "int64"])
    c.output(
        c.node(
            "CumSum",
            [c.feed(c.array(kind, shape)), c.value(np.array(axis, c.pick(["int32", "int64"])), 0.7)],
            exclusive=c.pick([0, 1, None]),
            reverse=c.pick([0, 1, None]),
        )
    )


@operator("Dropout")
def dropout(c):
    x = c.feed(c.array(c.pick(["float32", "float64"]), c.shape()))
    c.output(*[n for n in [c.node("Dropout", [x])]])
