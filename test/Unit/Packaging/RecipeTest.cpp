//===- RecipeTest.cpp - weights made in pieces, against whole ones --------===//
//
// Random recipes, read in random boxes, and the same steps on whole tensors by
// index arithmetic, element by element.
//
//===----------------------------------------------------------------------===//
#include "dougong/Packaging/Recipe.h"

#include "TestWeights.h"

#include "gtest/gtest.h"

#include <functional>
#include <random>

using namespace dougong;
using namespace dougong::test;

namespace {

using Shape = std::vector<int64_t>;

/// A whole tensor of small integers, which are exact in every type.
struct Tensor {
  Shape shape;
  std::vector<float> elements;

  int64_t position(const Shape &index) const {
    int64_t result = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      result = result * shape[dim] + index[dim];
    return result;
  }
};

int64_t product(const Shape &shape) {
  int64_t result = 1;
  for (int64_t extent : shape)
    result *= extent;
  return result;
}

/// The tensor of `shape` whose element at `index` is `element(index)`.
Tensor generate(const Shape &shape, const std::function<float(const Shape &)> &element) {
  Tensor result{shape, {}};
  Shape index(shape.size(), 0);
  for (int64_t n = 0; n < product(shape); ++n) {
    int64_t rest = n;
    for (size_t dim = shape.size(); dim-- > 0; rest /= shape[dim])
      index[dim] = rest % shape[dim];
    result.elements.push_back(element(index));
  }
  return result;
}

std::string typeOf(const Shape &shape, const char *element = "f32") {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

std::string listOf(const Shape &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

class Random {
public:
  explicit Random(unsigned seed) : engine(seed) {}
  int64_t below(int64_t bound) { return int64_t(engine() % uint64_t(bound)); }
  Shape shape(size_t rank) {
    Shape result;
    for (size_t dim = 0; dim < rank; ++dim)
      result.push_back(1 + below(6));
    return result;
  }
  /// Extents with the given product.
  Shape factors(int64_t count) {
    Shape result;
    if (count == 1)
      return {1};
    while (count > 1) {
      int64_t factor = 2 + below(count - 1);
      while (count % factor != 0)
        ++factor;
      result.push_back(factor);
      count /= factor;
      if (below(4) == 0)
        result.push_back(1);
    }
    return result;
  }

private:
  std::mt19937 engine;
};

/// A recipe in text, and the tensor that it gives.
struct Case {
  std::string sources = "@w0", steps;
  Tensor tensor;
  std::string weights; ///< the declarations of the sources
  unsigned count = 1;
};

void addStep(Case &c, const std::string &step, Tensor tensor) {
  c.steps += (c.steps.empty() ? "" : ", ") + step;
  c.tensor = std::move(tensor);
}

void addTranspose(Case &c, Random &random) {
  Shape permutation, shape;
  for (size_t dim = 0; dim < c.tensor.shape.size(); ++dim)
    permutation.insert(permutation.begin() + random.below(dim + 1), dim);
  for (int64_t dim : permutation)
    shape.push_back(c.tensor.shape[dim]);
  Tensor from = c.tensor;
  addStep(c, "#onnx.transpose<[" + listOf(permutation) + "]>",
          generate(shape, [&](const Shape &index) {
            Shape source(index.size());
            for (size_t dim = 0; dim < index.size(); ++dim)
              source[permutation[dim]] = index[dim];
            return from.elements[from.position(source)];
          }));
}

void addReshape(Case &c, Random &random) {
  Tensor result = c.tensor;
  result.shape = random.factors(product(c.tensor.shape));
  addStep(c, "#onnx.reshape<[" + listOf(result.shape) + "]>", result);
}

void addSlice(Case &c, Random &random, int64_t index) {
  if (c.tensor.shape.empty())
    return;
  int64_t dim = random.below(c.tensor.shape.size()), unit = 1 + random.below(2);
  constexpr int64_t count = 2;
  Tensor from = c.tensor;
  Shape shape = from.shape;
  int64_t blocks = (shape[dim] + unit - 1) / unit;
  shape[dim] = (blocks + count - 1) / count * unit;
  addStep(c, "#onnx.slice<" + std::to_string(dim) + ", [\"tp\"], 2, " + std::to_string(unit) + ">",
          generate(shape, [&](const Shape &at) {
            Shape source = at;
            source[dim] += index * shape[dim];
            return source[dim] < from.shape[dim] ? from.elements[from.position(source)] : 0.0f;
          }));
}

void addPart(Case &c, Random &random) {
  if (c.tensor.shape.empty())
    return;
  Tensor from = c.tensor;
  Shape shape = from.shape;
  int64_t dim = random.below(shape.size()), begin = random.below(shape[dim]);
  shape[dim] = 1 + random.below(shape[dim] - begin);
  addStep(c,
          "#onnx.part<" + std::to_string(dim) + ", " + std::to_string(begin) + ", " +
              std::to_string(shape[dim]) + ">",
          generate(shape, [&](const Shape &at) {
            Shape source = at;
            source[dim] += begin;
            return from.elements[from.position(source)];
          }));
}

void addPack(Case &c, Random &random) {
  size_t rank = c.tensor.shape.size();
  if (rank < 2)
    return;
  int64_t columns = 1 + random.below(4);
  Tensor from = c.tensor;
  Shape shape(from.shape.begin(), from.shape.end() - 2);
  int64_t n = from.shape[rank - 1];
  shape.insert(shape.end(), {(n + columns - 1) / columns, from.shape[rank - 2], columns});
  addStep(c, "#onnx.pack<" + std::to_string(columns) + ">",
          generate(shape, [&](const Shape &index) {
            Shape source(index.begin(), index.end() - 3);
            int64_t column = index[rank - 2] * columns + index[rank];
            source.insert(source.end(), {index[rank - 1], column});
            return column < n ? from.elements[from.position(source)] : 0.0f;
          }));
}

void addBinary(Case &c, Random &random, TestFile &file) {
  Shape shape = c.tensor.shape;
  for (int64_t &extent : shape)
    if (random.below(2))
      extent = 1;
  shape.erase(shape.begin(), shape.begin() + random.below(shape.size() + 1));
  Tensor other = generate(shape, [&](const Shape &) { return float(random.below(7) - 3); });
  unsigned number = c.count++;
  std::string name = "@w" + std::to_string(number);
  c.sources += ", " + name;
  c.weights += "onnx.weight " + name + " : " + typeOf(shape) + " = " + file.add(other.elements);
  bool subtracts = random.below(2), reversed = random.below(2);
  Tensor from = c.tensor;
  size_t missing = from.shape.size() - shape.size();
  addStep(c,
          std::string("#onnx.binary<\"") + (subtracts ? "sub" : "add") + "\", " +
              std::to_string(number) + (reversed ? ", true>" : ">"),
          generate(from.shape, [&](const Shape &index) {
            Shape place;
            for (size_t dim = 0; dim < shape.size(); ++dim)
              place.push_back(shape[dim] == 1 ? 0 : index[missing + dim]);
            float x = from.elements[from.position(index)];
            float y = other.elements[other.position(place)];
            return !subtracts ? x + y : reversed ? y - x : x - y;
          }));
}

void addConcat(Case &c, Random &random, TestFile &file) {
  Tensor from = c.tensor;
  Shape shape = from.shape;
  shape[0] = 1 + random.below(3);
  Tensor other = generate(shape, [&](const Shape &) { return float(random.below(7) - 3); });
  unsigned number = c.count++;
  std::string name = "@w" + std::to_string(number);
  c.sources += ", " + name;
  c.weights += "onnx.weight " + name + " : " + typeOf(shape) + " = " + file.add(other.elements);
  bool reversed = random.below(2);
  const Tensor &first = reversed ? other : from, &second = reversed ? from : other;
  shape[0] += from.shape[0];
  addStep(c, "#onnx.binary<\"concat\", " + std::to_string(number) + (reversed ? ", true>" : ">"),
          generate(shape, [&](const Shape &index) {
            Shape place = index;
            if (index[0] < first.shape[0])
              return first.elements[first.position(place)];
            place[0] -= first.shape[0];
            return second.elements[second.position(place)];
          }));
}

TEST(Recipe, PiecesOfRandomRecipesAreThoseOfWholeTensors) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Random random(seed);
    TestFile file;
    Case c;
    c.tensor = generate(random.shape(1 + random.below(4)),
                        [&](const Shape &) { return float(random.below(100)); });
    c.weights = "onnx.weight @w0 : " + typeOf(c.tensor.shape) + " = " + file.add(c.tensor.elements);
    int64_t index = random.below(2);
    for (int64_t steps = 1 + random.below(6); steps > 0; --steps)
      switch (random.below(8)) {
      case 0:
        addTranspose(c, random);
        break;
      case 1:
      case 2:
        addReshape(c, random);
        break;
      case 3:
        addSlice(c, random, index);
        break;
      case 4:
        addPack(c, random);
        break;
      case 6:
        addPart(c, random);
        break;
      case 5:
        addConcat(c, random, file);
        break;
      default:
        addBinary(c, random, file);
        break;
      }
    if (c.steps.empty())
      continue;
    std::string text = c.weights + "onnx.weight @result : " + typeOf(c.tensor.shape) +
                       " = #onnx.derived<[" + c.sources + "], [" + c.steps + "]>\n";
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    TestModule module(text, file);
    AxisCoordinates coordinates;
    coordinates["tp"] = {index, 2};
    auto reader = module.evaluator.open("result", coordinates);
    ASSERT_TRUE(bool(reader)) << llvm::toString(reader.takeError());
    ASSERT_EQ((*reader)->getShape(), llvm::ArrayRef<int64_t>(c.tensor.shape));
    for (unsigned box = 0; box < 8; ++box) {
      WeightBox wanted;
      for (int64_t extent : c.tensor.shape) {
        int64_t offset = box == 0 ? 0 : random.below(extent);
        wanted.offsets.push_back(offset);
        wanted.sizes.push_back(box == 0 ? extent : 1 + random.below(extent - offset));
      }
      WeightView view = (*reader)->get(wanted);
      Shape sizes(wanted.sizes.begin(), wanted.sizes.end());
      Tensor got = generate(sizes, [&](const Shape &at) {
        int64_t place = 0;
        for (size_t dim = 0; dim < at.size(); ++dim)
          place += at[dim] * view.strides[dim];
        float value;
        std::memcpy(&value, view.data + place * 4, 4);
        return value;
      });
      Tensor expected = generate(sizes, [&](const Shape &at) {
        Shape place = at;
        for (size_t dim = 0; dim < at.size(); ++dim)
          place[dim] += wanted.offsets[dim];
        return c.tensor.elements[c.tensor.position(place)];
      });
      ASSERT_EQ(got.elements, expected.elements) << "box " << box;
    }
  }
}

/// All elements of a weight, dense.
template <typename T> std::vector<T> readAll(TestModule &module, const char *name) {
  auto reader = module.evaluator.open(name, {});
  EXPECT_TRUE(bool(reader)) << llvm::toString(reader.takeError());
  llvm::ArrayRef<int64_t> shape = (*reader)->getShape();
  WeightBox box{llvm::SmallVector<int64_t>(shape.size(), 0), llvm::SmallVector<int64_t>(shape)};
  WeightView view = (*reader)->get(box);
  std::vector<T> result(box.getNumElements());
  std::memcpy(result.data(), view.data, result.size() * sizeof(T));
  return result;
}

TEST(Recipe, CastsSaturateAndTruncate) {
  TestFile file;
  std::string source = file.add({-300.5f, -1.75f, 0.0f, 2.5f, 127.9f, 1e9f});
  TestModule module("onnx.weight @w : tensor<6xf32> = " + source +
                        "onnx.weight @i8 : tensor<6xi8> = #onnx.derived<[@w], [#onnx.cast<i8>]>\n"
                        "onnx.weight @u8 : tensor<6xui8> = #onnx.derived<[@w], [#onnx.cast<ui8>]>\n"
                        "onnx.weight @b : tensor<6xi1> = #onnx.derived<[@w], [#onnx.cast<i1>]>\n",
                    file);
  EXPECT_EQ(readAll<int8_t>(module, "i8"), (std::vector<int8_t>{-128, -1, 0, 2, 127, 127}));
  EXPECT_EQ(readAll<uint8_t>(module, "u8"), (std::vector<uint8_t>{0, 0, 0, 2, 127, 255}));
  EXPECT_EQ(readAll<uint8_t>(module, "b"), (std::vector<uint8_t>{1, 1, 0, 1, 1, 1}));
}

TEST(Recipe, NarrowNumbersLieLowBitsFirst) {
  TestFile file;
  // 0x21 0xf8: 1, 2, 8, 15 in four bits; as signed ones 1, 2, -8, -1.
  std::string source = file.addBytes({0x21, char(0xf8)});
  TestModule module("onnx.weight @u : tensor<4xui4> = " + source +
                        "onnx.weight @s : tensor<4xi4> = " + source +
                        "onnx.weight @two : tensor<8xui2> = " + source +
                        "onnx.weight @f : tensor<2x2xf32> = #onnx.derived<[@s], "
                        "[#onnx.cast<f32>, #onnx.reshape<[2, 2]>, #onnx.transpose<[1, 0]>]>\n",
                    file);
  EXPECT_EQ(readAll<uint8_t>(module, "u"), (std::vector<uint8_t>{1, 2, 8, 15}));
  EXPECT_EQ(readAll<int8_t>(module, "s"), (std::vector<int8_t>{1, 2, -8, -1}));
  EXPECT_EQ(readAll<uint8_t>(module, "two"), (std::vector<uint8_t>{1, 0, 2, 0, 0, 2, 3, 3}));
  auto reader = module.evaluator.open("f", {});
  ASSERT_TRUE(bool(reader));
  WeightView view = (*reader)->get({{1, 0}, {1, 2}});
  float value;
  std::memcpy(&value, view.data + 4 * view.strides[1], 4);
  EXPECT_EQ(value, -1.0f);
}

std::string errorOf(const std::string &weights, const char *name, TestFile &file) {
  TestModule module(weights, file);
  auto reader = module.evaluator.open(name, {});
  EXPECT_FALSE(bool(reader));
  return reader ? "" : llvm::toString(reader.takeError());
}

TEST(Recipe, ErrorsNameTheWeight) {
  TestFile file;
  std::string w = "onnx.weight @w : tensor<4xf32> = " + file.add({1, 2, 3, 4});
  EXPECT_EQ(errorOf(w, "v", file), "weight 'v' is not declared in the module");
  EXPECT_EQ(errorOf(w + "onnx.weight @v : tensor<3xf32> = #onnx.derived<[@w], "
                        "[#onnx.reshape<[3]>]>\n",
                    "v", file),
            "weight 'v': cannot give 4 elements a shape of 3");
  EXPECT_EQ(errorOf(w + "onnx.weight @v : tensor<4xf32> = #onnx.derived<[@w], [#onnx.cast<f64>]>\n",
                    "v", file),
            "weight 'v': the recipe does not give the declared type");
  EXPECT_EQ(errorOf(w + "onnx.weight @v : tensor<4xf32> = #onnx.derived<[@w, @w], "
                        "[#onnx.binary<\"pow\", 1>]>\n",
                    "v", file),
            "weight 'v': unknown arithmetic 'pow': expected add, sub, mul, div or concat");
  EXPECT_NE(errorOf("onnx.weight @v : tensor<4xf32> = #onnx.external<\"none.bin\", offset = 0, "
                    "length = 16>\n",
                    "v", file)
                .find("none.bin': No such file or directory"),
            std::string::npos);
  EXPECT_NE(errorOf("onnx.weight @v : tensor<9xf32> = #onnx.external<\"weights.bin\", offset = 0, "
                    "length = 36>\n",
                    "v", file)
                .find("weight 'v': bytes 0 to 36 lie beyond the end of"),
            std::string::npos);
}

} // namespace
