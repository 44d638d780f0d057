//===- dougong-lsp-server.cpp - IR in an editor ---------------------------===//
#include "dougong/Registration.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  dougong::registerDialects(registry);
  dougong::registerPasses();
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
