//===- Reshard.cpp - the cheapest way between two layouts -----------------===//
#include "dougong/Dist/Reshard.h"

#include "Dist/IR/Layout.h"

#include <map>
#include <queue>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

RouteFinder::RouteFinder(ArrayRef<int64_t> axisSizes, ArrayRef<DimExpr> extents,
                         int64_t elementBytes, SymbolValues nominal)
    : axisSizes(axisSizes), extents(extents), elementBytes(elementBytes),
      nominal(std::move(nominal)) {}

int64_t RouteFinder::getCount(ArrayRef<unsigned> axes) const {
  int64_t count = 1;
  for (unsigned axis : axes)
    count *= axisSizes[axis];
  return count;
}

DimExpr RouteFinder::getExtent(unsigned dim, const DimLayout &layout) const {
  return getLocalExtent(extents[dim], layout.unit, getCount(layout.axes));
}

/// Products of extents stay where costs, sums of their multiples, do not wrap.
static int64_t multiply(int64_t count, int64_t extent) {
  constexpr int64_t most = int64_t(1) << 40;
  int64_t product;
  return llvm::MulOverflow(count, extent, product) ? most : std::min(product, most);
}

int64_t RouteFinder::getBytes(const Layout &layout) {
  int64_t elements = 1;
  for (auto [dim, held] : llvm::enumerate(layout.dims))
    elements = multiply(elements, evaluate(getExtent(dim, held)));
  return elements * elementBytes;
}

int64_t RouteFinder::evaluate(const DimExpr &extent) {
  for (const std::string &symbol : extent.symbols())
    nominal.try_emplace(symbol, 1024);
  Result<int64_t> value = extent.evaluate(nominal);
  return value ? std::max<int64_t>(*value, 0) : 0;
}

namespace dougong::dist {

/// One search. Layouts that hold the same are one node: axes and local extents
/// count, not the units that lead to them.
class RouteSearch {
public:
  RouteSearch(RouteFinder &finder, const Layout &from, const Layout &to)
      : finder(finder), source(simplify(from)), target(simplify(to)) {}

  Route run() {
    Key goal = getKey(target);
    reach(source, {}, std::nullopt, std::nullopt);
    while (!queue.empty()) {
      auto [cost, number] = queue.top();
      queue.pop();
      if (nodes[number].cost != cost)
        continue; // a cheaper way was found since
      if (keys.find(goal) != keys.end() && keys[goal] == number)
        return trace(number);
      expand(number);
    }
    llvm_unreachable("gathers and slices lead everywhere");
  }

private:
  using Key = std::vector<unsigned>;
  struct Node {
    Layout layout;
    MoveCost cost;
    std::optional<unsigned> parent;
    std::optional<Move> move;
  };

  /// Without axes of one rank, which hold nothing apart.
  Layout simplify(Layout layout) const {
    for (DimLayout &dim : layout.dims)
      llvm::erase_if(dim.axes, [&](unsigned axis) { return finder.axisSizes[axis] == 1; });
    llvm::erase_if(layout.partial,
                   [&](const auto &entry) { return finder.axisSizes[entry.first] == 1; });
    return layout;
  }

  /// The number of a local extent, equal for equal ones.
  unsigned getExtentNumber(unsigned dim, const DimLayout &layout) {
    std::array<int64_t, 3> key{dim, layout.unit, finder.getCount(layout.axes)};
    auto [it, isNew] = extentNumbers.try_emplace(key, 0);
    if (isNew) {
      DimExpr extent = finder.getExtent(dim, layout);
      auto [known, isNewText] = extentTexts.try_emplace(extent.print(), extents.size());
      if (isNewText)
        extents.push_back({extent, finder.evaluate(extent)});
      it->second = known->second;
    }
    return it->second;
  }

  int64_t getSize(unsigned dim, const DimLayout &layout) {
    return extents[getExtentNumber(dim, layout)].second;
  }

  Key getKey(const Layout &layout) {
    Key key;
    for (auto [dim, held] : llvm::enumerate(layout.dims)) {
      key.push_back(held.axes.size());
      key.insert(key.end(), held.axes.begin(), held.axes.end());
      key.push_back(getExtentNumber(dim, held));
    }
    for (auto [axis, reduction] : layout.partial)
      key.insert(key.end(), {axis, static_cast<unsigned>(reduction)});
    return key;
  }

  /// Elements of a rank's part.
  int64_t getElements(const Layout &layout) {
    int64_t count = 1;
    for (auto [dim, held] : llvm::enumerate(layout.dims))
      count = multiply(count, getSize(dim, held));
    return count;
  }

  void reach(Layout layout, MoveCost cost, std::optional<unsigned> parent,
             std::optional<Move> move) {
    auto [it, isNew] = keys.try_emplace(getKey(layout), nodes.size());
    if (isNew)
      nodes.push_back({});
    else if (nodes[it->second].cost <= cost)
      return;
    nodes[it->second] = {std::move(layout), cost, parent, std::move(move)};
    queue.push({cost, it->second});
  }

  /// A move from node `number`, of which a rank sends `elements`.
  void go(unsigned number, Move move, int64_t sent) {
    bool isCall = move.kind != MoveKind::Slice;
    MoveCost cost = nodes[number].cost + MoveCost{sent, 1, isCall};
    Layout after = move.after;
    reach(std::move(after), cost, number, std::move(move));
  }

  Route trace(unsigned number) {
    Route route;
    route.cost = nodes[number].cost;
    for (std::optional<unsigned> at = number; nodes[*at].parent; at = nodes[*at].parent)
      route.moves.push_back(*nodes[*at].move);
    std::reverse(route.moves.begin(), route.moves.end());
    return route;
  }

  /// Whether the parts of `inner`, which has the axes of `outer` and more, are those
  /// of `outer` cut into equal parts.
  bool isNested(unsigned dim, const DimLayout &outer, const DimLayout &inner) {
    int64_t parts = finder.getCount(inner.axes) / finder.getCount(outer.axes);
    return outer.axes.empty() ||
           finder.getExtent(dim, inner) * DimExpr(parts) == finder.getExtent(dim, outer);
  }

  /// The layouts of a dim that is cut along `axes` besides, in parts that lie in
  /// those of the layout before.
  SmallVector<DimLayout> getInner(unsigned dim, const DimLayout &outer, ArrayRef<unsigned> axes) {
    DimLayout inner = outer;
    inner.axes.append(axes.begin(), axes.end());
    int64_t count = finder.getCount(inner.axes), parts = finder.getCount(axes);
    SmallVector<int64_t> units{1};
    // Units with which the layouts at both ends can be reached from here.
    for (const Layout *end : {&target, &source}) {
      const DimLayout &held = end->dims[dim];
      int64_t blocks = held.unit * finder.getCount(held.axes);
      if (blocks % count == 0)
        units.push_back(blocks / count);
      units.push_back(held.unit);
    }
    if (!outer.axes.empty() && outer.unit % parts == 0)
      units.push_back(outer.unit / parts);
    if (std::optional<int64_t> whole = finder.getExtent(dim, outer).constant();
        whole && *whole % parts == 0 && *whole > 0)
      units.push_back(*whole / parts);
    SmallVector<DimLayout> layouts;
    llvm::SmallDenseSet<unsigned> seen;
    for (int64_t unit : units) {
      inner.unit = unit;
      if (isNested(dim, outer, inner) && seen.insert(getExtentNumber(dim, inner)).second)
        layouts.push_back(inner);
    }
    return layouts;
  }

  /// Calls `function` with each ordered choice of at least one of `axes`.
  template <typename Function> void forEachOrder(ArrayRef<unsigned> axes, Function function) {
    SmallVector<unsigned> chosen;
    auto extend = [&](auto &self) -> void {
      for (unsigned axis : axes) {
        if (llvm::is_contained(chosen, axis))
          continue;
        chosen.push_back(axis);
        function(ArrayRef<unsigned>(chosen));
        self(self);
        chosen.pop_back();
      }
    };
    extend(extend);
  }

  void expand(unsigned number) {
    Layout layout = nodes[number].layout; // `nodes` grows
    int64_t bytes = getElements(layout) * finder.elementBytes;
    SmallVector<unsigned> free;
    for (unsigned axis = 0; axis < finder.axisSizes.size(); ++axis)
      if (finder.axisSizes[axis] > 1 && !isUsed(layout, axis))
        free.push_back(axis);
    for (unsigned dim = 0; dim < layout.dims.size(); ++dim) {
      forEachOrder(free, [&](ArrayRef<unsigned> axes) {
        for (const DimLayout &inner : getInner(dim, layout.dims[dim], axes)) {
          Move move = makeMove(MoveKind::Slice, axes, layout);
          move.dim = dim;
          move.after.dims[dim] = inner;
          go(number, std::move(move), 0);
        }
      });
      for (unsigned kept = 0; kept < layout.dims[dim].axes.size(); ++kept)
        join(number, layout, dim, kept, bytes);
    }
    reduce(number, layout, bytes);
    permute(number, layout, bytes);
  }

  bool isUsed(const Layout &layout, unsigned axis) const {
    return llvm::any_of(layout.dims,
                        [&](const DimLayout &dim) { return llvm::is_contained(dim.axes, axis); }) ||
           llvm::any_of(layout.partial, [&](const auto &entry) { return entry.first == axis; });
  }

  static Move makeMove(MoveKind kind, ArrayRef<unsigned> axes, const Layout &before) {
    Move move;
    move.kind = kind;
    move.axes.assign(axes.begin(), axes.end());
    move.after = before;
    return move;
  }

  /// All-gather and all-to-all of the axes of a dim behind the first `kept`.
  void join(unsigned number, const Layout &layout, unsigned dim, unsigned kept, int64_t bytes) {
    DimLayout outer = layout.dims[dim];
    SmallVector<unsigned> axes(llvm::drop_begin(outer.axes, kept));
    int64_t parts = finder.getCount(axes);
    outer.axes.truncate(kept);
    outer.unit = kept == 0 ? 1 : outer.unit * parts;
    Move gather = makeMove(MoveKind::AllGather, axes, layout);
    gather.dim = dim;
    gather.after.dims[dim] = outer;
    go(number, std::move(gather), (parts - 1) * bytes);
    for (unsigned split = 0; split < layout.dims.size(); ++split) {
      if (split == dim)
        continue;
      for (const DimLayout &inner : getInner(split, layout.dims[split], axes)) {
        Move exchange = makeMove(MoveKind::AllToAll, axes, layout);
        exchange.dim = split;
        exchange.concat = dim;
        exchange.after.dims[dim] = outer;
        exchange.after.dims[split] = inner;
        Layout sent = layout;
        sent.dims[split] = inner;
        int64_t part = getElements(sent) * finder.elementBytes;
        go(number, std::move(exchange), (parts - 1) * part);
      }
    }
  }

  /// Reductions along axes of the first kind that is open: kinds do not commute.
  void reduce(unsigned number, const Layout &layout, int64_t bytes) {
    if (layout.partial.empty())
      return;
    Reduction first = Reduction::Prod;
    for (auto [axis, reduction] : layout.partial)
      first = std::min(first, reduction);
    SmallVector<unsigned> open;
    for (auto [axis, reduction] : layout.partial)
      if (reduction == first)
        open.push_back(axis);
    forEachOrder(open, [&](ArrayRef<unsigned> axes) {
      int64_t count = finder.getCount(axes);
      Layout reduced = layout;
      llvm::erase_if(reduced.partial,
                     [&](const auto &entry) { return llvm::is_contained(axes, entry.first); });
      if (llvm::is_sorted(axes)) {
        Move move = makeMove(MoveKind::AllReduce, axes, reduced);
        move.reduction = first;
        go(number, std::move(move), 2 * (count - 1) * bytes / count);
      }
      for (unsigned dim = 0; dim < layout.dims.size(); ++dim)
        for (const DimLayout &inner : getInner(dim, layout.dims[dim], axes)) {
          Move move = makeMove(MoveKind::ReduceScatter, axes, reduced);
          move.dim = dim;
          move.reduction = first;
          move.after.dims[dim] = inner;
          int64_t part = getElements(move.after) * finder.elementBytes;
          go(number, std::move(move), (count - 1) * part);
        }
    });
  }

  /// Other axes that cut the dims into as many parts.
  void permute(unsigned number, const Layout &layout, int64_t bytes) {
    Layout after = layout;
    auto choose = [&](auto &self, unsigned dim, SmallVector<unsigned> left) -> void {
      if (dim == layout.dims.size()) {
        if (std::optional<Move> move = getPermute(layout, after))
          go(number, std::move(*move), bytes);
        return;
      }
      int64_t count = finder.getCount(layout.dims[dim].axes);
      if (count == 1)
        return self(self, dim + 1, left);
      forEachOrder(left, [&](ArrayRef<unsigned> axes) {
        if (finder.getCount(axes) != count)
          return;
        after.dims[dim].axes.assign(axes.begin(), axes.end());
        SmallVector<unsigned> rest(left);
        llvm::erase_if(rest, [&](unsigned axis) { return llvm::is_contained(axes, axis); });
        self(self, dim + 1, rest);
      });
    };
    SmallVector<unsigned> usable;
    for (unsigned axis = 0; axis < finder.axisSizes.size(); ++axis)
      if (finder.axisSizes[axis] > 1 &&
          llvm::none_of(layout.partial, [&](const auto &entry) { return entry.first == axis; }))
        usable.push_back(axis);
    choose(choose, 0, usable);
  }

  /// The permutation of ranks that makes `after` of `before`, where no part
  /// changes; none if nothing moves.
  std::optional<Move> getPermute(const Layout &before, const Layout &after) const {
    Move move = makeMove(MoveKind::Permute, {}, after);
    for (auto [from, to] : llvm::zip_equal(before.dims, after.dims))
      if (from.axes != to.axes) {
        move.from.append(from.axes.begin(), from.axes.end());
        move.axes.append(to.axes.begin(), to.axes.end());
      }
    if (move.axes.empty())
      return std::nullopt;
    // Copies are numbered behind the parts.
    SmallVector<unsigned> copiesAfter, copiesBefore;
    for (unsigned axis = 0; axis < finder.axisSizes.size(); ++axis) {
      bool isBefore = llvm::is_contained(move.from, axis),
           isAfter = llvm::is_contained(move.axes, axis);
      if (isBefore && !isAfter)
        copiesAfter.push_back(axis);
      if (isAfter && !isBefore)
        copiesBefore.push_back(axis);
    }
    move.from.append(copiesBefore);
    move.axes.append(copiesAfter);
    return move;
  }

  RouteFinder &finder;
  Layout source, target;
  std::map<std::array<int64_t, 3>, unsigned> extentNumbers;
  std::map<std::string, unsigned> extentTexts;
  std::vector<std::pair<DimExpr, int64_t>> extents;
  std::map<Key, unsigned> keys;
  std::vector<Node> nodes;
  using Entry = std::pair<MoveCost, unsigned>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
};

} // namespace dougong::dist

Route RouteFinder::find(const Layout &from, const Layout &to) {
  return RouteSearch(*this, from, to).run();
}

//===----------------------------------------------------------------------===//
// Several targets
//===----------------------------------------------------------------------===//

RouteTree dist::findRouteTree(RouteFinder &finder, const Layout &source, ArrayRef<Layout> targets,
                              bool lastIsOptional) {
  constexpr unsigned exactLimit = 5;
  unsigned count = targets.size();
  // costs[i][j]: from target i (or, for i = count, the source) to target j.
  std::vector<std::vector<MoveCost>> costs(count + 1, std::vector<MoveCost>(count));
  for (unsigned from = 0; from <= count; ++from)
    for (unsigned to = 0; to < count; ++to)
      if (from != to)
        costs[from][to] = finder.find(from == count ? source : targets[from], targets[to]).cost;
  // A tree is an order in which its targets are made, each from the cheapest so
  // far; the earliest made is taken if there are several.
  auto grow = [&](ArrayRef<unsigned> order) {
    RouteTree tree;
    tree.parents.resize(count);
    tree.made.resize(count);
    for (auto [index, to] : llvm::enumerate(order)) {
      MoveCost best = costs[count][to];
      for (unsigned from : order.take_front(index))
        if (costs[from][to] < best) {
          best = costs[from][to];
          tree.parents[to] = from;
        }
      tree.made[to] = true;
      tree.cost = tree.cost + best;
    }
    return tree;
  };
  std::optional<RouteTree> best;
  for (unsigned used = lastIsOptional ? count - 1 : count; used <= count; ++used) {
    SmallVector<unsigned> order = llvm::to_vector(llvm::seq<unsigned>(0, used));
    do {
      RouteTree tree = grow(order);
      if (!best || tree.cost < best->cost)
        best = std::move(tree);
    } while (count <= exactLimit && std::next_permutation(order.begin(), order.end()));
  }
  return *best;
}
