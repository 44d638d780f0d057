// Placement hints of IR version 11 are kept, also on a node that is converted.
// RUN: %python %S/models.py devices %t.onnx && dougong-translate --onnx-to-mlir %t.onnx | FileCheck %s
// RUN: dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.onnx -o %t.mlir && dougong-translate --mlir-to-onnx %t.mlir -o %t.back.onnx
// RUN: %python %S/compare_notes.py %t.onnx %t.back.onnx

// CHECK: onnx.configurations = [{device = ["left", "right"], name = "two", nodes = 2 : i64, num_devices = 2 : i64}]
// CHECK: onnx.MatMul{{.*}}onnx.device_configurations = [{configuration_id = "two", pipeline_stage = 0 : i64, sharding_spec = [{device = array<i64: 0, -1>, index_to_device_group_map = [{key = -1 : i64, value = array<i64: 0, 1>}], operand = 1 : i64, sharded_dim = [{axis = 1 : i64, simple_sharding = [{dim_value = 8 : i64, num_shards = 2 : i64}, {dim_param = "n", num_shards = 1 : i64}]}], tensor_name = "w"}]}]
// CHECK: onnx.Squeeze{{.*}}onnx.device_configurations = [{configuration_id = "two"{{.*}}axis = 0 : i64{{.*}}tensor_name = "y"
