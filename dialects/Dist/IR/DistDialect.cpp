//===- DistDialect.cpp - registration -------------------------------------===//
#include "Dist/IR/Dist.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dougong::dist;

#include "Dist/IR/DistDialect.cpp.inc"
#include "Dist/IR/DistEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "Dist/IR/DistAttrs.cpp.inc"

void DistDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Dist/IR/DistAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Dist/IR/DistOps.cpp.inc"
      >();
}
