// What is refused, and how it is said: file, node, reason.
// RUN: rm -rf %t && mkdir -p %t/m && head -c 100 /dev/zero > %t/m/short.bin && touch %t/outside.bin && ln -s %t/outside.bin %t/m/link.bin
// RUN: %python %S/models.py --into %t/m cycle experimental missing-file outside link short-file wrong-length overflow negative-dim element-type new-opset bomb wrong-type zero-heads wide-axis wide-blocks many-parts empty-function no-parts long-shapes no-target new-ir no-version weights
// RUN: head -c 300 %t/m/weights.onnx > %t/m/cut.onnx && touch %t/m/empty.onnx && echo hello > %t/m/text.onnx
// RUN: cd %t/m && dougong-translate --check cycle.onnx experimental.onnx missing-file.onnx outside.onnx link.onnx short-file.onnx wrong-length.onnx overflow.onnx negative-dim.onnx element-type.onnx new-opset.onnx bomb.onnx wrong-type.onnx zero-heads.onnx wide-axis.onnx wide-blocks.onnx many-parts.onnx empty-function.onnx no-parts.onnx long-shapes.onnx no-target.onnx new-ir.onnx no-version.onnx cut.onnx empty.onnx text.onnx nosuch.onnx . | FileCheck %s

// CHECK: refused cycle.onnx: node 'first': input 'b' is made by the later node 'second': the graph is cyclic or its nodes are not sorted
// CHECK: refused experimental.onnx: node 'aten': operator ATen was an experiment that ONNX has removed
// CHECK: refused missing-file.onnx: tensor 'w' is in file 'nowhere.bin', which is not in the model's folder
// CHECK: refused outside.onnx: tensor 'w' refers to '../outside.bin', which leaves the model's folder
// CHECK: refused link.onnx: tensor 'w' is in file 'link.bin', a link that leaves the model's folder: it leads to '{{.*}}outside.bin'
// CHECK: refused short-file.onnx: tensor 'w' ends at byte 1032 of file 'short.bin', which has 100 bytes
// CHECK: refused wrong-length.onnx: tensor 'w' has 12 bytes in file 'short.bin', expected 1024 from its type and dims
// CHECK: refused overflow.onnx: tensor 'w' has a negative dim or more than 2^63 - 1 bytes
// CHECK: refused negative-dim.onnx: tensor 'w' has a negative dim or more than 2^63 - 1 bytes
// CHECK: refused element-type.onnx: tensor 'w' has unknown element type 99
// CHECK: refused new-opset.onnx: the model is of opset 99, this version reads up to 27
// CHECK: refused bomb.onnx: with its functions inlined the graph has more than 20000000 nodes
// CHECK: refused wrong-type.onnx: node 'mixed': 'onnx.Add' op operand 1 has element type 'f16', but operand 0 has 'f32'
// CHECK: refused zero-heads.onnx: node 'attention': attribute 'kv_num_heads' is 0, expected a positive number
// CHECK: refused wide-axis.onnx: node 'norm': attribute 'axis' is 9223372036854775807, expected a number that fits 32 bits
// CHECK: refused wide-blocks.onnx: node 'blocks': attribute 'blocksize' is 4611686018427387904, expected a positive number below 2^31
// CHECK: refused many-parts.onnx: node 'split': attribute 'num_outputs' is 1073741824, but the node has 2 outputs
// CHECK: refused empty-function.onnx: output 'b' of function 'Nothing' is made by none of its nodes
// CHECK: ok no-parts.onnx
// CHECK: ok long-shapes.onnx
// CHECK: refused no-target.onnx: node 'cast': required attribute 'to' is missing{{$}}
// CHECK: refused new-ir.onnx: the model is of IR version 99, this version reads up to 13{{$}}
// CHECK: refused no-version.onnx: the model is of opset 0, expected 1 or more{{$}}
// CHECK: refused cut.onnx: the file is no ONNX model or is cut off
// CHECK: refused empty.onnx: the file is empty
// CHECK: refused text.onnx: the file is no ONNX model or is damaged
// CHECK: refused nosuch.onnx: the file cannot be read: No such file or directory
// CHECK: refused .: the file cannot be read: Is a directory

// A diagnostic stands at the file or the node.
// RUN: not dougong-translate --onnx-to-mlir %t/m/cycle.onnx 2>&1 | FileCheck %s --check-prefix=LOC
// LOC: cycle.onnx:0:0: error: node 'first':

// Graphs that are only planned may lack their weights, and mix element types.
// RUN: dougong-translate --onnx-to-mlir --allow-missing-data %t/m/missing-file.onnx | FileCheck %s --check-prefix=MISSING
// MISSING: onnx.weight @w : tensor<16x16xf32> = #onnx.external<"nowhere.bin", offset = 0, length = 1024>
// RUN: dougong-translate --onnx-to-mlir --allow-missing-data %t/m/wrong-type.onnx 2>&1 | FileCheck %s --check-prefix=MIXED
// MIXED: warning: node 'mixed': input 1 has element type 'f16', but 'f32' is required: a Cast was put in between
// MIXED: onnx.Cast(%{{.*}}) {{.*}}to = 1 : i64
