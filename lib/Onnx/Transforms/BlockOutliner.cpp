//===- BlockOutliner.cpp - moves equal runs of operators to functions -----===//
#include "BlockOutliner.h"

#include "Utils.h"

#include "dougong/Onnx/ShapeScope.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Values that are no work: what a block takes as arguments or has itself.
bool isParameter(Operation *op) {
  return isa<UseOp, ConstantOp, NoneOp, DimsTensorOp>(op) || op->hasTrait<OpTrait::IsTerminator>();
}

/// The value of a short integer constant, or null.
ElementsAttr getShortConstant(Value value) {
  ElementsAttr elements = getConstantValue(value);
  return elements && elements.getElementType().isInteger() &&
                 elements.getNumElements() <= ShapeScope::maxContents
             ? elements
             : ElementsAttr();
}

/// Whether an operand is computed with like the first one, and does not say what
/// the operator does: the number that Equal compares with, but not an axis.
bool isData(OpOperand &operand) {
  Operation *op = operand.getOwner();
  auto onnxOp = dyn_cast<OnnxOpInterface>(op);
  if (!onnxOp || isa<RangeOp>(op))
    return false;
  ArrayRef<StringRef> variables = onnxOp.getSchema().inputVariables;
  if (variables.empty())
    return false;
  StringRef variable =
      variables[std::min<size_t>(operand.getOperandNumber(), variables.size() - 1)];
  return !variable.empty() && variable == variables[0];
}

/// Operands that an equal op has too: absent ones, and axes, shapes and the like.
bool isPartOfOp(OpOperand &operand) {
  Value value = operand.get();
  return value.getDefiningOp<NoneOp>() || (getShortConstant(value) && !isData(operand));
}

/// Where an operand comes from, seen from its block: another op of the block, or
/// outside (`producer` is -1).
struct Source {
  int64_t producer;
  unsigned result;
  bool operator==(const Source &) const = default;
};

/// `count` blocks of `period` ops, from `ops`.
class BlockRun {
public:
  BlockRun(ArrayRef<Operation *> ops, size_t period, size_t count)
      : ops(ops), period(period), count(count) {
    for (auto [index, op] : llvm::enumerate(ops))
      positions[op] = index;
  }

  Operation *get(size_t block, size_t index) const { return ops[block * period + index]; }

  Source getSource(size_t block, Value value) const {
    auto result = dyn_cast<OpResult>(value);
    auto it = result ? positions.find(result.getOwner()) : positions.end();
    if (it == positions.end() || it->second / period != block)
      return {-1, 0};
    return {int64_t(it->second % period), result.getResultNumber()};
  }

  /// How many blocks from the first on have the same edges inside.
  size_t getNumEqualBlocks() const {
    for (size_t block = 1; block < count; ++block)
      for (size_t i = 0; i < period; ++i)
        for (auto [first, other] :
             llvm::zip(get(0, i)->getOperands(), get(block, i)->getOperands()))
          if (!(getSource(0, first) == getSource(block, other)))
            return block;
    return count;
  }

  /// Whether a result of an op is used outside its block.
  bool isLiveOut(size_t block, OpResult result) const {
    return llvm::any_of(result.getUsers(), [&](Operation *user) {
      while (user && user->getBlock() != result.getOwner()->getBlock())
        user = user->getParentOp();
      auto it = positions.find(user);
      return it == positions.end() || it->second / period != block;
    });
  }

private:
  ArrayRef<Operation *> ops;
  size_t period, count;
  llvm::DenseMap<Operation *, size_t> positions;
};

/// Types with formal symbols: each distinct extent is one symbol, s0, s1, ...
class FormalTypes {
public:
  Type get(Type type) {
    auto ranked = dyn_cast<RankedTensorType>(type);
    auto dims = ranked ? dyn_cast_if_present<DimsAttr>(ranked.getEncoding()) : DimsAttr();
    if (!dims)
      return type;
    SmallVector<StringAttr> exprs;
    for (StringAttr expr : dims.getExprs()) {
      if (expr) {
        auto [it, inserted] = formal.try_emplace(expr);
        if (inserted)
          it->second = StringAttr::get(type.getContext(), "s" + Twine(formal.size() - 1));
        expr = it->second;
      }
      exprs.push_back(expr);
    }
    return RankedTensorType::get(ranked.getShape(), ranked.getElementType(),
                                 DimsAttr::get(type.getContext(), exprs));
  }

private:
  llvm::DenseMap<StringAttr, StringAttr> formal;
};

} // namespace

/// Equal tokens: same operator, attributes and types, and same operands where
/// these are part of the op. Ops with graphs are equal to none.
unsigned BlockOutliner::getToken(Operation *op) {
  std::vector<const void *> key = {op->getName().getAsOpaquePointer(),
                                   op->getAttrDictionary().getAsOpaquePointer()};
  for (OpOperand &operand : op->getOpOperands()) {
    key.push_back(operand.get().getType().getAsOpaquePointer());
    if (isPartOfOp(operand))
      key.push_back(getConstantValue(operand.get()).getAsOpaquePointer());
  }
  for (Type type : op->getResultTypes())
    key.push_back(type.getAsOpaquePointer());
  if (op->getNumRegions() != 0)
    key.push_back(op);
  return tokenIds.try_emplace(key, tokenIds.size()).first->second;
}

void BlockOutliner::outline(ArrayRef<Operation *> ops, const Repeat &repeat) {
  BlockRun run(ops, repeat.period, repeat.count);
  // Arguments: what comes from outside. Operands that are equal in all blocks are
  // one argument; numbers that are equal in all blocks stay in the block.
  std::map<std::vector<const void *>, size_t> argumentIds;
  std::vector<SmallVector<Value>> arguments; // [argument][block]
  SmallVector<SmallVector<int64_t>> slots;   // [op][operand]: argument or -1
  for (size_t i = 0; i < repeat.period; ++i) {
    slots.emplace_back();
    for (unsigned j = 0; j < run.get(0, i)->getNumOperands(); ++j) {
      OpOperand &first = run.get(0, i)->getOpOperand(j);
      slots.back().push_back(-1);
      if (isPartOfOp(first) || run.getSource(0, first.get()).producer >= 0)
        continue;
      std::vector<const void *> key;
      SmallVector<Value> values;
      ElementsAttr number = getShortConstant(first.get());
      for (size_t block = 0; block < repeat.count; ++block) {
        values.push_back(run.get(block, i)->getOperand(j));
        key.push_back(values.back().getAsOpaquePointer());
        if (number && getShortConstant(values.back()) != number)
          number = {};
      }
      if (number)
        continue;
      auto [it, inserted] = argumentIds.try_emplace(key, arguments.size());
      if (inserted)
        arguments.push_back(values);
      slots.back().back() = it->second;
    }
  }
  SmallVector<std::pair<size_t, unsigned>> results; // op, result
  for (size_t i = 0; i < repeat.period; ++i)
    for (unsigned r = 0; r < run.get(0, i)->getNumResults(); ++r)
      for (size_t block = 0; block < repeat.count; ++block)
        if (run.isLiveOut(block, run.get(block, i)->getResult(r))) {
          results.push_back({i, r});
          break;
        }

  // The function.
  Operation *parent = symbols.getOp();
  OpBuilder builder(parent->getContext());
  FormalTypes types;
  SmallVector<Type> argumentTypes, resultTypes;
  for (auto &values : arguments)
    argumentTypes.push_back(types.get(values[0].getType()));
  std::string name = "block_" + std::to_string(blocks.size());
  Location loc = run.get(0, 0)->getLoc();
  auto function =
      func::FuncOp::create(loc, name, FunctionType::get(parent->getContext(), argumentTypes, {}));
  function.setPrivate();
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  IRMapping mapping;
  llvm::DenseMap<Value, Value> constants;
  for (size_t i = 0; i < repeat.period; ++i) {
    Operation *op = run.get(0, i);
    SmallVector<Value> operands;
    for (auto [j, operand] : llvm::enumerate(op->getOperands())) {
      if (slots[i][j] >= 0) {
        operands.push_back(body->getArgument(slots[i][j]));
      } else if (Value inner = mapping.lookupOrNull(operand)) {
        operands.push_back(inner);
      } else {
        auto [it, inserted] = constants.try_emplace(operand);
        if (inserted)
          it->second = builder.clone(*operand.getDefiningOp())->getResult(0);
        operands.push_back(it->second);
      }
    }
    Operation *copy = builder.clone(*op, mapping);
    copy->setOperands(operands);
    for (OpResult result : copy->getResults())
      result.setType(types.get(result.getType()));
  }
  SmallVector<Value> returned;
  for (auto [i, r] : results)
    returned.push_back(mapping.lookup(run.get(0, i)->getResult(r)));
  func::ReturnOp::create(builder, loc, returned);
  for (Value value : returned)
    resultTypes.push_back(value.getType());
  function.setType(FunctionType::get(parent->getContext(), argumentTypes, resultTypes));
  symbols.insert(function);

  // The calls, each in place of the last op of its block: all operands are there.
  for (size_t block = 0; block < repeat.count; ++block) {
    SmallVector<Value> inputs;
    SmallVector<Type> outputs;
    for (auto &values : arguments)
      inputs.push_back(values[block]);
    for (auto [i, r] : results)
      outputs.push_back(run.get(block, i)->getResult(r).getType());
    builder.setInsertionPoint(run.get(block, repeat.period - 1));
    auto launch = LaunchOp::create(builder, run.get(block, 0)->getLoc(), outputs,
                                   function.getSymName(), inputs);
    for (auto [index, each] : llvm::enumerate(results))
      run.get(block, each.first)
          ->getResult(each.second)
          .replaceAllUsesWith(launch->getResult(index));
    for (auto &values : arguments)
      for (Value &value : values)
        for (auto [index, each] : llvm::enumerate(results))
          if (value == run.get(block, each.first)->getResult(each.second))
            value = launch->getResult(index);
    for (size_t i = repeat.period; i-- > 0;)
      run.get(block, i)->erase();
  }
  blocks.push_back({function, repeat.period, repeat.count, arguments.size(), results.size()});
}

void BlockOutliner::outlineRange(ArrayRef<Operation *> ops, ArrayRef<unsigned> tokens) {
  std::optional<Repeat> repeat = findBestRepeat(tokens, minOps);
  if (!repeat)
    return;
  // Of the places where blocks may begin, that with the fewest results.
  size_t bestShift = 0, fewest = SIZE_MAX;
  for (size_t shift = 0; shift <= std::min<size_t>(repeat->slack, 64); ++shift) {
    BlockRun run(ops.slice(repeat->begin + shift, repeat->period * repeat->count), repeat->period,
                 repeat->count);
    size_t live = 0;
    for (size_t i = 0; i < repeat->period; ++i)
      for (OpResult result : run.get(0, i)->getResults())
        live += run.isLiveOut(0, result);
    if (live < fewest) {
      fewest = live;
      bestShift = shift;
    }
  }
  size_t begin = repeat->begin + bestShift, period = repeat->period;
  ArrayRef<Operation *> run = ops.slice(begin, period * repeat->count);
  size_t count = BlockRun(run, period, repeat->count).getNumEqualBlocks();
  size_t end = begin + period * count;
  // Before, then the rest: ops of the two do not overlap with this run.
  ArrayRef<Operation *> before = ops.take_front(begin), after = ops.drop_front(end);
  if (count >= 2) {
    outline(run.take_front(period * count), {begin, period, count, 0});
  } else {
    // The first block differs from the rest: go on behind its first op.
    after = ops.drop_front(begin + 1);
    end = begin + 1;
  }
  outlineRange(before, tokens.take_front(begin));
  outlineRange(after, tokens.drop_front(end));
}

void BlockOutliner::run(func::FuncOp function) {
  SmallVector<Operation *> ops;
  SmallVector<unsigned> tokens;
  for (Operation &op : function.getBody().front()) {
    if (isParameter(&op))
      continue;
    ops.push_back(&op);
    tokens.push_back(getToken(&op));
  }
  size_t firstNew = blocks.size();
  outlineRange(ops, tokens);
  size_t lastNew = blocks.size();
  for (size_t i = firstNew; i < lastNew; ++i)
    run(blocks[i].function);
}
