//===- Mover.cpp - move a value from one cut to another -------------------===//
#include "Mover.h"

using namespace dougong;

std::int64_t dougong::contiguousOffset(const Box &box, std::span<const std::int64_t> origin,
                                       std::span<const std::int64_t> extents,
                                       std::size_t elementSize) {
  if (box.empty())
    return 0;
  std::int64_t offset = 0;
  bool inner = true; // all dims so far are taken whole
  for (std::size_t d = extents.size(), stride = elementSize; d-- > 0; stride *= extents[d]) {
    std::int64_t extent = box.end[d] - box.begin[d];
    if (!inner && extent != 1)
      return -1;
    inner = inner && extent == extents[d];
    offset += (box.begin[d] - origin[d]) * static_cast<std::int64_t>(stride);
  }
  return offset;
}

Result<Mover> Mover::create(const ShardLayout &source, const ShardLayout &destination,
                            std::size_t elementSize, int tag, Collectives &collectives,
                            BufferPool &pool) {
  Mover mover;
  mover.from = &source;
  mover.to = &destination;
  mover.elementSize = elementSize;
  mover.tag = tag;
  mover.collectives = &collectives;
  mover.pool = &pool;
  Result<std::vector<Piece>> pieces = planPieces(source, destination);
  if (!pieces)
    return pieces.takeError();
  mover.pieces = std::move(*pieces);
  return mover;
}

Result<void> Mover::send(std::shared_ptr<Buffer> source, std::vector<Outgoing> &outgoing) {
  auto self = static_cast<std::uint32_t>(collectives->rank());
  std::vector<std::int64_t> origin;
  for (const Piece &piece : pieces) {
    if (piece.source != self || piece.destination == self || piece.box.empty())
      continue;
    if (origin.empty())
      origin = from->box(self).begin;
    std::size_t bytes = piece.box.elements() * elementSize;
    std::int64_t offset = contiguousOffset(piece.box, origin, from->localExtents(), elementSize);
    Outgoing message;
    const std::byte *data = nullptr;
    if (offset >= 0) {
      message.data = source;
      data = source->data() + offset;
    } else {
      Result<std::shared_ptr<Buffer>> packed = pool->take(bytes);
      if (!packed)
        return packed.takeError();
      message.data = std::move(*packed);
      data = message.data->data();
      std::vector<std::int64_t> extents = piece.box.extents();
      copyBox(piece.box, elementSize, {origin, from->localExtents()}, source->data(),
              {piece.box.begin, extents}, message.data->data());
    }
    Result<Collectives::RequestPtr> request =
        collectives->startSend(static_cast<int>(piece.destination), tag, data, bytes);
    if (!request)
      return request.takeError();
    message.request = std::move(*request);
    outgoing.push_back(std::move(message));
  }
  return {};
}

Result<void> Mover::receive(const Buffer *source, std::byte *destination, const CallSite &site) {
  auto self = static_cast<std::uint32_t>(collectives->rank());
  std::vector<std::int64_t> origin = to->box(self).begin;
  struct Staged {
    const Piece *piece;
    std::shared_ptr<Buffer> data;
  };
  std::vector<Staged> staged;
  std::vector<Collectives::RequestPtr> requests;
  for (const Piece &piece : pieces) {
    if (piece.destination != self || piece.box.empty())
      continue;
    if (piece.source == self) {
      if (!source)
        return Error{"rank " + std::to_string(self) + ": " + describeCall("move", site) +
                     ": the plan takes a part from this rank, which has none"};
      std::vector<std::int64_t> sourceOrigin = from->box(self).begin;
      copyBox(piece.box, elementSize, {sourceOrigin, from->localExtents()}, source->data(),
              {origin, to->localExtents()}, destination);
      continue;
    }
    std::size_t bytes = piece.box.elements() * elementSize;
    std::int64_t offset = contiguousOffset(piece.box, origin, to->localExtents(), elementSize);
    std::byte *data = destination + offset;
    if (offset < 0) {
      Result<std::shared_ptr<Buffer>> buffer = pool->take(bytes);
      if (!buffer)
        return buffer.takeError();
      data = (*buffer)->data();
      staged.push_back({&piece, std::move(*buffer)});
    }
    Result<Collectives::RequestPtr> request =
        collectives->startReceive(static_cast<int>(piece.source), tag, data, bytes);
    if (!request)
      return request.takeError();
    requests.push_back(std::move(*request));
  }
  if (Result<void> done = collectives->wait(requests, site); !done)
    return done;
  for (const Staged &part : staged) {
    std::vector<std::int64_t> extents = part.piece->box.extents();
    copyBox(part.piece->box, elementSize, {part.piece->box.begin, extents}, part.data->data(),
            {origin, to->localExtents()}, destination);
  }
  return {};
}
