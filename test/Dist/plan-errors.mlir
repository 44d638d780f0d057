// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=tp})' 2>&1 | FileCheck %s --check-prefix=COUNT
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=xp=2})' 2>&1 | FileCheck %s --check-prefix=KIND
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=pp=9})' 2>&1 | FileCheck %s --check-prefix=STAGES
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{state=z=y})' 2>&1 | FileCheck %s --check-prefix=STATE
// RUN: split-file %S/Inputs/strategies.yaml %t
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/unknown-key.yaml})' 2>&1 | FileCheck %s --check-prefix=KEY
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/no-match.yaml})' 2>&1 | FileCheck %s --check-prefix=MATCH
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/no-axis.yaml})' 2>&1 | FileCheck %s --check-prefix=AXIS
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/rank.yaml})' 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/order.yaml})' 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/role.yaml})' 2>&1 | FileCheck %s --check-prefix=ROLE
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/good.yaml})' | FileCheck %s --check-prefix=GOOD

// COUNT: error: expected AXIS=COUNT with a count of at least 1, got "tp"
// KIND: error: unknown kind of parallelism "xp": expected tp (tensor), pp (pipeline) or dp (data)
// STAGES: error: cannot be cut into 9 stages: it has 2 operators
// STATE: error: state "z" matches no input of the model
// KEY: unknown-key.yaml:2: unknown key 'msh'
// MATCH: no-match.yaml:2: pattern "layers.*/**" matches no node of the model
// AXIS: no-axis.yaml:3: cannot cut dim 1 of operand 1 along "ep": the mesh of its stage, @mesh0, has no such axis
// RANK: rank.yaml:3: lists 1 dims for a value of type 'tensor<8x16xf32>'
// ORDER: error: {{.*}}is in stage 1, but a node of stage 0 reads what it makes
// ORDER: note: {{.*}}it is read for this node
// ROLE: role.yaml:3: unknown role "mlp": expected attention, attention.input, attention.output or embedding

// GOOD: dist.mesh @mesh0 <"tp" = 2> on @ascend
// GOOD: dist.mesh @mesh1 <"tp" = 3> on @metax
// GOOD: onnx.MatMul({{.*}}) {dist.in = [unit, #dist.sharding<@mesh0, [{"tp"}, {}]>], dist.stage = 0 : i64}
// GOOD: onnx.MatMul({{.*}}) {dist.in = [unit, #dist.sharding<@mesh1, [{}, {"tp"}]>], dist.stage = 1 : i64}
module {
  onnx.weight @up : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @down : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 512, length = 512>
  func.func @main(%x: tensor<4x8xf32> {onnx.name = "x"}) -> (tensor<4x8xf32> {onnx.name = "y"}) {
    %up = onnx.use @up : tensor<8x16xf32>
    %h = onnx.MatMul(%x, %up) : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32> loc("mlp/up/MatMul")
    %down = onnx.use @down : tensor<16x8xf32>
    %y = onnx.MatMul(%h, %down) : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> loc("mlp/down/MatMul")
    return %y : tensor<4x8xf32>
  }
}
