//===- Memory.h - the parts of a memory proof -------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_PACKAGE_MEMORY_H
#define DOUGONG_LIB_PACKAGE_MEMORY_H

#include "dougong/Package/plan.pb.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dougong::package {

/// One cause of memory use, and what makes it smaller.
struct MemoryPart {
  const char *name;
  std::uint64_t bytes;
  const char *remedy;
};

/// All parts, in the order of the schema, zeros too.
std::vector<MemoryPart> memoryParts(const plan::v1::Memory &memory);

/// The largest part.
MemoryPart bindingPart(const plan::v1::Memory &memory);

/// "weights 3 GiB, state 1 GiB": the parts that are not zero.
std::string printParts(const plan::v1::Memory &memory);

/// The bytes of weights that a rank holds, if it holds the largest shard of each
/// weight; 2^64 - 1 if they are more.
std::uint64_t weightBytes(const plan::v1::Program &program);

} // namespace dougong::package

#endif // DOUGONG_LIB_PACKAGE_MEMORY_H
