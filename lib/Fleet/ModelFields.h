//===- ModelFields.h - the fields of chips and fleets -----------*- C++ -*-===//
#ifndef DOUGONG_LIB_FLEET_MODELFIELDS_H
#define DOUGONG_LIB_FLEET_MODELFIELDS_H

#include "Fields.h"
#include "dougong/Fleet/Fleet.h"

namespace dougong::fleet {

void describe(Fields &fields, Chip &chip);
void describe(Fields &fields, Level &level);
void describe(Fields &fields, Pool &pool);
void describe(Fields &fields, CrossPath &path);
void describe(Fields &fields, Policy &policy);
void describe(Fields &fields, Growth &growth);
void describe(Fields &fields, FailureDomain &domain);

/// Checks of a chip that concern several fields; `tree` gives positions.
void checkChip(const Chip &chip, const Tree &tree, Diagnostics &diagnostics);
/// Checks of references and counts, once all of a fleet is read.
void checkFleet(const Fleet &fleet, const Tree &tree, Diagnostics &diagnostics);

/// A fleet as it is written.
Tree toTree(const Fleet &fleet);
/// Reads a fleet from a tree: fields, chips of the catalogue, all checks.
/// nullopt if there were errors.
std::optional<Fleet> fleetFromTree(const Tree &tree, Diagnostics &diagnostics);

/// The names of collectives that files may use.
llvm::ArrayRef<llvm::StringRef> getCollectiveNames();
/// The names of data types that files may use.
llvm::ArrayRef<llvm::StringRef> getDataTypeNames();

} // namespace dougong::fleet

#endif // DOUGONG_LIB_FLEET_MODELFIELDS_H
