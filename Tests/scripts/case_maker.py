"""What the scripts that make cases share: a case is a folder of ONNX's test format, with the answers of ONNX Runtime.

Needs the Python packages numpy, onnx and onnxruntime.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

F, D, L, I, S = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32, TensorProto.STRING


def value_type(value):
    if isinstance(value, dict):
        first_key, first = next(iter(value.items()))
        kind = S if isinstance(first, str) else F
        key = S if isinstance(first_key, str) else L
        return helper.make_map_type_proto(key, helper.make_tensor_type_proto(kind, []))
    kind = S if value.dtype == object else helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor_type_proto(kind, value.shape)


def element_array(value):
    if isinstance(value, str):
        return np.array(value, object)
    return np.array(value, {int: np.int64, float: np.float32}.get(type(value), getattr(value, "dtype", None)))


def store(value, name):
    """A value as a message of ONNX."""
    if isinstance(value, np.ndarray):
        return numpy_helper.from_array(value, name)
    if isinstance(value, dict):
        message = onnx.MapProto(name=name)
        keys = list(value)
        if isinstance(keys[0], str):
            message.key_type = S
            message.string_keys.extend(key.encode() for key in keys)
        else:
            message.key_type = L
            message.keys.extend(keys)
        message.values.elem_type = onnx.SequenceProto.TENSOR
        message.values.tensor_values.extend(
            numpy_helper.from_array(element_array(element), "") for element in value.values()
        )
        return message
    message = onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.MAP)
    message.map_values.extend(store(element, "") for element in value)
    return message


class Maker:
    """Writes cases of one node, or of several."""

    def __init__(self, folder, domain, version):
        self.folder = folder
        self.domain = domain
        self.version = version
        self.names = set()
        self.tolerances = {}

    def case(self, name, operator, inputs, outputs, constants=(), **attributes):
        """Adds a case.

        inputs: values, None where one is left out; outputs: element types or type messages, None where one is left out.
        constants: indices of inputs that are initializers. tolerance: relative and absolute. refused: no other runtime
        is asked, since the model or its inputs are wrong. unchecked: indices of outputs that are not kept.
        """
        assert name not in self.names, name
        self.names.add(name)
        domain = attributes.pop("domain", self.domain)
        version = attributes.pop("version", self.version)
        tolerance = attributes.pop("tolerance", None)
        refused = attributes.pop("refused", False)
        unchecked = attributes.pop("unchecked", ())
        inputs = inputs if isinstance(inputs, list) else [inputs]
        names = ["" if value is None else f"x{i}" for i, value in enumerate(inputs)]
        given = [i for i, value in enumerate(inputs) if value is not None and i not in constants]
        ins = [helper.make_value_info(names[i], value_type(inputs[i])) for i in given]
        kinds = [helper.make_tensor_type_proto(kind, None) if isinstance(kind, int) else kind for kind in outputs]
        outs = [helper.make_value_info(f"y{i}", kind) for i, kind in enumerate(kinds) if kind is not None]
        results = [f"y{i}" if kind is not None else "" for i, kind in enumerate(kinds)]
        node = helper.make_node(operator, names, results, domain=domain, **attributes)
        graph = helper.make_graph(
            [node], name, ins, outs, [numpy_helper.from_array(inputs[i], names[i]) for i in constants]
        )
        sets = {"": 17, domain: version} if domain else {"": version}
        model = helper.make_model(
            graph,
            ir_version=8,
            opset_imports=[helper.make_opsetid(key, sets[key]) for key in sorted(sets, reverse=True)],
        )
        model.producer_name = "dlrt"
        self.store(name, model, [inputs[i] for i in given], tolerance, refused, unchecked)

    def store(self, name, model, inputs, tolerance=None, refused=False, unchecked=()):
        """Writes a model with its inputs and what ONNX Runtime makes of them."""
        results = []
        if not refused:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            results = session.run(None, {port.name: value for port, value in zip(model.graph.input, inputs)})
        target = self.folder / name
        data = target / "test_data_set_0"
        data.mkdir(parents=True)
        (target / "model.onnx").write_bytes(model.SerializeToString())
        if tolerance:
            self.tolerances[f"{self.folder.name}/{name}"] = {"rtol": tolerance[0], "atol": tolerance[1]}
        for prefix, values in (("input", inputs), ("output", results)):
            for index, value in enumerate(values):
                if prefix == "output" and index in unchecked:
                    continue
                (data / f"{prefix}_{index}.pb").write_bytes(store(value, "").SerializeToString())


def main(name, maker_type, domain, version, *families):
    """Makes Tests/Cases/NAME anew, or the folder that is given as argument."""
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "Cases" / name
    shutil.rmtree(folder, ignore_errors=True)
    maker = maker_type(folder, domain, version)
    for family in families:
        family(maker)
    if maker.tolerances:
        path = folder.parent / "cases.json"
        table = json.loads(path.read_text()) if path.exists() else {}
        table = {key: entry for key, entry in table.items() if not key.startswith(f"{folder.name}/")}
        path.write_text(json.dumps(table | maker.tolerances, indent=1, sort_keys=True) + "\n")
    print(f"{len(maker.names)} cases in {folder}")
