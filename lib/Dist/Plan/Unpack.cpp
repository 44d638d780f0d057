//===- Unpack.cpp - packed tensors of attention, apart --------------------===//
//
// A tensor that holds query, key and value side by side cannot be cut in one run
// of columns: each rank needs its heads of all three.
//
//===----------------------------------------------------------------------===//
#include "Unpack.h"

#include "Automatic.h"

#include "Onnx/IR/Recipes.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

class Unpacker {
public:
  explicit Unpacker(ModuleOp module) : symbols(module), builder(module.getContext()) {}

  void unpackQueries(onnx::MsGroupQueryAttentionOp op);
  void unpackBias(onnx::MsMultiHeadAttentionOp op);

private:
  SmallVector<Value> split(Value value, ArrayRef<int64_t> sizes);
  Value transpose(Value matrix);
  Value makeOp(Location loc, StringRef name, Type type, ValueRange operands) {
    OperationState state(loc, name, operands, {type});
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

/// A matrix transposed: of a weight, by its recipe.
Value Unpacker::transpose(Value matrix) {
  auto type = cast<RankedTensorType>(matrix.getType());
  auto swapped =
      RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
  auto use = matrix.getDefiningOp<onnx::UseOp>();
  auto whole = use ? symbols.lookup<onnx::WeightOp>(use.getWeight()) : onnx::WeightOp();
  if (!whole)
    return makeOp(matrix.getLoc(), onnx::TransposeOp::getOperationName(), swapped, {matrix});
  auto swap = onnx::TransposeStepAttr::get(builder.getContext(), {1, 0});
  OpBuilder outer(whole->getContext());
  outer.setInsertionPointAfter(whole);
  auto weight = onnx::WeightOp::create(outer, whole.getLoc(), (whole.getSymName() + ".t").str(),
                                       swapped, onnx::continueRecipe(whole, {swap}));
  symbols.insert(weight); // renames it if the name is taken
  return onnx::UseOp::create(builder, use.getLoc(), swapped,
                             FlatSymbolRefAttr::get(weight.getSymNameAttr()));
}

/// Parts of `sizes` elements of the last dim: each by a product of its own where
/// its matrix is one by itself, else taken apart at run time.
SmallVector<Value> Unpacker::split(Value value, ArrayRef<int64_t> sizes) {
  SmallVector<Value> parts;
  Location loc = value.getLoc();
  bool isTransposed = false;
  if (onnx::ConcatOp matrices = getSideBySide(value, isTransposed);
      matrices && hasExtents(matrices, !isTransposed, sizes)) {
    Value input = value.getDefiningOp()->getOperand(0);
    for (auto [matrix, size] : llvm::zip_equal(matrices->getOperands(), sizes))
      parts.push_back(makeOp(loc, onnx::MatMulOp::getOperationName(),
                             withLastExtent(value.getType(), size),
                             {input, isTransposed ? transpose(matrix) : Value(matrix)}));
    return parts;
  }
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
  // The product of all, and what made its matrix, may have no user left.
  while (packed.use_empty()) {
    Operation *dead = packed.getDefiningOp();
    packed = dead->getOperand(isa<onnx::MatMulOp>(dead) ? 1 : 0);
    dead->erase();
    if (!packed.getDefiningOp() || isSource(packed.getDefiningOp()))
      break;
  }
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
    op->setOperand(index, makeOp(op.getLoc(), onnx::AddOp::getOperationName(), operand.getType(),
                                 {operand, part}));
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
