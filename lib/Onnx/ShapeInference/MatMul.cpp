//===- MatMul.cpp - shapes of products ------------------------------------===//
#include "Broadcast.h"
#include "Families.h"

#include <map>

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

FailureOr<Dims> dougong::onnx::inferMatMulDims(Operation *op, ShapeScope &scope, Dims a, Dims b) {
  if (a.empty() || b.empty())
    return op->emitOpError() << "operands must not be scalars, got shapes " << toString(a)
                             << " and " << toString(b);
  // A vector is a matrix of one row (left) or column (right), which then goes.
  bool row = a.size() == 1, column = b.size() == 1;
  if (row)
    a.insert(a.begin(), DimExpr(1));
  if (column)
    b.push_back(DimExpr(1));
  if (failed(scope.unify(op, a.back(), b[b.size() - 2],
                         "inner dims of " + toString(a) + " and " + toString(b))))
    return failure();
  FailureOr<Dims> result =
      scope.broadcast(op, ArrayRef<DimExpr>(a).drop_back(2), ArrayRef<DimExpr>(b).drop_back(2));
  if (failed(result))
    return failure();
  if (!row)
    result->push_back(a[a.size() - 2]);
  if (!column)
    result->push_back(b.back());
  return result;
}

namespace {

/// A product of operands `a` and `b`, whose scales, zero points or biases (one for each row
/// of A or column of B) are the operands `ofA` and `ofB`.
LogicalResult inferProduct(Operation *op, ShapeScope &scope, unsigned a, unsigned b,
                           ArrayRef<unsigned> ofA, ArrayRef<unsigned> ofB) {
  FailureOr<Dims> left = scope.getOperandDims(op, a), right = scope.getOperandDims(op, b);
  if (failed(left) || failed(right))
    return failure();
  FailureOr<Dims> result = inferMatMulDims(op, scope, *left, *right);
  if (failed(result))
    return failure();
  auto dimOf = [](const Dims &dims, unsigned fromEnd) {
    return dims.size() > 1 ? std::optional<unsigned>(dims.size() - fromEnd) : std::nullopt;
  };
  for (unsigned operand : ofA)
    if (failed(checkParameter(op, scope, operand, *left, dimOf(*left, 2))))
      return failure();
  for (unsigned operand : ofB)
    if (failed(checkParameter(op, scope, operand, *right, dimOf(*right, 1))))
      return failure();
  return scope.setResult(op, 0, *result);
}

LogicalResult inferMatMul(MatMulOp op, ShapeScope &scope) {
  return inferProduct(op, scope, 0, 1, {}, {});
}
/// (A, B, b_scale, b_zero_point, bias)
LogicalResult inferDynamicQuantizeMatMul(MsDynamicQuantizeMatMulOp op, ShapeScope &scope) {
  return inferProduct(op, scope, 0, 1, {}, {2, 3, 4});
}
LogicalResult inferMatMulInteger(MatMulIntegerOp op, ShapeScope &scope) {
  return inferProduct(op, scope, 0, 1, {2}, {3});
}
LogicalResult inferMatMulIntegerToFloat(MsMatMulIntegerToFloatOp op, ShapeScope &scope) {
  return inferProduct(op, scope, 0, 1, {2, 4}, {3, 5, 6});
}
LogicalResult inferQLinearMatMul(QLinearMatMulOp op, ShapeScope &scope) {
  return inferProduct(op, scope, 0, 3, {1, 2, 6, 7}, {4, 5});
}

LogicalResult inferGemm(GemmOp op, ShapeScope &scope) {
  FailureOr<Dims> a = scope.getOperandDims(op, 0, 2), b = scope.getOperandDims(op, 1, 2);
  if (failed(a) || failed(b))
    return failure();
  if (op.getTransA() != 0)
    std::swap((*a)[0], (*a)[1]);
  if (op.getTransB() != 0)
    std::swap((*b)[0], (*b)[1]);
  if (failed(scope.unify(op, (*a)[1], (*b)[0], "inner dims of A and B")))
    return failure();
  Dims result = {(*a)[0], (*b)[1]};
  if (isGiven(op, 2)) {
    FailureOr<Dims> c = scope.getOperandDims(op, 2);
    if (failed(c))
      return failure();
    if (failed(broadcastTo(op, scope, *c, result, "C")))
      return failure();
  }
  return scope.setResult(op, 0, result);
}

LogicalResult inferFusedMatMul(MsFusedMatMulOp op, ShapeScope &scope) {
  FailureOr<Dims> a = scope.getOperandDims(op, 0), b = scope.getOperandDims(op, 1);
  if (failed(a) || failed(b))
    return failure();
  // transBatch* moves the first dim behind the other batch dims.
  auto arrange = [](Dims &dims, bool transpose, bool batch) {
    if (dims.size() < 2)
      return;
    if (batch)
      std::rotate(dims.begin(), dims.begin() + 1, dims.end() - 1);
    if (transpose)
      std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  };
  arrange(*a, op.getTransA() != 0, op.getTransBatchA() != 0);
  arrange(*b, op.getTransB() != 0, op.getTransBatchB() != 0);
  FailureOr<Dims> result = inferMatMulDims(op, scope, *a, *b);
  return failed(result) ? failure() : scope.setResult(op, 0, *result);
}

LogicalResult inferMatMulNBits(MsMatMulNBitsOp op, ShapeScope &scope) {
  FailureOr<Dims> a = scope.getOperandDims(op, 0);
  if (failed(a))
    return failure();
  if (a->empty())
    return op.emitOpError() << "A must not be a scalar";
  if (failed(scope.unify(op, a->back(), DimExpr(int64_t(op.getK())), "the last dim of A and K")))
    return failure();
  a->back() = DimExpr(int64_t(op.getN()));
  return scope.setResult(op, 0, *a);
}

/// The terms of an einsum equation, as label strings; "..." is '.'.
struct Equation {
  SmallVector<std::string> inputs;
  std::optional<std::string> output;
};

std::optional<Equation> parseEquation(StringRef text) {
  std::string compact;
  for (char c : text)
    if (c != ' ')
      compact.push_back(c);
  StringRef rest(compact);
  Equation equation;
  auto [left, right] = rest.split("->");
  auto labels = [](StringRef term) -> std::optional<std::string> {
    std::string result;
    while (!term.empty()) {
      if (term.consume_front("...")) {
        result.push_back('.');
        continue;
      }
      if (!llvm::isAlpha(term.front()))
        return std::nullopt;
      result.push_back(term.front());
      term = term.drop_front();
    }
    return result;
  };
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  for (StringRef term : terms) {
    auto parsed = labels(term);
    if (!parsed)
      return std::nullopt;
    equation.inputs.push_back(*parsed);
  }
  if (rest.contains("->")) {
    equation.output = labels(right);
    if (!equation.output)
      return std::nullopt;
  }
  return equation;
}

LogicalResult inferEinsum(EinsumOp op, ShapeScope &scope) {
  auto equation = parseEquation(op.getEquation());
  if (!equation || equation->inputs.size() != op->getNumOperands())
    return op.emitOpError() << "equation '" << op.getEquation() << "' does not fit "
                            << op->getNumOperands() << " operands";
  std::map<char, DimExpr> extents;
  std::map<char, unsigned> uses;
  Dims ellipsis;
  for (auto [index, term] : llvm::enumerate(equation->inputs)) {
    FailureOr<Dims> dims = scope.getOperandDims(op, index);
    if (failed(dims))
      return failure();
    bool dots = term.find('.') != std::string::npos;
    size_t named = term.size() - dots;
    if (dims->size() < named || (!dots && dims->size() != named))
      return op.emitOpError() << "term " << index << " of equation '" << op.getEquation()
                              << "' does not fit shape " << toString(*dims);
    size_t position = 0;
    for (char label : term) {
      if (label == '.') {
        size_t count = dims->size() - named;
        FailureOr<Dims> merged =
            scope.broadcast(op, ellipsis, ArrayRef<DimExpr>(*dims).slice(position, count));
        if (failed(merged))
          return failure();
        ellipsis = *merged;
        position += count;
        continue;
      }
      ++uses[label];
      DimExpr dim = (*dims)[position++];
      auto [it, inserted] = extents.try_emplace(label, dim);
      if (inserted)
        continue;
      if (it->second.constant() == 1)
        it->second = dim;
      if (dim.constant() == 1)
        continue;
      FailureOr<DimExpr> merged =
          scope.unify(op, it->second, dim, "extents of label '" + Twine(label) + "'");
      if (failed(merged))
        return failure();
      it->second = *merged;
    }
  }
  std::string output;
  if (equation->output) {
    output = *equation->output;
  } else { // implicit: dims that occur once, in alphabetic order
    output = ".";
    for (auto [label, count] : uses)
      if (count == 1)
        output.push_back(label);
  }
  Dims result;
  for (char label : output) {
    if (label == '.') {
      result.append(ellipsis);
      continue;
    }
    auto it = extents.find(label);
    if (it == extents.end())
      return op.emitOpError() << "output label '" << Twine(label) << "' of equation '"
                              << op.getEquation() << "' is in no input";
    result.push_back(it->second);
  }
  return scope.setResult(op, 0, result);
}

LogicalResult inferDet(DetOp op, ShapeScope &scope) {
  FailureOr<Dims> dims = scope.getOperandDims(op, 0);
  if (failed(dims))
    return failure();
  if (dims->size() < 2)
    return op.emitOpError() << "operand must have rank 2 or more, got shape " << toString(*dims);
  if (failed(scope.unify(op, (*dims)[dims->size() - 1], (*dims)[dims->size() - 2],
                         "rows and columns")))
    return failure();
  return scope.setResult(op, 0, ArrayRef<DimExpr>(*dims).drop_back(2));
}

} // namespace

void dougong::onnx::attachMatMulShapes(MLIRContext &context) {
  attach<inferMatMul, MatMulOp>(context);
  attach<inferMatMulInteger, MatMulIntegerOp>(context);
  attach<inferMatMulIntegerToFloat, MsMatMulIntegerToFloatOp>(context);
  attach<inferDynamicQuantizeMatMul, MsDynamicQuantizeMatMulOp>(context);
  attach<inferQLinearMatMul, QLinearMatMulOp>(context);
  attach<inferGemm, GemmOp>(context);
  attach<inferFusedMatMul, MsFusedMatMulOp>(context);
  attach<inferMatMulNBits, MsMatMulNBitsOp>(context);
  attach<inferEinsum, EinsumOp>(context);
  attach<inferDet, DetOp>(context);
}
