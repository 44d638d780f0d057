// Damaged files are read or refused; none crashes the importer.
// RUN: rm -rf %t && mkdir -p %t
// RUN: for m in weights regions functions custom devices notes element-types upgrade; do %python %S/models.py $m %t/$m.onnx; done
// RUN: %python %S/mutations.py --translate dougong-translate %t/damaged %t/*.onnx | FileCheck %s
// CHECK: 300 damaged models: {{.*}}, 0 crashed
