//===- WeightsFile.cpp - writes the weights of a package ------------------===//
#include "dougong/Packaging/WeightsFile.h"

#include "Copy.h"

#include "dougong/Import/ElementTypes.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/xxhash.h"

#include <filesystem>

using namespace mlir;
using namespace dougong;
namespace fs = llvm::sys::fs;

namespace {

constexpr uint64_t cacheLine = 64, page = 4096, largeShard = 64 * 1024;

/// Hashes some of the bytes of a stream: the first page of each MiB. Which shards
/// may be equal is told from that; whether they are, by a comparison.
class Sampler {
public:
  void add(ArrayRef<char> bytes) {
    while (!bytes.empty()) {
      uint64_t inPeriod = position % period;
      uint64_t wanted = inPeriod < page ? page - inPeriod : period - inPeriod;
      ArrayRef<char> part = bytes.take_front(wanted);
      if (inPeriod < page)
        sample.append(part.begin(), part.end());
      position += part.size();
      bytes = bytes.drop_front(part.size());
    }
  }
  uint64_t getHash() const {
    return llvm::xxh3_64bits(
        ArrayRef(reinterpret_cast<const uint8_t *>(sample.data()), sample.size()));
  }

private:
  static constexpr uint64_t period = 1 << 20;
  uint64_t position = 0;
  std::string sample;
};

/// Calls `body` with boxes that make up a tensor in row-major order, each of at
/// most `limit` elements.
void forEachPiece(ArrayRef<int64_t> shape, int64_t limit, auto &&body) {
  // Dims behind `cut` are whole, those before it are of extent 1.
  size_t cut = shape.size();
  int64_t inner = 1;
  while (cut > 0 && inner * shape[cut - 1] <= limit)
    inner *= shape[--cut];
  WeightBox box{SmallVector<int64_t>(shape.size(), 0), SmallVector<int64_t>(shape.size(), 1)};
  for (size_t dim = cut; dim < shape.size(); ++dim)
    box.sizes[dim] = shape[dim];
  if (cut == 0)
    return body(box);
  int64_t step = std::max<int64_t>(limit / inner, 1);
  for (;;) {
    for (int64_t begin = 0; begin < shape[cut - 1]; begin += step) {
      box.offsets[cut - 1] = begin;
      box.sizes[cut - 1] = std::min(step, shape[cut - 1] - begin);
      body(box);
    }
    size_t dim = cut - 1;
    for (; dim-- > 0;) {
      if (++box.offsets[dim] < shape[dim])
        break;
      box.offsets[dim] = 0;
    }
    if (dim == SIZE_MAX)
      return;
  }
}

} // namespace

llvm::Expected<std::unique_ptr<WeightsFile>> WeightsFile::create(StringRef path,
                                                                 StringRef relative) {
  std::error_code code;
  auto stream = std::make_unique<llvm::raw_fd_ostream>(path, code, fs::OF_None);
  if (code)
    return llvm::createStringError("cannot write '" + path.str() + "': " + code.message());
  return std::unique_ptr<WeightsFile>(new WeightsFile(std::move(stream), path, relative));
}

llvm::Error WeightsFile::makeError(const std::string &reason) const {
  return llvm::createStringError("cannot write '" + relative + "': " + reason);
}

llvm::Expected<bool> WeightsFile::isEqual(uint64_t first, uint64_t second, uint64_t bytes) {
  llvm::Expected<fs::file_t> file = fs::openNativeFileForRead(path);
  if (!file)
    return makeError(llvm::toString(file.takeError()));
  llvm::scope_exit close([&] { fs::closeFile(*file); });
  std::vector<char> a(std::min<uint64_t>(bytes, 1 << 20)), b(a.size());
  for (uint64_t at = 0; at < bytes;) {
    size_t size = std::min<uint64_t>(bytes - at, a.size());
    auto left = fs::readNativeFileSlice(*file, MutableArrayRef(a).take_front(size), first + at);
    if (!left)
      return makeError(llvm::toString(left.takeError()));
    auto right = fs::readNativeFileSlice(*file, MutableArrayRef(b).take_front(size), second + at);
    if (!right)
      return makeError(llvm::toString(right.takeError()));
    size_t both = std::min(*left, *right);
    if (both == 0)
      return makeError("the file is shorter than what was written to it");
    if (std::memcmp(a.data(), b.data(), both) != 0)
      return false;
    at += both;
  }
  return true;
}

llvm::Expected<plan::v1::Segment> WeightsFile::append(WeightReader &reader) {
  ArrayRef<int64_t> shape = reader.getShape();
  int64_t width = reader.getElementBytes();
  uint64_t bytes = width;
  for (int64_t extent : shape)
    bytes *= extent;
  uint64_t begin = llvm::alignTo(end, bytes >= largeShard ? page : cacheLine);
  if (stream->tell() != end)
    stream->seek(end); // over a shard that was not needed
  stream->write_zeros(begin - end);

  Sampler sampler;
  if (bytes > 0) {
    int64_t limit = std::clamp<int64_t>(bytes / 16, 4 << 20, 64 << 20) / width;
    forEachPiece(shape, limit, [&](const WeightBox &box) {
      WeightView view = makeDense(reader.get(box), box.sizes, width, piece);
      ArrayRef<char> whole(view.data, box.getNumElements() * width);
      sampler.add(whole);
      stream->write(whole.data(), whole.size());
    });
  }
  plan::v1::Segment segment;
  segment.set_file(relative);
  segment.set_offset(begin);
  segment.set_bytes(bytes);
  SmallVectorImpl<plan::v1::Segment> &candidates = written[{bytes, sampler.getHash()}];
  if (!candidates.empty())
    stream->flush();
  if (stream->has_error())
    return segment; // finish() tells
  for (const plan::v1::Segment &candidate : candidates) {
    llvm::Expected<bool> equal = isEqual(candidate.offset(), begin, bytes);
    if (!equal)
      return equal.takeError();
    if (*equal)
      return candidate;
  }
  end = begin + bytes;
  candidates.push_back(segment);
  return segment;
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
    llvm::Expected<std::unique_ptr<WeightReader>> reader = evaluator.open(name, coordinates);
    if (!reader)
      return reader.takeError();
    llvm::Expected<plan::v1::Segment> segment = append(**reader);
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
    stream->seek(0);
    stream->write_zeros(page);
    end = page;
  }
  stream->close();
  if (stream->has_error()) {
    std::string message = stream->error().message();
    stream->clear_error();
    return makeError(message);
  }
  std::error_code code;
  std::filesystem::resize_file(path, end, code); // behind it may be a shard that was not needed
  return code ? makeError(code.message()) : llvm::Error::success();
}
