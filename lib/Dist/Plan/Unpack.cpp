//===- Unpack.cpp - packed tensors of attention, apart --------------------===//
//
// A tensor that holds query, key and value side by side cannot be cut in one run
// of columns: each rank needs its heads of all three.
//
//===----------------------------------------------------------------------===//
#include "Unpack.h"

#include "Automatic.h"

#include "Onnx/IR/Recipes.h"
#include "dougong/Onnx/Values.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

/// What device configurations say of the stage holds for each part, the shardings
/// do not.
void keepStages(Operation *origin, OperationState &state) {
  constexpr StringLiteral name = "onnx.device_configurations";
  SmallVector<Attribute> kept;
  if (auto list = origin->getAttrOfType<ArrayAttr>(name))
    for (auto entry : list.getAsRange<DictionaryAttr>()) {
      NamedAttrList fields(entry);
      fields.erase("sharding_spec");
      kept.push_back(fields.getDictionary(origin->getContext()));
    }
  if (!kept.empty())
    state.addAttribute(name, ArrayAttr::get(origin->getContext(), kept));
}

class Unpacker {
public:
  explicit Unpacker(ModuleOp module) : symbols(module), builder(module.getContext()) {}

  void unpackQueries(onnx::MsGroupQueryAttentionOp op);
  void unpackBias(onnx::MsMultiHeadAttentionOp op);
  void unpackProjections(onnx::MsAttentionOp op);
  void unpackProduct(onnx::SplitOp op);

private:
  SmallVector<Value> split(Value value, ArrayRef<int64_t> sizes);
  std::optional<SmallVector<Value>> splitProduct(Value value, ArrayRef<int64_t> sizes);
  Value takePart(Value weight, int64_t begin, int64_t size);
  Value continueWeight(Value weight, const Twine &suffix, RankedTensorType type, Attribute step);
  void eraseUnused(Value value);
  Value transpose(Value matrix);
  /// An op in place of `origin`.
  Value makeOp(Operation *origin, StringRef name, Type type, ValueRange operands) {
    OperationState state(origin->getLoc(), name, operands, {type});
    keepStages(origin, state);
    return builder.create(state)->getResult(0);
  }

  SymbolTable symbols;
  OpBuilder builder;
};

int64_t getRank(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? type.getRank() : -1;
}

bool isGiven(Value value) { return !isa<NoneType>(value.getType()); }

/// The type with another extent in its last dim.
RankedTensorType withLastExtent(Type type, int64_t extent) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape.back() = extent;
  return RankedTensorType::get(shape, tensor.getElementType(), tensor.getEncoding());
}

/// The matrices that stand side by side in the right operand of a product: its
/// columns, or with a transposition behind it (`isTransposed`) its rows.
onnx::ConcatOp getSideBySide(Value product, bool &isTransposed) {
  auto matmul = product.getDefiningOp<onnx::MatMulOp>();
  if (!matmul || !product.hasOneUse() || getRank(matmul->getOperand(1)) != 2)
    return {};
  Value matrix = matmul->getOperand(1);
  auto transpose = matrix.getDefiningOp<onnx::TransposeOp>();
  isTransposed = transpose != nullptr;
  auto concat = (transpose ? transpose->getOperand(0) : matrix).getDefiningOp<onnx::ConcatOp>();
  int64_t axis = concat ? concat.getAxis() : 0;
  return concat && (axis < 0 ? axis + 2 : axis) == !isTransposed ? concat : onnx::ConcatOp();
}

/// Whether the operands have these extents in dim `dim`.
bool hasExtents(onnx::ConcatOp concat, int64_t dim, ArrayRef<int64_t> sizes) {
  return concat->getNumOperands() == sizes.size() &&
         llvm::all_of(llvm::zip_equal(concat->getOperands(), sizes), [&](auto pair) {
           auto type = dyn_cast<RankedTensorType>(std::get<0>(pair).getType());
           return type && type.getRank() == 2 && type.getDimSize(dim) == std::get<1>(pair);
         });
}

} // namespace

/// Another weight: the recipe of this one, and a step more. Null if the value is
/// none.
Value Unpacker::continueWeight(Value weight, const Twine &suffix, RankedTensorType type,
                               Attribute step) {
  auto use = weight.getDefiningOp<onnx::UseOp>();
  auto whole = use ? symbols.lookup<onnx::WeightOp>(use.getWeight()) : onnx::WeightOp();
  if (!whole)
    return {};
  OpBuilder outer(whole->getContext());
  outer.setInsertionPointAfter(whole);
  auto made = onnx::WeightOp::create(outer, whole.getLoc(), (whole.getSymName() + suffix).str(),
                                     type, onnx::continueRecipe(whole, {step}));
  symbols.insert(made); // renames it if the name is taken
  return onnx::UseOp::create(builder, use.getLoc(), type,
                             FlatSymbolRefAttr::get(made.getSymNameAttr()));
}

/// Elements [begin, begin + size) of the last dim of a weight.
Value Unpacker::takePart(Value weight, int64_t begin, int64_t size) {
  auto type = cast<RankedTensorType>(weight.getType());
  return continueWeight(
      weight, "." + Twine(begin), withLastExtent(type, size),
      onnx::PartStepAttr::get(builder.getContext(), type.getRank() - 1, begin, size));
}

/// Erases what made a value that nothing reads any more: a product, the bias
/// behind it, and what made its matrix.
void Unpacker::eraseUnused(Value value) {
  SmallVector<Value> unused{value};
  while (!unused.empty()) {
    Operation *dead = unused.pop_back_val().getDefiningOp();
    if (!dead || isSource(dead) || !dead->use_empty() ||
        !isa<onnx::MatMulOp, onnx::AddOp, onnx::TransposeOp, onnx::ConcatOp>(dead))
      continue;
    llvm::append_range(unused, dead->getOperands());
    dead->erase();
  }
}

/// A matrix transposed: of a weight, by its recipe.
Value Unpacker::transpose(Value matrix) {
  auto type = cast<RankedTensorType>(matrix.getType());
  auto swapped =
      RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
  auto swap = onnx::TransposeStepAttr::get(builder.getContext(), {1, 0});
  if (Value weight = continueWeight(matrix, ".t", swapped, swap))
    return weight;
  OperationState state(matrix.getLoc(), onnx::TransposeOp::getOperationName(), matrix, swapped);
  return builder.create(state)->getResult(0);
}

/// Parts of the last dim of a product that nothing else reads, with or without a
/// bias: each by a product of its own. Nothing if its matrix cannot be taken
/// apart before the run.
std::optional<SmallVector<Value>> Unpacker::splitProduct(Value value, ArrayRef<int64_t> sizes) {
  if (!value.hasOneUse())
    return std::nullopt;
  SmallVector<Value> parts;
  if (auto add = value.getDefiningOp<onnx::AddOp>()) {
    int64_t bias = getRank(add->getOperand(0)) == 1 ? 0 : 1;
    Value vector = add->getOperand(bias);
    if (getRank(vector) != 1 || !vector.getDefiningOp<onnx::UseOp>() ||
        cast<RankedTensorType>(vector.getType()).getDimSize(0) == 1)
      return std::nullopt;
    std::optional<SmallVector<Value>> products = splitProduct(add->getOperand(1 - bias), sizes);
    if (!products)
      return std::nullopt;
    int64_t begin = 0;
    for (auto [product, size] : llvm::zip_equal(*products, sizes)) {
      parts.push_back(makeOp(add, onnx::AddOp::getOperationName(), product.getType(),
                             {product, takePart(vector, begin, size)}));
      begin += size;
    }
    return parts;
  }
  auto matmul = value.getDefiningOp<onnx::MatMulOp>();
  if (!matmul || getRank(matmul->getOperand(1)) != 2)
    return std::nullopt;
  Value input = matmul->getOperand(0), packed = matmul->getOperand(1);
  if (packed.getDefiningOp<onnx::UseOp>()) {
    int64_t begin = 0;
    for (int64_t size : sizes) {
      parts.push_back(makeOp(matmul, onnx::MatMulOp::getOperationName(),
                             withLastExtent(value.getType(), size),
                             {input, takePart(packed, begin, size)}));
      begin += size;
    }
    return parts;
  }
  bool isTransposed = false;
  if (onnx::ConcatOp matrices = getSideBySide(value, isTransposed);
      matrices && hasExtents(matrices, !isTransposed, sizes)) {
    for (auto [matrix, size] : llvm::zip_equal(matrices->getOperands(), sizes))
      parts.push_back(makeOp(matmul, onnx::MatMulOp::getOperationName(),
                             withLastExtent(value.getType(), size),
                             {input, isTransposed ? transpose(matrix) : Value(matrix)}));
    return parts;
  }
  return std::nullopt;
}

/// Parts of `sizes` elements of the last dim: by products of their own, else
/// taken apart at run time.
SmallVector<Value> Unpacker::split(Value value, ArrayRef<int64_t> sizes) {
  if (std::optional<SmallVector<Value>> parts = splitProduct(value, sizes))
    return *parts;
  SmallVector<Value> parts;
  Location loc = value.getLoc();
  auto vector = RankedTensorType::get({static_cast<int64_t>(sizes.size())}, builder.getI64Type());
  OperationState constant(loc, onnx::ConstantOp::getOperationName());
  constant.addAttribute("value", DenseElementsAttr::get(vector, sizes));
  constant.addTypes(vector);
  OperationState state(loc, onnx::SplitOp::getOperationName());
  state.addOperands({value, builder.create(constant)->getResult(0)});
  state.addAttribute("axis", builder.getI64IntegerAttr(-1));
  for (int64_t size : sizes)
    state.addTypes(withLastExtent(value.getType(), size));
  llvm::append_range(parts, builder.create(state)->getResults());
  return parts;
}

void Unpacker::unpackQueries(onnx::MsGroupQueryAttentionOp op) {
  Value packed = op->getOperand(0);
  auto type = dyn_cast<RankedTensorType>(packed.getType());
  int64_t queryHeads = op.getNumHeads(), heads = op.getKvNumHeads();
  if (isGiven(op->getOperand(1)) || !type || type.getRank() != 3 || type.isDynamicDim(2) ||
      queryHeads <= 0 || heads <= 0 || type.getDimSize(2) % (queryHeads + 2 * heads) != 0)
    return;
  int64_t size = type.getDimSize(2) / (queryHeads + 2 * heads);
  builder.setInsertionPoint(op);
  SmallVector<Value> parts = split(packed, {queryHeads * size, heads * size, heads * size});
  for (auto [index, part] : llvm::enumerate(parts))
    op->setOperand(index, part);
  eraseUnused(packed);
}

/// Query, key and value (or gate and up) from one product: a product for each.
/// Two parts of different sizes are no heads: such a product is left.
void Unpacker::unpackProduct(onnx::SplitOp op) {
  auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  if (!type || onnx::normalizeAxis(op.getAxis(), type.getRank()) != type.getRank() - 1)
    return;
  SmallVector<int64_t> sizes;
  for (Value result : op->getResults()) {
    auto part = cast<RankedTensorType>(result.getType());
    if (part.isDynamicDim(part.getRank() - 1))
      return;
    sizes.push_back(part.getShape().back());
  }
  if (sizes.size() < 2 || (sizes.size() == 2 && sizes[0] != sizes[1]))
    return;
  builder.setInsertionPoint(op);
  Value packed = op->getOperand(0);
  std::optional<SmallVector<Value>> parts = splitProduct(packed, sizes);
  if (!parts)
    return;
  op->replaceAllUsesWith(*parts);
  op->erase();
  eraseUnused(packed);
}

/// ms.Attention without a cache: three products and MultiHeadAttention.
void Unpacker::unpackProjections(onnx::MsAttentionOp op) {
  Value input = op->getOperand(0), weights = op->getOperand(1), bias = op->getOperand(2);
  Value mask = op->getOperand(3);
  auto inputType = dyn_cast<RankedTensorType>(input.getType());
  auto type = dyn_cast<RankedTensorType>(weights.getType());
  bool known = inputType && inputType.getRank() == 3 && type && type.hasStaticShape() &&
               type.getRank() == 2 && weights.getDefiningOp<onnx::UseOp>() &&
               (!isGiven(bias) || bias.getDefiningOp<onnx::UseOp>()) &&
               (!isGiven(mask) || getRank(mask) == 2);
  bool cached =
      isGiven(op->getOperand(4)) || isGiven(op->getOperand(6)) || !op->getResult(1).use_empty();
  if (!known || cached || op.getDoRotary() != 0)
    return;
  int64_t columns = type.getDimSize(1);
  SmallVector<int64_t> sizes(3, columns / 3);
  if (auto given = op.getQkvHiddenSizes(); given && !given->empty())
    sizes.assign(given->begin(), given->end());
  if (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != columns || sizes[0] != sizes[1])
    return;
  builder.setInsertionPoint(op);
  Location loc = op.getLoc();
  Value none = onnx::NoneOp::create(builder, loc, builder.getNoneType());
  SmallVector<Value> operands;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    Type part = withLastExtent(inputType, size);
    Value product = makeOp(op, onnx::MatMulOp::getOperationName(), part,
                           {input, takePart(weights, begin, size)});
    if (isGiven(bias))
      product =
          makeOp(op, onnx::AddOp::getOperationName(), part, {product, takePart(bias, begin, size)});
    operands.push_back(product);
    begin += size;
  }
  operands.append({none, mask, op->getOperand(5), none, none, none, none});
  OperationState state(loc, onnx::MsMultiHeadAttentionOp::getOperationName(), operands,
                       {op->getResult(0).getType(), builder.getNoneType(), builder.getNoneType(),
                        builder.getNoneType()});
  keepStages(op, state);
  for (StringRef name : {"num_heads", "mask_filter_value", "scale", "unidirectional"})
    if (Attribute attribute = op->getAttr(name))
      state.addAttribute(name, attribute);
  op->getResult(0).replaceAllUsesWith(builder.create(state)->getResult(0));
  op->erase();
}

/// MultiHeadAttention(query, key, value, bias): the bias is that of all three.
void Unpacker::unpackBias(onnx::MsMultiHeadAttentionOp op) {
  Value bias = op->getOperand(3);
  if (!isGiven(bias) || !isGiven(op->getOperand(1)) || !isGiven(op->getOperand(2)))
    return;
  SmallVector<int64_t> sizes;
  for (unsigned index : {0u, 1u, 2u}) {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(index).getType());
    if (!type || type.getRank() != 3 || type.isDynamicDim(2))
      return;
    sizes.push_back(type.getDimSize(2));
  }
  builder.setInsertionPoint(op);
  for (auto [index, part] : llvm::enumerate(split(bias, sizes))) {
    Value operand = op->getOperand(index);
    op->setOperand(index,
                   makeOp(op, onnx::AddOp::getOperationName(), operand.getType(), {operand, part}));
  }
  op->setOperand(3, onnx::NoneOp::create(builder, op.getLoc(), builder.getNoneType()));
}

void dist::unpackAttention(ModuleOp module, func::FuncOp main) {
  Unpacker unpacker(module);
  for (Operation &op : llvm::make_early_inc_range(main.front())) {
    if (auto attention = dyn_cast<onnx::MsGroupQueryAttentionOp>(op))
      unpacker.unpackQueries(attention);
    else if (auto attention = dyn_cast<onnx::MsMultiHeadAttentionOp>(op))
      unpacker.unpackBias(attention);
    else if (auto attention = dyn_cast<onnx::MsAttentionOp>(op))
      unpacker.unpackProjections(attention);
    else if (auto parts = dyn_cast<onnx::SplitOp>(op))
      unpacker.unpackProduct(parts);
  }
}

void dist::cutUnpackedHeads(func::FuncOp main, ArrayRef<MeshOp> meshes, Propagation &propagation) {
  StringAttr axis = StringAttr::get(main.getContext(), "tp");
  for (auto op : main.front().getOps<onnx::MsGroupQueryAttentionOp>()) {
    if (MeshOp(meshes[getStage(op)]).getAxisSize("tp").value_or(1) == 1 ||
        !op->getOperand(0).getDefiningOp<onnx::SplitOp>() ||
        propagation.cutOperand(op, 0, 2, {{axis}, 1}))
      continue;
    propagation.run();
    writeDirective(op, 0, propagation);
  }
}
