//===- Experts.cpp - experts cut by their number --------------------------===//
//
// Expert parallelism: every rank has whole experts. A mixture is first taken apart
// into shares (what each expert counts for each row, from the router) and one
// operator for all experts, whose weights are stacked. Then the experts are a dim
// like any other, and the program is the same for all ranks.
//
//===----------------------------------------------------------------------===//
#include "Experts.h"

#include "Automatic.h"
#include "WrittenExperts.h"

#include "Dist/IR/Layout.h"
#include "Onnx/IR/Recipes.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

bool isGiven(Value value) { return !isa<NoneType>(value.getType()); }

/// The layers of a mixture as operands of part.Experts.
struct ExpertLayer {
  Value weights, scales, zeroPoints, bias; ///< null: absent
  int64_t bits = 0;
};

class ExpertSeparator {
public:
  ExpertSeparator(ModuleOp module, bool dispatch)
      : symbols(module), builder(module.getContext()), dispatch(dispatch) {}

  LogicalResult separateMoE(onnx::MsMoEOp op);
  LogicalResult separateQMoE(onnx::MsQMoEOp op);
  LogicalResult separateWritten(onnx::TopKOp op);

private:
  struct Router {
    Value input, shares;
    int64_t experts, k;
  };
  template <typename OpT> FailureOr<Router> readRouter(OpT op);
  Value makeShares(Value chosen, Value parts, int64_t experts);
  void replace(Value result, const Router &router, ArrayRef<ExpertLayer> layers,
               ArrayRef<NamedAttribute> attributes);
  Value stackWeights(const WrittenMixture &mixture, Value WrittenExpert::*weight);
  onnx::WeightOp makeWeight(onnx::WeightOp like, const Twine &suffix, Type type,
                            onnx::DerivedAttr recipe);
  void eraseUnused(Operation *op);

  Value makeOp(StringRef name, Type type, ValueRange operands,
               ArrayRef<NamedAttribute> attributes = {}) {
    return builder.create(getState(name, type, operands, attributes))->getResult(0);
  }
  OperationState getState(StringRef name, TypeRange types, ValueRange operands,
                          ArrayRef<NamedAttribute> attributes) {
    return OperationState(loc, name, operands, types, attributes);
  }
  Value makeConstant(DenseElementsAttr value) {
    return makeOp(onnx::ConstantOp::getOperationName(), value.getType(), {},
                  {builder.getNamedAttr("value", value)});
  }
  Value makeIntegers(ArrayRef<int64_t> values) {
    return makeConstant(DenseElementsAttr::get(
        RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getI64Type()),
        values));
  }
  NamedAttribute makeInt(StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  Value makeSum(Value value, Type type, int64_t axis, bool keep) {
    return makeOp(onnx::ReduceSumOp::getOperationName(), type, {value, makeIntegers({axis})},
                  {makeInt("keepdims", keep)});
  }

  SymbolTable symbols;
  OpBuilder builder;
  Location loc = builder.getUnknownLoc();
  bool dispatch;
};

RankedTensorType withElement(Value like, Type element) {
  auto type = cast<RankedTensorType>(like.getType());
  return RankedTensorType::get(type.getShape(), element, type.getEncoding());
}

/// The type with another extent in its last dim.
RankedTensorType withLast(Value like, int64_t extent, Type element) {
  SmallVector<DimExpr> extents = *getExtents(cast<RankedTensorType>(like.getType()));
  extents.back() = extent;
  return getTensorType(extents, element);
}

} // namespace

/// [.., experts]: of each expert the sum of the `parts` [.., k] whose indices `chosen`
/// are its number.
Value ExpertSeparator::makeShares(Value chosen, Value parts, int64_t experts) {
  auto type = cast<RankedTensorType>(parts.getType());
  Type i64 = builder.getI64Type(), element = type.getElementType();
  SmallVector<DimExpr> extents = *getExtents(type);
  int64_t rank = type.getRank();
  extents.emplace_back(1);
  Value axis = makeIntegers({rank});
  chosen =
      makeOp(onnx::UnsqueezeOp::getOperationName(), getTensorType(extents, i64), {chosen, axis});
  parts =
      makeOp(onnx::UnsqueezeOp::getOperationName(), getTensorType(extents, element), {parts, axis});
  extents.back() = experts;
  Value isChosen =
      makeOp(onnx::EqualOp::getOperationName(), getTensorType(extents, builder.getI1Type()),
             {chosen, makeIntegers(llvm::to_vector(llvm::seq<int64_t>(experts)))});
  Attribute nothing = builder.getFloatAttr(element, 0);
  Value zero = makeConstant(DenseElementsAttr::get(RankedTensorType::get({}, element), nothing));
  Value masked = makeOp(onnx::WhereOp::getOperationName(), getTensorType(extents, element),
                        {isChosen, parts, zero});
  extents.erase(extents.end() - 2);
  return makeSum(masked, getTensorType(extents, element), rank - 1, /*keep=*/false);
}

/// The shares that the router of MoE or QMoE gives to the experts, of the rank of
/// the input.
template <typename OpT> FailureOr<ExpertSeparator::Router> ExpertSeparator::readRouter(OpT op) {
  builder.setInsertionPoint(op);
  loc = op.getLoc();
  Value scores = op.getRouterProbs();
  auto input = dyn_cast<RankedTensorType>(op.getInput().getType());
  auto type = dyn_cast<RankedTensorType>(scores.getType());
  int64_t k = op.getK();
  if (!input || !type || failed(getExtents(input)) || failed(getExtents(type)) ||
      input.getRank() < 2 || input.getRank() > 3 || type.getRank() != 2 || type.isDynamicDim(1) ||
      k < 1 || k > type.getDimSize(1) || op.getUseSparseMixer())
    return op->emitError() << "its experts cannot be cut: expected an input of rank 2 or 3, a "
                              "router [rows, experts] with at least k = "
                           << k << " experts, and no sparse mixer, got " << op.getInput().getType()
                           << " and " << scores.getType();
  int64_t experts = type.getDimSize(1);
  Type f32 = builder.getF32Type();
  if (type.getElementType() != f32)
    scores = makeOp(onnx::CastOp::getOperationName(), withElement(scores, f32), {scores},
                    {makeInt("to", 1)} /* FLOAT */);
  Type best = withLast(scores, k, f32);
  Operation *top = builder.create(
      getState(onnx::TopKOp::getOperationName(), {best, withLast(scores, k, builder.getI64Type())},
               {scores, makeIntegers({k})},
               {makeInt("axis", -1), makeInt("largest", 1), makeInt("sorted", 1)}));
  Value values = top->getResult(0), chosen = top->getResult(1), parts;
  auto soften = [&](Value value) {
    return makeOp(onnx::SoftmaxOp::getOperationName(), value.getType(), {value},
                  {makeInt("axis", -1)});
  };
  auto pick = [&](Value from) {
    return makeOp(onnx::GatherElementsOp::getOperationName(), best, {from, chosen},
                  {makeInt("axis", -1)});
  };
  if constexpr (std::is_same_v<OpT, onnx::MsMoEOp>) {
    parts = op.getNormalizeRoutingWeights() ? soften(values) : pick(soften(scores));
  } else if (!isGiven(op.getRouterWeights())) {
    // The softmax is over the chosen experts, normalised or not.
    parts = soften(values);
  } else {
    Value given = op.getRouterWeights();
    if (cast<RankedTensorType>(given.getType()).getElementType() != f32)
      given = makeOp(onnx::CastOp::getOperationName(), withElement(given, f32), {given},
                     {makeInt("to", 1)});
    parts = pick(given);
    if (op.getNormalizeRoutingWeights()) {
      // Where all are 0 none counts.
      auto scalar = [&](float value) {
        return makeConstant(DenseElementsAttr::get(RankedTensorType::get({}, f32), value));
      };
      Value sum = makeSum(parts, withLast(parts, 1, f32), 1, /*keep=*/true);
      Value isNone = makeOp(onnx::EqualOp::getOperationName(),
                            withElement(sum, builder.getI1Type()), {sum, scalar(0)});
      sum = makeOp(onnx::WhereOp::getOperationName(), sum.getType(), {isNone, scalar(1), sum});
      parts = makeOp(onnx::DivOp::getOperationName(), best, {parts, sum});
    }
  }
  Value shares = makeShares(chosen, parts, experts);
  if (input.getRank() == 3) {
    auto flat = withLast(op.getInput(), experts, f32);
    SmallVector<Attribute> texts;
    SmallVector<DimExpr> extents = *getExtents(flat);
    for (const DimExpr &extent : extents)
      texts.push_back(builder.getStringAttr(extent.print()));
    Value shape = flat.hasStaticShape()
                      ? makeIntegers(flat.getShape())
                      : Value(onnx::DimsTensorOp::create(
                            builder, loc, RankedTensorType::get({3}, builder.getI64Type()),
                            builder.getArrayAttr(texts)));
    shares = makeOp(onnx::ReshapeOp::getOperationName(), flat, {shares, shape});
  }
  return Router{op.getInput(), shares, experts, k};
}

/// Puts part.Experts in the place of `result`.
void ExpertSeparator::replace(Value result, const Router &router, ArrayRef<ExpertLayer> layers,
                              ArrayRef<NamedAttribute> attributes) {
  Value none = onnx::NoneOp::create(builder, loc, builder.getNoneType());
  SmallVector<Value> operands{router.input, router.shares};
  SmallVector<NamedAttribute> all(attributes);
  all.append({makeInt("num_experts", router.experts), makeInt("k", router.k)});
  if (dispatch)
    all.push_back(makeInt("dispatch", 1));
  for (auto [index, layer] : llvm::enumerate(layers)) {
    for (Value operand : {layer.weights, layer.scales, layer.zeroPoints, layer.bias})
      operands.push_back(operand ? operand : none);
    if (layer.bits)
      all.push_back(makeInt(("fc" + Twine(index + 1) + "_bits").str(), layer.bits));
  }
  Operation *replaced = result.getDefiningOp();
  result.replaceAllUsesWith(
      makeOp(onnx::PartExpertsOp::getOperationName(), result.getType(), operands, all));
  eraseUnused(replaced);
}

/// Attributes that mean the same in MoE, QMoE and part.Experts.
static SmallVector<NamedAttribute> getActivation(Operation *op) {
  SmallVector<NamedAttribute> attributes;
  for (StringRef name : {"activation_type", "swiglu_fusion", "activation_alpha", "activation_beta",
                         "swiglu_limit", "swiglu_limit_after_activation", "block_size"})
    if (Attribute attribute = op->getAttr(name))
      attributes.emplace_back(StringAttr::get(op->getContext(), name), attribute);
  return attributes;
}

LogicalResult ExpertSeparator::separateMoE(onnx::MsMoEOp op) {
  FailureOr<Router> router = readRouter(op);
  if (failed(router))
    return failure();
  ExpertLayer layers[] = {{op.getFc1ExpertsWeights(), {}, {}, op.getFc1ExpertsBias()},
                          {op.getFc2ExpertsWeights(), {}, {}, op.getFc2ExpertsBias()},
                          {op.getFc3ExpertsWeights(), {}, {}, op.getFc3ExpertsBias()}};
  replace(op.getResult(), *router, layers, getActivation(op));
  return success();
}

LogicalResult ExpertSeparator::separateQMoE(onnx::MsQMoEOp op) {
  if (op.getQuantType() != "int" || static_cast<int64_t>(op.getWeightsPrepacked()) > 0)
    return op->emitError() << "its experts cannot be cut: expected quant_type int in the layout "
                              "of the model, got quant_type "
                           << op.getQuantType() << ", weights_prepacked "
                           << static_cast<int64_t>(op.getWeightsPrepacked());
  FailureOr<Router> router = readRouter(op);
  if (failed(router))
    return failure();
  int64_t bits = op.getExpertWeightBits();
  auto getBits = [&](std::optional<uint64_t> own) { return own ? int64_t(*own) : bits; };
  ExpertLayer layers[] = {{op.getFc1ExpertsWeights(), op.getFc1Scales(), op.getFc1ZeroPoints(),
                           op.getFc1ExpertsBias(), getBits(op.getFc1ExpertWeightBits())},
                          {op.getFc2ExpertsWeights(), op.getFc2Scales(), op.getFc2ZeroPoints(),
                           op.getFc2ExpertsBias(), getBits(op.getFc2ExpertWeightBits())},
                          {op.getFc3ExpertsWeights(), op.getFc3Scales(), op.getFc3ZeroPoints(),
                           op.getFc3ExpertsBias(), getBits(op.getFc3ExpertWeightBits())}};
  replace(op.getResult(), *router, layers, getActivation(op));
  return success();
}

onnx::WeightOp ExpertSeparator::makeWeight(onnx::WeightOp like, const Twine &suffix, Type type,
                                           onnx::DerivedAttr recipe) {
  OpBuilder outer(like->getContext());
  outer.setInsertionPointAfter(like);
  auto made = onnx::WeightOp::create(outer, like.getLoc(), (like.getSymName() + suffix).str(), type,
                                     recipe);
  symbols.insert(made); // renames it if the name is taken
  return made;
}

/// The matrices [in, out] of all experts as one weight [experts, out, in].
Value ExpertSeparator::stackWeights(const WrittenMixture &mixture, Value WrittenExpert::*weight) {
  if (!(mixture.experts.front().*weight))
    return {};
  MLIRContext *context = builder.getContext();
  auto swap = onnx::TransposeStepAttr::get(context, {1, 0});
  SmallVector<FlatSymbolRefAttr> sources;
  SmallVector<Attribute> steps;
  onnx::WeightOp first;
  RankedTensorType part;
  for (const WrittenExpert &expert : mixture.experts) {
    auto use = (expert.*weight).getDefiningOp<onnx::UseOp>();
    auto matrix = symbols.lookup<onnx::WeightOp>(use.getWeight());
    auto type = cast<RankedTensorType>(use.getType());
    part =
        RankedTensorType::get({1, type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
    auto view = onnx::ReshapeStepAttr::get(context, part.getShape());
    onnx::DerivedAttr recipe = onnx::continueRecipe(matrix, {swap, view});
    // Exporters transpose matrices that are [out, in]: twice is not at all.
    if (auto derived = dyn_cast<onnx::DerivedAttr>(matrix.getValue());
        derived && !derived.getSteps().empty() && derived.getSteps().back() == swap) {
      SmallVector<Attribute> before(derived.getSteps().drop_back());
      before.push_back(view);
      recipe = onnx::DerivedAttr::get(context, derived.getSources(), before);
    }
    onnx::WeightOp made = makeWeight(matrix, ".expert", part, recipe);
    if (!first)
      first = made;
    else
      steps.push_back(onnx::BinaryStepAttr::get(context, builder.getStringAttr("concat"),
                                                sources.size(), /*reversed=*/false));
    sources.push_back(FlatSymbolRefAttr::get(made.getSymNameAttr()));
  }
  SmallVector<int64_t> shape(part.getShape());
  shape[0] = sources.size();
  auto type = RankedTensorType::get(shape, part.getElementType());
  onnx::WeightOp stacked =
      makeWeight(first, "s", type, onnx::DerivedAttr::get(context, sources, steps));
  return onnx::UseOp::create(builder, first.getLoc(), type,
                             FlatSymbolRefAttr::get(stacked.getSymNameAttr()));
}

LogicalResult ExpertSeparator::separateWritten(onnx::TopKOp op) {
  WrittenMixture mixture;
  Operation *fault = nullptr;
  if (std::string reason = readMixture(op, mixture, fault); !reason.empty()) {
    InFlightDiagnostic diagnostic =
        fault->emitError() << "the experts of this router are written out in a form that cannot "
                              "be cut by experts: "
                           << reason << "; use tp, which cuts every expert";
    if (fault != op.getOperation())
      diagnostic.attachNote(op.getLoc()) << "they are chosen by this node";
    return diagnostic;
  }
  Operation *last = mixture.total.getDefiningOp();
  builder.setInsertionPoint(last);
  loc = last->getLoc();
  const WrittenExpert &first = mixture.experts.front();
  if (failed(getExtents(cast<RankedTensorType>(first.parts.getType()))))
    return op->emitError("its experts cannot be cut: the shape of what they count is not known");
  int64_t experts = mixture.experts.size();
  Value shares = makeShares(op->getResult(1), first.parts, experts);
  int64_t k = cast<RankedTensorType>(op->getResult(1).getType()).getShape().back();
  ExpertLayer layers[3];
  // Of a gated expert the first layer is the one under the activation.
  layers[0].weights = stackWeights(mixture, first.gate ? &WrittenExpert::gate : &WrittenExpert::up);
  layers[1].weights = stackWeights(mixture, &WrittenExpert::down);
  if (first.gate)
    layers[2].weights = stackWeights(mixture, &WrittenExpert::up);
  replace(mixture.total, {first.input, shares, experts, k}, layers,
          {builder.getNamedAttr("activation_type", builder.getStringAttr(first.activation))});
  return success();
}

/// Erases an op that nothing reads any more, and what was made for it alone.
void ExpertSeparator::eraseUnused(Operation *op) {
  llvm::SetVector<Operation *> unused;
  unused.insert(op);
  while (!unused.empty()) {
    Operation *dead = unused.pop_back_val();
    if (!dead->use_empty() || !isMemoryEffectFree(dead))
      continue;
    for (Value operand : dead->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        unused.insert(producer);
    dead->erase();
  }
}

LogicalResult dist::separateExperts(ModuleOp module, func::FuncOp main, bool dispatch) {
  SmallVector<Operation *> mixtures;
  for (Operation &op : main.front())
    if (isa<onnx::MsMoEOp, onnx::MsQMoEOp>(op) || (isa<onnx::TopKOp>(op) && choosesExperts(&op)))
      mixtures.push_back(&op);
  if (mixtures.empty())
    return main.emitError("expert parallelism has nothing to cut: no operator is MoE or QMoE, and "
                          "no experts are written out under the indices of a TopK; use tp, dp or "
                          "pp");
  ExpertSeparator separator(module, dispatch);
  for (Operation *op : mixtures) {
    LogicalResult done = llvm::TypeSwitch<Operation *, LogicalResult>(op)
                             .Case([&](onnx::MsMoEOp op) { return separator.separateMoE(op); })
                             .Case([&](onnx::MsQMoEOp op) { return separator.separateQMoE(op); })
                             .Case([&](onnx::TopKOp op) { return separator.separateWritten(op); });
    if (failed(done))
      return failure();
  }
  return success();
}

LogicalResult dist::cutExperts(func::FuncOp main, ArrayRef<MeshOp> meshes, StringRef axisName,
                               Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), axisName);
  for (auto op : main.front().getOps<onnx::PartExpertsOp>()) {
    int64_t ways = MeshOp(meshes[getStage(op)]).getAxisSize(axisName).value_or(1);
    if (ways == 1)
      continue;
    constexpr unsigned weights = 2; // of the first layer; their dim 0 is that of the experts
    int64_t experts = cast<RankedTensorType>(op->getOperand(weights).getType()).getDimSize(0);
    if (experts < ways)
      return op->emitError() << "has " << experts << " experts for the " << ways
                             << " ranks of axis \"" << axisName << "\": " << axisName << "="
                             << experts << " would work";
    if (std::optional<std::string> reason = propagation.cutOperand(op, weights, 0, {{axis}, 1}))
      return op->emitError() << "its experts cannot be cut along axis \"" << axisName
                             << "\": " << *reason;
    propagation.run();
    writeDirective(op, weights, propagation);
  }
  return success();
}
