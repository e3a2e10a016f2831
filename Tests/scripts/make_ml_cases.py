#!/usr/bin/env python3
"""Makes the cases of Tests/Cases/ml: small models of ai.onnx.ml, with the answers of ONNX Runtime.

Usage: make_ml_cases.py [FOLDER]        (needs the Python packages numpy, onnx and onnxruntime)

A case is a folder of ONNX's test format. The cases stay clear of what ONNX Runtime does against the standard's text:
it keeps the first of equal LabelEncoder keys, not the last, drops base values of classes without votes, and answers
0 and 1 whatever the labels are where both of two classes have votes.
"""

import numpy as np
from onnx import TensorProto, helper

from case_maker import D, F, L, S, Maker, main

rng = np.random.default_rng(7)


def f32(values):
    return np.array(values, np.float32)


def linear(maker):
    x = f32([[1, 2], [-3, 0.5], [0, 0]])
    wide = rng.normal(size=(17, 9)).astype(np.float32)
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        end = transform.lower()
        maker.case(
            f"linear_classifier_binary_{end}", "LinearClassifier", x, [L, F], coefficients=[0.5, 0.25],
            intercepts=[0.1], classlabels_ints=[10, 20], post_transform=transform)
        maker.case(
            f"linear_classifier_two_{end}", "LinearClassifier", x, [L, F], coefficients=[0.5, 0.25, 0.1, 0.3],
            intercepts=[0.1, 0.2], classlabels_ints=[10, 20], post_transform=transform)
        maker.case(
            f"linear_classifier_three_{end}", "LinearClassifier", x, [S, F],
            coefficients=[0.5, 0.25, 0.1, 0.3, -0.1, 0.1], intercepts=[0.1, 0.2, 0.0],
            classlabels_strings=["a", "b", "c"], post_transform=transform)
        maker.case(
            f"linear_regressor_two_{end}", "LinearRegressor", x, [F], coefficients=[0.05, 0.025, 0.1, 0.03],
            intercepts=[0.1, 0.2], targets=2, post_transform=transform)
        maker.case(
            f"linear_regressor_one_{end}", "LinearRegressor", x, [F], coefficients=[0.05, 0.025], intercepts=[0.1],
            post_transform=transform)
    maker.case(
        "linear_regressor_probit", "LinearRegressor", f32([[1, 2], [3, 0.5]]), [F],
        coefficients=[0.05, 0.025, 0.1, 0.03], intercepts=[0.1, 0.2], targets=2, post_transform="PROBIT")
    maker.case("linear_regressor_no_intercepts", "LinearRegressor", wide, [F], coefficients=wide[0].tolist())
    maker.case("linear_regressor_vector", "LinearRegressor", x[0], [F], coefficients=[0.5, 0.25], intercepts=[0.1])
    maker.case(
        "linear_classifier_no_labels", "LinearClassifier", x, [L, F], coefficients=[0.5, 0.25], intercepts=[0.1])
    maker.case(
        "linear_classifier_vector", "LinearClassifier", x[0], [L, F], coefficients=[0.5, 0.25], intercepts=[0.1],
        classlabels_ints=[10, 20])
    for kind in (np.float64, np.int64, np.int32):
        maker.case(
            f"linear_classifier_{np.dtype(kind).name}", "LinearClassifier", (wide * 3).astype(kind), [L, F],
            coefficients=wide[:4].ravel().tolist(), intercepts=[0.1, 0.2, 0.3, -0.4], classlabels_ints=[4, 3, 2, 1],
            post_transform="SOFTMAX")


def machines(maker):
    x = f32([[1, 2], [-3, 0.5], [0, 0], [0.3, -0.2]])
    vectors = [1.0, 0.0, 0.0, 1.0, -1.0, 1.0, 2.0, 2.0]
    params = {"kernel_params": [0.5, 0.1, 2.0], "kernel_type": "LINEAR"}
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        end = kernel.lower()
        own = {"kernel_type": kernel, "kernel_params": [0.5, 0.1, 2.0]}
        maker.case(
            f"svm_regressor_{end}", "SVMRegressor", x, [F], coefficients=[0.1, 0.2, -0.3, 0.4],
            support_vectors=vectors, n_supports=4, rho=[0.25], **own)
        maker.case(
            f"svm_classifier_two_{end}", "SVMClassifier", x, [L, F], coefficients=[0.1, 0.2, -0.3, 0.4],
            support_vectors=vectors, vectors_per_class=[2, 2], rho=[0.25], classlabels_ints=[5, 6], **own)
        maker.case(
            f"svm_classifier_three_{end}", "SVMClassifier", x, [S, F],
            coefficients=[0.1, 0.2, -0.3, 0.4, 0.5, 0.6, -0.7, 0.8], support_vectors=vectors,
            vectors_per_class=[2, 1, 1], rho=[0.25, -0.1, 0.2], classlabels_strings=["a", "b", "c"], **own)
    maker.case(
        "svm_regressor_one_class", "SVMRegressor", x, [F], coefficients=[0.1, 0.2, -0.3, 0.4],
        support_vectors=vectors, n_supports=4, rho=[0.25], one_class=1, **params)
    maker.case("svm_regressor_weights", "SVMRegressor", x, [F], coefficients=[0.1, 0.2], rho=[0.25], **params)
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        end = transform.lower()
        own = {**params, "post_transform": transform}
        maker.case(
            f"svm_classifier_two_probabilities_{end}", "SVMClassifier", x, [L, F],
            coefficients=[0.1, 0.2, -0.3, 0.4], support_vectors=vectors, vectors_per_class=[2, 2], rho=[0.25],
            prob_a=[0.7], prob_b=[0.1], classlabels_ints=[5, 6], **own)
        maker.case(
            f"svm_classifier_three_probabilities_{end}", "SVMClassifier", x, [S, F],
            coefficients=[0.1, 0.2, -0.3, 0.4, 0.5, 0.6, -0.7, 0.8], support_vectors=vectors,
            vectors_per_class=[2, 1, 1], rho=[0.25, -0.1, 0.2], prob_a=[0.7, 0.8, -0.9], prob_b=[0.1, 0.2, 0.3],
            classlabels_strings=["a", "b", "c"], **own)
        maker.case(
            f"svm_classifier_two_decision_{end}", "SVMClassifier", x, [L, F], coefficients=[0.1, 0.2, 0.3, 0.4],
            support_vectors=vectors, vectors_per_class=[2, 2], rho=[0.25], classlabels_ints=[5, 6], **own)
        maker.case(
            f"svm_classifier_weights_{end}", "SVMClassifier", x, [L, F],
            coefficients=[0.1, 0.2, -0.3, 0.4, 0.5, 0.6], rho=[0.25], classlabels_ints=[5, 6, 7], **own)
    for name, weights in (("mixed", [0.9, -0.5, 0.2, 0.3]), ("positive", [0.9, 0.5, 0.2, 0.3])):
        for rho in (0.25, -0.4):
            maker.case(
                f"svm_classifier_weights_two_{name}_{'plus' if rho > 0 else 'minus'}", "SVMClassifier",
                f32([[1, 0], [0, 1], [-1, 0], [0, -1], [0.3, 0.2], [-1, -1]]), [L, F], coefficients=weights,
                rho=[rho], classlabels_ints=[5, 6], **params)
    maker.case(
        "svm_classifier_weights_one", "SVMClassifier", x, [S, F], coefficients=[0.1, 0.2], rho=[-0.1],
        classlabels_strings=["only"], **params)
    for kind in (np.float64, np.int64, np.int32):
        maker.case(
            f"svm_classifier_{np.dtype(kind).name}", "SVMClassifier", (x * 2).astype(kind), [L, F],
            coefficients=[0.1, 0.2, -0.3, 0.4], support_vectors=vectors, vectors_per_class=[2, 2], rho=[0.25],
            classlabels_ints=[5, 6], **params)


def random_tree(depth, features, modes):
    """Nodes of a random tree as dictionaries, the root first, numbered from 0."""
    nodes = []

    def grow(level):
        number = len(nodes)
        node = {"number": number, "mode": "LEAF", "feature": 0, "value": 0.0, "true": 0, "false": 0}
        nodes.append(node)
        if level < depth and (level == 0 or rng.random() < 0.8):
            node["mode"] = modes[int(rng.integers(len(modes)))]
            node["feature"] = int(rng.integers(features))
            node["value"] = float(np.float32(np.round(rng.normal(), 1)))
            node["true"] = grow(level + 1)
            node["false"] = grow(level + 1)
        return number

    grow(0)
    return nodes


def forest(count, depth, features, modes=("BRANCH_LEQ",), missing=False):
    trees = [random_tree(depth, features, modes) for _ in range(count)]
    flat = [(index, node) for index, tree in enumerate(trees) for node in tree]
    attributes = {
        "nodes_treeids": [tree for tree, _ in flat],
        "nodes_nodeids": [node["number"] for _, node in flat],
        "nodes_featureids": [node["feature"] for _, node in flat],
        "nodes_modes": [node["mode"] for _, node in flat],
        "nodes_values": [node["value"] for _, node in flat],
        "nodes_truenodeids": [node["true"] for _, node in flat],
        "nodes_falsenodeids": [node["false"] for _, node in flat],
        "nodes_hitrates": [1.0] * len(flat),
    }
    if missing:
        attributes["nodes_missing_value_tracks_true"] = [int(rng.integers(2)) for _ in flat]
    leaves = [(tree, node["number"]) for tree, node in flat if node["mode"] == "LEAF"]
    return attributes, leaves


ALL_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")


def votes(prefix, weight_name, id_name, leaves, ids, weights):
    return {
        f"{prefix}_treeids": [tree for tree, _ in leaves], f"{prefix}_nodeids": [node for _, node in leaves],
        id_name: ids, weight_name: weights,
    }


def trees(maker):
    x = np.round(rng.normal(size=(23, 5)), 1).astype(np.float32)
    holes = x.copy()
    holes[::3, 1] = np.nan
    for modes, name in ((("BRANCH_LEQ",), "leq"), (ALL_MODES, "modes")):
        for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
            nodes, leaves = forest(6, 4, 5, modes, missing=name == "modes")
            every = leaves * 2
            ids = [0] * len(leaves) + [1] * len(leaves)
            weights = rng.normal(size=len(every)).round(2).tolist()
            maker.case(
                f"tree_regressor_{name}_{aggregate.lower()}", "TreeEnsembleRegressor", holes, [F], n_targets=2,
                aggregate_function=aggregate, base_values=[0.5, -0.25],
                **nodes, **votes("target", "target_weights", "target_ids", every, ids, weights))
    for transform in ("SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        nodes, leaves = forest(4, 3, 5)
        every = leaves * 3
        ids = [target for target in range(3) for _ in leaves]
        weights = rng.normal(size=len(every)).round(2).tolist()
        maker.case(
            f"tree_regressor_{transform.lower()}", "TreeEnsembleRegressor", x, [F], n_targets=3,
            post_transform=transform, **nodes,
            **votes("target", "target_weights", "target_ids", every, ids, weights))
        maker.case(
            f"tree_classifier_three_{transform.lower()}", "TreeEnsembleClassifier", x, [S, F],
            classlabels_strings=["a", "b", "c"], post_transform=transform, base_values=[0.25, 0.5, -0.125], **nodes,
            **votes("class", "class_weights", "class_ids", every, ids, weights))
    nodes, leaves = forest(5, 3, 5)
    weights = rng.normal(size=len(leaves)).round(2).tolist()
    one = votes("target", "target_weights", "target_ids", leaves, [0] * len(leaves), weights)
    maker.case("tree_regressor_one", "TreeEnsembleRegressor", x, [F], n_targets=1, **nodes, **one)
    maker.case(
        "tree_regressor_one_logistic", "TreeEnsembleRegressor", x, [F], n_targets=1, post_transform="LOGISTIC",
        **nodes, **one)
    for name, scale in (("mixed", 1), ("positive", 0)):
        values = weights if scale else np.abs(weights).round(2).tolist()
        values = [value / 4 for value in values]
        one = votes("class", "class_weights", "class_ids", leaves, [0] * len(leaves), values)
        for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
            maker.case(
                f"tree_classifier_binary_{name}_{transform.lower()}", "TreeEnsembleClassifier", x, [L, F],
                classlabels_int64s=[3, 8], post_transform=transform, base_values=[0.125], **nodes, **one)
        maker.case(
            f"tree_classifier_single_label_{name}", "TreeEnsembleClassifier", x, [L, F], classlabels_int64s=[1],
            **nodes, **one)
        both = votes(
            "class", "class_weights", "class_ids", leaves * 2, [0] * len(leaves) + [1] * len(leaves),
            values + [-value for value in values])
        maker.case(
            f"tree_classifier_two_{name}", "TreeEnsembleClassifier", x, [L, F], classlabels_int64s=[0, 1],
            **nodes, **both)
    precise = dict(nodes)
    precise["nodes_values_as_tensor"] = helper.make_tensor(
        "values", D, [len(precise["nodes_values"])], precise.pop("nodes_values"))
    every = votes("target", "target_weights_as_tensor", "target_ids", leaves, [0] * len(leaves), helper.make_tensor(
        "weights", D, [len(weights)], weights))
    maker.case(
        "tree_regressor_double", "TreeEnsembleRegressor", x.astype(np.float64), [F], n_targets=1, **precise, **every)
    for kind in (np.int64, np.int32):
        maker.case(
            f"tree_classifier_{np.dtype(kind).name}", "TreeEnsembleClassifier", (x * 2).astype(kind), [L, F],
            classlabels_int64s=[0, 1, 2], **nodes,
            **votes("class", "class_weights", "class_ids", leaves, [i % 3 for i in range(len(leaves))],
                    np.abs(weights).tolist()))
    ensemble(maker, x)


def ensemble(maker, x):
    for kind, code in ((np.float32, F), (np.float64, D)):
        for aggregate in range(4):
            tables = {"splits": [], "features": [], "modes": [], "true": [], "false": [], "tleaf": [], "fleaf": []}
            leaf_weights, leaf_targets, roots = [], [], []

            def grow(level):
                index = len(tables["splits"])
                for table in tables.values():
                    table.append(0)
                tables["splits"][index] = float(np.float32(np.round(rng.normal(), 1)))
                tables["features"][index] = int(rng.integers(5))
                tables["modes"][index] = int(rng.integers(6))
                for side, leaf in (("true", "tleaf"), ("false", "fleaf")):
                    if level < 3 and rng.random() < 0.7:
                        tables[side][index] = grow(level + 1)
                    else:
                        tables[leaf][index] = 1
                        tables[side][index] = len(leaf_weights)
                        leaf_weights.append(float(np.round(rng.normal(), 2)))
                        leaf_targets.append(0)
                return index

            for _ in range(4):
                roots.append(grow(0))
            maker.case(
                f"tree_ensemble_{np.dtype(kind).name}_{aggregate}", "TreeEnsemble", x.astype(kind), [code], version=5,
                n_targets=1, aggregate_function=aggregate, tree_roots=roots,
                nodes_featureids=tables["features"], nodes_truenodeids=tables["true"],
                nodes_falsenodeids=tables["false"], nodes_trueleafs=tables["tleaf"],
                nodes_falseleafs=tables["fleaf"], leaf_targetids=leaf_targets,
                nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [len(tables["modes"])], tables["modes"]),
                nodes_splits=helper.make_tensor("splits", code, [len(tables["splits"])], tables["splits"]),
                leaf_weights=helper.make_tensor("weights", code, [len(leaf_weights)], leaf_weights))


def features(maker):
    x = f32([[1, -5, 2], [0, 0, 0], [-1, -2, -3]])
    for norm in ("MAX", "L1", "L2"):
        maker.case(f"normalizer_{norm.lower()}", "Normalizer", x, [F], norm=norm)
        maker.case(f"normalizer_{norm.lower()}_int64", "Normalizer", x.astype(np.int64), [F], norm=norm)
        maker.case(f"normalizer_{norm.lower()}_vector", "Normalizer", x[0], [F], norm=norm)
    maker.case("normalizer_double", "Normalizer", x.astype(np.float64), [F], norm="L2")
    for kind in (np.float32, np.float64, np.int64, np.int32):
        name = np.dtype(kind).name
        maker.case(f"scaler_{name}", "Scaler", x.astype(kind), [F], scale=[2.0, 3.0, 0.5], offset=[1.0, 0.0, -1.0])
        maker.case(
            f"feature_vectorizer_{name}", "FeatureVectorizer", [x.astype(kind), x[:, :1].astype(kind)], [F],
            inputdimensions=[3, 1])
    maker.case("scaler_one", "Scaler", x, [F], scale=[2.0], offset=[1.0])
    maker.case("feature_vectorizer_fit", "FeatureVectorizer", [x, x[:, :1]], [F], inputdimensions=[2, 2])
    maker.case("feature_vectorizer_vectors", "FeatureVectorizer", [x[0], x[1, :1]], [F], inputdimensions=[3, 1])
    maker.case("binarizer", "Binarizer", x, [F], threshold=0.5)
    cube = np.arange(12).reshape(2, 2, 3)
    maker.case("array_feature_extractor_matrix", "ArrayFeatureExtractor", [x, np.array([0, 2])], [F])
    maker.case("array_feature_extractor_vector", "ArrayFeatureExtractor", [x[0], np.array([[0], [2]])], [F])
    maker.case(
        "array_feature_extractor_cube", "ArrayFeatureExtractor", [cube.astype(np.float64), np.array([[0, 2], [1, 1]])],
        [D])
    maker.case(
        "array_feature_extractor_strings", "ArrayFeatureExtractor",
        [np.array([["a", "b"], ["long enough to be a heap string", ""]], object), np.array([1, 0, 1])], [S])
    nan = float("nan")
    maker.case(
        "imputer_nan", "Imputer", f32([[1, nan], [nan, 4]]), [F], imputed_value_floats=[9.0, 8.0],
        replaced_value_float=nan)
    maker.case(
        "imputer_int64", "Imputer", np.array([[1, 0], [0, 4]]), [L], imputed_value_int64s=[9], replaced_value_int64=0)


def labels(maker):
    words = np.array([["a", "z"], ["b", "ä"]], object)
    numbers = np.array([[0, 1], [9, -1]])
    maker.case("one_hot_int64", "OneHotEncoder", np.array([[1, 5], [2, 3]]), [F], cats_int64s=[1, 2, 3])
    maker.case("one_hot_float", "OneHotEncoder", f32([1.7, -0.5, 2]), [F], cats_int64s=[1, 2, 3, 0])
    maker.case("one_hot_double", "OneHotEncoder", np.array([1.7, -0.5, 2]), [F], cats_int64s=[1, 2, 3, 0])
    maker.case("one_hot_string", "OneHotEncoder", words, [F], cats_strings=["a", "b"])
    maker.case("one_hot_scalar", "OneHotEncoder", np.array(3), [F], cats_int64s=[1, 2, 3], zeros=0)
    categories = {"cats_int64s": [1, 2], "cats_strings": ["a", "b"]}
    maker.case("category_mapper_strings", "CategoryMapper", words, [L], **categories)
    maker.case("category_mapper_integers", "CategoryMapper", numbers, [S], default_string="?", **categories)
    maker.case("label_encoder_1_strings", "LabelEncoder", words, [L], version=1, classes_strings=["b", "a"])
    maker.case(
        "label_encoder_1_integers", "LabelEncoder", numbers, [S], version=1, classes_strings=["b", "a"],
        default_string="?")
    keys = {
        "strings": (words, ["a", "b"]), "int64s": (numbers, [1, 9]), "floats": (numbers.astype(np.float32), [1.0, 9.0])}
    values = {"strings": (S, ["x", "y"]), "int64s": (L, [5, 6]), "floats": (F, [0.5, 0.25])}
    for key, (x, key_list) in keys.items():
        for value, (code, value_list) in values.items():
            maker.case(
                f"label_encoder_2_{key}_{value}", "LabelEncoder", x, [code], version=2,
                **{f"keys_{key}": key_list, f"values_{value}": value_list})
    nan = float("nan")
    maker.case(
        "label_encoder_4_nan", "LabelEncoder", f32([1, nan, 3]), [L], version=4, keys_floats=[1.0, nan],
        values_int64s=[3, 4], default_int64=7)
    maker.case(
        "label_encoder_4_double", "LabelEncoder", np.array([1.5, nan, 3]), [D], version=4,
        keys_tensor=helper.make_tensor("keys", D, [2], [1.5, nan]),
        values_tensor=helper.make_tensor("values", D, [2], [3.25, -4]),
        default_tensor=helper.make_tensor("default", D, [1], [0.125]))
    maker.case(
        "label_encoder_4_int16", "LabelEncoder", words, [TensorProto.INT16], version=4,
        keys_strings=["a", "b"], values_tensor=helper.make_tensor("values", TensorProto.INT16, [2], [3, -4]),
        default_tensor=helper.make_tensor("default", TensorProto.INT16, [1], [12]))


def maps(maker):
    scores = f32([[0.5, 0.25, 0.25], [0, 1, 0]])
    for name, key, attributes in (
        ("strings", S, {"classlabels_strings": ["a", "b", "c"]}), ("int64", L, {"classlabels_int64s": [10, 20, 30]})
    ):
        kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(F, [])))
        maker.case(f"zip_map_{name}", "ZipMap", scores, [kind], **attributes)
        maker.case(f"zip_map_{name}_vector", "ZipMap", scores[0], [kind], **attributes)
    maker.case(
        "dict_vectorizer_string_float", "DictVectorizer", {"a": 4.0, "c": 8.0}, [F],
        string_vocabulary=["a", "c", "b", "z"])
    maker.case("dict_vectorizer_int64_float", "DictVectorizer", {7: 4.0, 1: 8.0}, [F], int64_vocabulary=[1, 3, 7])
    for cast, code in (("TO_FLOAT", F), ("TO_INT64", L), ("TO_STRING", S)):
        end = cast.lower()[3:]
        maker.case(f"cast_map_float_to_{end}", "CastMap", {3: 1.5, 0: -2.25}, [code], cast_to=cast)
        if code != S:
            maker.case(
                f"cast_map_sparse_to_{end}", "CastMap", {3: 1.5, 0: -2.25}, [code], cast_to=cast, map_form="SPARSE",
                max_map=5)


if __name__ == "__main__":
    main("ml", Maker, "ai.onnx.ml", 3, linear, machines, trees, features, labels, maps)
