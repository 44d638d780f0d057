//===- FleetDialect.cpp - registration -------------------------------------===//
#include "Fleet/IR/Fleet.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dougong::fleet;

#include "Fleet/IR/FleetDialect.cpp.inc"
#include "Fleet/IR/FleetEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "Fleet/IR/FleetAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "Fleet/IR/FleetOps.cpp.inc"

void FleetDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Fleet/IR/FleetAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Fleet/IR/FleetOps.cpp.inc"
      >();
}
