//===- Buffer.h - aligned memory and its reuse ------------------*- C++ -*-===//
#ifndef DOUGONG_RUNTIME_BUFFER_H
#define DOUGONG_RUNTIME_BUFFER_H

#include "dougong/Support/Result.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace dougong {

/// Memory of at least 64-byte alignment. Movable; empty when default-made.
class Buffer {
public:
  Buffer() = default;
  /// `bytes` uninitialised bytes. Large buffers are aligned to, and the kernel is
  /// asked for, huge pages. Fails where memory is short.
  static Result<Buffer> allocate(std::size_t bytes);

  std::byte *data() const { return memory.get(); }
  std::size_t capacity() const { return size; }
  explicit operator bool() const { return memory != nullptr; }

private:
  struct Free {
    void operator()(std::byte *pointer) const;
  };
  std::unique_ptr<std::byte, Free> memory;
  std::size_t size = 0;
};

/// Hands out buffers and takes them back, so that steps neither allocate nor
/// touch fresh pages. The buffers that it hands out share its free list, and may
/// outlive it.
class BufferPool {
public:
  BufferPool() : shelf(std::make_shared<Shelf>()) {}

  /// A buffer of at least `bytes` bytes; it goes back when the last pointer to it
  /// is gone. Not cleared.
  Result<std::shared_ptr<Buffer>> take(std::size_t bytes);

  /// The most bytes that were asked for at one time.
  std::size_t peakBytes() const;

private:
  struct Shelf {
    std::mutex mutex;
    std::size_t live = 0, peak = 0; // bytes asked for
    std::vector<Buffer> free;
  };
  std::shared_ptr<Shelf> shelf;
};

} // namespace dougong

#endif // DOUGONG_RUNTIME_BUFFER_H
