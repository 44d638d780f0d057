//===- Propagation.cpp - from few cuts to all values ----------------------===//
#include "dougong/Dist/Propagation.h"

#include "Dist/IR/Layout.h"

#include "dougong/Onnx/Cost.h"
#include "dougong/Onnx/Sharding.h"

#include <numeric>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;
using onnx::DimFactors;
using onnx::FactorKind;

//===----------------------------------------------------------------------===//
// Cuts and how they merge
//===----------------------------------------------------------------------===//

/// Whether `a` is the beginning of `b`.
static bool isPrefix(ArrayRef<StringAttr> a, ArrayRef<StringAttr> b) {
  return a.size() <= b.size() && a == b.take_front(a.size());
}

static bool intersects(ArrayRef<StringAttr> a, ArrayRef<StringAttr> b) {
  return llvm::any_of(a, [&](StringAttr axis) { return llvm::is_contained(b, axis); });
}

/// Blocks of a factor whose dim keeps `unit` elements of it together, for a dim
/// that is cut into blocks of `dimUnit` elements: the smallest common blocks.
static int64_t getFactorUnit(int64_t dimUnit, int64_t unit) {
  return std::lcm(dimUnit, unit) / unit;
}

Propagation::Propagation(func::FuncOp main, ArrayRef<MeshOp> meshes)
    : main(main), meshes(meshes.begin(), meshes.end()) {
  for (Operation &op : main.front()) {
    if (isSource(&op) || op.hasTrait<OpTrait::IsTerminator>())
      continue;
    OpState state{onnx::getShardingRule(&op), {}};
    state.factors.resize(state.rule.factors.size());
    // A rule without maps (replicated) still has a list for each value.
    state.rule.operands.resize(op.getNumOperands());
    state.rule.results.resize(op.getNumResults());
    ops.insert({&op, std::move(state)});
  }
}

const onnx::ShardingRule &Propagation::getRule(Operation *op) const {
  return ops.find(op)->second.rule;
}

const Cut &Propagation::getFactorCut(Operation *op, unsigned factor) const {
  return ops.find(op)->second.factors[factor];
}

std::optional<std::string> Propagation::checkFactor(Operation *op, const OpState &state,
                                                    unsigned factor, const Cut &cut) const {
  const onnx::Factor &info = state.rule.factors[factor];
  if (info.kind == FactorKind::NeedsReplication)
    return "the operator needs that dim whole";
  auto isPlaced = [&](unsigned number) {
    return state.rule.factors[number].kind == FactorKind::Placement;
  };
  for (auto [other, otherCut] : llvm::enumerate(state.factors))
    if (other != factor && intersects(otherCut.axes, cut.axes) && !isPlaced(factor) &&
        !isPlaced(other))
      return "another dim is already cut along that axis";
  MeshOp mesh = meshes[getStage(op)];
  std::optional<int64_t> count = mesh.getNumShards(cut.axes);
  if (!count)
    return "the mesh of its stage, @" + mesh.getSymName().str() + ", has no such axis";
  if (info.even) {
    Result<DimExpr> size = DimExpr::parse(info.size);
    if (!size || !isEvenlyCut(*size, cut.unit, *count))
      return "extent " + info.size + " cannot be cut into " + std::to_string(*count) +
             " equal parts, and padding would change the result";
  }
  return std::nullopt;
}

/// Merges the cut of a dim, of which `unit` elements make one unit of the
/// factor, into the factor. Returns whether the factor changed.
bool Propagation::mergeIntoFactor(Operation *op, OpState &state, unsigned factor, const Cut &cut,
                                  int64_t unit) {
  Cut &current = state.factors[factor];
  if (cut.axes.empty() || !isPrefix(current.axes, cut.axes))
    return false;
  Cut merged{cut.axes, std::lcm(current.unit, getFactorUnit(cut.unit, unit))};
  if (merged == current || checkFactor(op, state, factor, merged))
    return false;
  if (inTrial)
    changes.push_back({op, {}, factor, current});
  current = merged;
  return true;
}

/// The reverse. Returns whether the dim changed.
bool Propagation::mergeIntoDim(ValueKey key, unsigned dim, const Cut &factor, int64_t unit) {
  Cuts &cuts = values[key];
  Cut &current = cuts[dim];
  if (closed.contains(key.first) || factor.axes.empty() || !isPrefix(current.axes, factor.axes))
    return false;
  for (auto [other, cut] : llvm::enumerate(cuts))
    if (other != dim && intersects(cut.axes, factor.axes))
      return false;
  Cut merged{factor.axes, std::lcm(current.unit, factor.unit * unit)};
  if (merged == current)
    return false;
  if (inTrial)
    changes.push_back({nullptr, key, dim, current});
  current = merged;
  return true;
}

//===----------------------------------------------------------------------===//
// Spreading
//===----------------------------------------------------------------------===//

void Propagation::enqueue(Operation *op) {
  if (queued.insert(op).second)
    worklist.push_back(op);
}

void Propagation::enqueueUsers(ValueKey key) {
  auto [value, stage] = key;
  if (Operation *producer = value.getDefiningOp(); producer && getStage(producer) == stage)
    enqueue(producer);
  for (Operation *user : value.getUsers())
    if (ops.contains(user) && getStage(user) == stage)
      enqueue(user);
}

/// Lets the cuts of a value and of the factors of an op flow into each other.
/// Returns whether a factor changed; users of a changed value are enqueued.
bool Propagation::exchange(Operation *op, OpState &state, ValueKey key, ArrayRef<DimFactors> dims) {
  auto type = dyn_cast<RankedTensorType>(key.first.getType());
  if (!type || dims.size() != static_cast<size_t>(type.getRank()))
    return false;
  values[key].resize(dims.size());
  bool factorChanged = false, valueChanged = false;
  for (auto [dim, factors] : llvm::enumerate(dims)) {
    if (factors.factors.empty())
      continue;
    unsigned factor = factors.factors.front();
    Cut current = values[key][dim];
    factorChanged |= mergeIntoFactor(op, state, factor, current, factors.unit);
    valueChanged |= mergeIntoDim(key, dim, state.factors[factor], factors.unit);
  }
  if (valueChanged)
    enqueueUsers(key);
  return factorChanged;
}

/// Returns whether the op must be looked at again.
bool Propagation::visit(Operation *op) {
  auto it = ops.find(op);
  if (it == ops.end() || !it->second.rule.replicated.empty())
    return false;
  OpState &state = it->second;
  int64_t stage = getStage(op);
  bool changed = false;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    Operation *producer = operand.getDefiningOp();
    if (producer && isSource(producer))
      continue;
    changed |= exchange(op, state, {operand, stage}, state.rule.operands[index]);
  }
  for (auto [index, result] : llvm::enumerate(op->getResults()))
    changed |= exchange(op, state, {result, stage}, state.rule.results[index]);
  return changed;
}

bool Propagation::mergeTies() {
  bool changed = false;
  for (auto [a, b] : ties) {
    Operation *producer = b.getDefiningOp();
    if (!producer || isSource(producer))
      continue;
    ValueKey first{a, getStage(producer)}, second{b, getStage(producer)};
    auto type = dyn_cast<RankedTensorType>(b.getType());
    if (!type)
      continue;
    values[first].resize(type.getRank());
    values[second].resize(type.getRank());
    for (auto [from, to] : {std::pair(first, second), std::pair(second, first)}) {
      Cuts source = values[from];
      bool merged = false;
      for (auto [dim, cut] : llvm::enumerate(source))
        merged |= mergeIntoDim(to, dim, cut, 1);
      if (merged)
        enqueueUsers(to);
      changed |= merged;
    }
  }
  return changed;
}

void Propagation::run() {
  if (!started)
    for (auto &[op, state] : ops)
      enqueue(op);
  started = true;
  do {
    while (!worklist.empty()) {
      Operation *op = worklist.front();
      worklist.pop_front();
      queued.erase(op);
      if (visit(op))
        enqueue(op);
    }
  } while (mergeTies());
}

void Propagation::close(Value result) { closed.insert(result); }

void Propagation::beginTrial() {
  inTrial = true;
  changes.clear();
}

llvm::SetVector<Operation *> Propagation::getTouched() const {
  llvm::SetVector<Operation *> touched;
  for (const Change &change : changes) {
    if (change.op) {
      touched.insert(change.op);
      continue;
    }
    for (Operation *user : change.key.first.getUsers())
      if (ops.contains(user))
        touched.insert(user);
  }
  return touched;
}

unsigned Propagation::countGathers(const llvm::SetVector<Operation *> &touched) const {
  llvm::DenseSet<Value> gathered;
  auto check = [&](Operation *op) {
    for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
      Operation *producer = operand.getDefiningOp();
      if (!producer || !ops.contains(producer) || getStage(producer) != getStage(op))
        continue;
      Cuts held = getResultCuts(producer, cast<OpResult>(operand).getResultNumber());
      Cuts wanted = getOperandCuts(op, index);
      for (auto [from, to] : llvm::zip_equal(held, wanted))
        if (!isPrefix(from.axes, to.axes))
          gathered.insert(operand);
    }
  };
  for (Operation *op : touched) {
    check(op);
    for (Operation *user : op->getUsers())
      if (ops.contains(user))
        check(user);
  }
  return gathered.size();
}

void Propagation::endTrial(bool keep) {
  inTrial = false;
  if (!keep)
    for (Change &change : llvm::reverse(changes)) {
      if (change.op)
        ops.find(change.op)->second.factors[change.index] = change.old;
      else
        values[change.key][change.index] = change.old;
    }
  changes.clear();
}

//===----------------------------------------------------------------------===//
// Directives
//===----------------------------------------------------------------------===//

std::optional<std::string> Propagation::cutFactor(Operation *op, unsigned factor,
                                                  ArrayRef<StringAttr> axes, int64_t unit) {
  auto it = ops.find(op);
  if (it == ops.end())
    return "the op is a constant";
  OpState &state = it->second;
  if (!state.rule.replicated.empty())
    return state.rule.replicated;
  Cut &current = state.factors[factor];
  Cut wanted{SmallVector<StringAttr, 2>(axes), std::lcm(current.unit, unit)};
  if (!isPrefix(current.axes, axes))
    return "that dim is already cut along another axis";
  if (std::optional<std::string> reason = checkFactor(op, state, factor, wanted))
    return reason;
  if (inTrial)
    changes.push_back({op, {}, factor, current});
  current = wanted;
  enqueue(op);
  return std::nullopt;
}

std::optional<std::string> Propagation::cutDim(Operation *op, ArrayRef<DimFactors> dims,
                                               unsigned dim, const Cut &cut) {
  if (cut.axes.empty())
    return std::nullopt;
  auto it = ops.find(op);
  if (it != ops.end() && !it->second.rule.replicated.empty())
    return it->second.rule.replicated;
  if (dim >= dims.size() || dims[dim].factors.empty())
    return "the operator needs dim " + std::to_string(dim) + " whole";
  return cutFactor(op, dims[dim].factors.front(), cut.axes,
                   getFactorUnit(cut.unit, dims[dim].unit));
}

std::optional<std::string> Propagation::cutOperand(Operation *op, unsigned operand, unsigned dim,
                                                   const Cut &cut) {
  auto it = ops.find(op);
  if (it == ops.end() || operand >= it->second.rule.operands.size())
    return "there is no operand " + std::to_string(operand);
  return cutDim(op, it->second.rule.operands[operand], dim, cut);
}

std::optional<std::string> Propagation::cutResult(Operation *op, unsigned result, unsigned dim,
                                                  const Cut &cut) {
  auto it = ops.find(op);
  if (it == ops.end() || result >= it->second.rule.results.size())
    return "there is no result " + std::to_string(result);
  return cutDim(op, it->second.rule.results[result], dim, cut);
}

std::optional<std::string> Propagation::cutArgument(BlockArgument argument, unsigned dim,
                                                    const Cut &cut) {
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!type || dim >= type.getRank())
    return "it has no dim " + std::to_string(dim);
  for (auto [stage, mesh] : llvm::enumerate(meshes)) {
    if (!mesh.getNumShards(cut.axes))
      continue;
    ValueKey key{argument, static_cast<int64_t>(stage)};
    values[key].resize(type.getRank());
    if (mergeIntoDim(key, dim, cut, 1))
      enqueueUsers(key);
  }
  return std::nullopt;
}

LogicalResult Propagation::readDirectives() {
  for (auto &[op, state] : ops) {
    if (op->hasAttr(closedAttrName))
      for (Value result : op->getResults())
        close(result);
    for (StringRef name : {inAttrName, outAttrName}) {
      auto list = op->getAttrOfType<ArrayAttr>(name);
      if (!list)
        continue;
      for (auto [index, entry] : llvm::enumerate(list)) {
        auto sharding = dyn_cast<ShardingAttr>(entry);
        if (!sharding)
          continue;
        for (auto [dim, cut] : llvm::enumerate(getCuts(sharding))) {
          std::optional<std::string> reason =
              name == inAttrName ? cutOperand(op, index, dim, cut) : cutResult(op, index, dim, cut);
          if (reason)
            return op->emitError() << "cannot cut dim " << dim << " of "
                                   << (name == inAttrName ? "operand " : "result ") << index
                                   << " as directed: " << *reason;
        }
      }
    }
  }
  for (BlockArgument argument : main.getArguments()) {
    auto sharding = main.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(), shardingAttrName);
    if (!sharding)
      continue;
    for (auto [dim, cut] : llvm::enumerate(getCuts(sharding)))
      if (!cut.axes.empty())
        if (std::optional<std::string> reason = cutArgument(argument, dim, cut))
          return main.emitError() << "cannot cut argument " << argument.getArgNumber()
                                  << " as directed: " << *reason;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Cuts Propagation::getDimCuts(const OpState &state, ArrayRef<DimFactors> dims) const {
  Cuts cuts(dims.size());
  for (auto [cut, factors] : llvm::zip_equal(cuts, dims)) {
    if (factors.factors.empty())
      continue;
    const Cut &factor = state.factors[factors.factors.front()];
    if (!factor.axes.empty())
      cut = {factor.axes, factor.unit * factors.unit};
  }
  return cuts;
}

/// Pads the list for a value whose rule says nothing.
static Cuts fitToRank(Cuts cuts, Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  cuts.resize(type ? type.getRank() : 0);
  return cuts;
}

Cuts Propagation::getOperandCuts(Operation *op, unsigned operand) const {
  const OpState &state = ops.find(op)->second;
  return fitToRank(getDimCuts(state, state.rule.operands[operand]), op->getOperand(operand));
}

Cuts Propagation::getResultCuts(Operation *op, unsigned result) const {
  const OpState &state = ops.find(op)->second;
  return fitToRank(getDimCuts(state, state.rule.results[result]), op->getResult(result));
}

Cuts Propagation::getValueCuts(Value value, int64_t stage) const {
  auto it = values.find({value, stage});
  return fitToRank(it == values.end() ? Cuts() : it->second, value);
}

void Propagation::writeAttributes() {
  Builder builder(main.getContext());
  for (auto &[op, state] : ops) {
    MeshOp mesh = getMesh(op);
    SmallVector<PartialAttr> partial;
    for (auto [info, cut] : llvm::zip_equal(state.rule.factors, state.factors))
      if (info.kind == FactorKind::Reduction)
        for (StringAttr axis : cut.axes)
          partial.push_back(
              PartialAttr::get(main.getContext(), axis, *symbolizeReduction(info.combine)));
    SmallVector<Attribute> in, out;
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      in.push_back(isa<RankedTensorType>(operand.getType())
                       ? Attribute(makeSharding(mesh, getOperandCuts(op, index)))
                       : builder.getUnitAttr());
    for (auto [index, result] : llvm::enumerate(op->getResults()))
      out.push_back(isa<RankedTensorType>(result.getType())
                        ? Attribute(makeSharding(mesh, getResultCuts(op, index), partial))
                        : builder.getUnitAttr());
    op->setAttr(inAttrName, builder.getArrayAttr(in));
    op->setAttr(outAttrName, builder.getArrayAttr(out));
    if (mesh.getNumRanks() == 1 || op->hasAttr(replicatedAttrName))
      continue;
    if (!state.rule.replicated.empty())
      op->setAttr(replicatedAttrName, builder.getStringAttr(state.rule.replicated));
    else if (llvm::all_of(state.factors, [](const Cut &cut) { return cut.axes.empty(); }) &&
             onnx::getOpCost(op).matrix)
      op->setAttr(replicatedAttrName, builder.getStringAttr("no cut reaches this operator"));
  }
  // An argument is delivered to its first user's stage like this.
  for (BlockArgument argument : main.getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      continue;
    int64_t stage = meshes.size();
    for (Operation *user : argument.getUsers())
      if (ops.contains(user))
        stage = std::min(stage, getStage(user));
    if (stage == static_cast<int64_t>(meshes.size()))
      stage = 0;
    main.setArgAttr(argument.getArgNumber(), shardingAttrName,
                    makeSharding(meshes[stage], getValueCuts(argument, stage)));
  }
}
