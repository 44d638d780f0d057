//===- Buffer.cpp - aligned memory and its reuse --------------------------===//
#include "dougong/Runtime/Buffer.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <sys/mman.h>

using namespace dougong;

static constexpr std::size_t smallAlignment = 64;
static constexpr std::size_t hugePage = std::size_t{2} << 20;

void Buffer::Free::operator()(std::byte *pointer) const { std::free(pointer); }

Result<Buffer> Buffer::allocate(std::size_t bytes) {
  std::size_t alignment = bytes >= hugePage ? hugePage : smallAlignment;
  // Never of size zero: programs get a valid pointer for empty tensors too.
  std::size_t size = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  Buffer buffer;
  if (size >= bytes)
    buffer.memory.reset(static_cast<std::byte *>(std::aligned_alloc(alignment, size)));
  if (!buffer.memory)
    return Error{"no memory for " + std::to_string(bytes) + " bytes"};
  buffer.size = size;
  if (alignment == hugePage)
    madvise(buffer.data(), size, MADV_HUGEPAGE); // advice only: a refusal is fine
  return buffer;
}

Result<std::shared_ptr<Buffer>> BufferPool::take(std::size_t bytes) {
  Buffer buffer;
  {
    std::lock_guard lock(shelf->mutex);
    // The smallest that fits, unless it would waste more than it serves.
    auto best = shelf->free.end();
    for (auto it = shelf->free.begin(); it != shelf->free.end(); ++it)
      if (it->capacity() >= bytes && it->capacity() / 2 <= std::max(bytes, smallAlignment * 64) &&
          (best == shelf->free.end() || it->capacity() < best->capacity()))
        best = it;
    if (best != shelf->free.end()) {
      buffer = std::move(*best);
      shelf->free.erase(best);
    }
  }
  if (!buffer) {
    // A little more than asked for: caches grow by one position each step.
    Result<Buffer> fresh = Buffer::allocate(bytes + bytes / 8);
    if (!fresh)
      return fresh.takeError();
    buffer = std::move(*fresh);
  }
  auto *owned = new Buffer(std::move(buffer));
  {
    std::lock_guard lock(shelf->mutex);
    shelf->live += bytes;
    shelf->peak = std::max(shelf->peak, shelf->live);
  }
  return std::shared_ptr<Buffer>(owned, [shelf = shelf, bytes](Buffer *back) {
    std::unique_ptr<Buffer> guard(back);
    std::lock_guard lock(shelf->mutex);
    shelf->live -= bytes;
    // Buffers that nobody asked for in a long time make room.
    if (shelf->free.size() >= 64)
      shelf->free.erase(shelf->free.begin());
    shelf->free.push_back(std::move(*back));
  });
}

std::size_t BufferPool::peakBytes() const {
  std::lock_guard lock(shelf->mutex);
  return shelf->peak;
}
