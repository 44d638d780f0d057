//===- Mover.h - move a value from one cut to another -----------*- C++ -*-===//
#ifndef DOUGONG_LIB_RUNTIME_MOVER_H
#define DOUGONG_LIB_RUNTIME_MOVER_H

#include "dougong/Package/Boxes.h"
#include "dougong/Runtime/Buffer.h"
#include "dougong/Runtime/Collectives.h"

#include <memory>
#include <vector>

namespace dougong {

/// One rank's part in a move of a value between two layouts. All ranks that hold
/// the value on either side make a Mover with equal arguments.
class Mover {
public:
  /// The layouts are kept by reference. `tag` is unique among the moves that may
  /// be under way.
  static Result<Mover> create(const ShardLayout &source, const ShardLayout &destination,
                              std::size_t elementSize, int tag, Collectives &collectives,
                              BufferPool &pool);

  /// A message under way, and what it reads.
  struct Outgoing {
    Collectives::RequestPtr request;
    std::shared_ptr<Buffer> data;
  };
  /// Starts to send what other ranks need of this rank's `source` buffer. It must
  /// not change until `outgoing` is waited for; it is kept alive.
  Result<void> send(std::shared_ptr<Buffer> source, std::vector<Outgoing> &outgoing);

  /// Fills this rank's `destination` buffer (padding is left alone) from the other
  /// ranks and from its own `source` buffer, null if it has none.
  Result<void> receive(const Buffer *source, std::byte *destination, const CallSite &site);

private:
  Mover() = default;
  const ShardLayout *from = nullptr, *to = nullptr;
  std::size_t elementSize = 0;
  int tag = 0;
  Collectives *collectives = nullptr;
  BufferPool *pool = nullptr;
  std::vector<Piece> pieces;
};

/// The offset in bytes of `box` in a row-major buffer if it is one run there, else
/// -1. Empty boxes are at 0.
std::int64_t contiguousOffset(const Box &box, std::span<const std::int64_t> origin,
                              std::span<const std::int64_t> extents, std::size_t elementSize);

} // namespace dougong

#endif // DOUGONG_LIB_RUNTIME_MOVER_H
