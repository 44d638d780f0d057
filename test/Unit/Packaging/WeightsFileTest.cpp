//===- WeightsFileTest.cpp - shards in a package's weights file -----------===//
#include "dougong/Packaging/WeightsFile.h"

#include "TestWeights.h"

#include "gtest/gtest.h"

#include <numeric>

using namespace dougong;
using namespace dougong::test;

namespace {

std::vector<char> readFile(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// What a file of the weights `names` holds, and where.
struct Written {
  std::vector<plan::v1::Weight> weights;
  std::vector<char> bytes;

  std::vector<float> getShard(size_t weight, int shard) const {
    const plan::v1::Segment &segment = weights[weight].shards(shard);
    std::vector<float> result(segment.bytes() / 4);
    std::memcpy(result.data(), bytes.data() + segment.offset(), segment.bytes());
    return result;
  }
};

Written writeAll(TestModule &module, const TestFile &file, const std::vector<const char *> &names,
                 int64_t ranks = 1) {
  std::filesystem::path path = file.folder / "out.bin";
  auto out = WeightsFile::create(path.string(), "weights/out.bin");
  EXPECT_TRUE(bool(out));
  plan::v1::Mesh mesh;
  plan::v1::Axis *axis = mesh.add_axes();
  axis->set_name("tp");
  axis->set_size(ranks);
  Written result;
  for (const char *name : names) {
    auto weight = (*out)->add(module.evaluator, name, mesh);
    EXPECT_TRUE(bool(weight)) << llvm::toString(weight.takeError());
    result.weights.push_back(*weight);
  }
  llvm::Error error = (*out)->finish();
  EXPECT_FALSE(bool(error));
  result.bytes = readFile(path);
  return result;
}

TEST(WeightsFile, EqualShardsAreStoredOnce) {
  TestFile file;
  std::vector<float> values(8 * 8);
  std::iota(values.begin(), values.end(), 0.0f);
  std::vector<float> others = values;
  others.back() = -1;
  // Tied by name, equal by content, equal but for the last number, of another layout.
  TestModule module("onnx.weight @a : tensor<8x8xf32> = " + file.add(values) +
                        "onnx.weight @copy : tensor<8x8xf32> = " + file.add(values) +
                        "onnx.weight @other : tensor<8x8xf32> = " + file.add(others) +
                        "onnx.weight @flat : tensor<64xf32> = #onnx.derived<[@copy], "
                        "[#onnx.reshape<[64]>]>\n"
                        "onnx.weight @t : tensor<8x8xf32> = #onnx.derived<[@a], "
                        "[#onnx.transpose<[1, 0]>]>\n",
                    file);
  Written written = writeAll(module, file, {"a", "copy", "other", "flat", "t", "a"});
  auto offsetOf = [&](size_t weight) { return written.weights[weight].shards(0).offset(); };
  EXPECT_EQ(offsetOf(1), offsetOf(0));
  EXPECT_EQ(offsetOf(3), offsetOf(0)) << "the same bytes in the same order";
  EXPECT_EQ(offsetOf(5), offsetOf(0));
  EXPECT_NE(offsetOf(2), offsetOf(0));
  EXPECT_NE(offsetOf(4), offsetOf(0));
  EXPECT_EQ(written.bytes.size(), 3u * 256u) << "three layouts, nothing behind them";
  EXPECT_EQ(written.getShard(1, 0), values);
  EXPECT_EQ(written.getShard(2, 0), others);
  EXPECT_EQ(written.getShard(4, 0)[1], 8.0f);
}

TEST(WeightsFile, TheSameWeightsGiveTheSameBytes) {
  TestFile file;
  std::vector<float> values(100 * 70);
  std::iota(values.begin(), values.end(), 0.0f);
  TestModule module("onnx.weight @a : tensor<100x70xf32> = " + file.add(values) +
                        "onnx.weight @s : tensor<50x70xf32> = #onnx.derived<[@a], "
                        "[#onnx.slice<0, [\"tp\"], 2, 1>]>\n",
                    file);
  Written first = writeAll(module, file, {"a", "s", "a"}, 2);
  Written second = writeAll(module, file, {"a", "s", "a"}, 2);
  EXPECT_EQ(first.bytes, second.bytes);
  ASSERT_EQ(first.weights[1].shards_size(), 2);
  std::vector<float> low(values.begin(), values.begin() + 3500);
  std::vector<float> high(values.begin() + 3500, values.end());
  EXPECT_EQ(first.getShard(1, 0), low);
  EXPECT_EQ(first.getShard(1, 1), high);
}

/// Longer than a piece: 4 MiB, in both directions.
TEST(WeightsFile, LongShardsAreWrittenInPieces) {
  TestFile file;
  constexpr int64_t rows = 3000, columns = 1000;
  std::vector<float> values(rows * columns);
  std::iota(values.begin(), values.end(), 0.0f);
  TestModule module("onnx.weight @a : tensor<3000x1000xf32> = " + file.add(values) +
                        "onnx.weight @t : tensor<1000x3000xf32> = #onnx.derived<[@a], "
                        "[#onnx.transpose<[1, 0]>]>\n"
                        "onnx.weight @p : tensor<16x3000x64xf32> = #onnx.derived<[@a], "
                        "[#onnx.pack<64>]>\n",
                    file);
  Written written = writeAll(module, file, {"a", "t", "p"});
  EXPECT_EQ(written.getShard(0, 0), values);
  std::vector<float> transposed = written.getShard(1, 0), packed = written.getShard(2, 0);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      float expected = row * columns + column;
      ASSERT_EQ(transposed[column * rows + row], expected);
      ASSERT_EQ(packed[(column / 64 * rows + row) * 64 + column % 64], expected);
    }
  EXPECT_EQ(packed.back(), 0.0f);
}

TEST(WeightsFile, AnEmptyFileHoldsAPage) {
  TestFile file;
  TestModule module("onnx.weight @none : tensor<0x4xf32> = #onnx.external<\"weights.bin\", "
                    "offset = 0, length = 0>\n",
                    file);
  Written written = writeAll(module, file, {"none"});
  EXPECT_EQ(written.bytes, std::vector<char>(4096, 0));
  EXPECT_EQ(written.weights[0].shards(0).bytes(), 0u);
}

} // namespace
