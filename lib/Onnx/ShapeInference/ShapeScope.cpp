//===- ShapeScope.cpp - what shape inference knows of values --------------===//
#include "dougong/Onnx/ShapeScope.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

RankedTensorType dougong::onnx::getTensorType(ArrayRef<DimExpr> shape, Type elementType) {
  SmallVector<int64_t> extents;
  SmallVector<StringAttr> exprs;
  bool isStatic = true;
  for (const DimExpr &dim : shape) {
    auto value = dim.constant();
    extents.push_back(value ? *value : ShapedType::kDynamic);
    exprs.push_back(value ? StringAttr() : StringAttr::get(elementType.getContext(), dim.print()));
    isStatic &= value.has_value();
  }
  if (isStatic)
    return RankedTensorType::get(extents, elementType);
  return RankedTensorType::get(extents, elementType,
                               DimsAttr::get(elementType.getContext(), exprs));
}

std::optional<Dims> dougong::onnx::getTypeDims(Type type) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (!ranked)
    return std::nullopt;
  auto exprs = dyn_cast_if_present<DimsAttr>(ranked.getEncoding());
  Dims dims;
  for (auto [index, extent] : llvm::enumerate(ranked.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      dims.push_back(DimExpr(extent));
      continue;
    }
    if (!exprs || !exprs.getExprs()[index])
      return std::nullopt;
    auto parsed = DimExpr::parse(exprs.getExprs()[index].getValue().str());
    if (!parsed)
      return std::nullopt;
    dims.push_back(*parsed);
  }
  return dims;
}

std::string dougong::onnx::toString(ArrayRef<DimExpr> dims) {
  std::string text = "[";
  for (const DimExpr &dim : dims)
    text += (text.size() > 1 ? ", " : "") + dim.print();
  return text + "]";
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

ShapeScope::Entry *ShapeScope::refresh(Value value) {
  auto it = entries.find(value);
  if (it == entries.end())
    return nullptr;
  Entry &entry = it->second;
  if (entry.version != solver.getVersion()) {
    for (DimExpr &dim : entry.dims)
      dim = solver.canonical(dim);
    if (entry.contents)
      for (DimExpr &content : *entry.contents)
        content = solver.canonical(content);
    entry.version = solver.getVersion();
  }
  return &entry;
}

bool ShapeScope::isKnown(Value value) const { return entries.contains(value); }

Dims ShapeScope::getDims(Value value) {
  Entry *entry = refresh(value);
  return entry ? entry->dims : Dims();
}

std::optional<Dims> ShapeScope::getContents(Value value) {
  Entry *entry = refresh(value);
  return entry ? entry->contents : std::nullopt;
}

std::optional<DimExpr> ShapeScope::getScalar(Value value) {
  Entry *entry = refresh(value);
  if (!entry || !entry->contents || entry->contents->size() != 1)
    return std::nullopt;
  return entry->contents->front();
}

std::optional<SmallVector<int64_t>> ShapeScope::getConstants(Value value) {
  Entry *entry = refresh(value);
  if (!entry || !entry->contents)
    return std::nullopt;
  SmallVector<int64_t> constants;
  for (const DimExpr &content : *entry->contents) {
    auto constant = content.constant();
    if (!constant)
      return std::nullopt;
    constants.push_back(*constant);
  }
  return constants;
}

FailureOr<Dims> ShapeScope::getOperandDims(Operation *op, unsigned index) {
  if (index >= op->getNumOperands() || isa<NoneType>(op->getOperand(index).getType()))
    return op->emitOpError() << "operand " << index << " is missing";
  Value operand = op->getOperand(index);
  if (!isKnown(operand))
    return op->emitOpError() << "operand " << index
                             << " has an unknown rank: " << operand.getType();
  return getDims(operand);
}

FailureOr<Dims> ShapeScope::getOperandDims(Operation *op, unsigned index, size_t rank) {
  FailureOr<Dims> dims = getOperandDims(op, index);
  if (failed(dims))
    return failure();
  if (dims->size() != rank)
    return op->emitOpError() << "operand " << index << " must have rank " << rank << ", got shape "
                             << toString(*dims);
  return dims;
}

void ShapeScope::setDims(Value value, ArrayRef<DimExpr> dims) {
  Entry &entry = entries[value];
  entry.dims.clear();
  for (const DimExpr &dim : dims)
    entry.dims.push_back(solver.canonical(dim));
  entry.contents.reset();
  entry.version = solver.getVersion();
}

LogicalResult ShapeScope::setResult(Operation *op, unsigned index, ArrayRef<DimExpr> dims) {
  if (index >= op->getNumResults())
    return success();
  Value result = op->getResult(index);
  if (isa<SequenceType, OptionalType>(result.getType())) {
    setDims(result, dims);
    return success();
  }
  if (!isa<ShapedType>(result.getType()))
    return success();
  for (const DimExpr &dim : dims)
    if (auto value = dim.constant(); value && *value < 0)
      return op->emitOpError() << "result " << index
                               << " has a negative extent: " << toString(dims);
  setDims(result, dims);
  return success();
}

void ShapeScope::setContents(Value value, ArrayRef<DimExpr> contents) {
  auto type = dyn_cast<ShapedType>(value.getType());
  if (!type || !type.getElementType().isInteger() || contents.size() > size_t(maxContents) ||
      !isKnown(value))
    return;
  Entry &entry = *refresh(value);
  entry.contents.emplace();
  for (const DimExpr &content : contents)
    entry.contents->push_back(solver.canonical(content));
}

void ShapeScope::copy(Value from, Value to) {
  Entry *entry = refresh(from);
  if (!entry)
    return;
  Entry value = *entry;
  setDims(to, value.dims);
  if (value.contents)
    setContents(to, *value.contents);
}

//===----------------------------------------------------------------------===//
// Relations
//===----------------------------------------------------------------------===//

std::string ShapeScope::getNodeLabel(Operation *op) {
  StringRef name = getNodeName(op->getLoc());
  return name.empty() ? op->getName().stripDialect().str() : name.str();
}

FailureOr<DimExpr> ShapeScope::unify(Operation *op, const DimExpr &a, const DimExpr &b,
                                     const Twine &what) {
  switch (solver.equate(a, b, getNodeLabel(op))) {
  case Equality::Proved:
  case Equality::Assumed:
    return solver.canonical(a);
  case Equality::Contradiction:
    return op->emitOpError() << what << " must be equal, got " << solver.canonical(a).print()
                             << " and " << solver.canonical(b).print();
  case Equality::Undecided:
    break;
  }
  if (strict)
    solver.requireEqual(a, b, getNodeLabel(op));
  open = true;
  // The simpler one stands for both.
  DimExpr left = solver.canonical(a), right = solver.canonical(b);
  return right.print().size() < left.print().size() ? right : left;
}

LogicalResult ShapeScope::requireEither(Operation *op, const DimExpr &dim, const DimExpr &first,
                                        const DimExpr &second, const Twine &what) {
  DimExpr extent = solver.canonical(dim), a = solver.canonical(first), b = solver.canonical(second);
  if (extent == a || extent == b)
    return success();
  if (extent.constant() && a.constant() && b.constant())
    return op->emitOpError() << what << " is " << extent.print() << ", expected " << a.print()
                             << " or " << b.print();
  if (strict)
    solver.requireOneOf(extent, a, b, getNodeLabel(op));
  else
    leaveOpen();
  return success();
}

FailureOr<DimExpr> ShapeScope::broadcastDim(Operation *op, const DimExpr &left,
                                            const DimExpr &right) {
  DimExpr a = solver.canonical(left), b = solver.canonical(right);
  if (a == b || b.constant() == 1)
    return a;
  if (a.constant() == 1)
    return b;
  if (a.constant() && b.constant())
    return op->emitOpError() << "extents " << a.print() << " and " << b.print()
                             << " do not broadcast";
  // One side is a constant greater than 1: the other one may be it, or 1. Only
  // where it is an extent that the user chooses is that a real question.
  if (a.constant() || b.constant()) {
    const DimExpr &open = a.constant() ? b : a;
    const DimExpr &constant = a.constant() ? a : b;
    if (open.kind() == DimExpr::Kind::Symbol && !isDataDependent(open)) {
      auto low = solver.lowerBound(open);
      if (!low || *low < 2) {
        // Both give the constant.
        if (failed(requireEither(op, open, DimExpr(1), constant, "a dim that is broadcast")))
          return failure();
        return constant;
      }
    }
  }
  // Two extents that are not 1 as far as known: they must be equal. A model in
  // which one of them is 1 at times is refused at entry.
  return unify(op, a, b, "extents that are broadcast against each other");
}

FailureOr<Dims> ShapeScope::broadcast(Operation *op, ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  Dims result(a.begin(), a.end());
  size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    DimExpr left = solver.canonical(a[lead + i]), right = solver.canonical(b[i]);
    if (left.constant() && right.constant() && !(left == right) && left.constant() != 1 &&
        right.constant() != 1)
      return op->emitOpError() << "shapes " << toString(a) << " and " << toString(b)
                               << " do not broadcast: dim " << lead + i << " is " << left.print()
                               << " and " << right.print();
    FailureOr<DimExpr> dim = broadcastDim(op, left, right);
    if (failed(dim))
      return failure();
    result[lead + i] = *dim;
  }
  return result;
}

DimExpr ShapeScope::product(ArrayRef<DimExpr> dims) {
  DimExpr result(1);
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}

DimExpr ShapeScope::freshDim(Operation *op, unsigned result, unsigned dim) {
  // Inside a loop body types may be those of one iteration only.
  auto declared = result < op->getNumResults() && op->getNumRegions() == 0
                      ? dyn_cast<RankedTensorType>(op->getResult(result).getType())
                      : RankedTensorType();
  if (declared && dim < declared.getRank() && !declared.isDynamicDim(dim))
    return DimExpr(declared.getDimSize(dim));
  // Nodes that come of one function body may have one name.
  std::string label = getNodeLabel(op);
  for (unsigned number = 2; labels.try_emplace(label, op).first->second != op; ++number)
    label = getNodeLabel(op) + "_" + std::to_string(number);
  std::string name = label + ":" + std::to_string(result) + "." + std::to_string(dim);
  solver.addSymbol(name, DimSolver::Origin::Fresh);
  return solver.canonical(DimExpr::symbol(name));
}

/// Whether the user gives one value for each element of what it uses.
static bool isElementwise(OpOperand &use) {
  return use.getOperandNumber() == 0 &&
         isa<AbsOp, CastOp, CastLikeOp, ExpOp, IdentityOp, LogOp, NegOp, ReciprocalOp, SqrtOp>(
             use.getOwner());
}

std::optional<int64_t> ShapeScope::getDeclaredRank(Value value) {
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    return type.getRank();
  for (OpOperand &use : value.getUses())
    if (auto exit = dyn_cast<func::ReturnOp>(use.getOwner())) {
      if (auto rank = exit->getParentOfType<func::FuncOp>().getResultAttrOfType<IntegerAttr>(
              use.getOperandNumber(), "onnx.rank"))
        return rank.getInt();
    } else if (isElementwise(use)) {
      if (auto rank = getDeclaredRank(use.getOwner()->getResult(0)))
        return rank;
    }
  return std::nullopt;
}

LogicalResult ShapeScope::useDeclared(Operation *op, StringRef what) {
  for (auto [index, result] : llvm::enumerate(op->getResults())) {
    if (!isa<ShapedType>(result.getType()))
      continue;
    std::optional<int64_t> rank = getDeclaredRank(result);
    if (!rank)
      return op->emitOpError() << what << " is not known at compile time";
    // Extents that are not declared depend on data.
    Dims dims;
    auto type = dyn_cast<RankedTensorType>(result.getType());
    auto named = type ? dyn_cast_if_present<DimsAttr>(type.getEncoding()) : nullptr;
    for (int64_t dim = 0; dim < *rank; ++dim) {
      StringAttr name = named ? named.getExprs()[dim] : StringAttr();
      auto parsed = name ? DimExpr::parse(name.str()) : freshDim(op, index, dim);
      dims.push_back(parsed ? *parsed : freshDim(op, index, dim));
    }
    setDims(result, dims);
  }
  return success();
}

FailureOr<int64_t> ShapeScope::normalizeAxis(Operation *op, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return op->emitOpError() << "axis " << axis << " is out of range for rank " << rank;
  return axis < 0 ? axis + rank : axis;
}

bool ShapeScope::isDataDependent(const DimExpr &expr) const {
  for (const std::string &symbol : expr.symbols())
    if (solver.getOrigin(symbol) == DimSolver::Origin::Fresh)
      return true;
  return false;
}

//===----------------------------------------------------------------------===//
// Driving
//===----------------------------------------------------------------------===//

LogicalResult ShapeScope::inferOp(Operation *op) {
  if (auto interface = dyn_cast<ShapeInferenceOpInterface>(op)) {
    // Operands are looked at together: only the first that is wrong is told.
    bool isTold = false;
    ScopedDiagnosticHandler handler(op->getContext(), [&](Diagnostic &diagnostic) {
      bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
      return success(isError && std::exchange(isTold, true));
    });
    return interface.inferShapes(*this);
  }
  if (op->hasTrait<OpTrait::IsTerminator>() || isa<NoneOp, func::CallOp>(op))
    return success();
  if (auto tensor = dyn_cast<DimsTensorOp>(op)) {
    Dims contents;
    for (Attribute expr : tensor.getExprs()) {
      auto parsed = DimExpr::parse(cast<StringAttr>(expr).str());
      if (!parsed)
        return op->emitOpError() << parsed.message();
      contents.push_back(*parsed);
    }
    setDims(tensor.getResult(), *getTypeDims(tensor.getType()));
    setContents(tensor.getResult(), contents);
    return success();
  }
  // Other ops keep the shapes that they declare.
  bool declared = true;
  for (Value result : op->getResults()) {
    auto dims = getTypeDims(result.getType());
    if (dims)
      setDims(result, *dims);
    declared &= dims.has_value() || !isa<ShapedType>(result.getType());
  }
  if (declared && !isa<OnnxOpInterface>(op))
    return success();
  StringRef name = op->getName().stripDialect();
  if (auto custom = dyn_cast<CustomOp>(op))
    return op->emitOpError() << "operator '" << custom.getDomain() << "." << custom.getOpType()
                             << "' is not known, and the model does not declare the shapes of its "
                                "results";
  return op->emitError() << "shape inference of operator '" << name << "' is not supported";
}

LogicalResult ShapeScope::inferBlock(Block &block) {
  for (Operation &op : block)
    if (failed(inferOp(&op)))
      return failure();
  return success();
}

Type ShapeScope::getInferredType(Value value) {
  auto type = dyn_cast<ShapedType>(value.getType());
  if (!type || !isKnown(value))
    return value.getType();
  return getTensorType(getDims(value), type.getElementType());
}
