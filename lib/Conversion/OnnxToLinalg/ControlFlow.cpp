//===- ControlFlow.cpp - If, Loop, Scan ------------------------------------===//
//
// The graph attributes are inlined into scf operations. Their ops are lowered
// afterwards by their own patterns; the graph's onnx.yield is lowered last, by
// the scf operation that it has come to lie in.
//
//===----------------------------------------------------------------------===//
#include "Patterns.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Attributes that a loop leaves on its onnx.yield: the axis of each stacked
/// output (in the result), whether it is filled from the end, and how many
/// values of the yield come before the carried ones.
constexpr StringLiteral axesName = "dougong.scan_axes", backName = "dougong.scan_backward",
                        skipName = "dougong.scan_skip";

bool areTensors(TypeRange types) {
  return llvm::all_of(types, [](Type type) { return isa<RankedTensorType>(type); });
}

/// Leaves the op as it is, and says why.
LogicalResult refuse(Operation *op, ConversionPatternRewriter &rewriter, StringRef reason) {
  RefusalLog::note(op->getLoc(), reason);
  return rewriter.notifyMatchFailure(op, reason);
}

/// Part `index` of dim `axis` of `tensor`, as a tensor of type `type` without it.
Value takeSlice(Emitter &e, Value tensor, int64_t axis, Value index, RankedTensorType type) {
  RankedTensorType source = typeOf(tensor);
  Extents sizes = e.extentsOf(tensor), offsets(source.getRank(), e.attr(0)),
          strides(source.getRank(), e.attr(1));
  offsets[axis] = index;
  sizes[axis] = e.attr(1);
  SmallVector<int64_t> shape(source.getShape());
  shape.erase(shape.begin() + axis);
  Value part = tensor::ExtractSliceOp::create(
      e, RankedTensorType::get(shape, source.getElementType()), tensor, offsets, sizes, strides);
  return e.castTo(part, type);
}

Value putSlice(Emitter &e, Value part, Value whole, int64_t axis, Value index) {
  int64_t rank = typeOf(whole).getRank();
  Extents sizes = e.extentsOf(whole), offsets(rank, e.attr(0)), strides(rank, e.attr(1));
  offsets[axis] = index;
  sizes[axis] = e.attr(1);
  // What the whole knows of its extents, the part shall know too.
  SmallVector<int64_t> shape(typeOf(whole).getShape());
  shape.erase(shape.begin() + axis);
  part = e.castTo(part, RankedTensorType::get(shape, typeOf(whole).getElementType()));
  return tensor::InsertSliceOp::create(e, part, whole, offsets, sizes, strides);
}

/// `value` written where the state was read: loops carry buffers in place.
Value writeState(Emitter &e, Value value, Value carried) {
  value = e.castTo(value, carried.getType());
  return linalg::CopyOp::create(e, ValueRange{value}, ValueRange{carried}).getResult(0);
}

/// Whether both values of the onnx dialect have one shape, as far as is known.
bool haveSameShape(Value a, Value b) {
  auto left = cast<RankedTensorType>(a.getType()), right = cast<RankedTensorType>(b.getType());
  if (left.getShape() != right.getShape())
    return false;
  auto leftDims = dyn_cast_if_present<DimsAttr>(left.getEncoding());
  auto rightDims = dyn_cast_if_present<DimsAttr>(right.getEncoding());
  for (int64_t dim = 0; dim < left.getRank(); ++dim)
    if (left.isDynamicDim(dim) &&
        (!leftDims || !rightDims || leftDims.getExprs()[dim] != rightDims.getExprs()[dim]))
      return false;
  return true;
}

/// Whether the states of a loop keep their shapes: arguments from `first` on,
/// yielded values from `firstYielded` on.
bool statesKeepShape(Block &body, size_t first, size_t firstYielded, size_t count) {
  Operation *yield = body.getTerminator();
  if (yield->getNumOperands() < firstYielded + count || !areTensors(yield->getOperandTypes()))
    return false;
  for (size_t i = 0; i < count; ++i)
    if (!haveSameShape(body.getArgument(first + i), yield->getOperand(firstYielded + i)))
      return false;
  return true;
}

/// Gives the arguments of `block` their converted types.
Block *convertArguments(Block &block, const TypeConverter &converter,
                        ConversionPatternRewriter &rewriter) {
  TypeConverter::SignatureConversion signature(block.getNumArguments());
  for (BlockArgument argument : block.getArguments())
    signature.addInputs(argument.getArgNumber(), converter.convertType(argument.getType()));
  return rewriter.applySignatureConversion(&block, signature, &converter);
}

/// What a counted loop runs.
struct CountedLoop {
  Value count;
  SmallVector<Value> states;           ///< converted, before the first iteration
  SmallVector<unsigned> stateArgs;     ///< arguments of the body that are states
  SmallVector<int64_t> axes, backward; ///< of stacked results
  int64_t skip = 0;
  /// The body's other arguments, by their number, from the loop's index.
  std::function<Value(Emitter &e, unsigned argument, Value index, Type type)> argument;
};

LogicalResult buildCountedLoop(Operation *op, Block &body, const CountedLoop &loop,
                               const TypeConverter &converter,
                               ConversionPatternRewriter &rewriter) {
  Emitter e(op->getLoc(), rewriter);
  size_t states = loop.states.size();
  SmallVector<Value> inits;
  for (auto [state, argument] : llvm::zip_equal(loop.states, loop.stateArgs))
    inits.push_back(e.castTo(state, converter.convertType(body.getArgument(argument).getType())));
  for (size_t i = states; i < op->getNumResults(); ++i) {
    auto type = cast<RankedTensorType>(op->getResult(i).getType());
    Value stacked = e.empty(e.extents(type), resultElement(op, i));
    inits.push_back(e.castTo(stacked, converter.convertType(type)));
  }
  auto forOp = scf::ForOp::create(e, e.index(int64_t{0}), loop.count, e.index(int64_t{1}), inits);
  if (inits.empty())
    rewriter.eraseOp(forOp.getBody()->getTerminator());
  Operation *yield = body.getTerminator();
  rewriter.modifyOpInPlace(yield, [&] {
    yield->setAttr(axesName, rewriter.getDenseI64ArrayAttr(loop.axes));
    yield->setAttr(backName, rewriter.getDenseI64ArrayAttr(loop.backward));
    yield->setAttr(skipName, rewriter.getI64IntegerAttr(loop.skip));
  });
  Block *converted = convertArguments(body, converter, rewriter);
  rewriter.setInsertionPointToStart(forOp.getBody());
  Emitter inner(op->getLoc(), rewriter);
  SmallVector<Value> arguments;
  for (BlockArgument argument : converted->getArguments()) {
    unsigned number = argument.getArgNumber();
    const auto *found = llvm::find(loop.stateArgs, number);
    if (found != loop.stateArgs.end())
      arguments.push_back(forOp.getRegionIterArg(found - loop.stateArgs.begin()));
    else
      arguments.push_back(
          loop.argument(inner, number, forOp.getInductionVar(), argument.getType()));
  }
  rewriter.inlineBlockBefore(converted, forOp.getBody(), forOp.getBody()->end(), arguments);
  rewriter.setInsertionPointAfter(forOp);
  Emitter after(op->getLoc(), rewriter);
  SmallVector<Value> results;
  for (auto [value, result] : llvm::zip_equal(forOp.getResults(), op->getResults()))
    results.push_back(after.castTo(value, converter.convertType(result.getType())));
  rewriter.replaceOp(op, results);
  return success();
}

class ScanLowering : public OpConversionPattern<ScanOp> {
public:
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ScanOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Block &body = op.getBody().front();
    ValueRange operands = adaptor.getOperands();
    size_t scans = op.getNumScanInputs(), states = operands.size() - scans;
    if (!areTensors(op->getOperandTypes()) || !areTensors(op->getResultTypes()) ||
        !areTensors(body.getArgumentTypes()))
      return refuse(op, rewriter, "values other than ranked tensors are not supported");
    if (!statesKeepShape(body, 0, 0, states))
      return refuse(op, rewriter, "a state whose shape changes is not supported");
    auto entry = [](std::optional<ArrayRef<int64_t>> list, size_t i) {
      return list && i < list->size() ? (*list)[i] : 0;
    };
    CountedLoop loop;
    Emitter e(op.getLoc(), rewriter);
    for (size_t i = 0; i < states; ++i) {
      loop.states.push_back(operands[i]);
      loop.stateArgs.push_back(i);
    }
    SmallVector<int64_t> axes, backward;
    for (size_t i = 0; i < scans; ++i) {
      int64_t rank = typeOf(operands[states + i]).getRank();
      axes.push_back(normalizeAxis(entry(op.getScanInputAxes(), i), rank));
      backward.push_back(entry(op.getScanInputDirections(), i));
    }
    loop.count = e.index(e.extent(op.getOperand(states).getType(), axes[0]));
    for (size_t i = states; i < op->getNumResults(); ++i) {
      loop.axes.push_back(
          normalizeAxis(entry(op.getScanOutputAxes(), i - states), resultType(op, i).getRank()));
      loop.backward.push_back(entry(op.getScanOutputDirections(), i - states));
    }
    loop.argument = [&](Emitter &e, unsigned argument, Value index, Type type) {
      size_t scan = argument - states;
      if (backward[scan])
        index = e.sub(e.sub(loop.count, e.index(int64_t{1})), index);
      return takeSlice(e, operands[argument], axes[scan], index, cast<RankedTensorType>(type));
    };
    return buildCountedLoop(op, body, loop, *getTypeConverter(), rewriter);
  }
};

/// Whether `value` is a constant other than 0.
bool isTrue(Value value) {
  auto known = getConstantInts(value);
  return known && known->size() == 1 && known->front() != 0;
}

/// The only element of `tensor`.
Value scalarOf(Emitter &e, Value tensor) {
  SmallVector<Value> at(typeOf(tensor).getRank());
  for (Value &index : at)
    index = e.index(int64_t{0});
  return e.extract(tensor, at);
}

/// A tensor of type `type` (of one element) of `scalar`.
Value tensorOf(Emitter &e, Value scalar, Type type) {
  return tensor::FromElementsOp::create(e, cast<RankedTensorType>(type), scalar);
}

class LoopLowering : public OpConversionPattern<LoopOp> {
public:
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(LoopOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Block &body = op.getBody().front();
    if (!areTensors(op.getVInitial().getTypes()) || !areTensors(op->getResultTypes()) ||
        !areTensors(body.getArgumentTypes()))
      return refuse(op, rewriter, "values other than ranked tensors are not supported");
    if (!statesKeepShape(body, 2, 1, op.getVInitial().size()))
      return refuse(op, rewriter, "a state whose shape changes is not supported");
    for (unsigned i : {0u, 1u})
      if (!cast<RankedTensorType>(body.getArgument(i).getType()).hasStaticShape())
        return refuse(op, rewriter, "an iteration number of unknown shape");
    Value next = body.getTerminator()->getOperand(0);
    if (auto identity = next.getDefiningOp<IdentityOp>())
      next = identity.getInput();
    bool always = (!present(op.getCond()) || isTrue(op.getCond())) &&
                  (next == body.getArgument(1) || isTrue(next));
    if (always && present(op.getM()))
      return buildFor(op, adaptor, rewriter);
    return buildWhile(op, adaptor, rewriter);
  }

private:
  LogicalResult buildFor(LoopOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const {
    CountedLoop loop;
    Emitter e(op.getLoc(), rewriter);
    loop.count = e.max(e.toIndex(scalarOf(e, adaptor.getM())), e.index(int64_t{0}));
    for (Value state : adaptor.getVInitial()) {
      loop.stateArgs.push_back(2 + loop.states.size());
      loop.states.push_back(state);
    }
    loop.skip = 1;
    size_t stacked = op->getNumResults() - loop.states.size();
    loop.axes.assign(stacked, 0);
    loop.backward.assign(stacked, 0);
    loop.argument = [](Emitter &e, unsigned argument, Value index, Type type) {
      if (argument == 1)
        return tensorOf(e, e.constantInt(e.getI1Type(), 1), type);
      return tensorOf(e, arith::IndexCastOp::create(e, e.getI64Type(), index), type);
    };
    return buildCountedLoop(op, op.getBody().front(), loop, *getTypeConverter(), rewriter);
  }

  /// A loop whose end depends on data: it carries the model's states, the
  /// iteration number, and the condition (which the body need not be told: it
  /// runs only where that is true).
  LogicalResult buildWhile(LoopOp op, OpAdaptor adaptor,
                           ConversionPatternRewriter &rewriter) const {
    const TypeConverter &converter = *getTypeConverter();
    Block &body = op.getBody().front();
    ValueRange states = adaptor.getVInitial();
    if (op->getNumResults() != states.size())
      return refuse(op, rewriter,
                    "stacked outputs of a loop whose number of iterations depends on data are not "
                    "supported");
    Emitter e(op.getLoc(), rewriter);
    Type i64 = e.getI64Type(), i1 = e.getI1Type();
    Value limit = present(adaptor.getM()) ? scalarOf(e, adaptor.getM()) : Value();
    Value start =
        present(adaptor.getCond()) ? scalarOf(e, adaptor.getCond()) : e.constantInt(i1, 1);
    SmallVector<Value> inits;
    SmallVector<Type> types;
    for (auto [index, state] : llvm::enumerate(states)) {
      types.push_back(converter.convertType(body.getArgument(2 + index).getType()));
      inits.push_back(e.castTo(state, types.back()));
    }
    types.push_back(i64);
    inits.append({e.constantInt(i64, 0), start});
    SmallVector<Type> beforeTypes(types);
    beforeTypes.push_back(i1);
    SmallVector<Location> locations(beforeTypes.size(), op.getLoc());
    auto whileOp = scf::WhileOp::create(e, types, inits);
    Block *before = rewriter.createBlock(&whileOp.getBefore(), {}, beforeTypes, locations);
    {
      Emitter inner(op.getLoc(), rewriter);
      Value go = before->getArguments().back();
      if (limit) {
        Value number = before->getArgument(states.size());
        Value below = inner.compare(Emitter::Compare::Less, number, limit);
        go = arith::AndIOp::create(inner, go, below);
      }
      scf::ConditionOp::create(inner, go, before->getArguments().drop_back());
    }
    Block *converted = convertArguments(body, converter, rewriter);
    locations.pop_back();
    Block *after = rewriter.createBlock(&whileOp.getAfter(), {}, types, locations);
    Emitter inner(op.getLoc(), rewriter);
    SmallVector<Value> arguments{
        tensorOf(inner, after->getArguments().back(), converted->getArgument(0).getType()),
        tensorOf(inner, inner.constantInt(i1, 1), converted->getArgument(1).getType())};
    llvm::append_range(arguments, after->getArguments().drop_back());
    rewriter.inlineBlockBefore(converted, after, after->end(), arguments);
    rewriter.setInsertionPointAfter(whileOp);
    Emitter last(op.getLoc(), rewriter);
    SmallVector<Value> results;
    for (auto [value, result] : llvm::zip(whileOp.getResults(), op->getResults()))
      results.push_back(last.castTo(value, converter.convertType(result.getType())));
    rewriter.replaceOp(op, results);
    return success();
  }
};

class IfLowering : public OpConversionPattern<IfOp> {
public:
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(IfOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (!areTensors(op->getResultTypes()))
      return refuse(op, rewriter, "values other than ranked tensors are not supported");
    SmallVector<Type> types;
    if (failed(getTypeConverter()->convertTypes(op->getResultTypes(), types)))
      return failure();
    Emitter e(op.getLoc(), rewriter);
    Value condition = scalarOf(e, adaptor.getCond());
    auto ifOp = scf::IfOp::create(e, types, condition, /*addThenBlock=*/false,
                                  /*addElseBlock=*/false);
    rewriter.inlineRegionBefore(op.getThenBranch(), ifOp.getThenRegion(),
                                ifOp.getThenRegion().end());
    rewriter.inlineRegionBefore(op.getElseBranch(), ifOp.getElseRegion(),
                                ifOp.getElseRegion().end());
    rewriter.replaceOp(op, ifOp.getResults());
    return success();
  }
};

class YieldLowering : public OpConversionPattern<YieldOp> {
public:
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(YieldOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Operation *parent = op->getParentOp();
    Emitter e(op.getLoc(), rewriter);
    ValueRange values = adaptor.getOperands();
    SmallVector<Value> results;
    if (isa<scf::IfOp>(parent)) {
      for (auto [value, type] : llvm::zip_equal(values, parent->getResultTypes()))
        results.push_back(e.castTo(value, type));
    } else if (auto loop = dyn_cast<scf::ForOp>(parent)) {
      auto axes = op->getAttrOfType<DenseI64ArrayAttr>(axesName);
      auto backward = op->getAttrOfType<DenseI64ArrayAttr>(backName);
      auto skip = op->getAttrOfType<IntegerAttr>(skipName);
      if (!axes || !backward || !skip)
        return refuse(op, rewriter, "the loop is not of a Scan or Loop");
      values = values.drop_front(skip.getInt());
      size_t states = values.size() - axes.size();
      for (auto [i, value] : llvm::enumerate(values)) {
        Value carried = loop.getRegionIterArg(i);
        if (i < states) {
          results.push_back(writeState(e, value, carried));
          continue;
        }
        Value index = loop.getInductionVar();
        if (backward[i - states])
          index = e.sub(e.sub(loop.getUpperBound(), e.index(int64_t{1})), index);
        results.push_back(putSlice(e, value, carried, axes[i - states], index));
      }
    } else if (auto loop = dyn_cast<scf::WhileOp>(parent)) {
      Block &body = loop.getAfter().front();
      for (auto [value, carried] : llvm::zip(values.drop_front(), body.getArguments()))
        results.push_back(writeState(e, value, carried));
      results.push_back(e.add(body.getArguments().back(), e.constantInt(e.getI64Type(), 1)));
      results.push_back(scalarOf(e, values[0]));
    } else {
      return refuse(op, rewriter, "the operation around it is not supported");
    }
    rewriter.replaceOpWithNewOp<scf::YieldOp>(op, results);
    return success();
  }
};

} // namespace

void dougong::onnx::populateControlFlowPatterns(PatternSet &set) {
  set.patterns.add<ScanLowering, LoopLowering, IfLowering, YieldLowering>(
      set.converter, set.patterns.getContext());
}
