//===- Verify.cpp - what the declarations of a site must obey --------------===//
#include "Fleet/IR/Fleet.h"

using namespace mlir;
using namespace dougong::fleet;

/// Checks the unit of a figure that may be absent.
static LogicalResult verifyUnit(Operation *op, StringRef name, FigureAttr figure, StringRef unit) {
  if (!figure || figure.getUnit() == unit)
    return success();
  return op->emitOpError() << name << " must be in \"" << unit << "\", got " << figure;
}

LogicalResult SiteOp::verifyRegions() {
  for (Operation &op : getBody().front())
    if (op.getName().getDialectNamespace() != FleetDialect::getDialectNamespace())
      return op.emitOpError(
          "must not stand in a fleet.site: it holds declarations of a fleet only");
  return success();
}

LogicalResult ChipOp::verify() {
  if (DictionaryAttr peak = getPeakAttr())
    for (NamedAttribute entry : peak) {
      auto figure = dyn_cast<FigureAttr>(entry.getValue());
      if (!figure)
        return emitOpError() << "peak of " << entry.getName() << " must be a #fleet.figure, got "
                             << entry.getValue();
      if (failed(verifyUnit(*this, ("peak of " + entry.getName().strref()).str(), figure, "OP/s")))
        return failure();
    }
  if (failed(verifyUnit(*this, "memory", getMemoryAttr(), "B")) ||
      failed(verifyUnit(*this, "reserved", getReservedAttr(), "B")) ||
      failed(verifyUnit(*this, "bandwidth", getBandwidthAttr(), "B/s")))
    return failure();
  if (getMemoryAttr() && getReservedAttr() &&
      getReservedAttr().getNumber() >= getMemoryAttr().getNumber())
    return emitOpError() << "reserved memory must be below its size, got " << getReservedAttr()
                         << " of " << getMemoryAttr();
  if (getStandIn() && !getTarget())
    return emitOpError("stand_in says what the target's programs run on, but there is no target");
  return success();
}

LogicalResult LevelOp::verify() {
  if (failed(verifyUnit(*this, "bandwidth", getBandwidthAttr(), "B/s")) ||
      failed(verifyUnit(*this, "latency", getLatencyAttr(), "s")) ||
      failed(verifyUnit(*this, "oversubscription", getOversubscriptionAttr(), "")))
    return failure();
  if (getOversubscriptionAttr() && getOversubscriptionAttr().getNumber() < 1)
    return emitOpError() << "oversubscription must be at least 1, got "
                         << getOversubscriptionAttr();
  return success();
}

LogicalResult PoolOp::verify() {
  if (getCount() % getNodes())
    return emitOpError() << "count must be a multiple of nodes, got " << getCount() << " chips on "
                         << getNodes() << " nodes";
  return success();
}

/// Looks up a declaration of kind OpT in the site around `op`.
template <typename OpT>
static FailureOr<OpT> lookup(Operation *op, FlatSymbolRefAttr name, StringRef what,
                             SymbolTableCollection &symbols) {
  Operation *found = symbols.lookupSymbolIn(op->getParentOp(), name);
  if (!found) {
    op->emitOpError() << what << " " << name << " is not declared in this site";
    return failure();
  }
  if (auto declaration = dyn_cast<OpT>(found))
    return declaration;
  InFlightDiagnostic diagnostic = op->emitOpError()
                                  << name << " must be a " << OpT::getOperationName() << ", got a "
                                  << found->getName();
  diagnostic.attachNote(found->getLoc()) << "declared here";
  return failure();
}

LogicalResult PoolOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // A chip that the site does not declare is one of the catalogue.
  if (symbols.lookupSymbolIn((*this)->getParentOp(), getChipAttr()) &&
      failed(lookup<ChipOp>(*this, getChipAttr(), "chip", symbols)))
    return failure();
  LevelOp inner;
  ArrayRef<Attribute> path = getPathAttr() ? getPathAttr().getValue() : ArrayRef<Attribute>();
  for (auto [index, name] : llvm::enumerate(path)) {
    if (llvm::is_contained(path.take_front(index), name))
      return emitOpError() << "names level " << name << " twice";
    FailureOr<LevelOp> level =
        lookup<LevelOp>(*this, cast<FlatSymbolRefAttr>(name), "level", symbols);
    if (failed(level))
      return failure();
    if (!level->getSize())
      continue;
    if (inner && *level->getSize() < *inner.getSize()) {
      InFlightDiagnostic diagnostic = emitOpError()
                                      << "level " << name << " joins " << *level->getSize()
                                      << " chips, fewer than the " << *inner.getSize()
                                      << " of the level inside it";
      diagnostic.attachNote(inner.getLoc()) << "inner level declared here";
      return diagnostic;
    }
    inner = *level;
  }
  return success();
}

LogicalResult CrossPathOp::verify() {
  if (getFromAttr() == getToAttr() && getFrom() != "*")
    return emitOpError() << "joins two different pools, got " << getFromAttr() << " twice";
  if (failed(verifyUnit(*this, "bandwidth", getBandwidthAttr(), "B/s")))
    return failure();
  return verifyUnit(*this, "latency", getLatencyAttr(), "s");
}

LogicalResult CrossPathOp::verifySymbolUses(SymbolTableCollection &symbols) {
  for (FlatSymbolRefAttr pool : {getFromAttr(), getToAttr()})
    if (pool.getValue() != "*" && failed(lookup<PoolOp>(*this, pool, "pool", symbols)))
      return failure();
  return success();
}

LogicalResult PolicyOp::verify() {
  if (getPolicy() != "domestic-share")
    return emitOpError() << "knows \"domestic-share\" only, got " << getPolicyAttr();
  if (failed(verifyUnit(*this, "threshold", getThresholdAttr(), "")))
    return failure();
  if (getThresholdAttr().getNumber() > 1)
    return emitOpError() << "threshold must be at most 1, got " << getThresholdAttr();
  return success();
}

LogicalResult GrowthOp::verify() { return verifyUnit(*this, "count", getCountAttr(), ""); }

LogicalResult GrowthOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getPoolAttr())
    return success();
  return LogicalResult(lookup<PoolOp>(*this, getPoolAttr(), "pool", symbols));
}

LogicalResult FailureDomainOp::verify() {
  if (failed(verifyUnit(*this, "mtbf", getMtbfAttr(), "s")))
    return failure();
  return verifyUnit(*this, "mttr", getMttrAttr(), "s");
}

LogicalResult FailureDomainOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return LogicalResult(lookup<LevelOp>(*this, getLevelAttr(), "level", symbols));
}
