//===- DataTypes.cpp - element types of a plan's values -------------------===//

#include "DataTypes.h"

#include "dougong-c/program.h"

#include <array>

namespace dougong::package {
namespace {

struct Entry {
  const char *name = nullptr;
  int bits = 0;
};

/// Indexed by onnx.TensorProto.DataType of ONNX 1.22.
constexpr std::array<Entry, 27> table = {{
    {}, // UNDEFINED
    {"f32", 32},  {"u8", 8},       {"i8", 8},         {"u16", 16},       {"i16", 16},
    {"i32", 32},  {"i64", 64},     {"string", 0},     {"bool", 8},       {"f16", 16},
    {"f64", 64},  {"u32", 32},     {"u64", 64},       {"complex64", 64}, {"complex128", 128},
    {"bf16", 16}, {"f8E4M3FN", 8}, {"f8E4M3FNUZ", 8}, {"f8E5M2", 8},     {"f8E5M2FNUZ", 8},
    {"u4", 4},    {"i4", 4},       {"f4E2M1", 4},     {"f8E8M0", 8},     {"u2", 2},
    {"i2", 2},
}};

Entry entry(std::int32_t dtype) {
  // Of the program ABI alone: what they hold is memory of the host.
  if (dtype == DOUGONG_SEQUENCE)
    return {"sequence", 0};
  if (dtype == DOUGONG_OPTIONAL)
    return {"optional", 0};
  return dtype > 0 && dtype < static_cast<std::int32_t>(table.size())
             ? table[static_cast<std::size_t>(dtype)]
             : Entry();
}

} // namespace

std::string dataTypeName(std::int32_t dtype) {
  const char *name = entry(dtype).name;
  return name ? name : "type " + std::to_string(dtype);
}

int dataTypeBits(std::int32_t dtype) { return entry(dtype).bits; }

bool isDataType(std::int32_t dtype) { return entry(dtype).name != nullptr; }

} // namespace dougong::package
