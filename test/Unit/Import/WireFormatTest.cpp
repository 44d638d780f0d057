//===- WireFormatTest.cpp - a model's bytes without its weights -----------===//
//
// Messages are written by hand from the field numbers of onnx.proto: a model's
// graph is field 7, a graph's initializer 5, a tensor's raw_data 9, data_type 2,
// name 8, external_data 13 and data_location 14.
//
//===----------------------------------------------------------------------===//
#include "../../../lib/Import/WireFormat.h"
#include "../../../lib/Import/Error.h"
#include "dougong/Import/ElementTypes.h"

#include <gtest/gtest.h>

using namespace dougong::importer;

namespace {

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7)
    bytes.push_back(char(value | 0x80));
  bytes.push_back(char(value));
  return bytes;
}

std::string field(unsigned number, const std::string &payload) {
  return varint(number << 3 | 2) + varint(payload.size()) + payload;
}

std::string field(unsigned number, uint64_t value) { return varint(number << 3) + varint(value); }

std::string makeModel(const std::string &tensor) {
  return field(1, uint64_t(10)) + field(7, field(2, "g") + field(5, tensor) + field(10, "doc"));
}

TEST(WireFormat, LargeRawDataBecomesReference) {
  std::string payload(2000, 'x');
  std::string model = makeModel(field(2, uint64_t(2)) + field(8, "w") + field(9, payload));
  std::string offset = std::to_string(model.find(payload));
  std::string reference = field(13, field(1, "location") + field(2, "m.onnx")) +
                          field(13, field(1, "offset") + field(2, offset)) +
                          field(13, field(1, "length") + field(2, "2000")) + field(14, uint64_t(1));
  EXPECT_EQ(replacePayloads(model, "m.onnx"),
            makeModel(field(2, uint64_t(2)) + field(8, "w") + reference));
}

TEST(WireFormat, PackedFloatsAreRawData) {
  std::string payload(2000, '\0');
  // float_data is field 4, FLOAT is 1, INT32 is 6.
  std::string floats = makeModel(field(2, uint64_t(1)) + field(4, payload));
  EXPECT_EQ(replacePayloads(floats, "m").find(payload), std::string::npos);
  std::string wrong = makeModel(field(2, uint64_t(6)) + field(4, payload));
  EXPECT_EQ(replacePayloads(wrong, "m"), wrong);
}

TEST(WireFormat, OtherPayloadsStay) {
  std::string payload(2000, '\0');
  // Up to 1 KiB; varints (int64_data is 7); strings (data_type 8); two fields.
  for (const std::string &tensor :
       {field(2, uint64_t(2)) + field(9, std::string(1024, 'x')),
        field(2, uint64_t(7)) + field(7, payload), field(2, uint64_t(8)) + field(9, payload),
        field(2, uint64_t(1)) + field(9, payload) + field(4, payload)}) {
    std::string model = makeModel(tensor);
    EXPECT_EQ(replacePayloads(model, "m"), model);
  }
}

TEST(WireFormat, EveryPrefixIsReadOrRefused) {
  std::string model = makeModel(field(2, uint64_t(2)) + field(9, std::string(1100, 'x')));
  for (size_t size = 0; size < model.size(); ++size) {
    // Whole only where a field of the model ends: at the start, and behind field 1.
    bool whole = size == 0 || size == 2;
    if (whole)
      EXPECT_NO_THROW((void)replacePayloads(llvm::StringRef(model).take_front(size), "m"));
    else
      EXPECT_THROW((void)replacePayloads(llvm::StringRef(model).take_front(size), "m"), ImportError)
          << size;
  }
}

TEST(WireFormat, DeepNestingIsRefused) {
  // A graph in an attribute (6) of a node (1; attribute 5), 200 times over.
  std::string graph = field(10, std::string(1100, 'd'));
  for (int depth = 0; depth < 200; ++depth)
    graph = field(1, field(5, field(6, graph)));
  EXPECT_THROW((void)replacePayloads(field(7, graph), "m"), ImportError);
}

TEST(ElementTypes, ByteSizes) {
  // Data types by number: 22 INT4, 26 INT2, 1 FLOAT, 9 BOOL, 15 COMPLEX128.
  EXPECT_EQ(getByteSize(22, {3, 3}), 5);
  EXPECT_EQ(getByteSize(26, {9}), 3);
  EXPECT_EQ(getByteSize(1, {}), 4);
  EXPECT_EQ(getByteSize(9, {7}), 7);
  EXPECT_EQ(getByteSize(15, {2}), 32);
  EXPECT_EQ(getByteSize(1, {0, int64_t(1) << 62, 8}), 0);
  EXPECT_EQ(getByteSize(1, {int64_t(1) << 40, int64_t(1) << 40}), std::nullopt);
  EXPECT_EQ(getByteSize(1, {-1}), std::nullopt);
}

} // namespace
