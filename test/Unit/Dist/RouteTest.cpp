//===- RouteTest.cpp - ways between layouts against a search of contents --===//
//
// The oracle knows no layouts. Its nodes are what all ranks hold, element by
// element; its edges are the ops of the dist dialect, carried out on that for
// every group, dim and extent. Dijkstra's algorithm over these finds the cheapest
// program there is.
//
//===----------------------------------------------------------------------===//
#include "dougong/Dist/Reshard.h"

#include <gtest/gtest.h>

#include <map>
#include <queue>
#include <random>

using namespace dougong;
using dist::DimLayout;
using dist::Layout;
using dist::MoveKind;

namespace {

constexpr int padding = -1;
constexpr int64_t elementBytes = 4;

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// What every rank holds: an array of one shape on each. A cell is a number of an
/// element of the whole, with a set of the contributions to it.
struct Contents {
  std::vector<int64_t> shape;
  std::vector<std::vector<int>> ranks;

  auto operator<=>(const Contents &) const = default;

  int64_t size() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    return count;
  }
  /// The cell at an index, or padding outside.
  int at(int64_t rank, const std::vector<int64_t> &index) const {
    int64_t place = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      if (index[dim] >= shape[dim])
        return padding;
      place = place * shape[dim] + index[dim];
    }
    return ranks[rank][place];
  }
  /// Contents of a shape, each cell by a function of rank and index.
  template <typename Function>
  static Contents make(std::vector<int64_t> shape, int64_t ranks, Function function) {
    Contents made{std::move(shape), {}};
    made.ranks.resize(ranks);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      made.ranks[rank].resize(made.size());
      std::vector<int64_t> index(made.shape.size());
      for (int64_t place = 0; place < made.size(); ++place) {
        int64_t rest = place;
        for (size_t dim = made.shape.size(); dim-- > 0; rest /= made.shape[dim])
          index[dim] = rest % made.shape[dim];
        made.ranks[rank][place] = function(rank, index);
      }
    }
    return made;
  }
};

using Axes = std::vector<unsigned>;

struct Mesh {
  std::vector<int64_t> sizes;

  int64_t count(const Axes &axes) const {
    int64_t count = 1;
    for (unsigned axis : axes)
      count *= sizes[axis];
    return count;
  }
  int64_t ranks() const {
    int64_t count = 1;
    for (int64_t size : sizes)
      count *= size;
    return count;
  }
  int64_t coordinate(int64_t rank, unsigned axis) const {
    for (size_t later = sizes.size(); --later > axis;)
      rank /= sizes[later];
    return rank % sizes[axis];
  }
  int64_t number(int64_t rank, const Axes &axes) const {
    int64_t number = 0;
    for (unsigned axis : axes)
      number = number * sizes[axis] + coordinate(rank, axis);
    return number;
  }
  /// The rank of number `number` over `axes` in the group of `rank`.
  int64_t member(int64_t rank, const Axes &axes, int64_t number) const {
    for (int64_t other = 0; other < ranks(); ++other) {
      bool same = this->number(other, axes) == number;
      for (unsigned axis = 0; axis < sizes.size(); ++axis)
        if (!llvm::is_contained(axes, axis))
          same &= coordinate(rank, axis) == coordinate(other, axis);
      if (same)
        return other;
    }
    ADD_FAILURE() << "no such rank";
    return rank;
  }
  /// Ordered choices of at least one axis.
  std::vector<Axes> orders() const {
    std::vector<Axes> all;
    Axes chosen;
    auto extend = [&](auto &self) -> void {
      for (unsigned axis = 0; axis < sizes.size(); ++axis)
        if (!llvm::is_contained(chosen, axis)) {
          chosen.push_back(axis);
          all.push_back(chosen);
          self(self);
          chosen.pop_back();
        }
    };
    extend(extend);
    return all;
  }
};

struct Problem {
  Mesh mesh;
  std::vector<int64_t> extents;
  Axes partial; ///< of the source
};

int64_t localExtent(int64_t extent, const DimLayout &layout, const Mesh &mesh) {
  int64_t count = mesh.count(Axes(layout.axes.begin(), layout.axes.end()));
  return count == 1 ? extent : layout.unit * divideUp(divideUp(extent, layout.unit), count);
}

/// What a layout means, of a value that has contributions along `problem.partial`.
Contents spread(const Problem &problem, const Layout &layout) {
  std::vector<int64_t> shape;
  for (size_t dim = 0; dim < layout.dims.size(); ++dim)
    shape.push_back(localExtent(problem.extents[dim], layout.dims[dim], problem.mesh));
  int64_t contributions = problem.mesh.count(problem.partial);
  return Contents::make(shape, problem.mesh.ranks(), [&](int64_t rank, std::vector<int64_t> index) {
    int64_t element = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      const DimLayout &held = layout.dims[dim];
      int64_t place =
          problem.mesh.number(rank, Axes(held.axes.begin(), held.axes.end())) * shape[dim] +
          index[dim];
      if (place >= problem.extents[dim])
        return padding;
      element = element * problem.extents[dim] + place;
    }
    int set = 0;
    for (int64_t number = 0; number < contributions; ++number) {
      bool has = true;
      for (auto [axis, reduction] : layout.partial) {
        int64_t rest = number, coordinate = 0;
        for (size_t at = problem.partial.size(); at-- > 0;) {
          if (problem.partial[at] == axis)
            coordinate = rest % problem.mesh.sizes[axis];
          rest /= problem.mesh.sizes[problem.partial[at]];
        }
        has &= coordinate == problem.mesh.coordinate(rank, axis);
      }
      set |= has << number;
    }
    return static_cast<int>(element << contributions | set);
  });
}

/// The sum of two cells; nothing if they are of different elements, or one
/// contribution would count twice.
std::optional<int> add(int a, int b, int64_t contributions) {
  if (a == padding || b == padding)
    return padding;
  int mask = (1 << contributions) - 1;
  if (a >> contributions != b >> contributions || (a & b & mask) != 0)
    return std::nullopt;
  return a | b;
}

//===----------------------------------------------------------------------===//
// The ops
//===----------------------------------------------------------------------===//

Contents slice(const Mesh &mesh, const Contents &held, const Axes &axes, size_t dim,
               int64_t extent) {
  std::vector<int64_t> shape = held.shape;
  shape[dim] = extent;
  return Contents::make(shape, mesh.ranks(), [&](int64_t rank, std::vector<int64_t> index) {
    index[dim] += mesh.number(rank, axes) * extent;
    return held.at(rank, index);
  });
}

Contents gather(const Mesh &mesh, const Contents &held, const Axes &axes, size_t dim,
                int64_t extent) {
  std::vector<int64_t> shape = held.shape;
  int64_t part = shape[dim];
  shape[dim] = extent;
  return Contents::make(shape, mesh.ranks(), [&](int64_t rank, std::vector<int64_t> index) {
    int64_t peer = mesh.member(rank, axes, index[dim] / part);
    index[dim] %= part;
    return held.at(peer, index);
  });
}

Contents exchange(const Mesh &mesh, const Contents &held, const Axes &axes, size_t split,
                  int64_t splitExtent, size_t concat, int64_t concatExtent) {
  std::vector<int64_t> shape = held.shape;
  int64_t part = shape[concat];
  shape[split] = splitExtent;
  shape[concat] = concatExtent;
  return Contents::make(shape, mesh.ranks(), [&](int64_t rank, std::vector<int64_t> index) {
    int64_t peer = mesh.member(rank, axes, index[concat] / part);
    index[concat] %= part;
    index[split] += mesh.number(rank, axes) * splitExtent;
    return held.at(peer, index);
  });
}

std::optional<Contents> reduce(const Problem &problem, const Contents &held, const Axes &axes) {
  int64_t contributions = problem.mesh.count(problem.partial);
  bool legal = true;
  Contents reduced =
      Contents::make(held.shape, problem.mesh.ranks(), [&](int64_t rank, const auto &index) {
        std::optional<int> sum = held.at(problem.mesh.member(rank, axes, 0), index);
        for (int64_t number = 1; sum && number < problem.mesh.count(axes); ++number)
          sum = add(*sum, held.at(problem.mesh.member(rank, axes, number), index), contributions);
        legal &= sum.has_value();
        return sum.value_or(padding);
      });
  return legal ? std::optional(reduced) : std::nullopt;
}

Contents permute(const Mesh &mesh, const Contents &held, const Axes &axes, const Axes &from) {
  return Contents::make(held.shape, mesh.ranks(), [&](int64_t rank, const auto &index) {
    return held.at(mesh.member(rank, from, mesh.number(rank, axes)), index);
  });
}

//===----------------------------------------------------------------------===//
// The oracle
//===----------------------------------------------------------------------===//

struct Cost {
  int64_t bytes = 0, steps = 0, calls = 0;
  auto operator<=>(const Cost &) const = default;
};

class Oracle {
public:
  Oracle(const Problem &problem, const Contents &from, const Contents &to)
      : problem(problem), mesh(problem.mesh), source(from), target(to), orders(mesh.orders()) {}

  /// The cost of the cheapest program that is cheaper than `limit`.
  std::optional<Cost> find(Cost limit) {
    bound = limit;
    reach(source, {});
    while (!queue.empty()) {
      auto [cost, held] = queue.top();
      queue.pop();
      if (best.at(held) != cost)
        continue;
      if (held == target)
        return cost;
      expand(held, cost);
    }
    return std::nullopt;
  }

private:
  void reach(Contents held, Cost cost) {
    if (cost >= bound || cost.bytes + missingBytes(held) > bound.bytes)
      return;
    auto [it, isNew] = best.try_emplace(held, cost);
    if (!isNew && it->second <= cost)
      return;
    it->second = cost;
    queue.push({cost, std::move(held)});
  }

  /// What some rank must still be sent: elements of which it has no contribution.
  /// No op sends a rank more than each rank sends.
  int64_t missingBytes(const Contents &held) const {
    int64_t contributions = mesh.count(problem.partial), most = 0;
    for (size_t rank = 0; rank < held.ranks.size(); ++rank) {
      std::set<int> elements;
      for (int cell : held.ranks[rank])
        if (cell != padding)
          elements.insert(cell >> contributions);
      int64_t missing = 0;
      for (int cell : target.ranks[rank])
        missing += cell != padding && !elements.contains(cell >> contributions);
      most = std::max(most, missing);
    }
    return most * elementBytes;
  }

  /// Extents that a dim may get, of the longest length.
  std::vector<int64_t> extentsUpTo(size_t dim, int64_t longest) const {
    std::set<int64_t> extents;
    for (int64_t extent : {longest, problem.extents[dim], source.shape[dim], target.shape[dim]})
      if (extent <= longest)
        extents.insert(extent);
    return {extents.begin(), extents.end()};
  }
  /// Extents of a part of one of `count`.
  std::vector<int64_t> partExtents(size_t dim, int64_t whole, int64_t count) const {
    std::vector<int64_t> extents;
    int64_t longest = std::max({whole, source.shape[dim], target.shape[dim]});
    for (int64_t extent = divideUp(whole, count); extent <= longest; ++extent)
      extents.push_back(extent);
    return extents;
  }

  void expand(const Contents &held, Cost cost) {
    int64_t bytes = held.size() * elementBytes;
    auto step = [&](int64_t sent, bool isCall = true) {
      return Cost{cost.bytes + sent, cost.steps + 1, cost.calls + isCall};
    };
    for (const Axes &axes : orders) {
      int64_t count = mesh.count(axes);
      for (size_t dim = 0; dim < held.shape.size(); ++dim) {
        for (int64_t extent : partExtents(dim, held.shape[dim], count)) {
          reach(slice(mesh, held, axes, dim, extent), step(0, false));
          if (Cost scatter = step((count - 1) * bytes / held.shape[dim] * extent); scatter < bound)
            if (std::optional<Contents> reduced = reduce(problem, held, axes))
              reach(slice(mesh, *reduced, axes, dim, extent), scatter);
        }
        if (step((count - 1) * bytes) < bound)
          for (int64_t extent : extentsUpTo(dim, count * held.shape[dim]))
            reach(gather(mesh, held, axes, dim, extent), step((count - 1) * bytes));
        for (size_t split = 0; split < held.shape.size(); ++split)
          if (split != dim)
            for (int64_t part : partExtents(split, held.shape[split], count)) {
              Cost sent = step((count - 1) * bytes / held.shape[split] * part);
              if (sent < bound)
                for (int64_t extent : extentsUpTo(dim, count * held.shape[dim]))
                  reach(exchange(mesh, held, axes, split, part, dim, extent), sent);
            }
      }
      if (Cost sent = step(2 * (count - 1) * bytes / count); sent < bound)
        if (std::optional<Contents> reduced = reduce(problem, held, axes))
          reach(*reduced, sent);
      if (step(bytes) < bound)
        for (const Axes &from : orders)
          if (from != axes &&
              std::is_permutation(from.begin(), from.end(), axes.begin(), axes.end()))
            reach(permute(mesh, held, axes, from), step(bytes));
    }
  }

  const Problem &problem;
  const Mesh &mesh;
  Contents source, target;
  std::vector<Axes> orders;
  Cost bound;
  std::map<Contents, Cost> best;
  using Entry = std::pair<Cost, Contents>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
};

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

std::string print(const Layout &layout) {
  std::string text = "[";
  for (const DimLayout &dim : layout.dims) {
    text += "{";
    for (unsigned axis : dim.axes)
      text += 'a' + axis;
    text += " unit " + std::to_string(dim.unit) + "}";
  }
  text += "] partial ";
  for (auto [axis, reduction] : layout.partial)
    text += 'a' + axis;
  return text;
}

/// Carries out a way on contents; counts what it costs by the shapes alone.
Contents follow(const Problem &problem, Contents held, const dist::Route &route, Cost &cost) {
  const Mesh &mesh = problem.mesh;
  for (const dist::Move &move : route.moves) {
    Axes axes(move.axes.begin(), move.axes.end());
    int64_t count = mesh.count(axes), bytes = held.size() * elementBytes;
    auto extent = [&](unsigned dim) {
      return localExtent(problem.extents[dim], move.after.dims[dim], mesh);
    };
    ++cost.steps;
    cost.calls += move.kind != MoveKind::Slice;
    switch (move.kind) {
    case MoveKind::Slice:
      held = slice(mesh, held, axes, move.dim, extent(move.dim));
      break;
    case MoveKind::AllGather:
      cost.bytes += (count - 1) * bytes;
      held = gather(mesh, held, axes, move.dim, extent(move.dim));
      break;
    case MoveKind::AllToAll:
      cost.bytes += (count - 1) * bytes / held.shape[move.dim] * extent(move.dim);
      held =
          exchange(mesh, held, axes, move.dim, extent(move.dim), move.concat, extent(move.concat));
      break;
    case MoveKind::AllReduce:
    case MoveKind::ReduceScatter: {
      std::optional<Contents> reduced = reduce(problem, held, axes);
      if (!reduced) {
        ADD_FAILURE() << "reduces what is not partial";
        return held;
      }
      if (move.kind == MoveKind::AllReduce) {
        cost.bytes += 2 * (count - 1) * bytes / count;
        held = *reduced;
      } else {
        held = slice(mesh, *reduced, axes, move.dim, extent(move.dim));
        cost.bytes += (count - 1) * held.size() * elementBytes;
      }
      break;
    }
    case MoveKind::Permute:
      cost.bytes += bytes;
      held = permute(mesh, held, axes, Axes(move.from.begin(), move.from.end()));
      break;
    }
  }
  return held;
}

/// Layouts of `rank` dims: every axis nowhere or in one dim, in every order.
std::vector<Layout> allLayouts(const Mesh &mesh, size_t rank, const Axes &partial,
                               int64_t greatestUnit) {
  std::vector<Layout> layouts;
  Layout layout;
  layout.dims.resize(rank);
  for (unsigned axis : partial)
    layout.partial.push_back({axis, dist::Reduction::Sum});
  auto chooseUnits = [&](auto &self, size_t dim) -> void {
    if (dim == rank) {
      layouts.push_back(layout);
      return;
    }
    for (int64_t unit = 1; unit <= (layout.dims[dim].axes.empty() ? 1 : greatestUnit); ++unit) {
      layout.dims[dim].unit = unit;
      self(self, dim + 1);
    }
    layout.dims[dim].unit = 1;
  };
  auto placeAxes = [&](auto &self, size_t dim, Axes left) -> void {
    if (dim == rank)
      return chooseUnits(chooseUnits, 0);
    self(self, dim + 1, left);
    for (unsigned axis : left) {
      layout.dims[dim].axes.push_back(axis);
      Axes rest = left;
      llvm::erase(rest, axis);
      self(self, dim, rest);
      layout.dims[dim].axes.pop_back();
    }
  };
  Axes usable;
  for (unsigned axis = 0; axis < mesh.sizes.size(); ++axis)
    if (!llvm::is_contained(partial, axis))
      usable.push_back(axis);
  placeAxes(placeAxes, 0, usable);
  return layouts;
}

/// The first axis of each cut has data on more ranks than its first: elsewhere the
/// search promises no cheapest way.
bool usesAllAxes(const Problem &problem, const Layout &layout) {
  for (auto [dim, held] : llvm::enumerate(layout.dims))
    if (!held.axes.empty()) {
      int64_t local = localExtent(problem.extents[dim], held, problem.mesh);
      int64_t behind = problem.mesh.count(Axes(held.axes.begin() + 1, held.axes.end()));
      if (local * behind >= problem.extents[dim])
        return false;
    }
  return true;
}

/// The way found is correct, costs what it says, and none is cheaper.
void check(const Problem &problem, const Layout &from, const Layout &to) {
  std::string text = "mesh";
  for (int64_t size : problem.mesh.sizes)
    text += " " + std::to_string(size);
  text += ", extents";
  for (int64_t extent : problem.extents)
    text += " " + std::to_string(extent);
  SCOPED_TRACE(text + ", from " + print(from) + " to " + print(to));
  llvm::SmallVector<DimExpr> extents(problem.extents.begin(), problem.extents.end());
  dist::RouteFinder finder(problem.mesh.sizes, extents, elementBytes);
  dist::Route route = finder.find(from, to);
  Contents source = spread(problem, from), target = spread(problem, to);
  Cost cost;
  Contents reached = follow(problem, source, route, cost);
  ASSERT_TRUE(reached == target);
  Cost claimed{route.cost.bytes, route.cost.steps, route.cost.calls};
  ASSERT_TRUE(cost == claimed) << "claims " << claimed.bytes << " bytes in " << claimed.steps
                               << " steps, takes " << cost.bytes << " in " << cost.steps;
  if (!usesAllAxes(problem, from) || !usesAllAxes(problem, to))
    return;
  if (std::optional<Cost> cheaper = Oracle(problem, source, target).find(cost))
    ADD_FAILURE() << "takes " << cost.bytes << " bytes in " << cost.steps << " steps, "
                  << cheaper->bytes << " in " << cheaper->steps << " would do";
}

/// Every pair of layouts, or a sample of `samples` pairs; also of partial values.
void checkPairs(const Mesh &mesh, const std::vector<int64_t> &extents, int64_t greatestUnit,
                unsigned samples, unsigned seed) {
  std::vector<Axes> partials{{}};
  for (unsigned set = 1; set < 1u << mesh.sizes.size(); ++set) {
    Axes axes;
    for (unsigned axis = 0; axis < mesh.sizes.size(); ++axis)
      if (set >> axis & 1)
        axes.push_back(axis);
    partials.push_back(axes);
  }
  std::mt19937 random(seed);
  std::vector<Layout> targets = allLayouts(mesh, extents.size(), {}, greatestUnit);
  for (const Axes &partial : partials) {
    std::vector<Layout> sources = allLayouts(mesh, extents.size(), partial, greatestUnit);
    size_t pairs = sources.size() * targets.size();
    for (size_t index = 0; index < (samples ? std::min<size_t>(samples, pairs) : pairs); ++index) {
      size_t pair = samples ? random() % pairs : index;
      check({mesh, extents, partial}, sources[pair / targets.size()],
            targets[pair % targets.size()]);
      if (testing::Test::HasFatalFailure())
        return;
    }
  }
}

} // namespace

TEST(Route, OneAxisIsCheapest) {
  for (int64_t size : {2, 3, 4})
    for (int64_t extent = 1; extent <= 5; ++extent)
      checkPairs({{size}}, {extent}, 3, 0, 0);
  checkPairs({{2}}, {3, 4}, 2, 0, 0);
  checkPairs({{3}}, {2, 5}, 2, 0, 0);
}

TEST(Route, TwoAxesAreCheapest) {
  checkPairs({{2, 2}}, {4}, 1, 0, 0);
  checkPairs({{2, 2}}, {5}, 2, 10, 1);
}

// Minutes: for the long target.
TEST(Route, DISABLED_ManyPairsAreCheapest) {
  for (int64_t extent = 1; extent <= 6; ++extent)
    checkPairs({{2, 2}}, {extent}, 2, 0, 0);
  for (int64_t extent : {6, 7})
    checkPairs({{2, 3}}, {extent}, 1, 40, extent);
  for (int64_t rows : {2, 4})
    checkPairs({{2, 2}}, {rows, 2}, 1, 10, rows);
  checkPairs({{2, 2, 2}}, {8}, 1, 4, 8);
}
