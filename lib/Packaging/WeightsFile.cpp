//===- WeightsFile.cpp - writes the weights of a package ------------------===//
#include "dougong/Packaging/WeightsFile.h"

#include "dougong/Packaging/OutputError.h"

#include "Copy.h"
#include "Pieces.h"

#include "dougong/Import/ElementTypes.h"
#include "dougong/Package/WeightHashes.h"
#include "dougong/Support/Sha256.h"

#include "llvm/Support/MathExtras.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <unistd.h>

using namespace mlir;
using namespace dougong;
namespace fs = llvm::sys::fs;

namespace {

constexpr uint64_t cacheLine = 64, page = 4096, largeShard = 64 * 1024;

bool writeAt(int file, ArrayRef<char> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    ssize_t done = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    bytes = bytes.drop_front(done);
    offset += done;
  }
  return true;
}

/// A shard that is made, written and hashed block by block.
struct ShardJob {
  int file;
  uint64_t begin, bytes; ///< in the file
  int64_t limit;         ///< bytes of a piece
  std::vector<std::string> hashes;
  std::atomic<uint64_t> next = 0;
  std::atomic<int> failure = 0; ///< as errno has it

  /// Takes one block after the other until there are none. Several threads may do
  /// so, each with a reader of its own.
  void work(WeightReader &reader) {
    std::vector<char> piece;
    for (uint64_t block; failure == 0 && (block = next++) < hashes.size();)
      write(reader, block, piece);
  }

private:
  void write(WeightReader &reader, uint64_t block, std::vector<char> &piece) {
    int64_t width = reader.getElementBytes();
    uint64_t at = block * hashedBlock, end = std::min(bytes, at + hashedBlock);
    Sha256 hash;
    forEachPiece(reader.getShape(), at / width, end / width, limit / width,
                 [&](const WeightBox &box) {
                   WeightView view = makeDense(reader.get(box), box.sizes, width, piece);
                   ArrayRef<char> rest(view.data, box.getNumElements() * width);
                   while (!rest.empty() && failure == 0) {
                     // Still in the second-level cache when it is written.
                     ArrayRef<char> part = rest.take_front(256 << 10);
                     hash.update(part.data(), part.size());
                     if (!writeAt(file, part, begin + at))
                       failure = errno;
                     at += part.size();
                     rest = rest.drop_front(part.size());
                   }
                 });
    hashes[block] = hash.finish();
  }
};

} // namespace

char OutputError::ID = 0;

llvm::Expected<std::unique_ptr<WeightsFile>> WeightsFile::create(StringRef path,
                                                                 StringRef relative) {
  llvm::Expected<fs::file_t> file =
      fs::openNativeFileForWrite(path, fs::CD_CreateAlways, fs::OF_None);
  if (!file)
    return llvm::make_error<OutputError>("cannot write '" + path.str() +
                                         "': " + llvm::toString(file.takeError()));
  return std::unique_ptr<WeightsFile>(new WeightsFile(*file, relative));
}

WeightsFile::~WeightsFile() {
  if (file != fs::kInvalidFile)
    fs::closeFile(file);
}

llvm::Error WeightsFile::makeError(int code) const {
  return llvm::make_error<OutputError>("cannot write '" + relative + "': " + std::strerror(code) +
                                       (code == ENOSPC ? "; free some, or write elsewhere" : ""));
}

llvm::Expected<plan::v1::Segment>
WeightsFile::append(llvm::function_ref<llvm::Expected<std::unique_ptr<WeightReader>>()> open,
                    WeightReader &first) {
  uint64_t bytes = first.getElementBytes();
  for (int64_t extent : first.getShape())
    bytes *= extent;
  uint64_t begin = llvm::alignTo(end, bytes >= largeShard ? page : cacheLine);
  // Over what a shard that was not needed may have left.
  if (!writeAt(file, std::vector<char>(begin - end, 0), end))
    return makeError(errno);

  uint64_t blocks = countHashes(bytes);
  // Each thread holds a piece and what it is made of: an eighth of the shard in all.
  unsigned threads = std::clamp<uint64_t>(blocks / 2, 1, pool.getMaxConcurrency());
  int64_t limit = std::clamp<int64_t>(bytes / 16 / threads, 4 << 20, hashedBlock);
  ShardJob job{file, begin, bytes, limit, std::vector<std::string>(blocks)};
  std::vector<std::unique_ptr<WeightReader>> readers;
  for (unsigned i = 1; i < threads; ++i) {
    llvm::Expected<std::unique_ptr<WeightReader>> reader = open();
    if (!reader)
      return reader.takeError();
    readers.push_back(std::move(*reader));
  }
  for (std::unique_ptr<WeightReader> &reader : readers)
    pool.async([&job, &reader] { job.work(*reader); });
  job.work(first);
  pool.wait();
  if (int code = job.failure)
    return makeError(code);

  plan::v1::Segment segment;
  segment.set_file(relative);
  segment.set_offset(begin);
  segment.set_bytes(bytes);
  std::string all;
  for (std::string &hash : job.hashes) {
    all += hash;
    segment.add_sha256(std::move(hash));
  }
  auto [entry, isNew] = written.try_emplace({bytes, all}, segment);
  if (isNew)
    end = begin + bytes;
  return entry->second;
}

llvm::Expected<plan::v1::Weight> WeightsFile::add(WeightEvaluator &evaluator, StringRef name,
                                                  const plan::v1::Mesh &mesh) {
  llvm::Expected<SmallVector<StringRef>> axes = evaluator.getAxes(name);
  if (!axes)
    return axes.takeError();
  plan::v1::Weight weight;
  weight.set_name(name.str());
  weight.set_layout("row-major");
  SmallVector<int64_t> sizes;
  int64_t shards = 1;
  for (StringRef axis : *axes) {
    int64_t size = 1;
    for (const plan::v1::Axis &meshAxis : mesh.axes())
      if (meshAxis.name() == axis)
        size = meshAxis.size();
    weight.add_axes(axis.str());
    sizes.push_back(size);
    shards *= size;
  }
  for (int64_t shard = 0; shard < shards; ++shard) {
    AxisCoordinates coordinates;
    int64_t rest = shard;
    for (size_t i = axes->size(); i-- > 0; rest /= sizes[i])
      coordinates[(*axes)[i]] = {rest % sizes[i], sizes[i]};
    auto open = [&] { return evaluator.open(name, coordinates); };
    llvm::Expected<std::unique_ptr<WeightReader>> reader = open();
    if (!reader)
      return reader.takeError();
    llvm::Expected<plan::v1::Segment> segment = append(open, **reader);
    if (!segment)
      return segment.takeError();
    *weight.add_shards() = std::move(*segment);
    if (shard > 0)
      continue;
    weight.set_dtype(importer::getDataType((*reader)->getElementType()));
    for (int64_t extent : (*reader)->getShape())
      weight.add_dims(extent);
  }
  return weight;
}

llvm::Error WeightsFile::finish() {
  // A mapping of length 0 is an error on Linux: the file holds at least a page.
  if (end == 0) {
    if (!writeAt(file, std::vector<char>(page, 0), 0))
      return makeError(errno);
    end = page;
  }
  // Behind it may be a shard that was not needed.
  if (::ftruncate(file, static_cast<off_t>(end)) != 0)
    return makeError(errno);
  if (std::error_code code = fs::closeFile(file))
    return makeError(code.value());
  return llvm::Error::success();
}
