#!/usr/bin/env python3
"""Makes the cases of Tests/Cases/refused: models, or inputs, that operators of com.microsoft and ai.onnx.ml must refuse
with an error that says why, at load or at the run. They have no outputs.

Usage: make_refused_cases.py [FOLDER]        (needs the Python packages numpy, onnx and onnxruntime)
"""

import numpy as np
from onnx import TensorProto

from case_maker import F, I, L, Maker, main

U8 = TensorProto.UINT8
rng = np.random.default_rng(5)


def f32(*shape):
    return rng.normal(size=shape).astype(np.float32)


def i32(values):
    return np.array(values, np.int32)


class Refusals(Maker):
    def case(self, name, operator, inputs, outputs, constants=(), **attributes):
        super().case(name, operator, inputs, outputs, constants, refused=True, **attributes)


def attention(maker):
    x, w, b = f32(2, 3, 8), f32(8, 24), f32(24)
    for heads in (0, -1, 3, 1 << 40):
        maker.case(f"attention_heads_{heads}".replace("-", "m"), "Attention", [x, w, b], [F], num_heads=heads)
    maker.case("attention_no_heads", "Attention", [x, w, b], [F])
    maker.case("attention_sizes", "Attention", [x, w, b], [F], num_heads=2, qkv_hidden_sizes=[8, 8])
    maker.case("attention_sizes_negative", "Attention", [x, w, b], [F], num_heads=2, qkv_hidden_sizes=[-8, 24, 8])
    maker.case("attention_unknown", "Attention", [x, w, b], [F], num_heads=2, colour=3)
    maker.case("attention_rank", "Attention", [x[0, 0], w, b], [F], num_heads=2)
    maker.case("attention_bias", "Attention", [x, w, b[:5]], [F], num_heads=2)
    for name, mask in (("size", [[1, 1]]), ("rank", [[[[1]]]]), ("count", [1, 2, 3]), ("empty", np.zeros((0, 3)))):
        maker.case(f"attention_mask_{name}", "Attention", [x, w, b, i32(mask)], [F], num_heads=2)
    maker.case("attention_past", "Attention", [x, w, b, None, f32(1, 2, 2, 3, 4)], [F], num_heads=2)
    maker.case("attention_past_heads", "Attention", [x, w, b, None, f32(2, 2, 3, 3, 4)], [F, F], num_heads=2)
    maker.case("attention_rotary", "Attention", [x, w, b], [F], num_heads=2, do_rotary=1)
    q, k = f32(2, 3, 8), f32(2, 4, 8)
    maker.case("multi_head_value_only", "MultiHeadAttention", [q, None, k], [F], num_heads=2)
    maker.case("multi_head_width", "MultiHeadAttention", [q, f32(2, 4, 6), k], [F], num_heads=2)
    maker.case("multi_head_batch", "MultiHeadAttention", [q, f32(3, 4, 8), k], [F], num_heads=2)
    maker.case("multi_head_bias", "MultiHeadAttention", [q, k, k, f32(7)], [F], num_heads=2)
    maker.case("multi_head_packed_rank", "MultiHeadAttention", [q], [F], num_heads=2)
    maker.case("multi_head_mask", "MultiHeadAttention", [q, k, k, None, i32([[1, 1], [1, 0]])], [F], num_heads=2)
    maker.case(
        "multi_head_past_half", "MultiHeadAttention", [q, q, q, None, None, None, f32(2, 2, 3, 4)], [F], num_heads=2
    )
    grouped = [f32(2, 1, 32), f32(2, 1, 16), f32(2, 1, 16), f32(2, 2, 4, 8), f32(2, 2, 4, 8)]
    total = i32([5])
    for name, last in (
        ("negative", [-1, 4]),
        ("far", [9, 4]),
        ("huge", [2**31 - 1, 4]),
        ("count", [4]),
        ("short", [-7, 4]),
    ):
        maker.case(
            f"group_query_last_{name}",
            "GroupQueryAttention",
            grouped + [i32(last), total],
            [F, F, F],
            num_heads=4,
            kv_num_heads=2,
        )
    for name, value in (("total_negative", -5), ("total_huge", 2**31 - 1)):
        maker.case(
            f"group_query_{name}",
            "GroupQueryAttention",
            grouped + [i32([4, 4]), i32([value])],
            [F, F, F],
            num_heads=4,
            kv_num_heads=2,
        )
    maker.case(
        "group_query_heads",
        "GroupQueryAttention",
        grouped + [i32([4, 4]), total],
        [F, F, F],
        num_heads=4,
        kv_num_heads=3,
    )
    maker.case(
        "group_query_heads_0",
        "GroupQueryAttention",
        grouped + [i32([4, 4]), total],
        [F, F, F],
        num_heads=4,
        kv_num_heads=0,
    )
    maker.case(
        "group_query_no_caches",
        "GroupQueryAttention",
        grouped + [i32([4, 4]), total],
        [F, F, F],
        num_heads=4,
        kv_num_heads=2,
        do_rotary=1,
    )
    angles = f32(10, 4)
    packed = f32(2, 3, 16)
    for name, positions in (("negative", -1), ("far", 10), ("overflow", 2**63 - 2)):
        maker.case(f"rotary_{name}", "RotaryEmbedding", [packed, np.array([positions]), angles, angles], [F])
    maker.case("rotary_table", "RotaryEmbedding", [packed, np.zeros((2, 3), np.int64), angles, angles[:, :2]], [F])
    maker.case("rotary_width", "RotaryEmbedding", [f32(2, 3, 15), np.zeros((2, 3), np.int64), angles, angles], [F])
    maker.case("rotary_empty", "RotaryEmbedding", [packed, np.zeros((2, 3), np.int64), f32(10, 0), f32(10, 0)], [F])
    ids = i32([[1, 7]])
    tables = [f32(6, 8), f32(5, 8), None, f32(8), f32(8)]
    maker.case("embed_word", "EmbedLayerNormalization", [ids, None] + tables, [F, I])
    maker.case("embed_negative", "EmbedLayerNormalization", [i32([[1, -9]]), None] + tables, [F, I])
    maker.case("embed_long", "EmbedLayerNormalization", [i32([[1] * 6]), None] + tables, [F, I])
    maker.case("embed_no_segments", "EmbedLayerNormalization", [i32([[1]]), i32([[0]])] + tables, [F, I])
    maker.case("skip_width", "SkipLayerNormalization", [f32(2, 3, 8), f32(2, 3, 8), f32(7)], [F])
    maker.case("skip_shape", "SkipLayerNormalization", [f32(2, 3, 8), f32(2, 4, 8), f32(8)], [F])


def products(maker):
    a, b, scales = f32(3, 32), rng.integers(0, 255, (5, 2, 8), dtype=np.uint8), f32(10)
    good = {"K": 32, "N": 5, "bits": 4, "block_size": 16}
    for name, change in (
        ("block_0", {"block_size": 0}),
        ("block_negative", {"block_size": -16}),
        ("block_odd", {"block_size": 24}),
        ("block_huge", {"block_size": 1 << 62}),
        ("bits", {"bits": 3}),
        ("bits_negative", {"bits": -4}),
        ("n_0", {"N": 0}),
        ("n_huge", {"N": 1 << 40}),
        ("k_negative", {"K": -32}),
        ("k_other", {"K": 64}),
        ("n_other", {"N": 6}),
    ):
        for end, constants in (("", ()), ("_constant", (1, 2))):
            maker.case(
                f"nbits_{name}{end}", "MatMulNBits", [a, b, scales], [F], constants=constants, **(good | change)
            )
    maker.case("nbits_scales", "MatMulNBits", [a, b, f32(9)], [F], constants=(1, 2), **good)
    maker.case("nbits_zeros", "MatMulNBits", [a, b, scales, np.zeros(4, np.uint8)], [F], constants=(1, 2, 3), **good)
    maker.case("nbits_bias", "MatMulNBits", [a, b, scales, None, None, f32(4)], [F], **good)
    for name, index in (("far", 2), ("negative", -1)):
        groups = np.full(32, index, np.int32)
        for end, constants in (("", ()), ("_constant", (1, 2, 4))):
            maker.case(
                f"nbits_group_{name}{end}",
                "MatMulNBits",
                [a, b, scales, None, groups],
                [F],
                constants=constants,
                **good,
            )
    data, grid = rng.integers(0, 255, (6, 16), dtype=np.uint8), f32(6, 2)
    for name, index in (("far", 6), ("negative", -7)):
        maker.case(
            f"gather_block_{name}", "GatherBlockQuantized", [data, np.array([index]), grid], [F], block_size=16
        )
    for name, change in (
        ("block_0", {"block_size": 0}),
        ("block_other", {"block_size": 32}),
        ("bits", {"bits": 5}),
        ("axis", {"quantize_axis": 2}),
        ("gather", {"gather_axis": -3}),
        ("packed", {"quantize_axis": 0, "gather_axis": 1}),
    ):
        maker.case(
            f"gather_block_{name}",
            "GatherBlockQuantized",
            [data, np.array([0]), grid],
            [F],
            **({"block_size": 16} | change),
        )
    maker.case("fused_matmul_shape", "FusedMatMul", [f32(2, 3), f32(2, 4)], [F])
    maker.case("fused_matmul_batch", "FusedMatMul", [f32(2, 3, 4), f32(3, 4, 2)], [F])
    maker.case("fused_gemm_activation", "FusedGemm", [f32(2, 3), f32(3, 4)], [F], activation="Explode")
    maker.case("fused_conv_sum", "FusedConv", [f32(1, 2, 4, 4), f32(2, 2, 3, 3), None, f32(1, 2, 9, 9)], [F])
    maker.case("inverse_square", "Inverse", f32(2, 3), [F])
    maker.case("cdist_width", "CDist", [f32(2, 3), f32(2, 4)], [F])


def others(maker):
    maker.case("concat_parts", "QLinearConcat", [f32(1), np.zeros(1, np.uint8), f32(2)], [U8], axis=0)
    maker.case(
        "pool_kernel",
        "QLinearAveragePool",
        [np.zeros((1, 2, 4, 4), np.uint8), f32(1), np.zeros(1, np.uint8), f32(1), np.zeros(1, np.uint8)],
        [U8],
        kernel_shape=[0, 2],
    )
    maker.case("nhwc_rank", "NhwcMaxPool", np.zeros((1, 4, 4), np.uint8), [U8], kernel_shape=[2, 2])
    image, rois = f32(2, 2, 5, 6), np.array([[0, 0, 1, 1]], np.float32)
    for name, batch, size in (
        ("batch", [2], [2, 2]),
        ("negative", [-1], [2, 2]),
        ("size", [0], [2, 0]),
        ("size_negative", [0], [-2, 2]),
        ("size_count", [0], [2]),
        ("size_huge", [0], [2**31 - 1, 2**31 - 1]),
        ("count", [0, 1], [2, 2]),
    ):
        maker.case(f"crop_and_resize_{name}", "CropAndResize", [image, rois, i32(batch), i32(size)], [F])
    ids = np.array([[1, 2, 1]])
    maker.case("ngram_size", "NGramRepeatBlock", [ids, f32(1, 6)], [F], ngram_size=0)
    maker.case("ngram_word", "NGramRepeatBlock", [np.array([[9, 9, 9]]), f32(1, 6)], [F], ngram_size=2)
    maker.case("ngram_negative", "NGramRepeatBlock", [np.array([[-9, -9, -9]]), f32(1, 6)], [F], ngram_size=2)
    maker.case("ngram_batch", "NGramRepeatBlock", [ids, f32(2, 6)], [F], ngram_size=2)
    maker.case("expand_dims", "ExpandDims", [f32(2), i32(5).reshape(())], [F])
    maker.case("range_step", "Range", [np.array(1), np.array(5), np.array(0)], [L])
    maker.case("range_huge", "Range", [np.array(0), np.array(2**62)], [L])
    maker.case("pad_count", "Pad", [f32(2, 3), np.array([1, 1, 1])], [F])
    maker.case("pad_huge", "Pad", [f32(2, 3), np.array([2**61, 2**61, 2**61, 2**61])], [F])
    maker.case("unfold", "NoSuchOperator", f32(2), [F])
    maker.case(
        "pads_count", "ConvTransposeWithDynamicPads", [f32(1, 2, 4, 4), f32(2, 3, 3, 3), np.array([1, 1, 1])], [F]
    )
    maker.case("crop_border", "Crop", f32(1, 1, 4, 4), [F], domain="", version=9, border=[1, 1, 1])


def trees(maker):
    own = {"domain": "ai.onnx.ml", "version": 3}
    tree = {
        "n_targets": 1,
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
    }
    for name, change in (
        ("feature", {"nodes_featureids": [7, 0, 0]}),
        ("feature_negative", {"nodes_featureids": [-1, 0, 0]}),
        ("child", {"nodes_truenodeids": [9, 0, 0]}),
        ("child_negative", {"nodes_truenodeids": [-1, 0, 0]}),
        ("loop", {"nodes_truenodeids": [0, 0, 0]}),
        ("mode", {"nodes_modes": ["BRANCH", "LEAF", "LEAF"]}),
        ("length", {"nodes_values": [0.5]}),
        ("target", {"target_ids": [0, 3]}),
        ("leaf", {"target_nodeids": [1, 8]}),
        ("targets", {"n_targets": 0}),
        ("targets_huge", {"n_targets": 1 << 60}),
    ):
        maker.case(f"tree_{name}", "TreeEnsembleRegressor", f32(2, 2), [F], **(tree | change), **own)
    maker.case("scaler_count", "Scaler", f32(2, 3), [F], scale=[1.0, 2.0], offset=[0.0, 0.0], **own)
    maker.case("normalizer", "Normalizer", f32(2, 3), [F], norm="L7", **own)
    maker.case(
        "linear_regressor",
        "LinearRegressor",
        f32(2, 3),
        [F],
        coefficients=[1.0, 2.0],
        intercepts=[0.5],
        targets=1,
        **own,
    )
    maker.case(
        "linear_classifier",
        "LinearClassifier",
        f32(2, 3),
        [L, F],
        coefficients=[1.0, 2.0],
        intercepts=[0.5],
        classlabels_ints=[1, 2, 3],
        **own,
    )
    maker.case("array_feature", "ArrayFeatureExtractor", [f32(2, 3), np.array([3])], [F], **own)
    maker.case("one_hot", "OneHotEncoder", np.array([9]), [F], cats_int64s=[1], zeros=0, **own)
    maker.case("label_encoder", "LabelEncoder", np.array([9]), [L], keys_int64s=[1, 2], values_int64s=[1], **own)
    maker.case("imputer", "Imputer", f32(2, 3), [F], imputed_value_floats=[1.0, 2.0], replaced_value_float=0.0, **own)
    maker.case(
        "svm",
        "SVMRegressor",
        f32(2, 2),
        [F],
        coefficients=[1.0],
        kernel_params=[0.5, 0.0, 3.0],
        kernel_type="RBF",
        n_supports=1 << 40,
        rho=[0.0],
        support_vectors=[1.0, 1.0],
        **own,
    )


if __name__ == "__main__":
    main("refused", Refusals, "com.microsoft", 1, attention, products, others, trees)
