"""Which products of an ONNX model belong to attention: these are cut by heads."""

import onnx

CORES = {"Attention", "GroupQueryAttention", "MultiHeadAttention", "LinearAttention"}
PRODUCTS = {"MatMul", "Gemm", "MatMulNBits", "MatMulInteger", "Conv", "MoE", "QMoE"}


def node_name(node, index):
    """As the importer calls nodes without a name."""
    return node.name or f"{node.op_type}_{index}"


def attention_nodes(path):
    """Names of the attention operators of a model (also products of two computed
    values) and of the products with a weight that feed or read one directly."""
    graph = onnx.load(path, load_external_data=False).graph
    nodes = list(graph.node)
    producer = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    users = {}
    for index, node in enumerate(nodes):
        for name in node.input:
            users.setdefault(name, []).append(index)
    # What depends on an input of the model is no weight.
    computed = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in nodes:
        if any(name in computed for name in node.input):
            computed.update(node.output)

    def is_core(node):
        return node.op_type in CORES or node.op_type == "MatMul" and all(
            name in computed for name in node.input)

    cores = [index for index, node in enumerate(nodes) if is_core(node)]
    found = set(cores)
    for step in (lambda i: [producer[x] for x in nodes[i].input if x in producer],
                 lambda i: [u for x in nodes[i].output for u in users.get(x, [])]):
        queue, seen = list(cores), set(cores)
        while queue:
            for index in step(queue.pop()):
                if index in seen:
                    continue
                seen.add(index)
                if nodes[index].op_type in PRODUCTS:
                    found.add(index)
                else:
                    queue.append(index)
    return {node_name(nodes[index], index) for index in found}
