//===- Library.cpp - the table of operator functions ----------------------===//
#include "dougong/Runtime/Library.h"

#include "dougong/Runtime/ElementType.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <mutex>

using namespace dougong;

namespace {
struct Table {
  std::mutex mutex;
  std::map<std::string, LibraryFunction, std::less<>> functions;
};
} // namespace

/// A function-local static: entries register before main, in any order.
static Table &table() {
  static Table instance;
  return instance;
}

void dougong::registerLibraryFunction(const char *name, LibraryFunction function) {
  std::lock_guard lock(table().mutex);
  table().functions[name] = function;
}

LibraryFunction dougong::findLibraryFunction(std::string_view name) {
  std::lock_guard lock(table().mutex);
  auto found = table().functions.find(name);
  return found == table().functions.end() ? nullptr : found->second;
}

std::vector<std::string> dougong::libraryFunctionNames() {
  std::lock_guard lock(table().mutex);
  std::vector<std::string> names;
  for (const auto &[name, function] : table().functions)
    names.push_back(name);
  return names;
}

Result<void *> LibraryCall::makeOutput(std::size_t index,
                                       std::span<const std::int64_t> dims) const {
  dougong_tensor &tensor = tensors[index];
  if (!isPresent(tensor))
    return static_cast<void *>(nullptr);
  if (tensor.data || tensor.dims) {
    if (std::ranges::equal(dimsOf(tensor), dims))
      return tensor.data;
    return Error{"output " + std::to_string(index) + " has dims " + printDims(dims) +
                 ", the model says " + printDims(dimsOf(tensor))};
  }
  Result<std::size_t> bytes = bufferBytes(tensor.dtype, dims);
  if (!bytes)
    return bytes.takeError();
  std::size_t dimsBytes = (dims.size_bytes() + 63) / 64 * 64;
  Result<void *> memory = allocate(dimsBytes + *bytes);
  if (!memory)
    return memory;
  if (!dims.empty())
    std::memcpy(*memory, dims.data(), dims.size_bytes());
  tensor.dims = static_cast<const std::int64_t *>(*memory);
  tensor.rank = static_cast<std::int32_t>(dims.size());
  tensor.data = static_cast<std::byte *>(*memory) + dimsBytes;
  return tensor.data;
}

std::int64_t AttributeReader::integer() {
  if (rest.empty())
    return 0;
  std::int64_t value = rest.front();
  rest = rest.subspan(1);
  return value;
}

double AttributeReader::real() { return std::bit_cast<double>(integer()); }

std::vector<std::int64_t> AttributeReader::integers() {
  std::size_t count = std::min<std::size_t>(std::max<std::int64_t>(integer(), 0), rest.size());
  std::vector<std::int64_t> values(rest.begin(), rest.begin() + count);
  rest = rest.subspan(count);
  return values;
}

std::string AttributeReader::text() {
  std::string result;
  for (std::int64_t byte : integers())
    result.push_back(static_cast<char>(byte));
  return result;
}

std::vector<double> AttributeReader::reals() {
  std::vector<double> values;
  for (std::int64_t bits : integers())
    values.push_back(std::bit_cast<double>(bits));
  return values;
}

std::vector<std::string> AttributeReader::texts() {
  std::vector<std::string> values;
  for (std::int64_t count = integer(); count > 0 && !rest.empty(); --count)
    values.push_back(text());
  return values;
}

dougong_string StringStore::keep(std::string_view text) {
  const std::string &kept = texts.emplace_back(text);
  return {kept.data(), static_cast<std::int64_t>(kept.size())};
}
