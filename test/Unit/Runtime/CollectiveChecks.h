//===- CollectiveChecks.h - collectives against plain loops -----*- C++ -*-===//
//
// Run by every rank of either back end. Each rank knows every other rank's data
// (they come from a hash), and computes what it must receive by plain loops.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_TEST_UNIT_RUNTIME_COLLECTIVECHECKS_H
#define DOUGONG_TEST_UNIT_RUNTIME_COLLECTIVECHECKS_H

#include "dougong/Runtime/Collectives.h"

#include <string>

namespace dougong {

/// Collectives of random types, sizes and groups, sends and receives. All ranks
/// call it with the same seed. Returns the first difference, or "".
std::string checkCollectives(Collectives &collectives, unsigned seed);

} // namespace dougong

#endif // DOUGONG_TEST_UNIT_RUNTIME_COLLECTIVECHECKS_H
