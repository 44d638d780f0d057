//===- Nest.cpp - a linalg op as a loop nest with linear accesses ---------===//
#include "Nest.h"

#include "IndexMath.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace dougong::cpu;

void Nest::forEachAccess(llvm::function_ref<void(Access &)> fn) {
  for (Access &access : main.inputs)
    fn(access);
  for (Access &access : main.outputs)
    fn(access);
  if (!epilogue)
    return;
  for (Access &access : epilogue->inputs)
    fn(access);
  for (Access &access : epilogue->outputs)
    fn(access);
}

//===----------------------------------------------------------------------===//
// Affine expressions as coefficients
//===----------------------------------------------------------------------===//

namespace {

/// An index expression: constant + sum of coefficients, and at most one dim
/// that occurs as `d floordiv size` or `d mod size`.
struct Linear {
  SmallVector<int64_t> coefficients;
  int64_t constant = 0;
  int blockDim = -1; ///< of a floordiv
  int innerDim = -1; ///< of a mod
  int64_t blockSize = 0;
};

} // namespace

/// `expr` as a linear form, if it is one.
static std::optional<Linear> getLinear(AffineExpr expr, unsigned numDims) {
  Linear result;
  result.coefficients.assign(numDims, 0);
  // A sum is taken apart with a stack: factor times expression.
  SmallVector<std::pair<AffineExpr, int64_t>> stack = {{expr, 1}};
  while (!stack.empty()) {
    auto [current, factor] = stack.pop_back_val();
    if (auto constant = dyn_cast<AffineConstantExpr>(current)) {
      result.constant += factor * constant.getValue();
      continue;
    }
    if (auto dim = dyn_cast<AffineDimExpr>(current)) {
      result.coefficients[dim.getPosition()] += factor;
      continue;
    }
    auto binary = dyn_cast<AffineBinaryOpExpr>(current);
    if (!binary)
      return std::nullopt;
    auto right = dyn_cast<AffineConstantExpr>(binary.getRHS());
    switch (binary.getKind()) {
    case AffineExprKind::Add:
      stack.push_back({binary.getLHS(), factor});
      stack.push_back({binary.getRHS(), factor});
      break;
    case AffineExprKind::Mul:
      if (!right)
        return std::nullopt;
      stack.push_back({binary.getLHS(), factor * right.getValue()});
      break;
    case AffineExprKind::FloorDiv:
    case AffineExprKind::Mod: {
      auto dim = dyn_cast<AffineDimExpr>(binary.getLHS());
      if (!dim || !right || factor != 1 || expr != current)
        return std::nullopt;
      bool isBlock = binary.getKind() == AffineExprKind::FloorDiv;
      (isBlock ? result.blockDim : result.innerDim) = dim.getPosition();
      result.blockSize = right.getValue();
      break;
    }
    default:
      return std::nullopt;
    }
  }
  return result;
}

/// The map's results as linear forms; a blocked dim occurs as exactly one
/// floordiv and one mod of the same size.
static std::optional<SmallVector<Linear>> getLinearForms(AffineMap map) {
  SmallVector<Linear> forms;
  int block = -1, inner = -1;
  int64_t blockSize = 0, innerSize = 0;
  for (AffineExpr expr : map.getResults()) {
    std::optional<Linear> form = getLinear(expr, map.getNumDims());
    if (!form)
      return std::nullopt;
    if (form->blockDim >= 0) {
      if (block >= 0)
        return std::nullopt;
      block = form->blockDim;
      blockSize = form->blockSize;
    }
    if (form->innerDim >= 0) {
      if (inner >= 0)
        return std::nullopt;
      inner = form->innerDim;
      innerSize = form->blockSize;
    }
    forms.push_back(std::move(*form));
  }
  if (block != inner || blockSize != innerSize)
    return std::nullopt;
  if (block >= 0)
    for (const Linear &form : forms)
      if (form.coefficients[block] != 0)
        return std::nullopt;
  return forms;
}

//===----------------------------------------------------------------------===//
// What is supported
//===----------------------------------------------------------------------===//

static bool isNumber(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.isSignless() && (integer.getWidth() == 1 || integer.getWidth() % 8 == 0) &&
           integer.getWidth() <= 64;
  return isa<IndexType>(type) || type.isF16() || type.isBF16() || type.isF32() || type.isF64();
}

static bool isSupportedBuffer(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  SmallVector<int64_t> strides;
  int64_t offset;
  return memref && isNumber(memref.getElementType()) &&
         succeeded(memref.getStridesAndOffset(strides, offset));
}

static bool isSupportedBodyOp(Operation &op) {
  if (op.getNumRegions() != 0 || op.getNumSuccessors() != 0)
    return false;
  if (isa<linalg::IndexOp, linalg::YieldOp, arith::ConstantOp>(op))
    return true;
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return isSupportedBuffer(load.getMemRefType());
  if (!OpTrait::hasElementwiseMappableTraits(&op) || op.getNumResults() != 1)
    return false;
  return llvm::all_of(op.getOperandTypes(), isNumber) &&
         llvm::all_of(op.getResultTypes(), isNumber);
}

bool dougong::cpu::isSupported(linalg::LinalgOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() == 0)
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    Type type = operand.get().getType();
    if (isa<MemRefType>(type)) {
      if (!isSupportedBuffer(type) || !getLinearForms(op.getMatchingIndexingMap(&operand)))
        return false;
    } else if (!isNumber(type)) {
      return false;
    }
  }
  for (utils::IteratorType type : op.getIteratorTypesArray())
    if (type != utils::IteratorType::parallel && type != utils::IteratorType::reduction)
      return false;
  return llvm::all_of(*op.getBlock(), isSupportedBodyOp);
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

/// A flat view of `buffer`, and its strides and offset in elements.
static void buildFlatView(OpBuilder &builder, Location loc, Value buffer, Value &flat,
                          SmallVector<OpFoldResult> &strides, OpFoldResult &offset) {
  auto type = cast<MemRefType>(buffer.getType());
  IndexMath math(builder, loc);
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, buffer);
  SmallVector<int64_t> staticStrides;
  int64_t staticOffset;
  (void)type.getStridesAndOffset(staticStrides, staticOffset);
  offset = ShapedType::isDynamic(staticOffset) ? OpFoldResult(metadata.getOffset())
                                               : math.constant(staticOffset);
  strides.clear();
  for (auto [number, stride] : llvm::enumerate(staticStrides))
    strides.push_back(ShapedType::isDynamic(stride) ? OpFoldResult(metadata.getStrides()[number])
                                                    : math.constant(stride));
  // The view's size is not used by any access: the offset is part of them.
  auto flatType = MemRefType::get({ShapedType::kDynamic}, type.getElementType(),
                                  MemRefLayoutAttrInterface(), type.getMemorySpace());
  Value size = arith::ConstantIndexOp::create(builder, loc, int64_t(1) << 48);
  flat = memref::ReinterpretCastOp::create(
      builder, loc, flatType, metadata.getBaseBuffer(), math.constant(0),
      ArrayRef<OpFoldResult>{OpFoldResult(size)}, ArrayRef<OpFoldResult>{math.constant(1)});
  // One byte each in memory; a vector of i1 would be read as packed bits.
  if (type.getElementType().isInteger(1))
    flat = UnrealizedConversionCastOp::create(
               builder, loc, MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()), flat)
               .getResult(0);
}

/// The access of `operand` under `map`; dim d of the map is dim dims[d] of a
/// nest with `numDims` dims.
static Access buildAccess(OpBuilder &builder, Location loc, Value operand, AffineMap map,
                          ArrayRef<unsigned> dims, unsigned numDims) {
  Access access;
  access.buffer = operand;
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type) {
    access.scalar = operand;
    access.elementType = operand.getType();
    return access;
  }
  access.elementType = type.getElementType();
  access.isContiguous = type.getLayout().isIdentity();
  IndexMath math(builder, loc);
  SmallVector<OpFoldResult> strides;
  buildFlatView(builder, loc, operand, access.flat, strides, access.offset);
  access.strides.assign(numDims, math.constant(0));
  access.spans.assign(numDims, Access::Span());
  SmallVector<Linear> forms = *getLinearForms(map);
  int position = 0;
  for (auto [number, form] : llvm::enumerate(forms)) {
    OpFoldResult stride = strides[number];
    access.offset = math.add(access.offset, math.mul(math.constant(form.constant), stride));
    if (form.blockDim >= 0) {
      access.panel = Access::Panel{dims[form.blockDim], form.blockSize, stride};
      access.spans[dims[form.blockDim]] = {-2, -2};
    }
    if (form.innerDim >= 0) {
      access.strides[dims[form.innerDim]] = stride;
      access.spans[dims[form.innerDim]] = {-2, -2};
    }
    unsigned terms = llvm::count_if(form.coefficients, [](int64_t c) { return c != 0; });
    bool isPlain = terms == 1 && form.constant == 0 && form.blockDim < 0 && form.innerDim < 0;
    for (auto [dim, coefficient] : llvm::enumerate(form.coefficients)) {
      if (coefficient == 0)
        continue;
      unsigned nestDim = dims[dim];
      access.strides[nestDim] =
          math.add(access.strides[nestDim], math.mul(math.constant(coefficient), stride));
      bool isFirst = access.spans[nestDim].first == -1;
      access.spans[nestDim] = isPlain && coefficient == 1 && isFirst
                                  ? Access::Span{position, position}
                                  : Access::Span{-2, -2};
    }
    if (type.getDimSize(number) != 1)
      ++position;
  }
  return access;
}

static Stage buildStage(OpBuilder &builder, linalg::LinalgOp op, ArrayRef<unsigned> dims,
                        unsigned numDims) {
  Stage stage;
  stage.op = op;
  for (OpOperand &operand : op->getOpOperands()) {
    Access access = buildAccess(builder, op.getLoc(), operand.get(),
                                op.getMatchingIndexingMap(&operand), dims, numDims);
    (op.isDpsInit(&operand) ? stage.outputs : stage.inputs).push_back(std::move(access));
  }
  stage.indexDims.assign(dims.begin(), dims.end());
  return stage;
}

/// Removes dim `dim` from the nest.
static void dropDim(Nest &nest, unsigned dim) {
  nest.sizes.erase(nest.sizes.begin() + dim);
  nest.types.erase(nest.types.begin() + dim);
  nest.forEachAccess([&](Access &access) {
    if (access.scalar)
      return;
    access.strides.erase(access.strides.begin() + dim);
    access.spans.erase(access.spans.begin() + dim);
    if (access.panel && access.panel->dim > dim)
      --access.panel->dim;
  });
  auto renumber = [&](Stage &stage) {
    for (int &index : stage.indexDims) {
      if (index == int(dim))
        index = -1;
      else if (index > int(dim))
        --index;
    }
  };
  renumber(nest.main);
  if (nest.epilogue)
    renumber(*nest.epilogue);
}

/// The dims of the nest that `linalg.index` reads.
static llvm::SmallDenseSet<int> getIndexedDims(Nest &nest) {
  llvm::SmallDenseSet<int> dims;
  auto collect = [&](Stage &stage) {
    for (auto index : stage.getBlock().getOps<linalg::IndexOp>())
      dims.insert(stage.indexDims[index.getDim()]);
  };
  collect(nest.main);
  if (nest.epilogue)
    collect(*nest.epilogue);
  return dims;
}

/// Merges dim `dim` with the next where one step of every access along `dim` is
/// as far as all steps along the next: known from constant strides, or because
/// both dims of a contiguous buffer are covered whole.
static bool tryMerge(OpBuilder &builder, Nest &nest, unsigned dim) {
  if (nest.types[dim] != nest.types[dim + 1])
    return false;
  llvm::SmallDenseSet<int> indexed = getIndexedDims(nest);
  if (indexed.contains(dim) || indexed.contains(dim + 1))
    return false;
  bool isPossible = true;
  nest.forEachAccess([&](Access &access) {
    if (access.scalar)
      return;
    Access::Span outer = access.spans[dim], inner = access.spans[dim + 1];
    bool isAbsent = outer.first == -1 && inner.first == -1;
    bool isAdjacent = access.isContiguous && outer.first >= 0 && inner.first >= 0 &&
                      outer.last + 1 == inner.first;
    std::optional<int64_t> step = access.getStride(dim), next = access.getStride(dim + 1),
                           size = nest.getSize(dim + 1);
    bool isCut = access.panel && (access.panel->dim == dim || access.panel->dim == dim + 1);
    bool isEven = step && next && size && *step == *next * *size && !isCut;
    isPossible &= isAbsent || isAdjacent || isEven;
  });
  if (!isPossible)
    return false;
  IndexMath math(builder, nest.loc);
  nest.sizes[dim + 1] = math.mul(nest.sizes[dim], nest.sizes[dim + 1]);
  nest.forEachAccess([&](Access &access) {
    if (!access.scalar)
      access.spans[dim + 1].first = access.spans[dim].first;
  });
  dropDim(nest, dim);
  return true;
}

Nest dougong::cpu::buildNest(OpBuilder &builder, linalg::LinalgOp op, linalg::LinalgOp epilogue,
                             unsigned epilogueOperand) {
  Nest nest(op.getLoc());
  unsigned numDims = op.getNumLoops();
  SmallVector<unsigned> same = llvm::to_vector(llvm::seq(0u, numDims));
  for (Range range : op.createLoopRanges(builder, op.getLoc()))
    nest.sizes.push_back(range.size);
  nest.types = op.getIteratorTypesArray();
  nest.main = buildStage(builder, op, same, numDims);
  if (epilogue) {
    // Both see the same buffer: position p of it is a dim of each.
    AffineMap written = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    AffineMap read = epilogue.getMatchingIndexingMap(epilogue.getDpsInputOperand(epilogueOperand));
    SmallVector<unsigned> dims(epilogue.getNumLoops());
    for (unsigned i = 0; i < read.getNumResults(); ++i)
      dims[read.getDimPosition(i)] = written.getDimPosition(i);
    nest.epilogue = buildStage(builder, epilogue, dims, numDims);
    nest.epilogueOperand = epilogueOperand;
  }
  for (unsigned dim = nest.getNumDims(); dim-- > 0;)
    if (nest.getSize(dim) == 1)
      dropDim(nest, dim);
  for (unsigned dim = nest.getNumDims(); dim-- > 1;)
    tryMerge(builder, nest, dim - 1);
  return nest;
}
