//===- Commands.h - dougong fleet list | show | check -----------*- C++ -*-===//
//
// The commands as functions. They print to the given streams and return the
// exit code of the tool: 0, or 3 if the input was refused.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_FLEET_COMMANDS_H
#define DOUGONG_FLEET_COMMANDS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

namespace dougong::fleet {

inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 3;

/// Lists the sites and chips of the catalogue.
int listCommand(bool json, llvm::raw_ostream &out, llvm::raw_ostream &err);

/// Shows a site or a chip of the catalogue, or a file: every figure with its
/// provenance, and what is not known.
int showCommand(llvm::StringRef fileOrName, bool json, llvm::raw_ostream &out,
                llvm::raw_ostream &err);

/// Reads a fleet and reports totals, the domestic share by chips, peak and cost,
/// verdicts of its policies, how its figures are known, and remarks. Returns 3
/// if the file is refused, or, with `enforce`, if a policy is not met.
int checkCommand(llvm::StringRef fileOrName, bool json, bool enforce, llvm::raw_ostream &out,
                 llvm::raw_ostream &err);

} // namespace dougong::fleet

#endif // DOUGONG_FLEET_COMMANDS_H
