// Names, documentation and metadata of the model and all its parts.
// RUN: %python %S/models.py notes %t.onnx && dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.onnx | FileCheck %s

// CHECK: onnx.ir_version = 13
// CHECK-SAME: onnx.metadata = {doc_string = "a model", domain = "here", graph_doc_string = "a graph", graph_metadata_props = {stage = "all"}, graph_name = "graph", metadata_props = {licence = "none"}, model_version = 3 : i64, producer_name = "me", producer_version = "1.0", quantization = {x = {SCALE_TENSOR = "w"}}}
// CHECK: onnx.doc = "the input", onnx.name = "x"
// CHECK: onnx.Constant{{.*}} loc(#[[W:.*]])
// CHECK: onnx.Add{{.*}} loc(#[[ADD:.*]])
// CHECK: onnx.Relu{{.*}} loc(#[[RELU:.*]])
// CHECK-DAG: #[[WNOTES:.*]] = loc(fused<{initializer, metadata = {role = "bias"}, outputs = ["w"]}>
// CHECK-DAG: #[[ADDNOTES:.*]] = loc(fused<{doc = "adds", metadata = {namespace = "model.layers.0"}, outputs = ["y"]}>
// CHECK-DAG: #[[RELUPLACE:.*]] = loc("{{.*}}.onnx":1:0)
// CHECK-DAG: #[[RELUNOTES:.*]] = loc(fused<{outputs = ["z"]}>[#[[RELUPLACE]]])
// CHECK-DAG: #[[ADD]] = loc("model/layers.0/add"(#[[ADDNOTES]]))
// A node without a name is called after its operator and place.
// CHECK-DAG: #[[RELU]] = loc("Relu_1"(#[[RELUNOTES]]))
