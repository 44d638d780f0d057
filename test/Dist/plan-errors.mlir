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
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/claimed.yaml})' 2>&1 | FileCheck %s --check-prefix=CLAIMED
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/empty-stage.yaml})' 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/empty-rest.yaml})' 2>&1 | FileCheck %s --check-prefix=REST
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=tp=64})' 2>&1 | FileCheck %s --check-prefix=WIDE
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=cp=2})' 2>&1 | FileCheck %s --check-prefix=TOKENS
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=dp=4,ep=2})' 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2,sp=2})' 2>&1 | FileCheck %s --check-prefix=NORMS
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/conflict.yaml})' 2>&1 | FileCheck %s --check-prefix=CONFLICT
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/other-axis.yaml})' 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/twice.yaml})' 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/two-axes.yaml})' 2>&1 | FileCheck %s --check-prefix=AXES
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/operand.yaml})' 2>&1 | FileCheck %s --check-prefix=OPERAND
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/both.yaml})' 2>&1 | FileCheck %s --check-prefix=BOTH
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/count.yaml})' 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/no-dims.yaml})' 2>&1 | FileCheck %s --check-prefix=DIMS
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%t/good.yaml})' | FileCheck %s --check-prefix=GOOD

// COUNT: error: expected AXIS=COUNT with a count of at least 1, got "tp"
// KIND: error: unknown kind of parallelism "xp": expected tp (tensor), sp (sequence), pp (pipeline), dp (data), cp (context), ep (expert) or mb (micro-batches)
// STAGES: error: cannot be cut into 9 stages: it has 2 operators
// STATE: error: state "z" matches no input of the model
// KEY: unknown-key.yaml:2: unknown key 'msh'
// MATCH: no-match.yaml:2: pattern "layers.*/**" matches no node of the model
// AXIS: no-axis.yaml:3: cannot cut dim 1 of operand 1 along "ep": the mesh of its stage, @mesh0, has no such axis
// RANK: rank.yaml:3: lists 1 dims for a value of type 'tensor<8x16xf32>'
// ORDER: error: {{.*}}is in stage 1 ({{.*}}order.yaml:3), but a node of stage 0 ({{.*}}order.yaml:2) reads what it makes: no value can go back to an earlier stage
// ORDER: note: {{.*}}it is read for this node
// CLAIMED: error: {{.*}}claimed.yaml:3: pattern "**/MatMul" of stage 1 claims a node of stage 0 ({{.*}}claimed.yaml:2)
// EMPTY: error: {{.*}}empty-stage.yaml:3: stage 1 matches no node of the model
// REST: error: {{.*}}empty-rest.yaml:3: stage 1 ("rest") is left without a node: the other stages take all 2; leave it out (1 stages), or name fewer nodes in another stage
// WIDE: error: {{.*}}axis "tp" of stage 0 has 64 ranks, but the widest dim that its products can be cut along has 16 units (operand 1 of this node, of type 'tensor<8x16xf32>'): tp=16 would work
// TOKENS: error: axis "cp" has nothing to cut: no input is of integers [batch, tokens]; use tp, dp or pp
// SHARED: error: ep=2 shares the ranks of dp, which is 4: give ep=4 or dp=2, or a strategy file whose mesh has axes for both
// NORMS: error: sequence parallelism along axis "tp" has nothing to cut: no norm of [batch, sequence, features] is in a stage whose mesh has that axis
// CONFLICT: error: {{.*}}conflict.yaml:4: cannot cut dim 1 of operand 1 along "tp": another dim is already cut along that axis
// CONFLICT: note: {{.*}}conflict.yaml:3: cuts dim 0 of operand 1 along "tp"
// OTHER: error: {{.*}}other-axis.yaml:4: cannot cut dim 0 of operand 1 along "tp": that dim is already cut along another axis
// OTHER: note: {{.*}}other-axis.yaml:3: cuts dim 1 of operand 0 along "dp"
// TWICE: error: {{.*}}twice.yaml:3: cannot cut dim 1 of operand 1 along "tp": another dim is already cut along that axis
// TWICE: note: {{.*}}twice.yaml:3: cuts dim 0 of operand 1 along "tp"
// AXES: error: {{.*}}two-axes.yaml:1: duplicated mapping key 'tp'
// OPERAND: error: {{.*}}operand.yaml:4: the node has no operand 2
// BOTH: error: {{.*}}both.yaml:3: give either an operand or a result
// NUMBER: error: {{.*}}count.yaml:1: expected a number
// DIMS: error: {{.*}}no-dims.yaml:3: missing required key 'dims'
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
