//===- ReshardTest.cpp - from one random sharding to another --------------===//
//
// The partitioner's communication, carried out on numbers, leaves on every rank
// what a direct cut of the whole tensor gives. Both are written here, from the
// definitions in the dist dialect.
//
//===----------------------------------------------------------------------===//
#include "dougong/Dist/Passes.h"

#include "Dist/IR/Dist.h"
#include "Onnx/IR/Onnx.h"
#include "dougong/Onnx/Sharding.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace mlir;
using namespace dougong;

namespace {

using Shape = std::vector<int64_t>;

struct Tensor {
  Shape shape;
  std::vector<float> elements;

  explicit Tensor(Shape shape) : shape(std::move(shape)) {
    int64_t count = 1;
    for (int64_t extent : this->shape)
      count *= extent;
    elements.resize(count);
  }
  /// Nothing outside.
  float *at(const Shape &index) {
    int64_t place = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      if (index[dim] < 0 || index[dim] >= shape[dim])
        return nullptr;
      place = place * shape[dim] + index[dim];
    }
    return &elements[place];
  }
  template <typename Function> void forEach(Function function) {
    Shape index(shape.size());
    for (size_t place = 0; place < elements.size(); ++place) {
      size_t rest = place;
      for (size_t dim = shape.size(); dim-- > 0;) {
        index[dim] = rest % shape[dim];
        rest /= shape[dim];
      }
      function(index, elements[place]);
    }
  }
};

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t localExtent(int64_t extent, int64_t unit, int64_t count) {
  // One part is the whole, which is not filled up to units.
  if (count == 1)
    return extent;
  return unit * divideUp(divideUp(extent, unit), count);
}

/// `source` moved by `shift` along `dim`, with `extent` elements of it; zeros
/// where there is nothing.
Tensor window(Tensor &source, int64_t dim, int64_t shift, int64_t extent) {
  Shape shape = source.shape;
  shape[dim] = extent;
  Tensor result(shape);
  result.forEach([&](Shape index, float &value) {
    index[dim] += shift;
    if (float *found = source.at(index))
      value = *found;
  });
  return result;
}

struct Axis {
  std::string name;
  int64_t size;
};

struct Cut {
  std::vector<unsigned> axes;
  int64_t unit = 1;
};

class Mesh {
public:
  explicit Mesh(std::vector<Axis> axes) : axes(std::move(axes)) {}

  int64_t ranks() const {
    int64_t count = 1;
    for (const Axis &axis : axes)
      count *= axis.size;
    return count;
  }
  int64_t count(const std::vector<unsigned> &which) const {
    int64_t count = 1;
    for (unsigned axis : which)
      count *= axes[axis].size;
    return count;
  }
  int64_t coordinate(int64_t rank, unsigned axis) const {
    for (size_t later = axes.size(); --later > axis;)
      rank /= axes[later].size;
    return rank % axes[axis].size;
  }
  int64_t number(int64_t rank, const std::vector<unsigned> &which) const {
    int64_t number = 0;
    for (unsigned axis : which)
      number = number * axes[axis].size + coordinate(rank, axis);
    return number;
  }
  /// Ranks that differ from `rank` on these axes only, in order.
  std::vector<int64_t> group(int64_t rank, const std::vector<unsigned> &which) const {
    std::map<int64_t, int64_t> members;
    for (int64_t other = 0; other < ranks(); ++other) {
      bool same = true;
      for (unsigned axis = 0; axis < axes.size(); ++axis)
        same &=
            llvm::is_contained(which, axis) || coordinate(rank, axis) == coordinate(other, axis);
      if (same)
        members[number(other, which)] = other;
    }
    std::vector<int64_t> list;
    for (auto [number, member] : members)
      list.push_back(member);
    return list;
  }
  std::vector<unsigned> find(ArrayAttr names) const {
    std::vector<unsigned> found;
    for (StringRef name : names.getAsValueRange<StringAttr>())
      for (unsigned axis = 0; axis < axes.size(); ++axis)
        if (axes[axis].name == name)
          found.push_back(axis);
    return found;
  }
  std::string print(const std::vector<Cut> &cuts, const std::vector<unsigned> &partial = {}) const {
    std::string text = "#dist.sharding<@m, [";
    for (size_t dim = 0; dim < cuts.size(); ++dim) {
      text += dim ? ", {" : "{";
      for (size_t index = 0; index < cuts[dim].axes.size(); ++index)
        text += (index ? ", \"" : "\"") + axes[cuts[dim].axes[index]].name + "\"";
      if (!cuts[dim].axes.empty() && cuts[dim].unit > 1)
        text += " : unit " + std::to_string(cuts[dim].unit);
      text += "}";
    }
    text += "]";
    for (size_t index = 0; index < partial.size(); ++index)
      text += (index ? ", \"" : ", partial [\"") + axes[partial[index]].name + "\" sum";
    return text + (partial.empty() ? ">" : "]>");
  }

  std::vector<Axis> axes;
};

/// A rank's part of the whole tensor.
Tensor cut(Tensor whole, const std::vector<Cut> &cuts, const Mesh &mesh, int64_t rank) {
  for (size_t dim = 0; dim < cuts.size(); ++dim)
    if (!cuts[dim].axes.empty()) {
      int64_t local = localExtent(whole.shape[dim], cuts[dim].unit, mesh.count(cuts[dim].axes));
      whole = window(whole, dim, mesh.number(rank, cuts[dim].axes) * local, local);
    }
  return whole;
}

Shape shapeOf(Value value) {
  auto shape = cast<RankedTensorType>(value.getType()).getShape();
  return Shape(shape.begin(), shape.end());
}

/// Parts of `dim` put side by side, cut off at the extent of the result.
Tensor join(std::vector<Tensor> &parts, int64_t dim, const Shape &shape) {
  Tensor result(shape);
  result.forEach([&](Shape index, float &value) {
    int64_t local = parts.front().shape[dim], part = index[dim] / local;
    index[dim] %= local;
    value = *parts[part].at(index);
  });
  return result;
}

Tensor addUp(const std::vector<Tensor> &values, const std::vector<int64_t> &ranks) {
  Tensor sum(values[ranks.front()].shape);
  for (int64_t rank : ranks)
    for (size_t place = 0; place < sum.elements.size(); ++place)
      sum.elements[place] += values[rank].elements[place];
  return sum;
}

/// All ranks' values after one operator.
std::vector<Tensor> step(Operation *op, std::vector<Tensor> &before, const Mesh &mesh) {
  std::vector<Tensor> after;
  Shape shape = shapeOf(op->getResult(0));
  for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
    if (auto gather = dyn_cast<dist::AllGatherOp>(op)) {
      std::vector<Tensor> parts;
      for (int64_t peer : mesh.group(rank, mesh.find(gather.getAxes())))
        parts.push_back(before[peer]);
      after.push_back(join(parts, gather.getDim(), shape));
    } else if (auto slice = dyn_cast<dist::SliceOp>(op)) {
      int64_t local = shape[slice.getDim()];
      after.push_back(window(before[rank], slice.getDim(),
                             mesh.number(rank, mesh.find(slice.getAxes())) * local, local));
    } else if (auto exchange = dyn_cast<dist::AllToAllOp>(op)) {
      std::vector<unsigned> axes = mesh.find(exchange.getAxes());
      int64_t split = exchange.getSplit(), local = shape[split];
      std::vector<Tensor> parts;
      for (int64_t peer : mesh.group(rank, axes))
        parts.push_back(window(before[peer], split, mesh.number(rank, axes) * local, local));
      after.push_back(join(parts, exchange.getConcat(), shape));
    } else if (auto permute = dyn_cast<dist::PermuteOp>(op)) {
      std::vector<unsigned> axes = mesh.find(permute.getAxes());
      after.push_back(
          before[mesh.group(rank, mesh.find(permute.getFrom()))[mesh.number(rank, axes)]]);
    } else if (auto reduce = dyn_cast<dist::AllReduceOp>(op)) {
      after.push_back(addUp(before, mesh.group(rank, mesh.find(reduce.getAxes()))));
    } else if (auto scatter = dyn_cast<dist::ReduceScatterOp>(op)) {
      std::vector<unsigned> axes = mesh.find(scatter.getAxes());
      Tensor sum = addUp(before, mesh.group(rank, axes));
      int64_t local = shape[scatter.getDim()];
      after.push_back(window(sum, scatter.getDim(), mesh.number(rank, axes) * local, local));
    } else {
      ADD_FAILURE() << "unexpected operator " << op->getName().getStringRef().str();
      after.push_back(before[rank]);
    }
  }
  return after;
}

class Random {
public:
  explicit Random(unsigned seed) : engine(seed) {}
  int64_t below(int64_t bound) { return engine() % bound; }

  /// Up to 8 ranks on 2 or 3 axes.
  Mesh mesh() {
    std::vector<Axis> axes;
    int64_t ranks = 1, count = 2 + below(2);
    for (int64_t axis = 0; axis < count; ++axis) {
      int64_t size = 1 + below(std::min<int64_t>(8 / ranks, 4));
      ranks *= size;
      axes.push_back({std::string(1, 'a' + axis), size});
    }
    return Mesh(axes);
  }
  std::vector<Cut> cuts(size_t rank, const Mesh &mesh) {
    std::vector<Cut> cuts(rank);
    for (unsigned axis : order(mesh.axes.size()))
      if (below(3)) // one axis in three cuts nothing
        cuts[below(rank)].axes.push_back(axis);
    for (Cut &cut : cuts)
      cut.unit = cut.axes.empty() || below(2) ? 1 : 1 + below(3);
    return cuts;
  }

  /// Some of the axes that cut nothing.
  std::vector<unsigned> partial(const std::vector<Cut> &cuts, const Mesh &mesh) {
    std::vector<unsigned> axes;
    for (unsigned axis = 0; axis < mesh.axes.size(); ++axis)
      if (llvm::none_of(cuts, [&](const Cut &cut) { return llvm::is_contained(cut.axes, axis); }) &&
          below(2))
        axes.push_back(axis);
    return axes;
  }

private:
  std::vector<unsigned> order(size_t count) {
    std::vector<unsigned> order(count);
    for (unsigned index = 0; index < count; ++index) {
      order[index] = index;
      std::swap(order[index], order[below(index + 1)]);
    }
    return order;
  }
  std::mt19937 engine;
};

} // namespace

TEST(Reshard, MovesEveryElementToItsRank) {
  DialectRegistry registry;
  registry.insert<onnx::OnnxDialect, dist::DistDialect, func::FuncDialect>();
  onnx::registerShardingModels(registry);
  MLIRContext context(registry);
  unsigned moved = 0;
  for (unsigned seed = 0; seed < 600; ++seed) {
    Random random(seed);
    Mesh mesh = random.mesh();
    Shape shape(1 + random.below(3));
    std::string type = "tensor<";
    for (int64_t &extent : shape)
      type += std::to_string(extent = 1 + random.below(13)) + "x";
    type += "f32>";
    std::vector<Cut> from = random.cuts(shape.size(), mesh), to = random.cuts(shape.size(), mesh);
    std::vector<unsigned> partial = random.partial(from, mesh);
    std::string axes;
    for (const Axis &axis : mesh.axes)
      axes += (axes.empty() ? "\"" : ", \"") + axis.name + "\" = " + std::to_string(axis.size);
    // The first op makes a value that each rank has a term of.
    int64_t terms = mesh.count(partial);
    std::vector<Cut> termCuts = from;
    termCuts.insert(termCuts.begin(), Cut{partial, 1});
    std::string termsType = "tensor<" + std::to_string(terms) + "x" + type.substr(7);
    std::string text =
        "dist.mesh @m <" + axes + ">\ndist.stage @s on @m\nfunc.func @main(%x: " + termsType +
        " {onnx.name = \"x\"}) -> (" + type + " {onnx.name = \"y\"}) {\n" +
        "%zero = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>\n" +
        "%0 = onnx.ReduceSum(%x, %zero) {keepdims = 0 : i64, noop_with_empty_axes = 0 : i64, " +
        "dist.in = [" + mesh.print(termCuts) + ", #dist.sharding<@m, [{}]>], dist.out = [" +
        mesh.print(from, partial) + "]} : (" + termsType + ", tensor<1xi64>) -> " + type + "\n" +
        "%1 = onnx.Relu(%0) {dist.in = [" + mesh.print(to) + "], dist.out = [" + mesh.print(to) +
        "]} : (" + type + ") -> " + type + "\nreturn %1 : " + type + "\n}\n";
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    PassManager manager(&context);
    manager.addPass(dist::createPartitionPass());
    ASSERT_TRUE(succeeded(manager.run(*module)));

    std::vector<Tensor> parts(mesh.ranks(), Tensor(Shape{}));
    Tensor sum(shape);
    float next = 1;
    for (int64_t term = 0; term < terms; ++term) {
      Tensor whole(shape);
      whole.forEach([&](const Shape &, float &value) { value = next++; });
      for (size_t place = 0; place < sum.elements.size(); ++place)
        sum.elements[place] += whole.elements[place];
      for (int64_t rank = 0; rank < mesh.ranks(); ++rank)
        if (mesh.number(rank, partial) == term)
          parts[rank] = cut(whole, from, mesh, rank);
    }
    for (Operation &local : module->lookupSymbol<func::FuncOp>("main").front()) {
      if (!isa<dist::DistDialect>(local.getDialect()))
        continue;
      parts = step(&local, parts, mesh);
      ++moved;
    }
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      Tensor expected = cut(sum, to, mesh, rank);
      ASSERT_EQ(parts[rank].shape, expected.shape) << "rank " << rank;
      ASSERT_EQ(parts[rank].elements, expected.elements) << "rank " << rank;
    }
  }
  EXPECT_GT(moved, 500u);
}
