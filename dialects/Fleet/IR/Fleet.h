//===- Fleet.h - the fleet dialect ------------------------------*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_FLEET_IR_FLEET_H
#define DOUGONG_DIALECTS_FLEET_IR_FLEET_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"

#include "Fleet/IR/FleetDialect.h.inc"
#include "Fleet/IR/FleetEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "Fleet/IR/FleetAttrs.h.inc"

#define GET_OP_CLASSES
#include "Fleet/IR/FleetOps.h.inc"

#endif // DOUGONG_DIALECTS_FLEET_IR_FLEET_H
