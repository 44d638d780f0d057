//===- FleetToIR.h - fleets as IR, and back ---------------------*- C++ -*-===//
#ifndef DOUGONG_FLEET_FLEETTOIR_H
#define DOUGONG_FLEET_FLEETTOIR_H

#include "Fleet/IR/Fleet.h"
#include "dougong/Fleet/Fleet.h"

#include "mlir/IR/Builders.h"

namespace dougong::fleet {

/// Creates a fleet.site of the fleet's name at the builder's insertion point.
/// Names become symbols as they are; a chip or level whose name a pool has too
/// gets the symbol "chip.NAME" or "level.NAME" and keeps its name in `details`.
SiteOp buildSite(mlir::OpBuilder &builder, mlir::Location loc, const Fleet &fleet);

/// The fleet that a site describes, with chips that it does not declare taken
/// from the catalogue. buildSite and readSite are inverse. Emits errors at the
/// site for whatever readFleet would refuse.
mlir::FailureOr<Fleet> readSite(SiteOp site);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_FLEETTOIR_H
