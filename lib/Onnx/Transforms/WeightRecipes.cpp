//===- WeightRecipes.cpp - computations on weights as recipes -------------===//
#include "WeightRecipes.h"

#include "Utils.h"

#include "dougong/Onnx/ShapeScope.h"

using namespace mlir;
using namespace dougong::onnx;

WeightRecipes::WeightRecipes(ModuleOp module)
    : module(module), symbols(module), builder(module.getContext()) {
  for (auto weight : module.getOps<WeightOp>()) {
    existing.try_emplace({weight.getValue(), weight.getType()},
                         FlatSymbolRefAttr::get(weight.getSymNameAttr()));
    lastWeight = weight;
  }
}

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

/// A weight, or the recipe of one that is derived already.
WeightRecipe WeightRecipes::start(UseOp use) {
  auto type = cast<RankedTensorType>(use.getType());
  WeightRecipe recipe{{use.getWeightAttr()}, {}, type, use.getLoc()};
  auto weight = symbols.lookup<WeightOp>(use.getWeight());
  if (auto derived = weight ? dyn_cast<DerivedAttr>(weight.getValue()) : DerivedAttr()) {
    recipe.sources.assign(derived.getSources().begin(), derived.getSources().end());
    recipe.steps.assign(derived.getSteps().begin(), derived.getSteps().end());
  }
  return recipe;
}

WeightRecipe *WeightRecipes::find(Value value) {
  auto it = recipes.find(value);
  if (it != recipes.end())
    return &it->second;
  if (auto use = value.getDefiningOp<UseOp>())
    return &recipes.try_emplace(value, start(use)).first->second;
  return nullptr;
}

bool WeightRecipes::isDerived(Value value) const {
  return recipes.contains(value) && !value.getDefiningOp<UseOp>();
}

/// Appends a step, merged with the last one where one step says both.
void WeightRecipes::addStep(WeightRecipe &recipe, Attribute step, RankedTensorType type) {
  recipe.type = type;
  Attribute last = recipe.steps.empty() ? Attribute() : recipe.steps.back();
  if (auto reshape = dyn_cast<ReshapeStepAttr>(step)) {
    if (isa_and_present<ReshapeStepAttr>(last))
      recipe.steps.pop_back();
  } else if (auto transpose = dyn_cast<TransposeStepAttr>(step)) {
    if (auto first = dyn_cast_if_present<TransposeStepAttr>(last)) {
      SmallVector<int64_t> composed;
      bool isIdentity = true;
      for (int64_t source : transpose.getPermutation()) {
        composed.push_back(first.getPermutation()[source]);
        isIdentity &= composed.back() == int64_t(composed.size()) - 1;
      }
      recipe.steps.pop_back();
      if (isIdentity)
        return;
      step = TransposeStepAttr::get(builder.getContext(), composed);
    }
  }
  recipe.steps.push_back(step);
}

void WeightRecipes::addBinary(WeightRecipe &recipe, StringRef kind, FlatSymbolRefAttr other,
                              bool reversed, RankedTensorType type) {
  unsigned index = 0;
  for (index = 1; index < recipe.sources.size(); ++index)
    if (recipe.sources[index] == other)
      break;
  if (index >= recipe.sources.size()) {
    index = recipe.sources.size();
    recipe.sources.push_back(other);
  }
  addStep(recipe,
          BinaryStepAttr::get(builder.getContext(), builder.getStringAttr(kind), index, reversed),
          type);
}

FlatSymbolRefAttr WeightRecipes::getParameter(Value value, ArrayRef<int64_t> shape, Type element) {
  WeightRecipe recipe{{}, {}, cast<RankedTensorType>(value.getType()), value.getLoc()};
  if (WeightRecipe *known = find(value)) {
    recipe = *known;
  } else {
    ElementsAttr elements = getConstantValue(value);
    StringRef node = getNodeName(value.getLoc());
    recipe.sources.push_back(
        addWeight(node.empty() ? "constant" : node, value.getLoc(), value.getType(), elements));
  }
  auto type = RankedTensorType::get(shape, recipe.type.getElementType());
  if (type != recipe.type)
    addStep(recipe, ReshapeStepAttr::get(builder.getContext(), shape), type);
  if (type.getElementType() != element)
    addStep(recipe, CastStepAttr::get(builder.getContext(), element),
            RankedTensorType::get(shape, element));
  return materialize(recipe);
}

bool WeightRecipes::recordBinary(Operation *op, StringRef kind) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  // The operand with the result's shape carries the recipe.
  for (unsigned side : {0u, 1u}) {
    Value main = op->getOperand(side), other = op->getOperand(1 - side);
    WeightRecipe *recipe = find(main);
    if (!recipe || main.getType() != type || (!find(other) && !getConstantValue(other)))
      continue;
    auto otherType = cast<RankedTensorType>(other.getType());
    WeightRecipe result = *find(main);
    FlatSymbolRefAttr parameter =
        getParameter(other, otherType.getShape(), otherType.getElementType());
    result.loc = op->getLoc();
    addBinary(result, kind, parameter, side == 1, type);
    recipes.insert_or_assign(op->getResult(0), result);
    return true;
  }
  return false;
}

/// (x - zero point) * scale: computed in f32 for narrower scales, and rounded once.
bool WeightRecipes::recordDequantize(DequantizeLinearOp op) {
  Value input = op.getX();
  auto isWeight = [&](Value value) { return find(value) || getConstantValue(value); };
  bool hasZeroPoint = isGiven(op, 2);
  if (!find(input) || !isWeight(op.getXScale()) || (hasZeroPoint && !isWeight(op.getXZeroPoint())))
    return false;
  auto type = cast<RankedTensorType>(op.getType());
  auto scaleType = cast<RankedTensorType>(op.getXScale().getType());
  auto integer = dyn_cast<IntegerType>(cast<RankedTensorType>(input.getType()).getElementType());
  // Wide integers are not exact in f32 (without zero point they round as the
  // operator does), float8 has its own rules.
  if (!integer || integer.getWidth() > 32 || (integer.getWidth() > 16 && hasZeroPoint) ||
      !type.getElementType().isF32() || !scaleType.getElementType().isF32())
    return false;
  int64_t rank = type.getRank();
  int64_t axis = normalizeAxis(op.getAxis(), rank);
  SmallVector<int64_t> shape(type.getShape()), parameter;
  if (scaleType.getRank() == 0 || scaleType.getNumElements() == 1) {
    // one scale for all: shape []
  } else if (scaleType.getRank() == 1 && axis >= 0 && axis < rank) {
    parameter.assign(rank - axis, 1);
    parameter[0] = scaleType.getDimSize(0);
  } else if (int64_t block = op.getBlockSize();
             block > 0 && scaleType.getRank() == rank && axis >= 0 && axis < rank &&
             shape[axis] % block == 0 && scaleType.getDimSize(axis) == shape[axis] / block) {
    // Blocks become a dim of their own.
    shape[axis] /= block;
    shape.insert(shape.begin() + axis + 1, block);
    parameter.assign(scaleType.getShape().begin(), scaleType.getShape().end());
    parameter.insert(parameter.begin() + axis + 1, 1);
  } else {
    return false;
  }
  WeightRecipe recipe = *find(input);
  recipe.loc = op.getLoc();
  Type element = type.getElementType();
  auto blocked = RankedTensorType::get(shape, element);
  if (blocked.getShape() != type.getShape())
    addStep(recipe, ReshapeStepAttr::get(builder.getContext(), shape),
            RankedTensorType::get(shape, recipe.type.getElementType()));
  addStep(recipe, CastStepAttr::get(builder.getContext(), element), blocked);
  if (hasZeroPoint)
    addBinary(recipe, "sub", getParameter(op.getXZeroPoint(), parameter, element), false, blocked);
  addBinary(recipe, "mul", getParameter(op.getXScale(), parameter, element), false, blocked);
  if (blocked.getShape() != type.getShape())
    addStep(recipe, ReshapeStepAttr::get(builder.getContext(), type.getShape()), type);
  recipes.insert_or_assign(op->getResult(0), recipe);
  return true;
}

/// Joined along dim 0: around it the axis is moved there and back.
bool WeightRecipes::recordConcat(ConcatOp op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  if (axis < 0 || axis >= rank ||
      llvm::any_of(op->getOperands(), [&](Value value) { return !find(value); }))
    return false;
  SmallVector<int64_t> swap = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(swap[0], swap[axis]);
  auto swapped = [&](WeightRecipe recipe) {
    if (axis == 0)
      return recipe;
    SmallVector<int64_t> shape(recipe.type.getShape());
    std::swap(shape[0], shape[axis]);
    addStep(recipe, TransposeStepAttr::get(builder.getContext(), swap),
            RankedTensorType::get(shape, recipe.type.getElementType()));
    return recipe;
  };
  WeightRecipe result = swapped(*find(op->getOperand(0)));
  result.loc = op.getLoc();
  for (Value other : op->getOperands().drop_front()) {
    WeightRecipe part = swapped(*find(other));
    SmallVector<int64_t> shape(result.type.getShape());
    shape[0] += part.type.getDimSize(0);
    addBinary(result, "concat", materialize(part), /*reversed=*/false,
              RankedTensorType::get(shape, type.getElementType()));
  }
  result = swapped(result);
  recipes.insert_or_assign(op->getResult(0), result);
  return true;
}

/// Runs of elements, forwards.
bool WeightRecipes::recordSlice(SliceOp op) {
  WeightRecipe *source = find(op.getData());
  auto type = cast<RankedTensorType>(op.getType());
  auto getInts = [](Value value) -> std::optional<SmallVector<int64_t>> {
    auto dense = dyn_cast_if_present<DenseIntElementsAttr>(getConstantValue(value));
    if (!dense)
      return std::nullopt;
    SmallVector<int64_t> ints;
    for (const APInt &value : dense.getValues<APInt>())
      ints.push_back(value.getSExtValue());
    return ints;
  };
  std::optional<SmallVector<int64_t>> starts = getInts(op.getStarts()), axes, steps;
  if (!source || !starts)
    return false;
  if (isGiven(op, 3) && !(axes = getInts(op.getAxes())))
    return false;
  if (isGiven(op, 4) && (!(steps = getInts(op.getSteps())) ||
                         llvm::any_of(*steps, [](int64_t step) { return step != 1; })))
    return false;
  WeightRecipe recipe = *source;
  recipe.loc = op.getLoc();
  SmallVector<int64_t> shape(recipe.type.getShape());
  for (auto [index, start] : llvm::enumerate(*starts)) {
    int64_t axis = normalizeAxis(axes ? (*axes)[index] : int64_t(index), shape.size());
    if (axis < 0)
      return false;
    int64_t extent = shape[axis], size = type.getDimSize(axis);
    int64_t begin = std::clamp<int64_t>(start < 0 ? start + extent : start, 0, extent);
    if (size == extent)
      continue;
    shape[axis] = size;
    addStep(recipe, PartStepAttr::get(builder.getContext(), axis, begin, size),
            RankedTensorType::get(shape, type.getElementType()));
  }
  recipe.type = type;
  recipes.insert_or_assign(op->getResult(0), recipe);
  return true;
}

bool WeightRecipes::isRecipeOp(Operation *op) {
  return isa<TransposeOp, ReshapeOp, SqueezeOp, UnsqueezeOp, FlattenOp, CastOp>(op);
}

bool WeightRecipes::record(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0)
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.hasStaticShape())
    return false;
  StringRef kind = llvm::TypeSwitch<Operation *, StringRef>(op)
                       .Case<AddOp>([](auto) { return "add"; })
                       .Case<SubOp>([](auto) { return "sub"; })
                       .Case<MulOp>([](auto) { return "mul"; })
                       .Case<DivOp>([](auto) { return "div"; })
                       .Default([](Operation *) { return ""; });
  if (!kind.empty())
    return recordBinary(op, kind);
  if (auto dequantize = dyn_cast<DequantizeLinearOp>(op))
    return recordDequantize(dequantize);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return recordConcat(concat);
  if (auto slice = dyn_cast<SliceOp>(op))
    return recordSlice(slice);
  if (!isRecipeOp(op))
    return false;
  WeightRecipe *source = find(op->getOperand(0));
  if (!source)
    return false;
  WeightRecipe recipe = *source;
  recipe.loc = op->getLoc();
  MLIRContext *context = builder.getContext();
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    SmallVector<int64_t> permutation;
    if (auto perm = transpose.getPerm())
      permutation.assign(perm->begin(), perm->end());
    else
      for (int64_t d = type.getRank(); d-- > 0;)
        permutation.push_back(d);
    addStep(recipe, TransposeStepAttr::get(context, permutation), type);
  } else if (isa<CastOp>(op)) {
    addStep(recipe, CastStepAttr::get(context, type.getElementType()), type);
  } else {
    addStep(recipe, ReshapeStepAttr::get(context, type.getShape()), type);
  }
  recipes.insert_or_assign(op->getResult(0), recipe);
  return true;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

FlatSymbolRefAttr WeightRecipes::addWeight(const Twine &name, Location loc, Type type,
                                           Attribute value) {
  auto [it, inserted] = existing.try_emplace({value, type});
  if (!inserted)
    return it->second;
  OpBuilder create(module.getContext());
  auto weight = WeightOp::create(create, loc, name.str(), type, value);
  symbols.insert(weight,
                 lastWeight ? std::next(Block::iterator(lastWeight)) : module.getBody()->begin());
  lastWeight = weight;
  FlatSymbolRefAttr symbol = FlatSymbolRefAttr::get(weight.getSymNameAttr());
  existing[{value, type}] = symbol;
  return symbol;
}

FlatSymbolRefAttr WeightRecipes::materialize(const WeightRecipe &recipe) {
  // A weight by itself, also where steps cancelled out.
  if (recipe.steps.empty())
    return recipe.sources.front();
  auto derived = DerivedAttr::get(builder.getContext(), recipe.sources, recipe.steps);
  // Named after the source and what is done to it last.
  StringRef suffix = llvm::TypeSwitch<Attribute, StringRef>(recipe.steps.back())
                         .Case<TransposeStepAttr>([](auto) { return ".t"; })
                         .Case<CastStepAttr>([](auto) { return ".cast"; })
                         .Case<ReshapeStepAttr>([](auto) { return ".view"; })
                         .Case<BinaryStepAttr>([](auto) { return ".scaled"; })
                         .Default([](Attribute) { return ".derived"; });
  return addWeight(recipe.sources.front().getValue() + suffix, recipe.loc, recipe.type, derived);
}

FlatSymbolRefAttr WeightRecipes::materialize(Value value) { return materialize(*find(value)); }

void WeightRecipes::eraseUnused() {
  llvm::DenseSet<StringAttr> used;
  SmallVector<StringAttr> pending;
  auto use = [&](FlatSymbolRefAttr symbol) {
    if (used.insert(symbol.getAttr()).second)
      pending.push_back(symbol.getAttr());
  };
  // Any symbol reference counts: launches of later phases refer to weights too.
  module.walk([&](Operation *op) {
    if (isa<WeightOp>(op))
      return;
    op->getAttrDictionary().walk([&](FlatSymbolRefAttr symbol) { use(symbol); });
  });
  while (!pending.empty()) {
    auto weight = symbols.lookup<WeightOp>(pending.pop_back_val());
    if (auto derived = weight ? dyn_cast<DerivedAttr>(weight.getValue()) : DerivedAttr())
      for (FlatSymbolRefAttr source : derived.getSources())
        use(source);
  }
  for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
    if (!used.contains(weight.getSymNameAttr()))
      symbols.erase(weight);
}
