// An operator that is replaced by a body keeps its attributes, quotes and backslashes too; what is
// wrong with them is said once, by the operator that has no body.
// RUN: rm -rf %t && mkdir -p %t && cd %t && %python %S/models.py --into %t quoted-text unnamed-part
// RUN: dougong compile quoted-text.onnx --stop-after import -o quoted.mlir && FileCheck %s --check-prefix=QUOTED --input-file quoted.mlir
// RUN: not dougong compile quoted-text.onnx -o refused 2>&1 | FileCheck %s --check-prefix=REFUSED --implicit-check-not=error

// QUOTED: onnx.ms.LinearAttention{{.*}}update_rule = "li\22near\\"
// REFUSED: error: quoted-text.onnx: node '{{.*}}LinearAttention{{.*}}': {{.*}}update_rule li"near\ is not supported

// A result without a name in a list of results has a type.
// RUN: dougong compile unnamed-part.onnx --stop-after import -o unnamed.mlir && FileCheck %s --check-prefix=UNNAMED --input-file unnamed.mlir
// UNNAMED: onnx.Split{{.*}} -> (tensor<2xf32>, tensor<2xf32>)
