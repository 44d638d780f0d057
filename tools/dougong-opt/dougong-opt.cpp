//===- dougong-opt.cpp - runs passes on textual IR ------------------------===//
#include "dougong/Registration.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  dougong::registerDialects(registry);
  dougong::registerPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Dougong optimizer driver\n", registry));
}
