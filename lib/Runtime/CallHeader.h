//===- CallHeader.h - what a member of a group calls ------------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_CALLHEADER_H
#define DOUGONG_LIB_RUNTIME_CALLHEADER_H

#include "dougong/Runtime/Collectives.h"
#include "dougong/Runtime/ElementType.h"

#include <iterator>

namespace dougong {

enum class CallKind : std::int32_t {
  AllReduce,
  AllGather,
  ReduceScatter,
  AllToAll,
  Permute,
  Barrier,
  RaggedAllToAll
};

inline const char *nameOf(CallKind kind) {
  constexpr const char *names[] = {"all_reduce", "all_gather", "reduce_scatter",   "all_to_all",
                                   "permute",    "barrier",    "ragged_all_to_all"};
  // Another rank's header may be of another version.
  auto index = static_cast<std::size_t>(kind);
  return index < std::size(names) ? names[index] : "an unknown collective";
}

/// What a member is about to do, compared by all others. Plain bytes, so that it can
/// be sent.
struct CallHeader {
  CallKind kind = CallKind::Barrier;
  std::int32_t dtype = DOUGONG_U8;
  std::int64_t call = -1;
  std::int64_t count = 0;
  std::int32_t reduction = 0;
  std::int32_t unused = 0;
  bool operator==(const CallHeader &) const = default;
};

/// The error of a rank that finds another one in another call.
inline Error ranksDisagree(int rank, const CallHeader &mine, int other, const CallHeader &theirs) {
  auto describe = [](const CallHeader &header) {
    return describeCall(nameOf(header.kind), {header.call, nullptr}) + " of " +
           std::to_string(header.count) + " " + elementTypeName(header.dtype);
  };
  return Error{"ranks disagree: rank " + std::to_string(rank) + " calls " + describe(mine) +
               ", rank " + std::to_string(other) + " calls " + describe(theirs)};
}

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_CALLHEADER_H
