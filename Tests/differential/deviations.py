"""Where ONNX Runtime does not follow the standard: a reason for each, and no comparison."""

import functools


def attribute(node, name, default=None):
    from onnx import helper

    for entry in node.attribute:
        if entry.name == name:
            return helper.get_attribute_value(entry)
    return default


def known(made, name):
    """The elements of an input that the case knows: a constant or a fed array."""
    from onnx import helper, numpy_helper

    if name in made.inputs:
        return made.inputs[name]
    if name in made.weights:
        return numpy_helper.to_array(made.weights[name])
    for node in made.nodes:
        if node.op_type == "Constant" and node.output[0] == name:
            return numpy_helper.to_array(helper.get_attribute_value(node.attribute[0]))
    return None


def reason(made, values=None):
    """Why a case is not compared; None when it is. `values` are ONNX Runtime's answers, once they are there."""
    for node in made.nodes:
        rule = RULES.get(node.op_type)
        text = rule(made, node) if rule else None
        if text:
            return text
    return None


def slice_(made, node):
    if len(node.input) < 5:
        return None
    ends, steps = known(made, node.input[2]), known(made, node.input[4])
    if any(step < 0 and end >= 2**31 - 1 for end, step in zip(ends, steps)):
        return "a backward slice to INT_MAX: the standard moves the end to the last element, so that nothing is left"


def split_to_sequence(made, node):
    if len(node.input) > 1 and attribute(node, "keepdims") == 0:
        return "keepdims is ignored where split is given, says the standard"


def conv_transpose(made, node):
    if attribute(node, "auto_pad", b"").startswith(b"SAME"):
        kernel = known(made, node.input[1]).shape[2:]
        if any(k < s for k, s in zip(kernel, attribute(node, "strides"))):
            return "SAME padding makes the output strides * input, also where the kernel is smaller than the stride"


def pool(made, node):
    auto = attribute(node, "auto_pad", b"")
    strides = attribute(node, "strides") or []
    if auto.startswith(b"SAME") and any(k < s for k, s in zip(attribute(node, "kernel_shape"), strides)):
        return (
            "SAME padding is never negative, as in TensorFlow, from which it comes, and in ONNX Runtime's convolutions"
        )
    if auto == b"VALID" and attribute(node, "ceil_mode"):
        return "the standard has another output size for VALID with ceil_mode"


def byte_pool(made, node):
    if attribute(node, "ceil_mode") and attribute(node, "count_include_pad"):
        return "a mean counts what lies beyond the padding, as that of floats no longer does"


def resize(made, node):
    frame = attribute(node, "coordinate_transformation_mode", b"half_pixel")
    scales = known(made, node.input[2]) if len(node.input) > 2 and node.input[2] else None
    shape = known(made, node.input[0])
    if frame == b"align_corners" and scales is not None and shape is not None and scales.size:
        if any((size * scale) % 1 for size, scale in zip(shape.shape, scales.astype(float))):
            return "length_resized is size * scale and not rounded, as in the standard's own cases"
    if attribute(node, "mode", b"nearest") == b"nearest" and scales is not None and shape is not None:
        axes = attribute(node, "axes") or range(scales.size)
        if any(picks_by_rounding(shape.shape[axis], scale) for axis, scale in zip(axes, scales)):
            return "ONNX Runtime multiplies by the scale's inverse, where the standard divides by the scale"


def picks_by_rounding(size, scale):
    """Whether the nearest of an axis' elements depends on how a quotient by the scale is rounded."""
    import numpy as np

    one = np.float32(1)
    for shift in (np.float32(0), np.float32(0.5)):
        x = np.arange(int(size * scale), dtype=np.float32) + shift
        quotients, products = x / scale - shift, x * (one / scale) - shift
        for nearest in (np.floor, np.ceil, lambda v: np.floor(v + 0.5), lambda v: np.ceil(v - 0.5)):
            if (nearest(quotients) != nearest(products)).any():
                return True
    return False


def string_split(made, node):
    if attribute(node, "delimiter") and any(text == "" for text in known(made, node.input[0]).ravel()):
        return "an empty string holds no delimiter and so is one part, as the standard's examples have it from NumPy"


def reduce_mean(made, node):
    array = known(made, node.input[0])
    if array is not None and array.size == 0:
        return "the mean of nothing is undefined, says the standard"


def affine_grid(made, node):
    if attribute(node, "align_corners") and any(size == 1 for size in known(made, node.input[1])[2:]):
        return "aligned corners of one point divide zero by zero"


def gather(made, node):
    array, axis = known(made, node.input[0]), attribute(node, "axis", 0)
    if array is not None and array.dtype == object and axis not in (-1, array.ndim - 1):
        return "of blocks of strings only the first is moved where an index is negative"


def cast(made, node):
    array = known(made, node.input[0])
    if attribute(node, "to") == 8 and array is not None and array.dtype == bool:
        return "bools are written True and False, as in NumPy, from which the standard's examples come"


def sign(made, node):
    array = known(made, node.input[0])
    if array is not None and array.dtype.kind == "f" and (array != array).any():
        return "the sign of NaN is NaN, as in NumPy, from which the standard's examples come"


def window(made, node):
    if attribute(node, "periodic") == 0 and known(made, node.input[0]) == 1:
        return "a symmetric window of one point divides zero by zero"


# What dlrt refuses where ONNX Runtime has an answer: text of the message and the reason.
REFUSALS = {
    "the window is larger than the padded input": "the standard's formula leaves no window, and ONNX Runtime rounds "
    "what is below zero up to one",
}


def refusal(message):
    """Why a case that dlrt refuses is not compared; None when it should have run."""
    return next((reason for text, reason in REFUSALS.items() if text in message), None)


# Operators that ONNX Runtime does by sums of products of bytes.
BYTE_PRODUCTS = {
    "ConvInteger",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QAttention",
    "QGemm",
    "QLinearConv",
    "QLinearMatMul",
}


@functools.cache
def sums_saturate():
    """Whether ONNX Runtime adds neighbouring products of unsigned and signed bytes in 16 bits, which do not hold them.

    It does so where the processor has no VNNI."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    depth = 64
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "bytes",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, depth])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 16])],
        [numpy_helper.from_array(np.full((depth, 16), 127, np.int8), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return bool((session.run(None, {"a": np.full((1, depth), 255, np.uint8)})[0] != depth * 255 * 127).any())


def saturates(folder):
    """Whether such sums are in a model, so that a difference may be ONNX Runtime's."""
    import onnx

    def operators(nodes):
        for node in nodes:
            yield node.op_type
            for entry in node.attribute:
                for graph in [entry.g, *entry.graphs]:
                    yield from operators(graph.node)

    model = onnx.load(folder / "model.onnx")
    bodies = [model.graph, *model.functions]
    return any(name in BYTE_PRODUCTS for body in bodies for name in operators(body.node)) and sums_saturate()


RULES = {
    "AffineGrid": affine_grid,
    "AveragePool": pool,
    "BlackmanWindow": window,
    "Cast": cast,
    "ConvTranspose": conv_transpose,
    "LpPool": pool,
    "MaxPool": pool,
    "Gather": gather,
    "HammingWindow": window,
    "HannWindow": window,
    "ReduceMean": reduce_mean,
    "QLinearAveragePool": byte_pool,
    "Resize": resize,
    "Sign": sign,
    "Slice": slice_,
    "SplitToSequence": split_to_sequence,
    "StringSplit": string_split,
}
