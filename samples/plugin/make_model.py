"""Makes model.onnx: y = Above(Cube(x, gain=2), limit=1), two operators that only the plugin has, then y + 0.5.

Needs the onnx package:  python3 make_model.py
"""
from onnx import TensorProto, helper, save_model

graph = helper.make_graph(
    [
        helper.make_node("Cube", ["x"], ["cubes"], name="cube", domain="com.example", gain=2.0),
        helper.make_node("Above", ["cubes"], ["large"], name="above", domain="com.example", limit=1.0),
        helper.make_node("Add", ["large", "half"], ["y"], name="add"),
    ],
    "plugin-sample",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["M"])],
    [helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])],
)
opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
save_model(helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="dlrt-samples"), "model.onnx")
