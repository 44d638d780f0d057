//===- Yaml.h - fleet files -------------------------------------*- C++ -*-===//
//
// Reading and writing the YAML form of a fleet (docs/fleet-format.md).
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_FLEET_YAML_H
#define DOUGONG_FLEET_YAML_H

#include "dougong/Fleet/Fleet.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace dougong::fleet {

/// Reads a fleet from YAML. `fileName` appears in messages only. Chips that the
/// text does not define are taken from the catalogue. The error's message has
/// one line "FILE:LINE:COLUMN: error: ..." for each thing wrong (20 at most):
/// YAML syntax, unknown or repeated key, wrong kind of value, a number without
/// sense, a reference to nothing. Any text is safe to pass.
llvm::Expected<Fleet> readFleet(llvm::StringRef text, llvm::StringRef fileName);

/// Reads the file at a path, or else the entry of that name in the catalogue: a
/// site, or a chip (then a site of that name with one such chip). Where the site is
/// this machine, its memory is measured.
llvm::Expected<Fleet> loadFleet(llvm::StringRef fileOrName);

/// Writes a fleet so that readFleet gives an equal one.
std::string writeFleet(const Fleet &fleet);

/// The same fields as JSON: figures are objects {value, unit, kind, source, ...}
/// with the value in the base unit.
llvm::json::Value toJson(const Fleet &fleet);
llvm::json::Value toJson(const Chip &chip);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_YAML_H
