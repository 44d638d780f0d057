// Damaged files are read or refused; none crashes the importer.
// RUN: rm -rf %t && %python %S/models.py --into %t/sound weights regions functions custom devices notes element-types upgrade
// RUN: %python %S/mutations.py --translate dougong-translate %t/damaged %t/sound/*.onnx | FileCheck %s
// CHECK: 300 damaged models: {{.*}}, 0 crashed
