#!/usr/bin/env python3
"""Checks that a model that went to the onnx dialect and back lost nothing that
stands beside its graph.

    compare_notes.py ORIGINAL EXPORTED
"""

import sys

import onnx


def entries(proto):
    return {e.key: e.value for e in proto.metadata_props}


def compare(what, original, exported, problems):
    if original != exported:
        problems.append(f"{what}: {original!r} became {exported!r}")


def main():
    original, exported = onnx.load(sys.argv[1]), onnx.load(sys.argv[2])
    problems = []
    for field in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        compare(field, getattr(original, field), getattr(exported, field), problems)
    compare("metadata", entries(original), entries(exported), problems)
    compare("configuration", list(original.configuration), list(exported.configuration), problems)
    for field in ("name", "doc_string"):
        compare("graph " + field, getattr(original.graph, field), getattr(exported.graph, field), problems)
    compare("graph metadata", entries(original.graph), entries(exported.graph), problems)
    compare("quantization", list(original.graph.quantization_annotation),
            list(exported.graph.quantization_annotation), problems)
    for side in ("input", "output"):
        compare(side, list(getattr(original.graph, side)), list(getattr(exported.graph, side)), problems)
    tensors = {t.name: t for t in exported.graph.initializer}
    for tensor in original.graph.initializer:
        other = tensors.get(tensor.name)
        if other is None:
            problems.append(f"initializer {tensor.name} is gone")
            continue
        compare(f"initializer {tensor.name}", onnx.numpy_helper.to_array(tensor).tolist(),
                onnx.numpy_helper.to_array(other).tolist(), problems)
        compare(f"metadata of {tensor.name}", entries(tensor), entries(other), problems)
    nodes = {output: node for node in exported.graph.node for output in node.output}
    for node in original.graph.node:
        other = nodes.get(node.output[0])
        if other is None:
            problems.append(f"no node makes {node.output[0]}")
            continue
        if node.name:
            compare("node name", node.name, other.name, problems)
        compare(f"operator of {node.name}", (node.domain, node.op_type), (other.domain, other.op_type),
                problems)
        compare(f"documentation of {node.name}", node.doc_string, other.doc_string, problems)
        compare(f"metadata of {node.name}", entries(node), entries(other), problems)
        compare(f"devices of {node.name}", list(node.device_configurations),
                list(other.device_configurations), problems)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
