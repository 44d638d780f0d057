//===- TreeEnsemble.cpp - sums over decision trees ------------------------===//
#include "Numbers.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace dougong;

namespace {

enum Mode { LessEqual, Less, GreaterEqual, Greater, Equal, NotEqual, Member };
enum Aggregate { Average, Sum, Min, Max };
enum Transform { None, Softmax, Logistic, SoftmaxZero, Probit };

/// The trees of a TreeEnsemble, in its attributes' form: nodes by number, a child
/// being a node or a leaf.
struct Trees {
  std::int64_t aggregate, transform;
  std::vector<std::int64_t> roots, features, trueIds, trueLeafs, falseIds, falseLeafs, missing,
      targets;
  std::vector<double> modes, splits, weights;
  std::vector<std::vector<double>> members; ///< by node

  Result<void> read(std::span<const std::int64_t> values);
  /// The leaf that a row of x comes to.
  Result<std::int64_t> find(std::int64_t root, const dougong_tensor &x, std::int64_t row) const;

private:
  bool holds(std::int64_t node, double x) const;
  void assignMembers(std::int64_t node, std::span<const double> &rest);

  std::vector<bool> seen; ///< nodes with their sets assigned
};

std::vector<double> readNumbers(AttributeReader &attributes) {
  attributes.integer(); // numbers, not texts
  return attributes.reals();
}

Result<void> Trees::read(std::span<const std::int64_t> values) {
  AttributeReader attributes(values);
  aggregate = attributes.integer();
  transform = attributes.integer();
  for (auto *list :
       {&roots, &features, &trueIds, &trueLeafs, &falseIds, &falseLeafs, &missing, &targets})
    *list = attributes.integers();
  modes = readNumbers(attributes);
  splits = readNumbers(attributes);
  weights = readNumbers(attributes);
  std::vector<double> listed = readNumbers(attributes);
  std::size_t nodes = features.size();
  bool fits = trueIds.size() == nodes && trueLeafs.size() == nodes && falseIds.size() == nodes &&
              falseLeafs.size() == nodes && modes.size() == nodes && splits.size() == nodes &&
              (missing.empty() || missing.size() == nodes) && targets.size() == weights.size();
  auto isIn = [&](std::int64_t id, bool isLeaf) {
    return id >= 0 && id < static_cast<std::int64_t>(isLeaf ? targets.size() : nodes);
  };
  for (std::size_t i = 0; fits && i < nodes; ++i)
    fits = isIn(trueIds[i], trueLeafs[i] != 0) && isIn(falseIds[i], falseLeafs[i] != 0);
  for (std::int64_t root : roots)
    fits = fits && isIn(root, false);
  if (!fits)
    return Error{"the lists of nodes and leaves do not fit together"};
  members.resize(nodes);
  seen.resize(nodes);
  std::span<const double> rest = listed;
  for (std::int64_t root : roots)
    assignMembers(root, rest);
  return {};
}

/// Sets are listed in the order in which a walk from the root meets their nodes,
/// the true branch first, each ended by NaN.
void Trees::assignMembers(std::int64_t node, std::span<const double> &rest) {
  if (seen[node])
    return; // a cycle: find reports it
  seen[node] = true;
  if (static_cast<Mode>(modes[node]) == Member) {
    while (!rest.empty() && !std::isnan(rest[0])) {
      members[node].push_back(rest[0]);
      rest = rest.subspan(1);
    }
    if (!rest.empty())
      rest = rest.subspan(1);
  }
  if (!trueLeafs[node])
    assignMembers(trueIds[node], rest);
  if (!falseLeafs[node])
    assignMembers(falseIds[node], rest);
}

bool Trees::holds(std::int64_t node, double x) const {
  if (std::isnan(x) && !missing.empty() && missing[node])
    return true;
  switch (static_cast<int>(modes[node])) {
  case LessEqual:
    return x <= splits[node];
  case Less:
    return x < splits[node];
  case GreaterEqual:
    return x >= splits[node];
  case Greater:
    return x > splits[node];
  case Equal:
    return x == splits[node];
  case NotEqual:
    return x != splits[node];
  default:
    return std::ranges::find(members[node], x) != members[node].end();
  }
}

Result<std::int64_t> Trees::find(std::int64_t root, const dougong_tensor &x,
                                 std::int64_t row) const {
  std::int64_t node = root;
  for (std::size_t depth = 0; depth <= features.size(); ++depth) {
    std::int64_t feature = features[node];
    if (feature < 0 || feature >= x.dims[1])
      return Error{"feature " + std::to_string(feature) + " of " + std::to_string(x.dims[1])};
    bool isTrue = holds(node, loadNumber(x, row * x.dims[1] + feature));
    std::int64_t next = isTrue ? trueIds[node] : falseIds[node];
    if (isTrue ? trueLeafs[node] : falseLeafs[node])
      return next;
    node = next;
  }
  return Error{"the tree at node " + std::to_string(root) + " has a cycle"};
}

/// The inverse of the normal distribution's function, by Newton's method.
double probit(double p) {
  double x = 0;
  for (int i = 0; i < 100; ++i) {
    double error = 0.5 * std::erfc(-x / std::sqrt(2.0)) - p;
    double slope = std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846);
    double step = std::clamp(error / slope, -1.0, 1.0);
    x -= step;
    if (std::abs(step) < 1e-12)
      break;
  }
  return x;
}

void transformRow(std::vector<double> &row, std::int64_t transform) {
  if (transform == Logistic)
    for (double &value : row)
      value = 1 / (1 + std::exp(-value));
  if (transform == Probit)
    for (double &value : row)
      value = probit(value);
  if ((transform != Softmax && transform != SoftmaxZero) || row.empty())
    return;
  double greatest = *std::ranges::max_element(row), sum = 0;
  for (double &value : row)
    if (transform == Softmax || value != 0) // what is 0 stays so
      sum += value = std::exp(value - greatest);
  for (double &value : row)
    value /= sum > 0 ? sum : 1;
}

} // namespace

/// TreeEnsemble: [y], [x], {aggregate, transform, roots, features, true ids, true
/// leafs, false ids, false leafs, missing, targets, modes, splits, weights, members}.
static Result<void> runTreeEnsemble(const LibraryCall &call) {
  Trees trees;
  if (Result<void> read = trees.read(call.attributes); !read)
    return read;
  const dougong_tensor &y = call.tensors[0], &x = call.tensors[1];
  if (x.rank != 2 || y.rank != 2 || !y.data || y.dims[0] != x.dims[0])
    return Error{"x has dims " + printDims(dimsOf(x)) + ", expected [rows, features]"};
  std::int64_t targets = y.dims[1];
  for (std::int64_t row = 0; row < x.dims[0]; ++row) {
    double start = trees.aggregate == Min   ? std::numeric_limits<float>::max()
                   : trees.aggregate == Max ? std::numeric_limits<float>::lowest()
                                            : 0;
    std::vector<double> sums(static_cast<std::size_t>(targets), start);
    for (std::int64_t root : trees.roots) {
      Result<std::int64_t> leaf = trees.find(root, x, row);
      if (!leaf)
        return leaf.takeError();
      std::int64_t target = trees.targets[*leaf];
      if (target < 0 || target >= targets)
        return Error{"target " + std::to_string(target) + " of " + std::to_string(targets)};
      double weight = trees.weights[*leaf], &sum = sums[target];
      switch (trees.aggregate) {
      case Average:
        sum += weight / static_cast<double>(trees.roots.size());
        break;
      case Min:
        sum = std::min(sum, weight);
        break;
      case Max:
        sum = std::max(sum, weight);
        break;
      default:
        sum += weight;
      }
    }
    transformRow(sums, trees.transform);
    for (std::int64_t target = 0; target < targets; ++target)
      if (Result<void> stored = storeNumber(y, row * targets + target, sums[target]); !stored)
        return stored;
  }
  return {};
}

static LibraryEntry treeEnsembleEntry("TreeEnsemble", runTreeEnsemble);
